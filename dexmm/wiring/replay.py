"""Recorded history decided again: the same snapshot and settings must give the same decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.model.entry import Entry
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that came out otherwise than it was recorded."""

    turn: int
    at: int
    field: str  # "decision.trigger", "steps"
    recorded: object
    now: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A turn that cannot be decided again, and why."""

    turn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    turns: int  # that were decided again
    differing_turns: int
    differences: tuple[Difference, ...]
    undecided: tuple[Undecided, ...] = ()


def replay(entries: Iterable[Entry], config_of: Callable[[str], Config | None]) -> Replayed:
    """Decide and plan every entry again. ``config_of`` maps a recorded fingerprint to settings.

    A turn whose settings are not on record, or mean nothing to this version, is passed over.
    Raises ``BadInput`` when that is so of every turn.
    """
    turns = differing = 0
    differences: list[Difference] = []
    undecided: list[Undecided] = []
    for entry in entries:
        try:
            config = _known(config_of(entry.config), entry)
        except BadInput as error:
            undecided.append(Undecided(turn=entry.id, reason=error.message))
            continue
        found = list(compare(entry, config))
        turns += 1
        differing += bool(found)
        differences += found
    if undecided and not turns:
        raise BadInput(undecided[0].reason)
    return Replayed(
        turns=turns,
        differing_turns=differing,
        differences=tuple(differences),
        undecided=tuple(undecided),
    )


def _known(config: Config | None, entry: Entry) -> Config:
    if config is None:
        raise BadInput(
            f"turn {entry.id} was decided with configuration {entry.config}, which is not on "
            "record: replay with --config-from file"
        )
    return config


def compare(entry: Entry, config: Config) -> Iterator[Difference]:
    """What ``config`` decides and plans otherwise for one recorded snapshot."""
    decision = decide(entry.snapshot, config)
    pairs = [
        (
            f"decision.{field.name}",
            getattr(entry.decision, field.name),
            getattr(decision, field.name),
        )
        for field in dataclasses.fields(decision)
    ]
    pairs.append(("steps", entry.steps, plan(entry.snapshot, decision, config)))
    for field, recorded, now in pairs:
        if recorded != now:
            yield Difference(turn=entry.id, at=entry.at, field=field, recorded=recorded, now=now)
