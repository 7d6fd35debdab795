"""The exchange client as a turn uses it, and the paper exchange's own truth beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from dexmm.cex.client import ExchangeClient, open_client
from dexmm.config.schema import Config, parse_config
from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.steps import CancelOrder, Outcome, PlaceOrder
from dexmm.model.venue import Side, VenueView
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.engine.background_book import Shape
from dexmm.paper_exchange.engine.settings import API_KEY, QUIET, SECRET, Basis, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog

D = Decimal
PAXG, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"
NEW, CANCEL, BOOK = "POST /api/v3/order", "DELETE /api/v3/order", "GET /api/v3/depth"
LOOK, ACCOUNT = "GET /api/v3/order", "GET /api/v3/account"
NOBODY_TAKES = replace(
    PaperSettings(),
    flow=QUIET,
    flows={},
    shapes={},
    shape=Shape(half_spread_bp=D(1), step_bp=D(1), levels=5, depth=D(1), growth=D(0)),
    basis=Basis(mean_bp=D("-5"), std_bp=D(0)),
)
WINDOW_SECONDS = 7  # by then an order that has not arrived never will


def config_for(root: Path, url: str, **exchange: object) -> Config:
    settings = {
        "id": "binance",
        "api_key": API_KEY,
        "secret": SECRET,
        "base_url": url,
        "max_ticker_age_seconds": "3600",
        **exchange,
    }
    return parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
            "market": {
                "pool": "0x7Cb85f75e61226060453a997a7733F76707Df337",
                "base": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
                "price_low": "100",
                "price_high": "10000",
            },
            "exchange": settings,
        },
        root,
        "a test",
    )


@dataclass
class Hand:
    """The runner's clock, moved by hand from the machine's time."""

    ahead: int = 0

    def __call__(self) -> int:
        return int(time.time()) + self.ahead


class Trader:
    """The client as a turn uses it, and the paper exchange's own truth beside it."""

    def __init__(self, root: Path, paper: PaperExchange, clock: Hand, **exchange: object) -> None:
        self.paper, self.clock, self.root = paper, clock, root
        self.config = config_for(root, paper.url, **exchange)
        self.log = SqlOrderLog(open_database(f"sqlite:///{root / 'journal.sqlite'}", durable=True))
        self.client = self._open()

    def _open(self) -> ExchangeClient:
        client = open_client(self.config, self.log, self.clock)
        for lane in client.connection.lanes():
            lane.exchange.enableRateLimit = False  # loopback does not mind
        return client

    def restart(self) -> None:
        """As after ``kill -9``: memory is gone, the log's file is not."""
        self.client.close()
        self.log = SqlOrderLog(
            open_database(f"sqlite:///{self.root / 'journal.sqlite'}", durable=True)
        )
        self.client = self._open()

    def impatient(self, milliseconds: int = 300) -> None:
        for lane in self.client.connection.lanes():
            lane.exchange.timeout = milliseconds

    # What a turn does

    def observe(self) -> VenueView:
        return self.client.observe()

    def buy(self, amount: str = "0.1", price: str = "4005", **more: Any) -> Outcome:
        return self.client.send(order(Side.BUY, amount, price, **more))

    def sell(self, amount: str = "0.1", price: str = "3995", **more: Any) -> Outcome:
        return self.client.send(order(Side.SELL, amount, price, **more))

    def rest(self, price: str = "3900", amount: str = "0.1") -> OrderIntent:
        outcome = self.buy(amount, price, order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE)
        assert outcome.status == "done", outcome.detail
        assert outcome.order is not None
        return outcome.order

    def cancel(self, intent: OrderIntent) -> Outcome:
        return self.client.send(CancelOrder(symbol=intent.symbol, client_id=intent.client_id))

    # What is true

    def base(self) -> Decimal:
        with self.paper.exchange.visit():
            account = self.paper.exchange.ledger.accounts["paper"]
            return account.free_of("PAXG") + account.locked_of("PAXG")

    def sent(self) -> list[str]:
        """Client ids of every order that the exchange has ever had, oldest first."""
        with self.paper.exchange.visit():
            found = self.paper.exchange.state.orders(
                "spot:PAXGUSDT", "paper", since_ms=0, until_ms=1 << 60, from_id=0, limit=1000
            )
        return [o.ask.client_order_id for o in found]

    def stored(self) -> list[OrderIntent]:
        return list(self.log.orders_since(self.client.connection.account, 0))

    def arm(self, endpoint: str, effect: Effect, **more: Any) -> None:
        self.paper.add_fault(FaultRule(endpoint=endpoint, effect=effect, **more))


def order(side: Side, amount: str, price: str, **more: Any) -> PlaceOrder:
    facts: dict[str, Any] = {
        "symbol": PAXG,
        "side": side,
        "order": OrderKind.IOC,
        "purpose": Purpose.HEDGE,
        "amount": D(amount),
        "price": D(price),
        **more,
    }
    return PlaceOrder(**facts)
