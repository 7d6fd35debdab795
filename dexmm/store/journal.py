"""The journal: what every turn saw, decided, did, and left for the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, insert, select

from dexmm.config import Config, parse_config
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.store import codec
from dexmm.store.database import configs, resumes, transaction, turns
from dexmm.store.flags import HaltFlag

# A recorded configuration has no URL: it is a secret, and deciding does not need it.
NO_URL = "http://recorded.invalid"


def market_key(chain_id: int, pool: str, wallet: str) -> str:
    """What a journal's lines belong to: one wallet in one pool on one chain."""
    return f"{chain_id}:{pool[2:14].lower()}:{wallet[2:].lower()}"


class SqlJournal:
    """Implements ``turn.Journal`` for one market; the HALT flag lives beside the database."""

    def __init__(self, engine: Engine, market: str, flag: HaltFlag) -> None:
        self._engine = engine
        self._market = market
        self._flag = flag
        self._known_configs: set[str] = set()
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

    def memory(self) -> Memory:
        """What the last turn left, or a person's ``resume`` after it."""
        with transaction(self._engine) as connection:
            turn = connection.execute(self._newest_memory).first()
            resume = connection.execute(self._newest_resume).first()
        if resume is not None and resume.after_turn >= (turn.id if turn is not None else 0):
            return codec.load(Memory, resume.memory)
        return codec.load(Memory, turn.memory) if turn is not None else Memory()

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

    def last(self) -> Entry | None:
        with transaction(self._engine) as connection:
            row = connection.execute(
                self._newest(turns.c.id, turns.c.entry, turns.c.memory)
            ).first()
        return _entry(row.id, row.entry, row.memory) if row is not None else None

    def entries(self, since: int = 0) -> Iterator[Entry]:
        """Oldest first, those recorded at or after the timestamp ``since``."""
        query = (
            select(turns.c.id, turns.c.entry, turns.c.memory)
            .where(turns.c.market == self._market)
            .where(turns.c.at >= since)
            .order_by(turns.c.id)
        )
        with transaction(self._engine) as connection:
            for row in connection.execute(query):
                yield _entry(row.id, row.entry, row.memory)

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

    def _newest(self, *columns: ColumnElement[Any]) -> Select[Any]:
        return (
            select(*columns)
            .where(turns.c.market == self._market)
            .order_by(turns.c.id.desc())
            .limit(1)
        )

    def _remember_config(self, connection: Connection, fingerprint: str, config: Config) -> None:
        known = select(configs.c.fingerprint).where(configs.c.fingerprint == fingerprint)
        if connection.scalar(known) is None:
            connection.execute(
                insert(configs).values(fingerprint=fingerprint, body=config.public_json())
            )
        self._known_configs.add(fingerprint)


def _entry(identity: int, body: str, memory: str) -> Entry:
    return codec.load(Entry, f'{{"id":{identity},"memory":{memory},{body[1:]}')
