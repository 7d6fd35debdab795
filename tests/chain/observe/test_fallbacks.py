"""Nodes that refuse overrides, or deployless calls as well, or batches: the same snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dexmm.errors import NodeError
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.units import sqrt_from_price

pytestmark = pytest.mark.anvil


def refusing(refused: Callable[[dict[str, Any]], bool], silently: bool) -> Any:
    """A node that refuses some ``eth_call``s, or runs them as if nothing were there to run."""

    def answer(payload: Any, forward: Any) -> Any:
        calls = payload if isinstance(payload, list) else [payload]
        answered = forward(payload)
        answers = answered if isinstance(answered, list) else [answered]
        by_id = {each["id"]: each for each in answers}
        for call in calls:
            if call["method"] == "eth_call" and refused(call):
                error = {"code": -32602, "message": "too many arguments, want at most 2"}
                head = {"jsonrpc": "2.0", "id": call["id"]}
                by_id[call["id"]] = {**head, **({"result": "0x"} if silently else {"error": error})}
        final = [by_id[call["id"]] for call in calls]
        return final if isinstance(payload, list) else final[0]

    return answer


def has_override(call: dict[str, Any]) -> bool:
    return len(call["params"]) > 2


def is_lens(call: dict[str, Any]) -> bool:
    return has_override(call) or "to" not in call["params"][0]


def is_any(call: dict[str, Any]) -> bool:
    return True


def stage(world: Any) -> None:
    """Own positions, one of them with fees and one out of range, and a foreign one."""
    mainnet, owner = world.mainnet, world.owner
    mainnet.mint_position(owner, -193_500, -193_200, 10**17, 10**9)
    mainnet.mint_position(owner, -193_500, -193_200, 10**16, 10**8)
    mainnet.mint_position(owner, -194_500, -194_200, 10**17, 10**9)
    price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    other = mainnet.create_pool(mainnet.token0, mainnet.token1, 3000, price)
    mainnet.mint_position(owner, -193_440, -193_320, 10**17, 10**9, pool=other)
    for _ in range(3):
        mainnet.swap(zero_for_one=True, amount_in=10**18)
        mainnet.swap(zero_for_one=False, amount_in=3 * 10**9)
        mainnet.anvil.mine(1, 100)


@pytest.mark.parametrize("refused", [has_override, is_lens])
@pytest.mark.parametrize("silently", [False, True])
def test_the_fallbacks_see_the_same(
    world: Any, proxy: Any, refused: Callable[..., bool], silently: bool
) -> None:
    stage(world)
    plain = world.connect().observe()
    assert len(plain.positions) == 3
    proxy.answer = refusing(refused, silently)
    client = world.connect(url=proxy.url)
    assert client.observe() == plain
    proxy.requests.clear()
    assert client.observe() == plain
    assert len(proxy.requests) == 1, "once the form is known, a snapshot is one request again"


def test_multicall_notices_what_changed(world: Any, proxy: Any) -> None:
    """A new NFT, one that is gone, one exchanged for another, and an oracle that moved on."""
    mainnet, owner = world.mainnet, world.owner
    stage(world)
    proxy.answer = refusing(is_lens, silently=False)
    client, plain = world.connect(url=proxy.url), world.connect()
    assert client.observe() == plain.observe()
    minted = mainnet.mint_position(owner, -193_600, -193_100, 10**17, 10**9)
    assert minted in {p.token_id for p in client.observe().positions}
    friend = "0x" + "7" * 40
    transfer = "transferFrom(address,address,uint256)"
    data = encode_call(transfer, owner, friend, minted)
    mainnet.anvil.send_as(owner, POSITION_MANAGER, data)
    assert client.observe() == plain.observe()
    # one out and one in: the count is the same
    other = mainnet.mint_position(friend, -193_700, -193_000, 10**17, 10**9)
    back = client.observe().positions[0].token_id
    data = encode_call(transfer, owner, friend, back)
    mainnet.anvil.send_as(owner, POSITION_MANAGER, data)
    mainnet.anvil.set_balance(friend, 10**18)
    mainnet.anvil.send_as(friend, POSITION_MANAGER, encode_call(transfer, friend, owner, other))
    seen = client.observe()
    assert other in {p.token_id for p in seen.positions}
    assert back not in {p.token_id for p in seen.positions}
    mainnet.swap(zero_for_one=True, amount_in=10**18)
    assert client.observe() == plain.observe()


def test_multicall_without_enough_history(world: Any, proxy: Any) -> None:
    proxy.answer = refusing(is_lens, silently=False)
    view = world.connect(url=proxy.url, guards={"twap_seconds": 86_400}).observe()
    assert view.pool.mean_tick is None


def test_a_node_that_runs_nothing_at_all(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    proxy.answer = refusing(is_any, silently=True)
    with pytest.raises(NodeError):
        client.observe()
    proxy.answer = lambda payload, forward: forward(payload)
    assert client.observe() == world.connect().observe()


def test_a_node_without_batches_still_shows_one_block(world: Any, proxy: Any) -> None:
    def answer(payload: Any, forward: Any) -> Any:
        if isinstance(payload, list):
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}}
        return forward(payload)

    proxy.answer = answer
    stage(world)
    assert world.connect(url=proxy.url).observe() == world.connect().observe()


def test_the_second_node_answers_when_the_first_lies(world: Any, proxy: Any) -> None:
    urls = {"rpc_urls": [proxy.url, world.mainnet.anvil.url]}
    client = world.connect(network=urls)
    assert client.rpc.name == proxy.url
    proxy.rewrite("eth_call", lambda answer: {**answer, "result": "0x" + "00" * 64})
    assert client.observe().wallet.address == world.owner
    assert client.rpc.name == world.mainnet.anvil.url


def test_reading_alone_needs_no_key_and_changes_nothing(world: Any) -> None:
    trader = world.connect()
    world.deposit(trader)
    saved = len(world.intents.log)
    wallet = {"private_key": None, "address": world.owner}
    reader = world.connect(read_only=True, wallet=wallet)
    world.mainnet.anvil.mine(5)  # every intent would become final
    view = reader.observe()
    step = world.rerange(removals=world.remove_all(view))
    outcome = reader.send(step, world.verdict)
    assert (outcome.status, outcome.refusal.rule) == ("refused", "read_only")
    assert world.simulations[-1].collected1 > 3_900 * 10**6
    assert len(world.intents.log) == saved


def test_a_truncated_snapshot_is_refused(world: Any, proxy: Any) -> None:
    client = world.connect(url=proxy.url)
    proxy.reply = lambda reply: replace(reply, claimed=len(reply.body) + 1)
    with pytest.raises(NodeError):
        client.observe()

    def shorter(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": answer["result"][: 64 * 40 + 2]}

    proxy.reply = lambda reply: reply
    proxy.rewrite("eth_call", shorter)
    with pytest.raises(NodeError):
        client.observe()
