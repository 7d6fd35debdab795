"""Turns on a schedule: forever, or one for cron; one writer, clean shutdown, honest exit codes.

What happens to an error is decided here and nowhere else. ``Transient`` skips the turn, ``Busy``
leaves the turn to the process that holds the wallet, ``Halt`` sets the HALT flag and ends the
loop. Anything unexpected is a defect: it is logged whole, and several in a row halt.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from dexmm.config import Config
from dexmm.errors import BadInput, Busy, Halt, Transient
from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.turn import Chain, Clock, Journal, turn

log = logging.getLogger("dexmm.loop")

DONE, REFUSED, HALTED, FAILED = 0, 3, 4, 5

# How long the loop backs off at most while the node does not answer, in intervals.
LONGEST_BACK_OFF = 8


class Lease(Protocol):
    def held(self, timeout_seconds: float = 0) -> AbstractContextManager[None]:
        """The right to write with this wallet, or ``Busy``."""


class Flag(Protocol):
    def set(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that turns need."""

    chain: Chain
    journal: Journal
    lease: Lease
    flag: Flag
    config: Config
    clock: Clock


class Shutdown:
    """SIGINT and SIGTERM ask once: the leg in hand is finished, then nothing more is begun."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.name = ""

    def ask(self, name: str) -> None:
        self.name = name
        self._asked.set()

    def reason(self) -> str:
        """Why no further leg may begin; empty when it may."""
        return f"{self.name} was received" if self._asked.is_set() else ""

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until someone asks; whether someone did."""
        return self._asked.wait(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            self.ask(signal.Signals(number).name)

        before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_once(world: World, shutdown: Shutdown) -> Entry:
    """One turn with the wallet held throughout. Raises as ``turn`` does, and ``Busy``."""
    with world.lease.held():
        return turn(world.chain, world.journal, world.config, world.clock, stop=shutdown.reason)


def run_forever(world: World, shutdown: Shutdown, seen: Callable[[Entry], None]) -> int:
    """Turns until someone asks to stop. Returns the process's exit code.

    ``seen`` is called with every entry: to print it, to count it.
    """
    silent = unexpected = 0
    while True:
        try:
            entry = run_once(world, shutdown)
            silent = unexpected = 0
            seen(entry)
        except Halt as error:
            world.flag.set(error.message)
            log.critical("halted: %s", error.message)
            return HALTED
        except Busy as error:
            log.warning("turn skipped: %s", error.message)
        except Transient as error:
            silent += 1
            log.warning("turn skipped: %s", error.message)
        except BadInput:
            raise
        except Exception:
            unexpected += 1
            log.exception("a turn failed in a way nobody foresaw")
            if unexpected >= world.config.loop.halt_after_errors:
                world.flag.set(f"{unexpected} turns in a row failed unexpectedly; see the log")
                return HALTED
        if shutdown.wait(_pause(world.config.loop.interval_seconds, silent)):
            log.info("stopped: %s", shutdown.reason())
            return DONE


def exit_code(entry: Entry) -> int:
    """What cron is told: 0 acted or nothing to do, 3 refused, 4 halted, 5 a step failed."""
    if entry.decision.state is State.HALTED:
        return HALTED
    statuses = {outcome.status for outcome in entry.outcomes}
    if entry.decision.withheld or "refused" in statuses:
        return REFUSED
    if statuses & {"failed", "reverted"}:
        return FAILED
    return DONE


def _pause(interval_seconds: int, silent: int) -> float:
    """The interval, doubled for every turn in a row that the node stayed silent, up to a bound."""
    return float(interval_seconds * min(1 << min(max(silent - 1, 0), 8), LONGEST_BACK_OFF))
