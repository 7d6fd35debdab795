"""Several nodes behind one client: what is read, sent, lost and looked for when they differ."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from dexmm.chain.client import connect
from dexmm.chain.rpc.client import Rpc, RpcError
from dexmm.chain.send import tx_manager
from dexmm.errors import Halt, NodeError

pytestmark = pytest.mark.anvil

SEND = "eth_sendRawTransaction"
GETH = "Geth/v1.15.0"


def other_chain(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "result": "0x5"}


def says_geth(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "result": GETH}


@pytest.fixture
def second(proxy: Any, mainnet: Any) -> Iterator[Any]:
    other = type(proxy)(mainnet.anvil.url)
    yield other
    other.close()


def swallowing(proxy: Any) -> list[int]:
    """It takes what is sent to it and keeps nothing. Counts what it swallowed."""
    swallowed: list[int] = []

    def answer(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        if calls[0]["method"] != SEND:
            return forward(payload)
        swallowed.append(len(calls))
        answers = [{"jsonrpc": "2.0", "id": c["id"], "result": "0x" + "ab" * 32} for c in calls]
        return answers if isinstance(payload, list) else answers[0]

    proxy.answer = answer
    return swallowed


def test_a_transaction_goes_to_every_node(world: Any, proxy: Any, second: Any) -> None:
    client = world.connect(network={"rpc_urls": [proxy.url, second.url]})
    assert world.deposit(client).status == "mined"
    sent = [[m for m in node.requests if SEND in m] for node in (proxy, second)]
    assert sent[0] == sent[1]
    assert len(sent[0]) == 2  # the allowances in one request, the re-range in another


def test_with_a_relay_only_an_exit_is_shown_to_the_nodes(
    world: Any, proxy: Any, second: Any
) -> None:
    network = {"rpc_urls": [second.url, world.mainnet.anvil.url], "relay_url": proxy.url}
    client = world.connect(network=network)
    assert world.deposit(client).status == "mined"
    assert not [m for m in second.requests if SEND in m]
    proxy.rewrite(SEND, lambda a: {"jsonrpc": "2.0", "id": a["id"], "error": {"code": -32601}})
    proxy.drop = lambda methods: SEND in methods
    view = client.observe()
    step = world.rerange(removals=world.remove_all(view))
    assert client.send(step, world.verdict).status == "mined"
    assert [m for m in second.requests if SEND in m]


def test_a_relay_that_hangs_costs_an_exit_its_time_once(world: Any, proxy: Any) -> None:
    """It is not asked a second time with the same bytes, and the next exit hardly waits for it."""
    network = {"rpc_urls": [world.mainnet.anvil.url], "relay_url": proxy.url, "timeout_seconds": 2}
    depositor = world.connect()
    assert world.deposit(depositor).status == "mined"
    client = world.connect(network=network)
    released = threading.Event()
    proxy.drop = lambda methods: not released.wait(20)
    view = client.observe()
    step = world.rerange(removals=world.remove_all(view))
    assert client.send(step, world.verdict).status == "mined"
    assert [m for m in proxy.requests if SEND in m] == [[SEND]]
    relay = client._sender._pilot._broadcaster._relay
    assert relay.endpoints[0].silent
    assert relay.endpoints[0]._patience() == 1
    released.set()


def test_a_dead_second_node_does_not_hold_up_a_broadcast(
    world: Any, proxy: Any, mainnet: Any
) -> None:
    rpc = Rpc([mainnet.anvil.url, proxy.url], 30)
    proxy.drop = lambda methods: True
    delivery = rpc.send(["0x00"])
    assert isinstance(delivery.refusals[0], RpcError)
    assert rpc.name == mainnet.anvil.url


def test_what_every_node_has_lost_is_sent_again(
    world: Any, proxy: Any, second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes, while it is waited for."""
    monkeypatch.setattr(tx_manager, "RESEND_SECONDS", 0.2)
    client = world.connect(network={"rpc_urls": [proxy.url, second.url]})
    assert world.approve_all(client).status == "mined"
    swallowed = swallowing(proxy)

    def loses_once(payload: Any, forward: Any) -> Any:
        if swallowed and not isinstance(payload, list) and payload["method"] == SEND:
            second.answer = lambda later, on: on(later)
            return {"jsonrpc": "2.0", "id": payload["id"], "result": "0x" + "ab" * 32}
        return forward(payload)

    second.answer = loses_once
    swallowed.append(0)
    view = client.observe()
    outcome = client.send(world.rerange(mints=(world.mint(view, -20, 20),)), world.verdict)
    assert outcome.status == "mined"
    sent = [p["params"][0] for p in second.payloads if isinstance(p, dict) and p["method"] == SEND]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert len(world.intents.newest.attempts) == 1


def test_a_receipt_is_looked_for_at_every_node(
    world: Any, proxy: Any, second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tx_manager, "LONGEST_PAUSE", 0.02)
    client = world.connect(network={"rpc_urls": [proxy.url, second.url]})
    head = hex(client.observe().block.number)

    def stuck(payload: Any, forward: Any) -> Any:
        """It forwards what is sent, and never learns of a block after that."""
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            call["params"] = [head if p in ("latest", "pending") else p for p in call["params"]]
        answered = forward(payload)
        answers = answered if isinstance(answered, list) else [answered]
        for call, answer in zip(calls, answers, strict=True):
            if call["method"] in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
                answer["result"] = None
        return answered

    proxy.answer = stuck
    assert client.rpc.name == proxy.url
    assert world.approve_all(client).status == "mined"
    assert client.observe().wallet.nonce == 2, "a node behind what is known is passed over"
    assert client.rpc.name == second.url


def test_at_the_start_the_node_with_the_newest_block_is_chosen(
    world: Any, proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    anvil = world.mainnet.anvil
    anvil.mine(3)
    late = hex(int(anvil.rpc("eth_blockNumber"), 16) - 3)

    def answer(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            call["params"] = [late if p == "latest" else p for p in call["params"]]
        return forward(payload)

    proxy.answer = answer
    client = world.connect(network={"rpc_urls": [proxy.url, anvil.url]})
    assert client.rpc.name == anvil.url
    assert f"{proxy.url} is 3 blocks behind {anvil.url}" in caplog.text


def test_a_step_is_simulated_on_the_block_of_the_one_before_it(
    world: Any, proxy: Any, second: Any
) -> None:
    """The current node stops at a block: it shows neither the allowances nor their nonces."""
    anvil = world.mainnet.anvil
    client = world.connect(network={"rpc_urls": [proxy.url, second.url]})
    view = client.observe()
    late = hex(view.block.number)
    assert world.approve_all(client).status == "mined"

    def behind(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            call["params"] = [late if p in ("latest", "pending") else p for p in call["params"]]
        return forward(payload)

    proxy.answer = behind
    assert client.rpc.name == proxy.url
    step = world.rerange(mints=(world.mint(view, -20, 20),))
    assert client.send(step, world.verdict).status == "mined"
    assert client.rpc.name == second.url

    second.answer = behind
    with pytest.raises(NodeError, match=f"the newest is {view.block.number}$"):
        client.send(step, world.verdict)
    assert int(anvil.rpc("eth_blockNumber"), 16) > view.block.number


def mainnet_client(world: Any, folder: Path, urls: list[str], now: int, most: int) -> Any:
    keystore = folder / "key.json"
    keystore.write_text(json.dumps(Account.encrypt("0x" + "22" * 32, "pass", iterations=2)))
    keystore.chmod(0o600)
    config = world.config(
        network={"name": "mainnet", "rpc_urls": urls},
        wallet={"private_key": None, "keystore": keystore, "password": "pass"},
        guards={"max_block_age_seconds": most},
    )
    return connect(config, world.intents, lambda: now)


def test_a_node_that_falls_behind_the_clock_is_passed_over_before_the_turn_is_stale(
    world: Any, proxy: Any, second: Any, tmp_path: Path
) -> None:
    anvil = world.mainnet.anvil
    for node in (proxy, second):
        node.rewrite("web3_clientVersion", says_geth)
    before = int(anvil.rpc("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)
    urls = [proxy.url, second.url]
    client = mainnet_client(world, tmp_path, urls, before + 610, 120)
    late = hex(int(anvil.rpc("eth_blockNumber"), 16))
    anvil.mine(50, 12)

    def behind(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        for call in calls:
            call["params"] = [late if p in ("latest", "pending") else p for p in call["params"]]
        return forward(payload)

    proxy.answer = behind
    second.requests.clear()
    assert client.rpc.name == proxy.url
    assert client.observe().block.timestamp > before + 500
    assert client.rpc.name == second.url
    # on the usual path nobody else is asked
    proxy.requests.clear()
    second.requests.clear()
    client.observe()
    assert (len(proxy.requests), len(second.requests)) == (0, 1)


def test_a_node_of_another_chain_is_never_read_or_sent_to(
    world: Any, proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rewrite("eth_chainId", other_chain)
    client = world.connect(network={"rpc_urls": [proxy.url, world.mainnet.anvil.url]})
    assert world.deposit(client).status == "mined"
    asked = {method for methods in proxy.requests for method in methods}
    assert asked <= {"eth_chainId", "web3_clientVersion", "eth_getBlockByNumber"}
    assert f"{proxy.url} is turned away: the node is on chain 5" in caplog.text


def test_a_node_that_becomes_another_chain_is_turned_away(world: Any, proxy: Any) -> None:
    client = world.connect(network={"rpc_urls": [proxy.url, world.mainnet.anvil.url]})
    plain = client.observe()

    def moved(answer: dict[str, Any]) -> dict[str, Any]:
        """The lens tells its chain id in its fifth word after the flags."""
        raw = answer["result"][2:]
        at = raw.index(f"{1:064x}", 64 * 4)
        return {**answer, "result": "0x" + raw[:at] + f"{5:064x}" + raw[at + 64 :]}

    proxy.rewrite("eth_call", moved)
    assert client.observe() == plain
    assert client.rpc.name == world.mainnet.anvil.url
    assert "chain 5" in client.rpc.nodes()[0].endpoints[0].foreign


def test_all_of_another_chain_is_a_halt(world: Any, proxy: Any, second: Any) -> None:
    for node in (proxy, second):
        node.rewrite("eth_chainId", other_chain)
    with pytest.raises(Halt, match="chain 5"):
        world.connect(network={"rpc_urls": [proxy.url, second.url]})


def test_a_good_node_that_is_down_for_a_moment_is_no_reason_to_halt(
    world: Any, proxy: Any, second: Any
) -> None:
    """Although the other one listed is of another chain, and was named."""
    second.rewrite("eth_chainId", other_chain)
    client = world.connect(network={"rpc_urls": [proxy.url, second.url]})
    proxy.drop = lambda methods: True
    with pytest.raises(NodeError):
        client.observe()
    proxy.drop = lambda methods: False
    assert client.observe().wallet.address == world.owner


def test_what_comes_up_again_is_asked_who_it_is(world: Any, proxy: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{held.getsockname()[1]}"
    client = world.connect(network={"rpc_urls": [down, world.mainnet.anvil.url]})
    assert client.observe().wallet.address == world.owner
    assert not client.rpc.nodes()[0].endpoints[0].trusted


def test_a_provider_that_tells_nobody_what_it_runs(world: Any, proxy: Any, tmp_path: Path) -> None:
    """It is asked for what any Anvil knows: a copy of mainnet must not pass for mainnet."""

    def unknown(answer: dict[str, Any]) -> dict[str, Any]:
        error = {"code": -32601, "message": "method not found"}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    proxy.rewrite("web3_clientVersion", unknown)
    with pytest.raises(Halt, match="is Anvil, not mainnet"):
        mainnet_client(world, tmp_path, [proxy.url], 0, 120)
    only_mainnet = {"web3_clientVersion", "anvil_nodeInfo"}

    def silent(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        answered = forward(payload)
        answers = answered if isinstance(answered, list) else [answered]
        told = [
            unknown(a) if c["method"] in only_mainnet else a
            for c, a in zip(calls, answers, strict=True)
        ]
        return told if isinstance(payload, list) else told[0]

    proxy.answer = silent
    assert mainnet_client(world, tmp_path, [proxy.url], 0, 120).market.pool


@pytest.mark.parametrize("status", [403, 429])
def test_an_http_refusal_to_send_is_not_an_answer_for_all(
    world: Any, proxy: Any, status: int
) -> None:
    client = world.connect(network={"rpc_urls": [proxy.url, world.mainnet.anvil.url]})
    proxy.answer = lambda payload, forward: (
        b"no" if SEND in json.dumps(payload) else forward(payload)
    )
    proxy.reply = lambda reply: replace(reply, status=status) if reply.body == b"no" else reply
    assert world.approve_all(client).status == "mined"
