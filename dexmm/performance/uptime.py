"""How much of the time it was there: turns that happened against those that were due. Pure.

The loop waits its interval after every turn, and a turn may wait for a receipt, so turns are fewer
than scheduled without anything being wrong. An *outage* is a silence of more than two intervals
and two minutes; all of it beyond one interval counts as down.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dexmm.performance.track.track import Track
from dexmm.units import PRICE

GRACE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    began: int  # the last turn before it, timestamp
    ended: int  # the first turn after it
    down_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    began: int  # the stretch that was watched, timestamps
    ended: int
    turns: int
    scheduled: int  # by the interval
    outages: tuple[Outage, ...]

    @property
    def seconds(self) -> int:
        return self.ended - self.began

    @property
    def down_seconds(self) -> int:
        return sum(outage.down_seconds for outage in self.outages)

    @property
    def up_seconds(self) -> int:
        return self.seconds - self.down_seconds

    @property
    def share(self) -> Decimal:
        """Of the time, 0 to 1; of no time at all, 0."""
        if not self.seconds:
            return Decimal(0)
        return PRICE.divide(Decimal(self.up_seconds), Decimal(self.seconds))


def uptime(track: Track) -> Uptime:
    """Over the stretch the track was asked for, or from its first turn to its last."""
    interval = track.interval_seconds
    times = [point.at for point in track.points]
    began = min(track.began or times[0], times[0])
    ended = max(track.ended or times[-1], times[-1])
    longest = 2 * interval + GRACE_SECONDS
    outages = tuple(
        Outage(began=before, ended=after, down_seconds=after - before - interval)
        for before, after in pairwise([began, *times, ended])
        if after - before > longest
    )
    return Uptime(
        began=began,
        ended=ended,
        turns=len(times),
        scheduled=(ended - began) // interval + 1,
        outages=outages,
    )
