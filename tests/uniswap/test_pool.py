"""What a pool in memory promises beyond the contract's arithmetic: atomic, copyable, plain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.uniswap import errors
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState
from dexmm.uniswap.swap_math import compute_swap_step
from dexmm.uniswap.tick_bitmap import next_initialized_tick_within_one_word
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)

Q96 = 2**96


@pytest.fixture
def pool() -> Pool:
    return market()


def market(fee: int = 3000, tick_spacing: int = 60, fee_protocol: int = 0) -> Pool:
    """A pool at price 1 with three overlapping positions and a little history."""
    pool = Pool(fee, tick_spacing, timestamp=1_700_000_000)
    pool.initialize(Q96)
    pool.increase_observation_cardinality_next(4)
    if fee_protocol:
        pool.set_fee_protocol(fee_protocol, fee_protocol)
    for width, liquidity in ((2, 10**18), (7, 3 * 10**18), (400, 10**17)):
        pool.mint("owner", -width * tick_spacing, width * tick_spacing, liquidity)
    pool.timestamp += 600
    pool.swap(True, 10**15)
    return pool


def pays(amount0: int, amount1: int) -> Callable[[int, int], tuple[int, int]]:
    return lambda _owed0, _owed1: (amount0, amount1)


REVERTING: list[tuple[type[errors.Revert], Callable[[Pool], Any]]] = [
    (errors.AlreadyInitialized, lambda p: p.initialize(Q96)),
    (errors.TicksMisordered, lambda p: p.mint("owner", 60, 60, 1)),
    (errors.TickLowerTooLow, lambda p: p.mint("owner", MIN_TICK - 1, 60, 1)),
    (errors.TickUpperTooHigh, lambda p: p.mint("owner", 0, MAX_TICK + 1, 1)),
    (errors.TickOffGrid, lambda p: p.mint("owner", 0, 61, 1)),
    (errors.TickLiquidityExceeded, lambda p: p.mint("owner", 0, 60, 2**127 - 1)),
    (errors.ArithmeticOverflow, lambda p: p.mint("owner", 0, 60, 2**127)),
    (errors.LiquidityZero, lambda p: p.mint("owner", 0, 60, 0)),
    (errors.Mint0Unpaid, lambda p: p.mint("owner", -60, 60, 10**18, pays(0, 2**255))),
    (errors.Mint1Unpaid, lambda p: p.mint("owner", -60, 60, 10**18, pays(2**255, 0))),
    (errors.LiquidityUnderflow, lambda p: p.burn("owner", -120, 120, 2 * 10**18)),
    (errors.NoPosition, lambda p: p.burn("nobody", -120, 120, 0)),
    (errors.AmountSpecifiedZero, lambda p: p.swap(True, 0)),
    (errors.PriceLimitOutOfBounds, lambda p: p.swap(True, 1, MIN_SQRT_RATIO)),
    (errors.PriceLimitOutOfBounds, lambda p: p.swap(False, 1, MAX_SQRT_RATIO)),
    (errors.InputUnpaid, lambda p: p.swap(True, 10**17, pay=pays(10**17 - 1, 0))),
    (errors.InputUnpaid, lambda p: p.swap(False, -(10**17), pay=pays(0, 10**17))),
    (errors.Flash0Unpaid, lambda p: p.flash(10**6, 10**6, pays(10**6, 2 * 10**6))),
    (errors.Flash1Unpaid, lambda p: p.flash(10**6, 10**6, pays(2 * 10**6, 10**6))),
    (errors.FeeProtocolOutOfBounds, lambda p: p.set_fee_protocol(4, 11)),
    (errors.ObservationTooOld, lambda p: p.observe([601])),
    (errors.TickUninitialized, lambda p: p.snapshot_cumulatives_inside(0, 60)),
]


@pytest.mark.parametrize(("error", "act"), REVERTING)
def test_a_revert_changes_nothing(
    pool: Pool, error: type[errors.Revert], act: Callable[[Pool], Any]
) -> None:
    before = pool.state()
    with pytest.raises(error) as caught:
        act(pool)
    assert caught.value.reason == error.reason
    assert pool.state() == before
    assert pool.unlocked


OPERATIONS: list[Callable[[Pool], Any]] = [
    lambda p: p.mint("other", -60, 60, 10**18),
    lambda p: p.burn("owner", -120, 120, 10**18),
    lambda p: p.collect("owner", -120, 120),
    lambda p: p.swap(True, 10**17),
    lambda p: p.swap(False, -(10**17)),
    lambda p: p.flash(10**18, 10**18),
    lambda p: p.set_fee_protocol(4, 6),
    lambda p: p.collect_protocol(),
    lambda p: p.increase_observation_cardinality_next(9),
]


@pytest.mark.parametrize("act", OPERATIONS)
def test_a_pool_without_a_price_is_locked(act: Callable[[Pool], Any]) -> None:
    pool = Pool(3000, 60)
    before = pool.state()
    with pytest.raises(errors.Locked):
        act(pool)
    assert pool.state() == before


@pytest.mark.parametrize("act", OPERATIONS)
def test_a_callback_finds_the_pool_locked(pool: Pool, act: Callable[[Pool], Any]) -> None:
    def pay(amount0: int, amount1: int) -> tuple[int, int]:
        act(pool)
        return amount0, amount1

    before = pool.state()
    with pytest.raises(errors.Locked):
        pool.swap(True, 10**15, pay=pay)
    assert pool.state() == before
    pool.swap(True, 10**15)


def test_paying_more_than_is_owed_is_the_payer_s_loss(pool: Pool) -> None:
    generous = pool.copy()
    assert generous.swap(True, 10**17, pay=pays(2**200, 0)) == pool.swap(True, 10**17)
    assert generous.state() == pool.state()


def test_a_copy_is_independent(pool: Pool) -> None:
    untouched = pool.state()
    for first, second in zip(OPERATIONS, reversed(OPERATIONS), strict=True):
        twin, other = pool.copy(), pool.copy()
        for copied in (twin, other):
            copied.timestamp += 60
        first(twin)
        first(other)
        assert twin.state() == other.state()
        second(twin)
        assert pool.state() == untouched


def test_a_state_loads_into_the_same_pool() -> None:
    pool = market(fee_protocol=4)
    pool.swap(False, 10**17)
    loaded = Pool.from_state(pool.state(), pool.timestamp)
    assert loaded.state() == pool.state()
    for act in OPERATIONS:
        loaded.timestamp = pool.timestamp = pool.timestamp + 60
        assert act(loaded) == act(pool)
        assert loaded.state() == pool.state()


def test_a_partial_ring_is_enough_for_swaps(pool: Pool) -> None:
    state = pool.state()
    held = state.observations[: state.observation_index + 1]
    partial = Pool.from_state(replace(state, observations=held), pool.timestamp + 60)
    pool.timestamp += 60
    assert partial.swap(True, 10**18) == pool.swap(True, 10**18)
    assert partial.ticks[-120] == pool.ticks[-120]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tick": 5}, "tick"),
        ({"ticks": {61: None}}, "tick spacing"),
        ({"observations": ()}, "observation"),
        ({"tick_spacing": 0}, "tick spacing"),
    ],
)
def test_a_state_that_no_pool_can_have_is_refused(
    pool: Pool, wrong: dict[str, Any], says: str
) -> None:
    state = pool.state()
    if "ticks" in wrong:
        wrong = {"ticks": {61: state.ticks[120]}}
    with pytest.raises(errors.ImpossibleState, match=says):
        Pool.from_state(replace(state, **wrong), pool.timestamp)


def reference_swap(
    state: PoolState, zero_for_one: bool, amount: int, limit: int
) -> tuple[int, int, int, int, int, int, int]:
    """The contract's loop read aloud: amounts, price, tick, liquidity, growth, protocol fee."""
    words: dict[int, int] = {}
    for tick in state.ticks:
        compressed = tick // state.tick_spacing
        words[compressed >> 8] = words.get(compressed >> 8, 0) | 1 << (compressed & 255)
    price, tick, liquidity = state.sqrt_price_x96, state.tick, state.liquidity
    growth = state.fee_growth_global0_x128 if zero_for_one else state.fee_growth_global1_x128
    share = state.fee_protocol & 15 if zero_for_one else state.fee_protocol >> 4
    remaining, calculated, protocol_fee = amount, 0, 0
    while remaining != 0 and price != limit:
        start = price
        following, initialized = next_initialized_tick_within_one_word(
            words, tick, state.tick_spacing, zero_for_one
        )
        following = min(max(following, MIN_TICK), MAX_TICK)
        price_next = get_sqrt_ratio_at_tick(following)
        target = max(price_next, limit) if zero_for_one else min(price_next, limit)
        price, taken, given_out, fee = compute_swap_step(
            price, target, liquidity, remaining, state.fee
        )
        if amount > 0:
            remaining -= taken + fee
            calculated -= given_out
        else:
            remaining += given_out
            calculated += taken + fee
        if share:
            protocol_fee += fee // share
            fee -= fee // share
        if liquidity:
            growth = (growth + (fee << 128) // liquidity) % 2**256
        if price == price_next:
            if initialized:
                net = state.ticks[following].liquidity_net
                liquidity += -net if zero_for_one else net
            tick = following - 1 if zero_for_one else following
        elif price != start:
            tick = get_tick_at_sqrt_ratio(price)
    one, other = amount - remaining, calculated
    amounts = (one, other) if zero_for_one == (amount > 0) else (other, one)
    return *amounts, price, tick, liquidity, growth, protocol_fee


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(((500, 10, 0), (3000, 60, 4), (10000, 200, 10), (100, 1, 6))),
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 80).flatmap(lambda bits: st.integers(1, 1 << bits)),
            st.sampled_from((1, -1)),
            st.one_of(st.none(), st.integers(1, 3000)),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_the_fast_loop_is_the_contract_s_loop(
    kind: tuple[int, int, int], orders: list[tuple[bool, int, int, int | None]]
) -> None:
    """Several swaps in a row, so that what the first learned of a stretch serves the next."""
    pool = market(*kind)
    for zero_for_one, size, sign, away in orders:
        limit = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
        if away is not None:
            near = pool.tick - away if zero_for_one else pool.tick + away + 1
            limit = get_sqrt_ratio_at_tick(min(max(near, MIN_TICK + 1), MAX_TICK - 1))
        if (limit >= pool.sqrt_price_x96) == zero_for_one or limit == pool.sqrt_price_x96:
            continue  # at the end of prices already
        fees = pool.protocol_fees0 if zero_for_one else pool.protocol_fees1
        expected = reference_swap(pool.state(), zero_for_one, size * sign, limit)
        amounts = pool.swap(zero_for_one, size * sign, limit)
        after = (
            *amounts,
            pool.sqrt_price_x96,
            pool.tick,
            pool.liquidity,
            pool.fee_growth_global0_x128 if zero_for_one else pool.fee_growth_global1_x128,
            (pool.protocol_fees0 if zero_for_one else pool.protocol_fees1) - fees,
        )
        assert after == expected


def test_accumulators_wrap_as_the_contract_s_do(pool: Pool) -> None:
    """Fee growth just below 2**256 wraps; what a position earns across the wrap is right."""
    near = replace(pool.state(), fee_growth_global0_x128=2**256 - 2)
    # Outside values are relative: moving the global growth and all ticks alike changes nothing.
    shift = near.fee_growth_global0_x128 - pool.fee_growth_global0_x128
    moved = {
        tick: replace(
            info,
            fee_growth_outside0_x128=(info.fee_growth_outside0_x128 + shift) % 2**256
            if tick <= pool.tick
            else info.fee_growth_outside0_x128,
        )
        for tick, info in near.ticks.items()
    }
    wrapped = Pool.from_state(replace(near, ticks=moved), pool.timestamp)
    for each in (pool, wrapped):
        each.burn("owner", -120, 120, 0)
        each.collect("owner", -120, 120)
        each.swap(True, 10**18)
        each.swap(False, 10**18)
        each.burn("owner", -120, 120, 0)
    assert wrapped.fee_growth_global0_x128 < pool.fee_growth_global0_x128
    assert wrapped.collect("owner", -120, 120) == pool.collect("owner", -120, 120)
