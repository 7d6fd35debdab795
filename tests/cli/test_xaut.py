"""Tether Gold as the base, from `init` to the exit; and a token of unknown powers."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dexmm.cli import main
from dexmm.config.template import configuration
from dexmm.sandbox.node import pools, token_admin
from dexmm.sandbox.node.deploy import XAUT_USDT_POOL, Deployment, account, place_xaut
from dexmm.sandbox.node.token_admin import USDT, XAUT
from dexmm.sim.chain.background_liquidity import Layer
from dexmm.units import sqrt_from_price

pytestmark = pytest.mark.anvil

KEY = "0x" + "5b" * 32


class Gold:
    """A wallet with 10 XAUt and 70,000 USDT, and what `init --market xaut-usdt` writes."""

    def __init__(self, mainnet: Deployment, folder: Path, capsys: pytest.CaptureFixture[str]):
        from eth_account import Account as Signer

        self.anvil, self.capsys, self.config = mainnet.anvil, capsys, folder / "dexmm.toml"
        self.address = Signer.from_key(KEY).address
        place_xaut(self.anvil)
        root = sqrt_from_price(Decimal(4000), 6, 6, base_is_token0=True)
        assert mainnet.create_pool(XAUT, USDT, 500, root) == XAUT_USDT_POOL
        pools.grow_observations(self.anvil, account("pool maker"), XAUT_USDT_POOL, 720)
        layer = Layer(owner=account("others"), width_bp=2000, value=Decimal(2_000_000))
        pools.add_layer(self.anvil, XAUT_USDT_POOL, layer, 6)
        now = int(self.anvil.block()["timestamp"], 16)
        self.anvil.set_time(now + 7200)
        mainnet.swap(zero_for_one=True, amount_in=10_000, pool=XAUT_USDT_POOL)
        mainnet.fund_wallet(self.address, usdt=Decimal(70_000), eth=Decimal(5))
        mainnet.add_tokens(XAUT, self.address, 10_000_000)
        self.config.write_text(configuration("sandbox", "xaut-usdt"))
        (folder / ".env").write_text(
            f"DEXMM_NETWORK__RPC_URLS={self.anvil.url}\nDEXMM_WALLET__PRIVATE_KEY={KEY}\n"
            "DEXMM_STRATEGY__NAME=budget\n"
        )

    def dexmm(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        code = main.run([*arguments, "--config", str(self.config), "--json"])
        return code, json.loads(self.capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def gold(mainnet: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gold:
    return Gold(mainnet, tmp_path, capsys)


def checks(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in answer["checks"]}


def test_it_is_doctored_deployed_frozen_and_withdrawn(gold: Gold) -> None:
    code, answer = gold.dexmm("doctor")
    assert code == 0, answer
    token = checks(answer)["token XAUt"]
    assert token["verdict"] == "ok"
    assert token["detail"].startswith("watched for freeze; its code can change, now 0x")
    assert checks(answer)["chainlink"]["verdict"] == "ok"

    assert gold.dexmm("run", "--once")[0] == 0
    gold.anvil.mine(4, 60)
    _, status = gold.dexmm("status")
    assert status["positions"]
    assert Decimal("0.2") <= Decimal(status["share"]) <= Decimal("0.5")

    token_admin.block_xaut(gold.anvil, gold.address)
    _, answer = gold.dexmm("doctor")
    assert "guard token_frozen" in checks(answer)
    assert "XAUt" in checks(answer)["guard token_frozen"]["detail"]
    token_admin.unblock_xaut(gold.anvil, gold.address)

    code, answer = gold.dexmm("withdraw")
    assert code == 0, answer
    assert gold.dexmm("status")[1]["positions"] == []


def test_a_token_that_answers_no_guard_is_never_silently_fine(
    mainnet: Deployment, gold: Gold
) -> None:
    token = mainnet.create_token("NEW", 6)
    pool = mainnet.create_pool(token, USDT, 500, 1 << 96)
    with (gold.config.parent / ".env").open("a") as file:
        file.write(f"DEXMM_MARKET__POOL={pool}\nDEXMM_MARKET__BASE={token}\n")
    found = checks(gold.dexmm("doctor")[1])
    assert found["token NEW"]["verdict"] == "warn"
    assert "isBlocked(address)" in found["token NEW"]["detail"]
    assert "none of its issuer's powers" in found["token NEW"]["detail"]
    assert found["token USDT"]["verdict"] == "ok"
    assert "freeze, pause, transfer fee and deprecation" in found["token USDT"]["detail"]
