"""hold: no liquidity at all. What the others are measured against, and a way to sit out."""

from __future__ import annotations

from dexmm.strategy.ranges.range_input import Range, Situation


def hold(_situation: Situation) -> tuple[Range, ...]:
    """Nothing."""
    return ()
