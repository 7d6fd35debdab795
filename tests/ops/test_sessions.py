from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from dexmm.errors import BadInput
from dexmm.ops.sessions import closures, sessions

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
