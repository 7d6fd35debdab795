"""budget: deploy only what the band allows to be converted.

With the whole inventory X base and Y quote, the band [lo, hi], the price P and the edges
Tl < P < Tu, the quote that may be spent and the base that may be sold are

    b = (hi Y - (1-hi) X Tl) / (hi + (1-hi) Tl / g)          g = sqrt(P Tl)
    s = ((1-lo) X Tu - lo Y) / ((1-lo) Tu + lo h)            h = sqrt(P Tu)

g and h being the average prices of a full conversion: spending all of b down to Tl leaves the
share exactly at hi, selling all of s up to Tu leaves it exactly at lo. The numerators are the
*room* of each side; a unit of liquidity over [a, m] below the price, or [m, a] above it, uses

    hi (m - a) + (1-hi) Tl (1/a - 1/m)      or      lo (a - m) + (1-lo) Tu (1/m - 1/a)

of it, with m and a square roots of prices. So L_bid = room / use over [Tl, P] = b / (sqrt P -
sqrt Tl), and L_ask likewise. The base position has min(L_bid, L_ask) over [Tl, Tu]. What room is
left on the larger side becomes a limit position from the grid's next rung beside the price to
that side's edge: its own use is taken at its own ends, so base and limit together convert exactly
the budget, and the share ends exactly at the edge of the band.

Near hi the bid's room goes to zero and the ask's grows: a market maker's skew, in quantity.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.decision import Role
from dexmm.strategy.ranges.range_edges import around
from dexmm.strategy.ranges.range_input import Range, Situation, ranges

ZERO = Decimal(0)


def budget(situation: Situation) -> tuple[Range, ...]:
    """Base and limit that keep the share inside the band by construction."""
    return fill(situation, *around(situation))


def fill(situation: Situation, bid: int, ask: int) -> tuple[Range, ...]:
    """The budgets between two edges, clamped to what is deployable on chain."""
    below, above = situation.below(bid), situation.above(ask)
    base, quote = situation.deployable({(bid, ask), below, above})
    bid_room, ask_room = rooms(situation, bid, ask)
    bid_use = bid_use_each(situation, bid, situation.s)
    ask_use = ask_use_each(situation, ask, situation.s)

    both = min(bid_room / bid_use, ask_room / ask_use, situation.most(bid, ask, base, quote))
    base_spent, quote_spent = situation.cost(bid, ask, both)

    bids = asks = ZERO
    if below[0] < below[1]:
        top = situation.ladder.root_at(below[1])
        room = (bid_room - both * bid_use) / bid_use_each(situation, bid, top)
        bids = min(room, situation.most(*below, ZERO, quote - quote_spent))
    if above[0] < above[1]:
        bottom = situation.ladder.root_at(above[0])
        room = (ask_room - both * ask_use) / ask_use_each(situation, ask, bottom)
        asks = min(room, situation.most(*above, base - base_spent, ZERO))

    below_is_larger = situation.value(*below, bids) > situation.value(*above, asks)
    limit = (below, bids, Role.LIMIT) if below_is_larger else (above, asks, Role.LIMIT)
    return ranges(((bid, ask), both, Role.BASE), limit)


def rooms(situation: Situation, bid: int, ask: int) -> tuple[Decimal, Decimal]:
    """How far the share is from the band's edges, were the price at Tl or at Tu. Never negative."""
    low, high = situation.settings.band_low, situation.settings.band_high
    bid_room = high * situation.quote - (1 - high) * situation.base * value_at_bid(situation, bid)
    ask_room = (1 - low) * situation.base * value_at_ask(situation, ask) - low * situation.quote
    return max(bid_room, ZERO), max(ask_room, ZERO)


def value_at_bid(situation: Situation, bid: int) -> Decimal:
    """What the base is counted at where a bid ends: the highest fair price there."""
    return situation.ladder.root_at(bid) ** 2 * (1 + 2 * situation.fee)


def value_at_ask(situation: Situation, ask: int) -> Decimal:
    """What the base is counted at where an ask ends: the lowest fair price there."""
    return situation.ladder.root_at(ask) ** 2 / (1 + 2 * situation.fee)


def bid_use_each(situation: Situation, bid: int, top: Decimal) -> Decimal:
    """The room that one unit of liquidity from ``top`` (a root) down to ``bid`` uses."""
    high, edge = situation.settings.band_high, situation.ladder.root_at(bid)
    worth = (1 - high) * value_at_bid(situation, bid)
    return high * (top - edge) + worth * (1 / edge - 1 / top)


def ask_use_each(situation: Situation, ask: int, bottom: Decimal) -> Decimal:
    """The room that one unit of liquidity from ``bottom`` (a root) up to ``ask`` uses."""
    low, edge = situation.settings.band_low, situation.ladder.root_at(ask)
    worth = (1 - low) * value_at_ask(situation, ask)
    return low * (edge - bottom) + worth * (1 / bottom - 1 / edge)
