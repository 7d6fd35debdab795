"""The target in the pool while the stop-loss sells (``stop_loss.py``).

Ranges stay as they are: they keep the share inside its band whatever the price does, and to take
them out and make them anew costs more than it saves (``bench/stop_loss.py``). Nothing is added to
them. Where the exchange sells the part, that is all. Where it cannot, ``stop_loss_in_pool`` says
how.

``band``: nothing is sent because of the fall. What the exchange cannot sell just now, with a book
in doubt or too little gold there, waits for the exchange.

In the two others ranges that buy as the price falls are taken out where the wallet has too little
for the part, whatever guard bites on the entry of new liquidity.

``swap``: the wallet swaps the part in the pool, in slices that are no larger than
``hedge.max_order_base`` nor than what moves the pool by half of ``slippage_bp``, a slice each
``slice_seconds``: arbitrage has brought the price back before the next one. Each demands what the
fair price is worth less fee and slippage; what doubts the price holds it back.

``range``: the part is offered from the wallet in one more range over the single grid step above
the price: the first bounce converts it, and it is taken out before it could buy back. The price is
not chased. A range that was not filled is replaced by one nearer to the price after
``slice_seconds``, the next one after twice as long, and so on: a fall of a month takes ten at
most. One half-way through may buy back what it has just sold, and no more; it is left to finish.
One that offers more than is left of the part, since the one before it sold on while it was being
replaced, is taken out at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.decision import Role, TargetPosition, TargetSwap
from dexmm.strategy.context.context import Look, situation
from dexmm.strategy.ranges.held_ranges import HeldRange
from dexmm.strategy.ranges.range_input import Range, Situation, ranges
from dexmm.strategy.rebalance.pool_swap import depth_within, target_swap
from dexmm.strategy.rebalance.stop_loss import left_to_sell, offered

ZERO = Decimal(0)
BESIDE = Decimal("1.01")  # of what is left: an offer of more is too much
MOST_DOUBLINGS = 20  # of a pause: beyond it lasts for years


def untouched(seen: Look) -> tuple[TargetPosition, ...]:
    """What is held, without a range that offers the part: another setting has placed it."""
    old = offered(seen.held, seen.known, seen.ladder, seen.config.guards)
    return tuple(held.target(seen.ladder) for held in seen.held if held is not old)


@dataclass(frozen=True, slots=True)
class Sale:
    """What stays of what is held, and the swap that is due now."""

    staying: tuple[TargetPosition, ...]
    swap: TargetSwap | None


def sale(seen: Look) -> Sale:
    """What sells the part in the pool now.

    Nothing before the turn that knows the goal as recorded: what is sent in a turn that nobody
    remembers would be sold again.
    """
    guards = seen.config.guards
    old = offered(seen.held, seen.known, seen.ladder, guards)  # of another setting
    staying = tuple(held for held in seen.held if held is not old)
    base = seen.view.market.base
    wanted = min(left_to_sell(seen.known), seen.config.hedge.max_order_base).scaleb(base.decimals)
    wanted = min(wanted, depth_within(seen, guards.slippage_bp / 2)[0])
    idle = Decimal(seen.ladder.base_quote(seen.view.wallet.amount0, seen.view.wallet.amount1)[0])
    least = seen.settings.min_position_quote.scaleb(seen.view.market.quote.decimals)
    worth = seen.s * seen.s
    swap = None
    if min(idle, wanted) * worth < least <= wanted * worth:
        staying = tuple(held for held in staying if not _buys(seen, held))
    elif wanted * worth >= least and slice_is_due(seen):
        recorded = seen.snapshot.memory.stop_loss_goal is not None
        swap = target_swap(seen, selling=True, amount_in=min(idle, wanted)) if recorded else None
    return Sale(tuple(held.target(seen.ladder) for held in staying), swap)


@dataclass(frozen=True, slots=True)
class Reduction:
    """What stays of what is held where no slice is due, and the slice that is, beside ``kept``."""

    staying: tuple[TargetPosition, ...]
    slice: tuple[Range, ...]
    kept: tuple[TargetPosition, ...]


def reduction(seen: Look) -> Reduction:
    """What reduces exposure now."""
    old = offered(seen.held, seen.known, seen.ladder, seen.config.guards)
    others = tuple(held for held in seen.held if held is not old)
    here = situation(seen, near=0)
    left = left_to_sell(seen.known)
    wanted = min(
        left.scaleb(seen.view.market.base.decimals),
        here.base * seen.config.guards.slice_share,
    )
    least = seen.settings.min_position_quote.scaleb(seen.view.market.quote.decimals)
    idle = _idle(here, old)
    if min(idle, wanted) * here.s * here.s < least <= wanted * here.s * here.s:
        others = tuple(held for held in others if not _buys(seen, held))
        due = _slice(here, wanted, None)
        kept: tuple[HeldRange, ...] = ()
    else:
        due, kept = _slice(here, wanted, idle), others
    done = old is None or _filled(seen, old) or seen.known.stop_loss_offered > left * BESIDE
    staying = others if old is None or done else (*others, old)
    return Reduction(
        tuple(held.target(seen.ladder) for held in staying),
        due if slice_is_due(seen) else (),
        tuple(held.target(seen.ladder) for held in kept),
    )


def _idle(here: Situation, old: HeldRange | None) -> Decimal:
    """Base in the wallet, with what the range that offers it now would give back."""
    back = [stake for stake in here.stakes if old and (stake.bid, stake.ask) == (old.bid, old.ask)]
    edges = _edges(here)
    return here.wallet_base + sum(
        (s.base if (s.bid, s.ask) == edges else s.sure_base for s in back), ZERO
    )


def _edges(here: Situation) -> tuple[int, int]:
    bid = here.ladder.up(here.ceiling)
    return bid, bid + here.ladder.spacing


def _slice(here: Situation, wanted: Decimal, idle: Decimal | None) -> tuple[Range, ...]:
    """A slice of ``wanted``, or of what there is: ``idle``, None with all ranges taken out."""
    edges = _edges(here)
    base = here.deployable({edges})[0] if idle is None else idle
    return ranges((edges, here.most(*edges, min(base, wanted), ZERO), Role.LIMIT))


def _filled(seen: Look, held: HeldRange) -> bool:
    return seen.s >= seen.ladder.root_at(held.ask)


def _buys(seen: Look, held: HeldRange) -> bool:
    return seen.s > seen.ladder.root_at(held.bid)


def slice_is_due(seen: Look) -> bool:
    """Whether the pause since the last slice was offered is over."""
    if seen.settings.name == "hold":
        return False  # it never touches the inventory, in either direction
    last, offers = seen.known.last_slice_at, seen.known.stop_loss_offers
    pause = seen.config.guards.slice_seconds << min(max(offers - 1, 0), MOST_DOUBLINGS)
    return last is None or seen.now - last >= pause
