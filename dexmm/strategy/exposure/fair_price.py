"""The fair price: what the inventory is valued at.

The median of the pool's time-weighted average, the exchange's mid, and the triangle PAXG/BTC x
BTC/USDT: three prices that one block, or one venue, cannot move together. A source that is stale,
or a book that is empty or crossed, is left out. Where they are even in number the reference feeds
that are fresh join in (without an exchange they always do), and if they are even in number still,
the pool's price of this moment breaks the tie, which it can only do between the two in the middle.
With no source at all it is the only price there is, and the guards let nothing be done on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.config.schema import Exchange
from dexmm.decimal_context import BP, LN_TICK, precise
from dexmm.model.market import Market, Reference
from dexmm.model.snapshot import ChainView
from dexmm.model.venue import Book, VenueView
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import PRICE, price_from_sqrt

HALF_TICK = PRICE.exp(PRICE.divide(LN_TICK, Decimal(2)))
MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One opinion on the price, quote per base."""

    name: str  # "twap", "exchange", "triangle"
    price: Decimal
    age_seconds: Decimal  # since the block, or the older of the books, it was read from


@precise
def fair_price(
    view: ChainView, venue: VenueView | None = None, exchange: Exchange | None = None
) -> Decimal:
    """Quote per base."""
    return median_price(sources(view, venue, exchange), view, venue)


@precise
def median_price(
    found: tuple[Source, ...], view: ChainView, venue: VenueView | None = None
) -> Decimal:
    """As ``fair_price``, of these sources."""
    if len(found) == 1 and venue is None and not view.references:
        return found[0].price
    prices = [source.price for source in found]
    if venue is None or len(prices) % 2 == 0:
        prices += [
            ref.price for ref in view.references if ref.price is not None and fresh(ref, view)
        ]
    if len(prices) % 2 == 0:
        prices.append(view.market.price(view.pool.sqrt_price_x96))
    return sorted(prices)[len(prices) // 2]


@precise
def sources(
    view: ChainView | None, venue: VenueView | None, exchange: Exchange | None
) -> tuple[Source, ...]:
    """Those of the three that speak, none of them stale."""
    found = []
    if view is not None and view.pool.mean_tick is not None:
        found.append(_twap(mean_price(view.market, view.pool.mean_tick)))
    if venue is None or exchange is None:
        return tuple(found)
    for name, books in (("exchange", (venue.spot_book,)), ("triangle", venue.triangle_books)):
        price_ = _through(books)
        age = max((age_of(book, venue) for book in books), default=Decimal(0))
        if price_ is not None and age <= exchange.max_ticker_age_seconds:
            found.append(Source(name=name, price=price_, age_seconds=age))
    return tuple(found)


@lru_cache(maxsize=64)
def _twap(price: Decimal) -> Source:
    return Source(name="twap", price=price, age_seconds=Decimal(0))


@precise
def price_spread(found: tuple[Source, ...]) -> Decimal:
    """Between the highest and the lowest source, in basis points of the lowest; 0 for fewer."""
    if len(found) < 2:
        return Decimal(0)
    prices = [source.price for source in found]
    return (max(prices) / min(prices) - 1) * BP


def age_of(book: Book, venue: VenueView) -> Decimal:
    """Seconds since the exchange's own clock stamped the book."""
    return Decimal(venue.at - book.at) / MILLISECONDS


def _through(books: tuple[Book, ...]) -> Decimal | None:
    """The product of the mids, from the base to the quote; None when one of them has no mid."""
    price = Decimal(1)
    for book in books:
        if book.mid is None:
            return None
        price *= book.mid
    return price if books else None


def mean_price(market: Market, mean_tick: int) -> Decimal:
    """The price of a mean tick, taken in the middle of the tick.

    A tick is the floor of a price, so its own ratio is always too low; and what is too low for
    the pool is too high for people where the base is token1.
    """
    shift = market.token0.decimals, market.token1.decimals
    return _mean_price(mean_tick, *shift, market.base_is_token0)


@lru_cache(maxsize=256)  # a turn asks more than once, and the next one often for the same tick
def _mean_price(mean_tick: int, decimals0: int, decimals1: int, base_is_token0: bool) -> Decimal:
    at_tick = price_from_sqrt(
        get_sqrt_ratio_at_tick(mean_tick), decimals0, decimals1, base_is_token0=base_is_token0
    )
    if base_is_token0:
        return PRICE.multiply(at_tick, HALF_TICK)
    return PRICE.divide(at_tick, HALF_TICK)


def fresh(reference: Reference, view: ChainView) -> bool:
    """Whether a reference has spoken within its heartbeat."""
    return view.block.timestamp - reference.updated_at <= reference.heartbeat_seconds
