"""The whole pool in one request: it goes on in memory exactly as it does on chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dexmm.chain.observe.pool_ticks import read_pool
from dexmm.chain.rpc.client import Rpc
from dexmm.errors import NodeError, Transient
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import MIN_SQRT_RATIO

pytestmark = pytest.mark.anvil


def test_the_pool_goes_on_in_memory_as_on_chain(world: Any, proxy: Any) -> None:
    mainnet = world.mainnet
    market = world.connect().market
    for _ in range(3):
        mainnet.swap(zero_for_one=True, amount_in=2 * 10**18)
        mainnet.swap(zero_for_one=False, amount_in=6 * 10**9)
        mainnet.anvil.mine(1, 300)
    state, timestamp = read_pool(Rpc([proxy.url]), market)
    assert len(proxy.requests) == 1
    assert timestamp == int(mainnet.anvil.block()["timestamp"], 16)
    assert len(state.ticks) == 12
    assert sum(info.liquidity_net for info in state.ticks.values()) == 0
    assert len(state.observations) == state.observation_cardinality > 3
    pool = Pool.from_state(state, timestamp)
    seconds_agos = [1800, 600, 0]
    answer = mainnet.anvil.call(mainnet.pool, encode_call("observe(uint32[])", seconds_agos))
    assert pool.observe(seconds_agos) == decode_answer("int56[],uint160[]", answer)
    amount_in = 40 * 10**18
    amount0, amount1 = pool.swap(True, amount_in, MIN_SQRT_RATIO + 1)[:2]
    assert (amount0, -amount1) == (
        amount_in,
        mainnet.swap(zero_for_one=True, amount_in=amount_in),
    )
    after, _ = read_pool(Rpc([proxy.url]), market)
    assert (after.sqrt_price_x96, after.tick) == (pool.state().sqrt_price_x96, pool.state().tick)
    assert after.fee_growth_global0_x128 == pool.state().fee_growth_global0_x128
    assert len(state.ticks) == len(after.ticks)


def test_a_long_ring_takes_a_second_request(
    world: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dexmm.chain.observe.pool_ticks.OBSERVATION_SLOTS", 1)
    mainnet = world.mainnet
    market = world.connect().market
    mainnet.swap(zero_for_one=True, amount_in=10**18)
    state, _ = read_pool(Rpc([proxy.url]), market)
    assert len(proxy.requests) == 2
    assert len(state.observations) == state.observation_cardinality == 720


def test_every_tick_spacing_fits_one_request(world: Any, proxy: Any) -> None:
    """Spacing 1 has the longest bitmap: seven parts of one batch."""
    market = world.connect().market
    whole, _ = read_pool(Rpc([proxy.url]), market)
    fine, _ = read_pool(Rpc([proxy.url]), replace(market, tick_spacing=1))
    assert len(proxy.requests) == 2
    assert len(proxy.payloads[1]) == 8
    assert fine == whole


def test_parts_of_two_blocks_are_not_put_together(world: Any, proxy: Any) -> None:
    market = replace(world.connect().market, tick_spacing=1)

    def answer(payload: Any, forward: Any) -> Any:
        first = forward(payload[:4])
        world.mainnet.anvil.mine()
        return first + forward(payload[4:])

    proxy.answer = answer
    with pytest.raises(Transient, match="moved on"):
        read_pool(Rpc([proxy.url]), market)


def test_a_node_without_overrides_cannot_show_it(world: Any, proxy: Any) -> None:
    market = world.connect().market
    proxy.rewrite("eth_call", lambda answer: {**answer, "result": "0x"})
    with pytest.raises(NodeError, match="state overrides"):
        read_pool(Rpc([proxy.url]), market)
