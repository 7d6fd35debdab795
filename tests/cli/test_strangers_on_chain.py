"""What strangers can write on the chain: none of it costs gas, and all of it is told."""

import json
from decimal import Decimal
from typing import Any

import pytest

from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.deploy import account as somebody
from dexmm.sandbox.node.funding import add_token_balance
from dexmm.sandbox.node.pools import NEVER, POSITION_MANAGER, approve, pool_facts
from dexmm.sandbox.node.token_admin import PAXG, USDT

pytestmark = pytest.mark.anvil

MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
INCREASE = "increaseLiquidity((uint256,uint256,uint256,uint256,uint256,uint256))"
STRANGER = somebody("a stranger")


def answer(account: Any, capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, Any]:
    capsys.readouterr()
    account.dexmm(*command, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def prepared(deployment: Deployment) -> None:
    deployment.fund_wallet(STRANGER, eth=Decimal(10), paxg=Decimal(1), usdt=Decimal(10_000))
    for token in (PAXG, USDT):
        approve(deployment.anvil, STRANGER, token, POSITION_MANAGER, 2**200)


def mint_to(deployment: Deployment, wallet: str, usdt: int) -> None:
    tick = pool_facts(deployment.anvil, deployment.pool).tick // 10 * 10
    position = (PAXG, USDT, 500, tick - 2000, tick - 1000, 0, usdt, 0, 0, wallet, NEVER)
    deployment.anvil.send_as(STRANGER, POSITION_MANAGER, encode_call(MINT, position))


def sent(account: Any) -> int:
    count = account.deployment.anvil.rpc("eth_getTransactionCount", [account.address, "latest"])
    return int(count, 16)


def an_hour_later(account: Any) -> None:
    anvil = account.deployment.anvil
    anvil.set_time(int(anvil.block()["timestamp"], 16) + 3600)
    anvil.mine()


def test_nfts_dust_and_liquidity_of_strangers_cost_nothing(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = account.deployment
    prepared(deployment)
    assert account.dexmm("run", "--once") == 0
    an_hour_later(account)
    assert account.dexmm("run", "--once") == 0
    ours = answer(account, capsys, "status")["positions"]
    paid = sent(account)
    for usdt in (10_000, 50 * 10**6):  # a cent, and more than what counts as a position
        mint_to(deployment, account.address, usdt)
        an_hour_later(account)
        assert answer(account, capsys, "run", "--once")["outcomes"] == []
    tokens = (int(ours[0]["token_id"]), 10**12, 10**4, 0, 0, NEVER)
    deployment.anvil.send_as(STRANGER, POSITION_MANAGER, encode_call(INCREASE, tokens))
    add_token_balance(deployment.anvil, USDT, account.address, 10**6)
    an_hour_later(account)
    told = answer(account, capsys, "run", "--once")
    assert (told["outcomes"], told["trigger"], told["refusals"]) == ([], None, [])
    assert sent(account) == paid

    shown = answer(account, capsys, "status")
    assert [p["token_id"] for p in shown["positions"]] == [p["token_id"] for p in ours]
    assert [Decimal(p["worth"]).quantize(Decimal("0.01")) for p in shown["strangers"]] == [
        Decimal("0.01"),
        Decimal("50.00"),
    ]
    capsys.readouterr()
    assert account.dexmm("status") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("left alone NFT") == said.count("`dexmm withdraw --all` takes it out") == 2


def test_with_a_lost_journal_dust_is_left_alone_and_ours_are_held(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(account.deployment)
    assert account.dexmm("run", "--once") == 0
    mint_to(account.deployment, account.address, 10_000)
    ours = len(answer(account, capsys, "status")["positions"])
    for file in (account.config.parent / ".dexmm").glob("journal.sqlite*"):
        file.unlink()
    an_hour_later(account)
    told = answer(account, capsys, "run", "--once")
    assert (told["exit_code"], told["outcomes"]) == (0, [])
    shown = answer(account, capsys, "status")
    assert (len(shown["positions"]), len(shown["strangers"])) == (ours, 1)
