"""The quotes of everybody else, around a fair price, and the people who take.

The house quotes ``levels`` prices on each side: the first half a spread away from fair, each
next one a step further, with a stated quantity that grows by a stated share. A new fair price
changes only what differs: a quote whose price stays keeps its place in the queue, what is added
to it goes to the back.

Takers arrive as a Poisson process with exponential sizes; one seed and one start, one flow.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.paper_exchange.engine.orders import Side
from dexmm.paper_exchange.engine.rounding import ceil_to, floor_to
from dexmm.paper_exchange.engine.symbol_rules import Rules

BP = Decimal("0.0001")
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A book around its fair price. ``depth`` is base at the first level."""

    half_spread_bp: Decimal = Decimal(1)
    step_bp: Decimal = Decimal(1)
    levels: int = 10
    depth: Decimal = Decimal("0.5")
    growth: Decimal = Decimal("0.25")  # each level adds this share of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Takers: how many an hour, and how much base each on average. None when nobody trades."""

    per_hour: Decimal = Decimal(300)
    mean_quantity: Decimal = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Taker:
    at_ms: int
    side: Side
    quantity: Decimal


def quotes(fair: Decimal, rules: Rules, shape: Shape) -> dict[tuple[Side, Decimal], Decimal]:
    """What the house wants in the book: quantity by side and price, on the tick and the lot."""
    wanted: dict[tuple[Side, Decimal], Decimal] = {}
    tick = rules.tick_size
    bid, ask = fair + tick, fair - tick
    for level in range(shape.levels):
        away = fair * (shape.half_spread_bp + level * shape.step_bp) * BP
        # A coarse tick never folds two levels into one, nor the two sides into each other.
        bid = min(floor_to(fair - away, tick), bid - tick)
        ask = max(ceil_to(fair + away, tick), ask + tick)
        if level == 0 and ask <= bid:
            ask = bid + tick
        quantity = floor_to(shape.depth * (1 + level * shape.growth), rules.step_size)
        if bid >= rules.min_price:
            wanted[Side.BUY, bid] = quantity
        wanted[Side.SELL, ask] = quantity
    return wanted


def takers(flow: Flow, rules: Rules, seed: str, start_ms: int, end_ms: int) -> Iterator[Taker]:
    """Who arrives in ``start_ms`` to ``end_ms``, in order. Draws are statistics, so floats."""
    if flow.per_hour <= 0 or end_ms <= start_ms:
        return
    dice = random.Random(f"flow:{seed}:{start_ms}")  # noqa: S311 - a repeatable crowd, no secret
    rate = float(flow.per_hour) / HOUR_MS
    at = float(start_ms)
    while (at := at + dice.expovariate(rate)) <= end_ms:
        side = Side.BUY if dice.random() < 0.5 else Side.SELL
        drawn = Decimal(repr(dice.expovariate(1 / float(flow.mean_quantity))))
        quantity = max(rules.min_quantity, floor_to(drawn, rules.step_size))
        yield Taker(int(at), side, quantity)
