"""When the base's own market is closed, and when an event is on. All in UTC.

A pool trades on while gold's market is closed, on few trades that prove little and often come
undone at the open. Then ranges stay where they are: nothing follows the price. A first deposit, a
share outside its band and new capital do not wait. An event (a rate decision, an upgrade) is
announced beforehand and holds back all new liquidity.
"""

from __future__ import annotations

from functools import cache

from dexmm.config.schema import Guards
from dexmm.decimal_context import DAY, HOUR

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * DAY
DAYS_TO_1970 = 719_468  # from the first of March of the year 0
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


def market_closed(now: int, guards: Guards) -> str:
    """The weekly window, or the dated one, that holds ``now``; empty when none does."""
    return closed_window(now, guards.closed_weekly) or event_on(now, guards.closed_sessions)


def closed_window(now: int, windows: tuple[str, ...]) -> str:
    """The weekly window, like ``Fri 21:00-Sun 23:00``, that holds ``now``; empty when none does.

    A window may run over the end of the week. Its start is inside, its end is not.
    """
    at = (now + EPOCH_WEEKDAY * DAY) % WEEK
    for window in windows:
        start, length = _opens(window)
        if (at - start) % WEEK < length:
            return window
    return ""


def event_on(now: int, events: tuple[str, ...]) -> str:
    """The event, like ``2026-12-16T18:30/2026-12-16T20:00``, that is on; empty when none is."""
    for event in events:
        start, end = _dates(event)
        if start <= now < end:
            return event
    return ""


def next_change(now: int, guards: Guards) -> int | None:
    """The first moment after ``now`` at which a window or an event begins or ends; None: never."""
    at = (now + EPOCH_WEEKDAY * DAY) % WEEK
    weekly = [
        now + ((_in_week(part) - at - 1) % WEEK) + 1
        for window in guards.closed_weekly
        for part in window.split("-")
    ]
    dated = [
        moment
        for event in (*guards.closed_sessions, *guards.closed_events)
        for part in event.split("/")
        if (moment := _timestamp(part)) > now
    ]
    return min((*weekly, *dated), default=None)


@cache
def _opens(window: str) -> tuple[int, int]:
    """When in the week a window begins, and for how long it lasts, seconds."""
    start, end = (_in_week(part) for part in window.split("-"))
    return start, (end - start) % WEEK


@cache
def _dates(event: str) -> tuple[int, int]:
    """When an event begins and ends."""
    start, end = (_timestamp(part) for part in event.split("/"))
    return start, end


@cache
def _in_week(text: str) -> int:
    """Seconds from Monday 00:00 to ``Fri 21:00``."""
    day, clock = text.split(" ")
    hours, minutes = clock.split(":")
    return DAYS.index(day) * DAY + int(hours) * HOUR + int(minutes) * 60


@cache
def _timestamp(text: str) -> int:
    """Seconds since 1970 of ``2026-12-16T18:30`` in UTC; seconds may follow.

    The calendar's arithmetic, not the library's: that module holds a clock, and this package has
    none. Years begin in March here, so that the leap day is the last one.
    """
    date, _, clock = text.partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    hours, minutes, seconds = (*(int(part) for part in clock.split(":")), 0, 0, 0)[:3]
    year, month = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    days = year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1
    return (days - DAYS_TO_1970) * DAY + hours * HOUR + minutes * 60 + seconds
