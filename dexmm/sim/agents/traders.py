"""What the other people in the pool do: swaps in the market's pool.

The arbitrageur trades against the fair price ``F`` (quote per base) with costs of its own: the part
``x`` of what it trades on an exchange, and a sum for each transaction. With a pool fee ``f``
selling base pays while ``P (1 - f) > F (1 + x)``, buying while ``P / (1 - f) < F (1 - x)``. It goes
exactly to where the next unit would earn nothing, so the pool ends inside

    F (1 - f) (1 - x)  <=  P  <=  F (1 + x) / (1 - f)

to within one unit of its square-root price, and it goes when that earns more than a transaction
costs. Going from the root s of the price to s1 through a liquidity L earns L (s - s1)^2 / s of
quote (divided by 1 - f where base is bought), so a thin pool is left alone for longer. The limit is
the swap's own ``sqrtPriceLimitX96``: the pool computes the amount.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from dexmm.model.market import Market
from dexmm.sim.agents.base_fee import MEAN_GWEI
from dexmm.sim.agents.noise_flow import NoiseTrade
from dexmm.units import Q96, sqrt_from_ratio, to_units_down

WHATEVER_IT_TAKES = 2**127  # an amount that only the price limit ends
PIPS = 1_000_000
_FLOAT_ERROR = 1e-9  # far more than a handful of float operations can be off
_SURE = 0.9  # of the distance at which a trade is worth a transaction, to rule out by
NOISE_SLIPPAGE = Decimal("0.02")  # nobody buys a thin pool empty by mistake: the rest is not traded
_DEARER, _CHEAPER = 1 + NOISE_SLIPPAGE, 1 - NOISE_SLIPPAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSwap:
    """``exactInputSingle`` in the market's pool, ended by its amount or by its price limit."""

    zero_for_one: bool
    amount_in: int
    sqrt_price_limit_x96: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbitrageCosts:
    """What arbitrage costs whoever does it, besides the pool's fee."""

    exchange_fee_pips: int = 0  # of what is traded there, in millionths
    transaction: Decimal = Decimal(0)  # quote, each


NO_COSTS = ArbitrageCosts()
ETHER_PRICE = Decimal(2500)  # quote, where nobody says another
ARBITRAGE_GAS = 150_000
ARBITRAGE_FEE_PIPS = 100  # a basis point, on a large exchange


def arbitrage_costs(
    eth_price: Decimal = ETHER_PRICE,
    gwei: Decimal = MEAN_GWEI,
    *,
    gas: int = ARBITRAGE_GAS,
    exchange_fee_pips: int = ARBITRAGE_FEE_PIPS,
) -> ArbitrageCosts:
    """A transaction of ``gas`` at ``gwei`` (all paid for a unit) and ``eth_price`` (quote)."""
    return ArbitrageCosts(
        exchange_fee_pips=exchange_fee_pips,
        transaction=(gas * gwei * eth_price).scaleb(-9),
    )


USUAL_COSTS = arbitrage_costs()


def no_arbitrage_interval(
    market: Market, fair_price: Decimal, costs: ArbitrageCosts = NO_COSTS
) -> tuple[int, int]:
    """The square-root prices, low first, between which no unit more is worth trading."""
    one = _edge(market, fair_price, costs, above=True)
    other = _edge(market, fair_price, costs, above=False)
    return min(one, other), max(one, other)


def arbitrage(
    market: Market,
    sqrt_price_x96: int,
    fair_price: Decimal,
    liquidity: int = 0,
    costs: ArbitrageCosts = NO_COSTS,
) -> PoolSwap | None:
    """The swap that brings the pool to the edge of the interval; None where none is worth it.

    ``liquidity`` is what is in range; it counts only where a transaction costs anything.
    """
    over = float_price(market, sqrt_price_x96) / float(fair_price)
    kept, fee = 1 - market.fee_pips / PIPS, costs.exchange_fee_pips / PIPS
    if kept * (1 - fee) * (1 + _FLOAT_ERROR) < over < (1 - _FLOAT_ERROR) * (1 + fee) / kept:
        return None  # beyond any doubt that a float could leave
    limit = _edge(market, fair_price, costs, above=over > 1)
    zero_for_one = (over > 1) == market.base_is_token0
    if not (sqrt_price_x96 > limit if zero_for_one else sqrt_price_x96 < limit):
        return None
    if costs.transaction and _gain(market, sqrt_price_x96, limit, liquidity) < costs.transaction:
        return None
    return PoolSwap(
        zero_for_one=zero_for_one, amount_in=WHATEVER_IT_TAKES, sqrt_price_limit_x96=limit
    )


def float_price(market: Market, sqrt_price_x96: int) -> float:
    """Quote per base to a float's precision: to rule things out, never to trade by."""
    root = sqrt_price_x96 / Q96
    price = root * root * 10.0 ** (market.token0.decimals - market.token1.decimals)
    return price if market.base_is_token0 else 1 / price


def reluctance(market: Market, sqrt_price_x96: int, liquidity: int, costs: ArbitrageCosts) -> float:
    """How far beyond the interval, as a part of the price, the pool is left alone at least.

    A float, to rule things out.
    """
    if not costs.transaction or not liquidity:
        return 0.0
    part = 1e-3
    further = int(sqrt_price_x96 * (1 + part))
    earned = _gain(market, sqrt_price_x96, further, liquidity)
    return 2 * part * math.sqrt(float(costs.transaction) / earned) * _SURE if earned else 0.0


def _gain(market: Market, sqrt_price_x96: int, limit_x96: int, liquidity: int) -> float:
    """What going to the limit earns, in whole quote, by the formula at the top; a float.

    The factor 1 / (1 - f) on one of the sides is left out: less than the gas price is known to.
    """
    moved = abs(sqrt_price_x96 - limit_x96)
    if market.base_is_token0:
        units = liquidity * moved * moved / sqrt_price_x96 / Q96
    else:
        units = liquidity * moved * moved * Q96 / sqrt_price_x96**3
    return units / 10.0**market.quote.decimals


def _edge(market: Market, fair_price: Decimal, costs: ArbitrageCosts, *, above: bool) -> int:
    """The end of the interval on the side of people's prices above, or below, the fair one.

    The square root of an exact fraction, rounded down once.
    """
    price, one = fair_price.as_integer_ratio()
    kept, fee = PIPS - market.fee_pips, costs.exchange_fee_pips
    if above:
        price, one = price * (PIPS + fee), one * kept
    else:
        price, one = price * kept * (PIPS - fee), one * PIPS * PIPS
    return sqrt_from_ratio(
        price,
        one,
        market.token0.decimals,
        market.token1.decimals,
        base_is_token0=market.base_is_token0,
    )


def noise(market: Market, trade: NoiseTrade, sqrt_price_x96: int) -> PoolSwap:
    """A noise trade at the pool's price: base for its worth in quote, or the reverse.

    In integers: worth is rounded down, and the limit is ``NOISE_SLIPPAGE`` of the price away.
    """
    base = to_units_down(trade.base, market.base.decimals)
    squared = sqrt_price_x96 * sqrt_price_x96
    amount_in = base
    if trade.buys_base:
        amount_in = base * squared >> 192 if market.base_is_token0 else (base << 192) // squared
    above, below = (_DEARER if trade.buys_base else _CHEAPER).as_integer_ratio()
    if not market.base_is_token0:
        above, below = below, above
    return PoolSwap(
        zero_for_one=trade.buys_base != market.base_is_token0,
        amount_in=max(amount_in, 1),
        sqrt_price_limit_x96=isqrt(squared * above // below),
    )
