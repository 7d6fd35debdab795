"""Walking a book: what an order would meet, level by level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.model.venue import Book, Level, RestingOrder, Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Walk:
    """What an order that takes would do."""

    filled: Decimal  # base
    cost: Decimal  # quote, before fees

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None


def opposite(book: Book, side: Side) -> tuple[Level, ...]:
    """The levels that an order of ``side`` takes from, best first."""
    return book.asks if side is Side.BUY else book.bids


def best(book: Book, side: Side) -> Decimal | None:
    """The best price on ``side``: the highest bid, or the lowest ask."""
    levels = book.bids if side is Side.BUY else book.asks
    return levels[0].price if levels else None


def without(book: Book, orders: Iterable[RestingOrder]) -> Book:
    """The book as it is once these orders have been taken out of it."""
    taken: dict[tuple[Side, Decimal], Decimal] = {}
    for order in orders:
        if order.symbol == book.symbol:
            key = (order.side, order.price)
            taken[key] = taken.get(key, ZERO) + order.amount - order.filled

    def rest(levels: tuple[Level, ...], side: Side) -> tuple[Level, ...]:
        left = (replace(x, amount=x.amount - taken.get((side, x.price), ZERO)) for x in levels)
        return tuple(level for level in left if level.amount > 0)

    return replace(book, bids=rest(book.bids, Side.BUY), asks=rest(book.asks, Side.SELL))


def within(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Whether a taker of ``side`` accepts ``price``."""
    return price <= limit if side is Side.BUY else price >= limit


def walk(book: Book, side: Side, amount: Decimal, limit: Decimal) -> Walk:
    """Take ``amount`` base, never beyond ``limit``."""
    filled = cost = ZERO
    for level in opposite(book, side):
        if filled >= amount or not within(level.price, limit, side):
            break
        part = min(level.amount, amount - filled)
        filled, cost = filled + part, cost + part * level.price
    return Walk(filled, cost)
