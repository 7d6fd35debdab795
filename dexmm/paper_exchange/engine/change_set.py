"""What happened since the state file was last written, and the numbers that are given out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.paper_exchange.engine.orders import Order, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Income:
    """A line of a futures account's statement, in the margin asset."""

    income_id: int
    owner: str
    symbol: str
    kind: str  # REALIZED_PNL, COMMISSION, FUNDING_FEE, TRANSFER, INSURANCE_CLEAR
    amount: Decimal
    at_ms: int
    trade_id: int = 0


@dataclass(slots=True)
class Changes:
    """One clock and one counter for everything: a later event never has a smaller number."""

    now_ms: int = 0
    last_id: int = 1000
    orders: dict[int, tuple[str, Order]] = field(default_factory=dict)  # with their market's key
    trades: list[tuple[str, Trade]] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)
    markets: bool = False

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def order(self, key: str, order: Order) -> None:
        self.orders[order.order_id] = (key, order)
        self.accounts.add(order.owner)

    def income(
        self, owner: str, symbol: str, kind: str, amount: Decimal, trade_id: int = 0
    ) -> None:
        self.incomes.append(
            Income(
                income_id=self.next_id(),
                owner=owner,
                symbol=symbol,
                kind=kind,
                amount=amount,
                at_ms=self.now_ms,
                trade_id=trade_id,
            )
        )
        self.accounts.add(owner)

    @property
    def anything(self) -> bool:
        return bool(self.orders or self.trades or self.incomes or self.accounts or self.markets)

    def clear(self) -> None:
        self.orders.clear()
        self.trades.clear()
        self.incomes.clear()
        self.accounts.clear()
        self.markets = False
