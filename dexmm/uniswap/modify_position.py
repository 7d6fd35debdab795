"""Changing a position: everything that follows from adding or removing liquidity."""

from __future__ import annotations

from typing import NamedTuple

from dexmm.uniswap import errors
from dexmm.uniswap.liquidity_math import add_delta
from dexmm.uniswap.pool_state import PositionKey
from dexmm.uniswap.pool_storage import PoolStorage, check_ticks
from dexmm.uniswap.position import EMPTY_POSITION, PositionInfo
from dexmm.uniswap.position import update as update_position
from dexmm.uniswap.sqrt_price_math import get_amount0_delta_signed, get_amount1_delta_signed
from dexmm.uniswap.tick import TickInfo, get_fee_growth_inside
from dexmm.uniswap.tick import update as update_tick
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick


class Modification(NamedTuple):
    """A changed position, not yet committed."""

    key: PositionKey
    position: PositionInfo
    lower: TickInfo | None
    upper: TickInfo | None
    amount0: int
    amount1: int
    liquidity: int
    observed: bool


def modify_position(
    pool: PoolStorage, owner: str, tick_lower: int, tick_upper: int, liquidity_delta: int
) -> Modification:
    """What a change of liquidity leads to; the pool is left as it is.

    Amounts are what the pool is owed: rounded up when adding, toward zero when removing. Reverts
    TLU, TLM, TUM, LS, LA, LO, NP, and without a reason for ticks off the grid.
    """
    check_ticks(tick_lower, tick_upper)
    key = (owner, tick_lower, tick_upper)
    lower, upper = pool.ticks[tick_lower], pool.ticks[tick_upper]
    if liquidity_delta != 0:
        lower, upper = _updated_ticks(pool, key, lower, upper, liquidity_delta)
    position = update_position(
        pool.positions.get(key, EMPTY_POSITION),
        liquidity_delta,
        *get_fee_growth_inside(
            lower,
            upper,
            tick_lower,
            tick_upper,
            pool.tick,
            pool.fee_growth_global0_x128,
            pool.fee_growth_global1_x128,
        ),
    )
    if liquidity_delta == 0:
        return Modification(key, position, None, None, 0, 0, pool.liquidity, observed=False)
    price_lower = get_sqrt_ratio_at_tick(tick_lower)
    price_upper = get_sqrt_ratio_at_tick(tick_upper)
    amount0 = amount1 = 0
    liquidity = pool.liquidity
    in_range = tick_lower <= pool.tick < tick_upper
    if pool.tick < tick_lower:
        amount0 = get_amount0_delta_signed(price_lower, price_upper, liquidity_delta)
    elif in_range:
        price = pool.sqrt_price_x96
        amount0 = get_amount0_delta_signed(price, price_upper, liquidity_delta)
        amount1 = get_amount1_delta_signed(price_lower, price, liquidity_delta)
        liquidity = add_delta(liquidity, liquidity_delta)
    else:
        amount1 = get_amount1_delta_signed(price_lower, price_upper, liquidity_delta)
    return Modification(key, position, lower, upper, amount0, amount1, liquidity, in_range)


def _updated_ticks(
    pool: PoolStorage, key: PositionKey, lower: TickInfo, upper: TickInfo, liquidity_delta: int
) -> tuple[TickInfo, TickInfo]:
    _, tick_lower, tick_upper = key
    growth = pool.growth()
    most = pool.max_liquidity_per_tick
    updated_lower = update_tick(lower, tick_lower, pool.tick, liquidity_delta, growth, False, most)
    updated_upper = update_tick(upper, tick_upper, pool.tick, liquidity_delta, growth, True, most)
    for tick in (tick_lower, tick_upper):
        if tick % pool.tick_spacing:
            raise errors.TickOffGrid(tick=tick, tick_spacing=pool.tick_spacing)
    return updated_lower, updated_upper
