"""The doctor's look at the exchange, against the paper exchange."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from cex.cex_world import NOBODY_TAKES, PERPETUAL, config_for

from dexmm.health.check import Check, Verdict
from dexmm.health.exchange import exchange
from dexmm.paper_exchange.engine.accounts import Permissions
from dexmm.paper_exchange.engine.settings import Opening
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal


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


def test_without_a_key_what_everybody_may_ask_is_told(tmp_path: Path, paper: PaperExchange) -> None:
    config = config_for(tmp_path, paper.url)
    assert config.exchange is not None
    bare = config.exchange.model_copy(
        update={
            "api_key": None,
            "secret": None,
            "perpetual_id": "binanceusdm",
            "perpetual_symbol": "PAXG/USDT:USDT",
        }
    )
    found = {c.name: c for c in exchange(config.model_copy(update={"exchange": bare}))}
    assert Verdict.FAIL not in {check.verdict for check in found.values()}
    assert found["exchange key"].verdict is Verdict.WARN
    assert "DEXMM_EXCHANGE__API_KEY" in found["exchange key"].advice
    assert found["exchange account"].verdict is Verdict.SKIP
    for symbol in ("PAXG/USDT", "PAXG/USDT:USDT"):
        assert found[symbol].verdict is Verdict.OK
        assert "bp maker and" in found[symbol].detail


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
    rest = checks(tmp_path, paper.url)["exchange market"]
    assert rest.verdict is Verdict.SKIP


def test_no_exchange_is_nothing_to_say(tmp_path: Path) -> None:
    config = config_for(tmp_path, "http://127.0.0.1:1").model_copy(update={"exchange": None})
    assert list(exchange(config)) == []


def sizes(root: Path, url: str, *, sections: dict[str, object], **exchange_: object) -> list[Check]:
    config = config_for(root, url, **exchange_)
    changed = {
        name: getattr(config, name).model_copy(update=dict(values))  # type: ignore[call-overload]
        for name, values in sections.items()
    }
    found = exchange(config.model_copy(update=changed))
    return [check for check in found if check.name.endswith(" sizes")]


@pytest.mark.parametrize(
    ("sections", "verdict", "words"),
    [
        (
            {"quotes": {"enabled": True, "size_base": D("0.001")}},
            Verdict.FAIL,
            "quotes.size_base (0.001 PAXG) is below the minimum, 0.0013 at this price (at least "
            "0.0001 PAXG and 5 USDT, in steps of 0.0001 PAXG)",
        ),
        (
            {"quotes": {"enabled": True, "size_base": D("0.00005")}},
            Verdict.FAIL,
            "quotes.size_base (0.00005 PAXG) rounds to nothing",
        ),
        (
            {"quotes": {"enabled": True, "size_base": D("0.0024"), "closed": "shrink"}},
            Verdict.FAIL,
            "quotes.size_base x quotes.shrink_factor (0.0012 PAXG) is below the minimum",
        ),
        (
            {"quotes": {"enabled": True, "size_base": D("0.0014")}},  # 2.8 USDT at 2000
            Verdict.WARN,
            "is below the minimum, 0.0025, at market.price_low (2000)",
        ),
        (
            {"quotes": {"enabled": True, "size_base": D("0.12345")}},
            Verdict.WARN,
            "quotes.size_base (0.12345 PAXG) is ordered as 0.1234",
        ),
        (
            {"quotes": {"enabled": True, "size_base": D(9001)}},
            Verdict.WARN,
            "is above the maximum of 2250: no order of it is taken",  # 9,000,000 USDT
        ),
        (
            {"hedge": {"max_order_base": D("0.0012")}},
            Verdict.FAIL,
            "hedge.max_order_base (0.0012 PAXG) is below the minimum",
        ),
        ({"quotes": {"enabled": False, "size_base": D("0.001")}}, Verdict.OK, "can be ordered"),
    ],
)
def test_every_configured_size_is_held_against_the_filters(
    tmp_path: Path,
    paper: PaperExchange,
    sections: dict[str, object],
    verdict: Verdict,
    words: str,
) -> None:
    sections = {"market": {"price_low": D(2000)}, **sections}
    (found,) = sizes(tmp_path, paper.url, sections=sections)
    assert (found.name, found.verdict) == ("PAXG/USDT sizes", verdict)
    assert words in found.detail
    assert bool(found.advice) is (verdict is not Verdict.OK)
    assert found.exit_code == (2 if verdict is Verdict.FAIL else 0)


def test_a_size_is_held_against_every_symbol_that_it_would_be_ordered_in(
    tmp_path: Path, paper: PaperExchange
) -> None:
    found = sizes(
        tmp_path,
        paper.url,
        sections={
            "hedge": {"max_order_base": D("0.0009")},
            "triangle": {"enabled": True, "max_base": D("0.00012")},
        },
        triangle=("PAXG/BTC", "BTC/USDT"),
        perpetual_id="binanceusdm",
        perpetual_symbol=PERPETUAL,
    )
    told = {check.name: check for check in found}
    assert list(told) == [f"{s} sizes" for s in ("PAXG/USDT", "PAXG/BTC", "BTC/USDT", PERPETUAL)]
    assert {check.verdict for check in found} == {Verdict.FAIL}
    assert "triangle.max_base (0.00012 PAXG)" in told["PAXG/BTC sizes"].detail
    assert "triangle.max_base (0.0000" in told["BTC/USDT sizes"].detail  # in BTC there
    assert "at least 0.001 PAXG" in told[f"{PERPETUAL} sizes"].detail
    assert "rounds to nothing" in told[f"{PERPETUAL} sizes"].detail
    assert told["PAXG/USDT sizes"].advice == "raise hedge.max_order_base and triangle.max_base"


def of_perpetual(root: Path, url: str) -> dict[str, Check]:
    found = checks(root, url, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    return {name.removeprefix(f"{PERPETUAL} "): check for name, check in found.items()}


def test_the_perpetuals_account_is_tried_on(tmp_path: Path, paper: PaperExchange) -> None:
    found = of_perpetual(tmp_path, paper.url)
    assert found["account"].detail == "10000 USDT of margin, no position, mark 3998.00"
    assert found["position mode"].detail == "one-way"
    assert "maintenance margin 1 %" in found["leverage"].detail
    paper.exchange.set_account("paper", hedge_mode=True, isolated={"PAXGUSDT": True})
    found = of_perpetual(tmp_path, paper.url)
    assert (found["position mode"].verdict, found["position mode"].exit_code) == (Verdict.FAIL, 2)
    assert "one-way position mode" in found["position mode"].advice
    assert found["margin mode"].verdict is Verdict.WARN
    assert "isolated" in found["margin mode"].detail


def test_a_key_without_futures_cannot_hedge_there(tmp_path: Path) -> None:
    opening = Opening(permissions=Permissions(futures=False))
    with PaperExchange(replace(NOBODY_TAKES, accounts=(opening,))) as paper:
        found = of_perpetual(tmp_path, paper.url)["key"]
    assert found.verdict is Verdict.FAIL
    assert "futures" in found.detail


@pytest.mark.parametrize(
    ("quotes", "verdict"),
    [
        ({"half_spread": D("0.5")}, Verdict.FAIL),
        ({"half_spread": D("0.5"), "accept_loss": True}, Verdict.WARN),
        ({"half_spread": D(9)}, Verdict.OK),
    ],
)
def test_quotes_that_cannot_earn_are_told_with_the_spread_that_does(
    tmp_path: Path, paper: PaperExchange, quotes: dict[str, object], verdict: Verdict
) -> None:
    config = config_for(tmp_path, paper.url)
    changed = config.quotes.model_copy(update={"enabled": True, **quotes})
    found = {c.name: c for c in exchange(config.model_copy(update={"quotes": changed}))}["quotes"]
    assert found.verdict is verdict
    assert "breaks even at a half spread of" in found.detail
    assert "10 bp maker" in found.detail
