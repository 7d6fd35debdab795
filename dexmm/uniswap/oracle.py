"""Oracle: the pool's ring of observations, and what periphery's OracleLibrary reads from it.

Times are ``uint32`` seconds and wrap; accumulators wrap at their own widths (``int56`` ticks,
``uint160`` seconds per liquidity as Q32.128). Only differences mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dexmm.uniswap.errors import (
    DivisionByZero,
    EmptyPeriod,
    ObservationTooOld,
    OracleUninitialized,
)
from dexmm.uniswap.full_math import MAX_UINT128, MAX_UINT160, wrap_signed
from dexmm.units import Liquidity, Tick

MAX_UINT32 = (1 << 32) - 1
_HALF_INT56 = 1 << 55


class Observation(NamedTuple):
    """One entry of the ring: the accumulators as of a block."""

    block_timestamp: int
    tick_cumulative: int
    seconds_per_liquidity_cumulative_x128: int
    initialized: bool


_LOOK_BACK = 24  # observations

GROWN = Observation(1, 0, 0, False)
"""A slot that was paid for but not yet written."""


def initialize(time: int) -> list[Observation]:
    """The ring of a new pool: one observation, cardinality 1."""
    return [Observation(time & MAX_UINT32, 0, 0, True)]


def transform(last: Observation, block_timestamp: int, tick: int, liquidity: int) -> Observation:
    """The observation ``last`` becomes at a later time with tick and liquidity unchanged."""
    last_timestamp, tick_cumulative, seconds_per_liquidity, _ = last
    delta = (block_timestamp - last_timestamp) & MAX_UINT32
    tick_cumulative += tick * delta
    if not -_HALF_INT56 <= tick_cumulative < _HALF_INT56:
        tick_cumulative = wrap_signed(tick_cumulative, 56)
    seconds_per_liquidity = (
        seconds_per_liquidity + (delta << 128) // (liquidity or 1)
    ) & MAX_UINT160
    return Observation(block_timestamp, tick_cumulative, seconds_per_liquidity, True)


def latest(last: Observation, time: int, tick: int, liquidity: int) -> Observation:
    """The observation that holds at ``time``: the last one if it is of this block."""
    return last if last[0] == time else transform(last, time, tick, liquidity)


def store(
    ring: list[Observation],
    index: int,
    observation: Observation,
    cardinality: int,
    cardinality_next: int,
) -> tuple[int, int]:
    """Store what ``latest`` gave, in place, at most once a block; the new index and cardinality.

    The ring grows only when its last slot has been written, which keeps it in order.
    """
    if observation is ring[index]:
        return index, cardinality
    if cardinality_next > cardinality and index == cardinality - 1:
        cardinality = cardinality_next
    index = (index + 1) % cardinality
    ring[index] = observation
    return index, cardinality


def write(
    ring: list[Observation],
    index: int,
    block_timestamp: int,
    tick: int,
    liquidity: int,
    cardinality: int,
    cardinality_next: int,
) -> tuple[int, int]:
    """Write at most one observation a block, in place; the new index and cardinality."""
    observation = latest(ring[index], block_timestamp, tick, liquidity)
    return store(ring, index, observation, cardinality, cardinality_next)


def grow(ring: list[Observation], current: int, wanted: int) -> int:
    """Make room for ``wanted`` observations, in place; the new next cardinality. Reverts I."""
    if current <= 0:
        raise OracleUninitialized
    if wanted <= current:
        return current
    ring.extend([GROWN] * (wanted - len(ring)))
    return wanted


def observe_single(
    ring: Sequence[Observation],
    time: int,
    seconds_ago: int,
    tick: int,
    index: int,
    liquidity: int,
    cardinality: int,
) -> tuple[int, int]:
    """Both accumulators as of ``seconds_ago`` before ``time``. Reverts OLD.

    Between two observations the tick accumulator is interpolated with the contract's order of
    operations: the mean tick is cut toward zero first, then multiplied.
    """
    if seconds_ago == 0:
        last = latest(ring[index], time, tick, liquidity)
        return last.tick_cumulative, last.seconds_per_liquidity_cumulative_x128
    target = (time - seconds_ago) & MAX_UINT32
    before, after = _surrounding(ring, time, target, tick, index, liquidity, cardinality)
    if target == before.block_timestamp:
        return before.tick_cumulative, before.seconds_per_liquidity_cumulative_x128
    if target == after.block_timestamp:
        return after.tick_cumulative, after.seconds_per_liquidity_cumulative_x128
    return _interpolate(before, after, target)


def observe(
    ring: Sequence[Observation],
    time: int,
    seconds_agos: Sequence[int],
    tick: int,
    index: int,
    liquidity: int,
    cardinality: int,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The accumulators at each of several times: tick, then seconds per liquidity."""
    if cardinality <= 0:
        raise OracleUninitialized
    pairs = [
        observe_single(ring, time, ago, tick, index, liquidity, cardinality) for ago in seconds_agos
    ]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def mean_tick(tick_cumulative_start: int, tick_cumulative_end: int, seconds: int) -> Tick:
    """The arithmetic mean tick over a period, toward negative infinity. Reverts BP."""
    if seconds <= 0:
        raise EmptyPeriod(seconds=seconds)
    return Tick(wrap_signed(tick_cumulative_end - tick_cumulative_start, 56) // seconds)


def mean_tick_over(
    ring: Sequence[Observation],
    time: int,
    seconds: int,
    tick: int,
    index: int,
    liquidity: int,
    cardinality: int,
) -> Tick:
    """``mean_tick`` of the last ``seconds``, as ``observe`` tells them. Reverts I, OLD, BP.

    The period mostly began a few observations ago: these are looked at first, newest first.
    """
    if cardinality <= 0:
        raise OracleUninitialized
    after = ring[index]
    gone = (time - after[0]) & MAX_UINT32
    if 0 < seconds <= gone:
        return Tick(tick)  # nothing has moved since
    for back in range(1, min(_LOOK_BACK, cardinality)):
        before = ring[(index - back) % cardinality]
        if not before[3]:  # initialized
            break
        if (time - before[0]) & MAX_UINT32 >= seconds:
            target = (time - seconds) & MAX_UINT32
            then = before[1]
            if target != before[0]:
                then = _interpolate(before, after, target)[0]
            now = wrap_signed(ring[index][1] + tick * gone, 56)
            return mean_tick(then, now, seconds)
        after = before
    (then, now), _ = observe(ring, time, (seconds, 0), tick, index, liquidity, cardinality)
    return mean_tick(then, now, seconds)


def harmonic_mean_liquidity(
    seconds_per_liquidity_start_x128: int, seconds_per_liquidity_end_x128: int, seconds: int
) -> Liquidity:
    """The harmonic mean of in-range liquidity over a period, rounded down. Reverts BP."""
    if seconds <= 0:
        raise EmptyPeriod(seconds=seconds)
    delta = (seconds_per_liquidity_end_x128 - seconds_per_liquidity_start_x128) & MAX_UINT160
    if delta == 0:
        raise DivisionByZero(seconds=seconds)
    return Liquidity(seconds * MAX_UINT160 // (delta << 32) & MAX_UINT128)


def _interpolate(before: Observation, after: Observation, target: int) -> tuple[int, int]:
    span = (after.block_timestamp - before.block_timestamp) & MAX_UINT32
    elapsed = (target - before.block_timestamp) & MAX_UINT32
    ticks = wrap_signed(after.tick_cumulative - before.tick_cumulative, 56)
    # Solidity divides toward zero.
    mean = ticks // span if ticks >= 0 else -(-ticks // span)
    seconds_per_liquidity = (
        after.seconds_per_liquidity_cumulative_x128 - before.seconds_per_liquidity_cumulative_x128
    ) & MAX_UINT160
    return (
        wrap_signed(before.tick_cumulative + mean * elapsed, 56),
        (before.seconds_per_liquidity_cumulative_x128 + seconds_per_liquidity * elapsed // span)
        & MAX_UINT160,
    )


def _surrounding(
    ring: Sequence[Observation],
    time: int,
    target: int,
    tick: int,
    index: int,
    liquidity: int,
    cardinality: int,
) -> tuple[Observation, Observation]:
    newest = ring[index]
    if _lte(time, newest.block_timestamp, target):
        if newest.block_timestamp == target:
            return newest, newest
        return newest, transform(newest, target, tick, liquidity)
    oldest = ring[(index + 1) % cardinality]
    if not oldest.initialized:
        oldest = ring[0]
    if not _lte(time, oldest.block_timestamp, target):
        raise ObservationTooOld(
            seconds_ago=(time - target) & MAX_UINT32,
            oldest_seconds_ago=(time - oldest.block_timestamp) & MAX_UINT32,
        )
    return _binary_search(ring, time, target, index, cardinality)


def _binary_search(
    ring: Sequence[Observation], time: int, target: int, index: int, cardinality: int
) -> tuple[Observation, Observation]:
    low = (index + 1) % cardinality
    high = low + cardinality - 1
    ago = (time - target) & MAX_UINT32
    while True:
        middle = (low + high) // 2
        before = ring[middle % cardinality]
        if not before[3]:  # initialized
            low = middle + 1
            continue
        # ``_lte`` of both, without calling it: the times ago are compared, wrapped
        if (time - before[0]) & MAX_UINT32 < ago:
            high = middle - 1
            continue
        after = ring[(middle + 1) % cardinality]
        if ago >= (time - after[0]) & MAX_UINT32:
            return before, after
        low = middle + 1


def _lte(time: int, a: int, b: int) -> bool:
    """Whether ``a`` came no later than ``b``, both being no later than ``time``, all wrapped."""
    return (time - a) & MAX_UINT32 >= (time - b) & MAX_UINT32
