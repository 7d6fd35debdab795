"""The state file: what was answered is there again, whatever ended the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from dexmm.cli.paper import paper as paper_command
from dexmm.errors import BadInput
from dexmm.paper_exchange.engine.orders import Side
from dexmm.paper_exchange.engine.price_feed import along, fixed
from dexmm.paper_exchange.engine.settings import PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sim.agents.price_process import Candle, PricePath

D = Decimal
PAXG, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"


@contextmanager
def clients(paper: PaperExchange) -> Iterator[tuple[Any, Any]]:
    made = [
        kind({**paper.ccxt_config(), "enableRateLimit": False})
        for kind in (ccxt.binance, ccxt.binanceusdm)
    ]
    yield made[0], made[1]
    for client in made:
        client.session.close()


def test_everything_is_there_again(settings: PaperSettings, tmp_path: Path) -> None:
    state = tmp_path / "folder" / "paper.sqlite"
    still = {"state": state, "start_ms": 1_790_000_000_000}  # nobody trades between two requests
    with PaperExchange(settings, **still) as paper, clients(paper) as (spot, perpetual):
        paper.set_fair_price("PAXGUSDT", D(4100))
        spot.create_order(PAXG, "limit", "buy", 1.5, 4100.41, {"clientOrderId": "partly"})
        spot.create_order(PAXG, "limit", "sell", 1, 4300, {"clientOrderId": "resting"})
        perpetual.set_leverage(2, PERPETUAL)
        perpetual.create_order(PERPETUAL, "market", "sell", 0.5)
        perpetual.create_order(PERPETUAL, "limit", "buy", 0.2, 3950, {"clientOrderId": "hedge"})
        balance, margin = spot.fetch_balance()["info"], perpetual.fetch_balance()["info"]
        orders, trades = spot.fetch_orders(PAXG), spot.fetch_my_trades(PAXG)
    with PaperExchange(settings, **still) as paper, clients(paper) as (spot, perpetual):
        assert spot.fetch_balance()["info"]["balances"] == balance["balances"]
        assert perpetual.fetch_balance()["info"]["assets"] == margin["assets"]
        assert spot.fetch_orders(PAXG) == orders
        assert spot.fetch_my_trades(PAXG) == trades
        assert perpetual.fetch_positions()[0]["contracts"] == 0.5
        assert perpetual.fetch_leverage(PERPETUAL)["longLeverage"] == 2
        book = spot.fetch_order_book(PAXG, 1)
        assert book["bids"][0][0] == 4100.41
        assert book["bids"][0][0] < book["asks"][0][0]
        # Resting orders still trade, and new numbers are new.
        paper.set_fair_price("PAXGUSDT", D(4350))
        sold = spot.fetch_order(None, PAXG, {"clientOrderId": "resting"})
        assert (sold["status"], sold["filled"]) == ("closed", 1.0)
        later = spot.create_order(PAXG, "limit", "buy", 0.1, 3900)
        assert int(later["id"]) > max(int(o["id"]) for o in orders)
        assert spot.cancel_order(None, PAXG, {"clientOrderId": "partly"})["filled"] == 1.0
        assert spot.cancel_order(later["id"], PAXG)["status"] == "canceled"
        assert spot.fetch_balance()["USDT"]["used"] == 0
        assert perpetual.cancel_order(None, PERPETUAL, {"clientOrderId": "hedge"})
        assert paper.imbalance() == {}


def test_a_resting_order_comes_back_behind_the_house(
    settings: PaperSettings, tmp_path: Path
) -> None:
    state = tmp_path / "paper.sqlite"
    with PaperExchange(settings, state=state) as paper, clients(paper) as (spot, _):
        spot.create_order(PAXG, "limit", "buy", 1, 3999.6)
    with PaperExchange(settings, state=state) as paper, clients(paper) as (spot, _):
        market = paper.exchange.spot["PAXGUSDT"]
        owners = [o.owner for o in market.book.orders(Side.BUY) if o.price == D("3999.60")]
        assert owners == ["~house", "paper"]


def test_one_exchange_a_file(settings: PaperSettings, tmp_path: Path) -> None:
    state = tmp_path / "paper.sqlite"
    with PaperExchange(settings, state=state), pytest.raises(BadInput, match="choose another file"):
        PaperExchange(settings, state=state)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read" * 50])
def test_a_file_that_is_something_else(
    settings: PaperSettings, tmp_path: Path, content: bytes
) -> None:
    state = tmp_path / "paper.sqlite"
    state.write_bytes(content)
    with pytest.raises(BadInput, match="choose another file"):
        PaperExchange(settings, state=state)
    assert state.read_bytes() == content


# Standalone


@contextmanager
def standalone(state: Path, *arguments: str) -> Iterator[tuple[dict[str, Any], Any]]:
    command = [sys.executable, "-c", "from dexmm.cli.paper import paper; paper()"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--state", str(state), "--json", *arguments],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in (0, -signal.SIGKILL)
        process.stdout.close()


def client_of(told: dict[str, Any]) -> Any:
    return ccxt.binance(
        {
            "apiKey": told["api_key"],
            "secret": told["secret"],
            "urls": told["urls"],
            "enableRateLimit": False,
        }
    )


@pytest.mark.kill
def test_a_killed_exchange_forgets_nothing_that_it_answered(tmp_path: Path) -> None:
    state = tmp_path / "paper.sqlite"
    with standalone(state, "--price", "4000") as (told, process):
        spot = client_of(told)
        spot.create_order(PAXG, "limit", "buy", 0.3, 3500, {"clientOrderId": "kept"})
        bought = spot.create_order(PAXG, "market", "buy", 0.2)
        balance = spot.fetch_balance()["info"]["balances"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        spot.session.close()
    with standalone(state, "--price", "4000") as (told, _):
        spot = client_of(told)
        assert spot.fetch_balance()["info"]["balances"] == balance
        assert [o["clientOrderId"] for o in spot.fetch_open_orders(PAXG)] == ["kept"]
        assert spot.fetch_my_trades(PAXG)[0]["order"] == bought["id"]
        spot.session.close()


def test_it_refuses_two_prices(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="exclude each other"):
        paper_command(
            ["--price", "1", "--prices", "x.csv", "--state", str(tmp_path / "s")],
            standalone_mode=False,
        )


def test_the_price_walks_along_the_candles() -> None:
    up = Candle(at=0, open=D(100), high=D(130), low=D(90), close=D(120))
    down = Candle(at=60, open=D(120), high=D(120), low=D(60), close=D(60))
    feed = along(PricePath(source="", interval_seconds=60, candles=(up, down)), D(2))
    # open, low, high, close, in thirds of a candle; twice as fast as the clock
    assert [feed(ms) for ms in (0, 10_000, 20_000, 30_000)] == [D(100), D(90), D(130), D(120)]
    assert feed(5_000) == D(95)
    assert feed(60_000) == feed(10**9) == D(60)
    assert fixed(D(5))(123) == D(5)
