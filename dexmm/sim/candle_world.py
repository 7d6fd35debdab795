"""Worlds that a backtest runs turns in.

``CandleWorld`` moves a chain along a price path as the sandbox does, block for block. Candles in
which nobody trades cost next to nothing: whether anybody does is known from the candle's low and
high, the pool's price and what the feeds last said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Protocol

from dexmm.history.candle import Candle
from dexmm.history.packed_candles import PackedPath
from dexmm.sim.agents.market_simulator import FEED_DEVIATION, Street
from dexmm.sim.agents.noise_flow import NoiseTrade
from dexmm.sim.agents.price_walk import PriceWalk
from dexmm.sim.agents.traders import PIPS, arbitrage, float_price, reluctance
from dexmm.sim.chain.chain import SimChain

# What floats are trusted with: candles this near to a threshold are looked at exactly.
_NEAR = 1e-9


class World(Protocol):
    """What turns are taken in."""

    chain: SimChain

    @property
    def fair_price(self) -> Decimal:
        """Quote per base, the world's own, now."""

    def advance(self) -> bool:
        """To the time of the next turn; False when the history is over."""

    def advance_to(self, doze: Doze) -> bool:
        """As ``advance``, over as many turns as may be slept through; at least one."""

    def take_moves(self) -> list[Move]:
        """Where others have moved the pool since the last call; empty where nobody knows."""

    @property
    def progress(self) -> tuple[int, int]:
        """Turns' times passed, and how many there are."""


Move = tuple[int, float]
"""A square-root price of the pool's, and the fair price at which others left it there. The first
of several is where the pool stood before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doze:
    """Until when no turn is needed: a time, or a price that leaves its interval."""

    until: int  # timestamp, seconds
    fair_low: Decimal
    fair_high: Decimal
    sqrt_low_x96: int
    sqrt_high_x96: int


def woken(world: World, doze: Doze) -> bool:
    """Whether a turn is needed now."""
    chain = world.chain
    return (
        chain.timestamp >= doze.until
        or not doze.fair_low <= world.fair_price <= doze.fair_high
        or not doze.sqrt_low_x96 <= chain.pool.sqrt_price_x96 <= doze.sqrt_high_x96
    )


class CandleWorld:
    """One turn after every ``every`` candles."""

    def __init__(
        self, chain: SimChain, street: Street, walk: PriceWalk, path: PackedPath, every: int = 1
    ) -> None:
        """``walk`` is that of ``path``, and the street's."""
        self.chain = chain
        self.street = street
        self._walk = walk
        self._path = path
        self._scale = 10**path.price_decimals
        self._every = every
        self._next = 0  # candle
        self._moves: list[Move] = []
        # Scaled prices: between the first two nobody trades against the pool, between the others
        # no feed speaks before ``_feed_at``.
        self._pool_low, self._pool_high = inf, -inf
        self._feed_low, self._feed_high, self._feed_at = inf, -inf, 0
        self._looked_at = (0, 0)  # the pool's price and liquidity when those were found

    @property
    def fair_price(self) -> Decimal:
        return self.street.fair_price

    @property
    def progress(self) -> tuple[int, int]:
        return self._next // self._every, len(self._path) // self._every

    def take_moves(self) -> list[Move]:
        """Every slot since the last call in which somebody traded."""
        moves, self._moves = self._moves, []
        return moves

    def advance(self) -> bool:
        """To the close of the last of the next ``every`` candles."""
        if self._next + self._every > len(self._path):
            return False
        self._pass(self._next + self._every, None)
        return True

    def upcoming(self) -> tuple[Candle, ...]:
        """The candles that ``advance`` would pass; none at the end."""
        until = self._next + self._every
        if until > len(self._path):
            return ()
        return tuple(self._path.candle(index) for index in range(self._next, until))

    def advance_to(self, doze: Doze) -> bool:
        """As ``advance``, over as many turns as may be slept through; at least one."""
        if self._next + self._every > len(self._path):
            return False
        self._pass(len(self._path) // self._every * self._every, doze)
        return True

    def _pass(self, until: int, doze: Doze | None) -> None:
        path, street, chain = self._path, self.street, self.chain
        lows, highs, closes = path.low_units, path.high_units, path.close_units
        interval, every = path.interval_seconds, self._every
        noise, quiet, base_fee, pool = street.noise, street.quiet, street.base_fee, chain.pool
        awake, fair_low, fair_high = inf, -inf, inf
        if doze is not None:
            awake, scale = doze.until, self._scale
            fair_low, fair_high = float(doze.fair_low) * scale, float(doze.fair_high) * scale
            sqrt_low, sqrt_high = doze.sqrt_low_x96, doze.sqrt_high_x96
        if (pool.sqrt_price_x96, pool.liquidity) != self._looked_at:
            self._look()
        if self._feed_at == 0:
            self._look_at_feeds()
        if not self._moves:
            self._moves.append((pool.sqrt_price_x96, float(street.fair_price)))
        index, skipped = self._next, 0  # candles behind us that were a block each
        while index < until:
            low, high, close = lows[index], highs[index], closes[index]
            opened = path.start + index * interval
            at = opened + interval
            trades = () if quiet(index) else noise(index)
            if (
                trades
                or low < self._pool_low
                or self._pool_high < high
                or low < self._feed_low
                or self._feed_high < high
                or self._feed_at <= at
            ):
                if skipped:
                    base_fee.pass_block(skipped)
                    chain.skip(opened, base_fee, skipped)
                    skipped = 0
                self._pass_noisy(opened, index, trades)
                if chain.timestamp < at:
                    skipped = 1
            else:
                skipped += 1
            index += 1
            if (
                doze is not None
                and index % every == 0
                and (
                    at >= awake
                    or not fair_low <= close <= fair_high
                    or not sqrt_low <= pool.sqrt_price_x96 <= sqrt_high
                )
            ):
                break
        if skipped:
            base_fee.pass_block(skipped)
            chain.skip(path.start + index * interval, base_fee, skipped)
        if index > self._next:
            street.fair_price = self._price(closes[index - 1])
        self._next = index

    def _pass_noisy(self, opened: int, index: int, trades: Sequence[NoiseTrade]) -> None:
        """The slots in which somebody trades, or may; the others change nothing."""
        street, interval, finer = self.street, self.street.interval_seconds, self._walk.finer
        prices = self._walk.prices(index)
        slots, waiting = len(prices), list(trades)
        due = self._feed_at <= opened + interval
        low, high = self._bounds(finer)
        fine = 10.0**self._walk.decimals
        for number, units in enumerate(prices):
            if low <= units <= high and not waiting and not due:
                continue
            until = opened + interval * (number + 1) // slots
            end, here = until - opened, []
            while waiting and waiting[0].at < end:
                here.append(waiting.pop(0))
            spoken = (
                until >= self._feed_at
                or not self._feed_low * finer <= units <= self._feed_high * finer
            )
            if here or spoken:
                street.pass_slot(self.chain, self._fine_price(units), here, until)
                if spoken:
                    self._look_at_feeds()
                    due = self._feed_at <= opened + interval
            elif not self._pool_low * finer <= units <= self._pool_high * finer:
                self._answer(self._fine_price(units), until)
            else:
                continue
            if self.chain.pool.sqrt_price_x96 != self._looked_at[0]:
                self._moves.append((self.chain.pool.sqrt_price_x96, units / fine))
            self._look()
            low, high = self._bounds(finer)

    def _bounds(self, finer: int) -> tuple[float, float]:
        """Of the walk's prices, between which nobody acts on a price."""
        return (
            max(self._pool_low, self._feed_low) * finer,
            min(self._pool_high, self._feed_high) * finer,
        )

    def _answer(self, price: Decimal, at: int) -> None:
        """``Street.answer``, without what only a chain of transactions needs."""
        street, chain = self.street, self.chain
        pool = chain.pool
        swap = arbitrage(street.market, pool.sqrt_price_x96, price, pool.liquidity, street.costs)
        if swap is not None:
            street.base_fee.pass_block()
            chain.skip(max(at, chain.timestamp + 1), street.base_fee)
            chain.swap(swap)

    def _fine_price(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self._walk.decimals)

    def _price(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self._path.price_decimals)

    def _look(self) -> None:
        """Between which prices nobody trades against the pool as it stands."""
        market, costs, pool = self.street.market, self.street.costs, self.chain.pool
        self._looked_at = (pool.sqrt_price_x96, pool.liquidity)
        price = float_price(market, pool.sqrt_price_x96) * self._scale
        kept, fee = 1 - market.fee_pips / PIPS, costs.exchange_fee_pips / PIPS
        further = reluctance(market, *self._looked_at, costs)
        self._pool_low = price * kept / (1 + fee) * (1 - further) * (1 + _NEAR)
        self._pool_high = price / (kept * (1 - fee)) * (1 + further) * (1 - _NEAR)

    def _look_at_feeds(self) -> None:
        """Between which prices, and until when, no feed speaks."""
        feeds, deviation = self.street.feeds, float(FEED_DEVIATION)
        said = [float(feed.said) * self._scale for feed in feeds if not feed.constant]
        self._feed_low = max(said, default=0.0) * (1 - deviation) * (1 + _NEAR)
        self._feed_high = min(said, default=inf) * (1 + deviation) * (1 - _NEAR)
        self._feed_at = min((f.said_at + f.heartbeat_seconds for f in feeds), default=1 << 62)
