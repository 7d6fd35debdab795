"""Candles from any exchange that ccxt knows, page by page into one file.

What is stored is what the exchange wrote: its numbers stay text from its JSON to the file. A
candle counts once it has closed by the exchange's own clock. What is missing is never filled: it
is listed. An exchange may answer with the newest candles of a long range instead of the oldest,
and with fewer than ccxt says, so a gap at the head of a page is asked for by itself before it is
believed. One that serves nothing but its newest candles is told with the first answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dexmm.cex.ccxt_session import wall_ms
from dexmm.config.schema import Exchange
from dexmm.errors import BadInput
from dexmm.fetch.atomic_output import demand_writable
from dexmm.fetch.candles.candle_file import Contents, finish, read_contents, suffix_of
from dexmm.fetch.candles.candle_part import CandlePart, Series, discard, iso
from dexmm.fetch.candles.candle_source import Venue

Watch = Callable[[int, int, int], None]  # milliseconds done, in all, candles of the last page


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesAsked:
    """Those that open from ``since_ms`` on and before ``until_ms``; None is now."""

    symbol: str
    timeframe: str
    since_ms: int
    until_ms: int | None
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesFetched:
    file: Path
    series: Series
    until_ms: int  # when the last candle that could be there has closed
    contents: Contents
    requests: int


def fetch_candles(
    settings: Exchange, asked: CandlesAsked, watch: Watch, *, proxy: str | None = None
) -> CandlesFetched:
    """Fetch what is missing of the range, and write the file when nothing is.

    ``proxy`` is ``network.proxy``. Raises ``BadInput`` for what a person must correct,
    ``Transient`` for what may pass: the same call then goes on where it ended.
    """
    suffix = suffix_of(asked.output)
    demand_writable(asked.output)
    _demand_times(asked)
    series = Series(
        venue=venue_name(settings),
        symbol=asked.symbol,
        timeframe=asked.timeframe,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
    )
    if asked.output.exists() and suffix != ".parquet":
        raise BadInput(f"{asked.output} exists: remove it, or name another --output")
    venue = Venue(settings, asked.symbol, asked.timeframe, proxy)
    interval_ms, end_ms = venue.interval_ms, _end_ms(venue, asked)
    if asked.output.exists():
        contents = _there_already(asked.output, series, interval_ms, end_ms)
    else:
        with CandlePart.of(asked.output, series) as part:
            try:
                _fill(part, venue, end_ms, watch)
            except BadInput:
                if part.next_ms == series.since_ms:  # nothing was fetched: nothing to go on with
                    discard(asked.output)
                raise
            contents = finish(asked.output, series, interval_ms, end_ms)
    return CandlesFetched(
        file=asked.output,
        series=series,
        until_ms=asked.until_ms or (end_ms - 1 + interval_ms) // interval_ms * interval_ms,
        contents=contents,
        requests=venue.requests,
    )


def venue_name(settings: Exchange) -> str:
    """The exchange, and its host where that is not the usual one."""
    if settings.base_url is not None:
        return f"{settings.id} at {_host(settings.base_url.get_secret_value())}"
    return f"{settings.id} test network" if settings.sandbox else settings.id


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _fill(part: CandlePart, venue: Venue, end_ms: int, watch: Watch) -> None:
    since_ms = part.series.since_ms
    watch(part.next_ms - since_ms, end_ms - since_ms, 0)
    while part.next_ms < end_ms:
        page = venue.page(part.next_ms, end_ms)
        part.add(page, venue.interval_ms)
        watch(min(part.next_ms, end_ms) - since_ms, end_ms - since_ms, len(page.candles))


def _there_already(output: Path, series: Series, interval_ms: int, end_ms: int) -> Contents:
    contents = read_contents(output, series, interval_ms, end_ms)
    if contents is None or series.until_ms is None:
        raise BadInput(
            f"{output} exists and is not exactly what is asked for: remove it, or name another "
            "--output"
        )
    discard(output)
    return contents


def _demand_times(asked: CandlesAsked) -> None:
    now_ms = wall_ms()
    for name, at_ms in (("--since", asked.since_ms), ("--until", asked.until_ms)):
        if at_ms is not None and at_ms > now_ms:
            raise BadInput(f"{name} {iso(at_ms)} is in the future: nothing has been traded then")
    if asked.until_ms is not None and asked.until_ms <= asked.since_ms:
        raise BadInput(
            f"--since {iso(asked.since_ms)} is not before --until {iso(asked.until_ms)}: "
            "exchange them"
        )


def _end_ms(venue: Venue, asked: CandlesAsked) -> int:
    """Candles that open from here on have not closed, or were not asked for."""
    still_open_ms = venue.now_ms() - venue.interval_ms + 1
    end_ms = still_open_ms if asked.until_ms is None else min(asked.until_ms, still_open_ms)
    if end_ms <= asked.since_ms:
        raise BadInput(
            f"no candle of {asked.timeframe} has closed since {iso(asked.since_ms)}: wait, or "
            "choose an earlier --since"
        )
    return end_ms
