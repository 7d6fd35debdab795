"""SqrtPriceMath: amounts between two square-root prices, and prices after an amount.

Prices are Q64.96, amounts are smallest units. Each function says which way it rounds; the pool
is never the loser.
"""

from __future__ import annotations

from dexmm.uniswap.errors import (
    ArithmeticOverflow,
    LiquidityZero,
    OutputExceedsReserves,
    SqrtPriceZero,
)
from dexmm.uniswap.full_math import (
    MAX_UINT256,
    Q96,
    div_rounding_up,
    mul_div,
    mul_div_rounding_up,
    to_uint160,
)
from dexmm.units import SqrtPriceX96


def get_next_sqrt_price_from_amount0_rounding_up(
    sqrt_price_x96: int,
    liquidity: int,
    amount: int,
    add: bool,
) -> SqrtPriceX96:
    """The price after token0 is added to (or removed from) the reserves, rounded up.

    Up, because an exact output must move the price far enough to pay for itself, and an exact
    input must not move it so far that too much is sent out.
    """
    if amount == 0:
        return SqrtPriceX96(sqrt_price_x96)
    numerator = liquidity << 96
    product = amount * sqrt_price_x96
    if add:
        denominator = numerator + product
        if denominator <= MAX_UINT256:
            return SqrtPriceX96(mul_div_rounding_up(numerator, sqrt_price_x96, denominator))
        divisor = numerator // sqrt_price_x96 + amount
        if divisor > MAX_UINT256:
            raise ArithmeticOverflow(amount=amount, liquidity=liquidity)
        return SqrtPriceX96(div_rounding_up(numerator, divisor))
    if product > MAX_UINT256 or numerator <= product:
        raise OutputExceedsReserves(amount0=amount, liquidity=liquidity)
    price = mul_div_rounding_up(numerator, sqrt_price_x96, numerator - product)
    return SqrtPriceX96(to_uint160(price))


def get_next_sqrt_price_from_amount1_rounding_down(
    sqrt_price_x96: int,
    liquidity: int,
    amount: int,
    add: bool,
) -> SqrtPriceX96:
    """The price after token1 is added to (or removed from) the reserves, rounded down.

    Down, for the same two reasons seen from the other token.
    """
    if add:
        quotient = mul_div(amount, Q96, liquidity)
        return SqrtPriceX96(to_uint160(sqrt_price_x96 + quotient))
    quotient = mul_div_rounding_up(amount, Q96, liquidity)
    if sqrt_price_x96 <= quotient:
        raise OutputExceedsReserves(amount1=amount, liquidity=liquidity)
    return SqrtPriceX96(sqrt_price_x96 - quotient)


def get_next_sqrt_price_from_input(
    sqrt_price_x96: int,
    liquidity: int,
    amount_in: int,
    zero_for_one: bool,
) -> SqrtPriceX96:
    """The price after an input, rounded so that it never passes the price the input buys."""
    _require_price_and_liquidity(sqrt_price_x96, liquidity)
    if zero_for_one:
        return get_next_sqrt_price_from_amount0_rounding_up(
            sqrt_price_x96, liquidity, amount_in, add=True
        )
    return get_next_sqrt_price_from_amount1_rounding_down(
        sqrt_price_x96, liquidity, amount_in, add=True
    )


def get_next_sqrt_price_from_output(
    sqrt_price_x96: int,
    liquidity: int,
    amount_out: int,
    zero_for_one: bool,
) -> SqrtPriceX96:
    """The price after an output, rounded so that it always passes the price the output costs."""
    _require_price_and_liquidity(sqrt_price_x96, liquidity)
    if zero_for_one:
        return get_next_sqrt_price_from_amount1_rounding_down(
            sqrt_price_x96, liquidity, amount_out, add=False
        )
    return get_next_sqrt_price_from_amount0_rounding_up(
        sqrt_price_x96, liquidity, amount_out, add=False
    )


def get_amount0_delta(
    sqrt_ratio_a_x96: int,
    sqrt_ratio_b_x96: int,
    liquidity: int,
    round_up: bool,
) -> int:
    """Token0 between two prices: ``liquidity * (1 / sqrt(lower) - 1 / sqrt(upper))``."""
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    if lower <= 0:
        raise SqrtPriceZero(sqrt_ratio_x96=lower)
    numerator = liquidity << 96
    if round_up:
        return div_rounding_up(mul_div_rounding_up(numerator, upper - lower, upper), lower)
    return mul_div(numerator, upper - lower, upper) // lower


def get_amount1_delta(
    sqrt_ratio_a_x96: int,
    sqrt_ratio_b_x96: int,
    liquidity: int,
    round_up: bool,
) -> int:
    """Token1 between two prices: ``liquidity * (sqrt(upper) - sqrt(lower))``."""
    lower, upper = _ordered(sqrt_ratio_a_x96, sqrt_ratio_b_x96)
    if round_up:
        return mul_div_rounding_up(liquidity, upper - lower, Q96)
    return mul_div(liquidity, upper - lower, Q96)


def get_amount0_delta_signed(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity_delta: int
) -> int:
    """Token0 owed to the pool for a change of liquidity; negative when the pool pays.

    Adding rounds up (the minter loses), removing rounds toward zero (the burner loses).
    """
    if liquidity_delta < 0:
        return -get_amount0_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, -liquidity_delta, False)
    return get_amount0_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity_delta, True)


def get_amount1_delta_signed(
    sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity_delta: int
) -> int:
    """Token1 owed to the pool for a change of liquidity; negative when the pool pays.

    Adding rounds up (the minter loses), removing rounds toward zero (the burner loses).
    """
    if liquidity_delta < 0:
        return -get_amount1_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, -liquidity_delta, False)
    return get_amount1_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity_delta, True)


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (b, a) if a > b else (a, b)


def _require_price_and_liquidity(sqrt_price_x96: int, liquidity: int) -> None:
    if sqrt_price_x96 <= 0:
        raise SqrtPriceZero(sqrt_price_x96=sqrt_price_x96)
    if liquidity <= 0:
        raise LiquidityZero(liquidity=liquidity)
