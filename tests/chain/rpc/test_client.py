"""The edge to nodes that are absent, slow, broken or lying, and what is said about them."""

from __future__ import annotations

import base64
import logging
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from config.forward_proxy import ForwardProxy

from dexmm.chain.rpc import parsing
from dexmm.chain.rpc.client import (
    FIRST_PAUSE,
    LONGEST_WAIT,
    Reverted,
    Rpc,
    RpcError,
    Unreached,
    expect,
)
from dexmm.chain.rpc.revert_reason import revert_reason
from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.pools import POSITION_MANAGER

anvil = pytest.mark.anvil
SECRET = "/v2/kEyOfMyAccount?token=hush"
BLOCK = ("eth_blockNumber", [])
CHAIN = ("eth_chainId", [])


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@anvil
def test_a_batch_is_one_request_in_order(proxy: Any) -> None:
    rpc = Rpc([proxy.url])
    proxy.answer = lambda payload, forward: forward(payload)[::-1]
    answers = rpc.batch([BLOCK, CHAIN, BLOCK])
    assert answers[1] == "0x1"
    assert answers[0] == answers[2]
    assert proxy.requests == [["eth_blockNumber", "eth_chainId", "eth_blockNumber"]]


@anvil
def test_a_refused_call_stands_in_its_place(proxy: Any) -> None:
    missing, chain = Rpc([proxy.url]).batch([("eth_noSuchThing", []), CHAIN])
    assert isinstance(missing, RpcError)
    assert missing.code == -32601
    assert chain == "0x1"
    with pytest.raises(RpcError):
        expect(missing)


@anvil
def test_a_revert_tells_its_reason(mainnet: Any) -> None:
    rpc = Rpc([mainnet.anvil.url])
    data = "0x" + encode_call("positions(uint256)", 10**9).hex()
    with pytest.raises(Reverted, match="Invalid token ID") as caught:
        rpc.call("eth_call", [{"to": POSITION_MANAGER, "data": data}, "latest"])
    assert caught.value.reason == "Invalid token ID"
    assert caught.value.code == 3
    assert caught.value.data[:4].hex() == "08c379a0"


def test_reasons_of_every_kind() -> None:
    assert revert_reason(b"") == "no reason given"
    panic = bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")
    assert revert_reason(panic) == "arithmetic overflow or underflow"
    assert revert_reason(bytes.fromhex("deadbeef") + bytes(64)) == "custom error 0xdeadbeef"
    whatever = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (9**9).to_bytes(32, "big")
    assert revert_reason(whatever + b"a\x1b[2Jb") == "a?[2Jb"
    assert revert_reason(bytes.fromhex("08c379a0") + b"\xff" * 40) == "no reason given"


@anvil
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad gateway</html>",
        b"",
        b"null",
        b"[]",
        b"7",
        b'{"jsonrpc":"2.0","id":987654,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
        b'[{"jsonrpc":"2.0","id":1,"result":"0x1"}]',
        b"\xff\xfe",
    ],
)
def test_nonsense_is_a_node_error(proxy: Any, body: bytes) -> None:
    proxy.answer = lambda payload, forward: body
    rpc = Rpc([proxy.url + SECRET])
    for calls in ([BLOCK], [BLOCK, CHAIN]):
        with pytest.raises(NodeError) as caught:
            rpc.batch(calls)
        assert not isinstance(caught.value, RpcError)
        assert "kEy" not in str(caught.value)
        assert proxy.url in str(caught.value)


@anvil
def test_a_batch_with_missing_doubled_or_foreign_answers_is_refused(proxy: Any) -> None:
    rpc = Rpc([proxy.url])
    for twist in (
        lambda answers: answers[:1],
        lambda answers: [answers[0], answers[0]],
        lambda answers: [answers[0], {**answers[1], "id": 10**6}],
        lambda answers: [answers[0], {**answers[1], "id": None}],
        lambda answers: [answers[0], "text"],
    ):
        proxy.answer = lambda payload, forward, twist=twist: twist(forward(payload))
        with pytest.raises(NodeError):
            rpc.batch([BLOCK, CHAIN])


@anvil
@pytest.mark.parametrize("status", [301, 401, 429, 500, 503])
def test_http_errors_name_the_host_alone(proxy: Any, status: int) -> None:
    proxy.reply = lambda reply: replace(reply, status=status)
    host = proxy.url.replace("http://", "http://user:pa55@") + SECRET
    with pytest.raises(NodeError, match=f"{proxy.url} answered HTTP {status}") as caught:
        Rpc([host]).call(*BLOCK)
    assert "pa55" not in repr(caught.value.facts) + str(caught.value)


@anvil
def test_a_truncated_answer_is_a_node_error(proxy: Any) -> None:
    proxy.reply = lambda reply: replace(reply, claimed=len(reply.body) + 10)
    with pytest.raises(NodeError, match="broke off"):
        Rpc([proxy.url]).call(*BLOCK)


@anvil
def test_a_dropped_connection_is_not_called_unreached(proxy: Any) -> None:
    """The request may have been delivered, which matters when it was a transaction."""
    proxy.drop = lambda methods: True
    with pytest.raises(NodeError) as caught:
        Rpc([proxy.url]).send(["0x00"])
    assert not isinstance(caught.value, Unreached)


def test_a_closed_port_is_unreached(closed_port: int) -> None:
    with pytest.raises(Unreached, match=f"127.0.0.1:{closed_port} cannot be reached") as caught:
        Rpc([f"http://127.0.0.1:{closed_port}{SECRET}"]).call(*BLOCK)
    assert "kEy" not in str(caught.value)


def test_a_name_that_does_not_exist_is_unreached() -> None:
    with pytest.raises(NodeError, match="cannot be reached"):
        Rpc(["http://no-such-host.invalid/secret"], 2).send(["0x00"])


@anvil
@pytest.mark.parametrize("trickle", [False, True])
def test_a_slow_node_is_left_at_the_deadline(proxy: Any, trickle: bool) -> None:
    if trickle:  # each byte comes in time, the answer never does
        proxy.reply = lambda reply: replace(reply, trickle_seconds=0.1)
    else:
        proxy.delay_seconds = 2.0
    started = time.monotonic()
    with pytest.raises(NodeError, match=r"did not answer within 0\.5 seconds"):
        Rpc([proxy.url], 0.5).send(["0x00"])
    assert time.monotonic() - started < 1.5


@anvil
def test_the_next_url_answers_and_stays_current(proxy: Any, closed_port: int) -> None:
    rpc = Rpc([f"http://127.0.0.1:{closed_port}", proxy.url])
    assert rpc.call(*CHAIN) == "0x1"
    assert rpc.name == proxy.url
    assert rpc.alternatives == 1


@anvil
def test_reads_are_retried_and_sends_are_not(proxy: Any) -> None:
    rpc = Rpc([proxy.url])
    failures = iter([True, True, False])
    proxy.drop = lambda methods: next(failures)
    assert rpc.call(*CHAIN) == "0x1"
    assert len(proxy.requests) == 3
    proxy.requests.clear()
    proxy.drop = lambda methods: True
    with pytest.raises(NodeError):
        rpc.send(["0x00"])
    assert len(proxy.requests) == 1


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between rounds, which take no time."""
    slept: list[float] = []
    monkeypatch.setattr("dexmm.chain.rpc.client.time", SimpleNamespace(sleep=slept.append))
    return slept


@anvil
@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("1", 1.0),
        ("3", 3.0),
        ("3600", LONGEST_WAIT),
        ("Wed, 21 Oct 2099 07:28:00 GMT", LONGEST_WAIT),
        ("Wed, 21 Oct 2015 07:28:00 GMT", FIRST_PAUSE),
        ("0", FIRST_PAUSE),
        ("soon", FIRST_PAUSE),
    ],
)
def test_a_node_is_given_the_pause_that_it_asks_for_within_bounds(
    proxy: Any, pauses: list[float], header: str, first: float
) -> None:
    replies = iter([429])
    proxy.reply = lambda reply: replace(
        reply, status=next(replies, 200), headers=(("Retry-After", header),)
    )
    assert Rpc([proxy.url]).call("eth_chainId") == "0x1"
    assert pauses == [first]


@anvil
def test_nobody_waits_for_one_node_while_another_answers(
    proxy: Any, mainnet: Any, closed_port: int, pauses: list[float]
) -> None:
    proxy.reply = lambda reply: replace(reply, status=429, headers=(("Retry-After", "3"),))
    rpc = Rpc([proxy.url, mainnet.anvil.url])
    assert rpc.call("eth_chainId") == "0x1"
    assert pauses == []
    with pytest.raises(NodeError, match="HTTP 429"):
        Rpc([proxy.url, f"http://127.0.0.1:{closed_port}"]).call("eth_chainId")
    assert pauses == [3.0, 3.0]  # a node that is not there asks for nothing


@anvil
def test_a_send_falls_back_and_says_that_it_is_not_certain(proxy: Any, mainnet: Any) -> None:
    proxy.drop = lambda methods: True
    delivery = Rpc([proxy.url, mainnet.anvil.url]).send(["0x00"])
    assert delivery.refusals[0] is not None
    assert not delivery.certain


@anvil
def test_a_node_without_batches_is_asked_one_by_one(proxy: Any) -> None:
    def answer(payload: Any, forward: Any) -> Any:
        if isinstance(payload, list):
            error = {"code": -32600, "message": "batches are not supported"}
            return {"jsonrpc": "2.0", "id": None, "error": error}
        return forward(payload)

    proxy.answer = answer
    rpc = Rpc([proxy.url])
    assert rpc.batch([CHAIN, CHAIN]) == ["0x1", "0x1"]
    proxy.requests.clear()
    rpc.batch([CHAIN, CHAIN])
    assert proxy.requests == [["eth_chainId"], ["eth_chainId"]]


@anvil
def test_a_rate_limited_batch_goes_to_the_next_node(proxy: Any, mainnet: Any) -> None:
    error = {"code": -32005, "message": "limit exceeded"}
    proxy.answer = lambda payload, forward: {"jsonrpc": "2.0", "id": None, "error": error}
    rpc = Rpc([proxy.url, mainnet.anvil.url])
    assert rpc.batch([CHAIN, CHAIN]) == ["0x1", "0x1"]
    assert len(proxy.requests) == 1


@anvil
@pytest.mark.parametrize("nested", [False, True])
def test_reverts_as_other_nodes_word_them(proxy: Any, nested: bool) -> None:
    text = "08c379a0" + f"{32:064x}{2:064x}" + b"AS".hex().ljust(64, "0")
    data: Any = {"data": "0x" + text} if nested else "Reverted 0x" + text
    error = {"code": -32015, "message": "VM execution error.", "data": data}
    proxy.answer = lambda payload, forward: {"jsonrpc": "2.0", "id": payload["id"], "error": error}
    with pytest.raises(Reverted, match="reverted: AS"):
        Rpc([proxy.url]).call("eth_call", [{}, "latest"])


@anvil
def test_debug_logs_hold_no_url(proxy: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Rpc([proxy.url + SECRET]).batch([BLOCK, CHAIN])
    assert "kEy" not in caplog.text


def test_nothing_secret_in_reprs() -> None:
    rpc = Rpc(["https://me:pa55@node.example:8545" + SECRET])
    shown = repr(rpc) + rpc.name + repr(rpc._endpoints) + str(rpc._endpoints[0])
    assert "https://node.example:8545" in shown
    assert not any(secret in shown for secret in ("pa55", "kEy", "hush", "me:"))


@pytest.mark.parametrize(
    "url", ["ws://x", "node.example", "", "http://", "http://x:99999", "http://x:y"]
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(BadInput, match="rpc_urls"):
        Rpc([url])


def test_no_urls_at_all() -> None:
    with pytest.raises(BadInput, match="rpc_urls"):
        Rpc([])


@pytest.mark.parametrize(
    "value", [None, 5, "5", "0x", "0x01", "0xg", "-0x1", "0x" + "f" * 65, True, ["0x1"]]
)
def test_quantities_are_strict(value: object) -> None:
    with pytest.raises(NodeError):
        parsing.quantity(value, "a test")


def test_quantities_and_data() -> None:
    assert parsing.quantity("0x0", "a test") == 0
    assert parsing.quantity("0x" + "f" * 64, "a test") == 2**256 - 1
    assert parsing.data("0x00ff", "a test") == b"\0\xff"
    for bad in ("0x0", "00", None, "0xzz"):
        with pytest.raises(NodeError):
            parsing.data(bad, "a test")
    for bad in ("0x12", None, "0x" + "0" * 63):
        with pytest.raises(NodeError):
            parsing.hash32(bad, "a test")


# Proxies


@anvil
def test_the_setting_proxies_a_node_that_only_the_proxy_can_find(mainnet: Any) -> None:
    with ForwardProxy(mainnet.anvil.url) as proxy:
        assert Rpc(["http://node.invalid"], 10, proxy.url).call(*CHAIN) == "0x1"
    assert proxy.asked == ["http://node.invalid/"]


@anvil
def test_the_environments_proxy_is_used_unless_the_setting_says_direct(
    mainnet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ForwardProxy(mainnet.anvil.url) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert Rpc(["http://node.invalid"]).call(*CHAIN) == "0x1"
        with pytest.raises(NodeError):
            Rpc(["http://node.invalid"], 2, "direct").send(["0x00"])
    assert len(proxy.asked) == 1


def test_a_socks_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:hush@127.0.0.1:1080")
    with pytest.raises(BadInput, match="SOCKS"):
        Rpc(["https://node.example"])
    Rpc(["http://127.0.0.1:8545"])  # needs none


@anvil
def test_a_node_that_was_silent_is_waited_for_shortly_until_it_answers(
    proxy: Any, mainnet: Any
) -> None:
    rpc = Rpc([proxy.url, mainnet.anvil.url], 1.5)
    silent, good = rpc.endpoints
    proxy.delay_seconds = 4
    assert rpc.call("eth_chainId") == "0x1"
    assert silent.silent
    assert silent._patience() == 1
    assert good._patience() == 1.5
    assert rpc.name == mainnet.anvil.url
    with pytest.raises(NodeError, match=r"did not answer within 1 seconds, nor within 1.5 before"):
        rpc.nodes()[0].call("eth_chainId")
    proxy.delay_seconds = 0
    assert rpc.nodes()[0].call("eth_chainId") == "0x1"
    assert not silent.silent
    assert silent._patience() == 1.5


@anvil
def test_where_no_other_node_answers_a_silent_one_keeps_its_whole_time(
    proxy: Any, mainnet: Any
) -> None:
    alone = Rpc([proxy.url], 0.5)
    proxy.delay_seconds = 1
    with pytest.raises(NodeError, match="did not answer"):
        alone.call("eth_chainId")
    assert len(proxy.requests) == 2, "its connection may have died, and no more often than that"
    assert alone.endpoints[0]._patience() == 0.5
    several = Rpc([proxy.url, proxy.url], 1.5)
    for endpoint in several.endpoints:
        endpoint._fell_silent()
    assert several.endpoints[0]._patience() == 1.5


@anvil
def test_asking_who_a_node_is_does_not_multiply_the_tries(proxy: Any) -> None:
    proxy.delay_seconds = 0.5
    rpc = Rpc([proxy.url], 0.2)
    rpc.require(lambda node: expect(node.call(*CHAIN)))
    with pytest.raises(NodeError, match="did not answer"):
        rpc.call(*BLOCK)
    assert proxy.requests == [["eth_chainId"]] * 2


@anvil
@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ("", "/v2/aBcDeFgHiJkL", "/v2/aBcDeFgHiJkL"),
        ("", "/?apikey=aBcDeF%2Fg%23h&x=1", "/?apikey=aBcDeF%2Fg%23h&x=1"),
        ("me:pa%40ss%3A55", "/rpc", "/rpc"),
        ("aBcDeFgHiJkL", "", "/"),
    ],
)
def test_a_url_s_key_is_sent_as_it_is_written(
    proxy: Any, before: str, after: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the path, in the query, or before the host, where it is basic authentication."""
    paths: list[str] = []
    handler = proxy._server.RequestHandlerClass
    answer = handler.do_POST

    def noting(self: Any) -> None:
        paths.append(self.path)
        answer(self)

    monkeypatch.setattr(handler, "do_POST", noting)
    host = proxy.url.replace("http://", f"http://{before}@") if before else proxy.url
    rpc = Rpc([host + after])
    assert rpc.call("eth_chainId") == "0x1"
    assert paths == [sent]
    user, _, password = unquote(before).partition(":")
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if before:
        assert proxy.headers[-1]["Authorization"] == expected
    assert repr(rpc) == f"Rpc({proxy.url})"
