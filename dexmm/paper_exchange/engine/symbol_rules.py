"""A symbol's rules: its tick, its lots, its minimums and its fees.

The values of Binance's ``exchangeInfo`` as configuration. Ticks and steps agree with the prices
and volumes of recorded candles; fees are those of an account without volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Prices are quote per base, quantities are base, fees are fractions of what is traded."""

    symbol: str
    base: str
    quote: str
    kind: Kind = Kind.SPOT
    tick_size: Decimal = Decimal("0.01")
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1_000_000)
    step_size: Decimal = Decimal("0.0001")
    min_quantity: Decimal = Decimal("0.0001")
    max_quantity: Decimal = Decimal(9000)
    max_market_quantity: Decimal = Decimal(100)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    price_up: Decimal = Decimal(5)  # a price above this multiple of the market's is refused
    price_down: Decimal = Decimal("0.2")
    max_open_orders: int = 200
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    trading: bool = True
    # A perpetual only:
    index: str = ""  # the spot symbol whose price it follows
    funding_hours: int = 4
    maintenance_rate: Decimal = Decimal("0.01")
    max_leverage: int = 75


SPOT = (
    Rules(symbol="PAXGUSDT", base="PAXG", quote="USDT"),
    Rules(symbol="PAXGUSDC", base="PAXG", quote="USDC"),
    Rules(
        symbol="PAXGBTC",
        base="PAXG",
        quote="BTC",
        tick_size=Decimal("0.00001"),
        min_price=Decimal("0.00001"),
        max_price=Decimal(1000),
        min_notional=Decimal("0.0001"),
        max_notional=Decimal(100),
    ),
    Rules(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        step_size=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        max_market_quantity=Decimal(80),
    ),
)

# Listed where an account pays its fees in it: its price is then part of what such an account costs.
BNB_USDT = Rules(
    symbol="BNBUSDT",
    base="BNB",
    quote="USDT",
    step_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
)

PERPETUALS = (
    Rules(
        symbol="PAXGUSDT",
        base="PAXG",
        quote="USDT",
        kind=Kind.PERPETUAL,
        min_price=Decimal("0.01"),
        step_size=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
        max_market_quantity=Decimal(200),
        price_up=Decimal("1.05"),
        price_down=Decimal("0.95"),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
        index="PAXGUSDT",
    ),
)
