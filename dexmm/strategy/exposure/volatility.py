"""Volatility of the log price: an exponentially weighted mean of squared returns per second.

    r = ln(P / P_last),  x = r^2 / dt,  w = max(1 - 2^(-dt / halflife), dt / (T + dt))
    v <- (1 - w) v + w x,  T <- T + dt

Dividing by the seconds that really passed makes an uneven schedule no special case (those of a
closed market do not count: ``strategy/context/memory_update.py``), and ``w`` makes the first
half-life a plain average. The price is the pool's own, where our ranges live; it is sampled no more
often than ``sigma_sample_seconds``, since within minutes it mostly bounces across the fee, and that
bounce squared would be taken for volatility.

Until a half-life has been seen, the estimate is blended with the configured prior:

    sigma^2 = b v + (1 - b) sigma_annual^2 / year,   b = min(T / halflife, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.config.schema import Strategy
from dexmm.decimal_context import HOUR, ONE, YEAR, log_of, precise, remaining
from dexmm.model.memory import Memory


@dataclass(frozen=True, slots=True)
class Variance:
    """What ``Memory`` keeps of the price's past."""

    per_second: Decimal
    seconds: int
    last_price: Decimal | None
    last_time: int | None


def due(memory: Memory, now: int, settings: Strategy) -> bool:
    """Whether ``sample`` would take one: enough time has passed since the last."""
    if memory.last_price is None or memory.last_time is None:
        return True
    return now - memory.last_time >= max(settings.sigma_sample_seconds, 1)


def sample(memory: Memory, price: Decimal, now: int, settings: Strategy) -> Variance:
    """The statistics after seeing ``price`` at ``now`` (timestamp, seconds)."""
    seen = Variance(
        memory.variance_per_second, memory.variance_seconds, memory.last_price, memory.last_time
    )
    if seen.last_price is None or seen.last_time is None:
        return Variance(seen.per_second, seen.seconds, price, now)
    if not due(memory, now, settings):
        return seen
    elapsed = now - seen.last_time
    observed = log_of(price / seen.last_price) ** 2 / elapsed
    forgotten = ONE - remaining(elapsed, settings.sigma_halflife_hours * HOUR)
    weight = max(forgotten, Decimal(elapsed) / (seen.seconds + elapsed))
    variance = (ONE - weight) * seen.per_second + weight * observed
    return Variance(variance, seen.seconds + elapsed, price, now)


def sigma(per_second: Decimal, seconds: int, settings: Strategy) -> Decimal:
    """Volatility per square root of a second, blended with the prior while history is short."""
    return _sigma(per_second, seconds, settings.sigma_annual, settings.sigma_halflife_hours)


@lru_cache(maxsize=64)  # nothing new between two samples of the price
@precise
def _sigma(per_second: Decimal, seconds: int, annual_: Decimal, halflife: Decimal) -> Decimal:
    prior = annual_**2 / YEAR
    believed = min(seconds / (halflife * HOUR), ONE)
    return (believed * per_second + (ONE - believed) * prior).sqrt()


def annual(sigma_per_root_second: Decimal) -> Decimal:
    """As people quote it: 0.16 is 16 % a year."""
    return sigma_per_root_second * YEAR.sqrt()
