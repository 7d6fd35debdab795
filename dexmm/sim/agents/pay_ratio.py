"""How much liquidity other people keep in a pool, and how much they trade: what pays a given ratio.

The pay ratio is what other people's trades pay liquidity over what arbitrage really costs it. With
F for their fees a time (volume times the pool's fee f, less the protocol's part c), P for the price
in quote per base and L0 for the liquidity in range,

    phi = F / (L0 lambda'),     lambda  = s^2 / 4 sqrt(P)         loss versus rebalancing, a unit
                                lambda' = lambda (1 - (1 - c) r)  less what arbitrage pays back

where s^2 is the variance of the log price a time and r the part of its loss that comes back as
fees. Liquidity comes until it pays no more, so a pool that pays phi has

    L0 = F / (phi lambda'(L0))

Arbitrage moves the pool only when its price is the fee f, the arbitrageur's own rate x and a
threshold g away from the fair one, and then to f + x. Between two such trades a random walk takes
on average ((b + d)^2 - b^2) / s^2 with b = f + x and d the mean distance moved, so

    r = f / (f + x + E[d^2] / 2 E[d]) (1 + n^2 / s^2)

Looking in steps of deviation h alone, with g = 0, the last term is 0.5826 h (the mean overshoot of
a Gaussian walk). A transaction that costs k is worth it from g = 2 sqrt(k / (L sqrt(P))) on. Noise
trades move the pool too, by the variance n^2 = 4 P E[size^2] / L^2 a trade: what they push,
arbitrage brings back, and pays for. Both depend on the liquidity itself, so L0 is found by
bisection; the right side's L0 lambda'(L0) grows with it.

**On which time scale the ratio holds.** Volatility moves: gold's variance trebled from July 2025 to
October and fell again. A pool whose flow and liquidity stand still for a half-year at the ratio 0.7
of its mean pays 1.9 in the calm months and a fifth in the others, and whoever stands aside when it
is lively earns with skill what no competition would leave there. So, unless told otherwise
(``Pace.VOLATILITY``), flow follows volatility: the others' liquidity is that of a pool at
``USUAL_SIGMA``, where people trade as was measured, and in each candle they trade as much more or
less as arbitrage costs then. The ratio holds at each time, nothing is gained by choosing it, and a
half-year is the sum of its months. (In reality volume grows about as the root of the variance, and
liquidity leaves; what a unit of liquidity is paid is the same. Nobody trades a half-year's volume
in the minutes of a crash, either; but paid for at any other time, a crash would be a present to
whoever was not there.) With ``Pace.STEADY`` trades come evenly, and the ratio is that of the whole
history's means: then timing pays, and part of it is hindsight.

The ratio asked for is what a run without us measures, other people's fees over what arbitrage took
at the fair price of each block: within eight per cent over every half-year of gold from 2021 to
2025 (mostly within four), and so in each quarter of them; evenly traded, the quarters of the last
pay 11, 4.5, 0.3 and 1.9 at a ratio of 1.
Statistics, hence floats; what enters a pool is one integer, cut to six digits so that no machine's
arithmetic shows in it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from dexmm.sim.agents.candle_walk import OUTSIDE
from dexmm.sim.agents.noise_flow import Flow
from dexmm.sim.agents.price_walk import SLOT_SECONDS, PriceWalk
from dexmm.sim.agents.traders import PIPS, ArbitrageCosts

_DIGITS = 6
_HALVINGS = 100
YEAR_SECONDS = 365 * 86_400
USUAL_SIGMA = 0.2  # a year: gold's, at which people trade as was measured
CALMEST = 0.05**2 / YEAR_SECONDS  # variance a second: nobody counts on a calmer market than this
_GROUPS = 64
_MANY = 4096  # candles from which on arrays pay for their import
_LEAST, _MOST = 1e-6, 1e24  # liquidity in whole tokens' units: far beyond any pool's


Variances = tuple[tuple[float, float], ...]


class Pace(StrEnum):
    """When other people trade."""

    VOLATILITY = "volatility"  # as much more as arbitrage costs more
    STEADY = "steady"  # evenly


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the others' liquidity follows from; prices are quote per base.

    ``variances`` are of the log price a second, each with the part of the time that it has.
    ``price`` and ``sqrt_price`` are means, the latter weighed with the variance. ``protocol`` is
    the protocol's part of the fee.
    """

    flow: Flow
    variances: Variances
    price: float
    sqrt_price: float
    slot_seconds: float
    fee: float
    protocol: float
    costs: ArbitrageCosts
    pace: Pace = Pace.VOLATILITY

    @property
    def fees(self) -> float:
        """What other people's trades pay liquidity, quote a second."""
        flow = self.flow
        volume = flow.swaps_per_second * flow.mean * self.price
        return volume * self.fee * (1 - self.protocol)

    @property
    def variance(self) -> float:
        """The mean."""
        return math.fsum(variance * part for variance, part in self.variances)

    @property
    def loss(self) -> float:
        """Loss versus rebalancing: quote a second and unit of liquidity."""
        return self.variance / 4 * self.sqrt_price

    def arbitrage_cost(self, liquidity: float) -> float:
        """What arbitrage really costs: quote a second and unit, ``liquidity`` being in range."""
        pushed, kept = self.pushed(liquidity), 1 - self.protocol
        return (
            self.sqrt_price
            / 4
            * math.fsum(
                part * (variance - kept * self.paid_back(variance, liquidity) * (variance + pushed))
                for variance, part in self.variances
            )
        )

    def pay_ratio(self, liquidity: float) -> float:
        """What ``liquidity`` is paid, over what arbitrage costs it."""
        return self.fees / (liquidity * self.arbitrage_cost(liquidity))

    def liquidity(self, pay_ratio: float) -> float:
        """That is paid this ratio, in units of whole tokens."""
        low, high = math.log(_LEAST), math.log(_MOST)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            liquidity = math.exp(middle)
            if pay_ratio * liquidity * self.arbitrage_cost(liquidity) < self.fees:
                low = middle
            else:
                high = middle
        return math.exp(low)

    def pushed(self, liquidity: float) -> float:
        """The variance a second that noise trades bring into the pool's price."""
        squared = self.flow.mean_square * self.flow.swaps_per_second
        return 4 * self.price * squared / liquidity**2

    def paid_back(self, variance: float, liquidity: float) -> float:
        """The part of what arbitrage takes that its own fees give back, the protocol's included."""
        over = OUTSIDE * math.sqrt(variance * self.slot_seconds)
        per_unit = float(self.costs.transaction) / (liquidity * math.sqrt(self.price))
        threshold = 2 * math.sqrt(per_unit)
        beyond = (threshold + over) / 2
        if over:
            beyond += over / 2 * over / (threshold + over)
        return self.fee / (self.fee + self.costs.exchange_fee_pips / PIPS + beyond)


def surroundings(
    walk: PriceWalk,
    flow: Flow,
    *,
    fee_pips: int,
    fee_protocol: int,
    costs: ArbitrageCosts,
    pace: Pace = Pace.VOLATILITY,
) -> Surroundings:
    """Those of a history, with this flow.

    ``fee_protocol`` is the denominator of the protocol's share, 0 for none.
    """
    if pace is Pace.VOLATILITY:
        price, sqrt_price = walk.opening, math.sqrt(walk.opening)
        variances: Variances = ((USUAL_SIGMA**2 / YEAR_SECONDS, 1.0),)
    else:
        price, sqrt_price, variances = _means(walk)
    return Surroundings(
        flow=flow,
        variances=variances,
        price=price,
        sqrt_price=sqrt_price,
        slot_seconds=max(walk.slot_seconds, SLOT_SECONDS),
        fee=fee_pips / PIPS,
        protocol=1 / fee_protocol if fee_protocol else 0.0,
        costs=costs,
        pace=pace,
    )


def others_liquidity(decimals: tuple[int, int], around: Surroundings, pay_ratio: float) -> int:
    """In the pool's own units, cut to six digits; at least 1. ``decimals`` are the tokens'."""
    units = int(around.liquidity(pay_ratio) * math.sqrt(10 ** sum(decimals)))
    cut = int(10 ** max(len(str(units)) - _DIGITS, 0))
    return max(units // cut * cut, 1)


def activity(walk: PriceWalk, around: Surroundings, pay_ratio: float) -> Sequence[float]:
    """By how much more people trade in each candle than was measured; empty where they do not."""
    if around.pace is Pace.STEADY:
        return ()
    liquidity = around.liquidity(pay_ratio)
    returned = (1 - around.protocol) * (1 + around.pushed(liquidity) / around.variance)
    per_unit = float(around.costs.transaction) / (liquidity * math.sqrt(around.price))
    threshold = 2 * math.sqrt(per_unit)
    fixed = around.fee + around.costs.exchange_fee_pips / PIPS + threshold / 2
    back = returned * around.fee
    # What arbitrage costs L0 in a candle over what people pay in it at their usual pace.
    much = pay_ratio * liquidity / 4 * around.price / around.fees / walk.interval_seconds
    root, count = OUTSIDE / math.sqrt(walk.slots), len(walk.candles.own)

    def times(own: Any, price: Any, sqrt: Callable[[Any], Any]) -> Any:
        """Of one candle, or of arrays of them."""
        over = root * sqrt(own)
        beyond = over / 2 * (1 + over / (threshold + over))
        return much * own * (1 - back / (fixed + beyond)) / sqrt(price)

    if count < _MANY or find_spec("numpy") is None:
        both = zip(walk.candles.own, walk.opens, strict=True)
        return array("d", [times(own, at, math.sqrt) if own > 0 else 0.0 for own, at in both])
    import numpy as np

    found, opens = array("d"), walk.opens
    for first in range(0, count, _MANY):  # in parts, so that no column of a history is made anew
        owns = np.asarray(walk.candles.own[first : first + _MANY])
        here = np.fromiter(opens, np.float64, len(owns))
        active, moves = np.zeros(len(owns)), owns > 0
        active[moves] = times(owns[moves], here[moves], np.sqrt)
        found.frombytes(active.tobytes())
    return found


def _means(walk: PriceWalk) -> tuple[float, float, Variances]:
    """The mean price, the mean root of the price where it moved, and groups of variances."""
    own, opens = walk.candles.own, list(walk.opens)
    price, total = math.fsum(opens) / len(opens), walk.candles.total
    least = CALMEST * walk.interval_seconds
    if total < least * len(own):
        return price, math.sqrt(price), ((CALMEST, 1.0),)
    sqrt_price = math.fsum(v * math.sqrt(p) for v, p in zip(own, opens, strict=True)) / total
    ordered = sorted(own)
    size = max(len(ordered) // _GROUPS, 1)
    groups = []
    for first in range(0, len(ordered), size):
        here = ordered[first : first + size]
        mean = math.fsum(here) / len(here) / walk.interval_seconds
        groups.append((mean, len(here) / len(ordered)))
    return price, sqrt_price, tuple(groups)
