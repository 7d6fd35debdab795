"""A quiet paper exchange, the real client of it, and a guard that lets nothing leave."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import NOBODY_TAKES, PERPETUAL, Hand, Trader

from dexmm.paper_exchange.paper_exchange import PaperExchange


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Every address outside this machine that was looked up or connected to: none, ever."""
    met: list[object] = []

    def guarded(name: str, host_of: Callable[..., object]) -> None:
        owner = socket.socket if name.startswith("connect") else socket
        original = getattr(owner, name)

        def guard(*arguments: Any, **named: Any) -> Any:
            host = host_of(*arguments)
            if not _is_loopback(host):
                met.append(host)
                raise OSError(f"the test tried to reach {host}")
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, guard)

    guarded("connect", _of_address)
    guarded("connect_ex", _of_address)
    guarded("getaddrinfo", lambda host, *_: host)
    yield met
    assert met == []


def _of_address(_: socket.socket, address: Any, *__: Any) -> object:
    return address[0] if isinstance(address, tuple) else None


def _is_loopback(host: object) -> bool:
    if host in (None, "", b"", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback  # type: ignore[arg-type]  # text or bytes
    except ValueError:
        return False


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    """PAXG/USDT at 4000: bids from 3999.60 down, asks from 4000.40 up, one PAXG at each level."""
    with PaperExchange(NOBODY_TAKES) as exchange:
        yield exchange
        assert exchange.imbalance() == {}


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def trader(tmp_path: Path, paper: PaperExchange, clock: Hand) -> Iterator[Trader]:
    """Spot alone, five PAXG and 30,000 USDT."""
    trader = Trader(tmp_path, paper, clock)
    yield trader
    trader.client.close()


@pytest.fixture
def hedger(tmp_path: Path, paper: PaperExchange, clock: Hand) -> Iterator[Trader]:
    """With the perpetual, 10,000 USDT of margin."""
    trader = Trader(tmp_path, paper, clock, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    yield trader
    trader.client.close()
