"""One turn: observe, decide, plan, execute, record.

There is no recovery path. A restart is just another turn: the chain says what is held, what is
still in flight, and the difference to the target is what remains to be done. What a turn needs
from the world is in ``protocols.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dexmm.config.schema import Config
from dexmm.errors import Transient
from dexmm.model.decision import Decision, Refusal
from dexmm.model.entry import Entry
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Outcome,
    PlaceOrder,
    SetLeverage,
    Simulation,
    Step,
)
from dexmm.protocols import Cex, Chain, Clock, Journal, KeepsRules, Verdict
from dexmm.strategy.context.own_positions import set_aside
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember, rewound
from dexmm.strategy.risk.guards import refuse_simulation
from dexmm.strategy.trading.triangular_arbitrage import resized

HALT_WAS_SET = "HALT was set"

CEX_STEPS = (PlaceOrder, CancelOrder, AmendOrder, CancelAll, SetLeverage)


def never() -> str:
    """Nobody asks a turn to stop between its legs."""
    return ""


def turn(
    chain: Chain,
    journal: Journal,
    config: Config,
    clock: Clock,
    stop: Callable[[], str] = never,
    cex: Cex | None = None,
) -> Entry:
    """One whole turn. Raises ``Transient`` when the world cannot be seen whole: nothing is done.

    ``stop`` is asked before every leg, and answers why no further one may begin.
    """
    snapshot = observe(chain, journal, clock, config, cex)
    decision = decide(snapshot, config)
    tell_held_back(cex, decision)
    steps = plan(snapshot, decision, config)
    outcomes = execute(chain, journal, snapshot, steps, config, stop, cex)
    return journal.record(
        Entry(
            id=0,
            at=snapshot.observed_at,
            config=config.fingerprint(),
            snapshot=snapshot,
            decision=decision,
            steps=steps,
            outcomes=outcomes,
            memory=remember(snapshot, decision, outcomes, config),
        ),
        config,
    )


def observe(
    chain: Chain, journal: Journal, clock: Clock, config: Config, cex: Cex | None = None
) -> Snapshot:
    """Chain and exchange side by side; either one that cannot be read makes the whole absent.

    Positions that others minted to the wallet are set aside.
    """
    if cex is None:
        view, seen = chain.observe(), None
    else:
        with ThreadPoolExecutor(max_workers=1) as beside:
            venue = beside.submit(cex.observe)
            view = chain.observe()
            seen = venue.result()
    memory = rewound(journal.memory(), view.block.timestamp)
    return Snapshot(
        chain=set_aside(view, memory, config),
        venue=seen,
        observed_at=clock(),
        memory=memory,
        halted=journal.halted(),
    )


def tell_held_back(cex: object, decision: Decision) -> None:
    """An order that is not even sent for the exchange's minimum: have it read again soon."""
    if decision.below_minimum and isinstance(cex, KeepsRules):
        cex.doubt_rules()


def execute(
    chain: Chain,
    journal: Journal,
    snapshot: Snapshot,
    steps: tuple[Step, ...],
    config: Config,
    stop: Callable[[], str] = never,
    cex: Cex | None = None,
) -> tuple[Outcome, ...]:
    """Carry out the steps in order; at the first that did not happen, its venue's steps end.

    The chain does not wait for the exchange, nor the other way round. What remains undone is still
    in the difference that the next turn sees. The HALT flag is read before every leg: it may have
    been set by a withdraw since the turn began.
    """

    if not steps:
        return ()

    def verdict(simulation: Simulation) -> Refusal | None:
        return refuse_simulation(snapshot, simulation, config)

    outcomes: list[Outcome] = []
    stopped: set[bool] = set()
    for planned in steps:
        there = isinstance(planned, CEX_STEPS)
        step = _resized(planned, snapshot, tuple(outcomes))
        if there in stopped or step is None:
            stopped.add(there)
            continue
        if reason := _why_not(journal, snapshot, stop):
            outcomes.append(Outcome(step=step.kind, status="skipped", detail=reason))
            break
        try:
            outcome = _send(chain, cex, step, verdict)
        except Transient as error:
            outcome = Outcome(step=step.kind, status="failed", detail=error.message)
        outcomes.append(outcome)
        if outcome.status not in {"mined", "done"}:
            stopped.add(there)
    return tuple(outcomes)


def _resized(step: Step, snapshot: Snapshot, before: tuple[Outcome, ...]) -> Step | None:
    """A later leg of a triangle is no larger than what the leg before it has brought."""
    if isinstance(step, PlaceOrder) and snapshot.venue is not None:
        return resized(step, before, snapshot.venue)
    return step


def _send(chain: Chain, cex: Cex | None, step: Step, verdict: Verdict) -> Outcome:
    if isinstance(step, CEX_STEPS):
        if cex is None:
            return Outcome(step=step.kind, status="failed", detail="no exchange is configured")
        return cex.send(step)
    return chain.send(step, verdict)


def _why_not(journal: Journal, snapshot: Snapshot, stop: Callable[[], str]) -> str:
    """What has changed since the turn began so that its next leg may not."""
    halted = journal.halted()
    if halted and not snapshot.halted:
        return f"{HALT_WAS_SET}: {halted}"
    return stop()
