"""Start, end and gain, apart by price and by making the market, by month and by year."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from performance.test_attribution import histories

from dexmm.performance.attribution import Flow, Mark, Source, attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import Earned, earned
from dexmm.units import EXACT

D = Decimal


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def of(*marks: Mark) -> Earned:
    return earned(worths(marks))


def mark(when: str, price: int, quote: int, *flows: Flow, base: int = 1) -> Mark:
    return Mark(at=at(when), fair_price=D(price), base=D(base), quote=D(quote), flows=flows)


def fees(quote: int) -> Flow:
    return Flow(source=Source.FEES, quote=D(quote))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_it_adds_up_to_the_attribution_and_the_months_to_the_whole(marks: list[Mark]) -> None:
    with localcontext(EXACT):
        found, known = earned(worths(marks)), attribute(marks)
        whole = found.whole
        assert (whole.start, whole.end) == (known.start, known.end)
        assert whole.making == known.against_holding
        capital = known.part(Source.CAPITAL)
        assert whole.deposited == capital.edge
        assert whole.price == known.holding + capital.timing
        assert whole.gain == whole.price + whole.making == whole.end - whole.start - whole.deposited
        for periods in (found.months, found.years):
            assert sum(period.gain for period in periods) == whole.gain
            assert sum(period.making for period in periods) == whole.making
            assert sum(period.deposited for period in periods) == whole.deposited
            assert (periods[0].start, periods[-1].end) == (whole.start, whole.end)
            assert [p.end for p in periods[:-1]] == [p.start for p in periods[1:]]


def test_months_and_years_on_paper() -> None:
    found = of(
        mark("2025-11-15T12:00", 4000, 6000),
        mark("2025-12-01T00:00", 4100, 6000),  # midnight closes November
        mark("2025-12-31T23:59", 4100, 6050, fees(50)),
        mark("2026-01-02T00:00", 4000, 6060, fees(10)),
    )
    assert [(p.name, p.gain, p.price, p.making) for p in found.months] == [
        ("2025-11", 100, 100, 0),
        ("2025-12", 50, 0, 50),
        ("2026-01", -90, -100, 10),
    ]
    assert [(p.name, p.gain, p.making) for p in found.years] == [
        ("2025", 150, 50),
        ("2026", -90, 10),
    ]
    assert found.whole.gain_percent == D("0.6")  # 60 of 10 000
    assert found.months[0].gain_percent == 1


def test_a_month_without_a_look_is_no_row_and_loses_nothing() -> None:
    found = of(
        mark("2026-01-15T00:00", 4000, 6000),
        mark("2026-03-15T00:00", 4200, 6000),
        mark("2026-03-16T00:00", 4200, 6001, fees(1)),
    )
    assert [(p.name, p.gain) for p in found.months] == [("2026-03", 201)]


def test_a_deposit_is_no_gain_and_counts_for_the_time_that_it_was_there() -> None:
    deposit = Flow(source=Source.CAPITAL, quote=D(10_000))
    found = of(
        mark("2026-01-01T00:00", 4000, 6000),
        mark("2026-01-11T00:00", 4000, 16_000, deposit),
        mark("2026-01-21T00:00", 4000, 16_150, fees(150)),
    ).whole
    assert (found.deposited, found.gain, found.price, found.making) == (10_000, 150, 0, 150)
    assert found.gain_percent == 1  # of 10 000, and 10 000 half of the time


def test_a_year_at_the_same_pace_is_told_of_28_days_and_more() -> None:
    short = of(
        mark("2026-01-01T00:00", 4000, 6000), mark("2026-01-28T23:00", 4000, 6100, fees(100))
    )
    assert short.per_month is short.per_year is None
    long = of(mark("2026-01-01T00:00", 4000, 6000), mark("2026-01-29T00:00", 4100, 6100, fees(100)))
    assert long.per_year is not None
    assert long.per_month is not None
    assert long.per_year.making == pytest.approx(100 * D("365.2425") / 28)
    assert long.per_year.gain_percent == pytest.approx(2 * D("365.2425") / 28)
    assert long.per_month.gain == pytest.approx(long.per_year.gain / 12)


def test_of_nothing_there_is_no_per_cent() -> None:
    found = of(mark("2026-01-01T00:00", 4000, 0, base=0), mark("2026-01-02T00:00", 1, 0, base=0))
    assert (found.whole.gain, found.whole.gain_percent) == (0, None)


def test_one_look_is_a_month_that_brought_nothing() -> None:
    found = of(mark("2026-01-01T00:00", 4000, 10))
    assert [(p.name, p.gain, p.gain_percent) for p in found.months] == [("2026-01", 0, 0)]
