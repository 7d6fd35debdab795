"""One symbol's order book: the best price first, and at one price whoever came first.

Everybody's orders stand in it, the house's too: an account's place in the queue is real. The
book knows nothing of money; a ``Desk`` settles what it matches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

from dexmm.paper_exchange.engine.orders import Order, SelfTrade, Side, Status
from dexmm.paper_exchange.engine.rounding import ZERO


class Desk(Protocol):
    """Who settles: says how much of an order may trade at a price, and moves the money."""

    def room(self, order: Order, price: Decimal) -> Decimal: ...

    def trade(self, maker: Order, taker: Order, price: Decimal, quantity: Decimal) -> None: ...

    def close(self, order: Order, status: Status) -> None: ...


class Book:
    def __init__(self) -> None:
        self._levels: dict[Side, dict[Decimal, dict[int, Order]]] = {Side.BUY: {}, Side.SELL: {}}
        self._prices: dict[Side, list[Decimal]] = {Side.BUY: [], Side.SELL: []}  # ascending

    def __contains__(self, order: Order) -> bool:
        return order.order_id in self._levels[order.side].get(order.price, {})

    def add(self, order: Order) -> None:
        """Last in the queue at its price."""
        levels = self._levels[order.side]
        if order.price not in levels:
            levels[order.price] = {}
            insort(self._prices[order.side], order.price)
        levels[order.price][order.order_id] = order

    def remove(self, order: Order) -> None:
        """Take it out; harmless when it is not there."""
        levels = self._levels[order.side]
        queue = levels.get(order.price)
        if queue is None or queue.pop(order.order_id, None) is None or queue:
            return
        del levels[order.price]
        prices = self._prices[order.side]
        del prices[bisect_left(prices, order.price)]

    def best(self, side: Side) -> Decimal | None:
        """The best price that anybody stands at who still trades."""
        return next((price for price, _ in self.depth(side, 1)), None)

    def depth(self, side: Side, limit: int) -> list[tuple[Decimal, Decimal]]:
        """Price and total quantity, best first; orders that fell silent are not shown."""
        found: list[tuple[Decimal, Decimal]] = []
        for price in self._from_best(side):
            if len(found) == limit:
                break
            total = sum(
                (o.remaining for o in self._levels[side][price].values() if not o.silent), ZERO
            )
            if total > 0:
                found.append((price, total))
        return found

    def orders(self, side: Side) -> Iterator[Order]:
        """Everybody's, best price first, then by age."""
        for price in self._from_best(side):
            yield from list(self._levels[side][price].values())

    def facing(self, side: Side, limit: Decimal | None) -> Iterator[Order]:
        """What an order of ``side`` would meet, up to its limit, in the order it would meet it."""
        other = side.other
        for price in self._reachable(side, limit):
            yield from list(self._levels[other].get(price, {}).values())

    def _from_best(self, side: Side) -> list[Decimal]:
        prices = self._prices[side]
        return prices[::-1] if side is Side.BUY else prices[:]

    def _reachable(self, side: Side, limit: Decimal | None) -> list[Decimal]:
        prices = self._prices[side.other]
        if side is Side.BUY:
            return prices[:] if limit is None else prices[: bisect_right(prices, limit)]
        return prices[::-1] if limit is None else prices[bisect_left(prices, limit) :][::-1]


def match(book: Book, taker: Order, desk: Desk, limit: Decimal | None) -> None:
    """Trade ``taker`` against the book, at the makers' prices, until it or they are used up.

    Where both sides belong to one account the taker's self-trade rule decides who gives way.
    """
    for maker in book.facing(taker.side, limit):
        if not taker.status.is_open:
            return
        wanted = desk.room(taker, maker.price)
        if wanted <= 0:
            return
        if maker not in book:
            continue
        quantity = min(wanted, desk.room(maker, maker.price))
        if quantity <= 0:
            continue
        if maker.owner == taker.owner and taker.ask.self_trade is not SelfTrade.NONE:
            _give_way(book, maker, taker, desk)
            continue
        desk.trade(maker, taker, maker.price, quantity)
        if maker.remaining <= 0:
            book.remove(maker)


def _give_way(book: Book, maker: Order, taker: Order, desk: Desk) -> None:
    if taker.ask.self_trade in (SelfTrade.EXPIRE_MAKER, SelfTrade.EXPIRE_BOTH):
        book.remove(maker)
        desk.close(maker, Status.EXPIRED_IN_MATCH)
    if taker.ask.self_trade in (SelfTrade.EXPIRE_TAKER, SelfTrade.EXPIRE_BOTH):
        desk.close(taker, Status.EXPIRED_IN_MATCH)
