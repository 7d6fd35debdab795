"""A node that leaves out logs without a word is found out, and what it left out is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fetch.fetch_loopback import node_double, range_of
from fetch.fetch_scene import BRIEF, Scene, a_scene, nothing_said, stored
from hypothesis import given
from hypothesis import strategies as st

from dexmm.errors import NodeError
from dexmm.fetch.pool.log_limit import FEWEST, ROUND, LogLimit
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_logs import SwapsAsked, fetch_swaps
from dexmm.fetch.pool.resumable_parts import folder_of
from dexmm.sandbox.node.deploy import Deployment

anvil = pytest.mark.anvil
Forward = Callable[[Any], Any]


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    with a_scene(mainnet, tmp_path) as made:
        yield made


@pytest.fixture
def busy(scene: Scene) -> Scene:
    """With more than a hundred swaps in its pool, several in a block."""
    mainnet = scene.mainnet
    for number in range(120):
        down = number % 2 == 0
        mainnet.swap(zero_for_one=down, amount_in=10**16 if down else 4 * 10**7)
    scene.head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
    scene.asked = SwapsAsked(
        pool=mainnet.pool, from_block=0, to_block=scene.head, output=scene.output, confirmations=0
    )
    return scene


@given(st.integers(FEWEST, 200_000))
def test_round_counts_are_doubted_and_others_only_when_they_come_again(logs: int) -> None:
    limit = LogLimit()
    round_count = logs % ROUND == 0 or logs.bit_count() == 1
    assert limit.doubts(logs, "these") is round_count
    assert limit.doubts(logs, "these") is round_count  # the same question
    assert limit.doubts(logs, "those")  # as long as the longest
    assert not limit.reached(logs)
    limit.learn(logs)
    assert limit.reached(logs)
    assert not limit.reached(logs - 1)


@pytest.mark.parametrize(
    "logs", [50, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 64, 1_024, 4_096]
)
def test_every_limit_that_providers_have_is_doubted(logs: int) -> None:
    assert LogLimit().doubts(logs, "these")


def test_a_few_logs_are_never_doubted() -> None:
    limit = LogLimit()
    assert not any(
        limit.doubts(n, at) for at, n in enumerate((0, 1, 2, 4, 8, FEWEST - 1, FEWEST - 1))
    )


@anvil
@pytest.mark.parametrize("newest", [False, True])
def test_a_hundred_logs_are_not_every_block(busy: Scene, newest: bool) -> None:
    wanted = busy.receipts()
    assert len(wanted) > 120
    busy.node.cuts(100, newest=newest)
    fetched = busy.fetch()
    assert stored(busy.output) == wanted
    assert fetched.held
    busy.node.asked.clear()
    busy.output.unlink()
    node = Node([busy.node.url])
    fetch_swaps(node, busy.asked, nothing_said, BRIEF)
    assert node.most_logs == 100  # and remembered: no answer of a hundred is asked about twice
    assert len(busy.node.asked) == node.requests <= 7


@anvil
@pytest.mark.parametrize("cut", [37, 83])
def test_a_limit_that_is_not_round_shows_in_the_pools_own_state(busy: Scene, cut: int) -> None:
    wanted = busy.receipts()
    busy.node.cuts(cut)
    assert busy.fetch().held
    assert stored(busy.output) == wanted


@anvil
def test_ranges_that_are_cut_without_a_word_are_asked_for_in_smaller_ones(busy: Scene) -> None:
    def answer(payload: Any, forward: Forward) -> Any:
        asked = range_of(payload)
        answered = forward(payload)
        if asked:
            last = asked[0] + 60
            answered["result"] = [
                log for log in answered["result"] if int(log["blockNumber"], 16) < last
            ]
        return answered

    wanted = busy.receipts()
    busy.node.answer = answer
    assert busy.fetch().held
    assert stored(busy.output) == wanted


@anvil
@pytest.mark.parametrize("check_prices", [False, True])
def test_what_refetching_does_not_mend_is_refused(busy: Scene, check_prices: bool) -> None:
    """The last swaps are not among the logs, however small the range is."""
    last = busy.head - 5
    busy.node.rewrites(
        lambda answer: {
            **answer,
            "result": [g for g in answer["result"] if int(g["blockNumber"], 16) < last],
        }
    )
    with pytest.raises(NodeError) as caught:
        busy.fetch(check_prices=check_prices)
    assert caught.value.exit_code == 5
    said = caught.value.message
    assert busy.node.url in said
    assert "left out logs of blocks" in said
    assert f"after block {busy.head} the pool's square-root price is" in said
    assert not busy.output.exists()
    busy.node.rewrites(lambda answer: answer)
    assert busy.fetch().rows == len(busy.receipts())
    assert not folder_of(busy.output).exists()


@anvil
def test_the_next_node_is_asked_for_what_the_first_left_out(busy: Scene) -> None:
    wanted = busy.receipts()
    busy.node.cuts(0)
    with node_double(busy.mainnet.anvil.url) as good:
        node = Node([busy.node.url, good.url])
        assert fetch_swaps(node, busy.asked, nothing_said, BRIEF).held
        assert good.asked
    assert stored(busy.output) == wanted
    assert len(busy.node.asked) == 1


@anvil
def test_a_node_without_old_state_still_serves_and_that_is_told(busy: Scene) -> None:
    def answer(payload: Any, forward: Forward) -> Any:
        if not isinstance(payload, list):
            return forward(payload)
        answered = forward(payload)
        gone = {"code": -32000, "message": "missing trie node 0ab (path ) state is not available"}
        return [
            {"jsonrpc": "2.0", "id": one["id"], "error": gone}
            if one["method"] == "eth_call" and one["params"][1] != "latest"
            else each
            for one, each in zip(payload, answered, strict=True)
        ]

    busy.node.answer = answer
    fetched = busy.fetch()
    assert not fetched.held
    assert stored(busy.output) == busy.receipts()


@anvil
def test_a_round_number_of_logs_that_is_right_costs_two_more_questions(busy: Scene) -> None:
    wanted = busy.receipts()
    fifty = wanted[-50]
    first = fifty["block_number"]
    assert sum(row["block_number"] >= first for row in wanted) == 50
    node = Node([busy.node.url])
    asked = SwapsAsked(
        pool=busy.mainnet.pool,
        from_block=first,
        to_block=busy.head,
        output=busy.output,
        confirmations=0,
    )
    assert fetch_swaps(node, asked, nothing_said, BRIEF).rows == 50
    assert node.requests == 3
    assert stored(busy.output) == wanted[-50:]
