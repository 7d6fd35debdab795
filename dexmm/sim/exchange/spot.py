"""Spot coins of the simulated account.

What rests locks what it may spend. Nothing is booked as locked: it is counted from the orders that
rest. Fees come out of what is received, as spot exchanges take them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from dexmm.model.order import OrderIntent
from dexmm.model.venue import Balance, Instrument, Side
from dexmm.sim.exchange.background_book import Fill
from dexmm.sim.exchange.cash_flows import KIND_OF, Flows, Kind
from dexmm.sim.exchange.market import VenueMarket, filled
from dexmm.sim.exchange.rejections import INSUFFICIENT_BALANCE
from dexmm.sim.exchange.rounding import SIGN, ZERO, ceil_unit


class SpotAccount:
    """Coins. ``base`` and ``quote`` are those whose flows are told; others are a triangle's."""

    def __init__(self, coins: Mapping[str, Decimal], base: str, quote: str, flows: Flows) -> None:
        self._totals = dict(coins)
        self._base, self._quote = base, quote
        self._flows = flows
        self.markets: Collection[VenueMarket] = ()  # whose resting orders lock coins

    def free(self, coin: str) -> Decimal:
        return self._totals.get(coin, ZERO) - self._locked(coin)

    def balances(self) -> tuple[Balance, ...]:
        """Every coin that is held."""
        return tuple(
            Balance(coin=coin, free=total - self._locked(coin), total=total)
            for coin, total in sorted(self._totals.items())
            if total
        )

    def refusal(self, order: OrderIntent, instrument: Instrument) -> str:
        coin, needed = _spends(order, instrument)
        return "" if needed <= self.free(coin) else INSUFFICIENT_BALANCE

    def room(self, order: OrderIntent) -> Decimal:
        return order.amount - order.filled

    def settle(
        self, order: OrderIntent, instrument: Instrument, fill: Fill, fee: Decimal
    ) -> OrderIntent:
        sign, kind = SIGN[order.side], KIND_OF[order.purpose]
        self._move(instrument.base, fill.amount * sign, kind)
        self._move(instrument.quote, -fill.value * sign, kind)
        after = filled(order, fill)
        if order.side is Side.BUY:
            paid = ceil_unit(fill.amount * fee)
            self._move(instrument.base, -paid, "exchange_fee")
            return replace(after, fee_base=after.fee_base + paid)
        paid = ceil_unit(fill.value * fee)
        self._move(instrument.quote, -paid, "exchange_fee")
        return replace(after, fee_quote=after.fee_quote + paid)

    def _locked(self, coin: str) -> Decimal:
        spent = (
            _spends(order, market.instrument)
            for market in self.markets
            for order in market.resting.values()
        )
        return sum((amount for spends, amount in spent if spends == coin), ZERO)

    def _move(self, coin: str, amount: Decimal, kind: Kind) -> None:
        self._totals[coin] = self._totals.get(coin, ZERO) + amount
        if coin == self._base:
            self._flows.add(kind, base=amount)
        elif coin == self._quote:
            self._flows.add(kind, quote=amount)


def _spends(order: OrderIntent, instrument: Instrument) -> tuple[str, Decimal]:
    """The coin that an order spends, and how much of it the rest of the order may spend."""
    left = order.amount - order.filled
    if order.side is Side.SELL:
        return instrument.base, left
    return instrument.quote, ceil_unit(order.price * left)
