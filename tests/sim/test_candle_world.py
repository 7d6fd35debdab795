"""A world in memory: quiet candles are skipped without a trace, and a sleeper is woken in time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.run import PAXG, PAXG_USDT, Scenario, open_world, paxg_usdt_market
from dexmm.config.schema import parse_config
from dexmm.sim.agents.price_process import PricePath, generate
from dexmm.sim.agents.traders import arbitrage
from dexmm.sim.candle_world import CandleWorld, Doze, woken

FEED = "0x9944D86CEB9160aF5C5feB251FD671923323f8C3"


def a_scenario(path: PricePath, flow: str = "real", every: int = 1) -> Scenario:
    config = parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:8545"},
            "market": {
                "pool": PAXG_USDT,
                "base": PAXG,
                "price_low": Decimal(1000),
                "price_high": Decimal(20000),
                "reference_feed": FEED,
            },
            "loop": {"interval_seconds": path.interval_seconds * every},
        },
        Path(),
        source="test",
    )
    return Scenario(path=path, config=config, market=paxg_usdt_market(config), flow=flow)


def state(world: CandleWorld) -> tuple[object, ...]:
    chain = world.chain
    return (chain.block, chain.pool.state(), chain.observe().references, world.fair_price)


def slowly(world: CandleWorld, path: PricePath) -> None:
    """Every candle the way the sandbox goes through it."""
    for candle in path.candles:
        world.street.pass_candle(world.chain, candle)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    flow=st.sampled_from(["real", "busy", "none"]),
    interval=st.sampled_from([60, 300, 1800]),
)
def test_skipping_quiet_candles_leaves_no_trace(seed: int, flow: str, interval: int) -> None:
    path = generate(seed, 120, interval_seconds=interval)
    one, other = (open_world(a_scenario(path, flow)) for _ in range(2))
    while one.advance():
        pass
    slowly(other, path)
    assert state(one) == state(other)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), move=st.sampled_from([4, 10, 40]), hours=st.integers(1, 30))
def test_a_sleeper_wakes_at_the_first_turn_that_is_due(seed: int, move: int, hours: int) -> None:
    path = generate(seed, 400, interval_seconds=300)
    awake, asleep = (open_world(a_scenario(path)) for _ in range(2))
    fair, sqrt = path.candles[0].open, asleep.chain.pool.sqrt_price_x96
    doze = Doze(
        until=path.candles[0].at + hours * 3600,
        fair_low=fair * (1 - Decimal(move) / 10_000),
        fair_high=fair * (1 + Decimal(move) / 10_000),
        sqrt_low_x96=sqrt - sqrt * move // 20_000,
        sqrt_high_x96=sqrt + sqrt * move // 20_000,
    )
    assert asleep.advance_to(doze)
    while True:
        assert awake.advance()
        if woken(awake, doze) or awake.progress[0] == len(path.candles):
            break
    assert state(awake) == state(asleep)
    assert awake.progress == asleep.progress


def test_a_swap_of_ours_is_answered_in_the_next_candle() -> None:
    """What is quiet depends on the pool's price, which is not only moved by the street."""
    path = generate(3, 50, interval_seconds=60)
    world = open_world(a_scenario(path, "none"))
    assert world.advance()
    pool, market = world.chain.pool, world.street.market
    pool.swap(True, 10**24, pool.sqrt_price_x96 - pool.sqrt_price_x96 // 1000)
    costs = world.street.costs
    assert arbitrage(market, pool.sqrt_price_x96, world.fair_price, pool.liquidity, costs)
    assert world.advance()
    assert not arbitrage(market, pool.sqrt_price_x96, world.fair_price, pool.liquidity, costs)


@pytest.mark.parametrize("every", [1, 3])
def test_turns_come_at_the_configured_interval(every: int) -> None:
    path = generate(1, 30, interval_seconds=60)
    world = open_world(a_scenario(path, every=every))
    times = []
    while world.advance():
        times.append(world.chain.timestamp - path.candles[0].at)
    assert times == [60 * every * (n + 1) for n in range(30 // every)]
    assert world.progress == (30 // every, 30 // every)


def test_nothing_later_than_now_can_be_seen() -> None:
    """The candles after a turn may be anything: what the turn sees is the same."""
    path = generate(5, 80, interval_seconds=300)
    crash = tuple(
        replace(c, open=c.open / 2, high=c.high / 2, low=c.low / 2, close=c.close / 2)
        for c in path.candles[40:]
    )
    other_future = replace(path, candles=path.candles[:40] + crash)
    # How much liquidity others have follows from the whole history: here it is the same.
    one, other = (
        open_world(replace(a_scenario(known), others=10**17)) for known in (path, other_future)
    )
    for turn in range(60):
        assert one.advance()
        assert other.advance()
        assert (state(one) == state(other)) is (turn < 40)
