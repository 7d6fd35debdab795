"""The pool's price over a history, computed once for every strategy that is tried on it.

Arbitrage, which costs nothing here, keeps the pool inside [F (1-f), F / (1-f)] at each slot of each
candle (``sim/agents/price_walk.py``), so

    s_k = min(max(s_(k-1), sqrt(F_k (1-f))), sqrt(F_k / (1-f)))

for the square root ``s`` of the price: nothing here depends on who provides the liquidity. The
recursion is sequential, but a chain of clips is itself one clip, ``clip(s, a, b)``, and ``a`` and
``b`` are where the chain takes minus and plus infinity. So the history is cut into blocks, all
blocks are walked at once from both infinities, and the true start of each block clips the two.
Clipping only selects, hence the result is the sequential one, bit for bit.

Trades of other people multiply ``s`` between two clips (``vectorised_noise``). A chain of
multiplications and clips is a multiplication and a clip, and the same blocks do.

Prices, roots and amounts here are floats in smallest units, quote per base.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dexmm.history.packed_candles import PackedPath
from dexmm.model.market import Market
from dexmm.sim.agents.price_process import PricePath
from dexmm.sim.agents.price_walk import walk_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PIPS = 1_000_000
PIECE = 1 << 18  # slots that are walked at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Candles as columns; prices as people read them."""

    source: str
    interval_seconds: int
    start: int  # open time of the first, seconds
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    slots: int
    walked: Floats  # the fair price at the end of each slot, all of them in a row

    @classmethod
    def of(cls, path: PricePath | PackedPath, seed: int = 1) -> Bars:
        """Each price is the float nearest to the decimal; ``seed`` is the walk's."""
        packed = PackedPath.of(path) if isinstance(path, PricePath) else path
        scale = float(10**packed.price_decimals)
        walk = walk_of(packed, seed)
        walked, done = np.empty(len(packed) * walk.slots), 0
        for block in walk.blocks():
            walked[done : done + block.size] = block.ravel()
            done += block.size
        return cls(
            source=packed.source,
            interval_seconds=packed.interval_seconds,
            start=packed.start,
            open=packed.opens / scale,
            high=packed.highs / scale,
            low=packed.lows / scale,
            close=packed.closes / scale,
            slots=walk.slots,
            walked=np.divide(walked, float(10**walk.decimals), out=walked),
        )

    def __len__(self) -> int:
        return len(self.close)

    def first(self, count: int) -> Bars:
        """The first ``count``, without a copy."""
        columns = {name: getattr(self, name)[:count] for name in ("open", "high", "low", "close")}
        return replace(self, walked=self.walked[: count * self.slots], **columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPath:
    """Where the pool's price went. Turns are at the candles' closes."""

    source: str
    market: Market
    interval_seconds: int
    first_at: int  # timestamp of the first turn
    opening: float  # the fair price before the first candle
    fair: Floats  # at each turn
    nodes: Floats  # roots of the pool's price, one for each time it moved; the first is the opening
    node_fair: Floats  # the fair price when it moved there
    node_of: Integers  # at each turn, the last node before it

    def __len__(self) -> int:
        return len(self.fair)

    def roots(self, first: int, last: int) -> Floats:
        """The root of the pool's price at the turns ``first`` to ``last - 1``."""
        return self.nodes[self.node_of[first:last]]

    def root(self, turn: int) -> float:
        return float(self.nodes[self.node_of[turn]])


def scale_of(market: Market) -> float:
    """Smallest units of quote per smallest unit of base, for one whole quote per whole base."""
    return float(10.0 ** (market.quote.decimals - market.base.decimals))


def pool_path(bars: Bars, market: Market) -> PoolPath:
    """Walk the whole history, in which nobody trades but arbitrage; only where the price moved is
    kept. Piece by piece: no column of all slots is made."""
    scale, total = scale_of(market), len(bars.walked)
    opening = float(bars.open[0]) * scale
    kept, root = 1 - market.fee_pips / PIPS, math.sqrt(opening)
    nodes, fairs, places = [np.array([root])], [np.array([opening])], []
    for first in range(0, total, PIECE):
        fair = bars.walked[first : first + PIECE] * scale
        walked = clipped_walk(root, np.sqrt(fair * kept), np.sqrt(fair / kept))
        moved = np.empty(len(walked), dtype=bool)
        moved[0] = walked[0] != root
        np.not_equal(walked[1:], walked[:-1], out=moved[1:])
        where = np.flatnonzero(moved)
        nodes.append(walked[where])
        fairs.append(fair[where])
        places.append(where + first)
        root = float(walked[-1])
    closes = np.arange(bars.slots - 1, total, bars.slots)
    return PoolPath(
        source=bars.source,
        market=market,
        interval_seconds=bars.interval_seconds,
        first_at=bars.start + bars.interval_seconds,
        opening=opening,
        fair=bars.walked[bars.slots - 1 :: bars.slots] * scale,
        nodes=np.concatenate(nodes),
        node_fair=np.concatenate(fairs),
        node_of=np.searchsorted(np.concatenate(places), closes, "right").astype(np.int64),
    )


def clipped_walk(start: float, lower: Floats, upper: Floats, by: Floats | None = None) -> Floats:
    """``s = clip(s * by[k], lower[k], upper[k])`` for every k in turn; ``by`` None is one.

    See the top of this file. ``lower`` is positive or 0, ``upper`` may be infinite.
    """
    count = len(lower)
    width = max(math.isqrt(count), 1)
    blocks = -(-count // width)
    low, high = _blocks(lower, blocks, width, 0.0), _blocks(upper, blocks, width, np.inf)
    factor = None if by is None else _blocks(by, blocks, width, 1.0)
    below, above = np.zeros(blocks), np.full(blocks, np.inf)
    scaled = None if by is None else np.ones(blocks)
    for k in range(width):
        if factor is not None and scaled is not None:
            below *= factor[:, k]
            above *= factor[:, k]
            scaled *= factor[:, k]
            factor[:, k] = scaled
        np.minimum(np.maximum(below, low[:, k], out=below), high[:, k], out=below)
        np.minimum(np.maximum(above, low[:, k], out=above), high[:, k], out=above)
        low[:, k], high[:, k] = below, above
    if factor is None:
        starts = _starts(start, low[:, -1], high[:, -1], None)
        walked = np.minimum(np.maximum(starts[:, None], low, out=low), high, out=low)
    else:
        starts = _starts(start, low[:, -1], high[:, -1], factor[:, -1])
        factor *= starts[:, None]
        walked = np.minimum(np.maximum(factor, low, out=low), high, out=low)
    return walked.ravel()[:count]


def _blocks(values: Floats, blocks: int, width: int, rest: float) -> Floats:
    """A copy in rows of ``width``, filled up with what changes nothing."""
    padded = np.full(blocks * width, rest)
    padded[: len(values)] = values
    return padded.reshape(blocks, width)


def _starts(start: float, low: Floats, high: Floats, factor: Floats | None) -> Floats:
    """Where each block begins: what the clips of all blocks before it make of ``start``."""
    factors = [1.0] * len(low) if factor is None else factor.tolist()
    found = []
    for below, above, by in zip(low.tolist(), high.tolist(), factors, strict=True):
        found.append(start)
        start = min(max(start * by, below), above)
    return np.array(found)
