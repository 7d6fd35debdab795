"""Quotes between two turns: refreshed every few seconds, and gone when the loop is.

A refresh is a turn that only quotes: it looks at chain and exchange, since both make the fair
price, ``decide`` and ``plan`` are the turn's own, and of their steps only those that quote are
carried out. It is not a line of the journal: what it sent and cancelled is in the order log, and
the loop tells it in words (``told``). What a refresh finds that is not quoting (a hedge, a slice, a
triangle) it leaves to a whole turn, which is then due at once.

    refresh      every ``quotes.refresh_seconds``
    an error     ``quotes.back_off_seconds`` of silence; what rests stays, its fills are counted
    a refusal    of the key or the account raises, as in a turn: silence would not mend it
    the end      SIGINT, SIGTERM, HALT or a defect: everything of ours is cancelled
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from dexmm.config.schema import Config
from dexmm.engine.turn import execute, observe, tell_held_back
from dexmm.errors import BadInput, DexmmError, Halt, Transient
from dexmm.model.decision import Refusal, State
from dexmm.model.order import Purpose
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import AmendOrder, CancelAll, CancelOrder, Outcome, PlaceOrder, Step
from dexmm.protocols import Cex, Chain, Clock, Journal
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan

log = logging.getLogger("dexmm.engine.quote_refresher")

DONE_TO_IT = {"cancel_order": "cancelled", "amend_order": "moved"}
CANCEL_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between tries to leave nothing behind


class Quoting:
    """The quotes of one market; ``turned`` tells it what the last turn saw."""

    def __init__(
        self, chain: Chain, cex: Cex, journal: Journal, config: Config, clock: Clock
    ) -> None:
        self.cex = cex
        self.config = config
        self._chain = chain
        self._journal = journal
        self._clock = clock
        self._begun = False
        self._next = 0.0
        self.turn_due = False  # the last refresh found something for a whole turn
        self.refusals: tuple[Refusal, ...] = ()  # what held quotes back at the last refresh
        self._backed_off = False  # since the last refresh that went well

    def turned(self, chain: Chain) -> None:
        """A turn of ``chain``'s market has been made. Before the first, nothing is quoted."""
        if chain is self._chain:
            self.turn_due, self._begun = False, True

    def due_in(self, now: float) -> float:
        """Seconds until the next refresh, by the monotonic clock."""
        return self._next - now

    def refresh(self, stop: Callable[[], str], now: float) -> tuple[Outcome, ...]:
        """Bring the quotes to what is wanted now. An error is logged, and backs off.

        Raises ``Halt`` and ``BadInput`` for what only a person can mend.
        """
        settings = self.config.quotes
        self._next = now + settings.refresh_seconds
        if not self._begun:
            return ()
        try:
            outcomes = self._refresh(stop)
        except (Halt, BadInput):
            raise
        except DexmmError as error:
            outcomes = ()
            problem = error.message
        else:
            problem = next((o.detail for o in outcomes if o.status in {"failed", "pending"}), "")
        if problem:
            self._next = now + settings.back_off_seconds
            log.warning("quotes back off for %d s: %s", settings.back_off_seconds, problem)
        elif self._backed_off:
            log.warning("quotes are refreshed again")
        self._backed_off = bool(problem)
        return outcomes

    def cancel_all(self) -> None:
        """Leave nothing in the book. Raises ``DexmmError`` when that cannot be said."""
        outcome = self.cex.send(CancelAll())
        if outcome.status != "done":
            why = outcome.detail or (outcome.refusal.detail if outcome.refusal else "")
            raise Transient(f"quotes could not be cancelled: {why or outcome.status}")

    def _refresh(self, stop: Callable[[], str]) -> tuple[Outcome, ...]:
        snapshot = observe(self._chain, self._journal, self._clock, self.config, self.cex)
        decision = decide(snapshot, self.config)
        tell_held_back(self.cex, decision)
        self.refusals = decision.refusals
        if decision.state is State.HALTED:
            steps: tuple[Step, ...] = (CancelAll(),)
        else:
            wanted = plan(snapshot, decision, self.config)
            steps = tuple(step for step in wanted if quotes(step, snapshot))
            self.turn_due = any(
                isinstance(step, PlaceOrder) and step.purpose is not Purpose.QUOTE
                for step in wanted
            )
        return execute(self._chain, self._journal, snapshot, steps, self.config, stop, self.cex)


def quotes(step: Step, snapshot: Snapshot) -> bool:
    """Whether a step belongs to quoting: a hedge that rests in the book is the turn's business."""
    if isinstance(step, PlaceOrder):
        return step.purpose is Purpose.QUOTE
    if isinstance(step, CancelOrder | AmendOrder):
        return step.client_id != snapshot.memory.hedge_order
    return isinstance(step, CancelAll)


def told(outcome: Outcome) -> str:
    """What a refresh did, in one line; fills are told by whoever learns of them."""
    order = outcome.order
    what = outcome.step.replace("_", " ")
    if order is not None:
        what = (
            f"{DONE_TO_IT.get(outcome.step, 'placed')} {order.purpose} "
            f"{order.side} {order.amount.normalize():f} {order.symbol} at "
            f"{order.price.normalize():f} ({order.client_id})"
        )
    refused = outcome.refusal
    detail = f"{refused.rule}: {refused.detail}" if refused is not None else outcome.detail
    return f"{what}: {outcome.status}{f', {detail}' if detail else ''}"


def cancel_all(quoting: Iterable[Quoting]) -> None:
    """At the end of the loop, whatever ended it: tried until done, or said loudly."""
    for each in quoting:
        for pause in (*CANCEL_PAUSES, None):
            try:
                each.cancel_all()
                break
            except DexmmError as error:
                if pause is None:
                    log.critical(
                        "%s; cancel what rests by hand, or with `dexmm withdraw`", error.message
                    )
                    break
                log.warning("%s; trying again in %s s", error.message, pause)
                time.sleep(pause)
