"""The first doctor after ``dexmm init``: no key, and perhaps no node; and a plan without either."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dexmm.cli import doctor, main
from dexmm.config.template import configuration
from dexmm.health.inventory_plan import GAS_PRICES
from dexmm.strategy.rebalance.gas_economics import TYPICAL_GAS

NO_NODE = "http://127.0.0.1:1"
START = "5 PAXG + 20000 USDT"
D = Decimal


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As ``dexmm init --network mainnet`` leaves it, with a node that does not answer."""
    monkeypatch.setenv("DEXMM_NETWORK__RPC_URLS", NO_NODE)
    path = tmp_path / "dexmm.toml"
    path.write_text(configuration("mainnet"), encoding="utf-8")
    return path


def told(
    config: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, dict[str, str]]]:
    code = main.run(["doctor", "--config", str(config), "--json", *arguments])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert len({check["name"] for check in checks}) == len(checks)
    return code, {check["name"]: check for check in checks}


def test_without_a_key_only_the_node_that_is_down_fails(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = told(config, capsys)
    assert code == 5  # a node may answer later
    assert [name for name, check in checks.items() if check["verdict"] == "fail"] == ["node"]
    assert "cannot be reached" in checks["node"]["detail"]
    assert "DEXMM_NETWORK__RPC_URLS" in checks["node"]["advice"]
    assert (checks["key"]["verdict"], checks["lock"]["verdict"]) == ("warn", "skip")
    assert "dexmm keystore" in checks["key"]["advice"]
    assert "nobody knows whose it is" in checks["lock"]["detail"]
    assert checks["market"]["verdict"] == "skip"
    assert "need the node" in checks["market"]["detail"]
    assert not list(config.parent.glob(".dexmm"))


def test_gas_and_the_ether_for_it_are_told_without_a_node(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checks = told(config, capsys, "--price", "4000")
    for gwei in GAS_PRICES:
        line = checks[f"gas at {gwei:f} gwei"]["detail"]
        ether = TYPICAL_GAS * gwei / 10**9
        assert f"re-range {ether:.6f} ETH ({ether * 2500:.2f} USDT)" in line
        assert f"{D('0.02') + ether:.6f} ETH at {gwei:f}" in checks["ether needed"]["detail"]
    assert "gas.daily_budget_eth" in checks["gas at 30 gwei"]["advice"]
    assert checks["gas at 1 gwei"]["verdict"] == "ok"


def test_the_plan_is_of_ones_own_inventory(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEXMM_STRATEGY__NAME", "budget")
    _, checks = told(config, capsys, "--start", "3 PAXG + 20000 USDT", "--price", "4000")
    plan = checks["plan"]["detail"]
    assert "3 PAXG and 20 000.00 USDT are 32 000.00 USDT at 4 000.00 (as you say)" in plan
    assert "37.5 % of it PAXG, inside its band of 20 to 50 %" in plan
    ranges = checks["ranges"]["detail"]
    placed = [D(a.replace(" ", "")) for a in re.findall(r"with ([\d. ]+) PAXG", ranges)]
    assert 0 < sum(placed) < 3
    assert re.search(r": \d+ % of it, the rest stays in the wallet", ranges)
    assert "--start" not in plan


@pytest.mark.parametrize(
    ("start", "verdict", "says"),
    [
        ("5 PAXG", "warn", "above its band of 20 to 50 %"),
        ("20000 USDT", "warn", "below its band of 20 to 50 %"),
        ("1 paxg + 6000 usdt", "ok", "inside its band"),
    ],
)
def test_a_share_outside_its_band_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], start: str, verdict: str, says: str
) -> None:
    _, checks = told(config, capsys, "--start", start, "--price", "4000")
    assert checks["plan"]["verdict"] == verdict
    assert says in checks["plan"]["detail"]


def test_an_example_says_that_it_is_one_and_where_its_price_is_from(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checks = told(config, capsys)
    assert checks["plan"]["detail"].startswith("an example (--start ")
    assert "the middle of the corridor; --price says another" in checks["plan"]["detail"]
    assert "first watches the pool for 12 hours" in checks["ranges"]["detail"]


@pytest.mark.parametrize(
    ("pool", "symbols"),
    [
        ("0x5aE13BAAEF0620FdaE1D355495Dc51a17adb4082", "USDC"),
        ("0x91A76255ddEEe3F03267C9Cbe5A28311A6ABB58d", "USDT"),
    ],
)
def test_other_pools_of_gold_are_known_too(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pool: str,
    symbols: str,
) -> None:
    monkeypatch.setenv("DEXMM_MARKET__POOL", pool)
    _, checks = told(config, capsys, "--start", f"1 PAXG + 6000 {symbols}")
    assert f"6 000.00 {symbols} are " in checks["plan"]["detail"]


def test_of_a_pool_that_nobody_knows_only_gas_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEXMM_MARKET__POOL", "0x" + "22" * 20)
    code, checks = told(config, capsys, "--start", START)
    assert code == 5
    assert checks["plan"]["verdict"] == "skip"
    assert "only a node can tell" in checks["plan"]["detail"]
    assert "of quote" in checks["gas at 1 gwei"]["detail"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--start", "5 GOLD"), 'write it as "5 PAXG + 20000 USDT"'),
        (("--price", "0"), "--price"),
    ],
)
def test_bad_input_is_one_sentence(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert main.run(["doctor", "--config", str(config), *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_amount_is_cut_at_any_width(
    config: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=width, force_terminal=True, no_color=True, highlight=False)
    monkeypatch.setattr(doctor, "console", lambda: screen)
    assert main.run(["doctor", "--config", str(config), "--start", START]) == 5
    text = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    assert "0.000218 ETH (0.54 USDT)" in words
    assert "1 failed, 2 not looked at" in words


def test_a_configuration_that_cannot_be_read_skips_the_rest(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("[strategy]\nband_high = 50\n")
    code, checks = told(config, capsys)
    assert code == 2
    assert checks["the rest"]["verdict"] == "skip"
    assert "node" not in checks


@pytest.mark.anvil
def test_without_a_key_the_node_is_asked_and_the_market_told(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.config.parent / ".env").write_text("")
    account.override(NETWORK__RPC_URLS=account.deployment.anvil.url)
    code, checks = told(account.config, capsys)
    assert code == 0
    for name in ("node", "pool", "oracle", "depth", "guards"):
        assert checks[name]["verdict"] == "ok", name
    assert (checks["wallet"]["verdict"], checks["lock"]["verdict"]) == ("skip", "skip")
    assert "the fair price now" in checks["plan"]["detail"]
    assert "worth it" not in checks


@pytest.mark.anvil
def test_an_inventory_is_judged_in_the_market_without_a_wallet(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.config.parent / ".env").write_text("")
    account.override(NETWORK__RPC_URLS=account.deployment.anvil.url, STRATEGY__NAME="budget")
    account.deployment.swap(zero_for_one=False, amount_in=4_000 * 10**6)
    code, checks = told(account.config, capsys, "--start", START)
    assert code == 0
    assert "at the trade measured above" in checks["worth it"]["detail"]
    assert "5 PAXG and 20 000.00 USDT are " in checks["plan"]["detail"]


@pytest.mark.anvil
def test_a_key_that_does_not_open_fails_once(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.config.parent / ".env").write_text("")
    account.override(NETWORK__RPC_URLS=account.deployment.anvil.url, WALLET__KEYSTORE="absent.json")
    code, checks = told(account.config, capsys)
    assert code == 2
    assert [n for n, check in checks.items() if check["verdict"] == "fail"] == ["key"]
    assert checks["pool"]["verdict"] == "ok"


@pytest.mark.anvil
def test_the_plan_is_what_the_first_turn_does(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wallet holds just this: the turn mints the ranges that were told, in a market as calm
    as its settings say."""
    account.override(STRATEGY__NAME="budget")
    _, checks = told(account.config, capsys, "--start", "10 PAXG + 70000 USDT")
    assert account.dexmm("run", "--once") == 0
    minted = re.search(r"liquidity moved into ([^:]*):", capsys.readouterr().out)
    assert minted is not None
    for ends in minted[1].split(", "):
        assert ends.replace("..", " to ") in checks["ranges"]["detail"]
