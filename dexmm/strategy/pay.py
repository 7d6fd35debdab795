"""What the pool pays a unit of liquidity and what it costs, as measured turn by turn.

A liquidity L in range earns its part of what others pay, F L / (L0 + L), and loses what arbitrage
really costs, lambda' L, whatever its range is (``pool_pay.py``). Between two looks the pool's fee
growth has paid

    E = (d fee_growth_0 P + d fee_growth_1) L_pool        quote, to all of the liquidity in range

of which arbitrage gave back (lambda - lambda') L_pool dt; the rest are other people's fees. E,
L_pool and the variance of the pool's price are means over the same time, closed sessions included,
whose weight halves every ``pay_halflife_hours``; the first half-life is a plain mean. Fee growth
only ever adds up, so looks far apart lose nothing. F and lambda' are of the same time, since trade
follows volatility: their ratio is what lasts.

The pool's price is what arbitrage has left: it lags the fair one and its closes hide the way in
between. In pools as thin as gold's arbitrage takes a third more than it shows (``LAG``).

A mean over weeks is late to see that trade has come or gone. So the same is kept over the last
``RECENT_HOURS``, in which one look counts for no more than ``MOST_PAID`` usual ones. Where the
ratio there is ``JUMP`` times as high in a calm market, or as low, that is believed, at the dearer
of the two volatilities.

What arbitrage gives back depends on what its transactions cost it (``arbitrage_pays_back``): it is
taken to need ``ARBITRAGE_GAS`` at the base fees seen, spikes aside (the square of the mean root),
and to pay ``ARBITRAGE_FEE`` of what it trades elsewhere.

A ratio that has been measured is rarely that far from 1 afterwards, since it is measured with an
error and liquidity comes and goes: L* is taken at the ratio to the power of ``BELIEF``. Where the
ratio was right that nets nine tenths of what L* would, and where it was not it loses much less.

Who trades with himself to look like trade pays the pool what the mean then believes: the mean
hands out over time exactly what was paid in, and liquidity placed for it costs no more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.config import Strategy
from dexmm.model.market import Market, PoolState
from dexmm.model.memory import Memory, evolve
from dexmm.strategy.pool_pay import (
    arbitrage_pays_back,
    best_liquidity,
    lvr_after_arbitrage_fees,
    lvr_rate,
    pay_ratio,
)
from dexmm.strategy.precise import HOUR, LN_2, ONE, log_of, precise, remaining
from dexmm.uniswap.full_math import MAX_UINT256

ZERO = Decimal(0)
Q128 = Decimal(2**128)
BLOCK_SECONDS = Decimal(12)
ARBITRAGE_GAS = Decimal(150_000)  # of a transaction of an arbitrageur's
ARBITRAGE_FEE = Decimal("0.0001")  # of what it trades, on the exchange
LEAST_SAMPLE = HOUR  # seconds: in less the pool's price mostly waits for arbitrage
LAG = Decimal("1.35")
BELIEF = Decimal("0.7")
RECENT_HOURS = Decimal(12)
JUMP = Decimal("2.5")
CALM = Decimal(2)  # variance of the last hours, of the usual
ESTABLISHED = 12 * HOUR  # seconds after which there is something usual
MOST_PAID = Decimal(4)  # of what is usually paid in that time
MOST_MOVED = Decimal(9)  # of the usual variance


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
        """L*, the liquidity that earns most here; 0 where none pays."""
        return best_liquidity(self.fees, self.others, self.cost)

    @property
    def prudent(self) -> Decimal:
        """What is worth providing: L* at the pay ratio to the power of ``BELIEF``."""
        if self.best <= 0 or self.best.is_infinite():
            return self.best
        return self.others * ((self.ratio.ln() * BELIEF / 2).exp() - 1)

    def net(self, liquidity: Decimal) -> Decimal:
        """What ``liquidity`` in range is expected to earn, per second, before its gas."""
        total = self.others + liquidity
        earned = self.fees * liquidity / total if total else ZERO
        return earned - self.cost * liquidity


def measured(
    memory: Memory,
    pool: PoolState,
    market: Market,
    now: int,
    s: Decimal,
    settings: Strategy,
    base_fee_wei: int = 0,
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
    liquidity = Decimal(pool.liquidity) * elapsed
    kept = remaining(elapsed, settings.pay_halflife_hours * HOUR)
    lately = remaining(elapsed, recently(settings))
    once = paid
    if memory.pool_seconds >= ESTABLISHED:
        once = min(paid, MOST_PAID * memory.pool_paid / memory.pool_seconds * elapsed)
    return evolve(
        memory,
        fee_growth=growth,
        fee_growth_at=now,
        pool_paid=memory.pool_paid * kept + paid,
        pool_liquidity=memory.pool_liquidity * kept + liquidity,
        pool_seconds=memory.pool_seconds * kept + elapsed,
        pool_gas=memory.pool_gas * kept + Decimal(base_fee_wei).sqrt() * elapsed,
        recent_paid=memory.recent_paid * lately + once,
        recent_liquidity=memory.recent_liquidity * lately + liquidity,
        recent_seconds=memory.recent_seconds * lately + elapsed,
    )


def moved(memory: Memory, price: Callable[[], Decimal], now: int, settings: Strategy) -> Memory:
    """The memory with how far the pool's price has moved since the last look at it for this."""
    before, since = memory.pool_price, memory.pool_price_at
    if before is None or since is None or now < since:
        return evolve(memory, pool_price=price(), pool_price_at=now)
    elapsed = now - since
    if elapsed < max(settings.sigma_sample_seconds, LEAST_SAMPLE):
        return memory
    here = price()
    observed = log_of(here / before) ** 2 / elapsed
    seconds = memory.pool_variance_seconds + elapsed
    least = Decimal(elapsed) / seconds
    slow = max(ONE - remaining(elapsed, settings.pay_halflife_hours * HOUR), least)
    fast = max(ONE - remaining(elapsed, recently(settings)), least)
    usual = observed
    if memory.pool_variance_seconds >= ESTABLISHED:
        usual = min(usual, MOST_MOVED * memory.pool_variance)
    return evolve(
        memory,
        pool_price=here,
        pool_price_at=now,
        pool_variance=memory.pool_variance + slow * (observed - memory.pool_variance),
        recent_variance=memory.recent_variance + fast * (usual - memory.recent_variance),
        pool_variance_seconds=seconds,
    )


def recently(settings: Strategy) -> Decimal:
    """The half-life of what is kept of the last hours, seconds."""
    return min(RECENT_HOURS, settings.pay_halflife_hours) * HOUR


def pay_of(
    memory: Memory,
    pool: PoolState,
    fee: Decimal,
    s: Decimal,
    sigma: Decimal,
    ours: int,
    settings: Strategy,
    transaction: Decimal = ZERO,
) -> Pay:
    """What the pool is believed to pay now.

    ``fee`` is a part of what is swapped, ``sigma`` per square root of a second, ``ours`` our
    liquidity in range. ``transaction`` is what an arbitrageur's costs at a base fee of one wei,
    smallest units of quote.
    """
    others = Decimal(max(int(pool.liquidity) - ours, 0))
    seconds = memory.pool_seconds
    kept = ONE - protocol_share(pool.fee_protocol)
    around = Decimal(int(pool.liquidity))
    if seconds:
        around = memory.pool_liquidity / seconds
        transaction *= (memory.pool_gas / seconds) ** 2

    def rates(variance: Decimal) -> tuple[Decimal, Decimal]:
        return _rates(variance, s, fee, kept, transaction, around or ONE)

    # Before a half-life has been seen, of the one that is configured for it, volatility is guessed.
    guessed = max(settings.sigma_halflife_hours, RECENT_HOURS) * HOUR
    seen = min(memory.pool_variance_seconds / guessed, ONE)
    long = seen * memory.pool_variance + (ONE - seen) * sigma**2
    short = seen * memory.recent_variance + (ONE - seen) * sigma**2
    if not seconds:
        return Pay(fees=ZERO, others=others, cost=rates(long)[1], known=False)
    ahead = long
    lvr, cost = rates(long)
    fees = max(memory.pool_paid - (lvr - cost) * memory.pool_liquidity, ZERO) / seconds
    lvr, now = rates(short)
    lately = max(memory.recent_paid - (lvr - now) * memory.recent_liquidity, ZERO)
    lately /= memory.recent_seconds
    usual, recent = fees * now, lately * cost  # as their ratios to what arbitrage takes
    if usual > recent * JUMP or (recent > usual * JUMP and short <= long * CALM):
        fees, ahead = lately, max(long, short)
    known = seconds >= watched(settings.pay_measure_hours * HOUR, settings)
    return Pay(fees=fees, others=others, cost=rates(ahead)[1], known=known)


@lru_cache(maxsize=256)  # where neither the price nor what was measured has moved
@precise
def _rates(
    variance: Decimal,
    s: Decimal,
    fee: Decimal,
    kept: Decimal,
    transaction: Decimal,
    liquidity: Decimal,
) -> tuple[Decimal, Decimal]:
    """lambda and lambda' at this variance, as arbitrage takes it."""
    sigma = variance.sqrt()
    lvr = lvr_rate(sigma, s) * LAG
    back = arbitrage_pays_back(
        fee,
        sigma,
        BLOCK_SECONDS,
        own_fee=ARBITRAGE_FEE,
        transaction=transaction,
        liquidity=liquidity,
        sqrt_price=s,
    )
    return lvr, lvr_after_arbitrage_fees(lvr, ONE - back, kept)


def watched(elapsed: Decimal, settings: Strategy) -> Decimal:
    """What ``pool_seconds`` is after ``elapsed`` seconds of looking: what is older counts less."""
    return _watched(elapsed, settings.pay_halflife_hours * HOUR)


@lru_cache(maxsize=64)
@precise
def _watched(elapsed: Decimal, halflife: Decimal) -> Decimal:
    return halflife / LN_2 * (ONE - (-LN_2 * elapsed / halflife).exp())


@lru_cache(maxsize=256)
@precise
def protocol_share(fee_protocol: int) -> Decimal:
    """Of the swap fee, by the protocol, on average of both directions: slot0's two nibbles."""
    parts = [ONE / n if n else ZERO for n in (fee_protocol & 15, fee_protocol >> 4)]
    return (parts[0] + parts[1]) / 2
