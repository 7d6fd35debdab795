"""Truths of a few lines about the mathematics, in the manner of v3-core's Echidna tests."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dexmm.uniswap.full_math import mul_div, mul_div_rounding_up
from dexmm.uniswap.liquidity_amounts import (
    get_amounts_for_liquidity,
    get_amounts_for_liquidity_rounding_up,
    get_liquidity_for_amounts,
)
from dexmm.uniswap.oracle import mean_tick
from dexmm.uniswap.sqrt_price_math import (
    get_amount0_delta,
    get_amount1_delta,
    get_next_sqrt_price_from_input,
    get_next_sqrt_price_from_output,
)
from dexmm.uniswap.swap_math import compute_swap_step
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick

many = settings(max_examples=300, deadline=None, derandomize=True)
uint128 = st.integers(0, 128).flatmap(lambda bits: st.integers(0, (1 << bits) - 1))
amounts = st.integers(0, 110).flatmap(lambda bits: st.integers(0, (1 << bits) - 1))
liquidities = uint128.map(lambda liquidity: liquidity + 1)
prices = st.tuples(st.integers(MIN_TICK, MAX_TICK - 1), st.integers(0, 2**20)).map(
    lambda at: get_sqrt_ratio_at_tick(at[0]) + at[1]
)
fees = st.integers(0, 999_999)


@many
@given(uint128, uint128, liquidities)
def test_rounding_up_adds_one_exactly_when_there_is_a_remainder(a: int, b: int, d: int) -> None:
    assert mul_div_rounding_up(a, b, d) - mul_div(a, b, d) == (a * b % d > 0)


@many
@given(prices, prices, liquidities)
def test_rounding_up_an_amount_costs_less_than_two_units(a: int, b: int, liquidity: int) -> None:
    for delta in (get_amount0_delta, get_amount1_delta):
        assert 0 <= delta(a, b, liquidity, True) - delta(a, b, liquidity, False) < 2
        assert delta(a, b, liquidity, True) == delta(b, a, liquidity, True)


@many
@given(prices, liquidities, amounts, st.booleans())
def test_the_price_an_input_reaches_costs_no_more_than_the_input(
    price: int, liquidity: int, amount: int, zero_for_one: bool
) -> None:
    assume(zero_for_one or price + (amount << 96) // liquidity < 2**160)
    after = get_next_sqrt_price_from_input(price, liquidity, amount, zero_for_one)
    if zero_for_one:
        assert after <= price
        assert get_amount0_delta(after, price, liquidity, True) <= amount
    else:
        assert after >= price
        assert get_amount1_delta(price, after, liquidity, True) <= amount


@many
@given(prices, liquidities, amounts, st.booleans())
def test_the_price_an_output_reaches_pays_at_least_the_output(
    price: int, liquidity: int, amount: int, zero_for_one: bool
) -> None:
    if zero_for_one:
        assume(price > -(-(amount << 96) // liquidity))
    else:
        assume(amount * price < liquidity << 96)
        assume(price * (liquidity << 96) // ((liquidity << 96) - amount * price) < 2**159)
    after = get_next_sqrt_price_from_output(price, liquidity, amount, zero_for_one)
    delta = get_amount1_delta if zero_for_one else get_amount0_delta
    assert delta(price, after, liquidity, False) >= amount


@many
@given(prices, prices, uint128, amounts.map(lambda n: n + 1), st.booleans(), fees)
def test_a_step_never_takes_more_nor_gives_more_than_asked(
    current: int, target: int, liquidity: int, amount: int, exact_in: bool, fee: int
) -> None:
    remaining = amount if exact_in else -amount
    after, taken, given_out, charged = compute_swap_step(current, target, liquidity, remaining, fee)
    assert min(current, target) <= after <= max(current, target)
    if exact_in:
        assert taken + charged <= amount
        assert after == target or taken + charged == amount
    else:
        assert given_out <= amount
        assert after == target or given_out == amount
    if after == current:
        assert taken == given_out == 0


ranges = st.tuples(st.integers(MIN_TICK, MAX_TICK - 1), st.integers(1, 100_000)).map(
    lambda at: (at[0], min(at[0] + at[1], MAX_TICK))
)


@many
@given(prices, ranges, amounts, amounts)
def test_liquidity_for_amounts_never_charges_more_than_the_amounts(
    price: int, ticks: tuple[int, int], amount0: int, amount1: int
) -> None:
    lower, upper = (get_sqrt_ratio_at_tick(tick) for tick in ticks)
    at = min(max(price, lower), upper)
    most0 = amount0 * (lower if price <= lower else at) * upper >> 96
    assume(price >= upper or most0 // (upper - min(at, upper - 1)) < 2**128)
    assume(price <= lower or (amount1 << 96) // (max(at, lower + 1) - lower) < 2**128)
    liquidity = get_liquidity_for_amounts(price, lower, upper, amount0, amount1)
    charged0, charged1 = get_amounts_for_liquidity_rounding_up(price, lower, upper, liquidity)
    assert charged0 <= amount0
    assert charged1 <= amount1
    paid0, paid1 = get_amounts_for_liquidity(price, lower, upper, liquidity)
    assert 0 <= charged0 - paid0 < 2
    assert 0 <= charged1 - paid1 < 2


@many
@given(st.integers(-887_272, 887_272), st.integers(2, 10**6), st.integers(-(2**40), 2**40))
def test_a_mean_tick_is_floored(tick: int, seconds: int, start: int) -> None:
    for odd in (0, 1, seconds - 1):
        assert mean_tick(start, start + tick * seconds + odd, seconds) == tick
    assert mean_tick(start, start + tick * seconds - 1, seconds) == tick - 1
