"""Order books, and how old they are.

Many exchanges (Binance spot among them) put no time on a book, so its age is that of its content:
a book that carries neither a time nor a new update number, and shows the very same levels, is as
old as when it was first seen so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dexmm.cex.lane import Lane
from dexmm.cex.numbers import listed, number, record, whole
from dexmm.errors import Transient
from dexmm.model.venue import Book, Level

DEPTH = 20  # levels; more than one slice of a hedge ever meets


def parse_book(answer: object, symbol: str, now_ms: int) -> tuple[Book, int | None]:
    """ccxt's order book and its update number. Sorted here: ccxt would sort text as text."""
    book = record(answer, "order book")
    stamp, nonce = book.get("timestamp"), book.get("nonce")
    bids, asks = (_levels(book.get(side)) for side in ("bids", "asks"))
    return Book(
        symbol=symbol,
        bids=tuple(sorted(bids, key=lambda level: -level.price)),
        asks=tuple(sorted(asks, key=lambda level: level.price)),
        at=now_ms if stamp is None else whole(stamp, "book's time"),
    ), None if nonce is None else whole(nonce, "book's number")


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
    return [
        Level(price=number(pair[0], "price"), amount=number(pair[1], "amount"))
        for pair in listed(given, "order book's side")
    ]


def _best(ticker: Mapping[str, Any], side: str) -> tuple[Level, ...]:
    price, amount = ticker.get(side), ticker.get(f"{side}Volume")
    if price is None or amount is None:
        return ()
    level = Level(price=number(price, side), amount=number(amount, f"{side} amount"))
    return (level,) if level.price > 0 and level.amount > 0 else ()


@dataclass(frozen=True, slots=True)
class Seen:
    book: Book
    nonce: int | None


class Books:
    """Reads books, and remembers since when each has shown what it shows."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def read(self, lane: Lane, symbol: str, now_ms: int) -> Book:
        """Twenty levels a side, in one request."""
        answer = lane.read(f"read the book of {symbol}", "fetch_order_book", symbol, DEPTH)
        return self._aged(*parse_book(answer, symbol, now_ms))

    def read_best(self, lane: Lane, symbols: tuple[str, ...], now_ms: int) -> tuple[Book, ...]:
        """The best level of several symbols, in one request."""
        answer = lane.read("read the best prices", "fetch_bids_asks", list(symbols))
        tickers = record(answer, "best prices")
        return tuple(self._aged(parse_best(tickers.get(s), s, now_ms), None) for s in symbols)

    def _aged(self, book: Book, nonce: int | None) -> Book:
        before = self._seen.get(book.symbol)
        if before is not None and before.nonce == nonce and _same(before.book, book):
            book = replace(book, at=min(before.book.at, book.at))
        self._seen[book.symbol] = Seen(book, nonce)
        return book


def _same(one: Book, other: Book) -> bool:
    return (one.bids, one.asks) == (other.bids, other.asks)


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
