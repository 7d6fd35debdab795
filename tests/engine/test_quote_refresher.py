"""``dexmm run`` quoting without a pool: orders on both sides while it runs, none when it ends."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.config.schema import load_config
from dexmm.errors import BadInput
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.engine.settings import QUIET, UNLIMITED, Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

CONFIG = """
[network]
name = "sandbox"

[market]
price_low = 2000
price_high = 8000

[guards]
closed_weekly = []

[exchange]
symbol = "PAXG/USDT"
timeout_seconds = 2
cancel_ratio = 1

[quotes]
enabled = true
accept_loss = true
refresh_seconds = 1
back_off_seconds = 1
"""


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    opening = Opening(spot={"PAXG": Decimal(2), "USDT": Decimal(14_000)}, margin=Decimal(0))
    settings = PaperSettings(
        accounts=(opening,),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )
    with PaperExchange(settings) as opened:
        yield opened


@pytest.fixture
def loop(paper: PaperExchange, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "dexmm.toml").write_text(CONFIG)
    process = subprocess.Popen(
        [sys.executable, "-m", "dexmm.cli.main", "run", "--config", str(tmp_path / "dexmm.toml")],
        env=environment_for(paper),
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def environment_for(paper: PaperExchange) -> dict[str, str]:
    opening = paper.settings.accounts[0]
    return {
        "PATH": os.environ["PATH"],
        "DEXMM_EXCHANGE__BASE_URL": paper.url,
        "DEXMM_EXCHANGE__API_KEY": opening.api_key,
        "DEXMM_EXCHANGE__SECRET": opening.secret,
    }


def resting(paper: PaperExchange) -> list[tuple[str, Decimal]]:
    with paper.exchange.visit():
        market = paper.exchange.spot["PAXGUSDT"]
        return sorted((order.side.value, order.price) for order in market.open.values())


def best_bid(paper: PaperExchange) -> Decimal:
    return max((price for side, price in resting(paper) if side == "BUY"), default=Decimal(0))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_quotes_follow_the_price_and_are_gone_at_the_end(
    paper: PaperExchange, loop: subprocess.Popen[str], asked: signal.Signals
) -> None:
    until(lambda: len(resting(paper)) == 2)
    before = resting(paper)
    assert [side for side, _ in before] == ["BUY", "SELL"]
    paper.set_fair_price("PAXGUSDT", Decimal(4020))
    until(lambda: best_bid(paper) > before[0][1])
    loop.send_signal(asked)
    assert loop.wait(30) == 0
    assert resting(paper) == []


def test_an_exchange_that_fails_is_left_alone_for_a_while(
    paper: PaperExchange, loop: subprocess.Popen[str]
) -> None:
    until(lambda: len(resting(paper)) == 2)
    paper.add_fault(FaultRule(endpoint="GET /api/v3/*", effect=Effect.SERVER_ERROR, times=6))
    until(lambda: all(armed.is_over for armed in paper.exchange.faults.armed))
    paper.set_fair_price("PAXGUSDT", Decimal(4020))
    until(lambda: best_bid(paper) > Decimal(4010))
    loop.send_signal(signal.SIGTERM)
    told = loop.communicate(timeout=30)[1]
    assert loop.returncode == 0
    assert "quotes back off for 1 s" in told or "turn skipped" in told
    assert resting(paper) == []


def test_the_log_tells_a_refreshs_orders_fills_cancels_and_alarms(
    paper: PaperExchange, loop: subprocess.Popen[str]
) -> None:
    until(lambda: len(resting(paper)) == 2)
    paper.set_fair_price("PAXGUSDT", Decimal(4020))  # through the ask, away from the bid
    until(lambda: best_bid(paper) > Decimal(4010))
    paper.set_fair_price("PAXGUSDT", Decimal(9000))  # outside the corridor: nothing may rest
    until(lambda: resting(paper) == [])
    loop.send_signal(signal.SIGTERM)
    lines = loop.communicate(timeout=30)[1].splitlines()
    assert loop.returncode == 0

    def told(level: str, *parts: str) -> bool:
        return any(f" {level} " in line and all(p in line for p in parts) for line in lines)

    assert told("INFO", "placed quote buy 0.1 PAXG/USDT at ", ": done")
    assert told("INFO", "cancelled quote buy 0.1 PAXG/USDT at ", ": done")
    assert told("INFO", "filled 0.1 of 0.1 PAXG/USDT, quote sell at ")
    assert told("WARNING", "guard quote_corridor bites", "market.price_low")
    assert not told("INFO", "quote_corridor bites")


def test_a_key_that_may_no_longer_trade_halts_between_turns(
    paper: PaperExchange, loop: subprocess.Popen[str], tmp_path: Path
) -> None:
    until(lambda: len(resting(paper)) == 2)
    denied = "Invalid API-key, IP, or permissions for action."
    paper.add_fault(
        FaultRule(
            endpoint="POST /api/v3/order",
            effect=Effect.REJECT,
            status=401,
            code=-2015,
            msg=denied,
            times=0,
        )
    )
    paper.set_fair_price("PAXGUSDT", Decimal(4020))
    told = loop.communicate(timeout=60)[1]
    assert loop.returncode == 4
    assert "CRITICAL halted: the exchange refused an order in PAXG/USDT" in told
    assert denied in told
    assert "back off" not in told
    assert list(tmp_path.rglob("HALT*"))
    assert resting(paper) == []  # what rested was taken out all the same


def test_two_markets_without_a_pool_quote_side_by_side_from_one_account(tmp_path: Path) -> None:
    """Each in its own symbol, from its part of the gold; neither takes the other's orders out."""
    coins = {"PAXG": Decimal(2), "USDT": Decimal(7_000), "USDC": Decimal(7_000)}
    settings = PaperSettings(
        accounts=(Opening(spot=coins, margin=Decimal(0)),),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )
    shared, _, market = CONFIG.partition("[market]")
    market, _, rest = market.partition("[guards]")
    rest = rest.replace('symbol = "PAXG/USDT"\n', "").replace(
        "[quotes]", "[quotes]\nhalf_spread = 2"
    )
    listed = "".join(
        f'[[market]]\nname = "{coin}"{market}[market.exchange]\nsymbol = "PAXG/{coin}"\n'
        for coin in ("USDT", "USDC")
    )
    path = tmp_path / "dexmm.toml"
    path.write_text(f"{shared}[guards]{rest}{listed}")
    with PaperExchange(settings) as paper:

        def sides(symbol: str) -> list[tuple[str, Decimal, Decimal]]:
            with paper.exchange.visit():
                found = paper.exchange.spot[symbol].open.values()
                return sorted((o.side.value, o.price, o.remaining) for o in found)

        log, environment = tmp_path / "log", environment_for(paper)
        command = [sys.executable, "-m", "dexmm.cli.main"]
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [*command, "run", "--config", str(path)], env=environment, stderr=stderr
            )
        until(lambda: [len(sides(symbol)) for symbol in ("PAXGUSDT", "PAXGUSDC")] == [2, 2])
        before = sides("PAXGUSDC")
        paper.set_fair_price("PAXGUSDT", Decimal(4020))  # the other one's price follows from it
        until(lambda: sides("PAXGUSDC") != before and len(sides("PAXGUSDC")) >= 2)
        until(lambda: "PAXG/USDC, quote sell at" in log.read_text())
        until(lambda: "PAXG/USDT, quote sell at" in log.read_text())
        status = subprocess.run(
            [*command, "status", "--json", "--config", str(path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert sides("PAXGUSDT") == sides("PAXGUSDC") == []
        with paper.exchange.visit():
            account = paper.exchange.ledger.accounts["paper"]
            left = account.free_of("PAXG")
    told = json.loads(status.stdout)["markets"]
    # Each sold 0.1 of its own half of the gold, and counts that and nothing of the other's.
    parts = [Decimal(each["balances"]["exchange"]["base"]) for each in told]
    assert [each["market"] for each in told] == ["USDT", "USDC"]
    assert sum(parts) == left == Decimal("1.8")
    assert parts == [Decimal("0.9")] * 2


def test_fees_in_bnb_are_part_of_what_the_report_calls_net(tmp_path: Path) -> None:
    opening = Opening(
        spot={"PAXG": Decimal(2), "USDT": Decimal(14_000), "BNB": Decimal(1)},
        margin=Decimal(0),
        pays_fees_in_bnb=True,
    )
    settings = PaperSettings(
        accounts=(opening,),
        flow=QUIET,
        flows=dict.fromkeys(PaperSettings().flows, QUIET),
        limits=UNLIMITED,
    )
    (tmp_path / "dexmm.toml").write_text(CONFIG + "\n[loop]\ninterval_seconds = 1\n")
    with PaperExchange(settings) as paper:
        environment = environment_for(paper)
        command = [sys.executable, "-m", "dexmm.cli.main"]
        at = ["--config", str(tmp_path / "dexmm.toml")]
        log = tmp_path / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen([*command, "run", *at], env=environment, stderr=stderr)
        until(lambda: len(resting(paper)) == 2)
        paper.set_fair_price("PAXGUSDT", Decimal(4020))  # through the ask
        until(lambda: best_bid(paper) > Decimal(4010))
        until(lambda: "quote sell at" in log.read_text())
        turns = log.read_text().count(" INFO block ")
        until(lambda: log.read_text().count(" INFO block ") >= turns + 2)  # they have seen the fill
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        report = subprocess.run(
            [*command, "report", *at, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    told = json.loads(report.stdout)
    ((coin, amount, value),) = told["exchange"]["fees_valued"]
    assert (coin, Decimal(value)) == ("BNB", Decimal(amount) * 800)
    assert Decimal(value) > 0
    assert Decimal(told["figures"]["exchange_fees"]) == -Decimal(value)
    assert told["exchange"]["fees_unvalued"] == []


def test_what_fills_between_the_last_turn_and_the_end_is_remembered(tmp_path: Path) -> None:
    """Above all what it cost in other coins: the next process begins its count at zero."""
    opening = Opening(
        spot={"PAXG": Decimal(2), "USDT": Decimal(14_000), "BNB": Decimal(1)},
        margin=Decimal(0),
        pays_fees_in_bnb=True,
    )
    flows = dict.fromkeys(PaperSettings().flows, QUIET)
    settings = PaperSettings(accounts=(opening,), flow=QUIET, flows=flows, limits=UNLIMITED)
    (tmp_path / "dexmm.toml").write_text(CONFIG + "\n[loop]\ninterval_seconds = 3600\n")
    with PaperExchange(settings) as paper:
        log = tmp_path / "log"
        command = [sys.executable, "-m", "dexmm.cli.main", "run"]
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [*command, "--config", str(tmp_path / "dexmm.toml")],
                env=environment_for(paper),
                stderr=stderr,
            )
        until(lambda: len(resting(paper)) == 2)
        paper.set_fair_price("PAXGUSDT", Decimal(4020))  # through the ask
        until(lambda: "quote sell at" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with paper.exchange.visit():
            account = paper.exchange.ledger.accounts["paper"]
            paid = (1 - account.free_of("BNB")) * paper.exchange.price_of("BNBUSDT")
            held = account.free_of("PAXG")
    with sqlite3.connect(tmp_path / ".dexmm" / "journal.sqlite") as journal:
        turns = [json.loads(body) for (body,) in journal.execute("SELECT memory FROM turns")]
    journal.close()
    assert paid > 0
    assert Decimal(turns[-1]["fees_outside"]) == paid
    assert Decimal(turns[-1]["venue_base"]) == held
    assert Decimal(turns[0]["fees_outside"]) == 0


def test_without_a_pool_there_must_be_quotes(tmp_path: Path) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(CONFIG.replace("enabled = true", "enabled = false"))
    with pytest.raises(BadInput, match=r"market\.pool is missing"):
        load_config(path, {})


def test_quotes_that_lose_with_every_round_are_refused_before_the_first_order(
    paper: PaperExchange, tmp_path: Path
) -> None:
    path = tmp_path / "dexmm.toml"
    path.write_text(CONFIG.replace("accept_loss = true\n", "half_spread = 0.5\n"))
    ended = subprocess.run(
        [sys.executable, "-m", "dexmm.cli.main", "run", "--config", str(path)],
        env=environment_for(paper),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "10 bp maker" in ended.stderr
    assert "breaks even at a half spread of" in ended.stderr
    assert "quotes.accept_loss" in ended.stderr
    assert resting(paper) == []
