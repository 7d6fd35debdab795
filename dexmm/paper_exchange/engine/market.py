"""One symbol: its rules, its book with everybody's orders in it, its tape, its fair price."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.paper_exchange.engine.background_book import Flow, Shape
from dexmm.paper_exchange.engine.order_book import Book
from dexmm.paper_exchange.engine.orders import Order, Side
from dexmm.paper_exchange.engine.rounding import ZERO
from dexmm.paper_exchange.engine.symbol_rules import Kind, Rules
from dexmm.paper_exchange.engine.trade_history import Tape


@dataclass(slots=True, kw_only=True)
class Funding:
    """A perpetual's funding: the rate that is due next, and when; both at ``at_ms``."""

    rate: Decimal = ZERO
    next_ms: int = 0
    paid: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)  # at, rate, mark


@dataclass(slots=True, kw_only=True)
class Market:
    rules: Rules
    shape: Shape
    flow: Flow
    fair: Decimal = ZERO
    quoted_for: Decimal | None = None  # the fair price that the house's quotes are right for
    pinned: bool = False  # its fair price was set directly, and is no longer derived
    book: Book = field(default_factory=Book)
    tape: Tape = field(default_factory=Tape)
    open: dict[int, Order] = field(default_factory=dict)  # the accounts' resting orders
    house: dict[tuple[Side, Decimal], list[Order]] = field(default_factory=dict)
    funding: Funding = field(default_factory=Funding)
    _owned: dict[str, dict[int, Order]] = field(default_factory=dict)
    _named: dict[tuple[str, str], Order] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.rules.kind}:{self.rules.symbol}"

    @property
    def is_perpetual(self) -> bool:
        return self.rules.kind is Kind.PERPETUAL

    def rest(self, order: Order) -> None:
        """An account's order stands in the book from now on."""
        self.open[order.order_id] = order
        self.book.add(order)
        self._owned.setdefault(order.owner, {})[order.order_id] = order
        self._named[order.owner, order.ask.client_order_id] = order

    def forget(self, order: Order) -> None:
        """An order has ended; harmless for one that never stood here."""
        if self.open.pop(order.order_id, None) is None:
            return
        del self._owned[order.owner][order.order_id]
        del self._named[order.owner, order.ask.client_order_id]

    def open_of(self, owner: str) -> list[Order]:
        return list(self._owned.get(owner, {}).values())

    def count_of(self, owner: str) -> int:
        return len(self._owned.get(owner, {}))

    def open_by_client_id(self, owner: str, client_order_id: str) -> Order | None:
        return self._named.get((owner, client_order_id))

    def touch(self) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
        """Best bid and best ask with their quantities; zeros where nobody stands."""
        bids, asks = self.book.depth(Side.BUY, 1), self.book.depth(Side.SELL, 1)
        return (bids[0] if bids else (ZERO, ZERO)), (asks[0] if asks else (ZERO, ZERO))
