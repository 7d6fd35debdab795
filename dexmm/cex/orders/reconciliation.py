"""The log against the exchange: nothing sent twice, nothing forgotten.

Every stored order that is not final is looked for: in the book, else wherever else an order can
be. An order in the book that carries our prefix but is not in the log (the log was lost, or
belongs to an earlier installation) is adopted: from then on it is an order like any other, and
cancelled when nobody wants it. Orders that a person has placed are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dexmm.cex.errors.classify import CallFailed
from dexmm.cex.orders.client_order_id import is_ours, purpose_of
from dexmm.cex.orders.order_manager import Orders
from dexmm.cex.orders.order_report import Told
from dexmm.cex.parsing import ZERO
from dexmm.cex.trading_venue import Desk
from dexmm.errors import Transient
from dexmm.model.order import OrderIntent, OrderKind, OrderLog, OrderStatus
from dexmm.model.venue import PendingOrder, RestingOrder, Side


@dataclass(frozen=True, slots=True)
class Standing:
    """What rests in the books, and what nobody knows yet."""

    resting: tuple[RestingOrder, ...]
    pending: tuple[PendingOrder, ...]


class Reconciler:
    def __init__(
        self,
        orders: Orders,
        desk_of: Callable[[str], Desk],
        log: OrderLog,
        symbols: Sequence[str],
        clock: Callable[[], int],
        *,
        watch_only: bool = False,
    ) -> None:
        self._orders = orders
        self._watch_only = watch_only
        self._desk_of = desk_of
        self._log = log
        self._symbols = tuple(symbols)
        self._clock = clock
        self._foreign: dict[str, tuple[RestingOrder, ...]] = {}
        self._waiting: dict[str, bool] = {}  # whether others' orders wait for a trigger

    @property
    def has_foreign(self) -> bool:
        """Whether the last look saw open orders that are not ours."""
        return any(self._foreign.values()) or any(self._waiting.values())

    def stored(self, symbol: str) -> list[OrderIntent]:
        """Orders in the log whose end is not known."""
        return [o for o in self._log.open_orders(self._orders.account) if o.symbol == symbol]

    def reconcile(self, symbol: str) -> None:
        """One request, and one or more for each stored order that is not in the book.

        Raises ``Transient`` or ``Halt``: a venue whose orders cannot be read is not seen whole.
        """
        desk = self._desk_of(symbol)
        try:
            told = desk.open_orders(symbol)
        except CallFailed as failed:
            raise failed.as_error(f"read the open orders of {symbol}") from None
        in_book = {row.client_id: row for row in told if row.client_id}
        by_id = {row.exchange_id: row for row in told}  # where our client ids are not kept
        stored = self.stored(symbol)
        for intent in stored:
            row = in_book.get(intent.client_id) or by_id.get(intent.exchange_id)
            if row is None:
                self._orders.resolve(intent)
            elif intent.kind is OrderKind.IOC and not self._watch_only:
                self._orders.end(intent)  # it was never meant to rest
            else:
                self._orders.learn(desk, intent, _with_fees(desk, intent, row))
        names = {intent.client_id for intent in stored}
        ids = {order.exchange_id for order in (*stored, *self.stored(symbol))}
        for name, row in in_book.items():
            if is_ours(name) and name not in names and row.exchange_id not in ids:
                self._adopt(desk, symbol, row)
        others = [r for r in told if not is_ours(r.client_id) and r.exchange_id not in ids]
        # One that waits for its trigger stands in no book, and nothing of ours can meet it there.
        there = [row for row in others if row.price and not row.waits]
        self._foreign[symbol] = tuple(_resting(row, symbol) for row in there)
        self._waiting[symbol] = len(there) < len(others)

    def standing(self) -> Standing:
        """From the log, as the last look at each symbol left it."""
        resting: list[RestingOrder] = []
        pending: list[PendingOrder] = []
        now = self._clock()
        for symbol in self._symbols:
            resting += self._foreign.get(symbol, ())
            for order in self.stored(symbol):
                if rests(order):
                    resting.append(_own(order))
                else:
                    pending.append(_pending(order, now))
        return Standing(tuple(resting), tuple(pending))

    def _adopt(self, desk: Desk, symbol: str, row: Told) -> None:
        if row.client_id is None or row.amount is None or row.price is None:
            raise Transient(f"the exchange's open order in {symbol} is told without its size")
        intent = OrderIntent(
            client_id=row.client_id,
            account=self._orders.account,
            symbol=symbol,
            side=Side(row.side or ""),
            kind=OrderKind.POST_ONLY,  # it rests
            purpose=purpose_of(row.client_id),
            amount=row.amount,
            price=row.price,
            reduce_only=row.reduce_only,
            created_at=row.at // 1000 if row.at else self._clock(),
            status=OrderStatus.OPEN,
            exchange_id=row.exchange_id,
            filled=row.filled or ZERO,  # what it filled before is in the balances already
            cost=row.cost or ZERO,
        )
        self._log.save_order(intent)


def rests(order: OrderIntent) -> bool:
    """Whether it stands in the book as far as is known; anything else open is unsure."""
    sure = order.amend_price is None  # else it rests at one of two prices
    return sure and order.status is OrderStatus.OPEN and order.kind is OrderKind.POST_ONLY


def _with_fees(desk: Desk, intent: OrderIntent, row: Told) -> Told:
    """An order in the book is asked for its fees only when it has filled since."""
    return desk.completed(row, intent.symbol) if (row.filled or ZERO) > intent.filled else row


def _own(order: OrderIntent) -> RestingOrder:
    return RestingOrder(
        client_id=order.client_id,
        exchange_id=order.exchange_id,
        symbol=order.symbol,
        side=order.side,
        price=order.price,
        amount=order.amount,
        filled=order.filled,
        at=order.created_at * 1000,
        ours=True,
    )


def _resting(row: Told, symbol: str) -> RestingOrder:
    return RestingOrder(
        client_id=row.client_id or "",
        exchange_id=row.exchange_id,
        symbol=symbol,
        side=Side(row.side or ""),
        price=row.price or ZERO,
        amount=row.amount or ZERO,
        filled=row.filled or ZERO,
        at=row.at or 0,
        ours=False,
    )


def _pending(order: OrderIntent, now: int) -> PendingOrder:
    return PendingOrder(
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        amount=order.amount,
        filled=order.filled,
        age_seconds=max(0, now - order.created_at),
    )
