"""A whole history replayed: every log that is left out shows, and so do the pool's fees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fetch.fetch_scene import Scene, a_scene, stored

from dexmm.errors import BadInput, NodeError
from dexmm.fetch.pool.event_schema import SCHEMA
from dexmm.fetch.pool.replay_check import FLASH
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sim.replay.log_proof import prove_logs

anvil = pytest.mark.anvil
Forward = Callable[[Any], Any]
TERMS = {"fee_pips": 500, "tick_spacing": 10, "fee_protocol": 68}
FACTORY = "0x1F98431c8aD98523631AE4a59f267346ea31F984"


@pytest.fixture
def scene(mainnet: Deployment, tmp_path: Path) -> Iterator[Scene]:
    with a_scene(mainnet, tmp_path) as made:
        yield made


def read(scene: Scene, selector: str) -> str:
    call = {"to": scene.mainnet.pool, "data": selector}
    answer: str = scene.mainnet.anvil.rpc("eth_call", [call, hex(scene.head)])
    return answer


@anvil
def test_the_replay_earns_what_the_pool_earned_and_misses_every_log(scene: Scene) -> None:
    scene.fetch(check_prices=True)
    table = pq.read_table(scene.output, schema=SCHEMA)
    earned = prove_logs(table, **TERMS)
    assert earned is not None
    assert earned.fee_growth_x128 == tuple(
        int(read(scene, s), 16) for s in ("0xf3058399", "0x46141319")
    )
    protocol = read(scene, "0x1ad8b03b")[2:]
    assert earned.protocol_fees == (int(protocol[:64], 16), int(protocol[64:], 16))

    rows = stored(scene.output)
    contradicted, by_fees = [], []
    for at, row in enumerate(rows[:-1]):
        if row["kind"] in ("initialize", "collect") or row["amount"] == 0:
            continue
        without = pa.concat_tables([table.slice(0, at), table.slice(at + 1)])
        if block_of_fault(without) > row["block_number"]:
            contradicted.append(row["kind"])
        else:
            less = prove_logs(without, **TERMS)
            assert less is not None
            assert less.fee_growth_x128 != earned.fee_growth_x128, row
            by_fees.append(row["kind"])
    assert by_fees == ["swap"]  # of one unit, which moves no price
    assert contradicted.count("swap") == sum(row["kind"] == "swap" for row in rows[:-1]) - 1
    assert contradicted.count("mint") > 1


def block_of_fault(table: pa.Table) -> int:
    """0 when the replay contradicts nothing."""
    try:
        prove_logs(table, **TERMS)
    except BadInput as error:
        return int(str(error.facts["block"]))
    return 0


@anvil
def test_a_history_that_begins_later_is_not_replayed(scene: Scene) -> None:
    scene.fetch()
    table = pq.read_table(scene.output, schema=SCHEMA)
    assert prove_logs(table.slice(1), **TERMS) is None
    assert prove_logs(table.slice(0, 0), **TERMS) is None
    timeless = table.set_column(1, SCHEMA.field(1), pa.nulls(table.num_rows, pa.int64()))
    assert prove_logs(timeless, **TERMS) == prove_logs(table, **TERMS)


@anvil
def test_fees_that_the_logs_do_not_explain_are_refused(scene: Scene) -> None:
    def more_fees(payload: Any, forward: Forward) -> Any:
        answered = forward(payload)
        for call, one in zip(payload, answered, strict=True) if isinstance(payload, list) else ():
            if call["method"] == "eth_call" and call["params"][0].get("data") == "0xf3058399":
                one["result"] = f"0x{int(one['result'], 16) + 1:064x}"
        return answered

    scene.node.answer = more_fees
    with pytest.raises(NodeError, match="the pool's fee growth is") as caught:
        scene.fetch(check_prices=True)
    assert "left out logs of blocks 0 to" in caught.value.message
    assert not scene.output.exists()
    assert scene.fetch().held  # without the replay the fees are not looked at


@anvil
@pytest.mark.parametrize("what", ["share", "collected", "flash"])
def test_events_that_are_not_stored_excuse_the_fees(scene: Scene, what: str) -> None:
    mainnet = scene.mainnet
    owner = "0x" + mainnet.anvil.call(FACTORY, encode_call("owner()")).hex()[-40:]
    if what == "share":
        mainnet.anvil.send_as(owner, mainnet.pool, encode_call("setFeeProtocol(uint8,uint8)", 6, 6))
    elif what == "collected":
        most = 2**128 - 1
        taken = encode_call("collectProtocol(address,uint128,uint128)", account("x"), most, most)
        mainnet.anvil.send_as(owner, mainnet.pool, taken)
    mainnet.swap(zero_for_one=True, amount_in=10**17)
    scene.head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
    if what == "flash":
        answered = scene.node.forward

        def with_a_flash(payload: Any, forward: Forward) -> Any:
            got = answered(payload)
            calls, answers = (p if isinstance(p, list) else [p] for p in (payload, got))
            for call, one in zip(calls, answers, strict=True):
                if call["method"] == "eth_call" and call["params"][0].get("data") == "0xf3058399":
                    one["result"] = f"0x{int(one['result'], 16) + 1:064x}"
                if call["method"] == "eth_getLogs" and FLASH in call["params"][0]["topics"][0]:
                    place = {"blockNumber": hex(scene.head), "logIndex": "0x0"}
                    one["result"] = [{**place, "topics": [FLASH]}]
            return got

        scene.node.answer = with_a_flash
    assert scene.fetch(check_prices=True, to_block=scene.head).held
