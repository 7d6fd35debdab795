"""Guards on a wanted action: they need to know what it is."""

from __future__ import annotations

from dexmm.model.decision import Refusal, TargetPosition, Trigger
from dexmm.strategy.context.context import Look
from dexmm.strategy.ranges.held_ranges import edges_of
from dexmm.strategy.ranges.liquidity_diff import Difference
from dexmm.strategy.rebalance.gas_economics import refuse_uneconomic


def refuse_wanted(
    seen: Look, trigger: Trigger, change: Difference, targets: tuple[TargetPosition, ...]
) -> tuple[Refusal, ...]:
    """Those of them that bite."""
    found = (move_cap(seen, targets), refuse_uneconomic(seen, trigger, change, targets))
    return tuple(refusal for refusal in found if refusal is not None)


def move_cap(seen: Look, targets: tuple[TargetPosition, ...]) -> Refusal | None:
    """A range's centre moves at most ``max_move_ticks`` in one step."""
    if not seen.held or not targets:
        return None
    bid, ask = edges_of(seen.held, seen.ladder)
    wanted = [seen.ladder.rungs(t.tick_lower, t.tick_upper) for t in targets]
    new_bid, new_ask = min(b for b, _ in wanted), max(a for _, a in wanted)
    moved, most = abs(new_bid + new_ask - bid - ask) // 2, seen.config.guards.max_move_ticks
    if moved <= most:
        return None
    return Refusal(
        rule="move_cap",
        detail=f"the range's centre would move {moved} ticks at once, more than {most} "
        "(guards.max_move_ticks): if the price is right, raise it for this move",
    )
