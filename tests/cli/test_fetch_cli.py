"""``dexmm fetch`` as a person types it: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cex.cex_world import NOBODY_TAKES

from dexmm.cli import fetch as command
from dexmm.cli import main
from dexmm.config.template import configuration
from dexmm.paper_exchange.paper_exchange import PaperExchange

anvil = pytest.mark.anvil
MINUTE = 60_000
POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, without a configuration."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    start_ms = time.time_ns() // 1_000_000 // MINUTE * MINUTE - 20 * MINUTE
    with PaperExchange(NOBODY_TAKES, start_ms=start_ms) as exchange:
        for minute in (0, 1, 2, 6, 7, 8):
            at_ms = start_ms + minute * MINUTE + 1
            exchange.set_fair_price("PAXGUSDT", Decimal(4000 + minute), at_ms)
        yield exchange


@pytest.fixture
def configured(here: Path, paper: PaperExchange) -> Path:
    path = here / "dexmm.toml"
    path.write_text(configuration("sandbox"), encoding="utf-8")
    settings = {"EXCHANGE__ID": "binance", "EXCHANGE__BASE_URL": paper.url}
    lines = [f"DEXMM_{name}={value}\n" for name, value in settings.items()]
    (here / ".env").write_text("".join(lines), encoding="utf-8")
    return path


def dexmm(*arguments: object) -> int:
    return main.run(["fetch", *map(str, arguments)])


def an_hour_ago() -> str:
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - 3000))


def test_candles_by_the_configuration(configured: Path, capsys: Any) -> None:
    assert dexmm("candles", "--since", an_hour_ago(), "-o", "gold.csv") == 0
    said = capsys.readouterr()
    assert said.err == ""
    first, *rest = said.out.splitlines()
    assert first.startswith("5 candles of PAXG/USDT 1m from binance at 127.0.0.1:")
    assert rest[0].endswith("candles are missing, in 2 gaps:")
    assert rest[2].endswith(": 3")
    assert (configured.parent / "gold.csv").read_text().count("\n") == 6


def test_candles_as_json(configured: Path, capsys: Any) -> None:
    since = an_hour_ago()
    assert dexmm("candles", "--since", since, "-o", "gold.parquet", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 5
    assert told["range"]["since"] == f"{since}:00Z"
    assert [gap["candles"] for gap in told["gaps"]][1:] == [3]
    assert told["missing"] == sum(gap["candles"] for gap in told["gaps"])
    assert told["file"] == "gold.parquet"
    assert Decimal(told["seconds"]) > 0
    assert pq.read_table(configured.parent / "gold.parquet").num_rows == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("candles --exchange nosuch --since 2025-01-01 -o x.csv", "knows no exchange 'nosuch'"),
        ("candles --since 2025-01-01 -o x.csv", "name an --exchange"),
        ("candles --exchange binance --since yesterday -o x.csv", "is no date"),
        ("candles --exchange binance --since 2999-01-01 -o x.csv", "is in the future"),
        (
            "candles --exchange binance --since 2025-02-01 --until 2025-01-01 -o x.csv",
            "is not before",
        ),
        ("candles --exchange binance --since 2025-01-01 -o no/x.csv", "there is no folder no"),
        ("candles --exchange binance --since 2025-01-01 -o x.txt", "must end in"),
        ("candles --since 2025-01-01", "Missing option '-o'"),
        ("candles --config no.toml --since 2025-01-01 -o x.csv", "no configuration at no.toml"),
        ("swaps --from-block 1 -o x.parquet", "name a --pool"),
        (f"swaps --pool {POOL} --from-block 1 -o x.parquet", "name a node with --rpc"),
        ("swaps --pool 0x12 --from-block 1 -o x.parquet", "is not an address"),
        (f"swaps --pool {POOL[:-1]}f --from-block 1 -o x.parquet", "wrong checksum"),
        ("swaps --pool gold.eth --from-block 1 -o x.parquet", "ENS name"),
        (f"swaps --pool {POOL} --rpc ws://x --from-block 1 -o x.parquet", "websocket"),
        (f"swaps --pool {POOL} --rpc http://x --from-block -1 -o x.parquet", "not in the range"),
        (
            f"swaps --pool {POOL} --rpc http://127.0.0.1:1 --from-block 9 --to-block 8 "
            "-o x.parquet",
            "comes after --to-block 8",
        ),
        (f"swaps --pool {POOL} --rpc http://127.0.0.1:1 --from-block 1 -o x.csv", ".parquet"),
    ],
)
def test_bad_input_is_one_line(here: Path, capsys: Any, arguments: str, said: str) -> None:
    assert dexmm(*arguments.split()) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert list(here.iterdir()) == []


def test_a_node_that_is_absent_says_how_to_go_on(here: Path, capsys: Any) -> None:
    url = "http://127.0.0.1:1/v2/kEyOfMyAccount"
    arguments = ("--pool", POOL, "--rpc", url, "--from-block", 1, "-o", "x.parquet")
    assert dexmm("swaps", *arguments) == 5
    complaint = capsys.readouterr().err
    assert "http://127.0.0.1:1 cannot be reached; repeat the command to go on" in complaint
    assert "kEy" not in complaint


@anvil
def test_swaps_by_the_configuration(account: Any, capsys: Any) -> None:
    output = account.config.parent / "pool.parquet"
    account.deployment.swap(zero_for_one=True, amount_in=10**17)
    head = int(account.deployment.anvil.rpc("eth_blockNumber"), 16)
    options = ("swaps", "--config", account.config, "--from-block", 0, "-o", output)
    assert dexmm(*options, "--to-block", head) == 2  # not final yet
    assert "ask up to that, or for fewer --confirmations" in capsys.readouterr().err
    assert dexmm(*options, "--confirmations", 0, "--check-prices") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"every block from 0 to {head}" in said.out
    assert "1 initialize, 6 mint, 1 swap" in said.out
    told = pq.read_schema(output).metadata
    assert told[b"dexmm.base_is_token0"] == b"true"

    output.unlink()
    assert dexmm(*options, "--confirmations", 0, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == 8
    assert answer["kinds"] == {"initialize": 1, "mint": 6, "swap": 1}
    assert answer["range"] == {"from_block": 0, "to_block": head}
    assert (answer["gaps"], answer["without_timestamp"]) == ([], 0)
    assert answer["file"] == str(output)


@anvil
def test_swaps_of_any_node_without_a_configuration(mainnet: Any, here: Path, capsys: Any) -> None:
    options = ("--rpc", mainnet.anvil.url, "--from-block", 0, "--confirmations", 0)
    assert dexmm("swaps", "--pool", mainnet.pool.lower(), *options, "-o", "x.parquet") == 0
    assert "6 mint" in capsys.readouterr().out
    assert b"dexmm.base_is_token0" not in pq.read_schema(here / "x.parquet").metadata
    for address in (mainnet.token0, "0x00000000000000000000000000000000000000AA"):
        assert dexmm("swaps", "--pool", address, *options, "-o", "y.parquet") == 2
        assert "is not a Uniswap v3 pool on chain 1" in capsys.readouterr().err


def test_a_bar_on_a_terminal_and_nothing_on_a_pipe(monkeypatch: Any, capsys: Any) -> None:
    with command.progress("blocks", False) as watch:
        watch(1, 2, 3)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with command.progress("blocks", False) as watch:
        watch(1, 2, 3_000)
    shown = capsys.readouterr().err
    assert "fetching blocks" in shown
    assert "3,000 rows" in shown
    with command.progress("blocks", True) as watch:
        watch(1, 2, 3)
    assert capsys.readouterr().err == ""
