"""One symbol: everybody else's orders, and ours that rest among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from dexmm.model.order import OrderIntent
from dexmm.model.venue import Book, Instrument, Level, Side
from dexmm.sim.exchange.background_book import Fill, House, within
from dexmm.sim.exchange.rounding import SIGN, ZERO

SHOWN = 20  # levels a side; what a look asks for


class Account(Protocol):
    """What pays for orders."""

    def refusal(self, order: OrderIntent, instrument: Instrument) -> str:
        """Why it cannot pay for an order that is not in the book yet; empty when it can."""

    def room(self, order: OrderIntent) -> Decimal:
        """Base of an order that may still be filled."""

    def settle(
        self, order: OrderIntent, instrument: Instrument, fill: Fill, fee: Decimal
    ) -> OrderIntent:
        """Pay for a fill and its fee, a part of it; the order as it then stands, still open."""


@dataclass(slots=True)
class VenueMarket:
    instrument: Instrument
    house: House
    account: Account
    resting: dict[str, OrderIntent] = field(default_factory=dict)  # by client id, oldest first

    def waiting(self, side: Side) -> list[OrderIntent]:
        """Ours on ``side``, best price first, then by age."""
        found = [order for order in self.resting.values() if order.side is side]
        return sorted(found, key=lambda order: -SIGN[side] * order.price)

    def would_take(self, side: Side, limit: Decimal) -> bool:
        """Whether an order of ``side`` would meet anybody, ourselves included."""
        best = self.house.best(side.other)
        facing = [order.price for order in self.resting.values() if order.side is not side]
        if best is not None:
            facing.append(best.price)
        return any(within(price, limit, side) for price in facing)

    def reached(self) -> Iterator[tuple[OrderIntent, Fill]]:
        """Ours that the price has come to, and what each is filled with, in the order of matching.

        Whole where the market has gone through an order's price. At exactly that price only what
        is offered there, which is then gone.
        """
        for side in Side:
            for order in self.waiting(side):
                best = self.house.best(side.other)
                if best is None or not within(best.price, order.price, side):
                    break
                left = self.account.room(order)
                if best.price == order.price:
                    left = sum((f.amount for f in self.house.take(side, left, order.price)), ZERO)
                if left:
                    yield order, Fill(order.price, left)

    def met(
        self, order: OrderIntent, wanted: Decimal, fills: tuple[Fill, ...]
    ) -> list[OrderIntent]:
        """Ours that a taker of ours comes to: an account never trades with itself."""
        facing = self.waiting(order.side.other)
        if fills and sum((fill.amount for fill in fills), ZERO) >= wanted:
            last = fills[-1].price
            return [o for o in facing if o.price != last and within(o.price, last, order.side)]
        return [o for o in facing if within(o.price, order.price, order.side)]

    def book(self, at_ms: int) -> Book:
        return Book(
            symbol=self.instrument.symbol,
            bids=self._shown(Side.BUY)[:SHOWN],
            asks=self._shown(Side.SELL)[:SHOWN],
            at=at_ms,
        )

    def best(self, at_ms: int) -> Book:
        """The book's best level alone."""
        book = self.book(at_ms)
        return replace(book, bids=book.bids[:1], asks=book.asks[:1])

    def _shown(self, side: Side) -> tuple[Level, ...]:
        levels = self.house.levels(side)
        ours = self.waiting(side)
        if not ours:
            return levels
        amounts = {level.price: level.amount for level in levels}
        for order in ours:
            left = order.amount - order.filled
            amounts[order.price] = amounts.get(order.price, ZERO) + left
        prices = sorted(amounts, reverse=side is Side.BUY)
        return tuple(Level(price=price, amount=amounts[price]) for price in prices)


def filled(order: OrderIntent, fill: Fill) -> OrderIntent:
    """The order with one more fill, its fee aside."""
    return replace(order, filled=order.filled + fill.amount, cost=order.cost + fill.value)
