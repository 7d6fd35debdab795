"""An order we mean to place exactly once, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from dexmm.model.venue import Side


class OrderKind(StrEnum):
    IOC = "ioc"  # limit, fills now what it can, the rest is cancelled
    POST_ONLY = "post_only"  # limit, rests or is refused, never takes


class Purpose(StrEnum):
    HEDGE = "hedge"
    QUOTE = "quote"
    SLICE = "slice"  # the stop-loss sells down
    TRIANGLE = "triangle"
    UNWIND = "unwind"  # of a triangle that filled in part
    EXIT = "exit"  # withdraw closes the perpetual


class OrderStatus(StrEnum):
    INTENDED = "intended"  # stored, perhaps sent; nobody knows yet
    OPEN = "open"  # the exchange has it in its book
    CLOSED = "closed"  # filled, cancelled or expired, in whole or in part
    REJECTED = "rejected"  # the exchange has never had it

    @property
    def final(self) -> bool:
        return self in {OrderStatus.CLOSED, OrderStatus.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """Stored before anything is sent. ``client_id`` is what the order is found by, ever after."""

    client_id: str
    account: str  # exchange and key, as a name without secrets
    symbol: str
    side: Side
    kind: OrderKind
    purpose: Purpose
    amount: Decimal
    price: Decimal
    reduce_only: bool
    created_at: int  # timestamp, seconds
    status: OrderStatus = OrderStatus.INTENDED
    exchange_id: str = ""
    filled: Decimal = Decimal(0)  # base
    cost: Decimal = Decimal(0)  # quote
    fee_base: Decimal = Decimal(0)
    fee_quote: Decimal = Decimal(0)
    fee_other: tuple[tuple[str, Decimal], ...] = ()  # in third coins
    detail: str = ""  # why it was rejected or ended short
    market: str = ""  # the name of the market it is for; "" in what earlier versions stored
    # Of ``fee_other``: coin, amount that has been valued, and its value in the market's quote by
    # the exchange's own price when the fee was told. What is not here has no known price.
    fee_valued: tuple[tuple[str, Decimal, Decimal], ...] = ()
    # A new price that was asked for, stored before it is sent, and when; None: there is none, or
    # the exchange has told which of the two it rests at.
    amend_price: Decimal | None = None
    amend_at: int = 0  # timestamp, seconds

    @property
    def fee_unvalued(self) -> tuple[tuple[str, Decimal], ...]:
        """Fees in third coins whose price is not known, coin by coin."""
        known = {coin: amount for coin, amount, _ in self.fee_valued}
        left = ((coin, amount - known.get(coin, Decimal(0))) for coin, amount in self.fee_other)
        return tuple((coin, amount) for coin, amount in left if amount)

    def fees_outside(self, market: Collection[str]) -> Decimal:
        """What is known of its fees in coins other than ``market``'s is worth, in quote."""
        values = (value for coin, _, value in self.fee_valued if coin not in market)
        return sum(values, Decimal(0))


class OrderLog(Protocol):
    """Where order intents live; ``store`` implements it."""

    def open_orders(self, account: str) -> tuple[OrderIntent, ...]:
        """Those whose status is not final, oldest first."""

    def save_order(self, order: OrderIntent) -> None:
        """Insert or replace by client id, durably."""

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        """Every order created at or after ``since``, oldest first."""
