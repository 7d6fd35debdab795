"""Where the fair price is at every block of a candle: a seeded Brownian walk through its corners.

A candle says open, high, low and close, and a chain sees a price every slot. What arbitrage takes
and pays depends on the steps it sees: at the corners of long candles alone it would see jumps that
no chain ever saw. So between the corners the price walks in slots, such that the walk

    begins at the open, ends at the close, touches high and low, and never leaves them (what of a
    wick counts: below);
    has the variance of its neighbourhood, so that many candles walk as far as the price did;
    is the same for the same seed and candle, whoever trades against it.

For a Brownian motion with variance V over the candle, of which the four prices are known, the time
from the open to the first extreme, from there to the other one, and on to the close have the joint
density (w = high - low, x and y the distances of open and close to their extreme)

    f(x, t1) g(w, t2) f(y, t3),   t1 + t2 + t3 = V,   times in units of variance
    f(x, t) = sum_n (x + 2nw) t^-3/2 exp(-(x + 2nw)^2 / 2t)      first passage, a barrier at w
    g(w, t) = sum_n ((2n+1)^2 w^2 / t - 1) t^-3/2 exp(-(2n+1)^2 w^2 / 2t)   barrier to barrier

for each order of the extremes. A few times drawn evenly, and both orders, are weighed by it and one
is taken (``_times``). Between them the price keeps away from the extreme as a three-dimensional
Bessel bridge does, which is what a Brownian bridge is that must not cross it. A walk that is only
seen in slots stays inside of where it really was: extremes count 0.5826 step further out (Broadie,
Glasserman and Kou, "A continuity correction for discrete barrier options", 1997). Candles of every
trade have been further out already: as far as ranges and closes say that they are such, the walk
turns that much before their high and low.

The variance of a candle is Garman and Klass's (1980), (high - low)^2 / 2 - (2 ln 2 - 1)
(close - open)^2. A candle is walked with one between its own, which is noisy, and the mean of the
candles before it, which knows nothing of a sudden hour: its own counts by the part of its scatter
around that mean that is more than the estimate's own (empirical Bayes; none on a Brownian path,
three quarters in gold's candles). Both are raised where the changes from close
to close say that ranges were only seen in slots.

Candles are what was traded in one book, and a fair price does not follow it everywhere:

    A thin book's last price bounces between bid and ask, so its ranges are wider than its closes
    bear out: hours of PAXG spot in 2021 to 2023 have 1.5 to 2.2 times the variance in their ranges.
    Wicks, what reaches beyond open and close, count as far as all candles until now agree with
    their changes: times the k <= 1 at which the mean variance of the ranges is that of the changes
    and three standard errors.

    A wick beyond ``FARTHEST`` mean ranges of the neighbours is a book that ran empty (PAXG's
    perpetual on 2025-10-10: 3770 to 3087 to 4352 to 3983 within five minutes); it counts that far.
    Four mean ranges are six deviations; a fall that lasts until the close is no wick.

Without this, arbitrage would be charged for swings that nobody could sell into (in those histories
two thirds of all that it took), and whoever keeps liquidity would be paid fees for them. Prices of
a market in which that is nothing (a Brownian path, bitcoin's perpetual) go through every corner.

Prices here are floats, to 15 digits: they say where other people believe the price to be, and are
rounded to a price's units before anybody trades on them.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dexmm.sim.history import PricePath
from dexmm.sim.packed import PackedPath, packed

SLOT_SECONDS = 12
NEIGHBOURS = 16  # candles after which an earlier one's weight has fallen to 1/e
FARTHEST = 4.0  # mean ranges of the neighbours that a wick reaches at most
ERRORS = 3.0  # standard errors by which ranges may say more than changes
CANDIDATES = 16  # times that are weighed, and more in a candle of many slots
SLOTS_EACH = 5
FEW_SLOTS = 10  # with no more than this there is little to choose: times as the square of the way
OUTSIDE = 0.5826  # steps
LEAST, MOST = 0.1, 1.2  # of (high - low)^2: what the variance of one candle can be
DIGITS = 7  # that a price has at least

_CLOSE_PART = 2 * math.log(2) - 1
_RANGE = 2 * math.sqrt(2 / math.pi)  # the mean range of a Brownian motion of variance 1
_LEAST_SHOWN = 0.4  # a handful of slots: the formula is for many
_CORNERS = 1.7  # slots whose variance the steps into the corners themselves bring
_TRIES = 100
_UNLIKE = 0.03  # how far a real price is from a Brownian one in this
_CERTAIN = 50.0
_NOISE, _NOISE_IN_SLOTS, _OUTLIER = 0.3, 0.95, 25.0
_LOOK_ALWAYS = 1024  # candles
_NOTHING = 1e-9
_CUT = 1 - 1e-12  # less than one: the corners are not the candle's


class PriceWalk:
    """The walk of one history. Prices come in units of ``10 ** -decimals``."""

    def __init__(
        self,
        opens: Sequence[int],
        highs: Sequence[int],
        lows: Sequence[int],
        closes: Sequence[int],
        *,
        interval_seconds: int,
        price_decimals: int,
        start: int,
        seed: int,
    ) -> None:
        """Columns are multiples of ``10 ** -price_decimals``; ``start`` is a timestamp, seconds."""
        self.slots = slots_of(interval_seconds)
        self.finer = 10 ** max(0, DIGITS - len(str(opens[0]))) if len(opens) else 1
        self.decimals = price_decimals + len(str(self.finer)) - 1
        self.price_decimals = price_decimals
        self._columns = (opens, highs, lows, closes)
        self._interval, self._start, self._seed = interval_seconds, start, seed
        self.candles = read_candles(opens, highs, lows, closes, self.slots, self.finer)

    def index(self, at: int) -> int:
        """Of the candle that opens at ``at`` (timestamp, seconds)."""
        return (at - self._start) // self._interval

    @property
    def interval_seconds(self) -> int:
        return self._interval

    @property
    def slot_seconds(self) -> float:
        return self._interval / self.slots

    @property
    def opening(self) -> float:
        """The first price, quote per base."""
        return next(self.opens)

    @property
    def opens(self) -> Iterator[float]:
        """Of each candle, quote per base."""
        unit = 10.0**-self.price_decimals
        return (units * unit for units in self._columns[0])

    def prices(self, index: int) -> list[int]:
        """At the end of each slot of a candle; the last is its close."""
        opened, high, low, close = (column[index] * self.finer for column in self._columns)
        candles = self.candles
        high, low = candles.nearer.get(index, (high, low))
        if inset := round(candles.insets[index] * opened):
            high = max(high - inset, opened, close)
            low = min(low + inset, opened, close)
        dice = random.Random(f"walk:{self._seed}:{self._start + index * self._interval}")  # noqa: S311 - a repeatable walk
        return walk(
            opened, high, low, close, self.candles.walked[index] * opened * opened, self.slots, dice
        )


def walk_of(path: PricePath | PackedPath, seed: int) -> PriceWalk:
    """The walk of a history."""
    columns = packed(path)
    return PriceWalk(
        columns.open_units,
        columns.high_units,
        columns.low_units,
        columns.close_units,
        interval_seconds=columns.interval_seconds,
        price_decimals=columns.price_decimals,
        start=columns.start,
        seed=seed,
    )


def slots_of(interval_seconds: int) -> int:
    """How many blocks a candle has; at least one."""
    return max(interval_seconds // SLOT_SECONDS, 1)


@dataclass(frozen=True, slots=True)
class Candles:
    """What candles say of the fair price: variances are relative to a candle's squared open."""

    own: array[float]  # the variance of a candle by itself
    walked: array[float]  # what it is walked with
    insets: array[float]  # of high and low, relative to the open: what is not seen in slots
    nearer: dict[int, tuple[int, int]]  # high and low of those whose wicks count less

    @property
    def total(self) -> float:
        """Of all candles."""
        return math.fsum(self.own)


def read_candles(
    opens: Sequence[int],
    highs: Sequence[int],
    lows: Sequence[int],
    closes: Sequence[int],
    slots: int,
    finer: int = 1,
) -> Candles:
    """``nearer`` is in units ``finer`` times finer. Nothing after a candle counts in it."""
    found, walked, insets = array("d"), array("d"), array("f")
    nearer: dict[int, tuple[int, int]] = {}
    mean = ranges = squares = changes = 0.0
    recent = widths = both = wicks = 0.0  # both: change times wick
    scatter = noise = inset = 0.0
    seen = 1.0
    by_chance = _NOISE + _NOISE_IN_SLOTS / math.sqrt(slots)
    per_step = OUTSIDE / math.sqrt(slots)
    hidden, kept = _hidden(slots), math.exp(-1 / NEIGHBOURS)
    columns = zip(opens, highs, lows, closes, strict=True)
    for number, (opened, high, low, close) in enumerate(columns, start=1):
        own = 0.0
        weight = 1 - kept if number > NEIGHBOURS else max(1 - kept, 1 / number)
        if high > low:
            top, bottom = (close, opened) if close > opened else (opened, close)
            width, change = (high - low) / opened, (top - bottom) / opened
            above, below = (high - top) / opened, (bottom - low) / opened
            part = 1.0
            if number > NEIGHBOURS:
                most = FARTHEST * max(recent, widths / (number - 1))
                if above > most or below > most:
                    above, below, part = min(above, most), min(below, most), _CUT
            wick, squared = above + below, change * change
            changes += squared
            both += change * wick
            wicks += wick * wick
            ranges += (change + wick) ** 2 / 2 - _CLOSE_PART * squared
            if number > NEIGHBOURS and both + wicks / 2 > changes * (0.5 + _CLOSE_PART):
                part *= _part_of_wicks(changes, both, wicks, math.sqrt(squares) / ranges)
            reach = change + wick * part
            if part < 1:
                nearer[number - 1] = (
                    top * finer + round(above * part * opened * finer),
                    bottom * finer - round(below * part * opened * finer),
                )
            recent += weight * (width - recent)
            widths += width
            own = reach * reach / 2 - _CLOSE_PART * squared
            squares += own * own
        else:
            recent -= weight * recent
        if own and number > NEIGHBOURS and mean:
            scatter += min((own / mean - 1) ** 2, _OUTLIER)
            noise += by_chance
        informed = 1 - noise / scatter if scatter > noise else 0.0
        mean += weight * (own - mean)
        if number <= _LOOK_ALWAYS or not number % NEIGHBOURS:  # it hardly moves any more
            seen = _agreement(ranges, changes, number, hidden)
            inset = (1 - (seen - 1) / hidden) * per_step
        found.append(own * seen)
        variance = (informed * own + (1 - informed) * mean) * seen
        walked.append(variance)
        insets.append(inset * math.sqrt(variance) if own and inset > _NOTHING else 0.0)
    return Candles(found, walked, insets, nearer)


def walk(
    opened: int,
    high: int,
    low: int,
    close: int,
    variance: float,
    slots: int,
    dice: random.Random,
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
    if slots <= FEW_SLOTS:
        low_first, times = close >= opened, None
    else:
        low_first, times = _times(opened, high, low, close, variance, slots, dice)
    if low_first:
        first, sign, ways = low, 1, (opened - low, width, high - close)
    else:
        first, sign, ways = high, -1, (high - opened, width, close - low)
    counts = _counts(ways, times or tuple(float(way * way) for way in ways), slots)
    corners = _CORNERS / slots if slots > FEW_SLOTS else 0.0
    step = math.sqrt(variance * (1 - corners) / slots)
    walked = _bridge(counts[0], step, float(ways[0]), 0.0, width, dice)
    walked += _crossing(counts[1], step, float(width), dice)
    walked += [width - away for away in _bridge(counts[2], step, 0.0, float(ways[2]), width, dice)]
    prices = [first + sign * round(away) for away in walked]
    prices[-1] = close
    return prices


def _agreement(ranges: float, changes: float, count: int, hidden: float) -> float:
    """By how much the variance seen in ranges is too small, from the sums of both kinds.

    Prices that are looked at in slots only never quite show their extremes (``hidden`` too little);
    prices of every trade do. Which of the two it is, the changes from close to close tell; they are
    too few to measure it by, so it is one, the other, or as likely as they make each of them.
    """
    if ranges <= 0 or changes <= 0:
        return 1 + hidden / 2
    ratio, noise = changes / ranges, 2 / count + _UNLIKE * _UNLIKE
    # The two likelihoods' ratio, as a logistic of the middle that lies between them.
    evidence = hidden * (ratio - 1 - hidden / 2) / noise
    return 1 + hidden / (1 + math.exp(-min(max(evidence, -_CERTAIN), _CERTAIN)))


def _part_of_wicks(changes: float, both: float, wicks: float, error: float) -> float:
    """How much of the wicks agrees with the changes, at most 1; ``error`` is relative.

    With the mean change b and wick w, (b + k w)^2 / 2 - (2 ln 2 - 1) b^2 is b^2 and its error.
    """
    agreed = (0.5 + _CLOSE_PART + ERRORS * error) * changes
    if both + wicks / 2 <= agreed:
        return 1.0
    return (math.sqrt(both * both + 2 * wicks * agreed) - both) / wicks


def _hidden(slots: int) -> float:
    """The part of a candle's variance that its range does not show when looked at in slots."""
    wider = (1 + 2 * OUTSIDE / (_RANGE * math.sqrt(slots))) ** 2
    shown = (1 + _CLOSE_PART) / wider - _CLOSE_PART
    return 1 / max(shown, _LEAST_SHOWN) - 1


def _counts(ways: Sequence[int], times: Sequence[float], slots: int) -> list[int]:
    """Slots of each leg, in proportion to its time: at least one where there is any way to go."""
    total = sum(time for way, time in zip(ways, times, strict=True) if way)
    counts = [
        max(round(slots * time / total), 1) if way else 0
        for way, time in zip(ways, times, strict=True)
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
    dice: random.Random,
) -> tuple[bool, tuple[float, float, float] | None]:
    """Whether the low comes first, and how long each leg takes, in units of variance."""
    out = OUTSIDE * math.sqrt(variance / slots)
    width = high - low + 2 * out
    down, up = opened - low + out, high - opened + out
    from_high, from_low = high - close + out, close - low + out
    least = variance / slots / 2
    weights, found = [], []
    for _ in range(max(CANDIDATES, slots // SLOTS_EACH)):
        one, other = sorted((dice.random(), dice.random()))
        first = max(one * variance, least)
        second = max((other - one) * variance, least)
        third = max((1 - other) * variance, least)
        across = _across(width, second)
        found.append((first, second, third))
        weights.append(across * _passage(down, width, first) * _passage(from_high, width, third))
        weights.append(across * _passage(up, width, first) * _passage(from_low, width, third))
    total, drawn = math.fsum(weights), dice.random()
    if total <= 0:
        return close >= opened, None
    rest = drawn * total
    for place, weight in enumerate(weights):
        rest -= weight
        if rest < 0:
            return place % 2 == 0, found[place // 2]
    return close >= opened, None


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


def _bridge(
    count: int, step: float, start: float, end: float, width: float, dice: random.Random
) -> list[float]:
    """Distances from an extreme, after each of ``count`` slots, the last being ``end``."""
    if count == 0:
        return []
    gauss, out, ways = dice.gauss, OUTSIDE * step, []
    goal = end + out
    x, y, z = start + out, 0.0, 0.0
    for left in range(count, 1, -1):
        kept = (left - 1) / left
        size = step * math.sqrt(kept)
        x += (goal - x) / left + gauss(0.0, size)
        y = y * kept + gauss(0.0, size)
        z = z * kept + gauss(0.0, size)
        away = abs(math.sqrt(x * x + y * y + z * z) - out)
        ways.append(away if away <= width else abs(2 * width - away) % width)
    ways.append(end)
    return ways


def _crossing(count: int, step: float, width: float, dice: random.Random) -> list[float]:
    """Distances from the first extreme on the way to the other, which is reached at the end."""
    if count < 2:
        return [width] * count
    before = count // 2
    after = count - before
    spread = step * math.sqrt(before * after / count)
    middle = width * before / count
    for _ in range(_TRIES):
        away = dice.gauss(middle, spread)
        if 0 < away < width and dice.random() * width * width < 4 * away * (width - away):
            middle = away
            break
    ways = _bridge(before, step, 0.0, middle, width, dice)
    return ways + [width - away for away in _bridge(after, step, width - middle, 0.0, width, dice)]
