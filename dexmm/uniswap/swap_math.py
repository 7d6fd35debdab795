"""SwapMath: one step of a swap, within one stretch of constant liquidity."""

from __future__ import annotations

from typing import NamedTuple

from dexmm.uniswap.full_math import mul_div, mul_div_rounding_up
from dexmm.uniswap.sqrt_price_math import (
    get_amount0_delta,
    get_amount1_delta,
    get_next_sqrt_price_from_input,
    get_next_sqrt_price_from_output,
)
from dexmm.units import SqrtPriceX96

FEE_DENOMINATOR = 1_000_000


class SwapStep(NamedTuple):
    """What one step did; amounts in smallest units, the fee in the input token."""

    sqrt_ratio_next_x96: SqrtPriceX96
    amount_in: int
    amount_out: int
    fee_amount: int


def compute_swap_step(
    sqrt_ratio_current_x96: int,
    sqrt_ratio_target_x96: int,
    liquidity: int,
    amount_remaining: int,
    fee_pips: int,
) -> SwapStep:
    """Swap toward a target price until it or the amount is reached.

    ``amount_remaining`` is positive for an exact input (the fee is taken out of it), negative
    for an exact output. The input rounds up, the output down, and input plus fee never exceed
    an exact input: when the target is not reached, what remains of the input is the fee.
    """
    zero_for_one = sqrt_ratio_current_x96 >= sqrt_ratio_target_x96
    exact_in = amount_remaining >= 0
    if exact_in:
        next_x96 = _next_from_input(
            sqrt_ratio_current_x96,
            sqrt_ratio_target_x96,
            liquidity,
            mul_div(amount_remaining, FEE_DENOMINATOR - fee_pips, FEE_DENOMINATOR),
            zero_for_one,
        )
    else:
        next_x96 = _next_from_output(
            sqrt_ratio_current_x96,
            sqrt_ratio_target_x96,
            liquidity,
            -amount_remaining,
            zero_for_one,
        )
    amount_in = _amount_in(sqrt_ratio_current_x96, next_x96, liquidity, zero_for_one)
    amount_out = _amount_out(sqrt_ratio_current_x96, next_x96, liquidity, zero_for_one)
    if not exact_in:
        amount_out = min(amount_out, -amount_remaining)
    if exact_in and next_x96 != sqrt_ratio_target_x96:
        fee_amount = amount_remaining - amount_in
    else:
        fee_amount = mul_div_rounding_up(amount_in, fee_pips, FEE_DENOMINATOR - fee_pips)
    return SwapStep(SqrtPriceX96(next_x96), amount_in, amount_out, fee_amount)


def _next_from_input(
    current_x96: int, target_x96: int, liquidity: int, amount: int, zero_for_one: bool
) -> int:
    if amount >= _amount_in(current_x96, target_x96, liquidity, zero_for_one):
        return target_x96
    return get_next_sqrt_price_from_input(current_x96, liquidity, amount, zero_for_one)


def _next_from_output(
    current_x96: int, target_x96: int, liquidity: int, amount: int, zero_for_one: bool
) -> int:
    if amount >= _amount_out(current_x96, target_x96, liquidity, zero_for_one):
        return target_x96
    return get_next_sqrt_price_from_output(current_x96, liquidity, amount, zero_for_one)


def _amount_in(current_x96: int, next_x96: int, liquidity: int, zero_for_one: bool) -> int:
    amount_delta = get_amount0_delta if zero_for_one else get_amount1_delta
    return amount_delta(current_x96, next_x96, liquidity, True)


def _amount_out(current_x96: int, next_x96: int, liquidity: int, zero_for_one: bool) -> int:
    amount_delta = get_amount1_delta if zero_for_one else get_amount0_delta
    return amount_delta(current_x96, next_x96, liquidity, False)
