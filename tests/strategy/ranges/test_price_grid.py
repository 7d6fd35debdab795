from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import a_market

from dexmm.strategy.ranges.price_grid import Ladder, affordable, amounts_per_liquidity, whole
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

UP, DOWN = Ladder(1, 10), Ladder(-1, 10)


def test_rungs_rise_with_the_price_whatever_the_order_of_the_tokens() -> None:
    for ladder in (UP, DOWN):
        assert ladder.root_at(101) > ladder.root_at(100) > ladder.root_at(99)


def test_a_rung_is_a_tick_or_its_negative() -> None:
    assert UP.ticks(-20, 30) == (-20, 30)
    assert DOWN.ticks(-20, 30) == (-30, 20)
    assert DOWN.rungs(-30, 20) == (-20, 30)


@given(st.integers(-880_000, 880_000), st.sampled_from([1, 10, 60, 200]))
def test_down_and_up_are_mirror_images_on_the_grid(rung: int, spacing: int) -> None:
    ladder = Ladder(1, spacing)
    assert ladder.down(rung) % spacing == 0
    assert ladder.down(rung) == -ladder.up(-rung)
    assert ladder.down(rung) <= rung <= ladder.up(rung)
    assert ladder.up(rung) - ladder.down(rung) in (0, spacing)


def test_the_grid_ends_where_the_pool_ends() -> None:
    assert Ladder(1, 60).down(-887_272) == -887_220
    assert Ladder(1, 60).up(887_272) == 887_220


@given(st.integers(-600_000, 600_000), st.integers(1, 10**6))
def test_floor_and_ceiling_enclose_the_price(tick: int, beyond: int) -> None:
    at, above = get_sqrt_ratio_at_tick(tick), get_sqrt_ratio_at_tick(tick + 1)
    inside = at + (above - at) * beyond // (10**6 + 1)
    for ladder in (UP, DOWN):
        assert (ladder.floor(at), ladder.ceiling(at)) == (ladder.sign * tick,) * 2
        if at < inside:
            assert ladder.ceiling(inside) - ladder.floor(inside) == 1
            s = ladder.root(inside)
            assert (
                ladder.root_at(ladder.floor(inside)) <= s <= ladder.root_at(ladder.ceiling(inside))
            )


@given(st.decimals("0.5", "2", places=6))
@settings(max_examples=50)
def test_what_is_affordable_costs_no_more_than_there_is(s: Decimal) -> None:
    low, high = Decimal("0.8"), Decimal("1.3")
    liquidity = affordable(s, low, high, Decimal(1000), Decimal(900))
    base_each, quote_each = amounts_per_liquidity(s, low, high)
    tiny = Decimal("1e-20")
    assert base_each * liquidity <= 1000 + tiny
    assert quote_each * liquidity <= 900 + tiny
    assert max(1000 - base_each * liquidity, 0) * max(900 - quote_each * liquidity, 0) < tiny


@pytest.mark.parametrize(("amount", "expected"), [("1.9", 1), ("2", 2), ("0.99", 0)])
def test_liquidity_is_rounded_so_that_no_budget_is_exceeded(amount: str, expected: int) -> None:
    assert whole(Decimal(amount)) == expected


def test_amounts_are_told_by_their_role() -> None:
    assert Ladder.of(a_market()).base_quote(1, 2) == (1, 2)
    assert Ladder.of(a_market(base_is_token0=False)).base_quote(1, 2) == (2, 1)
