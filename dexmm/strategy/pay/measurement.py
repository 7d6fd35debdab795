"""What the pool pays a unit of liquidity and what it costs, as measured turn by turn.

A liquidity L in range earns its part of what others pay, F L / (L0 + L), and loses what arbitrage
really costs, lambda' L, whatever its range is (``pool_pay.py``). Between two looks the pool's fee
growth has paid

    E = (d fee_growth_0 P + d fee_growth_1) L_pool        quote, to all of the liquidity in range

of which arbitrage gave back (lambda - lambda') L_pool dt; the rest are other people's fees. E,
L_pool and the variance of the price are means over the same time, closed sessions included,
whose weight halves every ``pay_halflife_hours``; the first half-life is a plain mean. Fee growth
only ever adds up, so looks far apart lose nothing. F and lambda' are of the same looks, since trade
follows volatility: their ratio is what lasts. A look at which more than ``MOST_COUNTED`` times the
usual was paid counts as such a one, its variance too: no single day decides for weeks.

**Variance.** On an exchange the price is the middle of its book. Without one it is the pool's,
which arbitrage leaves within b of the fair one: it begins gamma + x + g away and ends at gamma + x
(``arbitrage_pays_back``), so b is taken as the middle of the two. ``price_lag.py`` says how much
less such a price moves. Both are looked at ``LEAST_SAMPLE`` apart at the nearest. What reverts
between two looks is not seen, and arbitrage takes it: for looks T apart ``HIDDEN`` sqrt(T / hour)
of what shows, the mean of gold's four half-years from 2021 to 2022, and less the nearer they are.

**What is believed.** Fees are counted exactly; the error of the ratio phi = F / (L0 lambda') is
that of the variance. Squared returns r^2 with weights w, each of a normal of its own variance, have

    s^2 = 2/3 sum w^2 r^4 / (sum w r^2)^2      relative; however volatility itself moves

which is doubled, since what reverts between looks changes too (it scatters the ratio of gold's
fortnights in 2021 and 2022 by as much again). To that come ``MODEL`` for what the model leaves out,
and ``GUESS`` as far as volatility is still the configured one. Since F is E less a part of lambda,
an error of the variance counts E / F times in phi (``returned``). Liquidity comes where it is paid
and leaves where it is not, so that before anything is measured ln phi is taken as normal around 0
with ``SPREAD``; after it,

    ln phi = z SPREAD^2 / (SPREAD^2 + s^2)      of the measured z = ln phi

Since what L earns is linear in phi, L* at that mean is the size that earns most on average. At a
ratio of 1 it is mostly nothing or very little, and it takes weeks to believe in 1.4: from hourly
looks nobody can tell the two sooner.

**Jumps.** A mean over weeks is late to see that trade has come or gone. So the same is kept over
the last ``RECENT_HOURS``, in which one look counts for no more than ``MOST_PAID`` usual ones, and
held against the mean without them. Trade has gone where a ratio ``JUMP`` times lower is seen even
at the lower of the usual variance and the recent one (without moves beyond ``MOST_MOVED`` usual
ones); it has come where one as much higher is seen even at the higher of the usual and the recent
one (with all moves), in a market no livelier than ``CALM`` usual ones. That is believed to the
power of ``BELIEF``.

What arbitrage gives back depends on what its transactions cost it (``arbitrage_pays_back``): it is
taken to need ``ARBITRAGE_GAS`` at the base fees seen, spikes aside (the square of the mean root),
and to pay ``ARBITRAGE_FEE`` of what it trades elsewhere.

Who trades with himself to look like trade pays the pool what the mean then believes: the mean
hands out over time exactly what was paid in, and liquidity placed for it costs no more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Protocol

from dexmm.config.schema import Strategy
from dexmm.decimal_context import HOUR, LN_2, ONE, log_of, once, precise, remaining
from dexmm.model.market import Market, PoolState
from dexmm.model.memory import Memory, evolve
from dexmm.strategy.pay.pool_pay import (
    arbitrage_pays_back,
    best_liquidity,
    lvr_after_arbitrage_fees,
    lvr_rate,
    pay_ratio,
    worth_of_best,
)
from dexmm.strategy.pay.price_lag import fair_variance
from dexmm.uniswap.full_math import MAX_UINT256
from dexmm.units import SqrtPriceX96

ZERO = Decimal(0)
Q128 = Decimal(2**128)
SHORT, LONG = Context(prec=3), Context(prec=12)  # for what is told to people
HALVINGS = 16
NEARLY_NOTHING = Decimal("1e-6")
BY_PAY = "measured"  # the strategy that acts on it
BLOCK_SECONDS = Decimal(12)
ARBITRAGE_GAS = Decimal(150_000)  # of a transaction of an arbitrageur's
ARBITRAGE_FEE = Decimal("0.0001")  # of what it trades, on the exchange
LEAST_SAMPLE = 300  # seconds: in less the pool's price mostly waits for arbitrage
HIDDEN = Decimal("0.15")  # variance that reverts between looks an hour apart, of what they show
SPREAD = Decimal("0.25")  # of the logarithm of pay ratios
SPREAD_SQUARED = SPREAD**2
MODEL = Decimal("0.07")  # error of the variance that no number of looks makes smaller
GUESS = Decimal("0.3")  # error of the configured variance
FLOW = Decimal("1.5")  # variance of the trades of an hour, of their mean squared
MOST_LEVER = Decimal(4)  # of an error of the variance in the ratio
UNMEASURED = Decimal("0.03")  # sum w^2 r^4 / (sum w r^2)^2 of a journal that did not keep it
BELIEF = Decimal("0.5")
RECENT_HOURS = Decimal(12)
JUMP = Decimal("2.2")
CALM = Decimal(2)  # variance of the last hours, of the usual
ESTABLISHED = 24 * HOUR  # seconds after which there is something usual
MOST_COUNTED = Decimal(8)  # of what is usually paid in that time: of one look, in the long mean
MOST_PAID = Decimal(4)  # of what is usually paid in that time
MOST_MOVED = Decimal(2)  # of the usual variance
JUMP_ERROR = SPREAD_SQUARED * (ONE / BELIEF - 1)


@dataclass(frozen=True, kw_only=True)  # without slots: what follows is worked out once, if asked
class Pay:
    """Rates of one pool. Quote in smallest units, liquidity in the pool's, time in seconds."""

    fees: Decimal  # others', to all of the liquidity in range, per second: F, as measured
    others: Decimal  # liquidity in range that is not ours: L0
    cost: Decimal  # of a unit of liquidity, per second: lambda'
    error: Decimal = ZERO  # squared standard error of the variance's logarithm
    returned: Decimal = ZERO  # what arbitrage gives back, of ``cost``
    known: bool = True  # enough was measured to act on

    @once
    def ratio(self) -> Decimal:
        """As measured: above 1 the pool pays its liquidity; 0 where nothing is known."""
        if not self.others or not self.cost:
            return ZERO
        return pay_ratio(self.fees / self.others, self.cost)

    @once
    def expected(self) -> Decimal:
        """F as far as it is believed."""
        ratio = self.ratio
        if not self.error or not ratio or ratio.is_infinite():
            return self.fees
        return (ratio.ln() * self.belief(ratio)).exp() * self.cost * self.others

    def belief(self, ratio: Decimal) -> Decimal:
        """The part of a measured ratio's logarithm that is believed, 0 to 1."""
        return _belief(ratio, self.error, self.returned)

    def measured_at(self, expected: Decimal) -> Decimal:
        """F that would have to be measured for ``expected``, to three digits, to be believed."""
        if not self.error or not self.others or not self.cost or expected <= 0:
            return expected
        usual = self.cost * self.others
        wanted = (expected / usual, self.error, self.returned)
        return _measured_at(*[SHORT.plus(each) for each in wanted]) * usual

    @once
    def best(self) -> Decimal:
        """L*, the liquidity that is expected to earn most here; 0 where none pays."""
        if self.ratio <= 1:  # what is believed is nearer to 1, on the same side
            return ZERO
        return best_liquidity(self.expected, self.others, self.cost)

    @once
    def worth(self) -> Decimal:
        """What L* is expected to earn, per second, before its gas."""
        return worth_of_best(self.expected, self.others, self.cost) if self.best else ZERO

    def net(self, liquidity: Decimal) -> Decimal:
        """What ``liquidity`` in range is expected to earn, per second, before its gas."""
        if not liquidity:
            return ZERO
        total = self.others + liquidity
        return self.expected * liquidity / total - self.cost * liquidity


def _belief(ratio: Decimal, error: Decimal, returned: Decimal) -> Decimal:
    lever = min(ONE + returned / ratio, MOST_LEVER)
    return SPREAD_SQUARED / (SPREAD_SQUARED + error * lever * lever)


@lru_cache(maxsize=256)  # most turns tell people what the one before has told
def _measured_at(believed: Decimal, error: Decimal, returned: Decimal) -> Decimal:
    with localcontext(LONG):
        wanted = believed.ln()
        near, far = wanted, wanted / _belief(NEARLY_NOTHING, error, returned)
        for _ in range(HALVINGS):
            found = (near + far) / 2
            if abs(found * _belief(found.exp(), error, returned)) < abs(wanted):
                near = found
            else:
                far = found
        return far.exp()


class Growing(Protocol):
    """A pool, as far as what it pays is told by it."""

    @property
    def sqrt_price_x96(self) -> int: ...
    @property
    def liquidity(self) -> int: ...
    @property
    def fee_growth_global0_x128(self) -> int: ...
    @property
    def fee_growth_global1_x128(self) -> int: ...


def sample_seconds(settings: Strategy) -> int:
    """Between two looks, at least."""
    return LEAST_SAMPLE if settings.name == BY_PAY else HOUR


def look_due(memory: Memory, now: int, settings: Strategy) -> bool:
    """Whether ``measured`` would take a sample: enough time has passed since the last."""
    since = memory.fee_growth_at
    return since is None or not 0 <= now - since < sample_seconds(settings)


def measured(
    memory: Memory,
    pool: Growing,
    market: Market,
    now: int,
    s: Decimal,
    settings: Strategy,
    base_fee_wei: int = 0,
    there: Decimal | None = None,
) -> Memory:
    """The memory with what the pool has paid and how far the price has moved since the last look.

    ``s`` is the square root of the price in smallest units, quote per base; ``now`` a timestamp.
    ``there`` is the price of an exchange: moves are only between two prices of one place. Looks
    nearer in time than ``sample_seconds`` are one look: growth waits for the next.
    """
    if not look_due(memory, now, settings):
        return memory
    since, before = memory.fee_growth_at, memory.pool_price
    price = market.price(SqrtPriceX96(pool.sqrt_price_x96)) if there is None else there
    growth = (int(pool.fee_growth_global0_x128), int(pool.fee_growth_global1_x128))
    looked = {
        "fee_growth": growth,
        "fee_growth_at": now,
        "pool_price": price,
        "pool_price_there": there is not None,
    }
    if (
        memory.fee_growth is None
        or since is None
        or now < since
        or before is None
        or memory.pool_price_there is (there is None)
    ):
        return evolve(memory, **looked)
    elapsed = now - since
    grown = [
        Decimal((one - then) & MAX_UINT256)
        for one, then in zip(growth, memory.fee_growth, strict=True)
    ]
    base, quote = grown if market.base_is_token0 else grown[::-1]
    paid = (base * s * s + quote) / Q128 * pool.liquidity
    observed = log_of(price / before) ** 2 / elapsed
    liquidity = Decimal(pool.liquidity) * elapsed
    kept = remaining(elapsed, settings.pay_halflife_hours * HOUR)
    lately = remaining(elapsed, recently(settings))
    counted, moved, once_paid, once_moved = paid, observed, paid, observed
    if memory.pool_seconds >= ESTABLISHED and memory.pool_variance_seconds >= ESTABLISHED:
        usual = memory.pool_paid / memory.pool_seconds * elapsed
        if paid > MOST_COUNTED * usual:
            counted = MOST_COUNTED * usual
            moved = observed * counted / paid
        once_paid = min(paid, MOST_PAID * usual)
        once_moved = min(observed, MOST_MOVED * memory.pool_variance)
    seconds = memory.pool_variance_seconds + elapsed
    least = Decimal(elapsed) / seconds
    slow, fast = max(ONE - kept, least), max(ONE - lately, least)
    variance, error = memory.pool_variance, memory.pool_variance_error
    if not error:
        error = UNMEASURED * variance**2
    recent, most = memory.recent_variance, memory.recent_variance_most or memory.recent_variance
    every = memory.pool_sample_seconds
    return evolve(
        memory,
        **looked,
        pool_paid=memory.pool_paid * kept + counted,
        pool_liquidity=memory.pool_liquidity * kept + liquidity,
        pool_seconds=memory.pool_seconds * kept + elapsed,
        pool_gas=memory.pool_gas * kept + Decimal(base_fee_wei).sqrt() * elapsed,
        pool_variance=variance + slow * (moved - variance),
        pool_variance_error=error * (ONE - slow) ** 2 + (slow * moved) ** 2,
        pool_variance_seconds=seconds,
        pool_sample_seconds=every + slow * (elapsed - every),
        recent_paid=memory.recent_paid * lately + once_paid,
        recent_liquidity=memory.recent_liquidity * lately + liquidity,
        recent_seconds=memory.recent_seconds * lately + elapsed,
        recent_variance=recent + fast * (once_moved - recent),
        recent_variance_most=most + fast * (observed - most),
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
    band = ZERO
    if not memory.pool_price_there:
        band = fee + ARBITRAGE_FEE + (transaction / ((around or ONE) * s)).sqrt()
    every = memory.pool_sample_seconds or Decimal(HOUR)

    part = seen * _with_hidden(every)

    def shown(variance: Decimal) -> Decimal:
        return part * fair_variance(variance, every, band) + (ONE - seen) * sigma**2

    long = shown(memory.pool_variance)
    lvr, cost = rates(long)
    if not seconds:
        return Pay(fees=ZERO, others=others, cost=cost, known=False)
    paid = memory.pool_paid / seconds
    back = lvr - cost
    fees = max(paid - back * memory.pool_liquidity / seconds, ZERO)
    known = seconds >= watched(settings.pay_measure_hours * HOUR, settings)
    if jump := _jumped(memory, long, back, shown, rates, s):
        lately, dearer = jump
        return Pay(fees=lately, others=others, cost=dearer, error=JUMP_ERROR, known=known)
    return Pay(
        fees=fees,
        others=others,
        cost=cost,
        error=_error(memory, seen),
        returned=back / cost if cost else ZERO,
        known=known,
    )


@lru_cache(maxsize=64)  # looks are mostly as far apart as before
def _with_hidden(seconds: Decimal) -> Decimal:
    return ONE + HIDDEN * (seconds / HOUR).sqrt()


def _jumped(
    memory: Memory,
    long: Decimal,
    back: Decimal,
    shown: Callable[[Decimal], Decimal],
    rates: Callable[[Decimal], tuple[Decimal, Decimal]],
    s: Decimal,
) -> tuple[Decimal, Decimal] | None:
    """F and lambda' of the last hours, where trade has come or gone; None where it has not.

    ``back`` is what arbitrage usually gives back to a unit of liquidity. Most of the time bounds
    that cost nothing say that nothing has: arbitrage gives back no less than nothing, and no more
    than it takes.
    """
    earlier = memory.pool_seconds - memory.recent_seconds  # each look counts in it
    if earlier < ESTABLISHED:
        return None
    usual = memory.pool_paid - memory.recent_paid
    usual -= back * (memory.pool_liquidity - memory.recent_liquidity)
    fees = max(usual, ZERO) / earlier
    short = shown(memory.recent_variance)
    paid = memory.recent_paid / memory.recent_seconds
    around = memory.recent_liquidity / memory.recent_seconds
    low, high = min(short, long), max(short, long)
    if (paid - low * s / 4 * around) * JUMP * high < fees * low:
        lvr, cost = rates(low)
        gone = max(paid - (lvr - cost) * around, ZERO)
        if gone * JUMP * high < fees * low:
            return gone, rates(high)[1]
    if paid <= JUMP * fees:
        return None
    most = max(high, shown(memory.recent_variance_most))
    if most > long * CALM or paid * long <= JUMP * fees * most:
        return None
    lvr, cost = rates(most)
    come = max(paid - (lvr - cost) * around, ZERO)
    return (come, cost) if come * long > JUMP * fees * most else None


def _error(memory: Memory, seen: Decimal) -> Decimal:
    """Squared relative error of F / lambda' from what was seen of the variance and of trades."""
    found = MODEL**2 + ((ONE - seen) * GUESS) ** 2
    if memory.pool_variance:
        squared = memory.pool_variance_error or UNMEASURED * memory.pool_variance**2
        found += seen * seen * 4 * squared / (3 * memory.pool_variance**2)
    return found + FLOW * HOUR / max(memory.pool_seconds, Decimal(HOUR))


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
    lvr = lvr_rate(sigma, s)
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
