"""What a history's candles say of the fair price's variance (``price_walk`` says how and why).

Candle by candle, or many at a time where numpy is there: the same operations in the same order, so
that both find the same to the last digit. Only where wicks agree less with the changes than closes
bear out does a candle depend on all before it in a way that columns cannot tell.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dexmm.sim.agents.candle_walk import OUTSIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ERRORS = 3.0  # standard errors by which ranges may say more than changes
FARTHEST = 4.0  # mean ranges of the neighbours that a wick reaches at most
NEIGHBOURS = 16  # candles after which an earlier one's weight has fallen to 1/e
_CLOSE_PART = 2 * math.log(2) - 1
_RANGE = 2 * math.sqrt(2 / math.pi)  # the mean range of a Brownian motion of variance 1
_LEAST_SHOWN = 0.4  # a handful of slots: the formula is for many
_UNLIKE = 0.03  # how far a real price is from a Brownian one in this
_CERTAIN = 50.0
_NOISE, _NOISE_IN_SLOTS, _OUTLIER = 0.3, 0.95, 25.0
_LOOK_ALWAYS = 1024  # candles
_NOTHING = 1e-9
_CUT = 1 - 1e-12  # less than one: the corners are not the candle's
_TOGETHER = 8192  # candles


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
    reader, columns, count = _Reader(slots, finer), (opens, highs, lows, closes), len(opens)
    many = count > 2 * _TOGETHER and find_spec("numpy") is not None
    for first in range(0, count, _TOGETHER):
        part = tuple(column[first : first + _TOGETHER] for column in columns)
        if not (many and first and reader.together(*part)):
            reader.one_by_one(*part)
    return Candles(reader.found, reader.walked, reader.insets, reader.nearer)


@dataclass(slots=True)
class _Reader:
    """What is known after the candles until now; sums are of all, means of the newest."""

    slots: int
    finer: int
    found: array[float] = field(default_factory=lambda: array("d"))
    walked: array[float] = field(default_factory=lambda: array("d"))
    insets: array[float] = field(default_factory=lambda: array("f"))
    nearer: dict[int, tuple[int, int]] = field(default_factory=dict)
    mean: float = 0.0  # variance
    recent: float = 0.0  # range
    widths: float = 0.0
    ranges: float = 0.0
    changes: float = 0.0
    squares: float = 0.0
    both: float = 0.0  # change times wick
    wicks: float = 0.0
    scatter: float = 0.0
    noise: float = 0.0
    seen: float = 1.0
    inset: float = 0.0

    def one_by_one(
        self,
        opens: Sequence[int],
        highs: Sequence[int],
        lows: Sequence[int],
        closes: Sequence[int],
    ) -> None:
        """The next candles."""
        found, walked, insets, nearer = self.found, self.walked, self.insets, self.nearer
        finer = self.finer
        mean = self.mean
        recent = self.recent
        widths = self.widths
        ranges = self.ranges
        changes = self.changes
        squares = self.squares
        both = self.both
        wicks = self.wicks
        scatter = self.scatter
        noise = self.noise
        seen = self.seen
        inset = self.inset
        by_chance = _NOISE + _NOISE_IN_SLOTS / math.sqrt(self.slots)
        per_step = OUTSIDE / math.sqrt(self.slots)
        hidden, kept = _hidden(self.slots), math.exp(-1 / NEIGHBOURS)
        columns = zip(opens, highs, lows, closes, strict=True)
        for number, (opened, high, low, close) in enumerate(columns, start=len(found) + 1):
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
                whole = change + wick
                ranges += whole * whole / 2 - _CLOSE_PART * squared
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
                odd = own / mean - 1
                scatter += min(odd * odd, _OUTLIER)
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
        self.mean = mean
        self.recent = recent
        self.widths = widths
        self.ranges = ranges
        self.changes = changes
        self.squares = squares
        self.both = both
        self.wicks = wicks
        self.scatter = scatter
        self.noise = noise
        self.seen = seen
        self.inset = inset

    def together(
        self,
        opens: Sequence[int],
        highs: Sequence[int],
        lows: Sequence[int],
        closes: Sequence[int],
    ) -> bool:
        """As ``one_by_one``, in columns; False, with nothing done, where they cannot tell."""
        import numpy as np

        first, count = len(self.found) + 1, len(opens)
        number = np.arange(first, first + count)
        opened, high, low, close = (
            np.asarray(column, dtype=np.float64) for column in (opens, highs, lows, closes)
        )
        top, bottom = np.maximum(opened, close), np.minimum(opened, close)
        width, change = (high - low) / opened, (top - bottom) / opened
        above, below = (high - top) / opened, (bottom - low) / opened

        def sums(before: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
            """After each of them, and before the first."""
            return np.cumsum(np.concatenate(([before], values)))

        weight = 1 - math.exp(-1 / NEIGHBOURS)
        recent = np.array(_means(self.recent, width.tolist(), weight))
        widths = sums(self.widths, width)
        most = FARTHEST * np.maximum(recent[:-1], widths[:-1] / (number - 1))
        cut = (above > most) | (below > most)
        above, below = np.minimum(above, most), np.minimum(below, most)
        wick, squared = above + below, change * change
        changes = sums(self.changes, squared)
        both, wicks = sums(self.both, change * wick), sums(self.wicks, wick * wick)
        live = width > 0
        if (live & (both[1:] + wicks[1:] / 2 > changes[1:] * (0.5 + _CLOSE_PART))).any():
            return False
        whole = change + wick
        ranges = sums(self.ranges, whole * whole / 2 - _CLOSE_PART * squared)
        reach = change + wick * np.where(cut, _CUT, 1.0)
        own = np.where(live, reach * reach / 2 - _CLOSE_PART * squared, 0.0)
        mean = np.array(_means(self.mean, own.tolist(), weight))
        told = (own != 0) & (mean[:-1] != 0)
        odd = own / np.where(told, mean[:-1], 1.0) - 1
        scatter = sums(self.scatter, np.where(told, np.minimum(odd * odd, _OUTLIER), 0.0))
        by_chance = _NOISE + _NOISE_IN_SLOTS / math.sqrt(self.slots)
        noise = sums(self.noise, np.where(told, by_chance, 0.0))
        noisy = scatter[1:] <= noise[1:]
        informed = np.where(noisy, 0.0, 1 - noise[1:] / np.where(noisy, 1.0, scatter[1:]))
        seen, inset = np.empty(count), np.empty(count)
        hidden, per_step = _hidden(self.slots), OUTSIDE / math.sqrt(self.slots)
        now, here, begun = self.seen, self.inset, 0
        for place in range(-first % NEIGHBOURS, count, NEIGHBOURS):
            seen[begun:place], inset[begun:place] = now, here
            now = _agreement(
                float(ranges[place + 1]), float(changes[place + 1]), first + place, hidden
            )
            here, begun = (1 - (now - 1) / hidden) * per_step, place
        seen[begun:], inset[begun:] = now, here
        variance = (informed * own + (1 - informed) * mean[1:]) * seen
        moved = (own != 0) & (inset > _NOTHING)
        insets = np.where(moved, inset * np.sqrt(np.where(moved, variance, 0.0)), 0.0)
        finer = self.finer
        for place in np.flatnonzero(cut & live).tolist():
            self.nearer[first + place - 1] = (
                int(top[place]) * finer + round(float(above[place]) * _CUT * opens[place] * finer),
                int(bottom[place]) * finer
                - round(float(below[place]) * _CUT * opens[place] * finer),
            )
        self.found.frombytes((own * seen).tobytes())
        self.walked.frombytes(variance.tobytes())
        self.insets.frombytes(insets.astype(np.float32).tobytes())
        self.mean, self.recent, self.widths = float(mean[-1]), float(recent[-1]), float(widths[-1])
        self.ranges, self.changes = float(ranges[-1]), float(changes[-1])
        self.squares = float(sums(self.squares, own * own)[-1])
        self.both, self.wicks = float(both[-1]), float(wicks[-1])
        self.scatter, self.noise = float(scatter[-1]), float(noise[-1])
        self.seen, self.inset = now, here
        return True


def _means(mean: float, values: Sequence[float], weight: float) -> list[float]:
    """The exponentially weighted mean after each of them, and before the first."""
    found = [mean]
    for value in values:
        mean += weight * (value - mean)
        found.append(mean)
    return found


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
