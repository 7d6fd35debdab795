"""The target in the pool while the stop-loss sells (``stop_loss.py``).

Where the exchange sells the part, ranges stay as they are: it takes a few turns, and what it has
traded is answered later, like any other trade there. Where it cannot, ranges that buy as the
price falls go at once, whatever guard bites on the entry of new liquidity, and the part is
offered in one range over the single grid step above the price: the first bounce converts it.

The price is not chased. A range that was not filled is replaced by one nearer to the price after
``slice_seconds``, the next one after twice as long, and so on: a fall of a month takes ten at
most. One half-way through may buy back what it has just sold, and no more; it is left to finish.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.decision import Role, TargetPosition
from dexmm.strategy.held import HeldRange
from dexmm.strategy.look import Look, situation
from dexmm.strategy.situation import Range, ranges
from dexmm.strategy.stop_loss import left_to_sell

ZERO = Decimal(0)
MOST_DOUBLINGS = 20  # of a pause: beyond it lasts for years


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
    """Whether the pause since the last slice was offered is over."""
    if seen.settings.name == "hold":
        return False  # it never touches the inventory, in either direction
    last, offers = seen.known.last_slice_at, seen.known.stop_loss_offers
    pause = seen.config.guards.slice_seconds << min(max(offers - 1, 0), MOST_DOUBLINGS)
    return last is None or seen.now - last >= pause


def due_slice(seen: Look) -> tuple[Range, ...]:
    """The next slice; empty when nothing is left to sell."""
    here = situation(seen, near=0)
    bid = here.ladder.up(here.ceiling)
    edges = (bid, bid + here.ladder.spacing)
    base, _ = here.deployable({edges})
    left = left_to_sell(seen.known, seen.inventory, seen.settings)
    sold = min(
        base,
        here.base * seen.config.guards.slice_share,
        left.scaleb(seen.view.market.base.decimals),
    )
    return ranges((edges, here.most(*edges, sold, ZERO), Role.LIMIT))
