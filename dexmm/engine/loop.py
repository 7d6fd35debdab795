"""Turns on a schedule: forever, or one for cron; one writer, clean shutdown, honest exit codes.

What happens to an error is decided here and nowhere else. ``Transient`` skips the turn, ``Busy``
leaves the turn to the process that holds the wallet, ``Halt`` sets the HALT flag and ends the
loop. Anything unexpected is a defect: it is logged whole, and several in a row halt.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from dexmm.config.schema import Config
from dexmm.engine.quote_refresher import Quoting, cancel_all, told
from dexmm.engine.turn import HALT_WAS_SET, turn
from dexmm.errors import BadInput, Busy, DexmmError, Halt, NodeError, Transient
from dexmm.model.decision import Refusal, State
from dexmm.model.entry import Entry
from dexmm.model.steps import Outcome
from dexmm.protocols import Cex, Chain, Clock, Flag, Journal, Lease
from dexmm.strategy.risk.guards import for_a_person
from dexmm.withdraw.halted_exit import ExitOnHalt
from dexmm.withdraw.steps import World as ExitWorld

log = logging.getLogger("dexmm.engine.loop")

DONE, REFUSED, HALTED, FAILED = 0, 3, 4, 5

# What a step that ended so says of the turn: its fate is not known, or it did not happen.
NOT_DONE = {"failed", "reverted", "pending"}
ASKED = " was received"

# How long the loop backs off at most while the node does not answer, in intervals.
LONGEST_BACK_OFF = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that turns need."""

    chain: Chain
    journal: Journal
    lease: Lease
    flag: Flag
    config: Config
    clock: Clock
    cex: Cex | None = None
    exit_means: Callable[[str, bool], ExitWorld] | None = None  # see ``exit_of``
    moved: Callable[[], None] | None = None  # forgets what others have seen of a shared wallet


class Shutdown:
    """SIGINT, SIGTERM and a lost terminal's SIGHUP ask once: the leg in hand is finished, then
    nothing more is begun."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.name = ""

    def ask(self, name: str) -> None:
        self.name = name
        self._asked.set()

    def reason(self) -> str:
        """Why no further leg may begin; empty when it may."""
        return f"{self.name}{ASKED}" if self._asked.is_set() else ""

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until someone asks; whether someone did."""
        return self._asked.wait(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            self.ask(signal.Signals(number).name)

        before = {number: signal.signal(number, handle) for number in stopping_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stopping_signals() -> tuple[signal.Signals, ...]:
    """Those that ask a process to end in good order. A hang-up that the caller has chosen to
    ignore (``nohup``) stays ignored."""
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)


def run_once(world: World, shutdown: Shutdown) -> Entry:
    """One turn with the wallet held throughout. Raises as ``turn`` does, and ``Busy``."""
    with world.lease.held():
        return turn(
            world.chain,
            world.journal,
            world.config,
            world.clock,
            stop=shutdown.reason,
            cex=world.cex,
        )


def run_forever(
    worlds: World | Sequence[World], shutdown: Shutdown, seen: Callable[[Entry], None]
) -> int:
    """Turns until someone asks to stop. Returns the process's exit code.

    Of several worlds, which share one wallet, each has its turn in order. ``seen`` is called with
    every entry: to print it, to count it. Quotes are refreshed between turns. Whatever ends the
    loop cancels every order of ours that may rest, quotes and hedges, and disarms the exchange's
    dead-man's switch. After a signal, markets that quote are looked at once more.
    """
    markets = (worlds,) if isinstance(worlds, World) else tuple(worlds)
    resting = [
        Quoting(w.chain, w.cex, w.journal, w.config, w.clock)
        for w in markets
        if w.cex is not None and _may_rest(w.config)
    ]
    try:
        quoting = [each for each in resting if each.config.quotes.enabled]
        code = _turns(markets, quoting, shutdown, seen)
    finally:
        cancel_all(resting)
    if code == DONE:
        for world in markets:
            if world.cex is not None and world.config.quotes.enabled:
                _last_look(world, shutdown)
    return code


def _last_look(world: World, shutdown: Shutdown) -> None:
    """A turn of which no step begins any more: what refreshes and the last cancels have found out
    (fills, and what they cost in other coins) is remembered, so that the guards of the next process
    count it. One that cannot be made costs nothing else.
    """
    try:
        run_once(world, shutdown)
    except DexmmError as error:
        log.info("what filled at last is not in the journal yet: %s", error.message)


def _may_rest(config: Config) -> bool:
    """Whether orders of this market can be in a book between two turns."""
    return config.quotes.enabled or (config.hedge.enabled and config.hedge.style != "ioc")


def _turns(
    worlds: Sequence[World],
    quoting: Sequence[Quoting],
    shutdown: Shutdown,
    seen: Callable[[Entry], None],
) -> int:
    silent = unexpected = 0
    settings = worlds[0].config.loop
    exits = {id(world): exit_of(world, several=len(worlds) > 1) for world in worlds}
    skipped = {id(world): Skipped() for world in worlds}
    while True:
        answered = True
        for world in worlds:
            try:
                entry = run_once(world, shutdown)
                unexpected = 0
                skipped[id(world)].over(world.config.market.name if len(worlds) > 1 else "")
                for each in quoting:
                    each.turned(world.chain)
                seen(entry)
                if len(worlds) == 1:
                    keep_halted(world, entry)
                exits[id(world)].after(entry.memory.halted, entry)
            except Halt as error:
                log.critical("halted: %s", error.message)
                world.flag.set(error.message)
                return HALTED
            except Busy as error:
                skipped[id(world)].one(error)
            except Transient as error:
                answered = False
                skipped[id(world)].one(error)
                exit_unseen(world, exits[id(world)])
            except BadInput:
                raise
            except Exception:
                unexpected += 1
                log.exception("a turn failed in a way nobody foresaw")
                if unexpected >= settings.halt_after_errors:
                    reason = f"{unexpected} turns in a row failed unexpectedly; see the log"
                    log.critical("halted: %s", reason)
                    world.flag.set(reason)
                    return HALTED
        silent = 0 if answered else silent + 1
        try:
            ended = _wait(worlds[0], quoting, shutdown, _pause(settings.interval_seconds, silent))
        except Halt as error:  # from a refresh; the flag is the same for all markets
            worlds[0].flag.set(error.message)
            log.critical("halted: %s", error.message)
            return HALTED
        if ended:
            log.info("stopped: %s", shutdown.reason())
            return DONE


@dataclass(slots=True)
class Skipped:
    """The turns in a row that one market could not take, so that the end of it is told as well.

    Both are warnings: whoever reads no more than warnings must not be left with the trouble.
    """

    turns: int = 0
    node: bool = True  # whether it was the node each time

    def one(self, error: DexmmError) -> None:
        self.turns += 1
        self.node = self.node and isinstance(error, NodeError)
        log.warning("turn skipped: %s", error.message)

    def over(self, market: str) -> None:
        """A turn was taken. ``market`` is its name, where there are several."""
        if self.turns:
            what = "the node answers again" if self.node else "turns are taken again"
            count = "1 turn was skipped" if self.turns == 1 else f"{self.turns} turns were skipped"
            log.warning("%s%s; %s", f"{market}: " if market else "", what, count)
        self.turns, self.node = 0, True


def _wait(world: World, quoting: Sequence[Quoting], shutdown: Shutdown, seconds: float) -> bool:
    """Until the next turn is due, by time or by what a refresh found; quotes are refreshed.

    Returns whether someone asked to stop.
    """
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        due = min((each.due_in(time.monotonic()) for each in quoting), default=left)
        if shutdown.wait(max(min(left, due), 0)):
            return True
        if time.monotonic() >= until:
            return False
        try:
            with world.lease.held():
                for each in quoting:
                    if each.due_in(time.monotonic()) <= 0:
                        _refresh(each, shutdown)
            if any(each.turn_due for each in quoting):
                return bool(shutdown.reason())
        except Busy as error:
            log.warning("quotes are not refreshed: %s", error.message)
            if shutdown.wait(1):
                return True


def _refresh(each: Quoting, shutdown: Shutdown) -> None:
    """One refresh, and what it did and what newly holds it back in the log."""
    before = {refusal.rule for refusal in each.refusals}
    for outcome in each.refresh(shutdown.reason, time.monotonic()):
        log.info("  %s", told(outcome))
    for refusal in each.refusals:
        if refusal.rule not in before:
            level = logging.INFO if refusal.routine else logging.WARNING
            log.log(level, "  guard %s bites: %s", refusal.rule, refusal.detail)


def exit_code(entry: Entry) -> int:
    """What cron is told of one turn.

    4: halted, by the flag, by a guard that tripped and stays, or while the turn ran.
    5: a step failed or was cut short, a transaction or an order is not final yet, or the node's
       newest block is too old, so that nothing is known of now: the next turn may see it through.
    3: a guard refused what was wanted, or one stands that only a person can lift.
    0: acted, or nothing to do.
    """
    if entry.decision.state is State.HALTED or any(_halted(o) for o in entry.outcomes):
        return HALTED
    if any(o.status in NOT_DONE or _cut_short(o) for o in entry.outcomes):
        return FAILED
    refused = any(o.status == "refused" for o in entry.outcomes)
    rules = {refusal.rule for refusal in entry.decision.refusals}
    if entry.decision.withheld and rules == {"stale_block"} and not refused:
        return FAILED
    if entry.decision.withheld or refused or standing(entry):
        return REFUSED
    return FAILED if "stale_block" in rules else DONE


def standing(entry: Entry) -> tuple[Refusal, ...]:
    """Guards that no time lifts, whether or not anything was wanted; see ``for_a_person``."""
    return for_a_person(entry.snapshot, entry.decision.refusals)


def exit_of(world: World, *, several: bool) -> ExitOnHalt:
    """The exit of a market that a guard halts. Of several markets the others go on: the HALT flag,
    which would stop them, is left alone."""
    means = world.exit_means
    return ExitOnHalt(
        world.config,
        None if means is None else lambda reason: means(reason, several),
        world.moved,
    )


def exit_unseen(world: World, exit_: ExitOnHalt) -> None:
    """Where no turn can be taken, an exit that is due still is: it needs less of the world."""
    if world.config.guards.on_halt != "withdraw":
        return
    try:
        exit_.after(world.journal.memory().halted, None)
    except Transient as error:  # the journal cannot be read now
        log.warning("%s", error.message)


def keep_halted(world: World, entry: Entry) -> None:
    """Set the HALT flag for a guard that tripped and stays, so that no lost journal lifts it."""
    if entry.memory.halted and not entry.snapshot.halted:
        world.flag.set(entry.memory.halted)


def _halted(outcome: Outcome) -> bool:
    return outcome.status == "skipped" and outcome.detail.startswith(HALT_WAS_SET)


def _cut_short(outcome: Outcome) -> bool:
    return outcome.status == "skipped" and outcome.detail.endswith(ASKED)


def worst(codes: Sequence[int]) -> int:
    """What cron is told of several markets: a halt before a failure before a refusal."""
    return next((code for code in (HALTED, FAILED, REFUSED) if code in codes), DONE)


def _pause(interval_seconds: int, silent: int) -> float:
    """The interval, doubled for every turn in a row that the node stayed silent, up to a bound."""
    return float(interval_seconds * min(1 << min(max(silent - 1, 0), 8), LONGEST_BACK_OFF))
