"""What was earned in words and tables: on a terminal of any width, and on the page."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from report.report_scene import a_track
from rich.console import Console

from dexmm.performance.attribution import Flow, Mark, Source
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import Earned, earned
from dexmm.performance.track.track import Track
from dexmm.report.earned_shown import lines, rows
from dexmm.report.earned_terminal import by_month
from dexmm.report.json_report import report
from dexmm.report.summary_text import headline
from dexmm.report.track_report import track_page

D = Decimal
DAY = 86_400
BEGAN = int(datetime(2025, 1, 15, tzinfo=UTC).timestamp())


def days_of(count: int, quote: str = "USDT") -> Track:
    """A dollar of fees and a price that rises by a dollar, every day."""
    track = a_track(count, DAY, quote=quote)
    marks = tuple(
        Mark(
            at=BEGAN + DAY * number,
            fair_price=D(4000) + number,
            base=D(1),
            quote=D(6000) + number,
            flows=(Flow(source=Source.FEES, quote=D(1)),) if number else (),
        )
        for number in range(count)
    )
    points = (replace(p, at=m.at) for p, m in zip(track.points, marks, strict=True))
    return replace(track, marks=marks, points=tuple(points))


def of(count: int) -> Earned:
    return earned(worths(days_of(count).marks))


def test_the_lines_say_start_end_gain_and_its_parts() -> None:
    told = dict(lines(of(31), "USDT"))
    assert told["start"] == "10 000.00 USDT on 2025-01-15"
    assert told["end"] == "10 060.00 USDT on 2025-02-14, gas taken off"
    assert told["gain"] == "+60.00 USDT (+0.60 %)"
    assert told["  price"].startswith("+30.00: ")
    assert told["  making"].startswith("+30.00: ")
    assert told["a month"] == "+0.61 % at that pace, of which making +0.30 %"
    assert told["a year"] == "+7.30 % at that pace, of which making +3.65 %"
    assert "deposited" not in told
    assert "a year" not in dict(lines(of(20), "USDT"))
    assert dict(lines(of(20), "WETH"))["gain"] == "+38.000000 WETH (+0.38 %)"


def test_rows_are_of_months_and_of_years_where_there_are_several() -> None:
    assert rows(of(10), "USDT") == ()
    assert [row[0] for row in rows(of(40), "USDT")] == ["2025-01", "2025-02"]
    assert [row[0] for row in rows(of(400), "USDT")][-3:] == ["2026-02", "2025", "2026"]
    assert rows(of(40), "USDT")[0][3:] == ("+34.00", "+0.34", "+17.00", "+17.00")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_amount_is_cut_in_a_terminal(width: int) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=width, force_terminal=True, no_color=True, highlight=False)
    found = of(800)
    screen.print(by_month(found, "USDT", screen, None, "see the page"))
    text = out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    assert f"({len(found.months) - 12} earlier ones: see the page)" in words
    for row in rows(found, "USDT")[-15:]:  # twelve months and three years
        assert all(cell in words for cell in row)
    assert "2025-03" not in text


def test_a_month_alone_is_no_table() -> None:
    assert by_month(of(10), "USDT", Console(), None, "") is None


def test_the_page_and_json_have_them_all() -> None:
    track = days_of(800)
    text = track_page(track).html()
    assert "Month by month" in text
    for row in rows(of(800), "USDT"):
        assert row[0] in text
    facts = report(track)["earned"]
    assert isinstance(facts, Earned)
    assert len(facts.months) == 27
    assert "Month by month" not in track_page(days_of(10)).html()


def test_the_first_sentence_says_gain_price_and_making() -> None:
    first, pace, *_ = headline(days_of(31))
    assert "a gain of +60.00 USDT (+0.60 %), +30.00 USDT by the price and +30.00 USDT by" in first
    assert pace == (
        "At that pace it is +0.61 % a month and +7.30 % a year, of which making the market "
        "+0.30 % and +3.65 %."
    )
    assert not any("At that pace" in line for line in headline(days_of(20)))


def test_a_page_in_ether_shows_no_small_change_as_nothing() -> None:
    """A hundredth of an ether is no small change: every table and tile has six decimals."""
    track = days_of(31, "WETH")
    small = tuple(
        replace(
            mark,
            quote=D(6) + D("0.000123") * number,
            base=D("0.001"),
            flows=(Flow(source=Source.FEES, quote=D("0.000123")),) if number else (),
        )
        for number, mark in enumerate(track.marks)
    )
    text = track_page(replace(track, marks=small)).html()
    assert "+0.003690" in text  # thirty days of fees
    assert "+0.000123" not in text
    assert ">0.00<" not in text
