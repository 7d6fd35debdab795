"""Order books, and how old they are.

The age of a book is that of the *answer*, not of the prices in it: a quiet market shows the same
levels for minutes, and they can be traded all the same. The answer's time is, in this order,

1. what it states: ccxt's ``timestamp``, or a later time at the top of the answer. Binance's futures
   state ``T``, when the book last changed, which ccxt takes, and ``E``, when it was sent; HTX and
   Bybit state both as well.
2. when it was asked for, where it states none (Binance spot and its tickers), or only when the book
   last changed (``LAST_CHANGE``).

An HTTP cache on the way says how long it has kept an answer (``Age``, RFC 9111); that is taken off.
So an exchange that serves an old book is found out where it, or what stands before it, says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dexmm.cex.ccxt_session import Lane
from dexmm.cex.parsing import listed, number, record, whole
from dexmm.errors import Transient
from dexmm.model.venue import Book, Level

DEPTH = 20  # levels; more than one slice of a hedge ever meets
# ccxt's ids of those whose only time is that of the last change (`updated_at`, `last_updated_at`).
LAST_CHANGE = frozenset({"bitso", "paradex"})


def read_book(lane: Lane, symbol: str, now_ms: int) -> Book:
    """Twenty levels a side, in one request. ``now_ms``: the exchange's time before it."""
    what = f"read the book of {symbol}"
    answer, answered = lane.read_timed(what, "fetch_order_book", symbol, DEPTH)
    at = now_ms - answered.cached_ms
    if lane.exchange.id in LAST_CHANGE:
        return replace(parse_book(answer, symbol, at), at=at)
    book = parse_book(answer, symbol, at)
    return book if answered.stated_ms is None else _later(book, answered.stated_ms)


def read_best(lane: Lane, symbols: tuple[str, ...], now_ms: int) -> tuple[Book, ...]:
    """The best level of several symbols, in one request."""
    answer, answered = lane.read_timed("read the best prices", "fetch_bids_asks", list(symbols))
    tickers = record(answer, "best prices")
    at = now_ms - answered.cached_ms
    return tuple(parse_best(tickers.get(s), s, at) for s in symbols)


def parse_book(answer: object, symbol: str, now_ms: int) -> Book:
    """ccxt's order book. Sorted here: ccxt would sort text as text."""
    book = record(answer, "order book")
    stamp = book.get("timestamp")
    bids, asks = (_levels(book.get(side)) for side in ("bids", "asks"))
    return Book(
        symbol=symbol,
        bids=tuple(sorted(bids, key=lambda level: -level.price)),
        asks=tuple(sorted(asks, key=lambda level: level.price)),
        at=now_ms if stamp is None else whole(stamp, "book's time"),
    )


def parse_best(answer: object, symbol: str, now_ms: int) -> Book:
    """The best bid and ask out of ccxt's ticker."""
    ticker = record(answer, f"ticker of {symbol}")
    stamp = ticker.get("timestamp")
    return Book(
        symbol=symbol,
        bids=_best(ticker, "bid"),
        asks=_best(ticker, "ask"),
        at=now_ms if stamp is None else whole(stamp, "ticker's time"),
    )


def _levels(given: object) -> list[Level]:
    """Those at which something can be traded: an amount of 0 is how a level is said to be gone."""
    found = (
        Level(price=number(pair[0], "price"), amount=number(pair[1], "amount"))
        for pair in listed(given, "order book's side")
    )
    return [level for level in found if level.price > 0 and level.amount > 0]


def _best(ticker: Mapping[str, Any], side: str) -> tuple[Level, ...]:
    price, amount = ticker.get(side), ticker.get(f"{side}Volume")
    if price is None or amount is None:
        return ()
    level = Level(price=number(price, side), amount=number(amount, f"{side} amount"))
    return (level,) if level.price > 0 and level.amount > 0 else ()


def _later(book: Book, at: int) -> Book:
    return replace(book, at=max(book.at, at))


def demand_sound(book: Book, now_ms: int, max_age_seconds: int) -> None:
    """Raises ``Transient`` for a book that no price can be taken from: empty, crossed, stale."""
    age = (now_ms - book.at) // 1000
    if age > max_age_seconds:
        raise Transient(
            f"the exchange's book of {book.symbol} is {age} s old; at most {max_age_seconds} s "
            "are trusted"
        )
    if not book.bids or not book.asks:
        raise Transient(f"the exchange's book of {book.symbol} is empty on one side")
    if book.mid is None:
        raise Transient(
            f"the exchange's book of {book.symbol} is crossed: bid {book.bids[0].price}, ask "
            f"{book.asks[0].price}"
        )
