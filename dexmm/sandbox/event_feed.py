"""What is worth a line: things done, things refused, guards that begin or cease to bite."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from dexmm.model.entry import Entry
from dexmm.performance.entry_text import events

_HASH = re.compile(r"(0x[0-9a-f]{8})[0-9a-f]{56}")


class Tone(Enum):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    tone: Tone
    text: str


@dataclass(slots=True)
class Narrator:
    """Tells everything that is done, and a refusal when it begins and when it ends."""

    biting: set[str] = field(default_factory=set)
    held_back: tuple[str | None, frozenset[str]] | None = None

    def lines(self, entry: Entry) -> list[Line]:
        decision = entry.decision
        now = {refusal.rule: refusal.detail for refusal in decision.refusals}
        held_back = (decision.trigger, frozenset(now)) if decision.withheld else None
        known = held_back is not None and held_back == self.held_back and not entry.outcomes
        told = [] if known else _told(entry)
        if held_back is None:
            told += [
                Line(Tone.NOTE, f"guard {rule} bites: {detail}")
                for rule, detail in now.items()
                if rule not in self.biting
            ]
        told += [Line(Tone.NOTE, f"guard {rule} has let go") for rule in self.biting - now.keys()]
        self.biting, self.held_back = set(now), held_back
        return told


def _told(entry: Entry) -> list[Line]:
    failed = {outcome.status for outcome in entry.outcomes} & {"failed", "reverted"}
    tone = Tone.FAILED if failed else Tone.DONE
    return [
        Line(Tone.REFUSED if " refused " in f" {text}" else tone, _HASH.sub(r"\1...", text))
        for text in events(entry)
    ]
