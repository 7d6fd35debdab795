"""``candle_walk`` for many candles at once, to the same digit: what is one number there is a column
here, with the same operations in the same order."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from dexmm.sim.agents.candle_walk import (
    CORNERS,
    FEW_SLOTS,
    LEAST,
    MOST,
    OUTSIDE,
    TRIES,
    candidates_of,
    shape_of,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def draws_block(dice: random.Random, slots: int, candles: int) -> tuple[Floats, Floats]:
    """As ``draws_of``, a row for each candle: even numbers, and normal ones."""
    evens, normals = shape_of(slots)
    state = dice.getstate()[1]
    stream = np.random.RandomState()
    stream.set_state(("MT19937", np.array(state[:-1], dtype=np.uint32), state[-1], 0, 0.0))
    even = stream.random_sample((candles, evens))
    return even, stream.standard_normal((candles, normals))


def walk_block(
    opened: Integers,
    high: Integers,
    low: Integers,
    close: Integers,
    variance: Floats,
    slots: int,
    draws: tuple[Floats, Floats],
) -> Integers:
    """The price at the end of each slot, a row for each candle."""
    span = high - low
    if slots < 3:
        prices = np.repeat(close[:, None], slots, axis=1)
        if slots == 2:
            upper, lower = np.maximum(opened, close), np.minimum(opened, close)
            outer = np.where(high - upper >= lower - low, high, low)
            prices[:, 0] = np.where(span > 0, outer, close)
        return prices
    still = span <= 0
    width = np.where(still, 1, span).astype(np.float64)
    variance = np.minimum(np.maximum(variance, LEAST * width * width), MOST * width * width)
    even, normal = draws
    low_first, times = close >= opened, None
    if slots > FEW_SLOTS:
        corners = (opened, high, low, close)
        low_first, times = _times(corners, variance, slots, even)
    ways = np.empty((3, len(opened)))
    ways[0] = np.where(low_first, opened - low, high - opened)
    ways[1] = width
    ways[2] = np.where(low_first, high - close, close - low)
    counts = _counts(ways, ways * ways if times is None else times, slots)
    corner_part = CORNERS / slots if slots > FEW_SLOTS else 0.0
    step = np.sqrt(variance * (1 - corner_part) / slots)
    middle = _middle(counts[1], step, width, even[:, -TRIES:], normal[:, :TRIES])
    away = _away(ways, counts, step, middle, normal[:, TRIES:], slots)
    first, sign = np.where(low_first, low, high), np.where(low_first, 1, -1)
    walked: Integers = first[:, None] + sign[:, None] * np.rint(away).astype(np.int64)
    walked[still] = close[still][:, None]
    walked[:, -1] = close
    return walked


def _counts(ways: Floats, times: Floats, slots: int) -> Integers:
    known = np.where(ways > 0, times, 0.0)
    total = known[0] + known[1] + known[2]
    counts = np.rint(slots * known / total).astype(np.int64)
    counts = np.where(ways > 0, np.maximum(counts, 1), 0)
    largest = np.argmax(counts, axis=0)
    counts[largest, np.arange(counts.shape[1])] += slots - counts.sum(axis=0)
    return counts


def _times(
    corners: tuple[Integers, Integers, Integers, Integers],
    variance: Floats,
    slots: int,
    even: Floats,
) -> tuple[Flags, Floats]:
    """Whether the low comes first, and the times of the three legs."""
    opened, high, low, close = corners
    out = OUTSIDE * np.sqrt(variance / slots)
    wide = (high - low + 2 * out)[:, None]
    down, up = (opened - low + out)[:, None], (high - opened + out)[:, None]
    from_high, from_low = (high - close + out)[:, None], (close - low + out)[:, None]
    least, variances = (variance / slots / 2)[:, None], variance[:, None]
    candidates = candidates_of(slots)
    pairs = even[:, : 2 * candidates].reshape(len(opened), candidates, 2)
    one, other = pairs.min(axis=2), pairs.max(axis=2)
    first = np.maximum(one * variances, least)
    second = np.maximum((other - one) * variances, least)
    third = np.maximum((1 - other) * variances, least)
    across = _across(wide, second)
    weights = np.empty((len(opened), 2 * candidates))
    before, after = _Passage(wide, first), _Passage(wide, third)
    weights[:, 0::2] = across * before.of(down) * after.of(from_high)
    weights[:, 1::2] = across * before.of(up) * after.of(from_low)
    sums = np.cumsum(weights, axis=1)
    total = sums[:, -1]
    drawn = even[:, 2 * candidates] * total
    beyond = sums > drawn[:, None]
    place = np.where(beyond[:, -1], np.argmax(beyond, axis=1), 2 * candidates - 1)
    rows, chosen = np.arange(len(opened)), place // 2
    times = np.stack((first[rows, chosen], second[rows, chosen], third[rows, chosen]))
    unlikely = total <= 0
    if unlikely.any():
        rises = close >= opened
        legs = (
            np.where(rises, opened - low, high - opened),
            np.maximum(high - low, 1),
            np.where(rises, high - close, close - low),
        )
        squares = np.stack(legs).astype(np.float64) ** 2
        return np.where(unlikely, rises, place % 2 == 0), np.where(unlikely, squares, times)
    return place % 2 == 0, times


class _Passage:
    """What ``_passage`` of ``candle_walk`` is at these times, for any distance."""

    def __init__(self, width: Floats, time: Floats) -> None:
        self._twice, self._halved = 2 * width, -0.5 / time
        self._divisor = time * np.sqrt(time)

    def of(self, x: Floats) -> Floats:
        halved, back, on = self._halved, x - self._twice, x + self._twice
        found: Floats = (
            x * np.exp(halved * x * x)
            + back * np.exp(halved * back * back)
            + on * np.exp(halved * on * on)
        )
        return np.maximum(found, 0.0) / self._divisor


def _across(width: Floats, time: Floats) -> Floats:
    ratio = width * width / time
    found: Floats = (ratio - 1) * np.exp(-ratio / 2) + (9 * ratio - 1) * np.exp(-4.5 * ratio)
    return np.maximum(found, 0.0) / (time * np.sqrt(time))


def _middle(counts: Integers, step: Floats, width: Floats, even: Floats, normal: Floats) -> Floats:
    before = counts // 2
    after = counts - before
    spread = step * np.sqrt(before * after / counts)
    middle = width * before / counts
    away = middle[:, None] + spread[:, None] * normal
    wide = width[:, None]
    taken = (away > 0) & (away < wide) & (even * wide * wide < 4 * away * (wide - away))
    place = np.argmax(taken, axis=1)
    rows = np.arange(len(counts))
    found = np.where(taken[rows, place], away[rows, place], middle)
    return np.where(counts < 2, 0.0, found)


def _away(
    ways: Floats, counts: Integers, step: Floats, middle: Floats, normal: Floats, slots: int
) -> Floats:
    """Distances from the first extreme: four bridges, one after the other."""
    candles, width = len(step), ways[1]
    before = counts[1] // 2
    begun = np.zeros((5, candles), dtype=np.int64)
    begun[1] = counts[0]
    begun[2] = counts[0] + before
    begun[3] = counts[0] + counts[1]
    begun[4] = slots
    zero = np.zeros(candles)
    starts = np.stack((ways[0], zero, width - middle, zero))
    ends = np.stack((zero, middle, zero, ways[2]))
    # Of each slot: the bridge that it belongs to.
    slot = np.arange(1, slots + 1)
    leg = (slot > begun[1][:, None]).astype(np.int64)
    leg += slot > begun[2][:, None]
    leg += slot > begun[3][:, None]
    rows = np.arange(candles)[:, None]
    first = begun[leg, rows]
    last = begun[leg + 1, rows]
    count = last - first
    part = (slot - first) / count
    start, end, steps = starts[leg, rows], ends[leg, rows], step[:, None]
    out = OUTSIDE * steps
    square = None
    for dimension in range(3):
        way = np.zeros((candles, slots + 1))
        np.cumsum(normal[:, dimension * slots : (dimension + 1) * slots], axis=1, out=way[:, 1:])
        origin = way[rows, first]
        gone, whole = steps * (way[:, 1:] - origin), steps * (way[rows, last] - origin)
        if square is None:
            at = start + out + gone - part * (whole - (end - start))
            square = at * at
        else:
            at = gone - part * whole
            square = square + at * at
    assert square is not None  # noqa: S101 - there are three dimensions
    away = np.abs(np.sqrt(square) - out)
    wide = width[:, None]
    beyond = away > wide
    if beyond.any():
        away = np.where(beyond, np.abs(2 * wide - away) % wide, away)
    away = np.where(slot == last, end, away)
    distances: Floats = np.where(leg >= 2, wide - away, away)
    return distances
