"""The exit beside a first node that is of another chain, refuses to send, or loses what it took."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

SEND = "eth_sendRawTransaction"
SAFE = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
Calls = list[dict[str, Any]]


@pytest.fixture
def first(scene: Scene) -> Iterator[Any]:
    """Another way to the scene's own node; ``scene.proxy`` is the good second one."""
    proxy = type(scene.proxy)(scene.anvil.url)
    yield proxy
    proxy.close()


def answering(proxy: Any, method: str, answer: Callable[[dict[str, Any]], Any]) -> list[int]:
    """``answer`` is what the node says to ``method``, without hearing it. Counts those."""
    forward, heard = proxy._forward, []

    def instead(body: bytes) -> bytes:
        request = json.loads(body)
        calls: Calls = request if isinstance(request, list) else [request]
        mine = [call for call in calls if call["method"] == method]
        heard.extend(len(mine) * [1])
        rest = [call for call in calls if call["method"] != method]
        answers = [{"jsonrpc": "2.0", "id": call["id"], **answer(call)} for call in mine]
        if rest:
            answers += json.loads(forward(json.dumps(rest).encode()))
        by_id = {each["id"]: each for each in answers}
        told = [by_id[call["id"]] for call in calls]
        return json.dumps(told if isinstance(request, list) else told[0]).encode()

    proxy._forward = instead
    return heard


def everything_comes_out(scene: Scene, first: Any) -> dict[str, Any]:
    for below in (-600, -900):
        scene.mint(below, 600)
    ran = scene.withdraw(network__rpc_urls=f"{first.url},{scene.proxy.url}")
    assert ran.code == 0, ran.out + ran.err
    assert scene.all_out()
    answer: dict[str, Any] = ran.answer
    assert answer["proved"]
    assert answer["in_flight"] == []
    mined = [leg for leg in answer["legs"] if leg["outcome"]["status"] == "mined"]
    assert len(mined) == 1, "once, whoever took it"
    return answer


def test_a_first_node_of_another_chain(scene: Scene, first: Any) -> None:
    answering(first, "eth_chainId", lambda call: {"result": "0x5"})
    answer = everything_comes_out(scene, first)
    notes = {each["node"]: each for each in answer["proof"]["witnesses"]}
    assert not notes[first.url]["counts"]
    assert "chain 5" in notes[first.url]["note"]
    assert notes[scene.proxy.url]["counts"]
    assert SEND not in "+".join(first.methods), "nothing is sent to another chain's node"


@pytest.mark.parametrize(
    ("code", "message"),
    [(-32601, "the method eth_sendRawTransaction is not available"), (-32005, "limit exceeded")],
)
def test_a_first_node_that_refuses_to_send(
    scene: Scene, first: Any, code: int, message: str
) -> None:
    refused = answering(first, SEND, lambda call: {"error": {"code": code, "message": message}})
    everything_comes_out(scene, first)
    assert refused, "it was asked"


def test_a_first_node_that_accepts_and_loses(scene: Scene, first: Any) -> None:
    lost = answering(first, SEND, lambda call: {"result": "0x" + "ab" * 32})
    everything_comes_out(scene, first)
    assert lost, "it was asked"


def test_a_first_node_without_the_chain_s_state(scene: Scene, first: Any) -> None:
    """It knows the newest block and answers every call as if there were no contract."""
    empty = answering(first, "eth_call", lambda call: {"result": "0x"})
    everything_comes_out(scene, first)
    assert empty, "it was asked"


UNABLE = {"error": {"code": -32601, "message": "this method is not in your plan"}}


@pytest.mark.parametrize("method", ["eth_estimateGas", "eth_getBalance"])
def test_an_only_node_that_tells_neither_estimate_nor_balance(scene: Scene, method: str) -> None:
    """What the exit simulates goes out all the same, with the most that it can need."""
    ids = [scene.mint(below, 600) for below in (-600, -900)]
    refused = answering(scene.proxy, method, lambda call: UNABLE)
    ran = scene.withdraw("--convert")
    assert ran.code == 0, ran.out + ran.err
    assert refused
    assert scene.all_out()
    assert ran.answer["proved"]
    exits = [leg for leg in ran.answer["legs"] if leg["what"].startswith("take out")]
    assert [leg["outcome"]["status"] for leg in exits] == ["mined"], ids
    assert exits[0]["outcome"]["gas_used"] < 2 * 340_000


def test_a_node_that_counts_one_too_many_is_not_paid_for_twenty_times(scene: Scene) -> None:
    """It shows a waiting transaction behind whatever is mined."""
    scene.mint(-600, 600)
    forward = scene.proxy._forward

    def one_more(body: bytes) -> bytes:
        calls = json.loads(body)
        asked = {call["id"]: call for call in (calls if isinstance(calls, list) else [calls])}
        found = json.loads(forward(body))
        for answer in found if isinstance(found, list) else [found]:
            if "pending" in asked[answer["id"]]["params"]:
                answer["result"] = hex(int(answer["result"], 16) + 1)
        return json.dumps(found).encode()

    scene.proxy._forward = one_more
    before = scene.nonce()
    ran = scene.withdraw()
    assert ran.code == 5
    assert not ran.answer["proved"]
    assert scene.all_out()
    assert scene.nonce() - before == 1 + 3, "the exit, and three that found nothing to replace"
    assert any("ask another node" in line for line in ran.answer["unfinished"])


def sometimes_late(scene: Scene, behind: int) -> None:
    """Two machines behind one address answer in turn; one of them is ``behind`` blocks late."""
    forward, asked = scene.proxy._forward, []

    def from_before(body: bytes) -> bytes:
        asked.append(body)
        if len(asked) % 2:
            answer: bytes = forward(body)
            return answer
        then = int(scene.anvil.block()["number"], 16) - behind
        calls = json.loads(body)
        for call in calls if isinstance(calls, list) else [calls]:
            call["params"] = [
                hex(then) if p in ("latest", "pending") else p for p in call["params"]
            ]
        found = json.loads(forward(json.dumps(calls).encode()))
        for each in found if isinstance(found, list) else [found]:
            receipt = each.get("result")
            if isinstance(receipt, dict) and "effectiveGasPrice" in receipt:
                each["result"] = None if int(receipt["blockNumber"], 16) > then else receipt
        return json.dumps(found).encode()

    scene.anvil.mine(behind)
    scene.proxy._forward = from_before


@pytest.mark.parametrize("behind", [1, 3])
def test_machines_behind_one_address_of_which_one_is_late(scene: Scene, behind: int) -> None:
    """What came out is not called trapped because the next answer is from before that."""
    for below in (-600, -900):
        scene.mint(below, 600)
    sometimes_late(scene, behind)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out + ran.err
    assert scene.all_out()
    assert ran.answer["proved"]
    assert ran.answer["trapped"] == []
    assert [leg["outcome"]["status"] for leg in ran.answer["legs"]] == ["mined"]


def test_what_such_an_address_simulates_is_of_now(scene: Scene) -> None:
    """The sale is not tried before the allowance, the transfer not before the sale."""
    scene.mint(-600, 600)
    scene.give_away_all_but("0.5", "100")  # so little that it is sold at once
    sometimes_late(scene, 2)
    ran = scene.withdraw("--convert", "--to", "safe")
    assert ran.code == 0, ran.out + ran.err
    assert ran.answer["proved"]
    assert scene.balances() == (0, 0)
    told = [(leg["what"].split()[0], leg["outcome"]["status"]) for leg in ran.answer["legs"]]
    assert told == [(word, "mined") for word in ("take", "let", "sell", "send")]
    (read_back,) = ran.answer["read_back"]
    assert f"{scene.balances(SAFE)[1] / 10**6:f} USDT more than before" in read_back
