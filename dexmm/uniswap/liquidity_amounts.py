"""LiquidityAmounts (v3-periphery): liquidity for amounts, and amounts for liquidity.

Prices are Q64.96 in any order, amounts are smallest units. Liquidity for amounts rounds down:
the amounts are never exceeded. Amounts for liquidity come in two roundings: down is what a burn
pays (the periphery's functions), up is what a mint charges.
"""

from __future__ import annotations

from dexmm.uniswap.full_math import Q96, mul_div, to_uint128
from dexmm.uniswap.sqrt_price_math import get_amount0_delta, get_amount1_delta
from dexmm.units import Amount0, Amount1, Liquidity


def get_liquidity_for_amount0(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, amount0: int
) -> Liquidity:
    """The most liquidity that token0 alone can give over the range. Reverts beyond 128 bits."""
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    intermediate = mul_div(lower, upper, Q96)
    return Liquidity(to_uint128(mul_div(amount0, intermediate, upper - lower)))


def get_liquidity_for_amount1(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, amount1: int
) -> Liquidity:
    """The most liquidity that token1 alone can give over the range. Reverts beyond 128 bits."""
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    return Liquidity(to_uint128(mul_div(amount1, Q96, upper - lower)))


def get_liquidity_for_amounts(
    sqrt_ratio_x96: int,
    sqrt_ratio_a_x96: int,
    sqrt_ratio_b_x96: int,
    amount0: int,
    amount1: int,
) -> Liquidity:
    """The most liquidity both amounts can give over the range at the current price."""
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    if sqrt_ratio_x96 <= lower:
        return get_liquidity_for_amount0(lower, upper, amount0)
    if sqrt_ratio_x96 >= upper:
        return get_liquidity_for_amount1(lower, upper, amount1)
    return min(
        get_liquidity_for_amount0(sqrt_ratio_x96, upper, amount0),
        get_liquidity_for_amount1(lower, sqrt_ratio_x96, amount1),
    )


def get_amount0_for_liquidity(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int
) -> Amount0:
    """The token0 a burn over the whole range pays; rounds down."""
    return Amount0(get_amount0_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, False))


def get_amount1_for_liquidity(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int
) -> Amount1:
    """The token1 a burn over the whole range pays; rounds down."""
    return Amount1(get_amount1_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, False))


def get_amounts_for_liquidity(
    sqrt_ratio_x96: int, sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int
) -> tuple[Amount0, Amount1]:
    """What a burn at the current price pays; rounds down: whoever burns would lose."""
    return _amounts(sqrt_ratio_x96, sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, round_up=False)


def get_amounts_for_liquidity_rounding_up(
    sqrt_ratio_x96: int, sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int
) -> tuple[Amount0, Amount1]:
    """What a mint at the current price charges; rounds up: whoever mints would lose."""
    return _amounts(sqrt_ratio_x96, sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, round_up=True)


def _amounts(
    sqrt_ratio_x96: int,
    sqrt_ratio_a_x96: int,
    sqrt_ratio_b_x96: int,
    liquidity: int,
    *,
    round_up: bool,
) -> tuple[Amount0, Amount1]:
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    # Outside the range the nearer edge stands for the price, and one of the stretches is empty.
    price = min(max(sqrt_ratio_x96, lower), upper)
    return (
        Amount0(get_amount0_delta(price, upper, liquidity, round_up)),
        Amount1(get_amount1_delta(lower, price, liquidity, round_up)),
    )


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (b, a) if a > b else (a, b)
