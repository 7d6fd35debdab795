"""Held ranges as stretches of time: from the turn that first saw one to the first that did not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.performance.track.track import RangeShown, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    low: Decimal
    high: Decimal
    role: str
    began: int
    ended: int


Identity = tuple[Decimal, Decimal, str]


def stretches(track: Track) -> tuple[Stretch, ...]:
    """In the order in which they ended; one still held ends with the last turn."""
    held: dict[Identity, int] = {}
    found: list[Stretch] = []
    for point in track.points:
        now = {_identity(shown) for shown in point.ranges}
        if now == held.keys():
            continue
        found += [_stretch(each, held.pop(each), point.at) for each in [*held] if each not in now]
        held |= {each: point.at for each in sorted(now) if each not in held}
    return (*found, *(_stretch(each, began, track.points[-1].at) for each, began in held.items()))


def _identity(shown: RangeShown) -> Identity:
    return shown.low, shown.high, shown.role


def _stretch(identity: Identity, began: int, ended: int) -> Stretch:
    low, high, role = identity
    return Stretch(low=low, high=high, role=role, began=began, ended=ended)
