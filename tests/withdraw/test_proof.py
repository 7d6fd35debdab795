"""What proves that nothing is left: a fresh block, and every node that answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

DEAD = "http://127.0.0.1:1"
KEY = "0x" + "5a" * 32
WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
GWEI = 10**9
BLOCKS, SECONDS = 61, 732  # how far the node lags: 12 s a block


def lag(proxy: Any, block: int) -> None:
    """From now on the node behind ``proxy`` answers as it did when ``block`` was the newest."""
    forward = proxy._forward

    def as_of_then(body: bytes) -> bytes:
        request = json.loads(body)
        for call in request if isinstance(request, list) else [request]:
            call["params"] = [
                hex(block) if each in ("latest", "pending") else each for each in call["params"]
            ]
        answer: bytes = forward(json.dumps(request).encode())
        return answer

    proxy._forward = as_of_then


@pytest.fixture
def lagging(scene: Scene) -> Iterator[Any]:
    """The scene's own node, 61 blocks back: before any of the wallet's positions."""
    scene.anvil.mine()
    then = int(scene.anvil.block()["number"], 16)
    proxy = type(scene.proxy)(scene.anvil.url)
    lag(proxy, then)
    for below in (-600, -900, -1200):
        scene.mint(below, 600)
    scene.anvil.mine(BLOCKS, SECONDS // BLOCKS)
    yield proxy
    proxy.close()


def test_a_good_second_node_is_used_when_the_first_lags(scene: Scene, lagging: Any) -> None:
    urls = f"{lagging.url},{scene.proxy.url}"
    ran = scene.withdraw(network__rpc_urls=urls)
    assert ran.code == 0, ran.err
    assert scene.all_out()
    assert scene.token_ids() == []
    answer = ran.answer
    assert answer["proved"]
    stale, good = answer["proof"]["witnesses"]
    assert (stale["node"], stale["counts"]) == (lagging.url, False)
    assert stale["age_seconds"] >= SECONDS - 12
    assert "blocks behind" in stale["note"]
    assert (good["node"], good["counts"]) == (scene.proxy.url, True)
    assert answer["block"] == answer["proof"]["block"] == int(scene.anvil.block()["number"], 16)
    said = scene.run("withdraw", network__rpc_urls=urls).out
    assert f"seen by {scene.proxy.url} (block {answer['block']}, 0 s old)" in said
    assert f"not counted: {lagging.url} (stale: " in said


def test_a_node_that_does_not_answer_is_told_and_not_counted(scene: Scene) -> None:
    scene.mint(-600, 600)
    ran = scene.withdraw(network__rpc_urls=f"{scene.proxy.url},{DEAD}")
    assert ran.code == 0, ran.err
    dead = ran.answer["proof"]["witnesses"][-1]
    assert (dead["node"], dead["block"], dead["counts"]) == (DEAD, None, False)
    assert "cannot be reached" in dead["note"]


def answering(proxy: Any, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
    """From now on ``change(call, answer)`` is what the node behind ``proxy`` answers."""
    forward = proxy._forward

    def changed(body: bytes) -> bytes:
        request, answer = json.loads(body), json.loads(forward(body))
        if isinstance(request, list):
            by_id = {each["id"]: each for each in answer}
            return json.dumps([change(call, by_id[call["id"]]) for call in request]).encode()
        return json.dumps(change(request, answer)).encode()

    proxy._forward = changed


def mainnet_of_old(scene: Scene) -> dict[str, str]:
    """The settings under which the scene's chain is mainnet, with a newest block that is a quarter
    of an hour old by this machine's clock."""
    key = Account.encrypt(KEY, "a word", kdf="pbkdf2", iterations=1)
    (scene.folder / "key.json").write_text(json.dumps(key))
    (scene.folder / "key.json").chmod(0o600)
    scene.anvil.set_time(int(time.time()) - 900)
    scene.anvil.mine()

    def says_geth(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        geth = call["method"] == "web3_clientVersion"
        return {**answer, "result": "Geth/v1.16.0"} if geth else answer

    answering(scene.proxy, says_geth)
    return {
        "network__name": "mainnet",
        "wallet__private_key": "",
        "wallet__keystore": "key.json",
        "wallet__password": "a word",
    }


def test_a_turn_that_sees_only_the_past_is_not_done(scene: Scene) -> None:
    """What is held is what was wanted a quarter of an hour ago: cron is not told that all is well,
    and why it is not, however quiet it is asked to be."""
    file = scene.folder / "dexmm.toml"
    file.write_text(file.read_text() + "\n[guards]\nclosed_weekly = []\n")  # whatever day it is
    scene.anvil.set_time(int(time.time()) - 1000)
    scene.anvil.mine()
    assert scene.run("run", "--once").code == 0
    settings = mainnet_of_old(scene)
    ran = scene.run("run", "--once", "--live", "--quiet", **settings)
    assert ran.code == 5, ran.out + ran.err
    assert ran.out == ""
    assert "dexmm: the node's newest block is 9" in ran.err
    nonce = scene.nonce("pending")
    assert scene.run("run", "--once", "--live", "--json", **settings).answer["exit_code"] == 5
    assert scene.nonce("pending") == nonce


def test_with_only_a_stale_node_everything_comes_out_and_nothing_is_proved(scene: Scene) -> None:
    """By this machine's clock, as on mainnet: the newest block is a quarter of an hour old."""
    scene.mint(-600, 600)
    ran = scene.withdraw("--yes", **mainnet_of_old(scene))
    assert ran.code == 5, ran.out + ran.err
    assert scene.all_out()
    answer = ran.answer
    assert not answer["proved"]
    (said,) = answer["unfinished"]
    assert said.startswith("cannot prove that nothing is left: block ")
    assert "more than guards.max_block_age_seconds = 120" in said
    (witness,) = answer["proof"]["witnesses"]
    assert (witness["counts"], witness["age_seconds"] >= 840) == (False, True)
    assert "proved at block" not in ran.out


def test_a_position_that_only_a_fresher_node_shows_is_taken_out_and_proved_again(
    scene: Scene,
) -> None:
    """The first node stands still after the exit; one block later a mint lands in the wallet."""
    first = type(scene.proxy)(scene.anvil.url)
    forward, minted = first._forward, []
    scene.mint(-600, 600)
    nonce = scene.nonce()

    def stops_after_the_exit(body: bytes) -> bytes:
        answer: bytes = forward(body)
        if b"eth_sendRawTransaction" in body and not minted:
            minted.append(0)
            scene.until(lambda: scene.nonce() > nonce)
            lag(first, int(scene.anvil.block()["number"], 16))
            minted[0] = scene.mint(-900, 300)
        return answer

    first._forward = stops_after_the_exit
    try:
        ran = scene.withdraw(network__rpc_urls=f"{first.url},{scene.proxy.url}")
    finally:
        first.close()
    assert ran.code == 0, ran.out + ran.err
    assert scene.all_out()
    assert ran.answer["proved"]
    taken = [leg["what"] for leg in ran.answer["legs"] if leg["outcome"]["status"] == "mined"]
    assert taken[-1] == f"take out #{minted[0]}"
    assert len(taken) == 2
    assert ran.answer["block"] == int(scene.anvil.block()["number"], 16)


def test_a_transaction_that_only_another_node_knows_is_replaced_and_proved_again(
    scene: Scene,
) -> None:
    """Somebody's transaction of this wallet waits, and the first node does not say so."""
    first = type(scene.proxy)(scene.anvil.url)
    forward = first._forward

    def tells_what_is_mined(body: bytes) -> bytes:
        answer: bytes = forward(body.replace(b'"pending"', b'"latest"'))
        if b"eth_sendRawTransaction" in body:
            scene.anvil.mine()
        return answer

    first._forward = tells_what_is_mined
    nonce = scene.nonce()
    scene.anvil.set_base_fee(GWEI)
    scene.anvil.mine()
    scene.anvil.rpc("anvil_impersonateAccount", [WALLET])
    scene.anvil.rpc("evm_setAutomine", [False])
    waiting = {"from": WALLET, "to": WALLET, "nonce": hex(nonce), "gas": hex(21_000)}
    fees = {"maxFeePerGas": hex(GWEI), "maxPriorityFeePerGas": "0x0"}
    scene.anvil.rpc("eth_sendTransaction", [{**waiting, **fees}])
    assert (scene.nonce(), scene.nonce("pending")) == (nonce, nonce + 1)
    try:
        ran = scene.withdraw(network__rpc_urls=f"{first.url},{scene.proxy.url}")
    finally:
        first.close()
        scene.anvil.rpc("evm_setAutomine", [True])
    assert ran.code == 0, ran.out + ran.err
    assert ran.answer["proved"]
    (leg,) = ran.answer["legs"]
    assert leg["what"] == f"replace the unknown transaction at nonce {nonce}"
    assert scene.nonce() == scene.nonce("pending") == nonce + 1


def test_blocks_that_come_while_another_node_is_waited_for_do_not_undo_the_proof(
    scene: Scene,
) -> None:
    """A node that answers too late, or not at all, lets the chain go on between two looks."""
    scene.mint(-600, 600)
    late = type(scene.proxy)(scene.anvil.url)

    def too_late(body: bytes) -> bytes:
        scene.anvil.mine()
        return b"busy"

    late._forward = too_late
    try:
        ran = scene.withdraw(network__rpc_urls=f"{scene.proxy.url},{late.url}")
    finally:
        late.close()
    assert ran.code == 0, ran.out + ran.err
    assert scene.all_out()
    answer = ran.answer
    assert answer["proved"]
    good, bad = answer["proof"]["witnesses"]
    assert (good["counts"], bad["counts"]) == (True, False)
    assert good["block"] > answer["proof"]["block"]
