"""Conversions are exact where they say so, and round toward whoever must not lose."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.units import (
    Q96,
    SqrtPriceX96,
    bp,
    price_from_sqrt,
    price_text,
    sqrt_from_price,
    sum_text,
    to_decimal,
    to_units_down,
    to_units_up,
)

UINT256 = st.integers(0, 2**256 - 1)
DECIMALS = st.integers(0, 24)
MIN_SQRT, MAX_SQRT = 4295128739, 1461446703485210103287273052203988822378723970342


@given(UINT256, DECIMALS)
def test_smallest_units_survive_the_round_trip(amount: int, decimals: int) -> None:
    whole = to_decimal(amount, decimals)
    assert to_units_down(whole, decimals) == to_units_up(whole, decimals) == amount


@given(st.decimals(min_value=0, max_value=10**30, allow_nan=False, places=40), DECIMALS)
def test_down_and_up_enclose_the_amount(amount: Decimal, decimals: int) -> None:
    down, up = to_units_down(amount, decimals), to_units_up(amount, decimals)
    assert to_decimal(down, decimals) <= amount <= to_decimal(up, decimals)
    assert up - down in (0, 1)


def test_amounts_round_toward_and_away_from_zero() -> None:
    assert to_units_down(Decimal("1.0000009"), 6) == 1_000_000
    assert to_units_up(Decimal("1.0000001"), 6) == 1_000_001
    assert to_units_down(Decimal("-1.0000009"), 6) == -1_000_000
    assert to_units_up(Decimal("-1.0000001"), 6) == -1_000_001


def test_a_maximum_allowance_keeps_all_its_digits() -> None:
    assert str(to_decimal(2**256 - 1, 18)).replace(".", "") == str(2**256 - 1)


@pytest.mark.parametrize(
    ("price", "sqrt_price_x96"),
    [
        # PAXG (18 decimals) is token0, USDT (6) token1: sqrt(4000e-12) * 2**96, rounded down
        (Decimal(4000), 5010828967500958623728276),
        (Decimal(1), 79228162514264337593543),
    ],
)
def test_known_prices(price: Decimal, sqrt_price_x96: int) -> None:
    assert sqrt_from_price(price, 18, 6, base_is_token0=True) == sqrt_price_x96
    back = price_from_sqrt(sqrt_price_x96, 18, 6, base_is_token0=True)
    assert back <= price
    assert bp(price - back, price) < Decimal("1e-15")


def test_one_to_one_is_q96() -> None:
    assert sqrt_from_price(Decimal(1), 18, 18, base_is_token0=True) == Q96
    assert price_from_sqrt(Q96, 18, 18, base_is_token0=True) == 1


@given(st.integers(MIN_SQRT, MAX_SQRT - 1), DECIMALS, DECIMALS, st.booleans())
def test_a_square_root_price_survives_the_round_trip_within_a_unit(
    sqrt_price_x96: int, decimals0: int, decimals1: int, base_is_token0: bool
) -> None:
    price = price_from_sqrt(sqrt_price_x96, decimals0, decimals1, base_is_token0=base_is_token0)
    back = sqrt_from_price(price, decimals0, decimals1, base_is_token0=base_is_token0)
    # 50 digits of a price may end a hair below the exact square, which the floor then shows.
    assert abs(back - sqrt_price_x96) <= 1


@given(st.integers(MIN_SQRT, MAX_SQRT - 1), DECIMALS, DECIMALS)
def test_exchanging_the_tokens_inverts_the_price(
    sqrt_price_x96: int, decimals0: int, decimals1: int
) -> None:
    one = price_from_sqrt(sqrt_price_x96, decimals0, decimals1, base_is_token0=True)
    other = price_from_sqrt(sqrt_price_x96, decimals0, decimals1, base_is_token0=False)
    assert abs(one * other - 1) < Decimal("1e-25")  # the product itself has 28 digits


@given(st.integers(MIN_SQRT, MAX_SQRT - 2), st.booleans())
def test_the_price_is_monotonic(sqrt_price_x96: int, base_is_token0: bool) -> None:
    low = price_from_sqrt(sqrt_price_x96, 18, 6, base_is_token0=base_is_token0)
    high = price_from_sqrt(SqrtPriceX96(sqrt_price_x96 + 1), 18, 6, base_is_token0=base_is_token0)
    assert (low < high) is base_is_token0


def test_basis_points() -> None:
    assert bp(Decimal(1), Decimal(100)) == 100
    assert bp(Decimal("-0.5"), Decimal(10_000)) == Decimal("-0.5")
    assert len(str(bp(Decimal(1), Decimal(3)))) == 51  # 50 digits and a point


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("4003.09", "4003.09"),
        ("4003.0949", "4003.09"),
        ("152.346", "152.35"),
        ("15.2346", "15.235"),
        ("1.00034", "1.0003"),
        ("0.0000000125", "0.000000012500"),
        ("-0.5", "-0.50000"),
        ("0", "0.00"),
    ],
)
def test_a_price_has_five_digits_that_count(price: str, told: str) -> None:
    assert price_text(Decimal(price)) == told


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("1234.567", "1234.57"),
        ("0.42", "0.42"),
        ("0.0123", "0.01"),
        ("0.0099", "0.01"),
        ("0.0049", "0.00490"),
        ("0.00042317", "0.000423"),
        ("-0.0000005", "-0.000000500"),
        ("0", "0.00"),
    ],
)
def test_a_small_sum_is_not_told_as_nothing(amount: str, told: str) -> None:
    assert sum_text(Decimal(amount)) == told
