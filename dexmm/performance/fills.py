"""What others traded with us: through our ranges and on the exchange. Pure.

A *fill* is a turn whose look found the pool's fees grown since the last one (others have traded
through a range of ours), or an order of ours on the exchange that was filled, in whole or in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.model.order import Purpose
from dexmm.performance.attribution import Source
from dexmm.performance.track.track import Track
from dexmm.units import PRICE

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Money in quote at the fair price of its moment."""

    pool: int  # turns that found fees grown
    pool_fees: Decimal
    pool_volume: Decimal | None  # traded against our liquidity, from its fees; None: rate unknown
    exchange: int  # orders
    quotes: int  # of these, resting quotes
    bought_base: Decimal
    sold_base: Decimal
    exchange_volume: Decimal

    @property
    def all(self) -> int:
        return self.pool + self.exchange


def filled(track: Track) -> Filled:
    orders = [order for order in track.orders if order.filled]
    own = f"{track.base}/{track.quote}"
    here = [order for order in orders if order.symbol.partition(":")[0] == own]
    turns, fees = 0, ZERO
    with localcontext(PRICE):
        for mark in track.marks:
            earned = sum(
                (f.base * mark.fair_price + f.quote for f in mark.flows if f.source is Source.FEES),
                ZERO,
            )
            turns += earned > 0
            fees += earned
        return Filled(
            pool=turns,
            pool_fees=fees,
            pool_volume=fees / track.fee_rate if track.fee_rate else None,
            exchange=len(orders),
            quotes=sum(order.purpose is Purpose.QUOTE for order in orders),
            bought_base=sum((o.filled for o in here if o.side == "buy"), ZERO),
            sold_base=sum((o.filled for o in here if o.side == "sell"), ZERO),
            exchange_volume=sum((o.cost for o in here), ZERO),
        )
