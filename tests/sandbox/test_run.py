"""``dexmm sandbox`` as a user starts it: a process of its own, its answer, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from dexmm.config.schema import load_config
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.workspace import throwaway_key

pytestmark = pytest.mark.anvil

DEXMM = (sys.executable, "-m", "dexmm.cli.main")
SECONDS = 120


def dexmm(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEXMM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=cwd,
        check=False,
    )


def summary(*arguments: str | Path) -> dict[str, Any]:
    """The one JSON object of a run that ends well."""
    done = dexmm("sandbox", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def chain_of(folder: Path) -> dict[str, Any]:
    """Where the chain of a run in ``folder`` is, once it says so."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            found: dict[str, Any] = json.loads((folder / "chain.json").read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.02)
            continue
        return found
    raise AssertionError("the sandbox did not start")


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends(pid: int) -> bool:
    """Whether the process is gone within a few seconds."""
    deadline = time.monotonic() + 10
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not lives(pid)


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A run whose output is read line by line; never left behind by a failing test."""
    process = subprocess.Popen(
        [*DEXMM, "sandbox", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_paper_exchange_is_not_kept(tmp_path: Path) -> None:
    done = dexmm("sandbox", "--turns", "2", "--keep", "--quotes", cwd=tmp_path)
    assert done.returncode == 2
    assert "keep the pool alone" in done.stderr


@pytest.mark.slow
def test_a_seeded_run_keeps_the_band_tracks_everything_and_repeats(tmp_path: Path) -> None:
    folder = tmp_path / "first run"
    first = summary("--turns", "40", "--seed", "7", "--state-dir", folder)
    assert ends(chain_of(folder)["pid"])
    assert (first["turns"], first["planned_turns"], first["skipped_turns"]) == (40, 40, 0)
    assert Decimal(first["share"]["in_band"]) == 1
    assert first["deposits"] == 1
    assert first["positions_on_chain"] == first["positions_tracked"] >= 1
    assert (first["untracked"], first["reverted"], first["halted"]) == ([], 0, "")
    assert Decimal(first["fees_value"]) > 0
    assert Decimal(first["gas_eth"]) > 0
    assert Decimal(first["nav_start"]) == pytest.approx(50_000, rel=Decimal("0.01"))
    assert all(refused["explanation"] for refused in first["refusals"])
    replayed = dexmm("replay", "--config", folder / "dexmm.toml")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr

    again = summary("--turns", "40", "--seed", "7")
    del first["wall_seconds"], again["wall_seconds"]
    assert again == first
    other = summary("--turns", "40", "--seed", "8")
    assert other["end_price"] != first["end_price"]


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["--exchange", "--no-exchange"])
def test_a_run_begins_with_ones_own_inventory(exchange: str) -> None:
    """As it is, wherever it is: 7 of gold and 12,000 at about 4,000."""
    answer = summary("--turns", "2", exchange, "--start", "7 PAXG + 12000 USDT")
    worth = 7 * Decimal(answer["start_price"]) + 12_000
    # what an exchange keeps has fewer digits
    assert worth - Decimal("0.5") < Decimal(answer["nav_start"]) <= worth
    assert abs(Decimal(answer["share"]["first"]) - 28_000 / worth) < Decimal("0.001")
    assert answer["earned"]["whole"]["start"] == answer["nav_start"]
    assert len(answer["pay_ratios"]) == 3


def test_quotes_on_the_exchange_do_not_drive_the_pool() -> None:
    quoted = summary("--quotes", "--turns", "8", "--seed", "3")
    assert quoted["exchange"]["filled"] > 0
    assert (quoted["reranges"], quoted["transactions"]) == (0, 3)
    assert Decimal(quoted["gas_quote"]) < 5


def test_the_closing_table_shows_what_other_pay_ratios_would_have_brought() -> None:
    found = summary("--turns", "12", "--seed", "3", "--no-exchange", "--pay-ratio", "2")
    runs = {run["pay_ratio"]: run for run in found["pay_ratios"]}
    assert list(runs) == ["0.7", "1", "1.4", "2"]
    shares = [Decimal(run["liquidity_share"]) for run in runs.values()]
    assert 0 < shares[0] < shares[1] < shares[2] < shares[3] < 1
    # In memory it is the run that was on the chain, but for the gas that its steps are reckoned at.
    assert Decimal(runs["2"]["fees"]) == pytest.approx(
        Decimal(found["fees_value"]), rel=Decimal("0.01")
    )
    assert Decimal(runs["2"]["net"]) == pytest.approx(Decimal(found["after_gas"]), abs=1)


@pytest.mark.parametrize("strategy", ["avellaneda", "single", "passive", "recentre", "hold"])
def test_every_strategy_runs(strategy: str) -> None:
    found = summary("--turns", "8", "--strategy", strategy, "--flow", "real", "--capital", "9000")
    assert found["strategy"] == strategy
    assert found["untracked"] == []
    assert found["transactions"] == 0 if strategy == "hold" else found["deposits"] == 1


@pytest.mark.slow
@pytest.mark.data
def test_real_prices(shared_data: Path) -> None:
    file = shared_data / "prices" / "PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz"
    found = summary("--prices", file, "--turns", "60")
    assert (Decimal(found["start_price"]), found["turns"]) == (3340, 60)
    assert Decimal(found["share"]["in_band"]) == 1
    assert found["untracked"] == []


def test_candles_that_are_missing_are_filled_and_told(tmp_path: Path) -> None:
    found = summary("--prices", candles(tmp_path, 0, 1, 5))
    assert (found["candles_filled"], found["turns"]) == (3, 6)


def test_without_a_terminal_it_prints_a_line_an_event() -> None:
    done = dexmm("sandbox", "--turns", "2")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "liquidity moved into" in done.stdout
    assert "0 untracked" in done.stdout


def test_a_kept_chain_serves_the_other_commands(tmp_path: Path) -> None:
    folder = tmp_path / ".dexmm" / "sandbox"
    done = dexmm("sandbox", "--turns", "2", "--keep", cwd=tmp_path)
    chain = chain_of(folder)
    try:
        assert done.returncode == 0, done.stderr
        assert f"kill {chain['pid']}" in done.stdout
        assert str(folder / "dexmm.toml") in done.stdout
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
        key = load_config(folder / "dexmm.toml", {}).wallet.private_key
        assert key is not None
        assert key.get_secret_value() not in done.stdout + done.stderr
        status = dexmm("status", "--config", folder / "dexmm.toml", "--json")
        assert status.returncode == 0, status.stderr
        assert len(json.loads(status.stdout)["positions"]) >= 1

        second = dexmm("sandbox", "--turns", "2", "--keep", cwd=tmp_path)
        assert second.returncode == 2
        assert f"kill {chain['pid']}" in second.stderr
        assert lives(chain["pid"])
    finally:
        os.kill(chain["pid"], signal.SIGTERM)
    assert ends(chain["pid"])
    assert dexmm("sandbox", "--turns", "1", "--state-dir", folder).returncode == 0


def test_a_closed_terminal_leaves_nothing_behind(tmp_path: Path) -> None:
    with running("--turns", "20000", "--state-dir", tmp_path / "run") as process:
        pid = chain_of(tmp_path / "run")["pid"]
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.wait(10)
        assert ends(pid)


def test_killed_hard_it_leaves_no_node_behind(tmp_path: Path) -> None:
    with running("--turns", "20000", "--state-dir", tmp_path / "run") as process:
        pid = chain_of(tmp_path / "run")["pid"]
        process.kill()
        assert ends(pid)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_tells_what_happened_so_far(tmp_path: Path, asked: signal.Signals) -> None:
    with running("--turns", "20000", "--json", "--state-dir", tmp_path / "run") as process:
        pid = chain_of(tmp_path / "run")["pid"]
        assert process.stderr is not None
        while "liquidity moved into" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(asked)
        answer, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        found = json.loads(answer)
        assert 1 <= found["turns"] < found["planned_turns"] == 20000
        assert asked.name in found["stopped"]
        assert found["untracked"] == []
        assert ends(pid)


@pytest.mark.slow
def test_on_a_fork_it_uses_the_pool_that_is_there(mainnet: Deployment, tmp_path: Path) -> None:
    found = summary("--fork", mainnet.anvil.url, "--turns", "6", "--state-dir", tmp_path / "fork")
    assert found["turns"] == 6
    assert Decimal(found["start_price"]) == pytest.approx(4000, rel=Decimal("0.01"))
    assert found["deposits"] == 1
    assert found["untracked"] == []
    assert load_config(tmp_path / "fork" / "dexmm.toml", {}).network.name == "fork"


@pytest.mark.slow
def test_what_the_wallet_holds_before_a_fork_belongs_to_the_start(
    mainnet: Deployment, tmp_path: Path
) -> None:
    """Ether, tokens, a position with fees due and a history of transactions are no gain of it."""
    address = Account.from_key(throwaway_key(1)).address
    mainnet.fund_wallet(address, eth=Decimal(2), paxg=Decimal(3), usdt=Decimal(9_000))
    mainnet.mint_position(address, -194_000, -193_000, 10**18, 4_000 * 10**6)
    mainnet.mint_position(address, -196_000, -195_000, 0, 1_000 * 10**6)  # no strategy's: it acts
    mainnet.swap(zero_for_one=True, amount_in=5 * 10**18)
    mainnet.swap(zero_for_one=False, amount_in=20_000 * 10**6)
    before = int(mainnet.anvil.rpc("eth_getTransactionCount", [address, "latest"]), 16)
    assert before > 1
    found = summary(
        "--fork", mainnet.anvil.url, "--turns", "4", "--no-exchange", "--flow", "real",
        "--state-dir", tmp_path / "fork",
    )  # fmt: skip
    assert 0 < Decimal(found["gas_eth"]) < Decimal("0.02")
    assert 1 <= found["transactions"] <= 6
    assert Decimal(found["nav_start"]) > 50_000 + 3 * 3_900 + 9_000
    assert abs(Decimal(found["against_holding"])) < 50
    gas = Decimal(found["gas_eth"]) * 4_000
    assert Decimal(found["after_gas"]) == pytest.approx(
        Decimal(found["against_holding"]) - gas, abs=Decimal("0.01")
    )
    assert 0 <= Decimal(found["fees_value"]) < 5
    assert found["untracked"] == []
    assert found["pay_ratios"] == []  # what others hold there is nobody's to size


def candles(folder: Path, *numbers: int) -> Path:
    """A candle file with the candles of these numbers."""
    file = folder / "candles.csv"
    rows = (f"{1_751_629_800_000 + 300_000 * n},4000,4002,3999,4001,1" for n in numbers)
    file.write_text("\n".join(["timestamp_ms,open,high,low,close,volume", *rows]))
    return file


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prices", "{tmp}/absent.csv"], "no candle file"),
        (["--prices", "{tmp}/candles.csv", "--turns", "4"], "at most --turns 3"),
        (["--prices", "{tmp}/candles.csv", "--fork", "http://127.0.0.1:1"], "exclude each other"),
        (["--prices", "{tmp}/candles.csv", "--interval", "60"], "exclude each other"),
        (["--fork-block", "5"], "needs --fork"),
        (["--turns", "0"], "--turns"),
        (["--capital", "plenty"], "--capital"),
        (["--capital", "5"], "--capital"),
        (["--strategy", "luck"], "--strategy"),
        (["--start", "5 GOLD"], "is no inventory"),
        (["--start", "5 PAXG", "--capital", "1000"], "--start and --capital exclude each other"),
        (["--start", "5 PAXG", "--turns", "2"], "would be margin on the exchange"),
        (["--start", "1 USDT", "--turns", "2", "--no-exchange"], "is worth 1.00 USDT"),
        (["--state-dir", "{tmp}"], "left alone"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    candles(tmp_path, 0, 1, 2)
    done = dexmm("sandbox", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert (tmp_path / "candles.csv").exists()


def test_a_guard_that_halts_takes_everything_out_where_that_is_asked_for() -> None:
    arguments = ("--turns", "26", "--seed", "7", "--strategy", "passive", "--no-exchange", "--json")
    strict = ("--set", "guards.max_drawdown_hold_bp=5", "--set", "guards.on_halt=withdraw")
    done = dexmm("sandbox", *arguments, *strict)
    assert done.returncode == 4, done.stderr
    answer = json.loads(done.stdout)
    assert "below its best" in answer["halted"]
    assert (answer["positions_on_chain"], answer["untracked"], answer["reverted"]) == (0, [], 0)
    assert "proved at block" in done.stderr
