"""The fair price: what the inventory is valued at.

The median of the sources that one block cannot move: the pool's own time-weighted average and
every reference that is fresh. When they are even in number, the pool's price of this moment
breaks the tie, which it can only do between the two in the middle; with no source at all it is
the only price there is, and the guards let nothing be done on it.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.market import Market, Reference
from dexmm.model.snapshot import ChainView
from dexmm.strategy.precise import LN_TICK, precise
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import PRICE

HALF_TICK = PRICE.exp(PRICE.divide(LN_TICK, Decimal(2)))


@precise
def fair_price(view: ChainView) -> Decimal:
    """Quote per base."""
    prices = [ref.price for ref in view.references if ref.price is not None and fresh(ref, view)]
    if view.pool.mean_tick is not None:
        prices.append(mean_price(view.market, view.pool.mean_tick))
    if len(prices) % 2 == 0:
        prices.append(view.market.price(view.pool.sqrt_price_x96))
    return sorted(prices)[len(prices) // 2]


def mean_price(market: Market, mean_tick: int) -> Decimal:
    """The price of a mean tick, taken in the middle of the tick.

    A tick is the floor of a price, so its own ratio is always too low; and what is too low for
    the pool is too high for people where the base is token1.
    """
    at_tick = market.price(get_sqrt_ratio_at_tick(mean_tick))
    return at_tick * HALF_TICK if market.base_is_token0 else at_tick / HALF_TICK


def fresh(reference: Reference, view: ChainView) -> bool:
    """Whether a reference has spoken within its heartbeat."""
    return view.block.timestamp - reference.updated_at <= reference.heartbeat_seconds
