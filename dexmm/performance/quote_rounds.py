"""What quotes brought, round for round, against the fees that they paid. Pure.

A round is one unit of base bought and sold again by quotes. With the mean prices of both sides it
brought ``sold - bought`` and paid the fees of both; it breaks even at half of those fees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.model.order import OrderIntent, Purpose
from dexmm.model.venue import Side
from dexmm.units import PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Of one unit of base that went round; in quote."""

    base: Decimal  # that went round: the smaller of bought and sold
    brought: Decimal
    paid: Decimal

    @property
    def break_even(self) -> Decimal:
        """The half spread at which a round brings nothing."""
        return self.paid / 2


def rounds(orders: Iterable[OrderIntent]) -> Rounds | None:
    """Of all quotes that were filled; None until both sides were.

    Fees in a third coin count by what they were valued at when they were paid.
    """
    base, cost, fees = ({Side.BUY: Decimal(0), Side.SELL: Decimal(0)} for _ in range(3))
    with localcontext(PRICE):
        for order in orders:
            if order.purpose is not Purpose.QUOTE or not order.filled:
                continue
            base[order.side] += order.filled
            cost[order.side] += order.cost
            valued = sum((value for _, _, value in order.fee_valued), Decimal(0))
            price = order.cost / order.filled
            fees[order.side] += order.fee_quote + order.fee_base * price + valued
        if not all(base.values()):
            return None
        price_of = {side: cost[side] / base[side] for side in base}
        return Rounds(
            base=min(base.values()),
            brought=price_of[Side.SELL] - price_of[Side.BUY],
            paid=sum((fees[side] / base[side] for side in base), Decimal(0)),
        )
