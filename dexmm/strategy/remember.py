"""remember: what a turn leaves for the next one.

The observation is already in it (``strategy/context/memory_update.py``); here the decision and what
became of the steps are added. Derived, never the truth: a lost memory costs statistics and timers,
not money.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.decision import Decision, State
from dexmm.model.memory import Memory, evolve
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import Outcome
from dexmm.strategy.context.context import Look, look
from dexmm.strategy.context.own_positions import MOST_PLACED
from dexmm.strategy.pay.trigger import pay_since
from dexmm.strategy.rebalance.triggers import promise_in_doubt
from dexmm.strategy.trading.order_memory import EXCHANGE_STEPS, remember_orders

ZERO = Decimal(0)
LATCHING = {"drawdown", "drawdown_hold"}
MOVES = {"rerange", "swap"}
# Two epochs: no reorganisation of mainnet reaches further back.
DEEPEST_REORG_SECONDS = 768
CLOCKS = (
    "seen_at",
    "last_time",
    "edge_since",
    "band_since",
    "promise_since",
    "last_action_at",
    "last_rerange_at",
    "last_slice_at",
    "fees_since",
    "unsettled_at",
    "last_hedge_at",
    "fee_growth_at",
    "pool_price_at",
    "pay_since",
    "order_refused_at",
)
# After anything else nobody can say whether the wallet's balances are still what was observed.
UNTOUCHED = {"refused", "skipped"}
SENT = {"mined", "reverted", "pending"}


def rewound(memory: Memory, now: int) -> Memory:
    """The memory for a chain whose clock stands before it: a reorganisation, a node that lags, or
    a sandbox that was taken back or started again.

    ``now`` is the newest block's timestamp, seconds. No timer starts in the future: each that does
    starts now. After more than a reorganisation the last action happened on a chain that is gone,
    and nothing has to wait for it.
    """
    if memory.seen_at is None or memory.seen_at <= now:
        return memory
    changes: dict[str, int | None] = {
        name: now for name in CLOCKS if (getattr(memory, name) or 0) > now
    }
    if memory.seen_at - now > DEEPEST_REORG_SECONDS and (memory.last_action_at or 0) > now:
        changes["last_action_at"] = None
    return evolve(memory, **changes)


@precise
def remember(
    snapshot: Snapshot,
    decision: Decision,
    outcomes: tuple[Outcome, ...],
    config: Config,
) -> Memory:
    """The memory for the next turn."""
    now = snapshot.chain.block.timestamp
    seen = look(snapshot, config)
    memory = remember_orders(seen, decision, outcomes, seen.known)
    if outcomes:
        outcomes = tuple([o for o in outcomes if o.step not in EXCHANGE_STEPS])
        memory = _gas(memory, outcomes)
    acted = any(o.step == "rerange" and o.status in SENT for o in outcomes)
    promise, pay = _promise_since(seen), pay_since(seen, acted=acted)
    if (promise, pay) != (memory.promise_since, memory.pay_since):
        memory = evolve(memory, promise_since=promise, pay_since=pay)
    if minted := tuple(m.token_id for o in outcomes if o.status == "mined" for m in o.minted):
        memory = evolve(memory, placed=(*memory.placed, *minted)[-MOST_PLACED:])
    tripped = [r.detail for r in decision.refusals if r.rule in LATCHING]
    if tripped and not memory.halted:
        memory = evolve(memory, halted=tripped[0])
    if memory.capital_moved and decision.trigger is None and not decision.withheld:
        memory = evolve(memory, capital_moved=_still_open(snapshot))
    if not outcomes:
        return memory
    if any(outcome.status not in UNTOUCHED for outcome in outcomes):
        memory = evolve(memory, wallet_amount0=None, wallet_amount1=None)
    if any(o.step in MOVES and o.status in SENT for o in outcomes):
        memory = evolve(memory, last_action_at=now)
    if decision.state is State.REDUCING:
        memory = _swapped(seen, decision, outcomes, memory)
    if any(o.step == "rerange" and o.status == "mined" for o in outcomes):
        if decision.state is State.REDUCING:  # the ranges that stay are as old as they were
            return _offered(seen, memory, outcomes, minted)
        memory = evolve(
            memory,
            last_rerange_at=now,
            sigma_at_rerange=decision.sigma,
            edge_since=None,
            capital_moved=False,
            traded_base=ZERO,
            traded_quote=ZERO,
            hedged_base=ZERO,
            hedged_quote=ZERO,
            promise_since=None,
        )
    return memory


def _offered(
    seen: Look, memory: Memory, outcomes: tuple[Outcome, ...], minted: tuple[int, ...]
) -> Memory:
    """The stop-loss's part is offered in another range, or in none any more."""
    made = [m for o in outcomes if o.status == "mined" for m in o.minted]
    base, _ = seen.view.market.base_quote(
        sum(m.amount0 for m in made), sum(m.amount1 for m in made)
    )
    return evolve(
        memory,
        last_slice_at=seen.now,
        stop_loss_offers=memory.stop_loss_offers + bool(minted),
        stop_loss_ranges=(*memory.stop_loss_ranges, *minted),
        stop_loss_offered=base if minted else memory.stop_loss_offered,
    )


def _swapped(
    seen: Look, decision: Decision, outcomes: tuple[Outcome, ...], memory: Memory
) -> Memory:
    """What a swap that was sent sells is not sold again, whatever else moves before it is seen."""
    swap = decision.swap
    if swap is None or not any(o.step == "swap" and o.status in SENT for o in outcomes):
        return memory
    amount = Decimal(swap.amount_in).scaleb(-seen.view.market.base.decimals)
    left = max(memory.slice_left - amount, ZERO)
    return evolve(memory, last_slice_at=seen.now, slice_left=left)


def _promise_since(seen: Look) -> int | None:
    """Since when trades on the exchange have put in doubt what the ranges held promise."""
    if not promise_in_doubt(seen):
        return None
    since = seen.known.promise_since
    return seen.now if since is None else since


def _still_open(snapshot: Snapshot) -> bool:
    """While one of ours is in flight, no trigger is looked at, and none has been answered."""
    return any(not flight.mined for flight in snapshot.chain.in_flight)


def _gas(memory: Memory, outcomes: tuple[Outcome, ...]) -> Memory:
    spent = sum(outcome.gas_used * outcome.gas_price for outcome in outcomes)
    if not spent:
        return memory
    return evolve(
        memory,
        gas_spent=memory.gas_spent + spent,
        gas_spent_today=memory.gas_spent_today + spent,
    )
