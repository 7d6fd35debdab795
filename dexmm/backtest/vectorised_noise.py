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

from dexmm.backtest.vectorised_path import (
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
from dexmm.sim.flow import Flow, NoiseStream
from dexmm.sim.traders import NOISE_SLIPPAGE

BLOCKS = 1024  # walked side by side


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
    for bar in range(len(bars)):
        for trade in stream.pass_interval(interval):
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
        width, blocks = low.shape
        by = np.ones((width, blocks))
        by.reshape(-1)[self.trade] = factor
        ends = np.zeros((2, blocks))
        ends[1] = np.inf
        for row in range(width):
            ends *= by[row]
            np.maximum(ends, low[row], out=ends)
            np.minimum(ends, high[row], out=ends)
        product = np.multiply.reduce(by, axis=0)
        root = math.sqrt(self.opening)
        starts = []
        for scale, below, above in zip(product.tolist(), *ends.tolist(), strict=True):
            starts.append(root)
            root = min(max(root * scale, below), above)
        here = np.array(starts)
        for row in range(width):
            after = by[row]
            np.multiply(here, after, out=after)
            np.maximum(after, low[row], out=after)
            here = np.minimum(after, high[row], out=after)
        return by.T.reshape(-1)[: len(self.when)]


def factors(push: Floats, sale: NDArray[np.bool_], liquidity: float) -> Floats:
    """By which trades multiply the root of the price: no further than they let it slip."""
    found = np.minimum(1 + push / liquidity, math.sqrt(1 + float(NOISE_SLIPPAGE)))
    return np.divide(1, found, out=found, where=sale)


def noisy_paths(bars: Bars, market: Market, noise: Noise) -> NoisyPaths:
    """What all paths through a history and these trades share."""
    fair = bars.walked * scale_of(market)
    opening = float(bars.open[0]) * scale_of(market)
    kept = 1 - market.fee_pips / PIPS
    lower, upper = np.sqrt(fair * kept), np.sqrt(fair / kept)
    before = np.concatenate(([opening], fair[:-1]))[noise.slot]
    push = np.abs(noise.base) * 10.0**market.base.decimals * np.sqrt(before) * kept
    sale = noise.base < 0
    matters = _matters(math.sqrt(opening), (lower, upper), noise.slot, push, sale, noise.others)
    slots = np.flatnonzero(matters)
    count = len(slots) + len(noise.slot)
    # Of the trades in a slot and its clip, the clip is last.
    at_slot = np.arange(len(slots)) + np.searchsorted(noise.slot, slots, "right")
    at_trade = np.arange(len(noise.slot)) + np.searchsorted(slots, noise.slot, "left")
    when = np.empty(count)
    when[at_slot], when[at_trade] = fair[slots], fair[noise.slot]
    closes = np.arange(bars.slots - 1, len(fair), bars.slots)
    closed = np.searchsorted(slots, closes, "right") + np.searchsorted(noise.slot, closes, "right")
    blocks = min(BLOCKS, max(math.isqrt(count), 1))
    width = max(-(-count // blocks), 1)
    low, high = np.zeros(width * blocks), np.full(width * blocks, np.inf)
    place = at_slot % width * blocks + at_slot // width
    low[place], high[place] = lower[slots], upper[slots]
    return NoisyPaths(
        source=bars.source,
        market=market,
        interval_seconds=bars.interval_seconds,
        first_at=bars.start + bars.interval_seconds,
        opening=opening,
        others=noise.others,
        before=pool_path(bars.first(1), market),
        fair=np.ascontiguousarray(fair[bars.slots - 1 :: bars.slots]),
        when=when,
        closed=closed.astype(np.int64),
        low=low.reshape(width, blocks),
        high=high.reshape(width, blocks),
        trade=at_trade % width * blocks + at_trade // width,
        push=push,
        sale=sale,
    )


def _matters(
    start: float,
    clips: tuple[Floats, Floats],
    slot: Integers,
    push: Floats,
    sale: NDArray[np.bool_],
    others: float,
) -> NDArray[np.bool_]:
    """Whether a slot's clip reaches the highest or the lowest path that there can be."""
    lower, upper = clips
    factor = factors(push, sale, others)
    count = len(lower) + len(slot)
    arrived = np.arange(len(lower)) + np.searchsorted(slot, np.arange(len(lower)), "right")
    traded = np.ones(count, dtype=bool)
    traded[arrived] = False
    low, high = np.zeros(count), np.full(count, np.inf)
    low[arrived], high[arrived] = lower, upper
    reached = np.zeros(len(lower), dtype=bool)
    for sales in (True, False):
        by = np.ones(count)
        by[traded] = np.where(sale == sales, factor, 1.0)
        walked = clipped_walk(start, low, high, by)
        came = np.concatenate(([start], walked[:-1]))[arrived]
        reached |= lower > came if sales else upper < came
    return reached
