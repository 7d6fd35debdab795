"""The oracle's ring, and the means read from it; the rest is proved against the bytecode."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.uniswap import oracle
from dexmm.uniswap.errors import DivisionByZero, ObservationTooOld, OracleUninitialized
from dexmm.uniswap.oracle import Observation


def ring_of(*ticks_and_times: tuple[int, int], start: int = 1000) -> tuple[list[Observation], int]:
    """A ring written once for each tick that held for some seconds, and the time it ends."""
    ring, index, cardinality, time = oracle.initialize(start), 0, 1, start
    following = oracle.grow(ring, 1, len(ticks_and_times) + 1)
    for tick, seconds in ticks_and_times:
        time += seconds
        index, cardinality = oracle.write(
            ring, index, time % 2**32, tick, 10**18, cardinality, following
        )
    return ring, time % 2**32


def test_a_twap_of_negative_ticks_is_floored() -> None:
    ring, now = ring_of((-195_183, 600), (-195_190, 301))
    past, present = (
        oracle.observe_single(ring, now, ago, -195_190, len(ring) - 1, 10**18, len(ring))[0]
        for ago in (901, 0)
    )
    exact = (-195_183 * 600 - 195_190 * 301) / 901
    assert oracle.mean_tick(past, present, 901) == -195_186
    assert -195_186 < exact < -195_185


def test_harmonic_mean_liquidity_weights_thin_times() -> None:
    thin, thick = 10**12, 10**18
    start = 0
    end = (300 << 128) // thin + (300 << 128) // thick
    mean = oracle.harmonic_mean_liquidity(start, end, 600)
    assert thin * 2 * 999_998 // 1_000_000 < mean <= thin * 2
    with pytest.raises(DivisionByZero):
        oracle.harmonic_mean_liquidity(7, 7, 600)


def test_the_ring_grows_only_from_its_last_slot() -> None:
    ring, index, cardinality = oracle.initialize(0), 0, 1
    following = oracle.grow(ring, 1, 3)
    assert ring[1:] == [oracle.GROWN, oracle.GROWN]
    seen = []
    for time in range(1, 8):
        if time == 3:
            following = oracle.grow(ring, following, 5)
        index, cardinality = oracle.write(ring, index, time, 5, 1, cardinality, following)
        seen.append((index, cardinality))
    assert seen == [(1, 3), (2, 3), (3, 5), (4, 5), (0, 5), (1, 5), (2, 5)]


def test_one_observation_a_block() -> None:
    ring = oracle.initialize(9)
    assert oracle.write(ring, 0, 9, 77, 1, 1, 1) == (0, 1)
    assert ring == oracle.initialize(9)


def test_growing_less_is_nothing() -> None:
    ring = oracle.initialize(9)
    assert oracle.grow(ring, 5, 5) == 5
    assert len(ring) == 1
    with pytest.raises(OracleUninitialized):
        oracle.grow([], 0, 5)


def test_too_long_ago_says_how_far_it_reaches() -> None:
    ring, now = ring_of((1, 100), (2, 50))
    with pytest.raises(ObservationTooOld) as caught:
        oracle.observe_single(ring, now, 151, 2, 2, 10**18, 3)
    assert caught.value.facts == {"seconds_ago": 151, "oldest_seconds_ago": 150}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(-887_272, 887_272), st.integers(1, 10**6)), min_size=1),
    st.data(),
)
def test_any_moment_is_between_its_neighbours(
    history: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Against the plain sum of ticks over seconds, for a clock that may pass 2**32."""
    start = data.draw(st.sampled_from((1000, 2**32 - 500)))
    ring, now = ring_of(*history, start=start)
    total = sum(seconds for _, seconds in history)
    ago = data.draw(st.integers(0, total))
    at, sums, elapsed = total - ago, 0, 0
    for tick, seconds in history:
        part = min(seconds, at - elapsed)
        sums += tick * part
        elapsed += part
    last = history[-1][0]
    found, _ = oracle.observe_single(ring, now, ago, last, len(history), 10**18, len(history) + 1)
    assert found == sums


@given(
    written=st.lists(
        st.tuples(st.integers(-887_272, 887_272), st.integers(1, 5000)), min_size=1, max_size=60
    ),
    room=st.integers(1, 70),
    tick=st.integers(-887_272, 887_272),
    later=st.integers(0, 3000),
    seconds=st.integers(1, 20_000),
    start=st.sampled_from([1000, 2**32 - 3000]),
)
@settings(max_examples=200, deadline=None)
def test_the_mean_over_a_period_is_that_of_its_two_ends(
    written: list[tuple[int, int]], room: int, tick: int, later: int, seconds: int, start: int
) -> None:
    ring, index, cardinality, time = oracle.initialize(start), 0, 1, start
    following = oracle.grow(ring, 1, room)
    for held, lasted in written:
        time += lasted
        index, cardinality = oracle.write(
            ring, index, time % 2**32, held, 10**18, cardinality, following
        )
    asked = (ring, (time + later) % 2**32)
    rest = (tick, index, 10**18, cardinality)
    try:
        (then, now), _ = oracle.observe(*asked, (seconds, 0), *rest)
    except ObservationTooOld:
        with pytest.raises(ObservationTooOld):
            oracle.mean_tick_over(*asked, seconds, *rest)
        return
    assert oracle.mean_tick_over(*asked, seconds, *rest) == oracle.mean_tick(then, now, seconds)
