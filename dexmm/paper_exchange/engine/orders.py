"""An order, and what a client asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dexmm.paper_exchange.engine.rounding import ZERO


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def other(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Type(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"  # spot's post-only
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"  # the perpetual's post-only


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


class SelfTrade(StrEnum):
    """Which side gives way when an account would trade with itself."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A checked request for an order. ``quantity`` is zero when ``quote_quantity`` is given."""

    symbol: str
    side: Side
    type: Type
    client_order_id: str
    time_in_force: TimeInForce = TimeInForce.GTC
    price: Decimal = ZERO
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    reduce_only: bool = False

    @property
    def post_only(self) -> bool:
        return self.type is Type.LIMIT_MAKER or self.time_in_force is TimeInForce.GTX

    @property
    def rests(self) -> bool:
        """Whether what does not trade at once stays in the book."""
        return self.type is not Type.MARKET and self.time_in_force not in (
            TimeInForce.IOC,
            TimeInForce.FOK,
        )


@dataclass(slots=True, kw_only=True)
class Order:
    """What became of an ask. ``executed`` is base, ``quote_executed`` what was paid for it."""

    order_id: int
    owner: str
    ask: Ask
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    locked: Decimal = ZERO  # spot: of the quote for a buy, of the base for a sale
    fill_cap: Decimal | None = None  # a rehearsed fault: it fills so far, then falls silent
    fills: list[Trade] = field(default_factory=list)

    @property
    def symbol(self) -> str:
        return self.ask.symbol

    @property
    def side(self) -> Side:
        return self.ask.side

    @property
    def price(self) -> Decimal:
        return self.ask.price

    @property
    def remaining(self) -> Decimal:
        return self.ask.quantity - self.executed

    @property
    def silent(self) -> bool:
        return self.fill_cap is not None and self.executed >= self.fill_cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One account's side of one fill. ``realised`` is the profit it closed, on a perpetual."""

    trade_id: int
    order_id: int
    owner: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at_ms: int
    realised: Decimal = ZERO
    fair: Decimal = ZERO  # the market's fair price at that moment; zero: nobody has written it down
