"""Numbers of candle files: exact as written, whatever way they are written in."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pyarrow as arrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.errors import BadInput
from dexmm.history.candle_columns import VOLUME_DECIMALS
from dexmm.history.candle_files.numbers import Units, prices_of, volumes_of
from dexmm.history.candle_files.table import Table


def table(prices: list[arrow.Array], volume: arrow.Array) -> Table:
    opened, high, low, close = prices
    return Table(
        label="a.csv",
        layout="",
        time=volume,
        prices=(opened, high, low, close),
        volume=volume,
        time_name="time",
        row_of=lambda index: index + 2,
    )


def texts(*values: str) -> arrow.Array:
    return arrow.array(values, arrow.string())


def prices(*values: str) -> Units:
    column = texts(*values)
    return prices_of(table([column] * 4, column))


def told(units: Units, column: int = 0) -> list[Decimal]:
    return [Decimal(int(value)).scaleb(-units.decimals) for value in units.columns[column]]


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Decimal]:
    """A number of at most 9 digits on each side, in any of the ways in which tables write it."""
    value = draw(st.decimals("-99999999", "99999999", places=draw(st.integers(0, 9))))
    forms = [f"{value:f}", f"{value:f}0000" if "." in f"{value:f}" else f"{value:f}.000"]
    if value >= 0:
        forms.append(f"+{value:f}")
    if value:
        forms += [f"{value:e}", f"{value:E}"]
    return draw(st.sampled_from(forms)), value


@settings(max_examples=80, deadline=None)
@given(st.lists(written(), min_size=1, max_size=6))
def test_text_is_the_decimal_that_it_says(numbers: list[tuple[str, Decimal]]) -> None:
    units = prices(*(text for text, _ in numbers))
    assert told(units) == [value for _, value in numbers]
    most = max(max(-int(v.normalize().as_tuple().exponent), 0) for _, v in numbers)
    assert units.decimals == most  # no more than they need
    assert not units.rounded


@settings(max_examples=60, deadline=None)
@given(st.lists(st.decimals(0, 10**6, places=12), min_size=1, max_size=5))
def test_volumes_are_rounded_half_to_even_at_eight_places(values: list[Decimal]) -> None:
    column = texts(*(f"{value:f}" for value in values))
    one = Decimal(1).scaleb(-VOLUME_DECIMALS)
    wanted = [value.quantize(one, ROUND_HALF_EVEN) for value in values]
    assert told(volumes_of(table([column] * 4, column))) == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0001, 99_999, allow_nan=False), min_size=1, max_size=5))
def test_a_double_is_its_shortest_text(values: list[float]) -> None:
    column = arrow.array(values, arrow.float64())
    units = prices_of(table([column] * 4, column))
    for found, value in zip(told(units), values, strict=True):
        exact = Decimal(repr(value))
        assert found == exact.quantize(Decimal(1).scaleb(-units.decimals), ROUND_HALF_EVEN)
        assert units.rounded or found == exact


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.125, 9_999, width=32), min_size=1, max_size=5))
def test_a_float_of_32_bits_is_the_shortest_text_that_gives_it(values: list[float]) -> None:
    column = arrow.array(values, arrow.float32())
    found = told(prices_of(table([column] * 4, column)))
    back = arrow.array([float(each) for each in found], arrow.float64()).cast(arrow.float32())
    assert back.to_pylist() == column.to_pylist()
    assert all(len(each.normalize().as_tuple().digits) <= 9 for each in found)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (("1", "x"), "row 3 has 'x' as open: it must be a number"),
        (("1", "1e5000"), "row 3 has '1e5000' as open: it has more than 18 digits"),
        (("1", "Infinity"), "row 3 has 'Infinity' as open: it must be a finite number"),
        (("1" * 19, "1"), "row 2 has .* more than 18 digits"),
        (("1" * 60, "1"), "row 2 has .* more than 18 digits"),
        (("1", "0." + "1" * 60), "row 3 has .* more than 18 digits"),
        (("1" * 12, "0.0000001"), "together need more than 18 digits"),
        (("1", "0x10"), "row 3 has '0x10' as open: it must be a number"),
        (("1", "1_000"), "row 3 has '1_000' as open: it must be a number"),
        (("1", "４０００"), "row 3 has .* as open: it must be a number"),
    ],
)
def test_what_is_no_number_of_a_candle_is_named(values: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        prices(*values)


@pytest.mark.parametrize(
    ("written_as", "value"),
    [("4,003.09", "4003.09"), ("1,234,567", "1234567"), ("4 003.5", "4003.5"), (" 7 ", "7")],
)
def test_thousands_and_spaces_are_no_digits(written_as: str, value: str) -> None:
    assert told(prices(written_as, "1")) == [Decimal(value), Decimal(1)]


def test_trailing_zeros_of_eighteen_places_fit() -> None:
    units = prices("4000." + "10" + "0" * 16, "0.5")
    assert (told(units), units.decimals) == ([Decimal("4000.1"), Decimal("0.5")], 1)
