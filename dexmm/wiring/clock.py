"""The machine's own time."""

from __future__ import annotations

import time


def wall_clock() -> int:
    """Seconds since 1970 in UTC, rounded down."""
    return int(time.time())
