"""The wrong network is found out before anything is read or sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from dexmm.chain.identity import check_identity
from dexmm.chain.rpc.client import Rpc
from dexmm.errors import Halt, NodeError

pytestmark = pytest.mark.anvil


def says(version: Any) -> Any:
    return lambda answer: {**answer, "result": version}


def test_a_sandbox_on_anvil_is_itself(world: Any, proxy: Any) -> None:
    check_identity(Rpc([proxy.url]), world.config())
    assert proxy.requests == [["eth_chainId", "web3_clientVersion"]]


@pytest.mark.parametrize("network", ["sandbox", "fork"])
def test_a_sandbox_configuration_halts_on_a_real_node(world: Any, proxy: Any, network: str) -> None:
    proxy.rewrite("web3_clientVersion", says("Geth/v1.15.0"))
    with pytest.raises(Halt, match="not Anvil"):
        check_identity(Rpc([proxy.url]), world.config(network={"name": network}))


def mainnet_config(world: Any, tmp_path: Path) -> Any:
    keystore = tmp_path / "key.json"
    keystore.write_text(json.dumps(Account.encrypt("0x" + "22" * 32, "pass", iterations=2)))
    keystore.chmod(0o600)
    return world.config(
        network={"name": "mainnet"},
        wallet={"private_key": None, "keystore": keystore, "password": "pass"},
    )


def test_mainnet_refuses_anvil(world: Any, tmp_path: Path) -> None:
    with pytest.raises(Halt, match="is Anvil, not mainnet"):
        check_identity(Rpc([world.mainnet.anvil.url]), mainnet_config(world, tmp_path))


def test_mainnet_on_a_real_node(world: Any, proxy: Any, tmp_path: Path) -> None:
    proxy.rewrite("web3_clientVersion", says("Geth/v1.15.0"))
    check_identity(Rpc([proxy.url]), mainnet_config(world, tmp_path))


def test_the_wrong_chain_id_halts(world: Any) -> None:
    with pytest.raises(Halt, match=r"chain 1, but network\.chain_id is 5"):
        check_identity(Rpc([world.mainnet.anvil.url]), world.config(network={"chain_id": 5}))


@pytest.mark.parametrize("version", [None, 7, ["anvil"]])
def test_a_node_that_does_not_say_what_it_is(world: Any, proxy: Any, version: Any) -> None:
    proxy.rewrite("web3_clientVersion", says(version))
    with pytest.raises(NodeError, match="does not say what it is"):
        check_identity(Rpc([proxy.url]), world.config())
