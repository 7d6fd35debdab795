"""The honest yardstick: the same inventory without liquidity, kept at its target share. Pure.

Whenever the share is further than ``step`` from the target, base is traded back to it at the fair
price and ``cost`` of what is traded. Who keeps a target sells what rises and buys what falls, and
in a trend ends below a holder whatever else it does; so a maker's net against holding is

    net = (net against the rebalanced inventory) + (rebalanced - holding)

of which only the first says how the market was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal, localcontext

from dexmm.performance.attribution import Mark, Source
from dexmm.units import EXACT, PRICE

ZERO, ONE = Decimal(0), Decimal(1)
STEP = Decimal("0.01")  # of the share
HALF_SPREAD = Decimal("0.0001")  # of the price: what a liquid exchange asks beside its fee
PIPS = Decimal(1_000_000)
TRADE_UNIT = Decimal("0.00000001")  # of base: finer than any exchange's step
MONEY_UNIT = Decimal("0.000001")  # of quote; what is rounded is lost to the trader


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalancing:
    """``target`` and ``step`` are of the share, ``cost`` of what is traded; 0 to 1."""

    target: Decimal
    cost: Decimal
    step: Decimal = STEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Base bought (negative: sold) and quote received for it (negative: paid), costs included."""

    base: Decimal
    quote: Decimal
    share: Decimal  # before it


def market_cost(fee_pips: int) -> Decimal:
    """What trading costs in a market with a pool of this fee, as a part of what is traded."""
    return PRICE.add(PRICE.divide(Decimal(fee_pips), PIPS), HALF_SPREAD)


class Keeper:
    """Base and quote, traded back to the target share when they have strayed from it."""

    def __init__(self, base: Decimal, quote: Decimal, terms: Rebalancing) -> None:
        self.base, self.quote = base, quote
        self._terms = terms
        self._near = self._bounds()

    def add(self, base: Decimal, quote: Decimal) -> None:
        """A deposit, or with its sign turned a withdrawal."""
        with localcontext(EXACT):
            self.base, self.quote = self.base + base, self.quote + quote
        self._near = self._bounds()

    def worth(self, fair: Decimal) -> Decimal:
        with localcontext(EXACT):
            return self.base * fair + self.quote

    def trade(self, fair: Decimal) -> Trade | None:
        """Made at once where the share has strayed at this price; None where it has not."""
        if self._near is not None and self._near[0] <= fair <= self._near[1]:
            return None
        terms = self._terms
        with localcontext(PRICE):
            worth = self.base * fair + self.quote
            if worth <= 0:
                return None
            share = self.base * fair / worth
            if abs(share - terms.target) <= terms.step:
                return None
            bought = (terms.target * worth / fair - self.base).quantize(TRADE_UNIT, ROUND_DOWN)
            price = fair * (1 + terms.cost if bought > 0 else 1 - terms.cost)
            paid = (-bought * price).quantize(MONEY_UNIT, ROUND_FLOOR)
        with localcontext(EXACT):
            self.base, self.quote = self.base + bought, self.quote + paid
        self._near = self._bounds()
        return Trade(base=bought, quote=paid, share=share)

    def _bounds(self) -> tuple[Decimal, Decimal] | None:
        """Prices between which nothing has strayed, a hair inside; None where none is sure."""
        low, high = self._terms.target - self._terms.step, self._terms.target + self._terms.step
        if self.base <= 0 or self.quote <= 0 or low <= 0 or high >= 1:
            return None
        with localcontext(PRICE):
            each = self.quote / self.base
            hair = 1 + Decimal("1e-20")
            return low / (1 - low) * each * hair, high / (1 - high) * each / hair


def rebalanced_net(marks: Sequence[Mark], terms: Rebalancing) -> Decimal:
    """What rebalancing brings against holding from the first mark to the last, in quote.

    It looks at every mark and starts with the first one's inventory, which it does not trade; a
    deposit or withdrawal is its own too.
    """
    if not marks:
        return ZERO
    first, last = marks[0], marks[-1]
    keeper = Keeper(first.base, first.quote, terms)
    held_base, held_quote = first.base, first.quote
    for mark in marks[1:]:
        for flow in mark.flows:
            if flow.source is Source.CAPITAL:
                keeper.add(flow.base, flow.quote)
                with localcontext(EXACT):
                    held_base, held_quote = held_base + flow.base, held_quote + flow.quote
        keeper.trade(mark.fair_price)
    with localcontext(EXACT):
        return keeper.worth(last.fair_price) - (held_base * last.fair_price + held_quote)
