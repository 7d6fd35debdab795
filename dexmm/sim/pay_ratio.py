"""How much liquidity other people keep in a pool: as much as pays a given ratio.

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

The ratio asked for is found again in the simulated pool without us to within a few per cent on fine
candles, and within a tenth on recorded ones. Statistics, hence floats; what enters a pool is one
integer, cut to six digits so that no machine's arithmetic shows in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dexmm.sim.flow import Flow
from dexmm.sim.price_walk import OUTSIDE, SLOT_SECONDS, PriceWalk
from dexmm.sim.traders import PIPS, ArbitrageCosts

_DIGITS = 6
_HALVINGS = 100
CALMEST = 0.05**2 / (365 * 86_400)  # variance a second: nobody counts on a calmer market than this
_LEAST, _MOST = 1e-6, 1e24  # liquidity in whole tokens' units: far beyond any pool's


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the others' liquidity follows from; prices are quote per base.

    ``variance`` is of the log price a second; ``price`` and ``sqrt_price`` are means over the
    history, the latter weighed with the variance. ``protocol`` is the protocol's part of the fee.
    """

    flow: Flow
    variance: float
    price: float
    sqrt_price: float
    slot_seconds: float
    fee: float
    protocol: float
    costs: ArbitrageCosts

    @property
    def fees(self) -> float:
        """What other people's trades pay liquidity, quote a second."""
        flow = self.flow
        volume = flow.swaps_per_second * flow.mean * self.price
        return volume * self.fee * (1 - self.protocol)

    @property
    def loss(self) -> float:
        """Loss versus rebalancing: quote a second and unit of liquidity."""
        return self.variance / 4 * self.sqrt_price

    def arbitrage_cost(self, liquidity: float) -> float:
        """What arbitrage really costs: quote a second and unit, ``liquidity`` being in range."""
        return self.loss * (1 - (1 - self.protocol) * self._paid_back(liquidity))

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

    def _paid_back(self, liquidity: float) -> float:
        """The part of the loss that arbitrage's own fees give back, the protocol's included."""
        step = math.sqrt(self.variance * self.slot_seconds)
        over = OUTSIDE * step
        per_unit = float(self.costs.transaction) / (liquidity * math.sqrt(self.price))
        threshold = 2 * math.sqrt(per_unit)
        beyond = (threshold + over) / 2 + over / 2 * over / (threshold + over)
        own = self.costs.exchange_fee_pips / PIPS
        squared = self.flow.mean_square * self.flow.swaps_per_second
        noise = 4 * self.price * squared / liquidity**2
        pushed = 1 + noise / self.variance
        return self.fee / (self.fee + own + beyond) * pushed


def surroundings(
    walk: PriceWalk, flow: Flow, *, fee_pips: int, fee_protocol: int, costs: ArbitrageCosts
) -> Surroundings:
    """Those of a history: its variance and mean prices, with this flow.

    ``fee_protocol`` is the denominator of the protocol's share, 0 for none.
    """
    seen = walk.seen()
    return Surroundings(
        flow=flow,
        variance=max(seen.variance, CALMEST),
        price=seen.price,
        sqrt_price=seen.sqrt_price,
        slot_seconds=max(seen.slot_seconds, SLOT_SECONDS),
        fee=fee_pips / PIPS,
        protocol=1 / fee_protocol if fee_protocol else 0.0,
        costs=costs,
    )


def others_liquidity(decimals: tuple[int, int], around: Surroundings, pay_ratio: float) -> int:
    """In the pool's own units, cut to six digits; at least 1. ``decimals`` are the tokens'."""
    units = int(around.liquidity(pay_ratio) * math.sqrt(10 ** sum(decimals)))
    cut = int(10 ** max(len(str(units)) - _DIGITS, 0))
    return max(units // cut * cut, 1)
