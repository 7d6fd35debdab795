"""``dexmm run``: what it refuses to begin, what cron sees, and a loop that ends when asked."""

import json
import os
import re
import signal
import subprocess
import sys
from typing import IO, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

pytestmark = pytest.mark.anvil

NO_CONTRACT = "0x" + "11" * 20


def test_mainnet_is_never_by_accident(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    account.override(NETWORK__NAME="mainnet", WALLET__PRIVATE_KEY="")
    assert account.dexmm("run", "--once") == 2
    assert "--live" in capsys.readouterr().err


def test_one_turn_answers_in_json(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert account.dexmm("run", "--once", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["exit_code"], facts["trigger"], facts["state"]) == (0, "start", "ACTIVE")
    assert [outcome["status"] for outcome in facts["outcomes"]] == ["mined", "mined"]


def test_a_turn_by_hand_says_one_line_of_what_it_decided_and_why(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("run", "--once") == 0
    account.deployment.anvil.mine(2, 12)
    capsys.readouterr()
    assert account.dexmm("run", "--once") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("block ")
    assert line.endswith("nothing done: what is held is what is wanted")
    assert account.dexmm("run", "--once", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_a_wallet_with_nothing_in_it_is_told(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(WALLET__PRIVATE_KEY="0x" + "6b" * 32)
    assert account.dexmm("run", "--once") == 2
    assert "add capital" in capsys.readouterr().err


def test_a_market_outside_its_corridor_is_not_begun(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(MARKET__PRICE_LOW=8000, MARKET__PRICE_HIGH=9000)
    assert account.dexmm("run", "--once") == 2
    assert "price_low" in capsys.readouterr().err


def test_senseless_settings_are_refused_before_anything_is_asked(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(STRATEGY__HORIZON_HOURS="0.5", NETWORK__RPC_URLS="http://127.0.0.1:1")
    assert account.dexmm("run", "--once") == 2
    assert "horizon_hours" in capsys.readouterr().err


def test_a_refused_action_is_told_to_cron(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    account.override(GAS__MAX_GWEI="0.000001", GAS__TIP_GWEI="0")
    assert account.dexmm("run", "--once") == 3
    assert "gas_cap" in capsys.readouterr().out


def test_halted_is_one_line_and_its_own_code(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.dexmm("halt", "--reason", "a rehearsal") == 0
    capsys.readouterr()
    assert account.dexmm("run", "--once") == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert "halted" in said.err


def test_a_feed_that_is_no_contract_is_not_begun(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    account.override(MARKET__REFERENCE_FEED=NO_CONTRACT)
    assert account.dexmm("run", "--once") == 2
    assert "the feed does not answer; check market.reference_feed" in capsys.readouterr().err
    assert account.dexmm("run") == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"MARKET__REFERENCE_FEED": NO_CONTRACT}, "reference: chainlink gives no price"),
        ({"MARKET__PRICE_LOW": 8000, "MARKET__PRICE_HIGH": 9000}, "outside the corridor"),
    ],
)
def test_what_only_a_person_can_mend_is_said_while_positions_are_held(
    account: Any, capsys: pytest.CaptureFixture[str], wrong: dict[str, object], says: str
) -> None:
    """Nothing is wanted, and nothing new could ever be done."""
    assert account.dexmm("run", "--once") == 0
    account.deployment.anvil.mine(2, 12)
    account.override(**wrong)
    for _ in range(2):  # not only once: cron would take silence for health
        capsys.readouterr()
        assert account.dexmm("run", "--once", "--quiet") == 3
        said = capsys.readouterr().out
        assert "stands until you act: " in said
        assert says in said


def test_dear_gas_at_the_first_start_passes_by_itself(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 5: a service that does not restart after 2 would stay down for ever."""
    account.override(STRATEGY__MAX_GAS_BP=1)
    account.deployment.anvil.set_base_fee(2_000 * 10**9)
    account.deployment.anvil.mine()
    assert account.dexmm("run", "--once") == 5
    assert "wait for cheaper gas" in capsys.readouterr().err
    account.override(MARKET__PRICE_LOW=8000, MARKET__PRICE_HIGH=9000)
    assert account.dexmm("run", "--once") == 2  # what must be mended comes first
    assert "price_low" in capsys.readouterr().err


def test_an_exit_with_4_has_set_the_flag(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    account.override(NETWORK__CHAIN_ID=5)
    assert account.dexmm("run", "--once") == 4
    said = capsys.readouterr().err
    assert (account.config.parent / ".dexmm" / "HALT").read_text() in said.replace("dexmm: ", "")
    account.override(NETWORK__CHAIN_ID=1)
    assert account.dexmm("run", "--once") == 4
    assert account.dexmm("resume", "--yes") == 0
    assert account.dexmm("run", "--once") == 0


def a_loop(account: Any) -> tuple[subprocess.Popen[str], IO[str]]:
    """`dexmm run` in a process of its own, and the log that it writes."""
    loop = subprocess.Popen(
        [sys.executable, "-m", "dexmm.cli.main", "run", "--config", str(account.config)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert loop.stderr is not None
    return loop, loop.stderr


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_loop_ends_when_it_is_asked(account: Any, asked: signal.Signals) -> None:
    account.override(LOOP__INTERVAL_SECONDS=1)
    loop, log = a_loop(account)
    lines = []
    for line in log:
        lines.append(line)
        if "position" in line and "moved" not in line and len(lines) > 3:
            break
    loop.send_signal(asked)
    rest = log.read()
    log.close()
    assert loop.wait(30) == 0, rest
    assert f"{asked.name} was received" in rest
    assert any("liquidity moved into" in line for line in lines)
    assert "Traceback" not in rest
    # What the pool pays has been measured by nobody here: that is no reason to warn.
    (edges,) = (line for line in lines if "`dexmm doctor` measures" in line)
    assert "INFO" in edges
    assert "unknown" not in "".join(lines)


def test_a_running_loop_has_its_figures_on_a_page(account: Any) -> None:
    account.override(LOOP__INTERVAL_SECONDS=1, METRICS__LISTEN="127.0.0.1:0")
    loop, log = a_loop(account)
    url = ""
    for line in log:
        if found := re.search(r"metrics for Prometheus on (\S+)", line):
            url = f"http://{found[1]}/metrics"
        if "liquidity moved into" in line:
            break
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        page = answer.read().decode()
    loop.send_signal(signal.SIGTERM)
    rest = log.read()
    log.close()
    assert loop.wait(30) == 0, rest
    assert 'dexmm_turns_total{market="market",result="done"} 1.0' in page
    assert 'dexmm_steps_total{market="market",status="mined",step="rerange"} 1.0' in page
    assert 'dexmm_state{market="market",state="ACTIVE"} 1.0' in page
    with pytest.raises(URLError):
        build_opener(ProxyHandler({})).open(url, timeout=30)
