"""Stretches of turns in which nothing is done: fees, principal and worth, a slice at a time.

Between two actions the ranges stand still, so principal and fees follow from the nodes of the
pool's path alone. A slice is small enough for the processor's cache.

A node that raises the root of the price inside a range from s to s' has taken in L (s' - s) of
quote for it, one that lowers it L (1/s' - 1/s) of base. The swap paid f / (1-f) of that on top,
and the pool's protocol kept its part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dexmm.backtest.vectorised.accumulator import Tally
from dexmm.backtest.vectorised.price_path import PIPS, Floats, PoolPath
from dexmm.backtest.vectorised.ranges import Held
from dexmm.model.market import Market

SLICE = 16_384  # turns: columns below what the allocator maps anew each time


@dataclass(frozen=True, slots=True)
class Rates:
    """What liquidity earns for each unit of a token that swaps bring in."""

    base: float
    quote: float

    @classmethod
    def of(cls, market: Market, fee_protocol: int) -> Rates:
        """``fee_protocol`` is ``slot0.feeProtocol``: token0's part in the low four bits."""
        gross = market.fee_pips / (PIPS - market.fee_pips)
        parts = [gross * (1 - (1 / part if part else 0)) for part in divmod(fee_protocol, 16)]
        one, zero = parts
        return cls(zero, one) if market.base_is_token0 else cls(one, zero)


Pair = tuple[float, float]
"""Base and quote."""


def pass_turns(
    path: PoolPath,
    turns: tuple[int, int],
    held: tuple[Held, ...],
    idle: Pair,
    rates: Rates,
    tally: Tally,
) -> list[Pair]:
    """The turns from the first to before the last; the fees that each of ``held`` earned in them.

    ``idle`` is what is in no range. There is a turn before the first.
    """
    first, last = turns
    fees = [(0.0, 0.0)] * len(held)
    for begin in range(first, last, SLICE):
        end = min(begin + SLICE, last)
        start = int(path.node_of[begin - 1])
        last_node = int(path.node_of[end - 1]) + 1
        way, when = path.nodes[start:last_node], path.node_fair[start:last_node]
        slice_ = _Slice(path.fair[begin:end], path.node_of[begin:end] - start, way, when)
        earned = slice_.pass_by(held, added(idle, *fees), rates, tally)
        fees = [added(*pair) for pair in zip(fees, earned, strict=True)]
    earned_base, earned_quote = added(*fees)
    tally.fees_base += earned_base
    tally.fees_quote += earned_quote
    return fees


def added(*pairs: Pair) -> Pair:
    return sum(base for base, _ in pairs), sum(quote for _, quote in pairs)


@dataclass(slots=True)
class _Slice:
    """``way[0]`` is where the pool stood before the first of these turns."""

    fair: Floats
    at: np.ndarray[tuple[int], np.dtype[np.int64]]  # of each turn, in ``way``
    way: Floats
    when: Floats  # the fair price at each node of it

    def pass_by(self, held: tuple[Held, ...], idle: Pair, rates: Rates, tally: Tally) -> list[Pair]:
        way = self.way
        bounds = float(way.min()), float(way.max())
        base, quote, fees_base, fees_quote = np.zeros((4, len(way)))
        earned = []
        for number, one in enumerate(held):
            here = _columns(one, way, bounds, rates)
            if number:
                base, quote = base + here[0], quote + here[1]
                fees_base, fees_quote = fees_base + here[2], fees_quote + here[3]
            else:
                base, quote, fees_base, fees_quote = here
            earned.append((float(here[2][-1]), float(here[3][-1])))
        if held:
            self._principal(held, base, quote, bounds, tally)
        for principal, fees, before in ((base, fees_base, idle[0]), (quote, fees_quote, idle[1])):
            np.add(principal, fees, out=fees)
            fees += before
        tally.see(self.fair, fees_base.take(self.at), fees_quote.take(self.at))
        return earned

    def _principal(
        self, held: tuple[Held, ...], base: Floats, quote: Floats, bounds: Pair, tally: Tally
    ) -> None:
        counted = tally.counted(len(self.fair))
        at = self.at[:counted]
        tally.deployed_sum += _dot(base.take(at), self.fair[:counted])
        tally.deployed_sum += float(quote.take(at).sum())
        moved_quote = float(quote[-1] - quote[0])
        tally.moved_base += float(base[-1] - base[0])
        tally.moved_quote += moved_quote
        tally.rebalancing += _dot(base[1:] - base[:-1], self.when[1:]) + moved_quote
        if any(one.spread.low <= bounds[0] and bounds[1] < one.spread.high for one in held):
            tally.in_range += counted
            return
        inside = np.zeros(len(self.way), dtype=bool)
        for one in held:
            inside |= (self.way >= one.spread.low) & (self.way < one.spread.high)
        tally.in_range += int(np.count_nonzero(inside.take(at)))


def _columns(
    one: Held, way: Floats, bounds: Pair, rates: Rates
) -> tuple[Floats, Floats, Floats, Floats]:
    """Principal at each node, and the fees of what swaps have brought in up to it."""
    spread, liquidity = one.spread, one.liquidity
    inside = way
    if bounds[0] < spread.low or spread.high < bounds[1]:
        inside = np.minimum(np.maximum(way, spread.low), spread.high)
    inverse = 1 / inside
    fees = []
    for values, rate in ((inverse, rates.base), (inside, rates.quote)):
        brought = np.zeros(len(way))
        risen = brought[1:]
        np.subtract(values[1:], values[:-1], out=risen)
        np.maximum(risen, 0, out=risen)
        np.cumsum(risen, out=risen)
        risen *= liquidity * rate
        fees.append(brought)
    inverse -= 1 / spread.high
    inverse *= liquidity
    quote = inside - spread.low
    quote *= liquidity
    return inverse, quote, fees[0], fees[1]


def _dot(one: Floats, other: Floats) -> float:
    """Without BLAS, whose threads take longer to wake than this does."""
    return float((one * other).sum())


def first_beyond(
    column: Callable[[int, int], Floats],
    turns: tuple[int, int],
    edges: tuple[float, float],
    running: int,
) -> int | None:
    """The first turn at which a value has been at or beyond an edge ``running`` turns in a row."""
    begin, last = turns
    low, high = edges
    size, run = 256, 0
    while begin < last:
        values = column(begin, min(begin + size, last))
        within = np.flatnonzero((values > low) & (values < high))
        if len(within) < len(values):
            found = _end_of_run(within, len(values), run, running)
            if found is not None:
                return begin + found
        run = len(values) - 1 - int(within[-1]) if len(within) else run + len(values)
        begin, size = begin + len(values), min(2 * size, SLICE)
    return None


def _end_of_run(
    within: np.ndarray[tuple[int], np.dtype[np.intp]], count: int, run: int, running: int
) -> int | None:
    """Where the first run outside ``within`` reaches its length; ``run`` are outside already."""
    before = np.concatenate(([-1 - run], within))
    after = np.concatenate((within, [count]))
    enough = np.flatnonzero(after - before > running)
    return int(before[enough[0]]) + running if len(enough) else None
