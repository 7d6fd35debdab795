"""Where the fair price goes: candles from a file, or a seeded generator that behaves as gold does.

The generator draws log returns whose volatility wanders mildly (an AR(1) in log volatility),
adds Poisson jumps, and keeps gold's session: from Friday 22:00 to Sunday 23:00 UTC the price
hardly moves, and the week opens with a gap. One seed, one path.

A candle has four such steps, and high and low are those of the walk within them: the maximum of a
Brownian bridge from a to b of variance v is (a + b + sqrt((b - a)^2 - 2 v ln U)) / 2 with U uniform
from 0 to 1, its minimum the same downwards.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from dexmm.history.candle import Candle, PricePath
from dexmm.history.packed_candles import read_path

__all__ = ["GENERATOR_START", "GOLD", "Candle", "Gold", "PricePath", "generate", "read_candles"]

_YEAR = 365 * 86_400
_WEEK = 7 * 86_400
_THURSDAY = 3  # the epoch's weekday, Monday being 0
_CLOSES = 4 * 86_400 + 22 * 3600  # Friday 22:00 UTC, seconds into the week
_OPENS = 6 * 86_400 + 23 * 3600  # Sunday 23:00 UTC
_CENT = Decimal("0.01")


def read_candles(*paths: Path) -> PricePath:
    """As ``packed.read_path``, every candle at hand: for the few thousand of a sandbox's run."""
    return read_path(*paths).unpacked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """How the generator moves. Statistics, hence floats; prices come out as Decimal."""

    sigma_annual: float = 0.16
    wander: float = 0.25  # standard deviation of log volatility
    wander_halflife_hours: float = 12.0
    jumps_per_year: float = 50.0
    jump_sigma: float = 0.004
    closed_scale: float = 0.1  # of the volatility, while the session is closed
    weekend_gap_sigma: float = 0.003


GENERATOR_START = 1_704_067_200  # Monday 2024-01-01 00:00 UTC: no clock takes it for the future
GOLD = Gold()


def generate(
    seed: int,
    count: int,
    *,
    start_price: Decimal = Decimal(4000),
    start_at: int = GENERATOR_START,
    interval_seconds: int = 300,
    model: Gold = GOLD,
) -> PricePath:
    """``count`` candles from a seed, prices to the cent."""
    dice = random.Random(f"prices:{seed}")  # noqa: S311 - a repeatable path, not a secret
    extremes = random.Random(f"extremes:{seed}")  # noqa: S311 - the same
    price, wander = float(start_price), 0.0
    candles = []
    for at in range(start_at, start_at + count * interval_seconds, interval_seconds):
        if _session_closed(at - interval_seconds) and not _session_closed(at):
            price *= math.exp(dice.gauss(0, model.weekend_gap_sigma))
        opened = high = low = price
        for _ in range(4):
            wander, change, deviation = _step(dice, model, wander, interval_seconds / 4, at)
            above, below = _reach(extremes, change, deviation)
            high, low = max(high, price * math.exp(above)), min(low, price * math.exp(below))
            price *= math.exp(change)
        candles.append(_rounded(at, opened, high, low, price))
    return PricePath(
        source=f"generator, seed {seed}",
        interval_seconds=interval_seconds,
        candles=tuple(candles),
    )


def _reach(dice: random.Random, change: float, deviation: float) -> tuple[float, float]:
    """The highest and the lowest log price of a walk from 0 to ``change``."""
    squared, doubled = change * change, 2 * deviation * deviation
    above, below = (math.sqrt(squared - doubled * math.log(1 - dice.random())) for _ in range(2))
    return (change + above) / 2, (change - below) / 2


def _step(
    dice: random.Random, model: Gold, wander: float, seconds: float, at: int
) -> tuple[float, float, float]:
    """The next state of log volatility, a log return over ``seconds``, and its deviation."""
    memory = 0.5 ** (seconds / 3600 / model.wander_halflife_hours)
    wander = memory * wander + dice.gauss(0, model.wander * math.sqrt(1 - memory * memory))
    open_share = 1 - (_OPENS - _CLOSES) / _WEEK
    sigma = model.sigma_annual * math.sqrt(seconds / (_YEAR * open_share))
    # minus wander**2 keeps the mean variance where sigma_annual puts it
    deviation = sigma * math.exp(wander - model.wander * model.wander)
    change = dice.gauss(0, deviation)
    if _session_closed(at):
        return wander, change * model.closed_scale, deviation * model.closed_scale
    if dice.random() < model.jumps_per_year * seconds / (_YEAR * open_share):
        change += dice.gauss(0, model.jump_sigma)
    return wander, change, deviation


def _session_closed(at: int) -> bool:
    second = (at + _THURSDAY * 86_400) % _WEEK
    return _CLOSES <= second < _OPENS


def _rounded(at: int, *prices: float) -> Candle:
    opened, high, low, close = (Decimal(repr(price)).quantize(_CENT) for price in prices)
    return Candle(at=at, open=opened, high=high, low=low, close=close)
