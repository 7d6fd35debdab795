"""Which column is what: by its name as the usual sources write it, or without names by its place.

    Binance archive        12 columns without names, or futures with open_time ... ignore
    freqtrade              date, open, high, low, close, volume
    CryptoDataDownload     a line with its address, then Unix, Date, Symbol, ..., Volume BASE, ...
    TradingView            time, open, high, low, close, Volume and whatever a chart shows
    yfinance               three lines of names, of which the second holds tickers
    Kraken                 seven columns without names: its time in seconds, ..., volume, trades
    OKX                    ts or open_time, open, high, low, close, vol, volCcy, ...
    KuCoin, Gate           close before high and low; from the answers of their servers
    Dukascopy, MetaTrader  days first with points; a date and a time of day apart

A column without a name is told by what candles are: nothing in a row is above the high or below
the low, so of the orders that exchanges use only one fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

TIMES = (  # the first that is there is taken; what closes a candle is never its time
    "timestampms",
    "opentime",
    "timeopen",
    "unix",
    "unixtime",
    "unixtimestamp",
    "timestamp",
    "timestamputc",
    "ts",
    "starttime",
    "candlebegintime",
    "datetime",
    "gmttime",
    "localtime",
    "time",
    "date",
    "t",
    "indexlevel0",
)
_PRICES = {
    "open": ("open", "openprice", "o", "openingprice"),
    "high": ("high", "highprice", "h", "max"),
    "low": ("low", "lowprice", "l", "min"),
    "close": ("close", "closeprice", "c", "last", "price", "closingprice"),
}
_VOLUMES = (
    "volume",
    "vol",
    "v",
    "basevolume",
    "volumebase",
    "volumefrom",
    "tickvol",
    "tickvolume",
    "a",
    "amount",
)
_UNNAMED = {  # fields in a row -> what exchanges answer with so many; time, four prices, volume
    5: ((0, 1, 2, 3, 4, None),),
    6: ((0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 2, 5), (0, 5, 3, 4, 2, 1)),
    7: ((0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 2, 5)),
    8: ((0, 1, 2, 3, 4, 6), (0, 5, 3, 4, 2, 6), (0, 1, 2, 3, 4, 5)),
}
_USUAL = (0, 1, 2, 3, 4, 5)
_TUPLE = re.compile(r"^\(\s*'?([^',]+)'?\s*,.*\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where time, open, high, low, close and volume stand; None: there is no volume."""

    time: int
    prices: tuple[int, int, int, int]
    volume: int | None
    time_of_day: int | None = None  # where the date stands apart from it


def plain(name: str) -> str:
    """A column's name without capitals, spaces, signs, units and what a pair adds to it."""
    name = name.strip().strip("\ufeff").lower()
    if found := _TUPLE.match(name):
        name = found[1]
    name = re.sub(r"\((utc|gmt|ms|s|us|ns)\)", "", name)
    return re.sub(r"[^a-z0-9]", "", name)


def places(names: Sequence[str]) -> Places | list[str]:
    """Where the columns stand, or the names of those that are missing."""
    short = [plain(name) for name in names]
    found = {key: _first(short, known) for key, known in _PRICES.items()}
    time = _first(short, TIMES)
    missing = [key for key, place in found.items() if place is None]
    if time is None or missing:
        return [*(["timestamp_ms"] if time is None else []), *missing]
    opened, high, low, close = (place for place in found.values() if place is not None)
    return Places(time=time, prices=(opened, high, low, close), volume=_volume(short))


def with_time_of_day(order: Places, names: Sequence[str], row: Sequence[str]) -> Places:
    """The same where a date stands apart from its time of day, as the first row shows."""
    short = [plain(name) for name in names]
    if not {"date", "time"} <= set(short) or len(row) < len(names):
        return order
    date, time = short.index("date"), short.index("time")
    if not re.match(r"\d{1,2}:\d\d", row[time].strip()):
        return order
    return replace(order, time=date, time_of_day=time)


def prices_named(names: Sequence[str]) -> bool:
    """Whether these are the names of columns of candles, with a time or not."""
    short = [plain(name) for name in names]
    return all(_first(short, _PRICES[key]) is not None for key in ("open", "high", "low"))


def unnamed(rows: Sequence[Sequence[str | None]]) -> Places | None:
    """Where the columns of rows without names stand; None where they are no candles."""
    fields = min((len(row) for row in rows), default=0)
    if fields < 5:
        return None
    orders = _UNNAMED.get(fields, (_USUAL,))
    fitting = (order for order in orders if all(_fits(row, order) for row in rows))
    time, opened, high, low, close, volume = next(fitting, orders[0])
    assert time is not None  # noqa: S101 - the table above
    prices = tuple(place for place in (opened, high, low, close) if place is not None)
    return Places(time=time, prices=prices, volume=volume)  # type: ignore[arg-type]  # four


def words(names: Sequence[str]) -> str:
    """Whose layout a header is, where that can be told."""
    short = {plain(name) for name in names}
    if {"opentime", "closetime"} <= short and "ignore" in short:
        return "Binance archive"
    if {"unix", "symbol"} <= short:
        return "CryptoDataDownload"
    if {"instrumentname", "opentime"} <= short or "volccy" in short:
        return "OKX"
    if "adjclose" in short:
        return "yfinance"
    return ""


def unnamed_words(fields: int, order: Places) -> str:
    """The same without a header."""
    if fields == 12:
        return "Binance archive, no header"
    close_first = order.prices[3] < order.prices[1]
    return f"{fields} columns, no header" + (", close before high and low" if close_first else "")


def _first(short: Sequence[str], known: Sequence[str]) -> int | None:
    for name in known:
        if name in short:
            return short.index(name)
    for name in known:  # a pair behind it: "close_paxg-usd", "close paxg"
        if len(name) < 3 or name == "price":
            continue
        for place, each in enumerate(short):
            if each.startswith(name) and each[len(name) :] in _pairs(short, name):
                return place
    return None


def _pairs(short: Sequence[str], name: str) -> set[str]:
    """What stands behind every one of open, high and low is the pair's name."""
    behind = [
        {each.removeprefix(key) for each in short if each.startswith(key)} - {""}
        for key in ("open", "high", "low")
    ]
    return set.intersection(*behind) if name in {"open", "high", "low", "close"} else set()


def _volume(short: Sequence[str]) -> int | None:
    for name in _VOLUMES:
        if name in short:
            return short.index(name)
    # "Volume PAXG" beside "Volume USDT": sources write the base's first.
    for place, name in enumerate(short):
        if name.startswith("volume") or (name.startswith("vol") and len(name) < 8):
            return place
    return None


def _fits(row: Sequence[str | None], order: Sequence[int | None]) -> bool:
    try:
        opened, high, low, close = (float(row[i] or "nan") for i in order[1:5] if i is not None)
    except ValueError:
        return True  # what is no number is named when the numbers are read
    return not (high < max(opened, close, low) or low > min(opened, close))
