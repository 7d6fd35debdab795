"""What a pool pays its liquidity, and how much liquidity that is worth.

A liquidity in range earns and loses at rates that do not depend on the width of its range. With
price P (quote per base), volatility sigma (of the log price, per square root of a second), pool fee
f (a fraction), protocol's share c of that fee, and blocks dt seconds apart:

    g        = d(feeGrowthBase)/dt * P + d(feeGrowthQuote)/dt     earned, measured on the chain
    lambda   = sigma^2 / 4 * sqrt(P)                              lost to those who know the price
    p        = 1 / (1 + sqrt(2) gamma / (sigma sqrt(dt)))         what arbitrage keeps of lambda
    gamma    = -ln(1 - f)                                         the fee as a log price
    lambda'  = lambda (1 - (1 - p)(1 - c))                        lost, less arbitrage's own fees
    F / L0   = g - (lambda - lambda')                             earned from everybody else
    phi      = F / (L0 lambda')                                   the pay ratio

lambda is loss-versus-rebalancing; p is from Milionis, Moallemi and Roughgarden, "Automated Market
Making and Arbitrage Profits in the Presence of Fees" (2023), where blocks come at random, dt apart
on average. g holds the fees that arbitrage itself pays, and they come back to each unit of
liquidity however much of it there is; F is a sum, which all liquidity shares. So phi tells what g
against lambda cannot: above 1 a pool pays its liquidity, below 1 it does not.

With the others' liquidity L0 in range, ours nets

    n(L)     = F L / (L + L0) - lambda' L                         concave in L
    L*       = sqrt(F L0 / lambda') - L0                          its greatest, where F > lambda' L0
    n(L*)    = (sqrt F - sqrt(lambda' L0))^2
    n(L) = 0 at L = F / lambda' - L0                              beyond it ours loses

and nothing where F <= lambda' L0: standing aside is then best.

Units are the caller's, as long as they agree: with P in smallest units of quote per smallest unit
of base, and liquidity as the pool counts it, rates are in smallest units of quote a second. Rates
``g`` and ``lambda`` are for one unit of liquidity, ``F`` is for all of it.

Everything is computed with 50 significant digits and rounded half to even (``precise``). Arguments
that no market has (a price or a liquidity below 0, a fee of 1) raise ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.decimal_context import ONE, precise
from dexmm.units import PRICE

ZERO = Decimal(0)
TWO = Decimal(2)
FOUR = Decimal(4)
Q128 = Decimal(2**128)  # exact: 39 digits
WORDS = 2**256  # the counters of fee growth are unsigned words that wrap around
INFINITE = Decimal("Infinity")


def growth_between(before: int, after: int) -> int:
    """What a ``feeGrowth...X128`` counter gained; it wraps around at 2^256 as the chain's does."""
    return (after - before) % WORDS


@precise
def earned_rate(
    growth_base_x128: int, growth_quote_x128: int, price: Decimal, seconds: int
) -> Decimal:
    """g: quote a second for each unit of liquidity in range.

    The growths are those of ``seconds`` (``growth_between``), by which token is the base; base is
    valued at ``price``.
    """
    if seconds <= 0:
        raise ValueError("fee growth needs seconds to have passed")
    _not_negative(price=price)
    return (growth_base_x128 * price + growth_quote_x128) / Q128 / seconds


@precise
def lvr_rate(sigma: Decimal, sqrt_price: Decimal) -> Decimal:
    """lambda: loss-versus-rebalancing, in quote a second for each unit of liquidity in range."""
    _not_negative(sigma=sigma, sqrt_price=sqrt_price)
    return sigma * sigma * sqrt_price / FOUR


@lru_cache(maxsize=256)  # volatility only changes with a sample of the price
@precise
def arbitrage_keeps(fee: Decimal, sigma: Decimal, block_seconds: Decimal) -> Decimal:
    """p, from 0 to 1: the part of loss-versus-rebalancing that arbitrage does not pay as fees.

    It is 0 where nothing moves and 1 where there is no fee.
    """
    _not_negative(sigma=sigma, block_seconds=block_seconds)
    _fee_of(fee)
    gamma = _as_log_price(fee)
    moved = sigma * block_seconds.sqrt()
    if not gamma:
        return ONE
    return moved / (moved + TWO.sqrt() * gamma)


@precise
def arbitrage_pays_back(
    fee: Decimal,
    sigma: Decimal,
    block_seconds: Decimal,
    *,
    own_fee: Decimal = ZERO,
    transaction: Decimal = ZERO,
    liquidity: Decimal = ONE,
    sqrt_price: Decimal = ONE,
) -> Decimal:
    """The part of loss-versus-rebalancing, 0 to 1, that arbitrage pays as fees to all who get them.

    Arbitrage moves a pool once its price is gamma + x + g away from the fair one, and back to
    gamma + x: x is what it pays elsewhere on what it trades (``own_fee``), and from
    g = 2 sqrt(k / (L sqrt(P))) on it earns what a transaction costs (k, in quote). With blocks
    that come at random it is then beyond g by a step of mean h = sigma sqrt(dt / 2), so that it
    moves the pool's price by d = g + h on average, and

        r = gamma / (gamma + x + E[d^2] / 2 E[d])     E[d^2] / 2 E[d] = (d + h^2 / d) / 2

    of what it takes comes back. Without costs of its own that is 1 - p (``arbitrage_keeps``).
    """
    if transaction < 0 or own_fee < 0 or liquidity <= 0 or sqrt_price <= 0:
        raise ValueError("costs cannot be below 0, nor a market without liquidity or price")
    _not_negative(sigma=sigma, block_seconds=block_seconds)
    _fee_of(fee)
    gamma = _as_log_price(fee)
    if not gamma:
        return ZERO
    step = sigma * _root(block_seconds / TWO)
    each = TWO * (transaction / (liquidity * sqrt_price)).sqrt() + step
    beyond = (each + step * step / each) / TWO if each else ZERO
    return gamma / (gamma + own_fee + beyond)


@precise
def lvr_after_arbitrage_fees(lvr: Decimal, keeps: Decimal, fee_kept: Decimal) -> Decimal:
    """lambda': what arbitrage really costs a unit of liquidity, its own fees given back.

    ``keeps`` is p, ``fee_kept`` the part of the swap fee that liquidity keeps (1 - c).
    """
    _not_negative(lvr=lvr)
    for name, share in (("keeps", keeps), ("fee_kept", fee_kept)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share from 0 to 1")
    return lvr * (ONE - (ONE - keeps) * fee_kept)


@precise
def others_fee_rate(earned: Decimal, lvr: Decimal, lvr_after: Decimal) -> Decimal:
    """F / L0: the fees of everybody but arbitrage, for each unit of liquidity.

    ``earned`` is g, ``lvr`` lambda and ``lvr_after`` lambda'. It is below 0 where arbitrage paid
    less than expected (slower, or kept away by costs of its own): then nobody else is seen.
    """
    return earned - (lvr - lvr_after)


@precise
def pay_ratio(others: Decimal, lvr_after: Decimal) -> Decimal:
    """phi: ``others_fee_rate`` over lambda'; 0 where others pay nothing.

    Infinite where others pay and arbitrage costs nothing: a price that never moves.
    """
    _not_negative(lvr_after=lvr_after)
    if others <= 0:
        return ZERO
    return others / lvr_after if lvr_after else INFINITE


@precise
def net_rate(
    others_fees: Decimal, others_liquidity: Decimal, lvr_after: Decimal, liquidity: Decimal
) -> Decimal:
    """n(L): what ``liquidity`` of ours in range nets a second, before gas."""
    _market(others_liquidity, lvr_after)
    _not_negative(liquidity=liquidity)
    if not liquidity:
        return ZERO
    part = liquidity / (liquidity + others_liquidity)
    return max(others_fees, ZERO) * part - lvr_after * liquidity


@precise
def best_liquidity(others_fees: Decimal, others_liquidity: Decimal, lvr_after: Decimal) -> Decimal:
    """L*: the liquidity that nets most; 0 where the pool does not pay.

    ``others_fees`` is F (a sum: ``others_fee_rate`` times the liquidity that earned it). Infinite
    where arbitrage costs nothing. Without any liquidity of others it is 0 too: however little we
    put in, it would earn all of F, and more of it no more.
    """
    _market(others_liquidity, lvr_after)
    if not others_liquidity or not _pays(others_fees, others_liquidity, lvr_after):
        return ZERO
    if not lvr_after:
        return INFINITE
    return (others_fees * others_liquidity / lvr_after).sqrt() - others_liquidity


@precise
def break_even_liquidity(
    others_fees: Decimal, others_liquidity: Decimal, lvr_after: Decimal
) -> Decimal:
    """The liquidity beyond which ours loses; 0 where the pool does not pay."""
    _market(others_liquidity, lvr_after)
    if not _pays(others_fees, others_liquidity, lvr_after):
        return ZERO
    return others_fees / lvr_after - others_liquidity if lvr_after else INFINITE


@precise
def worth_of_best(others_fees: Decimal, others_liquidity: Decimal, lvr_after: Decimal) -> Decimal:
    """n(L*): the most that liquidity of ours can net a second, before gas; never below 0."""
    _market(others_liquidity, lvr_after)
    if not _pays(others_fees, others_liquidity, lvr_after):
        return ZERO
    return (others_fees.sqrt() - (lvr_after * others_liquidity).sqrt()) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPay:
    """The rates of one pool, a second; see the top of this file for each."""

    earned: Decimal  # g
    lvr: Decimal  # lambda
    keeps: Decimal  # p
    lvr_after: Decimal  # lambda'
    others: Decimal  # F / L0
    ratio: Decimal  # phi


@precise
def pool_pay(
    *,
    earned: Decimal,
    sigma: Decimal,
    sqrt_price: Decimal,
    fee: Decimal,
    fee_kept: Decimal,
    block_seconds: Decimal,
) -> PoolPay:
    """All rates of a pool that earned ``earned`` (g) while its price moved by ``sigma``."""
    lvr = lvr_rate(sigma, sqrt_price)
    keeps = arbitrage_keeps(fee, sigma, block_seconds)
    after = lvr_after_arbitrage_fees(lvr, keeps, fee_kept)
    others = others_fee_rate(earned, lvr, after)
    return PoolPay(
        earned=earned,
        lvr=lvr,
        keeps=keeps,
        lvr_after=after,
        others=others,
        ratio=pay_ratio(others, after),
    )


def _fee_of(fee: Decimal) -> None:
    _not_negative(fee=fee)
    if fee >= 1:
        raise ValueError("a pool's fee is a fraction below 1")


@lru_cache(maxsize=64)  # of a pool: every turn asks
def _as_log_price(fee: Decimal) -> Decimal:
    """gamma."""
    return -PRICE.ln(PRICE.subtract(ONE, fee))


@lru_cache(maxsize=64)  # of a chain's time
def _root(value: Decimal) -> Decimal:
    return value.sqrt(PRICE)


def _pays(others_fees: Decimal, others_liquidity: Decimal, lvr_after: Decimal) -> bool:
    return others_fees > 0 and others_fees > lvr_after * others_liquidity


def _market(others_liquidity: Decimal, lvr_after: Decimal) -> None:
    _not_negative(others_liquidity=others_liquidity, lvr_after=lvr_after)


def _not_negative(**values: Decimal) -> None:
    for name, value in values.items():
        if value.is_nan() or value < 0:
            raise ValueError(f"{name} cannot be below 0")
