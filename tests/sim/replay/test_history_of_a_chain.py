"""From a real node to a replay: what was fetched ends where the chain ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_logs import SwapsAsked, fetch_swaps
from dexmm.history.event_types import Swapped
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sim.replay.event_replay import replay
from dexmm.sim.replay.pool_events import read_events

QUARTER = 4 + (4 << 4)  # what the local mainnet's pool gives the protocol


@pytest.mark.anvil
def test_fetched_events_replay_to_the_state_of_the_chain(
    mainnet: Deployment, tmp_path: Path
) -> None:
    mainnet.mint_position(account("somebody"), -194_000, -193_000, 10**18, 4000 * 10**6)
    for down, amount in ((True, 10**17), (False, 5 * 10**8), (True, 30 * 10**18), (False, 10**11)):
        mainnet.swap(zero_for_one=down, amount_in=amount)
    head = int(mainnet.anvil.rpc("eth_blockNumber"), 16)
    file = tmp_path / "pool.parquet"
    asked = SwapsAsked(
        pool=mainnet.pool,
        from_block=0,
        to_block=head,
        output=file,
        confirmations=0,
        timestamps=True,
    )
    fetch_swaps(Node([mainnet.anvil.url]), asked, lambda *_: None)
    history = read_events(file).with_fee_protocol(QUARTER)
    assert sum(isinstance(event, Swapped) for event in history.events) >= 4
    pool = history.opened()
    replay(pool, history)

    def read(signature: str) -> bytes:
        call = {"to": mainnet.pool, "data": "0x" + encode_call(signature).hex()}
        return bytes.fromhex(mainnet.anvil.rpc("eth_call", [call, "latest"])[2:])

    slot0 = read("slot0()")
    assert pool.sqrt_price_x96 == int.from_bytes(slot0[:32])
    assert pool.tick == int.from_bytes(slot0[32:64], signed=True)
    assert pool.liquidity == int.from_bytes(read("liquidity()"))
    assert pool.fee_growth_global0_x128 == int.from_bytes(read("feeGrowthGlobal0X128()"))
    assert pool.fee_growth_global1_x128 == int.from_bytes(read("feeGrowthGlobal1X128()"))
    assert pool.fee_growth_global0_x128 > 0 < pool.fee_growth_global1_x128
    price = history.events.sqrt_prices[len(history.events) - 1]
    assert price == pool.sqrt_price_x96
