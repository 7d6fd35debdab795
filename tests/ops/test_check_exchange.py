"""The doctor's look at the exchange, against the paper exchange."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cex.cex_world import NOBODY_TAKES, PERPETUAL, config_for

from dexmm.ops.check_exchange import exchange
from dexmm.ops.checks import Check, Verdict
from dexmm.sandbox.exchange.accounts import Permissions
from dexmm.sandbox.exchange.paper import PaperExchange
from dexmm.sandbox.exchange.settings import Opening


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(NOBODY_TAKES) as running:
        yield running


def checks(root: Path, url: str, **settings: object) -> dict[str, Check]:
    return {check.name: check for check in exchange(config_for(root, url, **settings))}


def test_a_healthy_exchange(tmp_path: Path, paper: PaperExchange) -> None:
    found = checks(tmp_path, paper.url, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    verdicts = {name: check.verdict for name, check in found.items()}
    assert verdicts.pop("PAXG/USDT volume") is Verdict.WARN  # nobody trades on a quiet exchange
    assert verdicts.pop(f"{PERPETUAL} volume") is Verdict.WARN
    assert set(verdicts.values()) == {Verdict.OK}
    assert "amount step 0.0001" in found["PAXG/USDT"].detail
    assert "10 bp maker" in found["PAXG/USDT"].detail
    assert "5 PAXG" in found["exchange account"].detail
    assert "no dead-man's switch" in found["exchange"].detail


def test_a_key_that_may_withdraw_is_warned_of_loudly(tmp_path: Path) -> None:
    danger = Opening(permissions=Permissions(withdraw=True))
    with PaperExchange(replace(NOBODY_TAKES, accounts=(danger,))) as paper:
        found = checks(tmp_path, paper.url)["exchange key"]
    assert found.verdict is Verdict.WARN
    assert "MAY WITHDRAW" in found.detail
    assert found.advice


@pytest.mark.parametrize(
    ("permissions", "verdict", "words"),
    [
        (Permissions(trade=False), Verdict.FAIL, "may not trade"),
        (Permissions(ip_restricted=False), Verdict.WARN, "from everywhere"),
    ],
)
def test_other_permissions(
    tmp_path: Path, permissions: Permissions, verdict: Verdict, words: str
) -> None:
    opening = Opening(permissions=permissions)
    with PaperExchange(replace(NOBODY_TAKES, accounts=(opening,))) as paper:
        found = checks(tmp_path, paper.url)["exchange key"]
    assert found.verdict is verdict
    assert words in found.detail


def test_a_wrong_key_is_one_clear_failure(tmp_path: Path, paper: PaperExchange) -> None:
    found = checks(tmp_path, paper.url, api_key="d" * 64)
    failed = [check for check in found.values() if check.verdict is Verdict.FAIL]
    assert len(failed) == 1
    assert "API key" in failed[0].detail
    assert failed[0].exit_code == 4


def test_a_symbol_that_is_not_there(tmp_path: Path, paper: PaperExchange) -> None:
    found = checks(tmp_path, paper.url, symbol="GOLD/USDT")
    assert found["GOLD/USDT"].verdict is Verdict.FAIL


def test_a_suspended_symbol(tmp_path: Path, paper: PaperExchange) -> None:
    paper.exchange.change_rules("spot:PAXGUSDT", trading=False)
    found = checks(tmp_path, paper.url)["PAXG/USDT"]
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 5)


def test_an_exchange_that_is_down(tmp_path: Path, paper: PaperExchange) -> None:
    paper.close()
    found = [c for c in checks(tmp_path, paper.url).values() if c.verdict is Verdict.FAIL]
    assert [(c.name, c.exit_code) for c in found] == [("exchange", 5)]


def test_no_exchange_is_nothing_to_say(tmp_path: Path) -> None:
    config = config_for(tmp_path, "http://127.0.0.1:1").model_copy(update={"exchange": None})
    assert list(exchange(config)) == []
