"""Numbers drawn in one line of text: a path as blocks, a value on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[Decimal], width: int) -> str:
    """The last part of ``values``, one character each: the newest ``width`` of them."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if low == high:
        return _BLOCKS[3] * len(shown)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(steps * (value - low) / (high - low))] for value in shown)


def column(value: Decimal, low: Decimal, high: Decimal, width: int) -> int:
    """Where ``value`` stands on a scale of ``width`` characters; clamped to its ends."""
    if high <= low:
        return 0
    at = int((value - low) / (high - low) * (width - 1) + Decimal("0.5"))
    return min(max(at, 0), width - 1)


def scale(
    width: int, low: Decimal, high: Decimal, marks: Sequence[tuple[Decimal, str]], line: str = "─"
) -> str:
    """A line from ``low`` to ``high`` with a sign at each mark; later marks lie on top."""
    drawn = [line] * width
    for value, sign in marks:
        drawn[column(value, low, high, width)] = sign
    return "".join(drawn)


def span(
    width: int, scale_ends: tuple[Decimal, Decimal], ends: tuple[Decimal, Decimal], at: Decimal
) -> str:
    """A range drawn on a scale, and where a value stands against it."""
    left, right = (column(end, *scale_ends, width) for end in ends)
    drawn = [" "] * left + ["━"] * (right - left + 1) + [" "] * (width - right - 1)
    drawn[left], drawn[right] = "┣", "┫"
    drawn[column(at, *scale_ends, width)] = "●"
    return "".join(drawn)
