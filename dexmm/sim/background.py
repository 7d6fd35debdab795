"""Other people's liquidity around a pool's price: what a thin pool looks like before we come."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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
    # sqrt(1 + w) and sqrt(1 - w), in Q96 by way of ticks: a layer's edges need no more precision.
    edges = [
        get_tick_at_sqrt_ratio(
            int(sqrt_price_x96 * (Decimal(10_000 + sign * width_bp) / 10_000).sqrt())
        )
        for sign in (-1, 1)
    ]
    lower, upper = (edge // tick_spacing * tick_spacing for edge in edges)
    return lower, max(upper, lower + tick_spacing)


def amounts_worth(sqrt_price_x96: int, lower: int, upper: int, units: int) -> tuple[int, int]:
    """Both amounts, rounded up, of a range position around the price worth ``units`` of token1."""
    sqrt_lower, sqrt_upper = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    # What liquidity L is worth, in token1, is linear in L: measure it on a large L.
    probe = get_liquidity_for_amount1(sqrt_lower, sqrt_price_x96, units)
    amount0 = get_amount0_delta(sqrt_price_x96, sqrt_upper, probe, True)
    amount1 = get_amount1_delta(sqrt_lower, sqrt_price_x96, probe, True)
    worth = amount1 + amount0 * sqrt_price_x96 * sqrt_price_x96 // (Q96 * Q96)
    return -(-amount0 * units // worth), -(-amount1 * units // worth)
