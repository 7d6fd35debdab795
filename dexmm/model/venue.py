"""What an exchange holds for us and what it quotes, as one look at it showed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def other(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A symbol as the exchange trades it. Steps and minimums come from the exchange, always."""

    symbol: str  # ccxt's unified name, such as PAXG/USDT or PAXG/USDT:USDT
    base: str
    quote: str
    contract: bool  # a perpetual; amounts here are in base all the same
    price_step: Decimal
    amount_step: Decimal
    amount_min: Decimal
    cost_min: Decimal  # quote
    maker_fee: Decimal  # of the notional, 0.001 is 10 bp
    taker_fee: Decimal
    tradable: bool  # False: suspended
    amount_max: Decimal | None = None  # of one limit order; None: no limit is stated
    cost_max: Decimal | None = None  # quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The best levels, nearest first. A crossed or empty book has no mid."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: int  # timestamp, milliseconds, by the exchange's clock

    @property
    def mid(self) -> Decimal | None:
        if not self.bids or not self.asks or self.bids[0].price >= self.asks[0].price:
            return None
        return (self.bids[0].price + self.asks[0].price) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Of one coin. ``total`` includes what resting orders lock."""

    coin: str
    free: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Perpetual:
    """The perpetual position: negative ``base`` is short."""

    base: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal  # quote
    margin: Decimal  # quote in the derivatives account, without unrealised profit
    leverage: Decimal
    funding_rate: Decimal  # of the notional, per funding interval; positive: longs pay
    funding_at: int  # timestamp, milliseconds; 0: not told
    liquidation_price: Decimal | None = None  # as the exchange states it; None: it states none
    maintenance: Decimal | None = None  # margin that must remain, of the notional; None: not told
    isolated_margin: Decimal | None = None  # quote that answers for it alone; None: cross margin
    shared: bool = False  # the spot account is the margin: ``margin`` is 0
    hedge_mode: bool = False  # longs and shorts side by side: nothing is opened here


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order of ours in the book."""

    client_id: str
    exchange_id: str
    symbol: str
    side: Side
    price: Decimal
    amount: Decimal
    filled: Decimal
    at: int  # timestamp, milliseconds
    ours: bool  # its client id carries our prefix; others are left alone


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingOrder:
    """An order of ours whose fate is not known yet; its worst case counts in the inventory."""

    client_id: str
    symbol: str
    side: Side
    amount: Decimal
    filled: Decimal
    age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueView:
    """One whole look at the exchange. A venue that cannot be read whole has no view at all."""

    exchange: str  # ccxt's id
    at: int  # timestamp, milliseconds, by the exchange's clock
    spot: Instrument
    perpetual: Instrument | None
    balances: tuple[Balance, ...]
    spot_book: Book
    perpetual_book: Book | None
    position: Perpetual | None
    triangle_books: tuple[Book, ...]  # PAXG/BTC and BTC/USDT, where configured
    resting: tuple[RestingOrder, ...]
    pending: tuple[PendingOrder, ...]
    triangle: tuple[Instrument, ...] = ()  # of triangle_books, in the same order
    recent_sent: int = 0  # orders sent and cancelled in the cancel budget's window
    recent_cancelled: int = 0
    amends: bool = False  # a resting spot order's price can be changed in place
    # What fills of quotes have brought in since somebody began to count, fees taken off: a count
    # that began at another time is another count. ``quoted_epoch`` is a timestamp in seconds; 0:
    # nobody counts.
    quoted_base: Decimal = Decimal(0)
    quoted_quote: Decimal = Decimal(0)
    quoted_epoch: int = 0
    # What fees in coins outside of the market have cost since ``fees_teller`` began to count, in
    # quote, each by the price when it was told. A new process is a new teller and begins at 0.
    fees_outside: Decimal = Decimal(0)
    fees_teller: str = ""

    def balance(self, coin: str) -> Balance:
        for found in self.balances:
            if found.coin == coin:
                return found
        return Balance(coin=coin, free=Decimal(0), total=Decimal(0))
