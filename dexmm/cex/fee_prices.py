"""What a fee paid in a third coin is worth: the exchange's own price of that coin, when it is told.

Asked for once a minute at most, and only when such a fee is told: an exchange's discount coin
(BNB and the like) is the usual one. The price is the middle of the coin's own market in the quote
of ours, or of the market the other way round. Where there is none, or it does not answer, the fee
stays unvalued and whoever adds up says so: an order's outcome never depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed
from dexmm.cex.parsing import maybe, record
from dexmm.errors import Transient
from dexmm.model.order import OrderIntent
from dexmm.units import PRICE

log = logging.getLogger("dexmm.orders")

KEPT_SECONDS = 60
RATE_STEP = Decimal("0.000001")  # a hundredth of a basis point
ONE = Decimal(1)

PriceOf = Callable[[str], Decimal | None]


def nothing_known(_coin: str) -> Decimal | None:
    """Where no price can be asked for."""
    return None


class FeePrices:
    """Prices of coins in ``quote``, from the spot market behind one lane."""

    def __init__(self, lane: Lane, quote: str, clock: Callable[[], int]) -> None:
        self._lane = lane
        self._quote = quote
        self._clock = clock
        self._known: dict[str, tuple[int, Decimal | None]] = {}

    def __call__(self, coin: str) -> Decimal | None:
        """Quote per coin; None where the exchange has no market for it or does not answer."""
        if coin == self._quote:
            return ONE
        at, price = self._known.get(coin, (0, None))
        if coin not in self._known or self._clock() - at >= KEPT_SECONDS:
            price = self._ask(coin)
            self._known[coin] = (self._clock(), price)
        return price

    def _ask(self, coin: str) -> Decimal | None:
        markets = self._lane.exchange.markets or {}
        try:
            if (symbol := f"{coin}/{self._quote}") in markets:
                return self._middle(symbol)
            if (symbol := f"{self._quote}/{coin}") in markets:
                middle = self._middle(symbol)
                return PRICE.divide(ONE, middle) if middle else None
        except (CallFailed, Transient) as error:
            log.warning("a fee in %s cannot be valued now: %s", coin, error)
            return None
        log.warning(
            "a fee in %s cannot be valued: the exchange has no %s/%s", coin, coin, self._quote
        )
        return None

    def _middle(self, symbol: str) -> Decimal | None:
        """Between bid and ask; of the last trade where one of them is missing."""
        ticker = record(self._lane.ask("fetch_ticker", symbol), f"ticker of {symbol}")
        bid, ask, last = (maybe(ticker.get(key), key) for key in ("bid", "ask", "last"))
        if bid and ask:
            return PRICE.divide(PRICE.add(bid, ask), Decimal(2))
        return last or None


def fee_rate(order: OrderIntent) -> Decimal | None:
    """All fees of a filled order, of its notional, rounded up: what a cost must count with.

    None unless some of it was paid in a third coin and all of it has a value: else the fee that
    the exchange states for the symbol is the better one.
    """
    if not order.fee_valued or order.fee_unvalued:
        return None
    in_base = PRICE.divide(PRICE.multiply(order.fee_base, order.cost), order.filled)
    values = (value for _, _, value in order.fee_valued)
    total = sum(values, PRICE.add(in_base, order.fee_quote))
    return PRICE.divide(total, order.cost).quantize(RATE_STEP, ROUND_CEILING)


def valued(order: OrderIntent, price_of: PriceOf) -> OrderIntent:
    """The order with what its fees in third coins are worth, as far as that is not known yet.

    Each part is valued when it is first told, and never again: later prices do not change it.
    """
    known = {coin: (amount, value) for coin, amount, value in order.fee_valued}
    for coin, amount in order.fee_other:
        before, worth = known.get(coin, (Decimal(0), Decimal(0)))
        if amount <= before:
            continue
        price = price_of(coin)
        if price is not None:
            known[coin] = (amount, PRICE.add(worth, PRICE.multiply(amount - before, price)))
    found = tuple((coin, *known[coin]) for coin in sorted(known))
    return order if found == order.fee_valued else replace(order, fee_valued=found)
