"""What one account holds: spot balances, and a futures wallet with its positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.paper_exchange.engine.orders import Side
from dexmm.paper_exchange.engine.rounding import ZERO, floor_unit

MARGIN_ASSET = "USDT"


@dataclass(slots=True)
class Position:
    """``amount`` is base, negative when short; ``cost`` is what opening it paid, same sign.

    The entry price is only ever shown: profit is counted from ``cost``, to the last digit.
    """

    amount: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        return self.cost / self.amount if self.amount else ZERO

    def profit(self, mark: Decimal) -> Decimal:
        """Unrealised, at a mark price."""
        return floor_unit(self.amount * mark) - self.cost

    def fill(self, side: Side, quantity: Decimal, value: Decimal) -> Decimal:
        """Change the position by a fill. Returns the profit that it realised.

        Opening adds to the cost; closing releases the closed part of it. Whatever is rounded
        moves between cost and profit, so ``profit - change of cost`` is always ``-value`` paid.
        """
        signed, paid = quantity * side.sign, value * side.sign
        before = self.cost
        if self.amount * signed >= 0:
            self.cost += paid
        elif quantity < abs(self.amount):
            self.cost -= floor_unit(self.cost * quantity / abs(self.amount))
        else:  # closed, and what is left over opens the other way
            self.cost = floor_unit(paid * (quantity - abs(self.amount)) / quantity)
        self.amount += signed
        return self.cost - before - paid


@dataclass(slots=True)
class Futures:
    wallet: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    hedge_mode: bool = False  # then an order for the one-way position is refused

    def position(self, symbol: str) -> Position:
        return self.positions.setdefault(symbol, Position())


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What an API key may do, as ``apiRestrictions`` tells it."""

    trade: bool = True
    futures: bool = True
    withdraw: bool = False
    ip_restricted: bool = True


@dataclass(slots=True, kw_only=True)
class Account:
    name: str
    api_key: str = ""
    secret: str = field(default="", repr=False)
    permissions: Permissions = Permissions()
    pays_fees_in_bnb: bool = False
    free: dict[str, Decimal] = field(default_factory=dict)
    locked: dict[str, Decimal] = field(default_factory=dict)
    futures: Futures = field(default_factory=Futures)
    updated_ms: int = 0

    def free_of(self, asset: str) -> Decimal:
        return self.free.get(asset, ZERO)

    def locked_of(self, asset: str) -> Decimal:
        return self.locked.get(asset, ZERO)

    def add(self, asset: str, amount: Decimal) -> None:
        self.free[asset] = self.free_of(asset) + amount

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move from free to locked; a negative amount gives it back."""
        self.free[asset] = self.free_of(asset) - amount
        self.locked[asset] = self.locked_of(asset) + amount

    def assets(self) -> list[str]:
        return sorted(set(self.free) | set(self.locked))
