"""The exit at an only node that keeps nothing, loses what it took, or never mines: it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.withdraw.conftest import Ran, Scene
else:
    Ran = Scene = Any

pytestmark = pytest.mark.anvil

SEND = "eth_sendRawTransaction"
PATIENCE = "2"  # seconds for a transaction, instead of three minutes


def swallow(scene: Scene) -> None:
    """It answers with the transaction's own hash, and keeps nothing."""
    forward = scene.proxy._forward

    def instead(body: bytes) -> bytes:
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        if calls[0]["method"] != SEND:
            answer: bytes = forward(body)
            return answer
        told = [{"jsonrpc": "2.0", "id": c["id"], "result": "0x" + "ab" * 32} for c in calls]
        return json.dumps(told if isinstance(request, list) else told[0]).encode()

    scene.proxy._forward = instead


def forget(scene: Scene) -> None:
    """It takes the transaction, and has dropped it by the next question."""
    forward = scene.proxy._forward
    scene.anvil.rpc("evm_setAutomine", [False])

    def instead(body: bytes) -> bytes:
        answer: bytes = forward(body)
        if SEND in body.decode():
            scene.anvil.rpc("anvil_dropAllTransactions")
        return answer

    scene.proxy._forward = instead


def never_mine(scene: Scene) -> None:
    scene.anvil.rpc("evm_setAutomine", [False])


def heal(scene: Scene) -> None:
    scene.proxy.__dict__.pop("_forward", None)
    scene.anvil.rpc("evm_setAutomine", [True])


@pytest.fixture(autouse=True)
def _mining_again(scene: Scene) -> Iterator[None]:
    yield
    heal(scene)


def stuck(scene: Scene, *arguments: str) -> Ran:
    ran = scene.withdraw(*arguments, loop__receipt_timeout_seconds=PATIENCE)
    assert ran.code == 5, ran.out + ran.err
    assert scene.halted()
    assert ran.answer["halted"]
    assert not ran.answer["proved"]
    return ran


@pytest.mark.parametrize("habit", [swallow, forget])
def test_what_no_node_keeps_ends_the_exit_and_the_next_one_goes_on(
    scene: Scene, habit: Callable[[Scene], None]
) -> None:
    for below in (-600, -900):
        scene.mint(below, 600)
    nonce = scene.nonce()
    habit(scene)
    ran = stuck(scene, "--convert")
    answer = ran.answer
    assert [leg["outcome"]["status"] for leg in answer["legs"]] == ["pending"], "one, and no more"
    tx_hash = answer["legs"][0]["outcome"]["tx_hash"]
    (line,) = answer["unfinished"]
    for part in (
        f"at nonce {nonce}, as {tx_hash}",
        "no receipt within 2 s",
        "has it any more",
        "again",
    ):
        assert part in line
    assert [flight["tx_hash"] for flight in answer["in_flight"]] == [tx_hash]
    assert len(scene.token_ids()) == 2
    heal(scene)
    again = scene.withdraw()
    assert again.code == 0, again.out + again.err
    assert again.answer["proved"]
    assert scene.all_out()
    assert scene.nonce() == nonce + 1, "the same nonce, once"
    assert {taken for _, taken in scene.intents()} == {nonce}


def test_what_is_never_mined_is_outbid_by_the_next_exit(scene: Scene) -> None:
    scene.mint(-600, 600)
    nonce = scene.nonce()
    never_mine(scene)
    (line,) = stuck(scene).answer["unfinished"]
    assert "offered to the miners" in line
    first = pooled(scene)
    stuck(scene)
    second = pooled(scene)
    assert second["nonce"] == first["nonce"] == hex(nonce)
    for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert int(second[fee], 16) * 1000 >= int(first[fee], 16) * 1125
    heal(scene)
    scene.anvil.mine()
    assert scene.withdraw().code == 0
    assert scene.all_out()
    assert scene.nonce() == nonce + 1


def test_people_are_told_what_waits(scene: Scene) -> None:
    scene.mint(-600, 600)
    swallow(scene)
    nonce = scene.nonce()
    ran = scene.run("withdraw", loop__receipt_timeout_seconds=PATIENCE)
    assert ran.code == 5
    assert f"in flight at nonce {nonce}" in ran.out
    assert (
        f"run it again: take out #{scene.token_ids()[0]}: it waits at nonce {nonce}, as 0x"
        in ran.out
    )
    assert ran.out.splitlines()[-1].startswith("HALT stays set")


def pooled(scene: Scene) -> dict[str, Any]:
    """The one transaction that waits at the node."""
    block = scene.anvil.rpc("eth_getBlockByNumber", ["pending", True])
    (waiting,) = block["transactions"]
    return dict(waiting)
