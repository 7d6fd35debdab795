"""Exchange orders on a database: stored, durably, before anything is sent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Select, insert, select, update

from dexmm.model.order import OrderIntent, OrderStatus
from dexmm.store import codec
from dexmm.store.database import orders, transaction

OPEN = tuple(status.value for status in OrderStatus if not status.final)


class SqlOrderLog:
    """Implements ``model.order.OrderLog``. The engine must be a durable one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
            return tuple(codec.load(OrderIntent, body) for body in connection.scalars(query))


def _of(account: str) -> Select[Any]:
    """In the order in which they were first stored."""
    return select(orders.c.body).where(orders.c.account == account).order_by(orders.c.id)
