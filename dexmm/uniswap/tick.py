"""Tick: what the pool keeps for each tick that positions reference, and growth between two."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dexmm.uniswap.errors import ArithmeticOverflow, TickLiquidityExceeded
from dexmm.uniswap.full_math import MAX_INT128, MAX_UINT128, MAX_UINT256
from dexmm.uniswap.liquidity_math import add_delta
from dexmm.uniswap.tick_math import MAX_TICK
from dexmm.units import Liquidity


@dataclass(frozen=True, slots=True)
class TickInfo:
    """One tick as the contract stores it.

    "Outside" is the side of the tick where the price is not. Only differences of outside values
    mean anything: where they start depends on when the tick was first used.
    """

    liquidity_gross: int = 0
    liquidity_net: int = 0
    fee_growth_outside0_x128: int = 0
    fee_growth_outside1_x128: int = 0
    tick_cumulative_outside: int = 0
    seconds_per_liquidity_outside_x128: int = 0
    seconds_outside: int = 0


EMPTY_TICK = TickInfo()


@dataclass(frozen=True, slots=True)
class Growth:
    """The pool-wide accumulators at one moment: what a tick starts from and is crossed against."""

    fee_growth_global0_x128: int
    fee_growth_global1_x128: int
    tick_cumulative: int
    seconds_per_liquidity_cumulative_x128: int
    time: int


def update(
    info: TickInfo,
    tick: int,
    tick_current: int,
    liquidity_delta: int,
    growth: Growth,
    upper: bool,
    max_liquidity: int,
) -> TickInfo:
    """The tick after a position that ends there changed. Reverts LS, LA, LO.

    By convention all growth before a tick is first used happened below it.
    """
    gross = add_delta(info.liquidity_gross, liquidity_delta)
    if gross > max_liquidity:
        raise TickLiquidityExceeded(tick=tick, liquidity_gross=gross, most=max_liquidity)
    net = info.liquidity_net + (-liquidity_delta if upper else liquidity_delta)
    if not -MAX_INT128 - 1 <= net <= MAX_INT128:
        raise ArithmeticOverflow(tick=tick, liquidity_net=net)
    if info.liquidity_gross == 0 and tick <= tick_current:
        return TickInfo(
            gross,
            net,
            growth.fee_growth_global0_x128,
            growth.fee_growth_global1_x128,
            growth.tick_cumulative,
            growth.seconds_per_liquidity_cumulative_x128,
            growth.time,
        )
    return replace(info, liquidity_gross=gross, liquidity_net=net)


def tick_spacing_to_max_liquidity_per_tick(tick_spacing: int) -> Liquidity:
    """The liquidity one tick may reference so that all ticks together fit 128 bits."""
    ticks_each_side = MAX_TICK // tick_spacing
    return Liquidity(MAX_UINT128 // (2 * ticks_each_side + 1))


def get_fee_growth_inside(
    lower: TickInfo,
    upper: TickInfo,
    tick_lower: int,
    tick_upper: int,
    tick_current: int,
    fee_growth_global0_x128: int,
    fee_growth_global1_x128: int,
) -> tuple[int, int]:
    """All fees ever earned per unit of liquidity between two ticks, Q128.128 modulo 2**256.

    Only the difference of two readings means anything; it may wrap.
    """
    return (
        _inside(
            lower.fee_growth_outside0_x128,
            upper.fee_growth_outside0_x128,
            fee_growth_global0_x128,
            tick_current >= tick_lower,
            tick_current < tick_upper,
        ),
        _inside(
            lower.fee_growth_outside1_x128,
            upper.fee_growth_outside1_x128,
            fee_growth_global1_x128,
            tick_current >= tick_lower,
            tick_current < tick_upper,
        ),
    )


def _inside(
    outside_lower: int, outside_upper: int, total: int, above_lower: bool, below_upper: bool
) -> int:
    below = outside_lower if above_lower else total - outside_lower
    above = outside_upper if below_upper else total - outside_upper
    return (total - below - above) & MAX_UINT256
