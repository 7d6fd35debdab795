"""A quiet paper exchange, clients of it, and a guard that lets nothing leave this machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import pytest
import requests

from dexmm.paper_exchange.engine.background_book import Shape
from dexmm.paper_exchange.engine.settings import API_KEY, QUIET, SECRET, Basis, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal
NOBODY_TAKES = replace(
    PaperSettings(),
    flow=QUIET,
    flows={},
    shapes={},
    shape=Shape(half_spread_bp=D(1), step_bp=D(1), levels=5, depth=D(1), growth=D(0)),
    basis=Basis(mean_bp=D("-5"), std_bp=D(0)),
)


def _is_loopback(host: object) -> bool:
    if host in (None, "", b"", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Every address outside this machine that was looked up or connected to: none, ever."""
    met: list[object] = []

    def guarded(name: str, host_of: Callable[..., object]) -> None:
        owner = socket.socket if name.startswith("connect") else socket
        original = getattr(owner, name)

        def guard(*args: Any, **kwargs: Any) -> Any:
            host = host_of(*args)
            if not _is_loopback(host):
                met.append(host)
                raise OSError(f"the test tried to reach {host}")
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, guard)

    def of_address(_: socket.socket, address: Any, *__: Any) -> object:
        return address[0] if isinstance(address, tuple) else None

    guarded("connect", of_address)
    guarded("connect_ex", of_address)
    guarded("getaddrinfo", lambda host, *_: host)
    yield met
    assert met == []


@pytest.fixture
def settings() -> PaperSettings:
    return NOBODY_TAKES


@pytest.fixture
def paper(settings: PaperSettings) -> Iterator[PaperExchange]:
    """PAXG/USDT at 4000: bids from 3999.60 down, asks from 4000.40 up, one PAXG at each level."""
    with PaperExchange(settings) as exchange:
        yield exchange
        assert exchange.imbalance() == {}


def client(kind: type, paper: PaperExchange, account: int = 0, **more: object) -> Any:
    made = kind({**paper.ccxt_config(account), "enableRateLimit": False, "timeout": 5000, **more})
    made.load_markets()
    return made


@pytest.fixture
def spot(paper: PaperExchange) -> Iterator[Any]:
    made = client(ccxt.binance, paper)
    yield made
    made.session.close()


@pytest.fixture
def perpetual(paper: PaperExchange) -> Iterator[Any]:
    made = client(ccxt.binanceusdm, paper)
    yield made
    made.session.close()


@dataclass(frozen=True)
class Answered:
    status: int
    told: Any
    headers: Any

    @property
    def error(self) -> tuple[int, str]:
        return self.told["code"], self.told["msg"]


class Raw:
    """Signed requests as they go over the wire."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["X-MBX-APIKEY"] = API_KEY

    def sign(self, query: str, secret: str = SECRET) -> str:
        signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{query}&signature={signature}"

    def __call__(self, method: str, path: str, *, signed: bool = True, **given: object) -> Answered:
        if signed:
            given.setdefault("timestamp", time.time_ns() // 1_000_000)
        query = urlencode(given)
        return self.send(method, f"{path}?{self.sign(query) if signed else query}")

    def send(self, method: str, target: str, **more: Any) -> Answered:
        answer = self.session.request(method, self.url + target, timeout=10, **more)
        return Answered(answer.status_code, answer.json(), answer.headers)

    def order(self, **given: object) -> Answered:
        usual = {
            "symbol": "PAXGUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.1",
            "price": "3900",
        }
        chosen = {k: v for k, v in {**usual, **given}.items() if v is not None}
        return self("POST", "/api/v3/order", **chosen)

    def short(self, **given: object) -> Answered:
        usual = {"symbol": "PAXGUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.5"}
        chosen = {k: v for k, v in {**usual, **given}.items() if v is not None}
        return self("POST", "/fapi/v1/order", newOrderRespType="RESULT", **chosen)


@pytest.fixture
def raw(paper: PaperExchange) -> Iterator[Raw]:
    made = Raw(paper.url)
    yield made
    made.session.close()
