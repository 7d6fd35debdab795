"""A pool's events from a real node over HTTP: equal to the receipts, or one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fetch.fetch_loopback import node_double, range_of
from fetch.fetch_scene import BRIEF, Scene, a_scene, nothing_said, stored

from dexmm.errors import BadInput, NodeError, Transient
from dexmm.fetch.pool.continuity_check import Break, Continuity, QuickContinuity, rows_of
from dexmm.fetch.pool.event_schema import EVENTS, SCHEMA
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_logs import SwapsAsked, fetch_swaps
from dexmm.fetch.pool.resumable_parts import folder_of
from dexmm.sandbox.node.deploy import Deployment
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.sim.replay.pool_events import read_events

anvil = pytest.mark.anvil


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    with a_scene(mainnet, tmp_path) as made:
        yield made


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
def test_the_simulator_replays_what_was_fetched(scene: Scene) -> None:
    """From the pool's initialization on, every swap's price and amounts: ``read_events`` proves
    each of them against the exact pool."""
    scene.fetch()
    history = read_events(scene.output)
    assert history.pool == scene.mainnet.pool
    assert len(history.events) == len(stored(scene.output))


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


def read_logs(path: Path) -> pa.RecordBatch:
    (batch,) = pq.read_table(path, schema=SCHEMA).combine_chunks().to_batches()
    return batch


def quickly(logs: pa.RecordBatch, at: int) -> Break | None:
    """What the quick check finds when the logs come in two batches."""
    quick = QuickContinuity(10)
    return quick.look(logs.slice(0, at)) or quick.look(logs.slice(at))


def changed(logs: pa.RecordBatch, at: int, name: str, by: int) -> pa.RecordBatch:
    values = logs.column(name).to_pylist()
    values[at] += by
    names = logs.schema.names
    columns = [
        pa.array(values, SCHEMA.field(name).type) if each == name else logs.column(each)
        for each in names
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


@anvil
@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("amount0", 1_000), ("amount1", 1_000), ("liquidity", 1_000)),
        *(("amount0", 10**6), ("amount1", 10**6), ("liquidity", 10**6), ("sqrt_price_x96", 10**6)),
    ],
)
def test_a_value_that_is_not_true_is_found_as_quickly_as_exactly(
    scene: Scene, name: str, part: int
) -> None:
    """Off by a thousandth or a millionth of itself, up or down, in any swap of the history."""
    scene.fetch()
    logs = read_logs(scene.output)
    kinds = logs.column("kind").to_pylist()
    found = 0
    for at in [row for row, kind in enumerate(kinds) if kind == "swap"]:
        value = int(logs.column(name).to_pylist()[at])
        for by in (value // part, -value // part):
            wrong = changed(logs, at, name, by)
            exact = Continuity(10).look(wrong)
            if exact is not None and exact.why.startswith("the tick is"):
                continue  # only the exact check holds ticks against prices
            assert quickly(wrong, at) == exact
            found += exact is not None
    assert found > 2


@anvil
def test_a_log_that_is_left_out_shows_at_the_next_swap_within_the_grid(scene: Scene) -> None:
    scene.fetch(check_prices=True)
    logs = read_logs(scene.output)
    rows = list(rows_of(logs))
    assert Continuity(10).look(logs) is None
    assert all(quickly(logs, at) is None for at in range(len(rows)))
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
            assert quickly(table.combine_chunks().to_batches()[0], at) == broken
    assert shown.count("swap") > 2
    assert shown.count("mint") == 1


@anvil
@pytest.mark.parametrize("check_prices", [False, True])
def test_a_node_that_leaves_out_a_log_is_caught_and_asked_again(
    scene: Scene, check_prices: bool
) -> None:
    """One in the middle, after which everything leads to the pool's own state all the same."""
    receipts = scene.receipts()
    wanted = len(receipts)
    third = "0x" + [row for row in receipts if row["kind"] == "swap"][2]["tx_hash"].hex()

    def without_a_swap(answer: Any) -> Any:
        kept = [log for log in answer["result"] if log["transactionHash"] != third]
        return {**answer, "result": kept}

    scene.node.rewrites(without_a_swap)
    with pytest.raises(NodeError, match="does not follow from the swap before it"):
        scene.fetch(check_prices=check_prices)
    assert not scene.output.exists()
    scene.node.rewrites(lambda answer: answer)
    assert scene.fetch(check_prices=check_prices).rows == wanted
