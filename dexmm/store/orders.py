"""Exchange orders on a database: stored, durably, before anything is sent.

An order that cannot be read is named. One that has ended is passed over: the balances have it. One
that may still rest or fill is not: nobody may act beside an order whose side and size are unknown.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Engine, Select, insert, select, update

from dexmm.errors import BadInput
from dexmm.model.order import OrderIntent, OrderStatus
from dexmm.store import codec
from dexmm.store.database import orders, transaction

OPEN = tuple(status.value for status in OrderStatus if not status.final)


log = logging.getLogger("dexmm.journal")


class SqlOrderLog:
    """Implements ``model.order.OrderLog``. The engine must be a durable one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._passed_over: set[str] = set()

    def open_orders(self, account: str) -> tuple[OrderIntent, ...]:
        return self._found(_of(account).where(orders.c.status.in_(OPEN)))

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        return self._found(_of(account).where(orders.c.created_at >= since))

    def save_order(self, order: OrderIntent) -> None:
        values = {
            "account": order.account,
            "created_at": order.created_at,
            "status": order.status.value,
            "body": codec.dump(order),
        }
        named = orders.c.client_id == order.client_id
        with transaction(self._engine) as connection:
            if connection.execute(update(orders).where(named).values(values)).rowcount == 0:
                connection.execute(insert(orders).values(client_id=order.client_id, **values))

    def _found(self, query: Select[Any]) -> tuple[OrderIntent, ...]:
        with transaction(self._engine) as connection:
            rows = list(connection.execute(query))
        return tuple(order for row in rows if (order := self._read(*row)) is not None)

    def _read(self, client_id: str, status: str, body: str) -> OrderIntent | None:
        try:
            return codec.load(OrderIntent, body)
        except BadInput as error:
            if status in OPEN:
                raise BadInput(
                    f"order {client_id} is on record as {status} and cannot be read "
                    f"({error.message}): look it up on the exchange, cancel it there, and remove "
                    "its row, or restore the journal from a backup"
                ) from None
            if client_id not in self._passed_over:
                self._passed_over.add(client_id)
                log.warning("order %s has ended, and is passed over: %s", client_id, error.message)
            return None


def _of(account: str) -> Select[Any]:
    """In the order in which they were first stored."""
    columns = (orders.c.client_id, orders.c.status, orders.c.body)
    return select(*columns).where(orders.c.account == account).order_by(orders.c.id)
