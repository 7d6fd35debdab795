"""TickMath: the specification's values, the textbook at sampled ticks, and every boundary."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.uniswap.errors import SqrtPriceOutOfBounds, TickOutOfBounds
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
    max_usable_tick,
    min_usable_tick,
)

FACTORS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
# The prices either side of every 256th tick, a word of the bitmap apart at spacing 1, and of a
# sample that no table size or word size divides.
SAMPLED = sorted({*range(-887_040, MAX_TICK, 256), *range(MIN_TICK, MAX_TICK, 977), 0, MAX_TICK})


def textbook(tick: int) -> int:
    """The contract's chain of multiplications, one for each set bit."""
    ratio = 1 << 128
    for bit, factor in enumerate(FACTORS):
        if abs(tick) >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (2**256 - 1) // ratio
    return (ratio >> 32) + (ratio % 2**32 > 0)


def test_ratios_are_the_textbook_s() -> None:
    for tick in SAMPLED:
        assert get_sqrt_ratio_at_tick(tick) == textbook(tick)


def test_a_tick_begins_exactly_at_its_ratio() -> None:
    for tick in SAMPLED:
        ratio = textbook(tick)
        if tick < MAX_TICK:
            assert get_tick_at_sqrt_ratio(ratio) == tick
        if tick > MIN_TICK:
            assert get_tick_at_sqrt_ratio(ratio - 1) == tick - 1


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1))
def test_the_tick_is_the_greatest_at_or_below_the_price(price: int) -> None:
    tick = get_tick_at_sqrt_ratio(price)
    assert textbook(tick) <= price < textbook(tick + 1)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(MIN_TICK, MAX_TICK - 1))
def test_ratios_increase(tick: int) -> None:
    assert MIN_SQRT_RATIO <= get_sqrt_ratio_at_tick(tick) < get_sqrt_ratio_at_tick(tick + 1)


def test_the_ends() -> None:
    assert get_sqrt_ratio_at_tick(MIN_TICK) == MIN_SQRT_RATIO
    assert get_sqrt_ratio_at_tick(MAX_TICK) == MAX_SQRT_RATIO
    assert get_tick_at_sqrt_ratio(MIN_SQRT_RATIO) == MIN_TICK
    assert get_tick_at_sqrt_ratio(MAX_SQRT_RATIO - 1) == MAX_TICK - 1


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_a_tick_out_of_bounds_reverts(tick: int) -> None:
    with pytest.raises(TickOutOfBounds) as caught:
        get_sqrt_ratio_at_tick(tick)
    assert caught.value.reason == "T"
    assert caught.value.facts == {"tick": tick}


@pytest.mark.parametrize("price", [0, MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO])
def test_a_price_out_of_bounds_reverts(price: int) -> None:
    with pytest.raises(SqrtPriceOutOfBounds) as caught:
        get_tick_at_sqrt_ratio(price)
    assert caught.value.reason == "R"


@pytest.mark.parametrize(("spacing", "last"), [(1, 887_272), (10, 887_270), (200, 887_200)])
def test_usable_ticks_are_the_outermost_on_the_grid(spacing: int, last: int) -> None:
    assert (min_usable_tick(spacing), max_usable_tick(spacing)) == (-last, last)


@pytest.mark.data
def test_the_specification_s_values(tick_math_values: dict[str, dict[str, Any]]) -> None:
    ratios = tick_math_values["getSqrtRatioAtTick"]
    ticks = tick_math_values["getTickAtSqrtRatio"]
    assert {t: str(get_sqrt_ratio_at_tick(int(t))) for t in ratios} == ratios
    assert {p: get_tick_at_sqrt_ratio(int(p)) for p in ticks} == ticks
    assert (len(ratios), len(ticks)) == (28, 13)
