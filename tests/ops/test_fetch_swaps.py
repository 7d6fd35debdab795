"""A pool's events from a real node over HTTP: whole, resumable, and equal to the receipts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eth_abi.abi import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.fetch_loopback import NodeDouble, node_double, range_of

from dexmm.errors import BadInput, Busy, NodeError, Transient
from dexmm.ops.fetch_continuity import Continuity, rows_of
from dexmm.ops.fetch_events import EVENTS, SCHEMA, Word
from dexmm.ops.fetch_node import Node
from dexmm.ops.fetch_parts import Parts, Span, Wanted, folder_of
from dexmm.ops.fetch_range import Patience
from dexmm.ops.fetch_stride import MOST, Stride
from dexmm.ops.fetch_swaps import SwapsAsked, SwapsFetched, fetch_swaps
from dexmm.sandbox.calls import encode_call
from dexmm.sandbox.mainnet import Deployment, account
from dexmm.sandbox.pools import POSITION_MANAGER

anvil = pytest.mark.anvil
BRIEF = Patience(attempts=3, first=0.001, longest=0.01)


def nothing_said(done: int, total: int, rows: int) -> None:
    pass


class Scene:
    """A node double before the local mainnet, some life in its pool, and fetches of it."""

    def __init__(self, mainnet: Deployment, node: NodeDouble, folder: Path) -> None:
        self.mainnet, self.node, self.folder = mainnet, node, folder
        self.output = folder / "pool.parquet"
        self.head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
        self.asked = SwapsAsked(
            pool=mainnet.pool, from_block=0, to_block=self.head, output=self.output, confirmations=0
        )

    def fetch(
        self, watch: Callable[[int, int, int], None] = nothing_said, **other: Any
    ) -> SwapsFetched:
        return fetch_swaps(Node([self.node.url]), replace(self.asked, **other), watch, BRIEF)

    def receipts(self) -> list[dict[str, Any]]:
        """Every log of the pool as its transaction's receipt tells it, decoded by eth_abi."""
        rpc, rows = self.mainnet.anvil.rpc, []
        for number in range(self.head + 1):
            block = rpc("eth_getBlockByNumber", [hex(number), False])
            for tx_hash in block["transactions"]:
                logs = rpc("eth_getTransactionReceipt", [tx_hash])["logs"]
                rows += [by_the_book(log, block) for log in logs if self._is_ours(log)]
        return rows

    def _is_ours(self, log: dict[str, Any]) -> bool:
        ours = {event.topic for event in EVENTS}
        return log["address"].lower() == self.mainnet.pool.lower() and log["topics"][0] in ours


def by_the_book(log: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    event = next(event for event in EVENTS if event.topic == log["topics"][0])
    words = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"][1:])
    fields = event.indexed + event.data
    values = decode([kind.value for _, kind in fields], words + bytes.fromhex(log["data"][2:]))
    named = {
        name: bytes.fromhex(value[2:]) if kind is Word.ADDRESS else value
        for (name, kind), value in zip(fields, values, strict=True)
    }
    return {
        **dict.fromkeys(SCHEMA.names),
        **named,
        "block_number": int(block["number"], 16),
        "block_timestamp": int(block["timestamp"], 16),
        "tx_hash": bytes.fromhex(log["transactionHash"][2:]),
        "log_index": int(log["logIndex"], 16),
        "kind": event.kind,
    }


def stored(path: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(path).to_pylist()
    return [{k: int(v) if hasattr(v, "scaleb") else v for k, v in row.items()} for row in rows]


def some_life(mainnet: Deployment) -> None:
    """Swaps both ways, one across ticks, one stopped at a price; then a position comes and goes."""
    for number in range(6):
        mainnet.swap(
            zero_for_one=number % 2 == 0, amount_in=10**17 if number % 2 == 0 else 5 * 10**8
        )
    mainnet.swap(zero_for_one=True, amount_in=30 * 10**18)
    mainnet.swap(zero_for_one=False, amount_in=1)
    owner = account("somebody")
    token_id = mainnet.mint_position(owner, -194000, -193000, 10**18, 4000 * 10**6)
    mainnet.swap(zero_for_one=False, amount_in=10**6)
    mainnet.swap(zero_for_one=False, amount_in=70_000 * 10**6)
    for call in (
        encode_call(
            "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))",
            (token_id, 10**12, 0, 0, 2**64 - 1),
        ),
        encode_call(
            "collect((uint256,address,uint128,uint128))",
            (token_id, owner, 2**128 - 1, 2**128 - 1),
        ),
    ):
        mainnet.anvil.send_as(owner, POSITION_MANAGER, call)
    mainnet.swap(zero_for_one=True, amount_in=10**17)


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    some_life(mainnet)
    with node_double(mainnet.anvil.url) as node:
        yield Scene(mainnet, node, tmp_path)


@anvil
def test_equal_to_the_receipts_however_it_was_divided(scene: Scene) -> None:
    wanted = scene.receipts()
    fetched = scene.fetch(base=scene.mainnet.token0)
    rows = stored(scene.output)
    assert rows == wanted
    assert {row["kind"] for row in rows} == {event.kind for event in EVENTS}
    assert fetched.kinds["swap"] == 11
    assert (fetched.rows, fetched.untimed, fetched.requests) == (len(wanted), 0, 1)
    whole = scene.output.read_bytes()

    told = {k.decode(): v.decode() for k, v in pq.read_schema(scene.output).metadata.items()}
    token0, token1 = json.loads(told["dexmm.token0"]), json.loads(told["dexmm.token1"])
    assert told["dexmm.pool"] == scene.mainnet.pool
    assert (told["dexmm.fee_pips"], told["dexmm.tick_spacing"]) == ("500", "10")
    assert (told["dexmm.from_block"], told["dexmm.to_block"]) == ("0", str(scene.head))
    assert (token0["symbol"], token0["decimals"]) == ("PAXG", 18)
    assert (token1["address"], token1["decimals"]) == (scene.mainnet.token1, 6)
    assert told["dexmm.base_is_token0"] == "true"
    assert not folder_of(scene.output).exists()

    scene.output.unlink()
    scene.node.bears(7)
    scene.node.asked.clear()
    said: list[tuple[int, int, int]] = []
    divided = scene.fetch(
        lambda *each: said.append(each), base=scene.mainnet.token0, check_prices=True
    )
    assert scene.output.read_bytes() == whole
    assert divided.requests == len(scene.node.asked) > scene.head // 7
    assert said[0] == (0, scene.head + 1, 0)
    assert said[-1][:2] == (scene.head + 1, scene.head + 1)
    assert sum(rows for _, _, rows in said) == len(wanted)


@anvil
def test_a_file_that_is_there_is_not_fetched_again(scene: Scene) -> None:
    first = scene.fetch()
    scene.node.asked.clear()
    folder_of(scene.output).mkdir()  # as when it was killed just before this was removed
    again = scene.fetch()
    assert again == replace(first, requests=0)
    assert scene.node.asked == []
    assert not folder_of(scene.output).exists()
    with pytest.raises(BadInput, match="exists and holds"):
        scene.fetch(from_block=1)
    scene.output.write_bytes(b"PAR1 something else")
    with pytest.raises(BadInput, match="is no file of `dexmm fetch swaps`"):
        scene.fetch()


@anvil
@pytest.mark.kill
def test_killed_between_parts_it_goes_on(scene: Scene) -> None:
    scene.fetch()
    whole = scene.output.read_bytes()
    scene.output.unlink()
    reached, forever = threading.Event(), threading.Event()
    scene.node.bears(9)
    bearing = scene.node.answer

    def hangs_later(payload: Any, forward: Callable[[Any], Any]) -> Any:
        asked = range_of(payload)
        if asked and asked[0] > scene.head // 2:
            reached.set()
            forever.wait(60)
            return None
        return bearing(payload, forward)

    scene.node.answer = hangs_later
    command = [
        *(sys.executable, "-m", "dexmm.cli.main", "fetch", "swaps", "--rpc", scene.node.url),
        *("--pool", scene.mainnet.pool, "--from-block", "0", "--to-block", str(scene.head)),
        *("--confirmations", "0", "-o", str(scene.output)),
    ]
    process = subprocess.Popen(command, cwd=scene.folder, stderr=subprocess.PIPE)
    assert reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    forever.set()
    assert not scene.output.exists()
    kept = len(list(folder_of(scene.output).glob("*.arrow")))
    assert kept > 1

    scene.node.answer = bearing
    scene.node.asked.clear()
    scene.fetch()
    assert scene.output.read_bytes() == whole
    assert min(first for first, _ in scene.node.asked) > scene.head // 3


@anvil
def test_a_damaged_part_is_fetched_again(scene: Scene) -> None:
    scene.fetch()
    whole = scene.output.read_bytes()
    scene.output.unlink()
    interrupted(scene, after=3)
    first, second, *_ = sorted(folder_of(scene.output).glob("*.arrow"))
    first.write_bytes(first.read_bytes()[:-9])
    second.unlink()
    scene.fetch()
    assert scene.output.read_bytes() == whole


def interrupted(scene: Scene, after: int) -> None:
    """A fetch that ends after so many answers, leaving their parts."""
    scene.node.bears(10)
    bearing, answers = scene.node.answer, 0

    def answer(payload: Any, forward: Callable[[Any], Any]) -> Any:
        nonlocal answers
        answered = bearing(payload, forward)
        if range_of(payload) and "result" in answered:
            answers += 1
        return answered if answers <= after else b"gone"

    scene.node.answer = answer
    with pytest.raises(NodeError):
        scene.fetch()
    scene.node.answer = bearing
    scene.node.asked.clear()
    assert len(list(folder_of(scene.output).glob("*.arrow"))) == after


@anvil
def test_another_range_pool_or_chain_is_refused_with_what_to_do(scene: Scene) -> None:
    interrupted(scene, after=2)
    for other in ({"from_block": 1}, {"to_block": scene.head - 1}, {"timestamps": True}):
        with pytest.raises(BadInput, match=r"unfinished fetch .* remove the folder"):
            scene.fetch(**other)
    marked = folder_of(scene.output) / "range.json"
    marked.write_text(marked.read_text().replace('"anchor": "0x', '"anchor": "0xf'))
    with pytest.raises(BadInput, match="has been reorganised since"):
        scene.fetch()
    marked.write_text("{")
    with pytest.raises(BadInput, match="begin anew"):
        scene.fetch()
    assert not scene.output.exists()


@anvil
def test_two_fetches_do_not_write_the_same_file(scene: Scene) -> None:
    interrupted(scene, after=1)
    wanted = Wanted(**json.loads((folder_of(scene.output) / "range.json").read_text()))
    with Parts.of(scene.output, wanted), pytest.raises(Busy, match="another `dexmm fetch`"):
        scene.fetch()


@anvil
def test_without_an_end_it_stops_before_what_is_not_final(scene: Scene) -> None:
    fetched = scene.fetch(to_block=None, confirmations=5)
    assert fetched.to_block == scene.head - 5
    scene.output.unlink()
    for other in (
        {"confirmations": 1},
        {"to_block": scene.head + 1},
        {"from_block": scene.head + 9, "to_block": None},
    ):
        with pytest.raises(BadInput, match="is not final yet"):
            scene.fetch(**{"to_block": scene.head, "from_block": 0, **other})
    with pytest.raises(BadInput, match="exchange them"):
        scene.fetch(from_block=9, to_block=8)


@anvil
def test_what_is_resumed_keeps_its_end(scene: Scene) -> None:
    scene.asked = replace(scene.asked, to_block=None)
    interrupted(scene, after=2)
    scene.mainnet.anvil.mine(3)
    assert scene.fetch().to_block == scene.head


@anvil
def test_times_are_asked_for_where_the_node_does_not_tell_them(scene: Scene) -> None:
    wanted = scene.receipts()
    batches: list[int] = []

    def forgetful(payload: Any, forward: Callable[[Any], Any]) -> Any:
        answered = forward(payload)
        if isinstance(payload, list) and payload[0]["method"] == "eth_getBlockByNumber":
            batches.append(len(payload))
        if range_of(payload):
            for log in answered["result"]:
                log.pop("blockTimestamp", None)
        return answered

    scene.node.answer = forgetful
    fetched = scene.fetch()
    assert fetched.untimed == fetched.rows == len(wanted)
    assert stored(scene.output) == [{**row, "block_timestamp": None} for row in wanted]
    with pytest.raises(BadInput, match="lacks"):
        scene.fetch(timestamps=True)
    scene.output.unlink()
    assert scene.fetch(timestamps=True).untimed == 0
    assert stored(scene.output) == wanted
    assert sum(batches) == len({row["block_number"] for row in wanted})  # each block once


@anvil
def test_a_chain_that_is_reorganised_meanwhile_is_found(scene: Scene) -> None:
    headers = 0

    def fickle(payload: Any, forward: Callable[[Any], Any]) -> Any:
        nonlocal headers
        answered = forward(payload)
        if not isinstance(payload, list) and payload["method"] == "eth_getBlockByNumber":
            headers += 1
            if headers > 1:
                answered["result"]["hash"] = "0x" + "ab" * 32
        return answered

    scene.node.answer = fickle
    with pytest.raises(Transient, match="more --confirmations"):
        scene.fetch()
    assert not scene.output.exists()


@anvil
@pytest.mark.parametrize(
    "change",
    [
        lambda answer: {**answer, "result": answer["result"][::-1]},
        lambda answer: {**answer, "result": [*answer["result"], answer["result"][-1]]},
        lambda answer: {**answer, "result": [{**answer["result"][0], "removed": True}]},
        lambda answer: {**answer, "result": [{**answer["result"][0], "data": "0x123"}]},
        lambda answer: json.dumps(answer).encode()[:-9],
        lambda answer: b"<html>",
        lambda answer: {**answer, "id": 999},
        lambda answer: {"id": answer["id"], "error": {"code": -32000, "message": "no"}},
        lambda answer: None,
    ],
)
def test_a_node_that_keeps_failing_leaves_no_file(scene: Scene, change: Any) -> None:
    scene.node.rewrites(change)
    with pytest.raises(NodeError) as caught:
        scene.fetch()
    assert scene.node.url in caught.value.message
    assert not scene.output.exists()
    assert list(folder_of(scene.output).glob("*.arrow")) == []


@anvil
@pytest.mark.parametrize("status", [413, 429, 503])
def test_an_http_error_ends_it_after_some_patience(scene: Scene, status: int) -> None:
    forward = scene.node.forward

    def failing(payload: Any, _: Callable[[Any], Any]) -> Any:
        scene.node.status = status if range_of(payload) else 200
        return forward(payload)

    scene.node.answer = failing
    with pytest.raises(NodeError, match=f"HTTP {status}"):
        scene.fetch()
    widths = {last - first + 1 for first, last in scene.node.asked}
    assert (min(widths) == 1) is (status != 429)  # a smaller question would not help there


@anvil
def test_a_failure_that_passes_costs_nothing(scene: Scene) -> None:
    failures = iter([b"<html>", None])
    scene.node.rewrites(lambda answer: next(failures, answer))
    assert scene.fetch().rows == len(scene.receipts())


@anvil
def test_the_next_node_is_asked_when_one_fails(scene: Scene) -> None:
    with node_double() as broken:
        broken.answer = lambda payload, forward: b"gone"
        node = Node([broken.url, scene.node.url])
        fetched = fetch_swaps(node, scene.asked, nothing_said, BRIEF)
    assert fetched.rows == len(scene.receipts())


@anvil
@pytest.mark.parametrize(
    "address",
    [
        "0x45804880De22913dAFE09f4980848ECE6EcbAf78",  # a token
        POSITION_MANAGER,
        "0x00000000000000000000000000000000000000AA",  # nothing
    ],
)
def test_what_is_no_pool_is_refused(scene: Scene, address: str) -> None:
    with pytest.raises(BadInput, match="is not a Uniswap v3 pool on chain 1"):
        scene.fetch(pool=address)
    assert not folder_of(scene.output).exists()


def test_an_output_that_cannot_be_written_is_refused_before_anything(tmp_path: Path) -> None:
    node = Node(["http://127.0.0.1:1"])
    asked = SwapsAsked(pool="0x", from_block=0, to_block=1, output=tmp_path / "no" / "x.parquet")
    for output, said in (
        (tmp_path / "no" / "x.parquet", "there is no folder"),
        (tmp_path, "is a folder"),
        (tmp_path / "x.csv", r"must end in \.parquet"),
        (Path("/proc/x.parquet"), "not writable"),
    ):
        with pytest.raises(BadInput, match=said):
            fetch_swaps(node, replace(asked, output=output), nothing_said, BRIEF)


# Continuity


def read_logs(path: Path) -> pa.RecordBatch:
    (batch,) = pq.read_table(path, schema=SCHEMA).combine_chunks().to_batches()
    return batch


@anvil
def test_a_log_that_is_left_out_shows_at_the_next_swap_within_the_grid(scene: Scene) -> None:
    scene.fetch(check_prices=True)
    logs = read_logs(scene.output)
    rows = list(rows_of(logs))
    assert Continuity(10).look(logs) is None
    shown: list[str] = []
    for at, row in enumerate(rows):
        before = next((r for r in reversed(rows[:at]) if r.kind == "swap"), None)
        after = next((r for r in rows[at + 1 :] if r.kind == "swap"), None)
        moves = (
            row.kind == "swap" or row.tick_lower <= (before.tick if before else 0) < row.tick_upper
        )
        if not (before and after and moves) or row.kind in ("collect", "initialize"):
            continue
        price = row.sqrt_price_x96 == before.sqrt_price_x96
        unmoved = price if row.kind == "swap" else row.amount == 0
        if before.tick // 10 == after.tick // 10 and not unmoved:
            table = pa.Table.from_batches([logs.slice(0, at), logs.slice(at + 1)])
            broken = Continuity(10).look(table.combine_chunks().to_batches()[0])
            assert broken is not None, row
            assert (broken.block, broken.log_index) == (after.block_number, after.log_index)
            shown.append(row.kind)
    assert shown.count("swap") > 2
    assert shown.count("mint") == 1


@anvil
def test_a_node_that_leaves_out_a_log_is_caught_and_asked_again(scene: Scene) -> None:
    wanted = len(scene.receipts())
    swap = EVENTS[0].topic

    def without_a_swap(answer: Any) -> Any:
        swaps = [log for log in answer["result"] if log["topics"][0] == swap]
        return {**answer, "result": [log for log in answer["result"] if log != swaps[2]]}

    scene.node.rewrites(without_a_swap)
    with pytest.raises(NodeError, match="does not follow from the swap before it"):
        scene.fetch(check_prices=True)
    assert not scene.output.exists()
    scene.node.rewrites(lambda answer: answer)
    assert scene.fetch(check_prices=True).rows == wanted


# Strides


@given(st.integers(1, 2 * MOST), st.lists(st.integers(0, 30_000), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_strides_stay_near_what_a_node_bears(bears: int, answers: list[int]) -> None:
    stride, refusals = Stride(), 0
    for logs in answers:
        while stride.blocks > bears:
            smaller = stride.refused_at(stride.blocks)
            assert smaller is not None
            assert smaller.blocks == stride.blocks // 2
            stride, refusals = smaller, refusals + 1
        grown = stride.answered(logs)
        assert stride.blocks <= grown.blocks <= min(2 * stride.blocks, MOST)
        stride = grown
    assert refusals <= 12 + len(answers)


def test_a_stride_grows_back_and_one_block_cannot_shrink() -> None:
    assert Stride(blocks=1).refused_at(1) is None
    stride = Stride().refused_at(2000)
    for _ in range(60):
        assert stride is not None
        stride = stride.answered(10)
    assert stride is not None
    assert stride.blocks > MOST * 9 // 10
    assert Stride(blocks=500).answered(9000).blocks == 500  # full enough


# Parts


def test_parts_that_overlap_are_refused(tmp_path: Path) -> None:
    wanted = Wanted(
        chain_id=1, pool="0x", from_block=10, to_block=30, anchor="0x", timestamps=False
    )
    nothing = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    with Parts.of(tmp_path / "x.parquet", wanted) as parts:
        parts.keep(Span(15, 20), nothing)
        assert parts.missing() == [Span(10, 14), Span(21, 30)]
        parts.keep(Span(10, 14), nothing)
        parts.keep(Span(20, 30), nothing)
        with pytest.raises(BadInput, match="twice or without being asked to"):
            parts.missing()
        parts.drop(20, 20)
        assert parts.missing() == [Span(15, 30)]
        parts.keep(Span(15, 30), nothing)
        assert parts.merge({}) == 0
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 0
