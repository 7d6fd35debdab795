from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from dexmm.errors import BadInput
from dexmm.health.holiday_calendar import closures, closures_from, sessions

WEEKLY = ("Fri 21:00-Sun 23:00",)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


THANKSGIVING = tuple(
    (at(opens), at(closes))
    for opens, closes in (
        ("2026-11-19T23:00", "2026-11-20T22:00"),
        ("2026-11-22T23:00", "2026-11-23T22:00"),  # a weekend, as every week
        ("2026-11-23T23:00", "2026-11-24T22:00"),  # the daily hour
        ("2026-11-24T23:00", "2026-11-26T19:30"),
        ("2026-11-26T23:00", "2026-11-27T19:45"),
        ("2026-11-29T23:00", "2026-11-30T22:00"),
    )
)


def test_only_what_no_weekly_window_covers_is_written() -> None:
    assert closures(THANKSGIVING, WEEKLY) == (
        "2026-11-26T19:30/2026-11-26T23:00",
        "2026-11-27T19:45/2026-11-29T23:00",
    )
    assert len(closures(THANKSGIVING, ())) == 3


def test_a_calendar_that_does_not_exist_is_said_so() -> None:
    pytest.importorskip("pandas_market_calendars", reason="needs dexmm[calendar]")
    with pytest.raises(BadInput, match="is not a calendar"):
        sessions("gold", date(2026, 11, 1), date(2026, 11, 2))


def test_the_real_calendar_knows_thanksgiving_and_christmas() -> None:
    pytest.importorskip("pandas_market_calendars", reason="needs dexmm[calendar]")
    found = closures(sessions("CMEGlobex_Gold", date(2026, 11, 20), date(2026, 12, 31)), WEEKLY)
    assert found[:2] == (
        "2026-11-26T19:30/2026-11-26T23:00",
        "2026-11-27T19:45/2026-11-29T23:00",
    )
    assert any(window.startswith("2026-12-24T18:45/") for window in found)


CHRISTMAS = "2026-12-24T18:45/2026-12-27T23:00"
NEW_YEAR = "2026-12-31T22:00/2027-01-03T23:00"
EASTER = "2026-04-02T21:00/2026-04-05T22:00"


@pytest.mark.parametrize(
    ("now", "days", "expected"),
    [
        ("2026-12-24T12:00", 14, (CHRISTMAS, NEW_YEAR)),  # hours before the early close
        ("2026-12-24T18:44", 1, (CHRISTMAS,)),
        ("2026-12-24T18:45", 1, (CHRISTMAS,)),
        ("2026-12-25T12:00", 1, (CHRISTMAS,)),  # no session on the day itself
        ("2026-12-27T22:59", 1, (CHRISTMAS,)),
        ("2026-12-27T23:00", 2, ()),  # it trades again
        ("2026-12-27T23:00", 10, (NEW_YEAR,)),
        ("2027-01-01T00:00", 1, (NEW_YEAR,)),
        ("2026-12-31T21:59", 1, (NEW_YEAR,)),  # the session after it is beyond the last day
        ("2026-04-03T15:00", 1, (EASTER,)),  # Good Friday
        ("2026-04-03T15:00", 7, (EASTER,)),
        ("2026-11-28T12:00", 2, ("2026-11-27T19:45/2026-11-29T23:00",)),  # a longer weekend
        ("2026-11-14T12:00", 2, ()),  # an ordinary one
    ],
)
def test_the_closure_that_is_going_on_comes_first(
    now: str, days: int, expected: tuple[str, ...]
) -> None:
    pytest.importorskip("pandas_market_calendars", reason="needs dexmm[calendar]")
    assert closures_from("CMEGlobex_Gold", at(now), days, WEEKLY) == expected
