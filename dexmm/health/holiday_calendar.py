"""When gold's own market is closed, from a maintained calendar, as settings.

``guards.closed_weekly`` holds the weekend; holidays and early closes move from year to year. They
are written into ``guards.closed_sessions`` once, where a person can read them, instead of being
looked up while money is at stake: a decision depends on its configuration and nothing else.

The calendar is ``pandas_market_calendars``' (the extra ``calendar``), which is large
and therefore optional. Its CME gold session also pauses for an hour every day; pauses that short
are left out, and so is what the weekly windows cover already.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from dexmm.errors import BadInput, install
from dexmm.strategy.context.trading_hours import closed_window

GOLD = "CMEGlobex_Gold"
DAILY_PAUSE_SECONDS = 75 * 60
LONGEST_CLOSURE = timedelta(days=21)  # holiday weeks included: how far around to look for sessions

Session = tuple[datetime, datetime]


def sessions(name: str, first: date, last: date) -> tuple[Session, ...]:
    """Every session of a calendar, opening and close in UTC.

    Raises ``BadInput`` without the library, or for a calendar that it does not have.
    """
    try:
        import pandas_market_calendars as library
    except ImportError as error:
        raise BadInput(
            f"the calendar library is not installed: run `{install('calendar')}`"
        ) from error
    try:
        calendar = library.get_calendar(name)
    except RuntimeError as error:
        raise BadInput(f"{name} is not a calendar: gold's is {GOLD}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas' own about its next version
        schedule = calendar.schedule(first.isoformat(), last.isoformat())
    return tuple(
        (opens.to_pydatetime().astimezone(UTC), closes.to_pydatetime().astimezone(UTC))
        for opens, closes in zip(schedule.market_open, schedule.market_close, strict=True)
    )


def closures_from(name: str, now: datetime, days: int, weekly: tuple[str, ...]) -> tuple[str, ...]:
    """The closures of a calendar that are not over at ``now`` and begin within ``days`` of it.

    A closure lies between two sessions, so sessions are read from well before ``now``, for the
    closure that is going on, until well after the end, for one that begins shortly before it.
    Raises ``BadInput`` as ``sessions`` does.
    """
    end = now + timedelta(days=days)
    found = sessions(name, (now - LONGEST_CLOSURE).date(), (end + LONGEST_CLOSURE).date())
    wanted = [
        index
        for index, (before, after) in enumerate(pairwise(found))
        if after[0] > now and before[1] < end
    ]
    return closures(found[wanted[0] : wanted[-1] + 2], weekly) if wanted else ()


def closures(found: Sequence[Session], weekly: tuple[str, ...]) -> tuple[str, ...]:
    """The pauses between sessions that no weekly window covers, as ``guards.closed_sessions``."""
    gaps = ((before[1], after[0]) for before, after in pairwise(found))
    return tuple(
        f"{_text(closes)}/{_text(opens)}"
        for closes, opens in gaps
        if (opens - closes).total_seconds() > DAILY_PAUSE_SECONDS
        and not _covered(closes, opens, weekly)
    )


def _covered(closes: datetime, opens: datetime, weekly: tuple[str, ...]) -> bool:
    """Whether one weekly window holds all of the pause."""
    first = closed_window(int(closes.timestamp()), weekly)
    last = closed_window(int(opens.timestamp()) - 1, weekly)
    week = 7 * 86_400
    return bool(first) and first == last and (opens - closes).total_seconds() < week


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")
