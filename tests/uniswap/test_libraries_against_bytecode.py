"""Each pure function against Uniswap's own library, compiled with Uniswap's compiler.

Hypothesis chooses the inputs, edges included; results are equal integers, and where the library
reverts so does the function, with the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector as selector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dexmm.uniswap import oracle
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.full_math import mul_div, mul_div_rounding_up
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity, get_liquidity_for_amounts
from dexmm.uniswap.liquidity_math import add_delta
from dexmm.uniswap.sqrt_price_math import (
    get_amount0_delta,
    get_amount0_delta_signed,
    get_amount1_delta,
    get_amount1_delta_signed,
    get_next_sqrt_price_from_amount0_rounding_up,
    get_next_sqrt_price_from_amount1_rounding_down,
    get_next_sqrt_price_from_input,
    get_next_sqrt_price_from_output,
)
from dexmm.uniswap.swap_math import compute_swap_step
from dexmm.uniswap.tick import tick_spacing_to_max_liquidity_per_tick
from dexmm.uniswap.tick_bitmap import next_initialized_tick_within_one_word
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)

Library = Callable[..., Any]

proof = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=(HealthCheck.function_scoped_fixture,),
)


def sized(bits: int) -> st.SearchStrategy[int]:
    """Unsigned numbers of every length up to ``bits``, and the two ends."""
    top = (1 << bits) - 1
    lengths = st.integers(0, bits).flatmap(lambda n: st.integers(0, (1 << n) - 1))
    return st.one_of(lengths, lengths.map(lambda n: top - n), st.sampled_from((0, 1, top)))


def signed(bits: int) -> st.SearchStrategy[int]:
    half = 1 << (bits - 1)
    small = sized(bits - 1)
    return st.one_of(small, small.map(lambda n: -n), st.sampled_from((-half, half - 1)))


prices = st.one_of(
    st.integers(MIN_TICK, MAX_TICK).map(get_sqrt_ratio_at_tick),
    st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO),
    sized(160),
)
liquidities = sized(128)
amounts = sized(256)
ticks = st.integers(MIN_TICK - 2, MAX_TICK + 2)


@pytest.fixture(scope="session")
def library(revm: Any) -> Library:
    """A library function by signature: its values, or the reason it reverts."""
    address = revm.deploy("LibraryHarness")
    harness = revm.deploy("PoolHarness")

    def call(signature: str, returns: list[str], *values: Any) -> Any:
        kinds = [kind for kind in signature.partition("(")[2][:-1].split(",") if kind]
        data = selector(signature) + encode(kinds, values)
        attempt = selector("attempt(address,bytes)") + encode(["address", "bytes"], [address, data])
        ok, answer = decode(["bool", "bytes"], revm.send(harness, attempt))
        if not ok:
            return decode(["string"], answer[4:])[0] if answer else ""
        result = decode(returns, answer)
        return result[0] if len(result) == 1 else result

    return call


def outcome(function: Callable[..., Any], *values: Any) -> Any:
    try:
        result = function(*values)
    except Revert as revert:
        return revert.reason
    return tuple(result) if isinstance(result, tuple) else result


@proof
@given(amounts, amounts, amounts)
def test_mul_div(library: Library, a: int, b: int, c: int) -> None:
    for name, function in (("mulDiv", mul_div), ("mulDivRoundingUp", mul_div_rounding_up)):
        chain = library(f"{name}(uint256,uint256,uint256)", ["uint256"], a, b, c)
        assert outcome(function, a, b, c) == chain


def test_mul_div_rounds_up_out_of_256_bits(library: Library) -> None:
    # The quotient fits and its rounding does not: from the specification of FullMath.
    values = (535006138814359, 432862656469423142931042426214547535783388063929571229938474969, 2)
    assert library("mulDivRoundingUp(uint256,uint256,uint256)", ["uint256"], *values) == ""
    assert outcome(mul_div_rounding_up, *values) == ""


@proof
@given(liquidities, signed(128))
def test_add_delta(library: Library, liquidity: int, delta: int) -> None:
    chain = library("addDelta(uint128,int128)", ["uint128"], liquidity, delta)
    assert outcome(add_delta, liquidity, delta) == chain


@proof
@given(ticks)
def test_get_sqrt_ratio_at_tick(library: Library, tick: int) -> None:
    chain = library("getSqrtRatioAtTick(int24)", ["uint160"], tick)
    assert outcome(get_sqrt_ratio_at_tick, tick) == chain


@proof
@given(st.one_of(prices, st.tuples(prices, st.integers(-2, 2)).map(lambda p: abs(p[0] + p[1]))))
def test_get_tick_at_sqrt_ratio(library: Library, price: int) -> None:
    price %= 1 << 160
    chain = library("getTickAtSqrtRatio(uint160)", ["int24"], price)
    assert outcome(get_tick_at_sqrt_ratio, price) == chain


@proof
@given(prices, liquidities, amounts, st.booleans())
def test_next_prices(library: Library, price: int, liquidity: int, amount: int, flag: bool) -> None:
    for name, function in (
        ("FromInput", get_next_sqrt_price_from_input),
        ("FromOutput", get_next_sqrt_price_from_output),
        ("FromAmount0RoundingUp", get_next_sqrt_price_from_amount0_rounding_up),
        ("FromAmount1RoundingDown", get_next_sqrt_price_from_amount1_rounding_down),
    ):
        if liquidity == 0 and "Amount" in name:
            continue  # callers exclude it, and the libraries' unchecked division then differs
        if price == 0 and "Amount0" in name:
            continue  # likewise
        signature = f"getNextSqrtPrice{name}(uint160,uint128,uint256,bool)"
        chain = library(signature, ["uint160"], price, liquidity, amount, flag)
        assert outcome(function, price, liquidity, amount, flag) == chain


@proof
@given(prices, prices, liquidities, st.booleans())
def test_amount_deltas(library: Library, a: int, b: int, liquidity: int, up: bool) -> None:
    for name, function in (
        ("getAmount0Delta", get_amount0_delta),
        ("getAmount1Delta", get_amount1_delta),
    ):
        chain = library(f"{name}(uint160,uint160,uint128,bool)", ["uint256"], a, b, liquidity, up)
        assert outcome(function, a, b, liquidity, up) == chain


@proof
@given(prices, prices, st.integers(-(2**127) + 1, 2**127 - 1))
def test_signed_amount_deltas(library: Library, a: int, b: int, delta: int) -> None:
    for name, function in (
        ("getAmount0DeltaSigned", get_amount0_delta_signed),
        ("getAmount1DeltaSigned", get_amount1_delta_signed),
    ):
        chain = library(f"{name}(uint160,uint160,int128)", ["int256"], a, b, delta)
        assert outcome(function, a, b, delta) == chain


near_or_far = st.one_of(signed(90), signed(256))


@settings(proof, max_examples=500)
@given(prices, prices, liquidities, near_or_far, st.integers(0, 999_999))
def test_compute_swap_step(
    library: Library, current: int, target: int, liquidity: int, amount: int, fee: int
) -> None:
    chain = library(
        "computeSwapStep(uint160,uint160,uint128,int256,uint24)",
        ["uint160", "uint256", "uint256", "uint256"],
        *(current, target, liquidity, amount, fee),
    )
    assert outcome(compute_swap_step, current, target, liquidity, amount, fee) == chain


@proof
@given(st.integers(1, 16_383))
def test_max_liquidity_per_tick(library: Library, tick_spacing: int) -> None:
    chain = library("tickSpacingToMaxLiquidityPerTick(int24)", ["uint128"], tick_spacing)
    assert tick_spacing_to_max_liquidity_per_tick(tick_spacing) == chain


@proof
@given(prices, prices, prices, sized(128), sized(128))
def test_liquidity_for_amounts(
    library: Library, price: int, a: int, b: int, amount0: int, amount1: int
) -> None:
    chain = library(
        "getLiquidityForAmounts(uint160,uint160,uint160,uint256,uint256)",
        ["uint128"],
        *(price, a, b, amount0, amount1),
    )
    assert outcome(get_liquidity_for_amounts, price, a, b, amount0, amount1) == chain


@proof
@given(prices.filter(bool), prices.filter(bool), prices.filter(bool), liquidities)
def test_amounts_for_liquidity(
    library: Library, price: int, a: int, b: int, liquidity: int
) -> None:
    chain = library(
        "getAmountsForLiquidity(uint160,uint160,uint160,uint128)",
        ["uint256", "uint256"],
        *(price, a, b, liquidity),
    )
    assert outcome(get_amounts_for_liquidity, price, a, b, liquidity) == chain


@proof
@given(sized(256), sized(256), st.integers(-300, 300), st.sampled_from((1, 10, 60)), st.booleans())
def test_next_initialized_tick(
    library: Library, below: int, above: int, at: int, tick_spacing: int, lte: bool
) -> None:
    words = {-1: below, 0: above}
    for word in words.items():
        assert library("setWord(int16,uint256)", [], *word) == ()
    for empty in (-2, 1):
        assert library("setWord(int16,uint256)", [], empty, 0) == ()
    tick = at * tick_spacing + at % 3
    chain = library(
        "nextInitializedTickWithinOneWord(int24,int24,bool)",
        ["int24", "bool"],
        *(tick, tick_spacing, lte),
    )
    assert next_initialized_tick_within_one_word(words, tick, tick_spacing, lte) == chain


@proof
@given(
    signed(56),
    st.integers(-887_272, 887_272),
    sized(160),
    st.integers(1, 2**32 - 1),
    st.integers(1, 2**128 - 1),
    st.integers(-5, 5),
)
def test_consult(
    library: Library, start: int, tick: int, per: int, seconds: int, liquidity: int, odd: int
) -> None:
    """The mean of a period with one tick, and a few tick-seconds besides, so that it rounds."""
    end = (start + tick * seconds + odd + 2**55) % 2**56 - 2**55
    after = (per + (seconds << 128) // liquidity) % 2**160
    signature = "setObservations(int56[2],uint160[2])"
    assert library(signature, [], (start, end), (per, after)) == ()
    chain = library("consult(uint32)", ["int24", "uint128"], seconds)

    def consult() -> tuple[int, int]:
        return (
            oracle.mean_tick(start, end, seconds),
            oracle.harmonic_mean_liquidity(per, after, seconds),
        )

    assert outcome(consult) == chain


def test_consult_of_no_time_reverts(library: Library) -> None:
    assert library("consult(uint32)", ["int24", "uint128"], 0) == "BP"
    assert outcome(oracle.mean_tick, 0, 1, 0) == "BP"
    assert outcome(oracle.harmonic_mean_liquidity, 0, 1, 0) == "BP"
