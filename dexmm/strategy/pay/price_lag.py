"""How much less a pool's price moves than the fair one, which it follows with play.

Arbitrage leaves the pool's price where it is while the fair one is within b of it, and takes it
along at the ends of that band (a play, or hysteresis, operator). So the pool's log price is the
fair one's plus an offset u between -b and b. With the fair price's variance sigma^2 a time, and
what other people's trades move the pool's by, n^2, the offset is a Brownian motion of variance
s^2 = sigma^2 + n^2 between two reflecting walls, evenly spread in the long run. From there

    Var(u_T - u_0)             = 2 A          A = b^2 a(s^2 T / b^2)
    Cov(fair move, u_T - u_0)  = -2 A sigma^2 / s^2
    a(y)                       = sum over odd k of 32 / (pi k)^4 (1 - exp(-(pi k)^2 y / 8))

(the spectrum of the reflected motion; the covariance is sigma^2 times the mean time within T until
a wall is touched, after which the offset has forgotten the move). Moves of the pool's price over a
span T have therefore the variance

    m T = sigma^2 T - 2 A (2 rho - 1)         rho = sigma^2 / s^2

which is sigma^2 T - 2/3 b^2 (2 rho - 1) for long spans and far less than sigma^2 T for short ones.
Trades of others are taken to move the pool a third as much as the fair price moves, rho = 3/4, as
they do in pools as thin as PAXG/USDT's at the ratio that just pays. ``fair_variance`` solves that
for sigma^2: with z = sigma^2 T / b^2 and w = m T / b^2 it is w = z - a(4 z / 3), from a table of
``POINTS`` values of z that each are ``STEP`` times the one before, straight in between: to within
one per cent. Beyond the table a is 1/3, and below it nobody's price moves.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from functools import lru_cache

from dexmm.decimal_context import ONE, precise

ZERO = Decimal(0)
PI = Decimal("3.14159265358979323846264338327950288419716939937511")
RHO = Decimal("0.75")
FIRST = Decimal("0.01")
STEP = Decimal("1.25")
POINTS = 36
TERMS = (1, 3, 5, 7, 9)


@precise
def offset_moved(y: Decimal) -> Decimal:
    """a(y): half the variance of the offset's move over a span, of b^2, with y = s^2 T / b^2."""
    found = ZERO
    for k in TERMS:
        squared = (PI * k) ** 2
        found += 32 / squared**2 * (ONE - (-squared * y / 8).exp())
    return found


@precise
def pool_variance(variance: Decimal, seconds: Decimal, band: Decimal) -> Decimal:
    """m: what a pool's price shows a second, looked at every ``seconds``, of the fair price's."""
    if not band or not variance:
        return variance
    y = variance / RHO * seconds / (band * band)
    return variance - 2 * (2 * RHO - 1) * offset_moved(y) * band * band / seconds


@precise
def fair_variance(shown: Decimal, seconds: Decimal, band: Decimal) -> Decimal:
    """sigma^2 a second of a fair price whose pool shows ``shown``; never less than that.

    ``band`` is b, a part of the price; 0 where the price is the fair one itself.
    """
    if not band or shown <= 0:
        return shown
    unit = band * band / seconds
    w = shown / unit
    shows, fairs = _table()
    place = bisect_left(shows, w)
    if place == len(shows):
        return shown + (fairs[-1] - shows[-1]) * unit
    low, from_ = (shows[place - 1], fairs[place - 1]) if place else (ZERO, ZERO)
    return (from_ + (fairs[place] - from_) * (w - low) / (shows[place] - low)) * unit


@lru_cache(maxsize=1)
@precise
def _table() -> tuple[tuple[Decimal, ...], tuple[Decimal, ...]]:
    """w and z."""
    fairs = tuple(FIRST * STEP**n for n in range(POINTS))
    return tuple(pool_variance(z, ONE, ONE) for z in fairs), fairs
