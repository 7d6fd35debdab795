"""What a turn and an exit need from the world: ``chain``, ``cex``, ``store`` and ``sim`` implement
it, and none of them is imported for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from dexmm.config.schema import Config
from dexmm.model.decision import Refusal
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import CexStep, ChainStep, Outcome, Simulation
from dexmm.model.venue import VenueView

Clock = Callable[[], int]
Verdict = Callable[[Simulation], Refusal | None]


class Chain(Protocol):
    """A chain, real or simulated, seen from one wallet in one market."""

    def observe(self) -> ChainView:
        """Everything at one block, or ``Transient``."""

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        """Simulate ``step``, ask ``verdict``, and make it happen at most once."""


class Cex(Protocol):
    """An exchange, real or simulated, seen from one account."""

    def observe(self) -> VenueView:
        """Everything about the account and its instruments, or ``Transient``: never a part."""

    def send(self, step: CexStep) -> Outcome:
        """Make ``step`` happen at most once; status "done", "refused", "failed" or "pending"."""


@runtime_checkable
class KeepsRules(Protocol):
    """An exchange whose steps and minimums are kept from an earlier look."""

    def doubt_rules(self) -> None:
        """They keep an order from being sent, so no refusal can tell that they were eased."""


@runtime_checkable
class KeepsLooks(Protocol):
    """An exchange of which not every look asks for everything."""

    def forget_looks(self) -> None:
        """The next look asks for orders and the perpetual too, however quiet they were."""


class Journal(Protocol):
    """What turns leave behind."""

    def memory(self) -> Memory:
        """What the last recorded turn left; a fresh one when there is none."""

    def halted(self) -> str:
        """The HALT flag's reason; empty when it is not set."""

    def record(self, entry: Entry, config: Config) -> Entry:
        """Store a turn, with the configuration it was decided with, and give it its id."""


class Lease(Protocol):
    def held(self, timeout_seconds: float = 0) -> AbstractContextManager[None]:
        """The right to write with this wallet, or ``Busy``."""


class Flag(Protocol):
    def set(self, reason: str) -> None:
        """Durably; ``Transient`` when no place takes it: then nothing is halted, and that is said
        last."""
