"""plan: the difference between what is held and what is wanted, as steps.

    exchange    orders, as ``strategy/trading/plan_orders.py`` plans them
    settle      while one of our transactions is open, nothing else on chain
    oracle      more slots, when wanted
    approve     what the mints may take and is not allowed yet, exactly
    rerange     removals and mints in one transaction
    swap        the last resort, alone

What mints may take never exceeds the wallet plus the least that the removals pay in the corridor
of prices, so that a re-range cannot fail for want of a token.
"""

from __future__ import annotations

from typing import Literal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.decision import Decision, State, TargetSwap
from dexmm.model.intent import InFlight
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import (
    Allowance,
    Approve,
    Mint,
    RaiseCardinality,
    Removal,
    Rerange,
    Settle,
    Step,
)
from dexmm.strategy.context.context import looked
from dexmm.strategy.exits import swap_steps
from dexmm.strategy.ranges.liquidity_diff import Difference, Less, More, difference
from dexmm.strategy.ranges.slippage_bounds import mint_minimums, removal_minimums
from dexmm.strategy.trading.plan_orders import plan_orders
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity_rounding_up
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import Amount0, Amount1, Liquidity

RERANGE_DEADLINE_SECONDS = 600
UNLIMITED = 2**256 - 1


def plan(snapshot: Snapshot, decision: Decision, config: Config) -> tuple[Step, ...]:
    """The steps from what is held to what was decided; empty when there is nothing to do."""
    return () if _nothing_to_do(snapshot, decision, config) else _plan(snapshot, decision, config)


def _nothing_to_do(snapshot: Snapshot, decision: Decision, config: Config) -> bool:
    """Whether the targets are known to be just what is held: so most turns end."""
    view, seen = snapshot.chain, looked(snapshot, config)
    return (
        seen is not None
        and decision.targets is seen.holding.targets
        and decision.swap is None
        and snapshot.venue is None
        and not view.in_flight
        and decision.observation_cardinality <= view.pool.observation_cardinality_next
    )


@precise
def _plan(snapshot: Snapshot, decision: Decision, config: Config) -> tuple[Step, ...]:
    there = _exchange(snapshot, decision, config)
    return (*there, *_chain(snapshot, decision, config))


def _exchange(snapshot: Snapshot, decision: Decision, config: Config) -> tuple[Step, ...]:
    if snapshot.venue is None:
        return ()
    hedge = snapshot.memory.hedge_order
    return plan_orders(snapshot.venue, decision.trades, decision.quotes, config, hedge=hedge)


def _chain(snapshot: Snapshot, decision: Decision, config: Config) -> tuple[Step, ...]:
    view = snapshot.chain
    waiting = [flight for flight in view.in_flight if not flight.mined]
    if waiting:
        return _settle(snapshot, waiting, decision.state, config)
    if decision.state is State.HALTED:
        return ()
    steps: list[Step] = []
    if decision.observation_cardinality > view.pool.observation_cardinality_next:
        steps.append(
            RaiseCardinality(observation_cardinality_next=decision.observation_cardinality)
        )
    if decision.swap is not None:
        return (*steps, *_swap(view, decision.swap, config))
    change = difference(view.positions, decision.targets, config.strategy.liquidity_tolerance_bp)
    return (*steps, *(_rerange(view, change, config) if change else ()))


def _settle(
    snapshot: Snapshot, waiting: list[InFlight], state: State, config: Config
) -> tuple[Step, ...]:
    """One step for each open transaction, in the order in which they can be mined."""
    return tuple(
        Settle(intent_id=flight.intent_id, action=_action(snapshot, flight, state, config))
        for flight in sorted(waiting, key=lambda f: f.nonce)
    )


def _action(
    snapshot: Snapshot, flight: InFlight, state: State, config: Config
) -> Literal["wait", "replace", "cancel"]:
    """Wait, offer more, or take it back.

    A waiting exit is only ever offered more. Anything else is taken back when the world has
    halted, or when it has waited so long that its reason is stale; the wait since its *first*
    attempt is what counts for that, and the memory knows it.
    """
    waited = flight.blocks_waiting
    if flight.intent_id == snapshot.memory.waiting_intent:
        waited = max(waited, snapshot.chain.block.number - snapshot.memory.waiting_block)
    stale = state is State.HALTED or waited >= config.gas.cancel_after_blocks
    if stale and not flight.is_exit and not flight.cancelling:
        return "cancel"
    return "replace" if flight.blocks_waiting >= config.gas.replace_after_blocks else "wait"


def _rerange(view: ChainView, change: Difference, config: Config) -> tuple[Step, ...]:
    removals = (
        *(_removal(view, part, config) for part in change.less),
        *_emptied(view),
    )
    mints = _mints(view, change.more, _available(view, removals), config)
    if not removals and not mints:
        return ()
    deadline = view.block.timestamp + RERANGE_DEADLINE_SECONDS
    return (
        *_approve(view, mints, config),
        Rerange(removals=removals, mints=mints, deadline=deadline),
    )


def _removal(view: ChainView, part: Less, config: Config) -> Removal:
    position = part.position
    amount0_min, amount1_min = removal_minimums(
        view.pool.sqrt_price_x96,
        position.tick_lower,
        position.tick_upper,
        part.liquidity,
        config.guards.slippage_bp,
    )
    return Removal(
        token_id=position.token_id,
        liquidity=Liquidity(part.liquidity),
        amount0_min=amount0_min,
        amount1_min=amount1_min,
        burn=part.burn,
    )


def _emptied(view: ChainView) -> tuple[Removal, ...]:
    """NFTs without liquidity that are still owed something: swept while we are at it."""
    return tuple(
        Removal(
            token_id=position.token_id,
            liquidity=Liquidity(0),
            amount0_min=Amount0(0),
            amount1_min=Amount1(0),
            burn=True,
        )
        for position in view.positions
        if position.liquidity == 0
    )


def _available(view: ChainView, removals: tuple[Removal, ...]) -> tuple[int, int]:
    """The wallet, and the least that these removals put into it."""
    fees = {p.token_id: (p.fees0, p.fees1) for p in view.positions}
    amount0 = sum(r.amount0_min + fees[r.token_id][0] for r in removals)
    amount1 = sum(r.amount1_min + fees[r.token_id][1] for r in removals)
    return view.wallet.amount0 + amount0, view.wallet.amount1 + amount1


def _mints(
    view: ChainView, more: tuple[More, ...], available: tuple[int, int], config: Config
) -> tuple[Mint, ...]:
    left0, left1 = available
    mints = []
    for part in more:
        ticks = (part.target.tick_lower, part.target.tick_upper)
        wanted0, wanted1 = get_amounts_for_liquidity_rounding_up(
            view.pool.sqrt_price_x96,
            get_sqrt_ratio_at_tick(ticks[0]),
            get_sqrt_ratio_at_tick(ticks[1]),
            part.liquidity,
        )
        desired = (min(wanted0, left0), min(wanted1, left1))
        left0, left1 = left0 - desired[0], left1 - desired[1]
        amount0_min, amount1_min = mint_minimums(
            view.pool.sqrt_price_x96, ticks, desired, config.guards.slippage_bp
        )
        mints.append(
            Mint(
                tick_lower=part.target.tick_lower,
                tick_upper=part.target.tick_upper,
                amount0_desired=Amount0(desired[0]),
                amount1_desired=Amount1(desired[1]),
                amount0_min=amount0_min,
                amount1_min=amount1_min,
                role=part.target.role,
                token_id=part.token_id,
            )
        )
    return tuple(mints)


def _approve(view: ChainView, mints: tuple[Mint, ...], config: Config) -> tuple[Approve, ...]:
    needs = (
        (view.market.token0, sum(m.amount0_desired for m in mints), view.wallet.allowance0),
        (view.market.token1, sum(m.amount1_desired for m in mints), view.wallet.allowance1),
    )
    allowances = tuple(
        Allowance(
            token=token.address,
            spender=view.market.position_manager,
            amount=UNLIMITED if config.gas.approvals == "unlimited" else needed,
            current=current,
        )
        for token, needed, current in needs
        if needed > current
    )
    return (Approve(allowances=allowances),) if allowances else ()


def _swap(view: ChainView, swap: TargetSwap, config: Config) -> tuple[Step, ...]:
    return swap_steps(
        view,
        zero_for_one=swap.zero_for_one,
        amount_in=swap.amount_in,
        amount_out_minimum=swap.amount_out_minimum,
        slippage_bp=config.guards.slippage_bp,
    )
