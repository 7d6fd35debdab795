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
is taken (``candle_walk``). Between them the price keeps away from the extreme as a
three-dimensional Bessel bridge does, which is what a Brownian bridge is that must not cross it. A
walk that is only seen in slots stays inside of where it really was: extremes count 0.5826 step
further out (Broadie, Glasserman and Kou, "A continuity correction for discrete barrier options",
1997). Candles of every trade have been further out already: as far as ranges and closes say that
they are such, the walk turns that much before their high and low.

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

import random
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dexmm.history.candle import PricePath
from dexmm.history.packed_candles import PackedPath, packed
from dexmm.sim.agents.candle_variance import read_candles
from dexmm.sim.agents.candle_walk import draws_of, walk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLOT_SECONDS = 12
DIGITS = 7  # that a price has at least
BLOCK_SLOTS = 4096  # that are walked at a time

_WORTH_IT = 16_384  # slots from which on arrays pay for their import


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
        # Drawn for blocks of candles, which begin at the same times in every history.
        self._each = max(BLOCK_SLOTS // self.slots, 1)
        self._number, self._begun = -1, 0
        self._rows: list[list[int]] = []
        many = len(opens) * self.slots >= _WORTH_IT
        self._by_arrays = many and find_spec("numpy") is not None

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
        number, row = divmod(self._start // self._interval + index, self._each)
        if number != self._number:
            self._number, self._rows = number, self._block(number)
        return self._rows[row - self._begun]

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """All prices, a row for each candle, many candles at a time."""
        first = self._start // self._interval
        last = first + len(self.candles.own) - 1
        for number in range(first // self._each, last // self._each + 1):
            yield self._walked(number)

    def _block(self, number: int) -> list[list[int]]:
        """Those of the history's candles that are in a block; ``_begun`` rows of it are before."""
        first, last = self._of_block(number)
        self._begun = self._start // self._interval + first - number * self._each
        if self._by_arrays:
            return self._walked(number).tolist()  # type: ignore[no-any-return]
        draws = draws_of(self._dice(number), self.slots, self._each)
        return [
            walk(*self._corners(index), self.slots, draws[self._begun + index - first])
            for index in range(first, last)
        ]

    def _of_block(self, number: int) -> tuple[int, int]:
        """The first of the history's candles in a block, and the first after it."""
        begin = number * self._each - self._start // self._interval
        return max(begin, 0), min(begin + self._each, len(self.candles.own))

    def _dice(self, number: int) -> random.Random:
        at = number * self._each * self._interval
        return random.Random(f"walk:{self._seed}:{at}")  # noqa: S311 - a repeatable walk

    def _corners(self, index: int) -> tuple[int, int, int, int, float]:
        """What a candle is walked through, and its variance."""
        opened, high, low, close = (column[index] * self.finer for column in self._columns)
        candles = self.candles
        high, low = candles.nearer.get(index, (high, low))
        if inset := round(candles.insets[index] * opened):
            high = max(high - inset, opened, close)
            low = min(low + inset, opened, close)
        return opened, high, low, close, candles.walked[index] * opened * opened

    def _walked(self, number: int) -> NDArray[np.int64]:
        """The same as an array, a row for each candle."""
        import numpy as np

        from dexmm.sim.agents.candle_block import draws_block, walk_block

        first, last = self._of_block(number)
        opened, high, low, close = (
            np.asarray(column[first:last], dtype=np.int64) * self.finer for column in self._columns
        )
        candles = self.candles
        for index in range(first, last) if candles.nearer else ():
            if index in candles.nearer:
                high[index - first], low[index - first] = candles.nearer[index]
        insets = np.asarray(candles.insets[first:last], dtype=np.float64)
        inset = np.rint(insets * opened).astype(np.int64)
        high = np.maximum(np.maximum(high - inset, opened), close)
        low = np.minimum(np.minimum(low + inset, opened), close)
        variance = np.asarray(candles.walked[first:last], dtype=np.float64) * opened * opened
        even, normal = draws_block(self._dice(number), self.slots, self._each)
        begun = self._start // self._interval + first - number * self._each
        rows = slice(begun, begun + last - first)
        return walk_block(
            opened, high, low, close, variance, self.slots, (even[rows], normal[rows])
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
