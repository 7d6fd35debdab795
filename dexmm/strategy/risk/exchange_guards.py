"""The guards of the exchange side, as a checklist; the chain's are in ``guards.py``.

    guard               bites when                                            blocks
    ------------------  ----------------------------------------------------  -------------------
    exchange            one is configured and the snapshot holds none         ALL
    suspended           the exchange does not trade the pair now              TRADING
    stale_ticker        its book is too old                                   TRADING
    crossed_book        its book is empty or crossed                          TRADING
    price_sources       fewer than two of pool, exchange, triangle speak      TRADING
    price_spread        those that speak are too far apart                    ENTRY and trading
    pool_vs_exchange    the pool's price is too far from the exchange's       ENTRY and trading
    pending_order       the fate of one of our orders is not known            TRADING
    unsettled_balance   the balances do not show the last fill yet            TRADING
    order_back_off      the exchange refused our last order                   TRADING

TRADING: no new order on the exchange. Taking orders out of the book always passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from dexmm.config.schema import Config
from dexmm.model.decision import Refusal
from dexmm.model.memory import Memory
from dexmm.model.venue import VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.exposure.exchange_inventory import lags
from dexmm.strategy.exposure.fair_price import age_of, price_spread, sources
from dexmm.strategy.risk.guards import Bite, Blocks, entry, everything
from dexmm.units import bp, price_text

SETTLE_SECONDS = 60  # longer than this no exchange's balances lag a fill: what they show is true
BACK_OFF_DOUBLINGS = 9  # 10 s, 20 s, ... about 85 minutes

# Beside Blocks.TRADING and Blocks.ALL: doubts about the price hold back trades as well.
DOUBTS = {"price_band", "price_spread", "pool_vs_exchange"}


def biting_there(seen: Look) -> tuple[Bite, ...]:
    """Every guard of the exchange side that bites now."""
    config, venue = seen.config, seen.snapshot.venue
    if config.exchange is None:
        return ()
    if venue is None:
        detail = f"{config.exchange.id} is configured and was not read: nothing is done on a part"
        return (everything("exchange", detail),)
    return (
        *book_doubts(venue, config),
        *_sources(seen, venue),
        *_order_doubts(venue, seen.snapshot.memory, seen.now, config),
    )


def holds_trades(bites: tuple[Bite, ...]) -> tuple[Bite, ...]:
    """Those that let no new order go to the exchange."""
    return tuple(
        bite
        for bite in bites
        if bite.blocks in {Blocks.TRADING, Blocks.ALL} or bite.refusal.rule in DOUBTS
    )


def trading(rule: str, detail: str) -> Bite:
    return Bite(Refusal(rule=rule, detail=detail), Blocks.TRADING)


def book_doubts(venue: VenueView, config: Config) -> Iterator[Bite]:
    """Why the book is no base for an order."""
    symbol, book = venue.spot.symbol, venue.spot_book
    most = config.exchange.max_ticker_age_seconds if config.exchange else 0
    if not venue.spot.tradable:
        yield trading("suspended", f"{venue.exchange} does not trade {symbol} now: wait")
    if (age := age_of(book, venue)) > most:
        yield trading("stale_ticker", f"the {symbol} book is {age:.1f} s old, more than {most} s")
    if book.mid is None:
        what = "crossed" if book.bids and book.asks else "empty on a side"
        yield trading("crossed_book", f"the {symbol} book is {what}: it has no price")


def _sources(seen: Look, venue: VenueView) -> Iterator[Bite]:
    exchange = seen.config.exchange
    if exchange is None:
        return
    found = sources(seen.view, venue, exchange)
    if len(found) < 2:
        names = ", ".join(source.name for source in found) or "none"
        yield trading("price_sources", f"of pool, exchange and triangle only {names} gives a price")
    fee = seen.view.market.fee_pips
    if (off := price_spread(found)) > (most := exchange.max_spread(fee)):
        prices = ", ".join(f"{source.name} {price_text(source.price)}" for source in found)
        yield entry(
            "price_spread",
            f"the price's sources are {off:.0f} bp apart ({prices}), more than "
            f"{most} bp (exchange.max_spread_bp)",
        )
    mid, pool = venue.spot_book.mid, seen.view.market.price(seen.view.pool.sqrt_price_x96)
    if mid is not None and (off := bp(abs(pool - mid), mid)) > (most := exchange.max_pool(fee)):
        yield entry(
            "pool_vs_exchange",
            f"the pool's price {price_text(pool)} is {off:.0f} bp from {venue.exchange}'s "
            f"{price_text(mid)}, more than {most} bp (exchange.max_pool_bp)",
        )


def _order_doubts(venue: VenueView, memory: Memory, now: int, config: Config) -> Iterator[Bite]:
    if venue.pending:
        oldest = max(venue.pending, key=lambda order: order.age_seconds)
        yield trading(
            "pending_order",
            f"the fate of {len(venue.pending)} order(s) is not known, the oldest a "
            f"{oldest.side} of {oldest.amount:f} {oldest.symbol} since {oldest.age_seconds} s",
        )
    since = memory.unsettled_at
    if since is not None and now - since < SETTLE_SECONDS and lags(venue, memory):
        yield trading(
            "unsettled_balance",
            f"{venue.exchange}'s balances do not show the last fill of "
            f"{memory.unsettled_base:f} {venue.spot.base} yet",
        )
    if wait := back_off(memory, now, config):
        yield trading(
            "order_back_off",
            f"{venue.exchange} refused {memory.orders_refused} order(s) in a row: the next one in "
            f"{wait} s",
        )


def back_off(memory: Memory, now: int, config: Config) -> int:
    """Seconds until the next order may be sent after refusals; doubles with each."""
    if memory.order_refused_at is None or not memory.orders_refused:
        return 0
    doublings = min(memory.orders_refused - 1, BACK_OFF_DOUBLINGS)
    pause = config.quotes.back_off_seconds * (1 << doublings)
    return max(memory.order_refused_at + pause - now, 0)
