"""Instruments as the exchange states them: steps, minimums, fees. Never configured.

Cached for an hour. An order that is refused for its steps, its minimums or the symbol's status lets
the cache go, so that the next look at the exchange has the new ones. Where one is not even sent,
because it would not keep the known rules, the exchange may have eased them since and would never
be asked: then they are kept for a minute, or for five where a strategy holds it back by itself (a
rest under the minimum is usual, and waits). While a symbol that is traded here is suspended,
nothing is ordered and nothing can be refused, so the cache is kept for half a minute only: trading
goes on half a minute after the exchange's does. A symbol that was traded here and is not listed any
more (a maintenance, a list that came in part) counts as suspended, with all else as it was last
listed: so orders in it can still be looked up and taken out.

The fees are the account's own, as the exchange states them for the symbol. Where they are paid in a
third coin (Binance's BNB) at another rate, the rate that was really paid last is the fee.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any

from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed, Fate, NotOffered
from dexmm.cex.margins import ORDERS_STATE_MODE
from dexmm.cex.parsing import (
    EXACT,
    maybe,
    number,
    ones_like,
    or_zero,
    record,
    step_of_rounding,
)
from dexmm.errors import BadInput, Transient
from dexmm.model.venue import Instrument

KEPT_SECONDS = 3600
KEPT_SUSPENDED_SECONDS = 30
KEPT_DOUBTED_SECONDS = 60  # while they alone keep an order of ours from being sent
KEPT_CARRIED_SECONDS = 300  # while what a strategy would trade waits for a smaller minimum
ONE = Decimal(1)


class Markets:
    """The markets behind one lane. ``also`` are lanes to the same exchange that share them."""

    def __init__(self, lane: Lane, also: tuple[Lane, ...], clock: Callable[[], int]) -> None:
        self._lane = lane
        self._also = also
        self._clock = clock
        self._loaded_at: int | None = None
        self._fees: dict[str, tuple[Decimal, Decimal]] = {}
        self._fees_at: int | None = None
        self._suspended: set[str] = set()  # of the symbols that were asked for
        self._used: dict[str, Mapping[str, Any]] = {}  # those, as they were last listed
        self._prices: dict[str, Decimal] = {}
        self._modes: dict[str, str] = {}  # "cross" or "isolated", by symbol
        self._doubted: int | None = None  # seconds that they are kept for, while in doubt
        self._paid: dict[tuple[str, bool], Decimal] = {}  # by symbol, and whether as a maker

    @property
    def fresh(self) -> bool:
        return self._loaded_at is not None and self._clock() - self._loaded_at < self._kept_seconds

    @property
    def _kept_seconds(self) -> int:
        if self._suspended:
            return KEPT_SUSPENDED_SECONDS
        return KEPT_SECONDS if self._doubted is None else self._doubted

    def invalidate(self) -> None:
        self._loaded_at = None

    def doubt(self, kept_seconds: int = KEPT_DOUBTED_SECONDS) -> None:
        """An order was held back for a step, a minimum or a maximum alone: ask again soon."""
        self._doubted = min(kept_seconds, self._doubted or kept_seconds)

    def paid(self, symbol: str, rate: Decimal | None, *, maker: bool) -> None:
        """What a fill really cost in fees, of its notional; None when the stated fee was taken."""
        if rate is None:
            self._paid.pop((symbol, maker), None)
        else:
            self._paid[symbol, maker] = rate

    def load(self) -> None:
        """Ask for them when they are absent or old. Raises ``Transient``, ``Halt``."""
        if self.fresh:
            return
        self._lane.read("read the exchange's symbols", "load_markets", True)
        exchange = self._lane.exchange
        if not exchange.markets and not self._used:
            raise Transient(f"{exchange.id} lists no symbols at all now")
        if gone := [
            {**m, "active": False} for s, m in self._used.items() if s not in exchange.markets
        ]:
            exchange.set_markets([*exchange.markets.values(), *gone])
        for lane in self._also:
            lane.exchange.set_markets_from_exchange(self._lane.exchange)
        self._prices.clear()
        self._modes.clear()
        self._loaded_at = self._clock()
        self._doubted = None
        self._suspended.clear()  # whoever asks for a symbol finds out anew
        if self._fees_at is None or self._loaded_at - self._fees_at >= KEPT_SECONDS:
            self._fees.clear()
            self._fees_at = self._loaded_at

    def instrument(self, symbol: str) -> Instrument:
        """Raises ``NotOffered`` when the exchange never had such a symbol, ``BadInput``
        for a perpetual that is settled in its base.
        """
        self.load()
        market = self._market(symbol)
        if market.get("inverse") is True:
            raise BadInput(
                f"{symbol} is settled in {market.get('settle')}: use a perpetual that is "
                f"settled in {market['quote']}"
            )
        precision, limits = market["precision"], market["limits"]
        size = self.contract_size(symbol)
        maker, taker = self._fee(symbol, market)
        tradable = market.get("active") is not False
        if not tradable:
            self._suspended.add(symbol)
        return Instrument(
            symbol=symbol,
            base=str(market["base"]),
            quote=str(market["quote"]),
            contract=bool(market.get("contract")),
            price_step=self._step(symbol, "price", precision),
            amount_step=EXACT.multiply(self._step(symbol, "amount", precision), size),
            amount_min=EXACT.multiply(or_zero(limits["amount"].get("min"), "minimum amount"), size),
            cost_min=or_zero(limits["cost"].get("min"), "minimum cost"),
            maker_fee=self._paid.get((symbol, True), maker),
            taker_fee=self._paid.get((symbol, False), taker),
            tradable=tradable,
            amount_max=self._most(limits["amount"].get("max"), "maximum amount", size),
            cost_max=self._most(limits["cost"].get("max"), "maximum cost", ONE),
        )

    def margin_mode(self, symbol: str) -> str:
        """Which margin mode an order of this perpetual must state; empty where it states none.

        Asked once for as long as the markets are kept. Raises ``Transient``, ``Halt``.
        """
        exchange = self._lane.exchange
        if exchange.id not in ORDERS_STATE_MODE or not self._market(symbol).get("contract"):
            return ""
        if symbol not in self._modes:
            what = f"read the margin mode of {symbol}"
            told = record(self._lane.read(what, "fetch_margin_mode", symbol), "margin mode")
            self._modes[symbol] = str(told.get("marginMode") or "cross")
        return self._modes[symbol]

    def contract_size(self, symbol: str) -> Decimal:
        """Base per unit of ccxt's amounts: 1 for spot."""
        self.load()
        market = self._market(symbol)
        return number(market["contractSize"], "contract size") if market.get("contract") else ONE

    def _market(self, symbol: str) -> Mapping[str, Any]:
        markets = self._lane.exchange.markets or {}
        if symbol not in markets:
            raise NotOffered(
                f"{self._lane.exchange.id} does not trade {symbol}: check [exchange] in the "
                "configuration"
            )
        found = record(markets[symbol], symbol)
        self._used[symbol] = found
        return found

    def _step(self, symbol: str, what: str, precision: Mapping[str, Any]) -> Decimal:
        """ccxt writes precision as a step, as digits after the point, or as significant digits.

        A step of significant digits depends on the number's size: it is taken from how ccxt itself
        rounds one of the last price's size (an amount's is the same for all, where it is used).
        """
        import ccxt

        exchange = self._lane.exchange
        if exchange.precisionMode == ccxt.SIGNIFICANT_DIGITS:
            like = ones_like(ONE if what == "amount" else self._last_price(symbol))
            told = exchange.amount_to_precision if what == "amount" else exchange.price_to_precision
            with localcontext():  # ccxt leaves its own rounding in the thread's context
                return step_of_rounding(told(symbol, like))
        found = number(precision.get(what), f"{what} step")
        if exchange.precisionMode == ccxt.DECIMAL_PLACES:
            return ONE.scaleb(-int(found))
        return found

    def _most(self, value: object, what: str, size: Decimal) -> Decimal | None:
        """A limit of nothing is how some exchanges write that there is none."""
        found = maybe(value, what)
        return EXACT.multiply(found, size) if found else None

    def _last_price(self, symbol: str) -> Decimal:
        """Asked once for as long as the markets are kept."""
        if symbol not in self._prices:
            what = f"read the price of {symbol}"
            ticker = record(self._lane.read(what, "fetch_ticker", symbol), "ticker")
            self._prices[symbol] = number(ticker.get("last"), "last price")
        return self._prices[symbol]

    def _fee(self, symbol: str, market: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
        """The account's own fees where they can be asked for, else those of the price list.

        Without a key there is no account: the price list is all that anybody may see.
        """
        if symbol not in self._fees:
            listed = (
                maybe(market.get("maker"), "maker fee"),
                maybe(market.get("taker"), "taker fee"),
            )
            self._fees[symbol] = self._own_fee(symbol, listed)
        return self._fees[symbol]

    def _own_fee(
        self, symbol: str, listed: tuple[Decimal | None, Decimal | None]
    ) -> tuple[Decimal, Decimal]:
        maker, taker = listed
        exchange = self._lane.exchange
        if exchange.apiKey and exchange.has.get("fetchTradingFee") is True:
            try:
                answer = record(self._lane.ask("fetch_trading_fee", symbol), "fees")
            except CallFailed as failed:
                if failed.fate is not Fate.UNABLE:  # a test network has no such endpoint
                    raise failed.as_error(f"read the fees of {symbol}") from None
                answer = {}
            own = maybe(answer.get("maker"), "maker fee"), maybe(answer.get("taker"), "taker fee")
            maker = maker if own[0] is None else own[0]
            taker = taker if own[1] is None else own[1]
        return number(maker, "maker fee"), number(taker, "taker fee")
