"""What a pool's own swaps say of it: trade, fees to a unit of liquidity, and volatility.

    volume       what was exchanged, counted in quote, each swap at its own price
    growth       fees that each unit of liquidity in range earned, as the pool's feeGrowthGlobal
                 counts them: a swap's fee less the protocol's part, over the liquidity it left
    liquidity    in range, on average over time
    sigma        sqrt(sum of squared log returns / seconds), of prices ``every`` seconds apart

A swap that crosses ticks meets several liquidities and is counted at the last of them. Arbitrage
leaves a pool's price anywhere within its fee of the market's, and that bounce, squared, would be
taken for volatility: so prices are compared no nearer in time than the market takes to move by two
fees at ``USUAL_SIGMA`` (within an eighth of what was looked at, so that there are returns at all).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dexmm.decimal_context import DAY, PIPS, YEAR, precise
from dexmm.model.market import Market
from dexmm.strategy.pay.pool_pay import PoolPay, earned_rate, pool_pay
from dexmm.units import to_decimal

PIPS_WHOLE = 1_000_000
Q128 = 1 << 128
USUAL_SIGMA = Decimal("0.2")  # a year, of gold
LEAST_EVERY = 1800
LEAST_RETURNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One swap as the pool told it: amounts it received (negative: paid), smallest units."""

    time: int
    amount0: int
    amount1: int
    sqrt_price_x96: int  # after it
    liquidity: int  # in range after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Sums over ``seconds``. Volume and fees in whole quote."""

    seconds: int
    block_seconds: Decimal
    swaps: int
    volume: Decimal
    fees: Decimal  # to all of the liquidity in range, after the protocol's part
    growth_base_x128: int
    growth_quote_x128: int
    liquidity: Decimal  # mean in range
    sigma: Decimal | None  # per square root of a second; None when too little was seen

    def per_day(self, amount: Decimal | int) -> Decimal:
        """0 when no time passed: nothing can be said."""
        return Decimal(amount) * DAY / self.seconds if self.seconds else Decimal(0)


@precise
def measure_trade(
    swaps: Sequence[Swap], market: Market, fee_protocol: int, *, start: int, end: int, blocks: int
) -> Trade:
    """``swaps`` in their order, of ``blocks`` blocks between two timestamps.

    ``fee_protocol`` is slot0's byte. Raises ``ValueError`` when no time passed.
    """
    seconds = end - start
    if seconds <= 0 or blocks <= 0:
        raise ValueError("a trade is measured over some time")
    volume, fees = Decimal(0), Decimal(0)
    growth = [0, 0]
    for swap in swaps:
        inwards = 0 if swap.amount0 > 0 else 1
        taken = max(swap.amount0, swap.amount1) * market.fee_pips // PIPS_WHOLE
        part = (fee_protocol >> 4) if inwards else fee_protocol & 15
        kept = taken - taken // part if part else taken
        if swap.liquidity:
            growth[inwards] += kept * Q128 // swap.liquidity
        worth = to_decimal(
            abs(swap.amount1 if market.base_is_token0 else swap.amount0), market.quote.decimals
        )
        volume += worth
        fees += worth * market.fee_pips / PIPS * (1 - 1 / Decimal(part) if part else 1)
    base, quote = growth if market.base_is_token0 else growth[::-1]
    return Trade(
        seconds=seconds,
        block_seconds=Decimal(seconds) / blocks,
        swaps=len(swaps),
        volume=volume,
        fees=fees,
        growth_base_x128=base,
        growth_quote_x128=quote,
        liquidity=_mean_liquidity(swaps, start, end),
        sigma=_sigma(swaps, market, sampled_every(market.fee_pips, seconds), end),
    )


@precise
def sampled_every(fee_pips: int, seconds: int) -> int:
    """How far apart in time prices are compared; see the top of this file."""
    needed = (2 * Decimal(fee_pips) / PIPS / USUAL_SIGMA) ** 2 * YEAR
    return max(LEAST_EVERY, int(min(needed, Decimal(seconds) / LEAST_RETURNS)), 1)


@precise
def pay_of_trade(
    trade: Trade, market: Market, sqrt_price_x96: int, fee_kept: Decimal, sigma: Decimal
) -> PoolPay:
    """The pool's rates; quote in smallest units, liquidity in the pool's, time in seconds.

    ``sigma`` may come from another pool of the pair, one that follows the market more closely.
    """
    ratio = Decimal(sqrt_price_x96) / (1 << 96)
    root = ratio if market.base_is_token0 else 1 / ratio
    return pool_pay(
        earned=earned_rate(
            trade.growth_base_x128, trade.growth_quote_x128, root * root, trade.seconds
        ),
        sigma=sigma,
        sqrt_price=root,
        fee=market.fee_pips / PIPS,
        fee_kept=fee_kept,
        block_seconds=trade.block_seconds,
    )


def _mean_liquidity(swaps: Sequence[Swap], start: int, end: int) -> Decimal:
    if not swaps:
        return Decimal(0)
    times = [start, *(swap.time for swap in swaps[1:]), end]
    total = sum(
        swap.liquidity * (after - before)
        for swap, (before, after) in zip(swaps, pairwise(times), strict=True)
    )
    return Decimal(total) / (end - start)


def _sigma(swaps: Sequence[Swap], market: Market, every: int, end: int) -> Decimal | None:
    """The price stands between swaps; the first swap's is where it begins."""
    if not swaps:
        return None
    first = swaps[0].time
    prices, at = [], 0
    for moment in range(first, end + 1, every):
        while at + 1 < len(swaps) and swaps[at + 1].time <= moment:
            at += 1
        prices.append(market.price(swaps[at].sqrt_price_x96))
    if len(prices) < LEAST_RETURNS:
        return None
    squares = sum(
        ((after / before).ln() ** 2 for before, after in pairwise(prices)),
        Decimal(0),
    )
    return (squares / (every * (len(prices) - 1))).sqrt() if squares else None
