"""A journal that remembers and forgets: what a backtest's turns leave behind for the next one."""

from __future__ import annotations

from dataclasses import replace

from dexmm.config.schema import Config
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory


class MemoryJournal:
    """Implements ``protocols.Journal``; keeps the newest entry and no other."""

    def __init__(self) -> None:
        self.newest: Entry | None = None
        self._count = 0

    def memory(self) -> Memory:
        return self.newest.memory if self.newest is not None else Memory()

    def halted(self) -> str:
        return ""

    def record(self, entry: Entry, config: Config) -> Entry:
        self._count += 1
        self.newest = Entry(
            id=self._count,
            at=entry.at,
            config=entry.config,
            snapshot=entry.snapshot,
            decision=entry.decision,
            steps=entry.steps,
            outcomes=entry.outcomes,
            memory=entry.memory,
        )
        return self.newest

    def amend(self, memory: Memory) -> None:
        """What the next turn remembers, where time has passed without one."""
        assert self.newest is not None  # noqa: S101 - a turn was taken before any is skipped
        self.newest = replace(self.newest, memory=memory)
