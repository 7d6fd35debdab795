"""Fewer points than were measured, with every extreme kept: for drawing alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T")

MOST = 2_000  # points a line; a screen has no more columns than that


def thinned(
    points: Sequence[T], value: Callable[[T], Decimal | int], most: int = MOST
) -> Sequence[T]:
    """At most ``most`` (4 or more) of the points, in order.

    The first and the last stay, and the lowest and highest of every stretch between them, so that
    neither a spike nor a fall goes missing.
    """
    if len(points) <= most:
        return points
    buckets = (most - 2) // 2
    inner = len(points) - 2
    kept = [points[0]]
    for number in range(buckets):
        first = 1 + inner * number // buckets
        after = 1 + inner * (number + 1) // buckets
        stretch = range(first, after)
        low = min(stretch, key=lambda at: value(points[at]))
        high = max(stretch, key=lambda at: value(points[at]))
        kept += [points[at] for at in sorted({low, high})]
    return [*kept, points[-1]]
