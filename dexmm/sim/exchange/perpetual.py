"""The simulated derivatives account: margin, and one perpetual position in it.

Positions are one-way and answer with the whole margin. What exactness needs: a trade moves what the
position has cost and the margin by exactly what was paid, so whatever rounds, rounds between them.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dexmm.model.order import OrderIntent
from dexmm.model.venue import Instrument, Perpetual, Side
from dexmm.sim.exchange.background_book import Fill
from dexmm.sim.exchange.cash_flows import KIND_OF, Flows, Kind
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.sim.exchange.market import VenueMarket, filled
from dexmm.sim.exchange.rejections import MARGIN_INSUFFICIENT, REDUCE_ONLY_REJECTED
from dexmm.sim.exchange.rounding import SIGN, UNIT, ZERO, ceil_unit, floor_unit


class PerpetualAccount:
    """``base`` is negative when short. The entry price is only shown: profit is counted from what
    opening the position has cost, to the last digit.
    """

    def __init__(self, margin: Decimal, costs: VenueCosts, flows: Flows) -> None:
        self.market: VenueMarket | None = (
            None  # whose fair price is the mark, whose orders need margin
        )
        self.leverage = costs.leverage
        self.base = ZERO
        self._margin = margin
        self._cost = ZERO
        self._costs = costs
        self._flows = flows

    @property
    def equity(self) -> Decimal:
        return self._margin + self._unrealised

    @property
    def short_of_margin(self) -> bool:
        return bool(self.base) and self.equity < self._notional * self._costs.maintenance

    def shown(self, funding_at: int) -> Perpetual:
        entry = (self._cost / self.base).quantize(UNIT) if self.base else ZERO
        return Perpetual(
            base=self.base,
            entry_price=entry,
            mark_price=self._mark,
            unrealised=self._unrealised,
            margin=self._margin,
            leverage=Decimal(self.leverage),
            funding_rate=self._costs.funding_rate,
            funding_at=funding_at,
            liquidation_price=self._liquidation_price(),
            maintenance=self._costs.maintenance if self.base else None,  # told with a position
        )

    def _liquidation_price(self) -> Decimal | None:
        """The mark at which the margin no longer covers the maintenance; None when none does.

        Eight decimals, to the nearest: as the exchange states it.
        """
        if not self.base:
            return None
        slope = self._costs.maintenance * abs(self.base) - self.base
        price = ((self._margin - self._cost) / slope).quantize(UNIT)
        return price if price > 0 else None

    def beyond(self, price: Decimal) -> Decimal:
        """What the position is worth in quote beyond its base at ``price``: the basis."""
        return self.base * (self._mark - price)

    def refusal(self, order: OrderIntent, instrument: Instrument) -> str:
        if order.reduce_only:
            return "" if self.base * SIGN[order.side] < 0 else REDUCE_ONLY_REJECTED
        used = self._initial_margin(self.leverage)
        more = self._initial_margin(self.leverage, order) - used
        return MARGIN_INSUFFICIENT if more > 0 and self.equity - used < more else ""

    def room(self, order: OrderIntent) -> Decimal:
        left = order.amount - order.filled
        if not order.reduce_only:
            return left
        return min(left, abs(self.base)) if self.base * SIGN[order.side] < 0 else ZERO

    def settle(
        self, order: OrderIntent, instrument: Instrument, fill: Fill, fee: Decimal
    ) -> OrderIntent:
        paid = self.trade(order.side, fill, fee, KIND_OF[order.purpose])
        after = filled(order, fill)
        return replace(after, fee_quote=after.fee_quote + paid)

    def trade(self, side: Side, fill: Fill, fee: Decimal, kind: Kind) -> Decimal:
        """Change the position; what closing it earns goes to the margin. Returns the fee paid."""
        signed, paid = fill.amount * SIGN[side], fill.value * SIGN[side]
        before = self._cost
        if self.base * signed >= 0:
            self._cost += paid
        elif fill.amount < abs(self.base):
            self._cost -= floor_unit(self._cost * fill.amount / abs(self.base))
        else:  # closed, and what is left over opens the other way
            over = fill.amount - abs(self.base)
            self._cost = floor_unit(paid * over / fill.amount)
        self.base += signed
        self._margin += self._cost - before - paid
        self._flows.add(kind, base=signed, quote=-paid)
        charged = ceil_unit(fill.value * fee)
        self.pay(charged, "exchange_fee")
        return charged

    def pay(self, amount: Decimal, kind: Kind) -> None:
        """Out of the margin; negative: into it."""
        self._margin -= amount
        self._flows.add(kind, quote=-amount)

    def fund(self) -> None:
        """One interval's funding at the mark; longs pay a positive rate."""
        self.pay(floor_unit(self.base * self._mark * self._costs.funding_rate), "funding")

    def settle_liquidation(self, value: Decimal) -> None:
        """The fee on what was closed, from what is left; what is missing the exchange's insurance
        pays.
        """
        fee = ceil_unit(value * self._costs.liquidation_fee)
        self.pay(min(fee, max(self._margin, ZERO)), "exchange_fee")
        if self._margin < 0:
            self.pay(self._margin, "hedge")

    def covers(self, leverage: int) -> bool:
        """Whether the margin is enough for position and orders at another leverage."""
        return self.equity >= self._initial_margin(leverage)

    @property
    def _mark(self) -> Decimal:
        return self.market.house.fair if self.market is not None else ZERO

    @property
    def _unrealised(self) -> Decimal:
        return self.base * self._mark - self._cost

    @property
    def _notional(self) -> Decimal:
        return abs(self.base) * self._mark

    def _initial_margin(self, leverage: int, extra: OrderIntent | None = None) -> Decimal:
        """Of the larger position: with every open buy filled, or with every open sale."""
        if self.market is None:
            return ZERO
        waiting = dict.fromkeys(Side, ZERO)
        for order in (*self.market.resting.values(), *((extra,) if extra else ())):
            if not order.reduce_only:
                waiting[order.side] += (order.amount - order.filled) * order.price
        exposure = self.base * self._mark
        most = max(abs(exposure + waiting[Side.BUY]), abs(exposure - waiting[Side.SELL]))
        return ceil_unit(most / leverage)
