"""How far the edges of a range are from the price.

    d = edge_sigmas * sigma * sqrt(horizon)         of log price, clamped to edge_min .. edge_max
    edge_min = edge_min_bp, or where it is not set max(100 bp, 2 fee): nearer than the pool's fee
               an edge would be left before it had earned
    bid = down(floor - n_bid),  ask = up(ceiling + n_ask),  n = ceil(d / log 1.0001)

Distances are of the logarithm, so up and down are mirror images, and both edges round outwards
on the tick grid. An edge that is already held within a few grid steps of a new one is kept
(``strategy/rebalance/gas_economics.py`` says how many), so that the same NFT can serve on.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from dexmm.config.schema import Strategy as Settings
from dexmm.decimal_context import BP, HOUR, LN_TICK, precise
from dexmm.strategy.ranges.held_ranges import HeldRange, Side
from dexmm.strategy.ranges.range_input import Situation


def distance(sigma: Decimal, settings: Settings, fee_pips: int) -> Decimal:
    """Of log price, from the price to an edge in a pool of this fee."""
    nearest, furthest = settings.edge_min(fee_pips), settings.edge_max_bp
    return _distance(sigma, settings.edge_sigmas, settings.horizon_hours, nearest, furthest)


@lru_cache(maxsize=256)  # of the volatility now, and of that when a range was placed
@precise
def _distance(
    sigma: Decimal, sigmas: Decimal, hours: Decimal, nearest: Decimal, furthest: Decimal
) -> Decimal:
    wanted = sigmas * sigma * (hours * HOUR).sqrt()
    return min(max(wanted, nearest / BP), furthest / BP)


def in_rungs(log_distance: Decimal) -> int:
    """Rounded outwards."""
    return int((log_distance / LN_TICK).to_integral_value(ROUND_CEILING))


def place(situation: Situation, to_bid: Decimal, to_ask: Decimal) -> tuple[int, int]:
    """Edges at these log distances below and above the price, on the grid."""
    ladder = situation.ladder
    bid = ladder.down(situation.floor - in_rungs(to_bid))
    ask = ladder.up(situation.ceiling + in_rungs(to_ask))
    return keep_near(situation, bid, ask)


def around(situation: Situation) -> tuple[int, int]:
    """Edges at the same distance on both sides."""
    away = distance(situation.sigma, situation.settings, situation.fee_pips)
    return place(situation, away, away)


def keep_near(situation: Situation, bid: int, ask: int) -> tuple[int, int]:
    """The held edges, if both are near enough to the new ones."""
    if situation.kept is None:
        return bid, ask
    held_bid, held_ask = situation.kept
    if max(abs(held_bid - bid), abs(held_ask - ask)) <= situation.near:
        return situation.kept
    return bid, ask


def edges_to_keep(held: tuple[HeldRange, ...]) -> tuple[int, int] | None:
    """The edges of the range around the price, which is the one worth keeping."""
    around_price = [r for r in held if r.side is Side.BOTH]
    if not around_price:
        return None
    widest = max(around_price, key=lambda r: r.liquidity)
    return widest.bid, widest.ask
