"""The walk within one candle, from numbers that are drawn beforehand (``price_walk`` says why).

Between two of its corners the price is a three-dimensional Bessel bridge: with a standard Brownian
motion W in each of three dimensions, seen at the j-th of m slots,

    x = s + W_j - j/m (W_m - (e - s)),   y, z = W_j - j/m W_m,   distance = sqrt(x^2 + y^2 + z^2)

is the distance from the extreme on a way from s to e. ``candle_block`` does the same to many
candles at once, with the same operations in the same order: a price is the same to its last digit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

CANDIDATES = 16  # times that are weighed, and more in a candle of many slots
SLOTS_EACH = 5
FEW_SLOTS = 10  # with no more than this there is little to choose: times as the square of the way
OUTSIDE = 0.5826  # steps
LEAST, MOST = 0.1, 1.2  # of (high - low)^2: what the variance of one candle can be
CORNERS = 1.7  # slots whose variance the steps into the corners themselves bring
TRIES = 16  # of the middle between two corners; each is taken three times in four


def candidates_of(slots: int) -> int:
    """How many times are weighed."""
    return max(CANDIDATES, slots // SLOTS_EACH) if slots > FEW_SLOTS else 0


def shape_of(slots: int) -> tuple[int, int]:
    """How many even and how many normal numbers a candle takes."""
    if slots < 3:
        return 0, 0
    candidates = candidates_of(slots)
    return (2 * candidates + 1 if candidates else 0) + TRIES, TRIES + 3 * slots


@dataclass(frozen=True, slots=True)
class Draws:
    """The numbers of one candle: even ones in [0, 1) first, then normal ones."""

    even: Sequence[float]
    normal: Sequence[float]


def draws_of(dice: random.Random, slots: int, candles: int = 1) -> list[Draws]:
    """Those of so many candles: all even numbers, then all normal ones by the polar method."""
    evens, normals = shape_of(slots)
    even = [dice.random() for _ in range(evens * candles)]
    normal: list[float] = []
    while len(normal) < normals * candles:
        one, other = 2.0 * dice.random() - 1.0, 2.0 * dice.random() - 1.0
        square = one * one + other * other
        if 0.0 < square < 1.0:
            factor = math.sqrt(-2.0 * math.log(square) / square)
            normal += [factor * other, factor * one]
    return [
        Draws(even[n * evens : (n + 1) * evens], normal[n * normals : (n + 1) * normals])
        for n in range(candles)
    ]


def walk(
    opened: int,
    high: int,
    low: int,
    close: int,
    variance: float,
    slots: int,
    draws: Draws,
) -> list[int]:
    """The price at the end of each slot of one candle; all in the same units, variance in their
    square. The last is the close; high and low are reached where there are slots for them."""
    width = high - low
    if width <= 0 or slots == 1:
        return [close] * slots
    if slots == 2:
        outer = high if high - max(opened, close) >= min(opened, close) - low else low
        return [outer, close]
    variance = min(max(variance, LEAST * width * width), MOST * width * width)
    low_first, times = close >= opened, None
    if slots > FEW_SLOTS:
        low_first, times = _times(opened, high, low, close, variance, slots, draws.even)
    if low_first:
        first, sign, ways = low, 1, (opened - low, width, high - close)
    else:
        first, sign, ways = high, -1, (high - opened, width, close - low)
    counts = _counts(ways, times or tuple(float(way * way) for way in ways), slots)
    corners = CORNERS / slots if slots > FEW_SLOTS else 0.0
    step = math.sqrt(variance * (1 - corners) / slots)
    before = counts[1] // 2
    middle = _middle(before, counts[1] - before, step, float(width), draws)
    ways_on = tuple(
        tuple(accumulate(draws.normal[TRIES + n * slots : TRIES + (n + 1) * slots], initial=0.0))
        for n in range(3)
    )
    bridge = _Bridge(ways_on, step, float(width))
    begun = counts[0]
    away = bridge.distances(0, begun, float(ways[0]), 0.0)
    away += bridge.distances(begun, before, 0.0, middle)
    back = bridge.distances(begun + before, counts[1] - before, width - middle, 0.0)
    back += bridge.distances(begun + counts[1], counts[2], 0.0, float(ways[2]))
    away += [width - distance for distance in back]
    prices = [first + sign * round(distance) for distance in away]
    prices[-1] = close
    return prices


def _counts(ways: Sequence[int], times: Sequence[float], slots: int) -> list[int]:
    """Slots of each leg, in proportion to its time: at least one where there is any way to go."""
    known = [time if way else 0.0 for way, time in zip(ways, times, strict=True)]
    total = known[0] + known[1] + known[2]
    counts = [
        max(round(slots * time / total), 1) if way else 0
        for way, time in zip(ways, known, strict=True)
    ]
    counts[counts.index(max(counts))] += slots - sum(counts)
    return counts


def _times(
    opened: int,
    high: int,
    low: int,
    close: int,
    variance: float,
    slots: int,
    even: Sequence[float],
) -> tuple[bool, tuple[float, float, float] | None]:
    """Whether the low comes first, and how long each leg takes, in units of variance."""
    out = OUTSIDE * math.sqrt(variance / slots)
    width = high - low + 2 * out
    down, up = opened - low + out, high - opened + out
    from_high, from_low = high - close + out, close - low + out
    least = variance / slots / 2
    sums, found, total = [], [], 0.0
    candidates = candidates_of(slots)
    for place in range(candidates):
        pair = even[2 * place], even[2 * place + 1]
        one, other = min(pair), max(pair)
        first = max(one * variance, least)
        second = max((other - one) * variance, least)
        third = max((1 - other) * variance, least)
        across = _across(width, second)
        found.append((first, second, third))
        total += across * _passage(down, width, first) * _passage(from_high, width, third)
        sums.append(total)
        total += across * _passage(up, width, first) * _passage(from_low, width, third)
        sums.append(total)
    if total <= 0:
        return close >= opened, None
    drawn = even[2 * candidates] * total
    place = next((place for place, upto in enumerate(sums) if upto > drawn), len(sums) - 1)
    return place % 2 == 0, found[place // 2]


def _passage(x: float, width: float, time: float) -> float:
    """How likely the way from ``x`` to a barrier takes ``time``, without the one at ``width``."""
    twice, halved = 2 * width, -0.5 / time
    back, on = x - twice, x + twice
    found = (
        x * math.exp(halved * x * x)
        + back * math.exp(halved * back * back)
        + on * math.exp(halved * on * on)
    )
    return max(found, 0.0) / (time * math.sqrt(time))


def _across(width: float, time: float) -> float:
    """How likely the way from one barrier to the other takes ``time``."""
    ratio = width * width / time
    found = (ratio - 1) * math.exp(-ratio / 2) + (9 * ratio - 1) * math.exp(-4.5 * ratio)
    return max(found, 0.0) / (time * math.sqrt(time))


def _middle(before: int, after: int, step: float, width: float, draws: Draws) -> float:
    """How far from the first extreme the way to the other one is in its middle slot."""
    count = before + after
    if count < 2:
        return 0.0
    spread = step * math.sqrt(before * after / count)
    middle = width * before / count
    skipped = len(draws.even) - TRIES
    for number in range(TRIES):
        away = middle + spread * draws.normal[number]
        inside = 0 < away < width
        if inside and draws.even[skipped + number] * width * width < 4 * away * (width - away):
            return away
    return middle


@dataclass(frozen=True, slots=True)
class _Bridge:
    """``ways`` are the sums of each dimension's normal numbers, from 0."""

    ways: tuple[tuple[float, ...], ...]
    step: float
    width: float

    def distances(self, begun: int, count: int, start: float, end: float) -> list[float]:
        """From an extreme, after each of ``count`` slots, the last being ``end``."""
        if count == 0:
            return []
        step, width = self.step, self.width
        out = OUTSIDE * step
        xs, ys, zs = self.ways
        x0, y0, z0 = xs[begun], ys[begun], zs[begun]
        to_x = step * (xs[begun + count] - x0) - (end - start)
        to_y, to_z = step * (ys[begun + count] - y0), step * (zs[begun + count] - z0)
        found = []
        for passed in range(1, count):
            part, slot = passed / count, begun + passed
            x = start + out + step * (xs[slot] - x0) - part * to_x
            y = step * (ys[slot] - y0) - part * to_y
            z = step * (zs[slot] - z0) - part * to_z
            away = abs(math.sqrt(x * x + y * y + z * z) - out)
            found.append(away if away <= width else abs(2 * width - away) % width)
        found.append(end)
        return found
