"""What the pool pays a unit of liquidity and what it costs, as measured turn by turn.

A liquidity L in range earns its part of what others pay, F L / (L0 + L), and loses what arbitrage
really costs, lambda' L, whatever its range is (``pool_pay.py``). Between two looks the pool's fee
growth has paid

    E = (d fee_growth_0 P + d fee_growth_1) L_pool        quote, to all of the liquidity in range

of which arbitrage gave back (lambda - lambda') L_pool dt; the rest are other people's fees. Both
E and L_pool are remembered as means over time whose weight halves every ``pay_halflife_hours``; the
first half-life is a plain mean. Fee growth only ever adds up, so looks far apart lose nothing.

Who trades with himself to look like trade pays the pool what the mean then believes: the mean
hands out over time exactly what was paid in, and liquidity placed for it costs no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.config import Strategy
from dexmm.model.market import Market, PoolState
from dexmm.model.memory import Memory, evolve
from dexmm.strategy.pool_pay import (
    arbitrage_keeps,
    best_liquidity,
    lvr_after_arbitrage_fees,
    lvr_rate,
    pay_ratio,
)
from dexmm.strategy.precise import HOUR, LN_2, ONE, precise, remaining
from dexmm.uniswap.full_math import MAX_UINT256

ZERO = Decimal(0)
Q128 = Decimal(2**128)
BLOCK_SECONDS = Decimal(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """Rates of one pool. Quote in smallest units, liquidity in the pool's, time in seconds."""

    fees: Decimal  # others', to all of the liquidity in range, per second: F
    others: Decimal  # liquidity in range that is not ours: L0
    cost: Decimal  # of a unit of liquidity, per second: lambda'
    known: bool = True  # enough was measured to act on

    @property
    def ratio(self) -> Decimal:
        """Above 1 the pool pays its liquidity; 0 where nothing is known."""
        if not self.others or not self.cost:
            return ZERO
        return pay_ratio(self.fees / self.others, self.cost)

    @property
    def best(self) -> Decimal:
        """The liquidity that earns most here; 0 where none pays."""
        return best_liquidity(self.fees, self.others, self.cost)

    def net(self, liquidity: Decimal) -> Decimal:
        """What ``liquidity`` in range is expected to earn, per second, before its gas."""
        total = self.others + liquidity
        earned = self.fees * liquidity / total if total else ZERO
        return earned - self.cost * liquidity


def measured(
    memory: Memory, pool: PoolState, market: Market, now: int, s: Decimal, settings: Strategy
) -> Memory:
    """The memory with what the pool has paid since it was last looked at.

    ``s`` is the square root of the price in smallest units, quote per base; ``now`` a timestamp.
    Looks nearer in time than ``sigma_sample_seconds`` are one look: growth waits for the next.
    """
    growth = (int(pool.fee_growth_global0_x128), int(pool.fee_growth_global1_x128))
    before, since = memory.fee_growth, memory.fee_growth_at
    if before is None or since is None or now < since:
        return evolve(memory, fee_growth=growth, fee_growth_at=now)
    elapsed = now - since
    if elapsed < max(settings.sigma_sample_seconds, 1):
        return memory
    grown = [Decimal((one - then) & MAX_UINT256) for one, then in zip(growth, before, strict=True)]
    base, quote = grown if market.base_is_token0 else grown[::-1]
    paid = (base * s * s + quote) / Q128 * pool.liquidity
    kept = remaining(elapsed, settings.pay_halflife_hours * HOUR)
    return evolve(
        memory,
        fee_growth=growth,
        fee_growth_at=now,
        pool_paid=memory.pool_paid * kept + paid,
        pool_liquidity=memory.pool_liquidity * kept + Decimal(pool.liquidity) * elapsed,
        pool_seconds=memory.pool_seconds * kept + elapsed,
    )


def pay_of(
    memory: Memory,
    pool: PoolState,
    fee: Decimal,
    s: Decimal,
    sigma: Decimal,
    ours: int,
    settings: Strategy,
) -> Pay:
    """What the pool is believed to pay now.

    ``fee`` is a part of what is swapped, ``sigma`` per square root of a second, ``ours`` our
    liquidity in range.
    """
    lvr = lvr_rate(sigma, s)
    cost = lvr_after_arbitrage_fees(
        lvr, arbitrage_keeps(fee, sigma, BLOCK_SECONDS), ONE - protocol_share(pool.fee_protocol)
    )
    others = Decimal(max(int(pool.liquidity) - ours, 0))
    seconds = memory.pool_seconds
    if not seconds:
        return Pay(fees=ZERO, others=others, cost=cost, known=False)
    fees = (memory.pool_paid - (lvr - cost) * memory.pool_liquidity) / seconds
    known = seconds >= watched(settings.pay_measure_hours * HOUR, settings)
    return Pay(fees=max(fees, ZERO), others=others, cost=cost, known=known)


@lru_cache(maxsize=64)
@precise
def watched(elapsed: Decimal, settings: Strategy) -> Decimal:
    """What ``pool_seconds`` is after ``elapsed`` seconds of looking: what is older counts less."""
    halflife = settings.pay_halflife_hours * HOUR
    return halflife / LN_2 * (ONE - (-LN_2 * elapsed / halflife).exp())


@lru_cache(maxsize=256)
@precise
def protocol_share(fee_protocol: int) -> Decimal:
    """Of the swap fee, by the protocol, on average of both directions: slot0's two nibbles."""
    parts = [ONE / n if n else ZERO for n in (fee_protocol & 15, fee_protocol >> 4)]
    return (parts[0] + parts[1]) / 2
