"""What the other people in the pool do: swaps in the market's pool.

The arbitrageur trades whenever the pool has left the fair price by more than its fee, and stops
exactly where the next unit would earn nothing. For a fair price ``F`` (quote per base) and a fee
``f``, selling base pays while ``P (1 - f) > F``, buying while ``P / (1 - f) < F``, so the pool
always ends inside

    F (1 - f)  <=  P  <=  F / (1 - f)

to within one unit of its square-root price. The limit is the swap's own ``sqrtPriceLimitX96``:
the pool computes the amount, and nothing here has to know its liquidity.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from dexmm.model.market import Market
from dexmm.sim.flow import NoiseTrade
from dexmm.units import Q96, sqrt_from_ratio, to_units_down

WHATEVER_IT_TAKES = 2**127  # an amount that only the price limit ends
PIPS = 1_000_000
_FLOAT_ERROR = 1e-9  # far more than three float operations can be off
NOISE_SLIPPAGE = Decimal("0.02")  # nobody buys a thin pool empty by mistake: the rest is not traded
_DEARER, _CHEAPER = 1 + NOISE_SLIPPAGE, 1 - NOISE_SLIPPAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSwap:
    """``exactInputSingle`` in the market's pool, ended by its amount or by its price limit."""

    zero_for_one: bool
    amount_in: int
    sqrt_price_limit_x96: int


def no_arbitrage_interval(market: Market, fair_price: Decimal) -> tuple[int, int]:
    """The square-root prices, low first, between which arbitrage earns nothing."""
    one, other = _edge(market, fair_price, above=True), _edge(market, fair_price, above=False)
    return min(one, other), max(one, other)


def arbitrage(market: Market, sqrt_price_x96: int, fair_price: Decimal) -> PoolSwap | None:
    """The swap that brings the pool to the edge of the interval, or None when it is inside."""
    over = float_price(market, sqrt_price_x96) / float(fair_price)
    kept = 1 - market.fee_pips / PIPS
    if kept * (1 + _FLOAT_ERROR) < over < (1 - _FLOAT_ERROR) / kept:
        return None  # beyond any doubt that a float could leave
    limit = _edge(market, fair_price, above=over > 1)
    zero_for_one = (over > 1) == market.base_is_token0
    if not (sqrt_price_x96 > limit if zero_for_one else sqrt_price_x96 < limit):
        return None
    return PoolSwap(
        zero_for_one=zero_for_one, amount_in=WHATEVER_IT_TAKES, sqrt_price_limit_x96=limit
    )


def float_price(market: Market, sqrt_price_x96: int) -> float:
    """Quote per base to a float's precision: to rule things out, never to trade by."""
    root = sqrt_price_x96 / Q96
    price = root * root * 10.0 ** (market.token0.decimals - market.token1.decimals)
    return price if market.base_is_token0 else 1 / price


def _edge(market: Market, fair_price: Decimal, *, above: bool) -> int:
    """The end of the interval on the side of people's prices above, or below, the fair one.

    The square root of an exact fraction, rounded down once.
    """
    price, one = fair_price.as_integer_ratio()
    kept = PIPS - market.fee_pips
    price, one = (price * PIPS, one * kept) if above else (price * kept, one * PIPS)
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
