"""``dexmm paper`` as a program: an account and a perpetual as they are asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ccxt
import pytest
import requests

from dexmm.cli.main import run

PERPETUAL = "PAXG/USDT:USDT"
Start = Callable[..., dict[str, Any]]


@contextmanager
def paper(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """The program on a free port, until it is ended by SIGTERM: what it says of itself."""
    dexmm = str(Path(sys.executable).parent / "dexmm")
    command = [dexmm, "paper", "--json", "--port", "0"]
    with subprocess.Popen(
        [*command, "--state", str(folder / "paper.sqlite"), "--price", "4000", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            lines = ""
            for line in process.stdout:
                lines += line
                try:
                    told = json.loads(lines)
                except ValueError:
                    continue
                break
            yield told
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(paper(tmp_path, *options))


def client(kind: type, told: dict[str, Any]) -> Any:
    return kind(
        {
            "apiKey": told["api_key"],
            "secret": told["secret"],
            "urls": told["urls"],
            "enableRateLimit": False,
        }
    )


def ask(told: dict[str, Any], path: str, body: object) -> requests.Response:
    return requests.post(f"{told['url']}/paper/{path}", json=body, timeout=10)


def test_balances_margin_modes_funding_and_mark_are_set_at_the_start(start: Start) -> None:
    told = start(
        *("--balance", "USDT=1234.5", "--balance", "PAXG=0.25", "--margin", "777"),
        *("--margin-mode", "isolated", "--funding-rate", "-0.0005"),
        *("--perpetual-price", "4100", "--position-mode", "hedge"),
    )
    spot, perpetual = client(ccxt.binance, told), client(ccxt.binanceusdm, told)
    held = spot.fetch_balance()["total"]
    assert (held["USDT"], held["PAXG"]) == (1234.5, 0.25)
    assert perpetual.fetch_balance()["USDT"]["total"] == 777
    rate = perpetual.fetch_funding_rate(PERPETUAL)
    assert (rate["fundingRate"], rate["markPrice"]) == (-0.0005, 4100)
    assert perpetual.fetch_margin_mode(PERPETUAL)["marginMode"] == "isolated"
    assert perpetual.fetch_position_mode()["hedged"] is True
    with pytest.raises(ccxt.ExchangeError, match="-4061"):
        perpetual.create_order(PERPETUAL, "market", "sell", 0.1)
    perpetual.set_position_mode(False)
    assert perpetual.create_order(PERPETUAL, "market", "sell", 0.1)["filled"] == 0.1

    # The same while it runs, and what cannot be is one clear answer that changes nothing.
    assert ask(told, "account", {"spot": {"USDT": "50"}, "margin": 900}).status_code == 200
    assert spot.fetch_balance()["total"]["USDT"] == 50
    assert perpetual.fetch_balance()["info"]["totalWalletBalance"] == "900.00000000"
    refused = ask(told, "account", {"margin": 1, "position_mode": "hedge"})
    assert refused.status_code == 400
    assert "has a position" in refused.json()["error"]
    assert perpetual.fetch_balance()["info"]["totalWalletBalance"] == "900.00000000"
    for path, wrong in (
        ("account", {"margin": -1}),
        ("account", {"spot": {"USDT": "much"}}),
        ("account", {"whatever": 1}),
        ("funding", {"symbol": "GOLD", "rate": 0}),
        ("funding", {"symbol": "PAXGUSDT", "rate": 2}),
        ("price", {"symbol": "PAXGUSDT", "market": "perpetual", "price": 0}),
    ):
        answer = ask(told, path, wrong)
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True), wrong
    body = {"symbol": "PAXGUSDT", "market": "perpetual", "price": "4222"}
    assert ask(told, "price", body).status_code == 200
    assert perpetual.fetch_funding_rate(PERPETUAL)["markPrice"] == 4222
    assert requests.get(f"{told['url']}/paper/status", timeout=10).json()["imbalance"] == {}


def test_what_is_given_holds_over_a_state_file(tmp_path: Path) -> None:
    for margin in ("100", "200"):
        with paper(tmp_path, "--margin", margin) as told:
            perpetual = client(ccxt.binanceusdm, told)
            assert perpetual.fetch_balance()["USDT"]["total"] == int(margin)
    with paper(tmp_path) as told:
        assert client(ccxt.binanceusdm, told).fetch_balance()["USDT"]["total"] == 200


@pytest.mark.parametrize(
    "options",
    [
        ("--balance", "USDT"),
        ("--balance", "USDT=much"),
        ("--balance", "USDT=-1"),
        ("--funding-rate", "dear"),
        ("--funding-rate", "2"),
        ("--position-mode", "both"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, options: tuple[str, str]) -> None:
    state = str(tmp_path / "paper.sqlite")
    assert run(["paper", "--port", "0", "--state", state, "--price", "4000", *options]) == 2
