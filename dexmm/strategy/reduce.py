"""The target while the stop-loss holds: nothing that buys, and selling in slices.

A *slice* is base worth ``slice_share`` of all the base, over the single grid step above the
price: the first bounce converts it. Each ``slice_seconds`` the next one takes its place, nearer
to where the price is now. Slices stop half-way between the target and the band's low edge, so
that the fall can go on without taking the share out of its band; the drawdown guards stand behind.

Ranges that buy as the price falls go at once, whatever guard bites on the entry of new liquidity.
A slice half-way through may buy back what it has just sold, and no more; it is left to finish.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config import Strategy
from dexmm.model.decision import Role, TargetPosition
from dexmm.strategy.held import HeldRange
from dexmm.strategy.look import Look, situation
from dexmm.strategy.situation import Range, Situation, ranges

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reduction:
    """What may stay of what is held, and the slice that is due."""

    staying: tuple[TargetPosition, ...]
    slice: tuple[Range, ...]


def reduction(seen: Look) -> Reduction:
    """What reduces exposure now."""
    staying = tuple(r.target(seen.ladder) for r in seen.held if not _buys(seen, r))
    return Reduction(staying, due_slice(seen) if slice_is_due(seen) else ())


def _buys(seen: Look, held: HeldRange) -> bool:
    if seen.s <= seen.ladder.root_at(held.bid):
        return False
    finishing = held.ask - held.bid == seen.ladder.spacing
    return not (finishing and seen.s < seen.ladder.root_at(held.ask))


def slice_is_due(seen: Look) -> bool:
    """Whether the pause since the last slice is over."""
    if seen.settings.name == "hold":
        return False  # it never touches the inventory, in either direction
    last = seen.known.last_slice_at
    return last is None or seen.now - last >= seen.config.guards.slice_seconds


def due_slice(seen: Look) -> tuple[Range, ...]:
    """The next slice; empty when the band leaves nothing to sell."""
    here = situation(seen, near=0)
    bid = here.ladder.up(here.ceiling)
    edges = (bid, bid + here.ladder.spacing)
    base, _ = here.deployable({edges})
    sold = min(base, here.base * seen.config.guards.slice_share, _over_floor(here))
    return ranges((edges, here.most(*edges, sold, ZERO), Role.LIMIT))


def _over_floor(here: Situation) -> Decimal:
    """The base that can be sold at the price before the share is at the floor."""
    price, floor = here.s * here.s, floor_share(here.settings)
    return max(here.base * (1 - floor) - here.quote * floor / price, ZERO)


def floor_share(settings: Strategy) -> Decimal:
    """The share at which selling in slices ends."""
    return (settings.band_low + settings.target) / 2
