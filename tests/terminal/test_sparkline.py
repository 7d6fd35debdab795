"""One-line drawings: lengths and places."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.terminal.sparkline import column, scale, span, sparkline

NUMBERS = st.decimals(min_value=1, max_value=10_000, places=2)


def test_a_sparkline_shows_the_newest_values() -> None:
    values = [Decimal(v) for v in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert sparkline(values, 20) == "▁▂▃▄▅▆▇█"
    assert sparkline(values, 3) == "▁▅█"
    assert sparkline([Decimal(5)] * 4, 9) == "▄▄▄▄"
    assert sparkline([], 9) == ""


def test_a_scale_carries_its_marks() -> None:
    marks = [(Decimal("0.35"), "┃"), (Decimal("0.20"), "●")]
    assert scale(7, Decimal("0.20"), Decimal("0.50"), marks) == "●──┃───"
    assert scale(7, Decimal("0.20"), Decimal("0.50"), [(Decimal(9), "●")]) == "──────●"


def test_a_range_is_drawn_between_its_edges() -> None:
    ends = (Decimal(0), Decimal(10))
    assert span(11, ends, (Decimal(2), Decimal(8)), Decimal(5)) == "  ┣━━●━━┫  "
    assert span(11, ends, (Decimal(6), Decimal(8)), Decimal(1)) == " ●    ┣━┫  "


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.integers(2, 200))
def test_every_drawing_has_its_width(
    numbers: tuple[Decimal, Decimal, Decimal, Decimal], width: int
) -> None:
    low, high = min(numbers), max(numbers)
    lower, upper = sorted(numbers[:2])
    assert 0 <= column(numbers[2], low, high, width) < width
    assert len(span(width, (low, high), (lower, upper), numbers[3])) == width
    assert len(scale(width, low, high, [(numbers[0], "x")])) == width
    assert len(sparkline(list(numbers), width)) == min(width, 4)
