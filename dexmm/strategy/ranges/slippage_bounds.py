"""Minimum amounts from a corridor of prices, not from a percentage of each amount.

The two amounts of a range trade against each other as the price moves: half a per cent of price
can be a tenth of one leg. A percentage of each amount would either let a manipulation through or
refuse every ordinary move. So the corridor is one of prices, ``[P (1 - x), P / (1 - x)]``, and a
minimum is the least that the leg can be anywhere in it: token0 at its upper end, token1 at its
lower end. Inside the corridor nothing reverts; beyond it something does.
"""

from __future__ import annotations

from decimal import Decimal
from math import isqrt

from dexmm.uniswap.liquidity_amounts import (
    get_amounts_for_liquidity,
    get_liquidity_for_amounts,
)
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, get_sqrt_ratio_at_tick
from dexmm.units import Amount0, Amount1, SqrtPriceX96

_WHOLE = 1_000_000  # a hundredth of a basis point is the finest slippage


def corridor(sqrt_price_x96: int, slippage_bp: Decimal) -> tuple[SqrtPriceX96, SqrtPriceX96]:
    """The square-root prices ``slippage_bp`` of price away, below and above."""
    kept = max(_WHOLE - int(slippage_bp * 100), 1)
    low = isqrt(sqrt_price_x96 * sqrt_price_x96 * kept // _WHOLE)
    high = isqrt(sqrt_price_x96 * sqrt_price_x96 * _WHOLE // kept)
    return SqrtPriceX96(max(low, MIN_SQRT_RATIO)), SqrtPriceX96(min(high, MAX_SQRT_RATIO - 1))


def removal_minimums(
    sqrt_price_x96: int, tick_lower: int, tick_upper: int, liquidity: int, slippage_bp: Decimal
) -> tuple[Amount0, Amount1]:
    """The least that removing ``liquidity`` pays while the price stays in the corridor."""
    low, high = corridor(sqrt_price_x96, slippage_bp)
    lower, upper = get_sqrt_ratio_at_tick(tick_lower), get_sqrt_ratio_at_tick(tick_upper)
    amount0, _ = get_amounts_for_liquidity(high, lower, upper, liquidity)
    _, amount1 = get_amounts_for_liquidity(low, lower, upper, liquidity)
    return amount0, amount1


def mint_minimums(
    sqrt_price_x96: int,
    ticks: tuple[int, int],
    desired: tuple[int, int],
    slippage_bp: Decimal,
) -> tuple[Amount0, Amount1]:
    """The least that minting up to ``desired`` consumes while the price stays in the corridor.

    The corridor reaches at most half-way to the range's own edges, so that a range around the
    price always demands something of both tokens, however narrow it is.
    """
    low, high = corridor(sqrt_price_x96, slippage_bp)
    lower, upper = get_sqrt_ratio_at_tick(ticks[0]), get_sqrt_ratio_at_tick(ticks[1])
    if lower < sqrt_price_x96 < upper:
        low = SqrtPriceX96(max(low, (sqrt_price_x96 + lower) // 2))
        high = SqrtPriceX96(min(high, (sqrt_price_x96 + upper) // 2))

    def consumed(sqrt_x96: int) -> tuple[Amount0, Amount1]:
        liquidity = get_liquidity_for_amounts(sqrt_x96, lower, upper, *desired)
        return get_amounts_for_liquidity(sqrt_x96, lower, upper, liquidity)

    return consumed(high)[0], consumed(low)[1]
