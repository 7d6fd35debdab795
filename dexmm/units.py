"""The number types, and the only conversions between them.

What the chain holds is an ``int`` behind a NewType; what people read is a ``Decimal``. Each
conversion here says how it rounds and who would lose. ``float`` never appears: a sum of money
that passed through a float is a different sum.

A *price* is always quote per base to people (USDT per PAXG), whatever the order of the tokens
on chain. A *sqrt price* is the pool's own: sqrt(token1 / token0) in smallest units, Q64.96.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, localcontext
from functools import lru_cache
from math import isqrt
from typing import NewType

Tick = NewType("Tick", int)
SqrtPriceX96 = NewType("SqrtPriceX96", int)
Liquidity = NewType("Liquidity", int)
Amount0 = NewType("Amount0", int)
Amount1 = NewType("Amount1", int)
Wei = NewType("Wei", int)

ETHER_DECIMALS = 18  # of ether in wei

Q96 = 1 << 96
Q128 = 1 << 128

# 256-bit integers have 78 decimal digits; products of two of them appear below.
EXACT = Context(prec=180)
# Prices and shares are quotients, which never end; 50 digits is far below one unit of any token.
PRICE = Context(prec=50)


_SIGNIFICANT = 5  # digits of a price that people read
_CENTS = 2
_HALF_A_CENT = Decimal("0.005")


def price_text(price: Decimal) -> str:
    """A price for people: to the cent, and with five significant digits where that is more.

    A token may cost a hundred-millionth of its quote (SHIB in ether), and two stable tokens differ
    in the fourth digit. Rounded half to even.
    """
    return f"{price:.{price_places(price)}f}"


def price_places(price: Decimal) -> int:
    """The decimals that ``price_text`` tells."""
    return max(_CENTS, _SIGNIFICANT - 1 - price.adjusted()) if price else _CENTS


def sum_text(amount: Decimal) -> str:
    """A sum for people: to the cent, and with three significant digits where a cent would be none.

    Gas paid in ether where ether is the quote is no 0.00. Rounded half to even.
    """
    return f"{amount:.{sum_places(amount)}f}"


def sum_places(amount: Decimal) -> int:
    """The decimals that ``sum_text`` tells."""
    return _CENTS - amount.adjusted() if amount and abs(amount) < _HALF_A_CENT else _CENTS


def to_decimal(amount: int, decimals: int) -> Decimal:
    """Smallest units to whole tokens. Exact."""
    return Decimal(amount).scaleb(-decimals, EXACT)


def to_units_down(amount: Decimal, decimals: int) -> int:
    """Whole tokens to smallest units, toward zero: we never spend what we do not have."""
    return int(amount.scaleb(decimals, EXACT).to_integral_value(ROUND_DOWN, EXACT))


def to_units_up(amount: Decimal, decimals: int) -> int:
    """Whole tokens to smallest units, away from zero: a minimum we demand is never too low."""
    return int(amount.scaleb(decimals, EXACT).to_integral_value(ROUND_UP, EXACT))


def price_from_sqrt(
    sqrt_price_x96: int, decimals0: int, decimals1: int, *, base_is_token0: bool
) -> Decimal:
    """Quote per base from the pool's square-root price; 50 significant digits."""
    return _price(sqrt_price_x96, decimals0 - decimals1, base_is_token0)


@lru_cache(maxsize=256)  # many questions of one turn are about the same price
def _price(sqrt_price_x96: int, shift: int, base_is_token0: bool) -> Decimal:
    with localcontext(EXACT):
        token1_per_token0 = (Decimal(sqrt_price_x96 * sqrt_price_x96) / Decimal(1 << 192)).scaleb(
            shift
        )
        price = token1_per_token0 if base_is_token0 else 1 / token1_per_token0
    return PRICE.plus(price)


def sqrt_from_price(
    price: Decimal, decimals0: int, decimals1: int, *, base_is_token0: bool
) -> SqrtPriceX96:
    """The pool's square-root price of a quote-per-base price; rounds down by less than a unit."""
    return sqrt_from_ratio(
        *price.as_integer_ratio(), decimals0, decimals1, base_is_token0=base_is_token0
    )


def sqrt_from_ratio(
    quote: int, base: int, decimals0: int, decimals1: int, *, base_is_token0: bool
) -> SqrtPriceX96:
    """As ``sqrt_from_price``, of so many whole quote for so many whole base."""
    above, below = (quote, base) if base_is_token0 else (base, quote)
    return SqrtPriceX96(isqrt((above * 10**decimals1 << 192) // (below * 10**decimals0)))


def bp(part: Decimal, whole: Decimal) -> Decimal:
    """``part / whole`` in basis points; 50 significant digits."""
    return PRICE.divide(part * 10_000, whole)
