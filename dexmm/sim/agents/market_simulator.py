"""The other people, from candle to candle, on any ground that can mine a block.

Within a candle the fair price walks from slot to slot (``price_walk.py``). The noise trades of a
slot are mined in one block in its middle, and the arbitrageur answers at its end when that is worth
it. Price feeds speak in the first block of a slot when they are due. Slots in which nobody acts
have no block of their own. The last block of a candle carries its close time: the chain's clock is
the price path's clock.

Everything random comes from one seed, in streams of their own: prices do not change when the
flow does. The same street on Anvil and in memory makes the same blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import zip_longest
from typing import Protocol

from dexmm.model.market import Market
from dexmm.sim.agents.base_fee import BaseFee
from dexmm.sim.agents.noise_flow import Flow, NoiseStream, NoiseTrade
from dexmm.sim.agents.price_process import Candle, PricePath
from dexmm.sim.agents.price_walk import SLOT_SECONDS, PriceWalk, walk_of
from dexmm.sim.agents.traders import NO_COSTS, ArbitrageCosts, PoolSwap, arbitrage, noise

ZERO = Decimal(0)
TRADES_PER_BLOCK = 30
FEED_DEVIATION = Decimal("0.005")  # a feed speaks when the price has moved by this,
GOLD_HEARTBEAT_SECONDS = 86_400  # or after this long without a word
ETH_HEARTBEAT_SECONDS = 3_600

ARBITRAGEUR, NOISE = "arbitrageur", "noise"


@dataclass(slots=True, kw_only=True)
class Feed:
    """A price feed: what it last said, and when it will speak again."""

    name: str
    heartbeat_seconds: int
    said: Decimal
    said_at: int
    constant: bool = False  # it does not follow the fair price

    def due(self, price: Decimal, at: int) -> bool:
        moved = not self.constant and abs(price / self.said - 1) >= FEED_DEVIATION
        return moved or at - self.said_at >= self.heartbeat_seconds


@dataclass(frozen=True, slots=True)
class Spoken:
    """A feed's new answer."""

    feed: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Trade:
    """A swap in the pool, by somebody else."""

    trader: str
    swap: PoolSwap


Deed = Spoken | Trade


def together(trades: Sequence[NoiseTrade]) -> Sequence[NoiseTrade]:
    """What a slot's trades come to in one block: those of many people are sent as fewer.

    Each side's are added up in as many parts as fit, the two sides in turns.
    """
    if len(trades) <= TRADES_PER_BLOCK:
        return trades
    sides = []
    for buys_base in (True, False):
        side = [trade for trade in trades if trade.buys_base is buys_base]
        each = -(-len(side) * 2 // TRADES_PER_BLOCK)
        sides.append(
            [
                replace(side[first], base=sum((t.base for t in side[first : first + each]), ZERO))
                for first in range(0, len(side), max(each, 1))
            ]
        )
    pairs = zip_longest(*sides)
    return [trade for pair in pairs for trade in pair if trade is not None]


class Ground(Protocol):
    """Where a street's blocks are mined."""

    @property
    def timestamp(self) -> int:
        """Of the newest block."""

    @property
    def sqrt_price_x96(self) -> int:
        """Of the pool."""

    @property
    def liquidity(self) -> int:
        """Of the pool, in range."""

    def mine_deeds(self, at: int, base_fee: BaseFee, deeds: Sequence[Deed]) -> None:
        """One block at ``at`` that holds these, in this order, at the newest base fee."""


class Street:
    """Moves a ground from candle to candle."""

    def __init__(
        self,
        market: Market,
        flow: Flow | None,
        interval_seconds: int,
        seed: int,
        price: Decimal,
        feeds: Sequence[Feed],
        *,
        walk: PriceWalk | None = None,
        costs: ArbitrageCosts = NO_COSTS,
        activity: Sequence[float] = (),
    ) -> None:
        """Without ``walk``, that of a whole history, each candle is walked by itself.

        ``activity`` is by how much more than ``flow`` says people trade in each of its candles.
        """
        self.market = market
        self.interval_seconds = interval_seconds
        self.costs = costs
        self.walk = walk
        self._activity = activity
        self._seed = seed
        self.fair_price = price
        self.feeds = tuple(feeds)
        self._noise = None if flow is None else NoiseStream(flow, seed)
        self.base_fee = BaseFee(seed)

    def noise(self, index: int = 0) -> tuple[NoiseTrade, ...]:
        """The noise trades of the next interval, the candle ``index``; each call draws one's."""
        if self._noise is None:
            return ()
        if not self._activity:
            return self._noise.pass_interval(self.interval_seconds)
        return self._noise.pass_interval(self.interval_seconds, self._activity[index])

    def quiet(self, index: int) -> bool:
        """Whether there are none in the candle ``index``; if so, it has been drawn."""
        if self._noise is None:
            return True
        busy = self._activity[index] if self._activity else 1.0
        return self._noise.pass_quiet(self.interval_seconds * busy)

    def pass_candle(self, ground: Ground, candle: Candle) -> None:
        """Everything that happens until the candle's close; the last block carries that time."""
        index = 0 if self.walk is None else self.walk.index(candle.at)
        trades, interval, prices = self.noise(index), self.interval_seconds, self.prices(candle)
        for number, price in enumerate(prices):
            start = interval * number // len(prices)
            end = interval * (number + 1) // len(prices)
            here = [trade for trade in trades if start <= trade.at < end]
            self.pass_slot(ground, price, here, candle.at + end)
        self.close(ground, candle.at + interval)

    def prices(self, candle: Candle) -> list[Decimal]:
        """The fair price at the end of each of the candle's slots."""
        walk, index = self.walk, 0
        if walk is None:
            alone = PricePath(
                source="one candle", interval_seconds=self.interval_seconds, candles=(candle,)
            )
            walk = walk_of(alone, self._seed)
        else:
            index = walk.index(candle.at)
        return [Decimal(units).scaleb(-walk.decimals) for units in walk.prices(index)]

    def pass_slot(
        self, ground: Ground, price: Decimal, trades: Sequence[NoiseTrade], at: int
    ) -> None:
        """The fair price is ``price``: feeds speak, noise trades, the arbitrageur answers."""
        self.fair_price = price
        deeds: list[Deed] = list(self._spoken(at, alone=not trades))
        if trades:
            trades = together(trades)
            there = ground.sqrt_price_x96
            deeds += [Trade(NOISE, noise(self.market, trade, there)) for trade in trades]
        for first in range(0, len(deeds), TRADES_PER_BLOCK):
            ahead = -(-(len(deeds) - first) // TRADES_PER_BLOCK)
            block = deeds[first : first + TRADES_PER_BLOCK]
            self._mine(ground, at - ahead * SLOT_SECONDS // 2, block)
        self.answer(ground, price, at)

    def answer(self, ground: Ground, price: Decimal, at: int) -> None:
        """The arbitrageur, at a fair price of ``price``."""
        self.fair_price = price
        swap = arbitrage(self.market, ground.sqrt_price_x96, price, ground.liquidity, self.costs)
        if swap is not None:
            self._mine(ground, at, (Trade(ARBITRAGEUR, swap),))

    def close(self, ground: Ground, at: int) -> None:
        """An empty block, unless one has carried the candle's close time already."""
        if ground.timestamp < at:
            self._mine(ground, at, ())

    def _mine(self, ground: Ground, at: int, deeds: Sequence[Deed]) -> None:
        self.base_fee.pass_block()
        ground.mine_deeds(max(at, ground.timestamp + 1), self.base_fee, deeds)

    def _spoken(self, at: int, *, alone: bool) -> list[Spoken]:
        """What feeds say; one that has nothing new to say waits for a block of somebody else's."""
        due = [f for f in self.feeds if f.due(f.said if f.constant else self.fair_price, at)]
        if alone and all(feed.constant for feed in due):
            return []
        for feed in due:
            feed.said, feed.said_at = (feed.said if feed.constant else self.fair_price), at
        return [Spoken(feed.name, feed.said) for feed in due]
