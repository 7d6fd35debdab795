"""recentre: one symmetric range around the price, the common baseline.

As much as both tokens can pay for between edges at the same distance; the rest stays idle. It
never swaps, so every re-range after a move has less of one token to work with.
"""

from __future__ import annotations

from dexmm.model.decision import Role
from dexmm.strategy.ranges.range_edges import around
from dexmm.strategy.ranges.range_input import Range, Situation, ranges


def recentre(situation: Situation) -> tuple[Range, ...]:
    """One range, the price in its middle."""
    bid, ask = around(situation)
    base, quote = situation.deployable({(bid, ask)})
    return ranges(((bid, ask), situation.most(bid, ask, base, quote), Role.BASE))
