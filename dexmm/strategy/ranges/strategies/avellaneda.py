"""avellaneda: the budgets of ``budget`` between edges around a reservation price.

Avellaneda and Stoikov quote around r = P - q gamma sigma^2 T: whoever holds too much quotes
lower. Over a fixed horizon that shift is a multiple of the edge distance d:

    q = (share - target) / (hi - target)  above the target,  (share - target) / (target - lo) below
    shift = -gamma q d,   q clamped to [-1, 1],   |shift| at most 0.9 d
    to_bid = d - shift,   to_ask = d + shift        (never nearer than edge_min)

so the side that must trade is nearer, and trades sooner. gamma is ``risk_aversion``.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.decimal_context import BP, ONE
from dexmm.strategy.ranges.range_edges import distance, place
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies.budget import fill

MOST_SHIFT = Decimal("0.9")


def avellaneda(situation: Situation) -> tuple[Range, ...]:
    """Budget positions between edges skewed by the inventory."""
    settings = situation.settings
    away = distance(situation.sigma, settings, situation.fee_pips)
    nearest = settings.edge_min(situation.fee_pips) / BP
    shift = -min(max(settings.risk_aversion * skew(situation), -MOST_SHIFT), MOST_SHIFT) * away
    bid, ask = place(situation, max(away - shift, nearest), max(away + shift, nearest))
    return fill(situation, bid, ask)


def skew(situation: Situation) -> Decimal:
    """How far the share is from its target: -1 at the band's low edge, 1 at its high edge."""
    settings = situation.settings
    over = situation.share - settings.target
    room = settings.band_high - settings.target if over > 0 else settings.target - settings.band_low
    return min(max(over / room, -ONE), ONE)
