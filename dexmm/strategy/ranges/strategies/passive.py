"""passive: base and limit over all of the capital, the vaults' rule.

The base position lies between edges at the same distance on both sides and takes as much as both
tokens can pay for. What is left of one token becomes a limit position on its own side of the
price, from the grid's next rung to that side's edge, waiting to be converted. Nothing is idle and
nothing bounds the share.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.decision import Role
from dexmm.strategy.ranges.range_edges import around
from dexmm.strategy.ranges.range_input import Range, Situation, ranges

ZERO = Decimal(0)


def passive(situation: Situation) -> tuple[Range, ...]:
    """A symmetric base, and a limit of the rest."""
    bid, ask = around(situation)
    below, above = situation.below(bid), situation.above(ask)
    base, quote = situation.deployable({(bid, ask), below, above})
    both = situation.most(bid, ask, base, quote)
    base_spent, quote_spent = situation.cost(bid, ask, both)
    base_left, quote_left = base - base_spent, quote - quote_spent
    if base_left * situation.s * situation.s > quote_left:
        limit, liquidity = above, _over(situation, above, base_left, ZERO)
    else:
        limit, liquidity = below, _over(situation, below, ZERO, quote_left)
    return ranges(((bid, ask), both, Role.BASE), (limit, liquidity, Role.LIMIT))


def _over(situation: Situation, edges: tuple[int, int], base: Decimal, quote: Decimal) -> Decimal:
    return situation.most(*edges, base, quote) if edges[0] < edges[1] else ZERO
