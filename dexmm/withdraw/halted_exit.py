"""What becomes of the positions when a guard has halted trading by itself: ``guards.on_halt``.

    stay        they stay in the pool, and go on gaining and losing with the price, until a person
                takes them out or resumes
    withdraw    the emergency exit takes them out, as ``dexmm withdraw`` does: orders are cancelled,
                the perpetual is closed, the end is proved; HALT stays set

Only a guard that trips and stays does this (drawdown, and drawdown against holding; ``LATCHING``):
its reason is in the journal's memory. A person's ``dexmm halt`` never does, who may want to look
first and has ``dexmm withdraw`` for the other. Nor does a halt for an error (another network, a
refused key, a defect): it says that what is seen cannot be trusted.

An exit that was killed or has failed is begun again after a later turn, as ``dexmm withdraw`` would
be run again: it goes on from what it finds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from dexmm.config.schema import Config
from dexmm.errors import DexmmError, Transient
from dexmm.model.entry import Entry
from dexmm.withdraw.plan import value_of
from dexmm.withdraw.steps import World
from dexmm.withdraw.withdraw import Request, withdraw

log = logging.getLogger("dexmm.halt")

TRY_AGAIN = Transient.exit_code
LONGEST_WAIT = 8  # turns between two tries

Means = Callable[[str], World]
"""The world of an exit, given the reason of the halt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of one try. ``exit_code`` is as of ``dexmm withdraw``: 0 proved, 3 something is
    trapped, 5 to be tried again."""

    exit_code: int
    lines: tuple[str, ...]


@dataclass(slots=True)
class ExitOnHalt:
    """The exits of one market in one process. ``means`` None: there is none (no such world)."""

    config: Config
    means: Means | None
    moved: Callable[[], None] | None = None  # told after a try: the wallet is not as it was seen
    _done: bool = False
    _failed: int = 0  # tries in a row
    _wait: int = 0  # turns until the next one

    def after(self, halted: str, entry: Entry | None) -> Ended | None:
        """After a turn: get out where that is due, and say what came of it.

        ``halted`` is the reason that a guard has left in the memory, empty where none tripped;
        ``entry`` is the turn, None where none could be taken. None where there is nothing to do.
        Raises nothing that a ``dexmm`` command explains: it is in ``Ended``.
        """
        if not halted or self.means is None or self.config.guards.on_halt != "withdraw":
            self._done = False
            return None
        if self._done or (entry is not None and not holds_something(entry, self.config)):
            return None
        if self._wait:
            self._wait -= 1
            return None
        try:
            ended = self._get_out(self.means(halted))
        finally:
            if self.moved is not None:
                self.moved()
        self._done = ended.exit_code == 0
        self._failed = 0 if self._done else self._failed + 1
        self._wait = 0 if self._done else min(1 << (self._failed - 1), LONGEST_WAIT) - 1
        return ended

    def _get_out(self, world: World) -> Ended:
        world.warn("guards.on_halt is withdraw: everything is being taken out")
        try:
            report = withdraw(world, Request(), self.config)
        except DexmmError as error:
            world.warn(f"it could not be taken out: {error.message}")
            return Ended(exit_code=TRY_AGAIN, lines=(error.message,))
        except Exception as error:
            # A defect must not end the loop: it is what tries again.
            log.exception("the exit failed in a way nobody foresaw")
            return Ended(exit_code=TRY_AGAIN, lines=(f"unexpected {type(error).__name__}",))
        lines = report.summary()
        for line in lines:
            world.warn(f"  {line}")
        return Ended(exit_code=report.exit_code, lines=lines)


def holds_something(entry: Entry, config: Config) -> bool:
    """Whether a turn saw anything that an exit would take out, cancel or close.

    What ``strategy.min_position_quote`` calls dust may be left by an exit, for it is not worth its
    gas; what strangers minted to the wallet is none of ours.
    """
    chain, venue = entry.snapshot.chain, entry.snapshot.venue
    least = config.strategy.min_position_quote
    if any(value_of(chain, position) >= least for position in chain.positions):
        return True
    if any(not flight.mined for flight in chain.in_flight):
        return True
    if venue is None:
        return False
    ours = any(order.ours for order in venue.resting) or bool(venue.pending)
    return ours or (venue.position is not None and venue.position.base != 0)
