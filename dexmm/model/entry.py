"""One line of the journal: everything a turn saw, decided and did."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.model.decision import Decision
from dexmm.model.memory import Memory
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import Outcome, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``decide(entry.snapshot, config_of(entry)) == entry.decision``, for all of history."""

    id: int  # 0 until the journal has stored it
    at: int  # the runner's clock, seconds
    config: str  # fingerprint of the configuration it was decided with
    snapshot: Snapshot
    decision: Decision
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    memory: Memory  # what this turn leaves for the next
