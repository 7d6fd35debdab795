"""The pool's price with trades of other people in it, for any liquidity of ours.

A purchase of b base at the price p through the liquidity L multiplies the root s of the price by
1 + b s (1-f) / L, a sale by the inverse; then arbitrage clips it (``vectorised_path``). Trades'
sizes are taken at the fair price of the slot before, which is within the fee of the pool's. How
far a trade pushes depends on our liquidity, so every baseline has a path of its own. What they
share is worked out once:

    which slots can matter. A path in which only purchases happen, with none of our liquidity in
    their way, is above all others, and one with nothing but sales below them. Where the clip of a
    slot reaches neither, it changes no path: six of seven slots of a year of minutes.

    the order of what is left: the history is cut into blocks, and the first entries of all blocks
    lie side by side, then the second ones. All blocks are walked at once: first from both
    infinities, which says where each begins, then from there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dexmm.backtest.vectorised.price_path import (
    PIECE,
    PIPS,
    Bars,
    Floats,
    Integers,
    PoolPath,
    clipped_walk,
    pool_path,
    scale_of,
)
from dexmm.model.market import Market
from dexmm.sim.agents.noise_flow import Flow, NoiseStream
from dexmm.sim.agents.traders import NOISE_SLIPPAGE

BLOCKS = 1024  # walked side by side
ENOUGH = 160  # entries after which hardly ever a path remembers where it began


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Trades of other people in order of time, and the pool's liquidity that they meet."""

    slot: Integers  # of the history, before whose arbitrage each is mined
    base: Floats  # bought positive, sold negative; whole tokens
    others: float  # liquidity of everybody else around the price, smallest units


def noise_of(flow: Flow, seed: int, bars: Bars, others: float) -> Noise:
    """The very trades that the simulated street makes of this seed."""
    stream, interval = NoiseStream(flow, seed), bars.interval_seconds
    ends = [interval * number // bars.slots for number in range(1, bars.slots + 1)]
    slots, sizes = [], []
    for bar, trades in stream.pass_many(interval, len(bars)):
        for trade in trades:
            slots.append(bar * bars.slots + bisect_right(ends, trade.at))
            sizes.append(float(trade.base) if trade.buys_base else -float(trade.base))
    return Noise(slot=np.array(slots, dtype=np.int64), base=np.array(sizes), others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyPaths:
    """All paths of one history. Entries are slots whose clip may matter, and trades before them."""

    source: str
    market: Market
    interval_seconds: int
    first_at: int  # timestamp of the first turn
    opening: float
    others: float  # liquidity
    before: PoolPath  # of the first candle, without any trade: what liquidity is placed at first
    fair: Floats  # at each turn
    when: Floats  # the fair price of each entry's slot
    closed: Integers  # at each turn, how many entries have passed
    low: Floats  # the clip of each entry: a row for each place in a block, a column for each block
    high: Floats
    trade: Integers  # places of the trades in those
    push: Floats  # how far each would multiply through a liquidity of one, beyond one
    sale: NDArray[np.bool_]

    def path(self, ours: float = 0.0) -> PoolPath:
        """The path with so much liquidity of ours around the price, in smallest units."""
        walked = self._walked(self._factors(ours))
        start = math.sqrt(self.opening)
        moved = np.empty(len(walked), dtype=bool)
        moved[:1] = walked[:1] != start
        np.not_equal(walked[1:], walked[:-1], out=moved[1:])
        where = np.flatnonzero(moved)
        passed = np.zeros(len(walked) + 1, dtype=np.int64)
        np.cumsum(moved, out=passed[1:])
        return PoolPath(
            source=self.source,
            market=self.market,
            interval_seconds=self.interval_seconds,
            first_at=self.first_at,
            opening=self.opening,
            fair=self.fair,
            nodes=np.concatenate(([start], walked[where])),
            node_fair=np.concatenate(([self.opening], self.when[where])),
            node_of=passed[self.closed],
        )

    def _factors(self, ours: float) -> Floats:
        """By which each trade multiplies the root of the price."""
        return factors(self.push, self.sale, self.others + ours)

    def _walked(self, factor: Floats) -> Floats:
        """The root of the price after each entry, in their order."""
        low, high = self.low, self.high
        by = np.ones(low.shape)
        by.reshape(-1)[self.trade] = factor
        starts = self._starts(by)
        here = starts
        for row in range(len(low)):
            after = by[row]
            np.multiply(here, after, out=after)
            np.maximum(after, low[row], out=after)
            here = np.minimum(after, high[row], out=after)
        return by.T.reshape(-1)[: len(self.when)]

    def _starts(self, by: Floats) -> Floats:
        """Where each block begins: where the one before it ends, wherever that began.

        Paths that a clip has touched are one from there on: mostly the last entries of a block,
        from both infinities, tell its end. Where they do not, all of them do, and the path through
        the block itself.
        """
        low, high = self.low, self.high
        width, blocks = low.shape
        root = math.sqrt(self.opening)
        for first in (max(width - ENOUGH, 0), 0):
            ends = np.zeros((2, blocks))
            ends[1] = np.inf
            for row in range(first, width):
                ends *= by[row]
                np.maximum(ends, low[row], out=ends)
                np.minimum(ends, high[row], out=ends)
            if (ends[0, :-1] == ends[1, :-1]).all():
                return np.concatenate(([root], ends[0, :-1]))
        product, starts = np.multiply.reduce(by, axis=0), []
        for scale, below, above in zip(product.tolist(), *ends.tolist(), strict=True):
            starts.append(root)
            root = min(max(root * scale, below), above)
        return np.array(starts)


def factors(push: Floats, sale: NDArray[np.bool_], liquidity: float) -> Floats:
    """By which trades multiply the root of the price: no further than they let it slip."""
    found = np.minimum(1 + push / liquidity, math.sqrt(1 + float(NOISE_SLIPPAGE)))
    return np.divide(1, found, out=found, where=sale)


def noisy_paths(bars: Bars, market: Market, noise: Noise) -> NoisyPaths:
    """What all paths through a history and these trades share."""
    scale, total = scale_of(market), len(bars.walked)
    opening = float(bars.open[0]) * scale
    pieces = _Pieces(market, math.sqrt(opening), noise.others)
    before = opening
    for first in range(0, total, PIECE):
        fair = bars.walked[first : first + PIECE] * scale
        trades = slice(*np.searchsorted(noise.slot, (first, first + PIECE)))
        pieces.add(fair, first, before, noise.slot[trades] - first, noise.base[trades])
        before = float(fair[-1])
    slots, push = np.concatenate(pieces.slots), np.concatenate(pieces.push)
    count = len(slots) + len(noise.slot)
    # Of the trades in a slot and its clip, the clip is last.
    at_slot = np.arange(len(slots)) + np.searchsorted(noise.slot, slots, "right")
    at_trade = np.arange(len(noise.slot)) + np.searchsorted(slots, noise.slot, "left")
    when = np.empty(count)
    when[at_slot] = bars.walked[slots] * scale
    when[at_trade] = bars.walked[noise.slot] * scale
    closes = np.arange(bars.slots - 1, total, bars.slots)
    closed = np.searchsorted(slots, closes, "right") + np.searchsorted(noise.slot, closes, "right")
    blocks = min(BLOCKS, max(math.isqrt(count), 1))
    width = max(-(-count // blocks), 1)
    low, high = np.zeros(width * blocks), np.full(width * blocks, np.inf)
    place = at_slot % width * blocks + at_slot // width
    low[place], high[place] = np.concatenate(pieces.lower), np.concatenate(pieces.upper)
    return NoisyPaths(
        source=bars.source,
        market=market,
        interval_seconds=bars.interval_seconds,
        first_at=bars.start + bars.interval_seconds,
        opening=opening,
        others=noise.others,
        before=pool_path(bars.first(1), market),
        fair=bars.walked[bars.slots - 1 :: bars.slots] * scale,
        when=when,
        closed=closed.astype(np.int64),
        low=low.reshape(width, blocks),
        high=high.reshape(width, blocks),
        trade=at_trade % width * blocks + at_trade // width,
        push=push,
        sale=noise.base < 0,
    )


class _Pieces:
    """The slots whose clip reaches the highest or the lowest path that there can be, and what is
    known of them and of the trades; piece after piece of the history."""

    def __init__(self, market: Market, root: float, others: float) -> None:
        self._market, self._others = market, others
        self._highest = self._lowest = root
        self.slots: list[Integers] = []
        self.lower: list[Floats] = []
        self.upper: list[Floats] = []
        self.push: list[Floats] = []

    def add(self, fair: Floats, first: int, before: float, slot: Integers, base: Floats) -> None:
        """``fair`` of the slots from ``first`` on, after one at ``before``; trades' ``slot`` is
        counted from there."""
        kept = 1 - self._market.fee_pips / PIPS
        lower, upper = np.sqrt(fair * kept), np.sqrt(fair / kept)
        then = np.concatenate(([before], fair[:-1]))[slot]
        push = np.abs(base) * 10.0**self._market.base.decimals * np.sqrt(then) * kept
        factor, sale = factors(push, base < 0, self._others), base < 0
        count = len(fair) + len(slot)
        arrived = np.arange(len(fair)) + np.searchsorted(slot, np.arange(len(fair)), "right")
        traded = np.ones(count, dtype=bool)
        traded[arrived] = False
        low, high = np.zeros(count), np.full(count, np.inf)
        low[arrived], high[arrived] = lower, upper
        by = np.ones(count)
        by[traded] = np.where(sale, factor, 1.0)
        lowest = clipped_walk(self._lowest, low, high, by)
        reached = lower > np.concatenate(([self._lowest], lowest[:-1]))[arrived]
        by[traded] = np.where(sale, 1.0, factor)
        highest = clipped_walk(self._highest, low, high, by)
        reached |= upper < np.concatenate(([self._highest], highest[:-1]))[arrived]
        self._lowest, self._highest = float(lowest[-1]), float(highest[-1])
        found = np.flatnonzero(reached)
        self.slots.append(found + first)
        self.lower.append(lower[found])
        self.upper.append(upper[found])
        self.push.append(push)
