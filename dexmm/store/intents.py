"""Intents on a database: stored, durably, before anything is broadcast."""

from __future__ import annotations

from sqlalchemy import Engine, bindparam, delete, insert, select

from dexmm.model.intent import Intent, IntentStatus
from dexmm.store import codec
from dexmm.store.database import intents, transaction

OPEN = tuple(status.value for status in IntentStatus if not status.final)

# Asked every turn, so built once.
OPEN_OF_WALLET = (
    select(intents.c.body)
    .where(intents.c.wallet == bindparam("whose_wallet"))
    .where(intents.c.chain_id == bindparam("on_chain"))
    .where(intents.c.status.in_(OPEN))
    .order_by(intents.c.nonce)
)


class SqlIntentLog:
    """Implements ``model.intent.IntentLog``. The engine must be a durable one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        whose = {"whose_wallet": wallet, "on_chain": chain_id}
        with transaction(self._engine) as connection:
            found = connection.execute(OPEN_OF_WALLET, whose)
            return tuple(codec.load(Intent, body) for (body,) in found)

    def get(self, intent_id: str) -> Intent | None:
        query = select(intents.c.body).where(intents.c.id == intent_id)
        with transaction(self._engine) as connection:
            body = connection.scalar(query)
        return codec.load(Intent, body) if body is not None else None

    def save(self, intent: Intent) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(intents).where(intents.c.id == intent.id))
            connection.execute(
                insert(intents).values(
                    id=intent.id,
                    wallet=intent.wallet,
                    chain_id=intent.chain_id,
                    nonce=intent.nonce,
                    status=intent.status.value,
                    body=codec.dump(intent),
                )
            )
