"""A day of a mainnet pool: every event, replayed, leaves what the chain left, bit for bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.position import PositionInfo, uncollected_fees
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

pytestmark = pytest.mark.data

WATCHER = "watcher"


@pytest.fixture
def before(golden_day: dict[str, Any], pool_of: Callable[..., Pool]) -> Pool:
    """The pool before the day, with the positions that the day's burns take from."""
    pool = pool_of(golden_day["before"], golden_day["events"][0]["timestamp"] - 12)
    burned: dict[tuple[str, int, int], int] = defaultdict(int)
    for event in golden_day["events"]:
        if event["method"] == "BURN":
            key = event["owner"], event["tickLower"], event["tickUpper"]
            burned[key] += int(event["amount"])
    # The record does not say how much was left: one unit more than is taken is enough.
    for key, liquidity in burned.items():
        pool.positions[key] = PositionInfo(liquidity + 1)
    return pool


def play(pool: Pool, event: dict[str, Any]) -> tuple[int, int]:
    pool.timestamp = event["timestamp"]
    if event["method"] == "SWAP":
        limit = event["sqrtPriceLimitX96"]
        return pool.swap(
            event["zeroForOne"], int(event["amountSpecified"]), int(limit) if limit else None
        )
    act = pool.mint if event["method"] == "MINT" else pool.burn
    return act(event["owner"], event["tickLower"], event["tickUpper"], int(event["amount"]))


def test_every_event_leaves_what_the_chain_recorded(
    golden_day: dict[str, Any], before: Pool
) -> None:
    pool = before
    for event in golden_day["events"]:
        assert play(pool, event) == (int(event["amount0"]), int(event["amount1"]))
        assert pool.fee_growth_global0_x128 == int(event["feeGrowthGlobal0X128"])
        assert pool.fee_growth_global1_x128 == int(event["feeGrowthGlobal1X128"])
        if event["method"] == "SWAP":
            assert pool.sqrt_price_x96 == int(event["sqrtPriceX96"])
            assert pool.tick == event["tick"]
            assert pool.liquidity == int(event["liquidity"])
        else:
            held = pool.position(event["owner"], event["tickLower"], event["tickUpper"])
            assert held.fee_growth_inside0_last_x128 == int(event["feeGrowthInside0X128"])
            assert held.fee_growth_inside1_last_x128 == int(event["feeGrowthInside1X128"])
    assert len(golden_day["events"]) == 379


def test_the_day_ends_in_the_state_of_the_chain(
    golden_day: dict[str, Any], before: Pool, pool_of: Callable[..., Pool]
) -> None:
    pool = before
    for event in golden_day["events"]:
        play(pool, event)
    expected = pool_of(golden_day["after"], pool.timestamp)
    assert pool.sqrt_price_x96 == expected.sqrt_price_x96
    assert pool.tick == expected.tick
    assert pool.liquidity == expected.liquidity
    assert pool.fee_growth_global0_x128 == expected.fee_growth_global0_x128
    assert pool.fee_growth_global1_x128 == expected.fee_growth_global1_x128
    # Each record shows the 600 ticks around its own price: the common ones can be compared.
    seen = {
        int(tick) for tick in golden_day["before"]["ticks"].keys() & golden_day["after"]["ticks"]
    }
    assert len(seen) > 590
    held = {tick: info for tick, info in pool.ticks.items() if tick in seen}
    recorded = {tick: info for tick, info in expected.ticks.items() if tick in seen}
    assert held.keys() == recorded.keys()
    for tick, info in recorded.items():
        # The record before the day has no oracle, so only differences of it could agree.
        without_oracle = replace(
            info,
            tick_cumulative_outside=held[tick].tick_cumulative_outside,
            seconds_per_liquidity_outside_x128=held[tick].seconds_per_liquidity_outside_x128,
            seconds_outside=held[tick].seconds_outside,
        )
        assert held[tick] == without_oracle


def test_seven_ranges_earn_their_recorded_fees(
    golden_day: dict[str, Any], before: Pool, range_fees: list[dict[str, Any]]
) -> None:
    """A watcher's record of fee growth, without liquidity in the pool, gives the fees exactly."""
    pool = before
    start_price = pool.sqrt_price_x96
    ranges = [(row["tickLower"], row["tickUpper"]) for row in range_fees]
    nfts = [
        PositionInfo(int(row["liquidity"]), *pool.fee_growth_inside(*ticks))
        for row, ticks in zip(range_fees, ranges, strict=True)
    ]
    for event in golden_day["events"]:
        play(pool, event)
    for row, ticks, nft in zip(range_fees, ranges, nfts, strict=True):
        fees = uncollected_fees(nft, *pool.fee_growth_inside(*ticks))
        assert fees == (int(row["fees0"]), int(row["fees1"]))
        edges = [get_sqrt_ratio_at_tick(tick) for tick in ticks]
        for when, price in (("start", start_price), ("end", pool.sqrt_price_x96)):
            amounts = get_amounts_for_liquidity(price, *edges, nft.liquidity)
            assert amounts == (int(row[f"amounts0_{when}"]), int(row[f"amounts1_{when}"]))
    assert len(range_fees) == 7
