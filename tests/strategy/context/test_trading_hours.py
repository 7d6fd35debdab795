from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.strategy.context.trading_hours import closed_window, event_on

WEEKEND = ("Fri 21:00-Sun 23:00",)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("when", "closed"),
    [
        ("2026-07-03T20:59:59", False),
        ("2026-07-03T21:00:00", True),
        ("2026-07-05T22:59:59", True),
        ("2026-07-05T23:00:00", False),
        ("2026-07-08T12:00:00", False),
    ],
)
def test_golds_weekend_starts_on_friday_and_ends_on_sunday(when: str, closed: bool) -> None:
    assert bool(closed_window(at(when), WEEKEND)) is closed


def test_a_window_may_run_over_the_end_of_the_week() -> None:
    window = ("Sun 12:00-Mon 06:00",)
    assert closed_window(at("2026-07-06T05:59:00"), window) == window[0]
    assert closed_window(at("2026-07-06T06:00:00"), window) == ""


@given(st.integers(0, 4_000_000_000 // 60))
def test_an_event_starts_at_its_start_and_is_over_at_its_end(minute: int) -> None:
    start = minute * 60
    texts = [
        datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M") for when in (start, start + 60)
    ]
    event = ("/".join(texts),)
    assert event_on(start - 1, event) == ""
    assert event_on(start, event) == event[0]
    assert event_on(start + 59, event) == event[0]
    assert event_on(start + 60, event) == ""
