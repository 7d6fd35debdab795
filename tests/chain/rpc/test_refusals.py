"""Nodes as providers run them: limits on batches said in many ways, forms that they refuse, and
refusals that are about the node. The snapshot is the same, or the error is one and clear."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dexmm.chain.rpc.client import Rpc, RpcError
from dexmm.chain.rpc.endpoint import Endpoint
from dexmm.chain.rpc.refusals import About, about, fits
from dexmm.errors import NodeError

anvil = pytest.mark.anvil

CHAIN = ("eth_chainId", [])
LIMIT = 3


def failing(code: int, message: str, number: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


TOO_LARGE: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "one error": lambda asked: failing(-32007, "batch limit exceeded"),
    "an error of the first": lambda asked: failing(
        31, "Batch of more than 3 requests are not allowed on free tier", asked[0]["id"]
    ),
    "a list of one error": lambda asked: [
        failing(-32600, 'Too many ["eth_call"] methods in the batch')
    ],
    "a code without words": lambda asked: failing(-32005, ""),
    "an error as text": lambda asked: {"jsonrpc": "2.0", "id": None, "error": "batch too large"},
    "each its error": lambda asked: [failing(-32005, "limit exceeded", a["id"]) for a in asked],
    "cut short": lambda asked: [{"jsonrpc": "2.0", "id": asked[0]["id"], "result": "0x1"}],
    "no words at all": lambda asked: None,
    "no JSON": lambda asked: b"<html>",
}


def limited(habit: Callable[[list[dict[str, Any]]], Any]) -> Any:
    def answer(payload: Any, forward: Any) -> Any:
        if isinstance(payload, list) and len(payload) > LIMIT:
            return habit(payload)
        return forward(payload)

    return answer


def largest(requests: list[list[str]]) -> int:
    return max(len(methods) for methods in requests)


@anvil
@pytest.mark.parametrize("words", TOO_LARGE)
def test_a_node_that_limits_batches_is_asked_in_smaller_ones(
    world: Any, proxy: Any, words: str
) -> None:
    plain = world.connect().observe()
    proxy.answer = limited(TOO_LARGE[words])
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    client.observe()
    proxy.requests.clear()
    assert client.observe() == plain
    assert largest(proxy.requests) <= LIMIT, "the size is remembered"


@anvil
@pytest.mark.parametrize("status", [400, 402, 403, 413, 422, 500])
def test_the_same_said_by_an_http_status(world: Any, proxy: Any, status: int) -> None:
    plain = world.connect().observe()
    words = b"payload too large" if status == 413 else json.dumps(failing(31, "batch: 3")).encode()
    proxy.answer = limited(lambda asked: words)
    proxy.reply = lambda reply: replace(reply, status=status) if reply.body == words else reply
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    proxy.requests.clear()
    assert client.observe() == plain
    assert largest(proxy.requests) <= LIMIT


@anvil
def test_the_rest_of_a_batch_that_was_answered_in_part_is_asked_again(
    world: Any, proxy: Any
) -> None:
    plain = world.connect().observe()

    def answer(payload: Any, forward: Any) -> Any:
        if isinstance(payload, list) and len(payload) > LIMIT:
            rest = [failing(-32005, "batch limit exceeded", a["id"]) for a in payload[LIMIT:]]
            return forward(payload[:LIMIT]) + rest
        return forward(payload)

    proxy.answer = answer
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    proxy.requests.clear()
    assert client.observe() == plain
    assert largest(proxy.requests) == LIMIT


@anvil
def test_what_a_node_says_of_its_limit_is_believed(proxy: Any) -> None:
    proxy.answer = limited(TOO_LARGE["an error of the first"])
    rpc = Rpc([proxy.url])
    assert rpc.batch([CHAIN] * 9) == ["0x1"] * 9
    assert [len(methods) for methods in proxy.requests] == [9, 3, 3, 3]
    assert (rpc.whole(3), rpc.whole(4)) == (True, False)


def test_the_next_size_is_the_one_named_or_half() -> None:
    assert fits("Batch of more than 3 requests are not allowed", 9) == 3
    assert fits("batch of 9 exceeds the limit of 10", 9) == 4
    assert fits("", 9) == 4
    assert fits("", 2) == fits("no batches of 2", 2) == 1


@anvil
def test_a_split_snapshot_is_still_of_one_block(world: Any, proxy: Any) -> None:
    """The address is that of two machines: one of them is a block behind, every other time."""
    mainnet = world.mainnet
    proxy.answer = limited(TOO_LARGE["one error"])
    client = world.connect(url=proxy.url)
    client.observe()
    client.observe()
    mainnet.swap(zero_for_one=True, amount_in=10**18)
    head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
    plain = world.connect().observe()
    turns = 0

    def behind(payload: Any, forward: Any) -> Any:
        nonlocal turns
        turns += 1
        if turns % 2 or turns > 8:
            return forward(payload)
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            call["params"] = [hex(head - 1) if p == "latest" else p for p in call["params"]]
        answered = forward(payload)
        answers = answered if isinstance(answered, list) else [answered]
        for call, answer in zip(calls, answers, strict=True):
            if hex(head) in call["params"]:
                answer.pop("result", None)
                answer["error"] = {"code": -32000, "message": "header not found"}
        return answered

    proxy.answer = behind
    proxy.requests.clear()
    assert client.observe() == plain
    asked = [p for p in proxy.payloads if isinstance(p, list)][-1]
    assert any(hex(head) in call["params"] for call in asked), "reads are pinned to the block"


@anvil
def test_a_block_moved_on_between_the_parts_is_noticed(world: Any, proxy: Any) -> None:
    proxy.answer = limited(TOO_LARGE["one error"])
    client = world.connect(url=proxy.url)
    client.observe()
    moves = iter([True, True])

    def moving(payload: Any, forward: Any) -> Any:
        answered = forward(payload)
        methods = [c["method"] for c in (payload if isinstance(payload, list) else [payload])]
        if "eth_call" in methods and next(moves, False):
            world.mainnet.swap(zero_for_one=True, amount_in=10**17)
        return answered

    proxy.answer = moving
    assert client.observe() == world.connect().observe()


@anvil
def test_a_node_without_a_pending_block_is_asked_for_the_newest(world: Any, proxy: Any) -> None:
    plain = world.connect().observe()

    def answer(payload: Any, forward: Any) -> Any:
        answered = forward(payload)
        calls = payload if isinstance(payload, list) else [payload]
        answers = answered if isinstance(answered, list) else [answered]
        for call, one in zip(calls, answers, strict=True):
            if "pending" in call["params"]:
                one.pop("result", None)
                one["error"] = {"code": -32602, "message": "pending block is not available"}
        return answered

    proxy.answer = answer
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    proxy.requests.clear()
    assert client.observe() == plain
    assert len(proxy.requests) == 1, "it is remembered"
    assert world.deposit(client).status == "mined"


@anvil
@pytest.mark.parametrize("habit", ["ids as text", "reversed", "gzip", "behind in between"])
def test_odd_but_true_answers(world: Any, proxy: Any, habit: str) -> None:
    plain = world.connect().observe()
    asked = 0

    def answer(payload: Any, forward: Any) -> Any:
        nonlocal asked
        asked += 1
        answered = forward(payload)
        answers = answered if isinstance(answered, list) else [answered]
        calls = payload if isinstance(payload, list) else [payload]
        if habit == "ids as text":
            for one in answers:
                one["id"] = str(one["id"])
        if habit == "reversed" and isinstance(answered, list):
            answered.reverse()
        if habit == "behind in between" and asked % 2 == 0:
            for call, one in zip(calls, answers, strict=True):
                if call["method"] == "eth_call":
                    one.pop("result", None)
                    one["error"] = {"code": -32000, "message": "header not found"}
        return gzip.compress(json.dumps(answered).encode()) if habit == "gzip" else answered

    proxy.answer = answer
    if habit == "gzip":
        proxy.reply = lambda reply: replace(reply, headers=(("Content-Encoding", "gzip"),))
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    assert client.observe() == plain


@anvil
@pytest.mark.parametrize("code", ["-32000", -32000])
def test_a_quota_is_told_as_what_it_is(world: Any, proxy: Any, code: Any) -> None:
    client = world.connect(url=proxy.url)

    def refuse(answer: dict[str, Any]) -> dict[str, Any]:
        error = {"code": code, "message": "daily request limit reached"}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    proxy.rewrite("eth_call", refuse)
    with pytest.raises(RpcError, match=r"refused: daily request limit reached \(code -32000\)"):
        client.observe()


@anvil
def test_an_error_that_is_text_is_told_and_passes(proxy: Any) -> None:
    said = iter([True, False])

    def answer(payload: Any, forward: Any) -> Any:
        limited_now = next(said, True)
        error = {"jsonrpc": "2.0", "id": None, "error": "Too many requests"}
        return error if limited_now else forward(payload)

    proxy.answer = answer
    rpc = Rpc([proxy.url])
    assert rpc.call(*CHAIN) == "0x1"
    with pytest.raises(NodeError, match=f"{proxy.url} refused: Too many requests"):
        rpc.call(*CHAIN)


@anvil
def test_user_and_password_of_the_url_are_sent(proxy: Any) -> None:
    rpc = Rpc([proxy.url.replace("http://", "http://me:p%40ss%2Fword@")])
    assert rpc.call(*CHAIN) == "0x1"
    assert proxy.headers[-1]["Authorization"] == "Basic bWU6cEBzcy93b3Jk"  # me:p@ss/word
    assert "p%40ss" not in rpc.name + repr(rpc)


@anvil
def test_what_a_node_repeats_of_its_url_is_struck_out(proxy: Any) -> None:
    words = "project kEyOfMyAccount is out of quota"
    proxy.answer = lambda payload, forward: failing(-32000, words, payload["id"])
    with pytest.raises(RpcError) as caught:
        Rpc([proxy.url + "/v2/kEyOfMyAccount"]).call(*CHAIN)
    assert "project … is out of quota" in str(caught.value)
    proxy.answer = lambda payload, forward: failing(-32000, words)
    proxy.reply = lambda reply: replace(reply, status=403)
    with pytest.raises(NodeError, match=r"HTTP 403: project … is") as refused:
        Rpc([proxy.url + "/v2/kEyOfMyAccount"]).call(*CHAIN)
    assert "kEy" not in str(refused.value)


@anvil
@pytest.mark.parametrize("status", [200, 403])
def test_what_no_time_mends_is_told_with_what_does(proxy: Any, status: int) -> None:
    """A plan without the method, a key that is not let in: tried again, it would be the same."""
    proxy.answer = lambda payload, forward: failing(-32601, "not in your plan", payload["id"])
    proxy.reply = lambda reply: replace(reply, status=status)
    with pytest.raises(NodeError, match=r"name another node in network\.rpc_urls$") as refused:
        Rpc([proxy.url]).call(*CHAIN)
    assert "not in your plan" in refused.value.message
    proxy.answer = lambda payload, forward: failing(-32005, "limit exceeded", payload["id"])
    proxy.reply = lambda reply: replace(reply, status=200)
    with pytest.raises(NodeError, match="limit exceeded") as passing:
        Rpc([proxy.url]).call(*CHAIN)
    assert "another node" not in passing.value.message


@anvil
def test_a_revert_that_comes_with_an_http_status_is_a_revert(world: Any, proxy: Any) -> None:
    def answer(payload: Any, forward: Any) -> Any:
        return failing(3, "execution reverted", payload["id"])

    proxy.answer = answer
    proxy.reply = lambda reply: replace(reply, status=400)
    with pytest.raises(RpcError, match="the call reverted"):
        Rpc([proxy.url]).call("eth_call", [{}, "latest"])


REFUSALS: list[tuple[int, str, About]] = [
    (-32601, "the method eth_sendRawTransaction does not exist/is not available", About.UNABLE),
    (-32000, "eth_sendRawTransaction is not whitelisted for this API key", About.UNABLE),
    (-32600, "Archive requests require a paid plan", About.UNABLE),
    (-32005, "limit exceeded", About.BUSY),
    (-32016, "over rate limit", About.BUSY),
    (429, "Your app has exceeded its compute units per second capacity", About.BUSY),
    (-32000, "header not found", About.BEHIND),
    (-32000, "missing trie node 12ab (path 0a)", About.BEHIND),
    (-32001, "Block with such an ID is not found", About.BEHIND),
    (-32602, "too many arguments, want at most 2", About.QUESTION),
    (-32602, "pending block is not available", About.QUESTION),
    (-32000, "state override is not supported", About.QUESTION),
    (-32000, "insufficient funds for gas * price + value", About.QUESTION),
    (-32000, "exceeds block gas limit", About.QUESTION),
    (-32000, "nonce too low", About.QUESTION),
    (-32000, "replacement transaction underpriced", About.QUESTION),
    (-32005, "query returned more than 10000 results", About.QUESTION),
    (-32600, "You can make eth_getLogs requests with up to a 10 block range", About.QUESTION),
    (-32603, "Internal error", About.QUESTION),
    (-32007, "batch limit exceeded", About.BATCH),
    (31, "Batch of more than 3 requests are not allowed on free tier", About.BATCH),
]


@pytest.mark.parametrize(("code", "message", "kind"), REFUSALS)
def test_whom_a_refusal_is_about(code: int, message: str, kind: About) -> None:
    assert about(code, message) is kind


def test_a_size_that_may_have_been_an_accident_is_believed_the_second_time() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", 1)
    endpoint.learn(4, certain=False)
    assert endpoint.most is None
    endpoint.learn(4, certain=False)
    assert endpoint.most == 4
    endpoint.learn(2, certain=True)
    assert endpoint.most == 2
