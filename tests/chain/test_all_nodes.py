"""Every configured node asked by itself: heads, whole looks, and the reasons of those that fail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from dexmm.chain.all_nodes import ask_nodes
from dexmm.chain.rpc.client import Rpc, RpcError

pytestmark = pytest.mark.anvil

BLOCK = ("eth_blockNumber", [])
SECRET = "/v2/kEyOfMyAccount"


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def other_chain(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "result": "0x5"}


def test_every_node_tells_its_head_or_why_not(world: Any, proxy: Any, closed_port: int) -> None:
    good = world.mainnet.anvil.url
    proxy.rewrite("eth_chainId", other_chain)
    dead = f"http://127.0.0.1:{closed_port}"
    rpc = Rpc([dead + SECRET, proxy.url + SECRET, good])
    nodes = ask_nodes(rpc, world.config())
    [usable] = nodes.usable
    block = Rpc([good]).call("eth_getBlockByNumber", ["latest", False])
    assert usable.head.name == good
    assert usable.head.number == int(block["number"], 16)
    assert usable.head.timestamp == int(block["timestamp"], 16)
    assert usable.head.chain_id == 1
    assert [failure.name for failure in nodes.failures] == [dead, proxy.url]
    assert "cannot be reached" in nodes.failures[0].reason
    assert "on chain 5" in nodes.failures[1].reason
    assert "kEy" not in repr(nodes)


def test_one_node_is_asked_and_no_other(world: Any, proxy: Any) -> None:
    rpc = Rpc([world.mainnet.anvil.url, proxy.url])
    second = rpc.nodes()[1]
    assert second.call(*BLOCK) == rpc.call(*BLOCK)
    assert proxy.requests == [["eth_blockNumber"]]
    proxy.requests.clear()
    missing, number = second.batch([("eth_noSuchThing", []), BLOCK])
    assert isinstance(missing, RpcError)
    assert number == rpc.call(*BLOCK)
    assert len(proxy.requests) == 1
    # what is current for ordinary reads stays as it was, and the order stays the configured one
    assert rpc.name == world.mainnet.anvil.url
    rpc.turn_away()
    assert [node.name for node in rpc.nodes()] == [world.mainnet.anvil.url, proxy.url]


def test_a_whole_look_through_every_node(world: Any, proxy: Any, closed_port: int) -> None:
    good = world.mainnet.anvil.url
    urls = [good, proxy.url, f"http://127.0.0.1:{closed_port}"]
    client = world.connect(network={"rpc_urls": urls})
    world.deposit(client)
    plain = client.observe()
    views = client.observe_each()
    assert [seen.name for seen in views.seen] == [good, proxy.url]
    assert [seen.view.positions for seen in views.seen] == [plain.positions] * 2
    assert [seen.view.block for seen in views.seen] == [plain.block] * 2
    assert [failure.name for failure in views.failures] == urls[2:]
    assert client.rpc.name == good


def test_a_node_that_cannot_be_read_whole_is_a_failure(world: Any, proxy: Any) -> None:
    client = world.connect(network={"rpc_urls": [world.mainnet.anvil.url, proxy.url]})
    proxy.rewrite("eth_call", lambda answer: {**answer, "result": "0x" + "00" * 64})
    views = client.observe_each()
    assert [seen.name for seen in views.seen] == [world.mainnet.anvil.url]
    assert [failure.name for failure in views.failures] == [proxy.url]
