"""What was done, refused, filled and paid in a stretch of the journal, event by event. Pure.

A guard that bites in several turns running is one refusal with its first and its last turn. A turn
that does nothing is counted and not told. Times are timestamps in seconds, money is in quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from dexmm.model.decision import Refusal
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent, Purpose
from dexmm.model.steps import Outcome
from dexmm.performance.entry_text import is_routine, outcome_words
from dexmm.performance.fills import Filled, filled
from dexmm.performance.track.entry_facts import gas_quote, halted, kind_of, paired
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import Outage, uptime
from dexmm.store.journal import Resumed

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One step that was begun, whatever became of it."""

    at: int
    turn: int
    kind: str  # deposit, rerange, exit, swap, approve, hedge, ...
    status: str  # as in ``Outcome``
    trigger: str  # why the turn acted; empty where nothing did, as for a settled transaction
    reason: str
    said: str  # what was done, in words
    gas_wei: int
    gas_quote: Decimal
    tx_hash: str
    block: int
    order: OrderIntent | None = None  # of an exchange step: what became of it in the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A guard over the turns running in which it bit."""

    rule: str
    began: int
    ended: int  # the last turn that it bit in
    turns: int
    withheld: bool  # it held back a wanted action
    routine: bool  # part of an ordinary day
    detail: str  # the facts, the first time


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The state since a turn, and why."""

    at: int
    turn: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    market: str
    network: str
    base: str
    quote: str
    began: int
    ended: int
    turns: int
    first_turn: int
    last_turn: int
    nav_start: Decimal  # as the first turn and the last one saw it, gas not taken off
    nav_end: Decimal
    share_start: Decimal
    share_end: Decimal
    actions: tuple[Done, ...]
    refusals: tuple[Held, ...]
    fills: tuple[OrderIntent, ...]
    pool: Filled  # what others traded through our ranges
    gas_wei: int
    gas_quote: Decimal
    states: tuple[Changed, ...]  # the first one's, and every change
    outages: tuple[Outage, ...]
    resumes: tuple[Resumed, ...]


@dataclass(slots=True)
class Collector:
    """Is shown every turn in order, and then the whole."""

    actions: list[tuple[Done, Outcome, Market]] = field(default_factory=list)
    refusals: list[Held] = field(default_factory=list)
    states: list[Changed] = field(default_factory=list)
    first: Entry | None = None
    last: Entry | None = None
    turns: int = 0
    _open: dict[tuple[str, bool], Held] = field(default_factory=dict)

    def __call__(self, entry: Entry) -> None:
        self.turns += 1
        self.first = self.first or entry
        self.last = entry
        self.actions += _done(entry)
        state = entry.decision.state.value
        if not self.states or self.states[-1].state != state:
            reason = halted(entry) or entry.decision.reason
            self.states.append(Changed(at=entry.at, turn=entry.id, state=state, reason=reason))
        self._hold(entry)

    def activity(
        self, track: Track, market: str, network: str, resumes: tuple[Resumed, ...] = ()
    ) -> Activity:
        """At least one turn was shown, and ``track`` is of the same ones."""
        first, last, seen = self.first, self.last, uptime(track)
        assert first is not None and last is not None  # noqa: S101, PT018 - as promised
        orders = {order.client_id: order for order in track.orders}
        actions = tuple(_in_the_end(*action, orders) for action in self.actions)
        return Activity(
            market=market,
            network=network,
            base=track.base,
            quote=track.quote,
            began=seen.began,
            ended=seen.ended,
            turns=self.turns,
            first_turn=first.id,
            last_turn=last.id,
            nav_start=first.decision.nav,
            nav_end=last.decision.nav,
            share_start=first.decision.share,
            share_end=last.decision.share,
            actions=actions,
            refusals=tuple(sorted([*self.refusals, *self._open.values()], key=lambda h: h.began)),
            fills=tuple(order for order in track.orders if order.filled),
            pool=filled(track),
            gas_wei=sum(action.gas_wei for action in actions),
            gas_quote=sum((action.gas_quote for action in actions), ZERO),
            states=tuple(self.states),
            outages=seen.outages,
            resumes=tuple(
                each
                for each in resumes
                if seen.began <= each.at <= seen.ended or first.id <= each.after_turn <= last.id
            ),
        )

    def _hold(self, entry: Entry) -> None:
        bites: dict[tuple[str, bool], Refusal] = {}
        for refusal in entry.decision.refusals:
            bites.setdefault((refusal.rule, entry.decision.withheld), refusal)
        for outcome in entry.outcomes:
            if outcome.refusal is not None:
                bites.setdefault((outcome.refusal.rule, True), outcome.refusal)
        for key in [key for key in self._open if key not in bites]:
            self.refusals.append(self._open.pop(key))
        for key, refusal in bites.items():
            before = self._open.get(key)
            self._open[key] = Held(
                rule=refusal.rule,
                began=before.began if before else entry.at,
                ended=entry.at,
                turns=before.turns + 1 if before else 1,
                withheld=key[1],
                routine=refusal.routine,
                detail=before.detail if before else refusal.detail,
            )


def quote_fills(found: Activity) -> Iterator[OrderIntent]:
    """Fills that no action tells: a quote rests, and is filled in any turn."""
    return (order for order in found.fills if order.purpose is Purpose.QUOTE)


def _done(entry: Entry) -> Iterator[tuple[Done, Outcome, Market]]:
    market, trigger = entry.snapshot.chain.market, entry.decision.trigger
    for step, outcome in paired(entry):
        if is_routine(outcome) or outcome.refusal is not None:
            continue
        done = Done(
            at=entry.at,
            turn=entry.id,
            kind=kind_of(step, outcome),
            status=outcome.status,
            trigger=trigger.value if trigger is not None else "",
            reason=entry.decision.reason,
            said=outcome_words(outcome, market, short=True),
            gas_wei=outcome.gas_used * outcome.gas_price,
            gas_quote=gas_quote(entry, (outcome,)),
            tx_hash=outcome.tx_hash,
            block=outcome.block,
            order=outcome.order,
        )
        yield done, outcome, market


def _in_the_end(
    done: Done, outcome: Outcome, market: Market, orders: Mapping[str, OrderIntent]
) -> Done:
    """An order that rested after its turn may have filled since: the order log has it."""
    if done.order is None or done.order.client_id not in orders:
        return done
    order = orders[done.order.client_id]
    if order.filled == done.order.filled and order.status is done.order.status:
        return done
    said = outcome_words(replace(outcome, order=order, detail=""), market, short=True)
    return replace(done, order=order, said=said)
