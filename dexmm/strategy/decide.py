"""decide: what we should hold, and what we refuse to do.

    look        the snapshot with what is remembered of earlier ones
    guards      everything that bites now, wanted action or not
    state       HALTED before REDUCING before ACTIVE
    trigger     a reason for a fresh target; none, and what is held is the target
    strategy    ranges for this situation; dust is dropped
    wanted      is the difference small enough, and worth its gas?

Whenever anything holds the action back, the target is what is held: a refusal never raises
exposure. In REDUCING a refusal of entry still lets go of what buys.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise, record
from dexmm.model.decision import (
    Decision,
    Refusal,
    State,
    TargetPosition,
    TargetSwap,
    Trigger,
)
from dexmm.model.snapshot import Snapshot
from dexmm.strategy.context.context import Look, look, situation
from dexmm.strategy.context.market_limits import ETHER
from dexmm.strategy.exposure.fair_price import price_spread
from dexmm.strategy.exposure.range_capacity import answerable
from dexmm.strategy.pay.trigger import (
    aside_words,
    must_bring_back,
    provides_by_pay,
    rerange_gas,
    worth_it,
)
from dexmm.strategy.ranges.liquidity_diff import Difference, difference
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.gas_economics import GAS_ORACLE_SLOT, gas_price, near_rungs
from dexmm.strategy.rebalance.pool_swap import last_resort
from dexmm.strategy.rebalance.stop_loss_target import reduction, sale, untouched
from dexmm.strategy.rebalance.triggers import Wanted, first_trigger
from dexmm.strategy.risk.action_guards import refuse_wanted
from dexmm.strategy.risk.exchange_guards import biting_there
from dexmm.strategy.risk.guards import Bite, Blocks, biting
from dexmm.strategy.trading.decide_trades import Dealing, deal
from dexmm.units import Liquidity

HALTING = {"halted", "drawdown", "drawdown_hold"}
NO_ENTRY = {Blocks.ENTRY, Blocks.ALL}
FOLLOWING = {Trigger.EDGE, Trigger.FILLED, Trigger.INVENTORY, Trigger.REGIME, Trigger.AGE}
BY_PAY = {Trigger.START, Trigger.PAY}
MOST_SLOTS_AT_ONCE = 400  # of the oracle: about 9M gas, well inside a block

Targets = tuple[TargetPosition, ...]


@record
class Choice:
    targets: Targets
    reason: str
    trigger: Trigger | None = None
    swap: TargetSwap | None = None
    refusals: tuple[Refusal, ...] = ()  # beyond the guards that bite anyway
    withheld: bool = False


@precise
def decide(snapshot: Snapshot, config: Config) -> Decision:
    """The target for this snapshot. Pure: the same snapshot and configuration decide alike."""
    seen = look(snapshot, config)
    bites = biting(seen) + biting_there(seen)
    state = state_of(seen, bites)
    dealing = deal(seen, state, bites)
    choice = choose(seen, state, bites, dealing)
    return Decision(
        state=state,
        trigger=choice.trigger or dealing.trigger,
        reason=f"{dealing.reason}; {choice.reason}" if dealing.reason else choice.reason,
        targets=choice.targets,
        swap=choice.swap,
        observation_cardinality=_cardinality(seen, state, bites),
        refusals=(*[bite.refusal for bite in bites], *choice.refusals, *dealing.refusals),
        withheld=choice.withheld or dealing.withheld,
        fair_price=seen.fair,
        share=seen.inventory.share,
        nav=seen.inventory.nav,
        sigma=seen.sigma,
        trades=dealing.trades,
        quotes=dealing.quotes,
        carried_base=dealing.carried,
        below_minimum=dealing.below_minimum,
        spread_bp=price_spread(seen.sources),
        opportunities=dealing.opportunities,
    )


def state_of(seen: Look, bites: tuple[Bite, ...]) -> State:
    if bites and any(bite.refusal.rule in HALTING for bite in bites):
        return State.HALTED
    return State.REDUCING if seen.known.reducing else State.ACTIVE


def choose(seen: Look, state: State, bites: tuple[Bite, ...], dealing: Dealing) -> Choice:
    held = seen.holding.targets
    waiting = [flight for flight in seen.view.in_flight if not flight.mined]
    if state is State.HALTED:
        return Choice(targets=held, reason="halted: only withdraw acts")
    if waiting:
        return Choice(
            targets=held, reason=f"waiting for the {waiting[0].step} at nonce {waiting[0].nonce}"
        )
    if state is State.REDUCING:
        return _reducing(seen, held, bites, dealing)
    return _active(seen, held, bites, dealing)


def _active(seen: Look, held: Targets, bites: tuple[Bite, ...], dealing: Dealing) -> Choice:
    blocked = any(bite.blocks in NO_ENTRY for bite in bites)
    if dealing.swap is not None:
        reason = "the pool is the cheapest way"
        return Choice(targets=held, reason=reason, trigger=Trigger.BAND, swap=dealing.swap)
    if not dealing.correcting and (swap := last_resort(seen)) is not None:
        reason = "ranges could not bring the share back into its band: the pool must"
        if blocked:
            return Choice(targets=held, reason=reason, trigger=Trigger.BAND, withheld=True)
        return Choice(targets=held, reason=reason, trigger=Trigger.BAND, swap=swap)
    wanted = first_trigger(seen)
    if wanted is None or (wanted[0] is Trigger.BAND and dealing.correcting):
        if provides_by_pay(seen) and not held:
            return Choice(targets=held, reason=f"standing aside: {aside_words(seen)}")
        return Choice(targets=held, reason="what is held is what is wanted")
    if wanted[0] in FOLLOWING:
        blocked = blocked or any(bite.blocks is Blocks.FOLLOWING for bite in bites)
    return _fresh(seen, held, wanted, blocked)


def _fresh(seen: Look, held: Targets, wanted: Wanted, blocked: bool) -> Choice:
    trigger, reason = wanted
    targets = fresh_targets(seen)
    change = difference(seen.view.positions, targets, seen.settings.liquidity_tolerance_bp)
    if not change or _dust(seen, change):
        idle = "there is nothing to deploy" if not held else "what is held serves it already"
        return Choice(targets=held, reason=f"{reason}, but {idle}")
    if trigger in BY_PAY and provides_by_pay(seen) and not worth_it(seen, change, targets):
        return Choice(targets=held, reason=f"{reason}, but a change does not earn its gas")
    refusals = refuse_wanted(seen, trigger, change, targets)
    if blocked or refusals:
        return Choice(
            targets=held, reason=reason, trigger=trigger, refusals=refusals, withheld=True
        )
    return Choice(targets=targets, reason=reason, trigger=trigger)


def _dust(seen: Look, change: Difference) -> bool:
    """Whether a change only takes out parts of positions that are worth less than a position.

    Anybody may add liquidity to ours. What they give is ours, and no reason to pay gas.
    """
    if change.more or any(part.burn for part in change.less):
        return False
    here = situation(seen, near=0)
    least = seen.settings.min_position_quote.scaleb(seen.view.market.quote.decimals)
    excess = sum(
        (
            here.value(*here.ladder.range_of(part.position), Decimal(part.liquidity))
            for part in change.less
        ),
        Decimal(0),
    )
    return excess < least


def _reducing(seen: Look, held: Targets, bites: tuple[Bite, ...], dealing: Dealing) -> Choice:
    if dealing.slicing:
        return Choice(targets=held, reason="the stop-loss holds: the exchange sells its part")
    no_entry = any(bite.blocks in NO_ENTRY for bite in bites if not _pace(bite))
    stuck = any(bite.blocks is Blocks.ALL for bite in bites)
    if seen.config.guards.stop_loss_in_pool == "band":
        return _left_to_exchange(seen, held, stuck=stuck)
    if seen.config.guards.stop_loss_in_pool == "swap":
        return _selling(seen, held, no_entry=no_entry, stuck=stuck)
    less = reduction(seen)
    here = situation(seen, near=0)
    due = without_dust(here, less.slice, seen)
    targets = less.staying
    if due and not no_entry:
        targets = _beside(seen, less.kept, as_targets(here, due))
    change = difference(seen.view.positions, targets, seen.settings.liquidity_tolerance_bp)
    if stuck:
        wanted = bool(change) or bool(due)
        return Choice(
            targets=held,
            reason="the stop-loss holds",
            trigger=Trigger.STOP_LOSS if wanted else None,
            withheld=wanted,
        )
    withheld = bool(due) and no_entry
    if not change:
        return Choice(
            targets=held,
            reason="the stop-loss holds: what is held stays",
            trigger=Trigger.STOP_LOSS if withheld else None,
            withheld=withheld,
        )
    return Choice(
        targets=targets,
        reason="the stop-loss holds: its part is offered above the price, or out once it is sold",
        trigger=Trigger.STOP_LOSS,
        withheld=withheld,
    )


def _left_to_exchange(seen: Look, held: Targets, *, stuck: bool) -> Choice:
    """The pool sells nothing of the part."""
    reason = "the stop-loss holds: what is left of its part waits for the exchange"
    staying = untouched(seen)
    if not difference(seen.view.positions, staying, seen.settings.liquidity_tolerance_bp):
        return Choice(targets=held, reason=reason)
    return Choice(
        targets=held if stuck else staying,
        reason=f"{reason}; the range that offered it goes",
        trigger=Trigger.STOP_LOSS,
        withheld=stuck,
    )


def _selling(seen: Look, held: Targets, *, no_entry: bool, stuck: bool) -> Choice:
    """The part is swapped in the pool, from what is idle in the wallet."""
    now = sale(seen)
    reason = "the stop-loss holds: its part is sold in the pool"
    if now.swap is not None:
        blocked = no_entry or stuck
        return Choice(
            targets=held,
            reason=reason,
            trigger=Trigger.STOP_LOSS,
            swap=None if blocked else now.swap,
            withheld=blocked,
        )
    change = difference(seen.view.positions, now.staying, seen.settings.liquidity_tolerance_bp)
    if not change:
        return Choice(targets=held, reason=reason)
    return Choice(
        targets=held if stuck else now.staying,
        reason=f"{reason}, with what ranges that buy give back",
        trigger=Trigger.STOP_LOSS,
        withheld=stuck,
    )


def _beside(seen: Look, kept: Targets, new: Targets) -> Targets:
    """Both, lowest first; where both have a range, the new one."""
    ticks = {(t.tick_lower, t.tick_upper) for t in new}
    both = (*(t for t in kept if (t.tick_lower, t.tick_upper) not in ticks), *new)
    return tuple(sorted(both, key=lambda t: seen.ladder.rungs(t.tick_lower, t.tick_upper)))


def _pace(bite: Bite) -> bool:
    """Slices have a pace of their own."""
    return bite.refusal.rule == "min_interval"


def fresh_targets(seen: Look) -> Targets:
    """What the strategy wants now, without what would be dust."""
    here = replace(
        situation(seen, near_rungs(seen)),
        settings=answerable(seen),
        gas_quote=rerange_gas(seen),
        bring_back=must_bring_back(seen),
    )
    shape = STRATEGIES[seen.settings.name].shape
    return as_targets(here, without_dust(here, shape(here), seen))


def without_dust(here: Situation, found: tuple[Range, ...], seen: Look) -> tuple[Range, ...]:
    least = seen.settings.min_position_quote.scaleb(seen.view.market.quote.decimals)
    return tuple(r for r in found if here.value(r.bid, r.ask, Decimal(r.liquidity)) >= least)


def as_targets(here: Situation, found: tuple[Range, ...]) -> Targets:
    """Lowest first, so that equal targets are equal tuples."""
    targets = []
    for wanted in sorted(found, key=lambda r: (r.bid, r.ask)):
        lower, upper = here.ladder.ticks(wanted.bid, wanted.ask)
        targets.append(
            TargetPosition(
                tick_lower=lower,
                tick_upper=upper,
                liquidity=Liquidity(wanted.liquidity),
                role=wanted.role,
            )
        )
    return tuple(targets)


def _cardinality(seen: Look, state: State, bites: tuple[Bite, ...]) -> int:
    """The oracle slots to have after this turn: paid for in steps that the day's gas can bear."""
    now = int(seen.view.pool.observation_cardinality_next)
    wanted = seen.config.guards.observation_cardinality
    if wanted <= now:
        return now
    barred = {"gas_cap", "gas_reserve"} & {bite.refusal.rule for bite in bites}
    stuck = any(bite.blocks is Blocks.ALL for bite in bites)
    if barred or stuck or state is State.HALTED or seen.view.in_flight:
        return now
    left = seen.config.gas.daily_budget_eth * ETHER - seen.known.gas_spent_today
    each = GAS_ORACLE_SLOT * gas_price(seen.view, seen.config)
    payable = int(left / each) if each else MOST_SLOTS_AT_ONCE
    return min(wanted, now + max(min(payable, MOST_SLOTS_AT_ONCE), 0))
