"""Interchangeable definitions behind one function type: a situation in, ranges out."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.strategy.ranges.range_input import Shape
from dexmm.strategy.ranges.strategies.avellaneda import avellaneda
from dexmm.strategy.ranges.strategies.budget import budget
from dexmm.strategy.ranges.strategies.hold import hold
from dexmm.strategy.ranges.strategies.measured import measured
from dexmm.strategy.ranges.strategies.passive import passive
from dexmm.strategy.ranges.strategies.recentre import recentre
from dexmm.strategy.ranges.strategies.single import single


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A strategy and what follows from its mathematics."""

    shape: Shape
    most_ranges: int  # it never holds more than this
    keeps_band: bool  # it promises that the share stays in its band
    needs_pay: bool = False  # it places what the pool pays for, and nothing where it pays nothing


STRATEGIES = {
    "measured": Definition(shape=measured, most_ranges=2, keeps_band=True, needs_pay=True),
    "budget": Definition(shape=budget, most_ranges=2, keeps_band=True),
    "avellaneda": Definition(shape=avellaneda, most_ranges=2, keeps_band=True),
    "single": Definition(shape=single, most_ranges=1, keeps_band=False),
    "passive": Definition(shape=passive, most_ranges=2, keeps_band=False),
    "recentre": Definition(shape=recentre, most_ranges=1, keeps_band=False),
    "hold": Definition(shape=hold, most_ranges=0, keeps_band=False),
}
