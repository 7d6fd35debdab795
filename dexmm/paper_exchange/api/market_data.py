"""Public data that both APIs tell alike: depth, trades, candles, tickers."""

from __future__ import annotations

from decimal import Decimal

from dexmm.paper_exchange.api.endpoint import Call
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Side
from dexmm.paper_exchange.engine.rounding import ZERO, places_of, text
from dexmm.paper_exchange.engine.symbol_rules import Kind
from dexmm.paper_exchange.engine.trade_history import MINUTE_MS, flat

INTERVALS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
}
CROSSED_BY = Decimal("0.001")  # of the price, when a crossed book is rehearsed

Level = tuple[Decimal, Decimal]


def sides(call: Call, market: Market, limit: int) -> tuple[list[Level], list[Level]]:
    """Bids and asks as they are told: rehearsed as empty or crossed, where that is the fault."""
    if call.struck(Effect.EMPTY_BOOK):
        return [], []
    bids = market.book.depth(Side.BUY, limit)
    asks = market.book.depth(Side.SELL, limit)
    if call.struck(Effect.CROSSED_BOOK) and bids and asks:
        tick = market.rules.tick_size
        gap = asks[0][0] - bids[0][0] + max(tick, market.fair * CROSSED_BY // tick * tick)
        bids = [(price + gap, quantity) for price, quantity in bids]
    return bids, asks


def depth(call: Call) -> dict[str, object]:
    market = call.market()
    bids, asks = sides(call, market, call.query.limit(100, 5000))
    digits = _digits(market)
    # Futures alone state times: when the answer was sent, and when something last traded.
    prints = market.tape.prints
    sent = {"E": call.now_ms, "T": prints[-1].at_ms if prints else call.now_ms}
    return {
        "lastUpdateId": call.exchange.changes.last_id,
        **(sent if call.kind is Kind.PERPETUAL else {}),
        "bids": [[text(p, digits[0]), text(q, digits[1])] for p, q in bids],
        "asks": [[text(p, digits[0]), text(q, digits[1])] for p, q in asks],
    }


def trades(call: Call) -> list[dict[str, object]]:
    market = call.market()
    newest = list(market.tape.prints)[-call.query.limit(500, 1000) :]
    return [
        {
            "id": p.trade_id,
            "price": text(p.price),
            "qty": text(p.quantity),
            "quoteQty": text(p.value),
            "time": p.at_ms,
            "isBuyerMaker": p.buyer_is_maker,
            "isBestMatch": True,
        }
        for p in newest
    ]


def agg_trades(call: Call) -> list[dict[str, object]]:
    """Every trade by itself: each fill here has its own taker."""
    market = call.market()
    since, until = call.period()
    found = [p for p in market.tape.prints if since <= p.at_ms <= until]
    limit = call.query.limit(500, 1000)
    return [
        {
            "a": p.trade_id,
            "p": text(p.price),
            "q": text(p.quantity),
            "f": p.trade_id,
            "l": p.trade_id,
            "T": p.at_ms,
            "m": p.buyer_is_maker,
            "M": True,
        }
        for p in (found[:limit] if since else found[-limit:])
    ]


def klines(call: Call) -> list[list[object]]:
    market = call.market()
    interval = INTERVALS.get(call.query.text("interval"))
    if interval is None:
        raise Refused(error_codes.BAD_INTERVAL)
    since, until = call.period()
    limit = call.query.limit(500, 1500)
    since = -(-since // interval) * interval
    if since:
        until = min(until, since + interval * limit - 1)
    return [
        [
            bar.at_ms,
            text(bar.open),
            text(bar.high),
            text(bar.low),
            text(bar.close),
            text(bar.volume),
            bar.at_ms + interval - 1,
            text(bar.value),
            bar.trades,
            text(bar.taker_volume),
            text(bar.taker_value),
            "0",
        ]
        for bar in market.tape.bars(interval, since, until, limit)
    ]


def ticker_price(call: Call) -> object:
    return _one_or_all(
        call, [{"symbol": m.rules.symbol, "price": text(m.tape.last)} for m in call.markets()]
    )


def book_ticker(call: Call) -> object:
    return _one_or_all(call, [_touch(call, market) for market in call.markets()])


def day_ticker(call: Call) -> object:
    return _one_or_all(call, [_day(call, market) for market in call.markets()])


def _touch(call: Call, market: Market) -> dict[str, object]:
    bids, asks = sides(call, market, 1)
    bid, ask = (bids or [(ZERO, ZERO)])[0], (asks or [(ZERO, ZERO)])[0]
    told: dict[str, object] = {
        "symbol": market.rules.symbol,
        "bidPrice": text(bid[0]),
        "bidQty": text(bid[1]),
        "askPrice": text(ask[0]),
        "askQty": text(ask[1]),
    }
    if market.is_perpetual:
        told |= {"time": call.now_ms, "lastUpdateId": call.exchange.changes.last_id}
    return told


def _day(call: Call, market: Market) -> dict[str, object]:
    day = market.tape.day(call.now_ms) or flat(call.now_ms, market.fair)
    last = market.tape.prints[-1] if market.tape.prints else None
    change = day.close - day.open
    told: dict[str, object] = {
        "symbol": market.rules.symbol,
        "priceChange": text(change),
        "priceChangePercent": text(change / day.open * 100 if day.open else ZERO, 3),
        "weightedAvgPrice": text(day.value / day.volume if day.volume else day.close),
        "lastPrice": text(day.close),
        "lastQty": text(last.quantity if last else ZERO),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.value),
        "openTime": call.now_ms - 1440 * MINUTE_MS,
        "closeTime": call.now_ms,
        "firstId": market.tape.prints[0].trade_id if market.tape.prints else -1,
        "lastId": last.trade_id if last else -1,
        "count": day.trades,
    }
    if not market.is_perpetual:
        told |= {k: v for k, v in _touch(call, market).items() if k != "symbol"}
        told["prevClosePrice"] = text(day.open)
    return told


def _one_or_all(call: Call, told: list[dict[str, object]]) -> object:
    return told[0] if call.query.has("symbol") else told


def _digits(market: Market) -> tuple[int, int]:
    if market.is_perpetual:
        return places_of(market.rules.tick_size), places_of(market.rules.step_size)
    return 8, 8
