"""The journal: what every turn saw, decided, did, and left for the next.

A turn that cannot be read (a damaged page, a row cut short, a word of a later version) is named
and passed over: by whoever reads history, and by ``last``. ``memory`` is what the next turn acts
on, so it goes back no further than it must: to the newest turn whose memory can be read, and only
within the last ``RECENT`` of them. Timers, peaks and limits that trip again by themselves are then
a turn or two old, which is said loudly. Where none of them can be read it raises, and nothing runs:
a fresh memory would have forgotten what was lost, spent and halted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, insert, select

from dexmm.config.schema import Config, parse_config
from dexmm.errors import BadInput
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.store import codec
from dexmm.store.database import configs, resumes, transaction, turns
from dexmm.store.flags import HaltFlag

# A recorded configuration has no URL: it is a secret, and deciding does not need it.
NO_URL = "http://recorded.invalid"
AT_ONCE = 100  # turns read in one request
RECENT = 100  # turns that a memory or a last turn is looked for in

log = logging.getLogger("dexmm.journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A person's ``dexmm resume``: when, after which turn, and what had halted it."""

    at: int  # timestamp, seconds
    after_turn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A turn on record that says nothing to this version, and why."""

    turn: int
    reason: str

    def __str__(self) -> str:
        return f"turn {self.turn} of the journal cannot be read and is passed over: {self.reason}"


def market_key(chain_id: int, pool: str, wallet: str) -> str:
    """What a journal's lines belong to: one wallet in one pool on one chain."""
    return f"{chain_id}:{pool[2:14].lower()}:{wallet[2:].lower()}"


class SqlJournal:
    """Implements ``protocols.Journal`` for one market; the HALT flag lives beside the database."""

    def __init__(self, engine: Engine, market: str, flag: HaltFlag) -> None:
        self._engine = engine
        self._market = market
        self._flag = flag
        self._known_configs: set[str] = set()
        self._passed_over: dict[int, Unreadable] = {}
        # Asked every turn, so built once.
        self._newest_memory = self._newest(turns.c.id, turns.c.memory)
        self._newest_resume = (
            select(resumes.c.after_turn, resumes.c.memory)
            .where(resumes.c.market == market)
            .order_by(resumes.c.id.desc())
            .limit(1)
        )

    def halted(self) -> str:
        return self._flag.reason()

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The turns that were passed over so far, oldest first."""
        return tuple(self._passed_over[turn] for turn in sorted(self._passed_over))

    def memory(self) -> Memory:
        """What the last turn left, or a person's ``resume`` after it.

        Raises ``BadInput`` when there are turns and none of the last ones can be read.
        """
        try:
            with transaction(self._engine) as connection:
                turn = connection.execute(self._newest_memory).first()
                resume = connection.execute(self._newest_resume).first()
            if resume is not None and resume.after_turn >= (turn.id if turn is not None else 0):
                return codec.load(Memory, resume.memory)
            return codec.load(Memory, turn.memory) if turn is not None else Memory()
        except BadInput:
            return self._older_memory()

    def record(self, entry: Entry, config: Config) -> Entry:
        body = codec.jsonable(entry)
        body.pop("id")
        memory = body.pop("memory")
        decision = entry.decision
        with transaction(self._engine) as connection:
            if entry.config not in self._known_configs:
                self._remember_config(connection, entry.config, config)
            result = connection.execute(
                insert(turns).values(
                    market=self._market,
                    at=entry.at,
                    block=entry.snapshot.chain.block.number,
                    state=decision.state.value,
                    trigger=decision.trigger.value if decision.trigger else None,
                    acted=int(any(outcome.tx_hash for outcome in entry.outcomes)),
                    config=entry.config,
                    entry=json.dumps(body, separators=(",", ":")),
                    memory=json.dumps(memory, separators=(",", ":")),
                )
            )
            identity = result.inserted_primary_key
        return replace(entry, id=identity[0] if identity else 0)

    def began_at(self) -> int | None:
        """When the first turn was recorded, whether it can be read or not."""
        query = select(func.min(turns.c.at)).where(turns.c.market == self._market)
        with transaction(self._engine) as connection:
            found: int | None = connection.scalar(query)
        return found

    def last(self) -> Entry | None:
        """The newest turn that can be read; None when there is none."""
        for turn in self._recent():
            entry = self._entry(turn)
            if entry is not None:
                return entry
        return None

    def entries(self, since: int = 0) -> Iterator[Entry]:
        """Oldest first, those recorded at or after the timestamp ``since`` that can be read.

        What cannot is named in the log, and in ``unreadable`` once it has been come to.
        """
        query = (
            select(turns.c.id)
            .where(turns.c.market == self._market)
            .where(turns.c.at >= since)
            .order_by(turns.c.id)
        )
        with transaction(self._engine) as connection:
            found = list(connection.scalars(query))
        for start in range(0, len(found), AT_ONCE):
            yield from self._entries(found[start : start + AT_ONCE])

    def config(self, fingerprint: str) -> Config | None:
        """The configuration a turn was decided with, as far as deciding needs it."""
        with transaction(self._engine) as connection:
            body = connection.scalar(
                select(configs.c.body).where(configs.c.fingerprint == fingerprint)
            )
        if body is None:
            return None
        settings = json.loads(body, parse_float=Decimal)
        settings["network"]["rpc_urls"] = [NO_URL]
        if (settings.get("exchange") or {}).get("paper_exchange"):  # says so of its address
            settings["exchange"]["base_url"] = NO_URL
        return parse_config(settings, Path(), source=f"the recorded configuration {fingerprint}")

    def resume(self, at: int, reason: str, memory: Memory) -> None:
        """A person has looked: the next turn starts from ``memory``."""
        with transaction(self._engine) as connection:
            turn = connection.execute(self._newest(turns.c.id)).first()
            connection.execute(
                insert(resumes).values(
                    market=self._market,
                    at=at,
                    after_turn=turn.id if turn is not None else 0,
                    reason=reason,
                    memory=codec.dump(memory),
                )
            )

    def resumed(self, since: int = 0) -> tuple[Resumed, ...]:
        """Every resume at or after the timestamp ``since``, oldest first."""
        query = (
            select(resumes.c.at, resumes.c.after_turn, resumes.c.reason)
            .where(resumes.c.market == self._market)
            .where(resumes.c.at >= since)
            .order_by(resumes.c.id)
        )
        with transaction(self._engine) as connection:
            return tuple(
                Resumed(at=row.at, after_turn=row.after_turn, reason=row.reason)
                for row in connection.execute(query)
            )

    def ended_at(self) -> int | None:
        """When the newest turn was recorded, whether it can be read or not."""
        with transaction(self._engine) as connection:
            found: int | None = connection.scalar(self._newest(turns.c.at))
        return found

    def _newest(self, *columns: ColumnElement[Any], number: int = 1) -> Select[Any]:
        return (
            select(*columns)
            .where(turns.c.market == self._market)
            .order_by(turns.c.id.desc())
            .limit(number)
        )

    def _recent(self) -> list[int]:
        """Ids of the last turns, newest first."""
        with transaction(self._engine) as connection:
            return list(connection.scalars(self._newest(turns.c.id, number=RECENT)))

    def _older_memory(self) -> Memory:
        """Of the newest turn, or resume, whose memory can be read."""
        recent = self._recent()
        resumed = self._resume_memory()
        for turn in recent:
            if resumed is not None and resumed[0] >= turn:
                return resumed[1]
            try:
                with transaction(self._engine) as connection:
                    text = connection.scalar(select(turns.c.memory).where(turns.c.id == turn))
                return codec.load(Memory, text or "")
            except BadInput as error:
                self._pass_over(turn, error)
        if resumed is not None and not recent:
            return resumed[1]
        why = f" ({self._passed_over[recent[0]].reason})" if recent else ""
        raise BadInput(
            f"what the last {len(recent)} turns left cannot be read{why}, and acting without it "
            "would forget limits that have tripped: restore the journal from a backup, or move it "
            "away and start again; positions are found on chain, only history and timers are lost"
        )

    def _resume_memory(self) -> tuple[int, Memory] | None:
        try:
            with transaction(self._engine) as connection:
                row = connection.execute(self._newest_resume).first()
            return None if row is None else (row.after_turn, codec.load(Memory, row.memory))
        except BadInput as error:
            log.warning("the last resume on record cannot be read: %s", error.message)
            return None

    def _entries(self, ids: list[int]) -> Iterator[Entry]:
        query = (
            select(turns.c.id, turns.c.entry, turns.c.memory)
            .where(turns.c.id.in_(ids))
            .order_by(turns.c.id)
        )
        try:
            with transaction(self._engine) as connection:
                rows = list(connection.execute(query))
        except BadInput:  # one of them is damaged: the others are not
            yield from (entry for turn in ids if (entry := self._entry(turn)) is not None)
            return
        for row in rows:
            try:
                entry = _entry(row.id, row.entry, row.memory)
            except BadInput as error:
                self._pass_over(row.id, error)
            else:
                yield entry

    def _entry(self, turn: int) -> Entry | None:
        query = select(turns.c.entry, turns.c.memory).where(turns.c.id == turn)
        try:
            with transaction(self._engine) as connection:
                row = connection.execute(query).first()
            return None if row is None else _entry(turn, row.entry, row.memory)
        except BadInput as error:
            self._pass_over(turn, error)
            return None

    def _pass_over(self, turn: int, error: BadInput) -> None:
        if turn not in self._passed_over:
            self._passed_over[turn] = Unreadable(turn=turn, reason=error.message)
            log.warning("%s", self._passed_over[turn])

    def _remember_config(self, connection: Connection, fingerprint: str, config: Config) -> None:
        known = select(configs.c.fingerprint).where(configs.c.fingerprint == fingerprint)
        if connection.scalar(known) is None:
            connection.execute(
                insert(configs).values(fingerprint=fingerprint, body=config.public_json())
            )
        self._known_configs.add(fingerprint)


def _entry(identity: int, body: str, memory: str) -> Entry:
    return codec.load(Entry, f'{{"id":{identity},"memory":{memory},{body[1:]}')
