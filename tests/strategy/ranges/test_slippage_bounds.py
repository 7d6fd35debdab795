from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.strategy.ranges.slippage_bounds import corridor, mint_minimums, removal_minimums
from dexmm.uniswap.liquidity_amounts import (
    get_amounts_for_liquidity,
    get_amounts_for_liquidity_rounding_up,
    get_liquidity_for_amounts,
)
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import Q96

PRICE = get_sqrt_ratio_at_tick(-193_380)
LOWER, UPPER = -193_680, -193_080
BP = Decimal(50)
LIQUIDITY = 10**16


def moved(basis_points: str) -> int:
    """The price this much further, as a square root."""
    return int(PRICE * (1 + Decimal(basis_points) / 10_000).sqrt())


def test_the_corridor_is_one_of_prices() -> None:
    low, high = corridor(PRICE, BP)
    at = Decimal(PRICE) ** 2
    assert abs(Decimal(low) ** 2 / at - Decimal("0.995")) < Decimal("1e-12")
    assert abs(Decimal(high) ** 2 / at - 1 / Decimal("0.995")) < Decimal("1e-12")


def test_the_corridor_of_a_mirrored_price_is_the_mirrored_corridor() -> None:
    low, high = corridor(PRICE, BP)
    mirrored_low, mirrored_high = corridor(Q96 * Q96 // PRICE, BP)
    assert abs(Q96 * Q96 // low - mirrored_high) * 10**12 < mirrored_high
    assert abs(Q96 * Q96 // high - mirrored_low) * 10**12 < mirrored_low


def paid(price: int, lower: int = LOWER, upper: int = UPPER) -> tuple[int, int]:
    return get_amounts_for_liquidity(
        price, get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper), LIQUIDITY
    )


def test_a_removal_passes_inside_the_corridor_and_not_beyond_it() -> None:
    least = removal_minimums(PRICE, LOWER, UPPER, LIQUIDITY, BP)
    for shift in ("-49.9", "-10", "0", "10", "50"):
        assert all(a >= b for a, b in zip(paid(moved(shift)), least, strict=True)), shift
    for shift in ("-50.5", "51"):
        assert any(a < b for a, b in zip(paid(moved(shift)), least, strict=True)), shift


def test_a_percentage_of_each_amount_would_have_refused_an_ordinary_move() -> None:
    now, later = paid(PRICE), paid(moved("20"))
    assert later[0] < now[0] * 0.995  # 50 bp of the amount: gone with 20 bp of price


def test_a_range_out_of_the_market_pays_all_but_nothing_of_the_other_token() -> None:
    below = removal_minimums(PRICE, LOWER - 5000, LOWER - 4000, LIQUIDITY, BP)
    assert below == (0, paid(PRICE, LOWER - 5000, LOWER - 4000)[1])
    assert below[1] > 0


def consumed(price: int, desired: tuple[int, int], lower: int, upper: int) -> tuple[int, int]:
    ends = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    liquidity = get_liquidity_for_amounts(price, *ends, *desired)
    return get_amounts_for_liquidity_rounding_up(price, *ends, liquidity)


def test_a_mint_passes_inside_the_corridor_and_not_beyond_it() -> None:
    desired = consumed(PRICE, (10**30, 10**30), LOWER, UPPER)
    least = mint_minimums(PRICE, (LOWER, UPPER), desired, BP)
    for shift in ("-49", "-10", "0", "10", "49"):
        used = consumed(moved(shift), desired, LOWER, UPPER)
        assert all(a >= b for a, b in zip(used, least, strict=True)), shift
    for shift in ("-52", "52"):
        used = consumed(moved(shift), desired, LOWER, UPPER)
        assert any(a < b for a, b in zip(used, least, strict=True)), shift


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_range_around_the_price_always_demands_something_of_both(below: int, above: int) -> None:
    price = get_sqrt_ratio_at_tick(0) + 10**20
    desired = (10**18, 10**18)
    least = mint_minimums(price, (-below, above), desired, Decimal(500))
    assert min(least) > 0
