"""What a paper exchange is made of. Every default is one that a rehearsal can start from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.paper_exchange.engine.accounts import Permissions
from dexmm.paper_exchange.engine.background_book import Flow, Shape
from dexmm.paper_exchange.engine.symbol_rules import PERPETUALS, SPOT, Rules


def _public(what: str) -> str:
    """Sixty-four characters, as Binance's keys have. Public by design: paper opens nothing."""
    return hashlib.sha256(f"dexmm paper {what}".encode()).hexdigest()


API_KEY = _public("key")
SECRET = _public("secret")


USUAL_PERMISSIONS = Permissions()
USUAL_SHAPE, USUAL_FLOW = Shape(), Flow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An account as it is opened. What a state file holds of it wins over this."""

    name: str = "paper"
    api_key: str = API_KEY
    secret: str = field(default=SECRET, repr=False)
    spot: Mapping[str, Decimal] = field(
        default_factory=lambda: {
            "PAXG": Decimal(5),
            "USDT": Decimal(30_000),
            "USDC": Decimal(5_000),
            "BTC": Decimal("0.2"),
        }
    )
    margin: Decimal = Decimal(10_000)  # USDT in the futures wallet
    pays_fees_in_bnb: bool = False
    permissions: Permissions = USUAL_PERMISSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Binance's: request weight a minute, and orders per ten seconds and per day (or minute)."""

    spot_weight: int = 6000
    spot_orders_10s: int = 100
    spot_orders_day: int = 200_000
    futures_weight: int = 2400
    futures_orders_10s: int = 300
    futures_orders_minute: int = 1200


UNLIMITED = Limits(
    spot_weight=10**9,
    spot_orders_10s=10**9,
    spot_orders_day=10**9,
    futures_weight=10**9,
    futures_orders_10s=10**9,
    futures_orders_minute=10**9,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A symbol whose fair price follows from others', until it is set directly."""

    numerator: str
    denominator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The perpetual minus its index, in basis points: a mean, and how far it strays."""

    mean_bp: Decimal = Decimal("-4.7")
    std_bp: Decimal = Decimal("3.0")
    halflife_ms: int = 3_600_000


USUAL_OPENING, USUAL_LIMITS, USUAL_BASIS = Opening(), Limits(), Basis()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """The whole configuration. Prices are quote per base; ``seed`` draws flow and basis."""

    accounts: tuple[Opening, ...] = (USUAL_OPENING,)
    spot: tuple[Rules, ...] = SPOT
    perpetuals: tuple[Rules, ...] = PERPETUALS
    prices: Mapping[str, Decimal] = field(
        default_factory=lambda: {
            "PAXGUSDT": Decimal(4000),
            "BTCUSDT": Decimal(100_000),
            "BNBUSDT": Decimal(800),
        }
    )
    derived: Mapping[str, Derived] = field(
        default_factory=lambda: {
            "PAXGUSDC": Derived(numerator="PAXGUSDT"),
            "PAXGBTC": Derived(numerator="PAXGUSDT", denominator="BTCUSDT"),
        }
    )
    shape: Shape = USUAL_SHAPE
    shapes: Mapping[str, Shape] = field(
        default_factory=lambda: {
            "spot:BTCUSDT": Shape(
                half_spread_bp=Decimal("0.1"), step_bp=Decimal("0.5"), depth=Decimal("0.2")
            ),
            "spot:PAXGBTC": Shape(
                half_spread_bp=Decimal(4), step_bp=Decimal(3), depth=Decimal("0.3")
            ),
            "perpetual:PAXGUSDT": Shape(half_spread_bp=Decimal("0.5"), depth=Decimal(1)),
        }
    )
    flow: Flow = USUAL_FLOW
    flows: Mapping[str, Flow] = field(
        default_factory=lambda: {
            "spot:BTCUSDT": Flow(per_hour=Decimal(60), mean_quantity=Decimal("0.02")),
            "spot:PAXGBTC": Flow(per_hour=Decimal(30), mean_quantity=Decimal("0.1")),
        }
    )
    basis: Basis = USUAL_BASIS
    funding_rate: Decimal = Decimal("0.0000114")  # each four hours: 2.5 % a year
    limits: Limits = USUAL_LIMITS
    seed: int = 1


QUIET = Flow(per_hour=Decimal(0))
"""Nobody takes: only a moving fair price fills what rests."""
