"""Intents on a database: stored, durably, before anything is broadcast."""

from __future__ import annotations

from sqlalchemy import Engine, bindparam, delete, insert, select

from dexmm.errors import BadInput
from dexmm.model.intent import Intent, IntentStatus
from dexmm.store import codec
from dexmm.store.database import intents, transaction

OPEN = tuple(status.value for status in IntentStatus if not status.final)

# Asked every turn, so built once.
OPEN_OF_WALLET = (
    select(intents.c.id, intents.c.nonce, intents.c.body)
    .where(intents.c.wallet == bindparam("whose_wallet"))
    .where(intents.c.chain_id == bindparam("on_chain"))
    .where(intents.c.status.in_(OPEN))
    .order_by(intents.c.nonce)
)


def _read(identity: str, nonce: int, body: str) -> Intent:
    """Nobody may send beside a transaction that may still be mined and says nothing."""
    try:
        return codec.load(Intent, body)
    except BadInput as error:
        raise BadInput(
            f"transaction {identity} (nonce {nonce}) is on record as not final and cannot be read "
            f"({error.message}): once that nonce is mined, remove its row, or restore the journal "
            "from a backup; `dexmm withdraw` works without it"
        ) from None


class SqlIntentLog:
    """Implements ``model.intent.IntentLog``. The engine must be a durable one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        whose = {"whose_wallet": wallet, "on_chain": chain_id}
        with transaction(self._engine) as connection:
            found = list(connection.execute(OPEN_OF_WALLET, whose))
        return tuple(_read(*row) for row in found)

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
