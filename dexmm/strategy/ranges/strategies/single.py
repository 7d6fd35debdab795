"""single: one range around the price whose value is split as the inventory is now.

With a width of w ticks, r = sqrt(1.0001^w) and the base's share a of the value, the lower edge is

    sqrt(Pl) = (-(1-2a) sqrt(P) + sqrt((1-2a)^2 P + 4 a (1-a) P / r)) / (2a),   Pu = Pl 1.0001^w

(P = 4000, w = 2400, a = 0.35 gives [3418.9, 4346.2].) All of the capital fits without a swap, and
all of it is deployed: in a trend it drains to one side. ``a`` is clamped, since a range for a
share of 0 or 1 does not contain the price.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from dexmm.decimal_context import LN_TICK
from dexmm.model.decision import Role
from dexmm.strategy.ranges.range_edges import distance, in_rungs, keep_near
from dexmm.strategy.ranges.range_input import Range, Situation, ranges

LEAST_SHARE = Decimal("0.05")


def single(situation: Situation) -> tuple[Range, ...]:
    """One range for the share held now."""
    width = 2 * in_rungs(distance(situation.sigma, situation.settings, situation.fee_pips))
    share = min(max(situation.share, LEAST_SHARE), 1 - LEAST_SHARE)
    root = lower_root(situation.s, share, width)
    lowest = int((2 * root.ln() / LN_TICK).to_integral_value(ROUND_FLOOR))
    ladder = situation.ladder
    bid = min(ladder.down(lowest), ladder.down(situation.floor))
    ask = max(ladder.up(lowest + width), ladder.up(situation.floor + 1))
    bid, ask = keep_near(situation, bid, ask)
    base, quote = situation.deployable({(bid, ask)})
    return ranges(((bid, ask), situation.most(bid, ask, base, quote), Role.BASE))


def lower_root(s: Decimal, share: Decimal, width: int) -> Decimal:
    """``sqrt(Pl)`` of the range of ``width`` rungs that holds ``share`` of its value in base."""
    r = (LN_TICK * width / 2).exp()
    tilt = 1 - 2 * share
    reach = (tilt * tilt + 4 * share * (1 - share) / r).sqrt()
    return s * (reach - tilt) / (2 * share)
