"""The exchange's time: the machine's, or one that is moved by hand to go faster."""

from __future__ import annotations

import time


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Clock:
    """Milliseconds since 1970, never going back. Without a start it is the machine's time."""

    def __init__(self, start_ms: int | None = None) -> None:
        self.is_live = start_ms is None
        self._now_ms = wall_ms() if start_ms is None else start_ms

    def now_ms(self) -> int:
        if self.is_live:
            self._now_ms = max(self._now_ms, wall_ms())
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        self._now_ms = max(self._now_ms, now_ms)

    def accepts(self, timestamp_ms: int, window_ms: int) -> str:
        """Why a client's timestamp is refused: ``ahead``, ``outside``, or empty.

        Where time is moved by hand, clients still stamp with their own clocks: a timestamp that
        either the machine's time or the exchange's accepts is good.
        """
        reasons = [_judge(timestamp_ms, now, window_ms) for now in {self.now_ms(), wall_ms()}]
        return "" if "" in reasons else reasons[0]


def _judge(timestamp_ms: int, now_ms: int, window_ms: int) -> str:
    if timestamp_ms >= now_ms + 1000:
        return "ahead"
    return "" if now_ms - timestamp_ms <= window_ms else "outside"
