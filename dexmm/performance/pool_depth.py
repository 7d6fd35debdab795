"""How deep a pool is: what a trade must bring to move its price by so much, found exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.market import Market
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState
from dexmm.units import to_decimal

MORE_THAN_ANYBODY_HAS = 1 << 127
BP = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Whole tokens that trades bring in, fees included."""

    move_bp: int
    quote_up: Decimal  # quote that buys until the price is higher by ``move_bp``
    base_down: Decimal  # base that sells until it is lower by ``move_bp``


def measure_depth(state: PoolState, market: Market, price: Decimal, move_bp: int) -> Depth:
    """Swaps on a copy of the whole pool until its price has moved; nothing rounded."""
    step = Decimal(move_bp) / BP
    return Depth(
        move_bp=move_bp,
        quote_up=to_decimal(_brought(state, market, price * (1 + step)), market.quote.decimals),
        base_down=to_decimal(_brought(state, market, price * (1 - step)), market.base.decimals),
    )


def _brought(state: PoolState, market: Market, price: Decimal) -> int:
    """Smallest units of the token that moves the pool to ``price``."""
    limit = market.sqrt_price_x96(price)
    zero_for_one = limit < state.sqrt_price_x96
    amounts = Pool.from_state(state, 0).swap(zero_for_one, MORE_THAN_ANYBODY_HAS, limit)
    return max(amounts)
