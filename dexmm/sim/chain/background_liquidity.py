"""Other people's liquidity: what a pool looks like before we come.

A world that people trade in has as much of it as its flow pays for (``sim/agents/pay_ratio.py``),
and it stays in range wherever the price goes: half over all prices in one position, the other half
in ranges that lie side by side from the first price to the last. So the price crosses initialised
ticks as it moves, the positions belong to different people, and yet the liquidity in range is the
same at every price. Nobody need follow the price with it, and a long run meets the same pool as its
parts do. How much is locked does not matter: fees and losses go by what is in range.

``background`` is a pool for chains that nobody trades on.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dexmm.uniswap.liquidity_amounts import get_liquidity_for_amount1
from dexmm.uniswap.sqrt_price_math import get_amount0_delta, get_amount1_delta
from dexmm.uniswap.tick_math import (
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
    max_usable_tick,
    min_usable_tick,
)
from dexmm.units import Q96


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One owner's liquidity: worth ``value`` quote units over ``width_bp`` each way.

    ``width_bp`` None is the full range. Value is counted in token1, whole tokens.
    """

    owner: str
    value: Decimal
    width_bp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """One owner's liquidity between two distances from the price, in basis points of it.

    None is as far as prices go.
    """

    owner: str
    liquidity: int  # of the pool's own
    lower_bp: int | None
    upper_bp: int | None


EDGES_BP = (None, -800, -250, 250, 800, None)


def others(liquidity: int) -> tuple[Stake, ...]:
    """``liquidity`` in range at every price, by six people."""
    half = liquidity // 2
    return (
        Stake(owner="full range", liquidity=liquidity - half, lower_bp=None, upper_bp=None),
        *(
            Stake(owner=f"neighbour {number}", liquidity=half, lower_bp=lower, upper_bp=upper)
            for number, (lower, upper) in enumerate(pairwise(EDGES_BP), start=1)
        ),
    )


def background(
    *,
    full_range: Decimal = Decimal(100_000),
    wide: Decimal = Decimal(300_000),
    concentrated: Decimal = Decimal(150_000),
) -> tuple[Layer, ...]:
    """A thin pool's liquidity, in whole quote tokens: a floor, three wide ranges, two narrow ones.

    Ranges overlap and belong to different people, so the price crosses initialised ticks as it
    moves and the product's own liquidity is never alone.
    """
    return (
        Layer(owner="full range", value=full_range, width_bp=None),
        Layer(owner="wide 1", value=wide / 2, width_bp=3000),
        Layer(owner="wide 2", value=wide / 4, width_bp=1500),
        Layer(owner="wide 3", value=wide / 4, width_bp=800),
        Layer(owner="narrow 1", value=concentrated / 2, width_bp=250),
        Layer(owner="narrow 2", value=concentrated / 2, width_bp=120),
    )


def layer_ticks(sqrt_price_x96: int, tick_spacing: int, width_bp: int | None) -> tuple[int, int]:
    """The range of a layer around a price, on the grid."""
    if width_bp is None:
        return min_usable_tick(tick_spacing), max_usable_tick(tick_spacing)
    lower, upper = (_edge(sqrt_price_x96, tick_spacing, sign * width_bp) for sign in (-1, 1))
    return lower, max(upper, lower + tick_spacing)


def stake_ticks(sqrt_price_x96: int, tick_spacing: int, stake: Stake) -> tuple[int, int]:
    """The range of a stake, opened at this price, on the grid; empty where that is too coarse."""
    lower: int = min_usable_tick(tick_spacing)
    upper: int = max_usable_tick(tick_spacing)
    if stake.lower_bp is not None:
        lower = _edge(sqrt_price_x96, tick_spacing, stake.lower_bp)
    if stake.upper_bp is not None:
        upper = _edge(sqrt_price_x96, tick_spacing, stake.upper_bp)
    return lower, upper


def _edge(sqrt_price_x96: int, tick_spacing: int, distance_bp: int) -> int:
    """The tick on the grid at or below this distance from the price."""
    # sqrt(1 + w), in Q96 by way of ticks: other people's edges need no more precision.
    away = (Decimal(10_000 + distance_bp) / 10_000).sqrt()
    return get_tick_at_sqrt_ratio(int(sqrt_price_x96 * away)) // tick_spacing * tick_spacing


def amounts_of(sqrt_price_x96: int, lower: int, upper: int, liquidity: int) -> tuple[int, int]:
    """Both amounts, rounded up, that ``liquidity`` in a range takes."""
    sqrt_lower, sqrt_upper = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    here = min(max(sqrt_price_x96, sqrt_lower), sqrt_upper)
    return (
        get_amount0_delta(here, sqrt_upper, liquidity, True),
        get_amount1_delta(sqrt_lower, here, liquidity, True),
    )


def amounts_worth(sqrt_price_x96: int, lower: int, upper: int, units: int) -> tuple[int, int]:
    """Both amounts, rounded up, of a range position around the price worth ``units`` of token1."""
    sqrt_lower, sqrt_upper = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    # What liquidity L is worth, in token1, is linear in L: measure it on a large L.
    probe = get_liquidity_for_amount1(sqrt_lower, sqrt_price_x96, units)
    amount0 = get_amount0_delta(sqrt_price_x96, sqrt_upper, probe, True)
    amount1 = get_amount1_delta(sqrt_lower, sqrt_price_x96, probe, True)
    worth = amount1 + amount0 * sqrt_price_x96 * sqrt_price_x96 // (Q96 * Q96)
    return -(-amount0 * units // worth), -(-amount1 * units // worth)
