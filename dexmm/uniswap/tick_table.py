"""All initialized ticks of a pool, in order: the structure a swap walks.

The contract finds the next tick in a bitmap; here the ticks are a sorted list, and the place of
the current price in it moves along with the swap. Each field of a tick has its own list, so
that a step reads only what it needs and a copy is a handful of list copies.

A tick below all prices stands before the first and one above them after the last, so that a
walk never has to ask whether it has run out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from dexmm.uniswap.full_math import Q32, Q160, Q256, wrap_signed
from dexmm.uniswap.oracle import Observation
from dexmm.uniswap.tick import EMPTY_TICK, TickInfo
from dexmm.uniswap.tick_bitmap import position
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick

_BELOW_ALL = -(1 << 24)
_ABOVE_ALL = 1 << 24
_Q55 = 1 << 55


Stretch = tuple[int, int, int, int, int, int]
"""Going all the way from one initialized tick to its neighbour: the price at its start and at its
end, the input spent (fee included), the output bought, the fee growth added, the protocol fee."""


class TickTable:
    """Initialized ticks and the place of the current tick among them."""

    __slots__ = (
        "below",
        "falls",
        "fee_growth_outside0_x128",
        "fee_growth_outside1_x128",
        "liquidity_gross",
        "liquidity_net",
        "rises",
        "seconds_outside",
        "seconds_per_liquidity_outside_x128",
        "sqrt_ratios",
        "stop_prices",
        "tick_cumulative_outside",
        "tick_spacing",
        "ticks",
        "word_span",
    )

    def __init__(self, tick_spacing: int, infos: Mapping[int, TickInfo] | None = None) -> None:
        ordered = sorted((infos or {}).items())
        self.tick_spacing = tick_spacing
        self.word_span = tick_spacing << 8
        self.below = 0
        """The place of the greatest initialized tick at or below the current one."""
        self.stop_prices: dict[int, int] = {}
        """The price of each word's edge met so far; as many as there are words, at most."""
        self.ticks = [_BELOW_ALL, *(tick for tick, _ in ordered), _ABOVE_ALL]
        self.sqrt_ratios = [0, *(get_sqrt_ratio_at_tick(tick) for tick, _ in ordered), 0]
        rows = [info for _, info in ordered]
        self.liquidity_gross = [0, *(row.liquidity_gross for row in rows), 0]
        self.liquidity_net = [0, *(row.liquidity_net for row in rows), 0]
        self.fee_growth_outside0_x128 = [0, *(row.fee_growth_outside0_x128 for row in rows), 0]
        self.fee_growth_outside1_x128 = [0, *(row.fee_growth_outside1_x128 for row in rows), 0]
        self.tick_cumulative_outside = [0, *(row.tick_cumulative_outside for row in rows), 0]
        self.seconds_per_liquidity_outside_x128 = [
            0,
            *(row.seconds_per_liquidity_outside_x128 for row in rows),
            0,
        ]
        self.seconds_outside = [0, *(row.seconds_outside for row in rows), 0]
        self.forget()

    def forget(self) -> None:
        """Drop what swaps have learned about stretches between ticks: liquidity or fees changed.

        New lists, never emptied ones: a copy of this table may still be right about the old.
        """
        self.falls: list[Stretch | None] = [None] * len(self.ticks)
        """By place: the stretch that ends there when the price falls."""
        self.rises: list[Stretch | None] = [None] * len(self.ticks)
        """By place: the stretch that ends there when the price rises."""

    def copy(self) -> TickTable:
        """An independent table; the prices of word edges are the same for all and stay shared."""
        twin = TickTable.__new__(TickTable)
        twin.tick_spacing = self.tick_spacing
        twin.word_span = self.word_span
        twin.below = self.below
        twin.stop_prices = self.stop_prices
        twin.falls = self.falls
        twin.rises = self.rises
        twin.ticks = self.ticks.copy()
        twin.sqrt_ratios = self.sqrt_ratios.copy()
        twin.liquidity_gross = self.liquidity_gross.copy()
        twin.liquidity_net = self.liquidity_net.copy()
        twin.fee_growth_outside0_x128 = self.fee_growth_outside0_x128.copy()
        twin.fee_growth_outside1_x128 = self.fee_growth_outside1_x128.copy()
        twin.tick_cumulative_outside = self.tick_cumulative_outside.copy()
        twin.seconds_per_liquidity_outside_x128 = self.seconds_per_liquidity_outside_x128.copy()
        twin.seconds_outside = self.seconds_outside.copy()
        return twin

    def __len__(self) -> int:
        return len(self.ticks) - 2

    def __iter__(self) -> Iterator[int]:
        return iter(self.ticks[1:-1])

    def __contains__(self, tick: int) -> bool:
        return self.ticks[bisect_left(self.ticks, tick)] == tick

    def __getitem__(self, tick: int) -> TickInfo:
        """What the contract's ``ticks(tick)`` returns: zeros for a tick nobody references."""
        i = bisect_left(self.ticks, tick)
        if self.ticks[i] != tick:
            return EMPTY_TICK
        return TickInfo(
            self.liquidity_gross[i],
            self.liquidity_net[i],
            self.fee_growth_outside0_x128[i],
            self.fee_growth_outside1_x128[i],
            self.tick_cumulative_outside[i],
            self.seconds_per_liquidity_outside_x128[i],
            self.seconds_outside[i],
        )

    def items(self) -> Iterator[tuple[int, TickInfo]]:
        """Every initialized tick in order, with what the contract stores for it."""
        return ((tick, self[tick]) for tick in self)

    def word(self, word_position: int) -> int:
        """What the contract's ``tickBitmap(word)`` returns."""
        word = 0
        for tick in self:
            at, bit = position(tick // self.tick_spacing)
            if at == word_position:
                word |= 1 << bit
        return word

    def put(self, tick: int, info: TickInfo, tick_current: int) -> None:
        """Store a tick; one that no position references any more is removed."""
        i = bisect_left(self.ticks, tick)
        held = self.ticks[i] == tick
        if held and info.liquidity_gross:
            for column, value in self._row(tick, info):
                column[i] = value
        elif held:
            for column, _ in self._row(tick, info):
                del column[i]
        elif info.liquidity_gross:
            for column, value in self._row(tick, info):
                column.insert(i, value)
        self.forget()
        self.seek(tick_current)

    def seek(self, tick_current: int) -> None:
        """Take up the place of a tick set from outside a walk."""
        self.below = bisect_right(self.ticks, tick_current) - 1

    def stop_price(self, tick: int) -> int:
        """The price at the edge of a word, which a swap must stop at."""
        price = self.stop_prices.get(tick)
        if price is None:
            price = self.stop_prices[tick] = get_sqrt_ratio_at_tick(
                min(max(tick, MIN_TICK), MAX_TICK)
            )
        return price

    def cross(
        self,
        places: range,
        zero_for_one: bool,
        growths: list[int],
        other_growth: int,
        now: Observation,
    ) -> None:
        """Turn outside into inside for each tick crossed.

        The input token's fee growth differs from tick to tick, the other token's does not.
        """
        outside = self.fee_growth_outside0_x128
        other_outside = self.fee_growth_outside1_x128
        if not zero_for_one:
            outside, other_outside = other_outside, outside
        ticks_outside = self.tick_cumulative_outside
        liquidity_outside = self.seconds_per_liquidity_outside_x128
        seconds_outside = self.seconds_outside
        time, tick_cumulative, seconds_per_liquidity, _ = now
        # Each difference wraps at its own width, but seldom does: asking is cheaper than masking.
        for i, growth in zip(places, growths, strict=True):
            value = growth - outside[i]
            outside[i] = value if value >= 0 else value + Q256
            value = other_growth - other_outside[i]
            other_outside[i] = value if value >= 0 else value + Q256
            value = tick_cumulative - ticks_outside[i]
            ticks_outside[i] = value if -_Q55 <= value < _Q55 else wrap_signed(value, 56)
            value = seconds_per_liquidity - liquidity_outside[i]
            liquidity_outside[i] = value if value >= 0 else value + Q160
            value = time - seconds_outside[i]
            seconds_outside[i] = value if value >= 0 else value + Q32

    def _row(self, tick: int, info: TickInfo) -> tuple[tuple[list[int], int], ...]:
        return (
            (self.ticks, tick),
            (self.sqrt_ratios, get_sqrt_ratio_at_tick(tick)),
            (self.liquidity_gross, info.liquidity_gross),
            (self.liquidity_net, info.liquidity_net),
            (self.fee_growth_outside0_x128, info.fee_growth_outside0_x128),
            (self.fee_growth_outside1_x128, info.fee_growth_outside1_x128),
            (self.tick_cumulative_outside, info.tick_cumulative_outside),
            (self.seconds_per_liquidity_outside_x128, info.seconds_per_liquidity_outside_x128),
            (self.seconds_outside, info.seconds_outside),
        )
