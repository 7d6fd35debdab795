"""The strategies' own mathematics of ranges, in floats.

What ``strategy/strategies`` and ``strategy/edges`` say in decimals, along the same ladder: rungs
rise with the price whatever the order of the tokens, ``s`` is the square root of the price in
smallest units, and liquidity ``L`` over a range holds

    base = L (1/s - 1/s_ask),   quote = L (s - s_bid)         with s clipped to the range
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from dexmm.model.market import Market
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import Q96

LN_TICK = math.log(1.0001)


class Lies(Enum):
    """Where a range lay when it was opened."""

    BELOW = "below the price"
    ABOVE = "above the price"
    AROUND = "around the price"


@dataclass(frozen=True, slots=True)
class Spread:
    """Two rungs and their roots."""

    bid: int
    ask: int
    low: float
    high: float

    def amounts(self, s: float) -> tuple[float, float]:
        """Base and quote of one unit of liquidity at ``s``."""
        inside = min(max(s, self.low), self.high)
        return 1 / inside - 1 / self.high, inside - self.low

    def affordable(self, s: float, base: float, quote: float) -> float:
        """The most liquidity that both amounts can pay for."""
        base_each, quote_each = self.amounts(s)
        limits = [base / base_each] if base_each > 0 else []
        limits += [quote / quote_each] if quote_each > 0 else []
        return max(min(limits), 0.0)

    def value(self, s: float, liquidity: float) -> float:
        """In quote at the pool's price."""
        base, quote = self.amounts(s)
        return liquidity * (base * s * s + quote)


@dataclass(frozen=True, slots=True)
class Held:
    """Liquidity in a range."""

    spread: Spread
    liquidity: float
    lies: Lies

    def least(self, s: float, slippage: float) -> tuple[float, float]:
        """What taking it out is sure to pay while the price stays ``slippage`` near."""
        away = math.sqrt(1 - slippage)
        base, _ = self.spread.amounts(s / away)
        _, quote = self.spread.amounts(s * away)
        return base * self.liquidity, quote * self.liquidity


@dataclass(frozen=True, slots=True)
class Grid:
    """The rungs of a market as floats."""

    ladder: Ladder

    @classmethod
    def of(cls, market: Market) -> Grid:
        return cls(Ladder.of(market))

    def root_at(self, rung: int) -> float:
        """The nearest float, but for one rounding where the base is token1."""
        ratio = get_sqrt_ratio_at_tick(self.ladder.sign * rung)
        return ratio / Q96 if self.ladder.sign > 0 else Q96 / ratio

    def spread(self, bid: int, ask: int) -> Spread:
        return Spread(bid, ask, self.root_at(bid), self.root_at(ask))

    def around(self, s: float, rungs: int) -> Spread:
        """Edges this many rungs below and above the price, rounded outwards."""
        rung = 2 * math.log(s) / LN_TICK
        bid = self.ladder.down(math.floor(rung) - rungs)
        ask = self.ladder.up(math.ceil(rung) + rungs)
        return self.spread(bid, ask)

    def below(self, s: float, bid: int) -> Spread | None:
        """From ``bid`` up to the last usable rung under the price."""
        last = self.ladder.down(math.floor(2 * math.log(s) / LN_TICK))
        return self.spread(bid, last) if bid < last else None

    def above(self, s: float, ask: int) -> Spread | None:
        """From the first usable rung over the price up to ``ask``."""
        first = self.ladder.up(math.ceil(2 * math.log(s) / LN_TICK))
        return self.spread(first, ask) if first < ask else None

    def everything(self) -> Spread:
        return self.spread(-self.ladder.top, self.ladder.top)


def rungs_of(edge_bp: float) -> int:
    """A distance of log price in rungs, rounded outwards."""
    return math.ceil(edge_bp / 10_000 / LN_TICK)


def beside(grid: Grid, s: float, around: Spread) -> tuple[tuple[Spread, Lies], ...]:
    """Where the rest of either token can wait: from the price's next rung to the edge."""
    below, above = grid.below(s, around.bid), grid.above(s, around.ask)
    found = ((below, Lies.BELOW), (above, Lies.ABOVE))
    return tuple((spread, lies) for spread, lies in found if spread is not None)


def waiting(spread: Spread, lies: Lies, s: float, base: float, quote: float) -> Held:
    """The vaults' rule: the larger of what is left waits on its own side, the other not at all."""
    above = base * s * s > quote
    if above != (lies is Lies.ABOVE):
        return Held(spread, 0.0, lies)
    paid = (base, 0.0) if above else (0.0, quote)
    return Held(spread, spread.affordable(s, *paid), lies)


def outer_edges(grid: Grid, held: tuple[Held, ...]) -> Spread:
    """Where these have done all they can; as ``held_ranges.edges_of``. ``held`` is not empty."""
    for one in held:
        if one.lies is Lies.AROUND:
            return one.spread
    spread, top = held[0].spread, grid.ladder.top
    width = spread.ask - spread.bid
    if held[0].lies is Lies.BELOW:
        return grid.spread(spread.bid, min(spread.ask + width, top))
    return grid.spread(max(spread.bid - width, -top), spread.ask)
