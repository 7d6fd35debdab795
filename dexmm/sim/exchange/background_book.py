"""One symbol's book without us: orders of everybody else around a fair price.

What we take leaves a hole at its level, counted from the best, however the price then moves within
one price of the history; ``recover`` closes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.venue import Instrument, Level, Side
from dexmm.sim.exchange.cost_model import Depth
from dexmm.sim.exchange.rounding import BP, ZERO, ceil_to, floor_to, floor_unit


@dataclass(frozen=True, slots=True)
class Fill:
    price: Decimal
    amount: Decimal  # base

    @property
    def value(self) -> Decimal:
        """Quote."""
        return floor_unit(self.price * self.amount)


class House:
    def __init__(self, depth: Depth, instrument: Instrument) -> None:
        self._tick = instrument.price_step
        self._lot = instrument.amount_step
        self._away = tuple((depth.half_spread_bp + n * depth.spacing_bp) * BP for n in _all(depth))
        self._sizes = tuple(
            floor_to(depth.first * (1 + n * depth.growth), self._lot) for n in _all(depth)
        )
        self._taken: dict[Side, dict[int, Decimal]] = {side: {} for side in Side}
        self._standing: dict[Side, tuple[tuple[int, Level], ...]] = {}  # until something moves
        self.fair = ZERO  # quote per base

    def move(self, fair: Decimal) -> None:
        if fair != self.fair:
            self.fair = fair
            self._standing.clear()

    def recover(self, part: Decimal) -> None:
        """``part`` of what was taken is offered again; what is left of a hole rounds up."""
        for side, holes in self._taken.items():
            if holes:
                left = ((n, ceil_to(taken * (1 - part), self._lot)) for n, taken in holes.items())
                self._taken[side] = {n: taken for n, taken in left if taken}
                self._standing.clear()

    def best(self, side: Side) -> Level | None:
        """The best price of ``side`` and what is offered there."""
        if side not in self._standing and not self._taken[side]:
            price = self._touch(side)
            return Level(price=price, amount=self._sizes[0]) if price > 0 else None
        return next(iter(self.levels(side)), None)

    def levels(self, side: Side) -> tuple[Level, ...]:
        """What stands on ``side``, best first."""
        return tuple(level for _, level in self._numbered(side))

    def take(self, side: Side, amount: Decimal, limit: Decimal | None = None) -> tuple[Fill, ...]:
        """A taker of ``side`` for at most ``amount`` base, never beyond ``limit``."""
        fills = []
        holes = self._taken[side.other]
        for n, level in self._numbered(side.other):
            if not amount or (limit is not None and not within(level.price, limit, side)):
                break
            part = min(level.amount, amount)
            fills.append(Fill(level.price, part))
            holes[n] = holes.get(n, ZERO) + part
            amount -= part
        if fills:
            self._standing.pop(side.other, None)
        return tuple(fills)

    def _numbered(self, side: Side) -> tuple[tuple[int, Level], ...]:
        if side not in self._standing:
            holes = self._taken[side]
            left = (
                (n, price, size - holes[n] if n in holes else size)
                for n, (price, size) in enumerate(zip(self._prices(side), self._sizes, strict=True))
            )
            self._standing[side] = tuple(
                (n, Level(price=price, amount=amount))
                for n, price, amount in left
                if amount > 0 and price > 0
            )
        return self._standing[side]

    def _touch(self, side: Side) -> Decimal:
        away = self.fair * self._away[0]
        bid = floor_to(self.fair - away, self._tick)
        if side is Side.BUY:
            return bid
        return max(ceil_to(self.fair + away, self._tick), bid + self._tick)

    def _prices(self, side: Side) -> Iterator[Decimal]:
        """A coarse tick never folds two levels into one, nor the two sides into each other."""
        price = self._touch(side)
        yield price
        for away in self._away[1:]:
            if side is Side.BUY:
                price = min(floor_to(self.fair * (1 - away), self._tick), price - self._tick)
            else:
                price = max(ceil_to(self.fair * (1 + away), self._tick), price + self._tick)
            yield price


def _all(depth: Depth) -> range:
    return range(depth.levels)


def within(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Whether a taker of ``side`` accepts ``price``."""
    return price <= limit if side is Side.BUY else price >= limit
