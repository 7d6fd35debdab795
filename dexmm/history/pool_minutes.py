"""What a pool did minute by minute: net and gross amounts, its tick's open, close and extremes.

One row covers the swaps of the minute that begins at its time (UTC), as demeter's files have it.
**A row's figures are known only at the end of its minute**: its closing tick beside the time of its
beginning is a minute of look-ahead, so whoever decides at a time may see the rows whose
``known_at`` is no later.

Read strictly, with one repair as for candles: minutes that are missing, up to
``LONGEST_GAP_SECONDS``, are filled with the last closing tick and liquidity and no amounts, and
counted. Some files carry the close of the minute before where the minute's own was not known; such
a close can lie outside the minute's extremes. It is kept as it stands and counted
(``stale_closes``), and a candle made from the row reaches to it.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dexmm.errors import BadInput
from dexmm.history.candle import LONGEST_GAP_SECONDS
from dexmm.history.candle_columns import VOLUME_DECIMALS
from dexmm.history.open_file import column_places, opened_text, row_fault, suffix_of
from dexmm.history.packed_candles import PackedPath
from dexmm.history.wide_ints import Wide
from dexmm.model.market import Market
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick
from dexmm.units import to_decimal

MINUTE = 60
_TICKS = ("openTick", "closeTick", "lowestTick", "highestTick")
_WIDE = ("netAmount0", "netAmount1", "inAmount0", "inAmount1", "currentLiquidity")
_TIMES = ("timestamp_utc", "timestamp")  # as this file's kind, or demeter's, calls it
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,78}", re.ASCII)
_PRICE_DIGITS = 12  # a tick is 1e-4 of the price


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One row; amounts in smallest units. Net is what the pool received less what it paid."""

    at: int  # its beginning, seconds
    known_at: int
    open_tick: int
    close_tick: int
    lowest_tick: int
    highest_tick: int
    net_amount0: int
    net_amount1: int
    in_amount0: int
    in_amount1: int
    liquidity: int
    filled: bool = False  # missing in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteHistory:
    """Minutes without a hole, the first beginning at ``start`` (seconds)."""

    source: str
    start: int
    open_ticks: array[int]
    close_ticks: array[int]
    lowest_ticks: array[int]
    highest_ticks: array[int]
    net_amounts0: Wide
    net_amounts1: Wide
    in_amounts0: Wide
    in_amounts1: Wide
    liquidities: Wide
    filled_marks: bytes  # 1 for a minute that was missing

    def __len__(self) -> int:
        return len(self.filled_marks)

    @property
    def filled(self) -> int:
        """How many minutes were missing."""
        return self.filled_marks.count(1)

    @property
    def stale_closes(self) -> int:
        """How many closing ticks lie outside the extremes of their own minute."""
        columns = zip(self.lowest_ticks, self.close_ticks, self.highest_ticks, strict=True)
        return sum(not lowest <= close <= highest for lowest, close, highest in columns)

    def minute(self, index: int) -> Minute:
        """One row. ``IndexError`` outside the history."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        at = self.start + MINUTE * index
        return Minute(
            at=at,
            known_at=at + MINUTE,
            open_tick=self.open_ticks[index],
            close_tick=self.close_ticks[index],
            lowest_tick=self.lowest_ticks[index],
            highest_tick=self.highest_ticks[index],
            net_amount0=self.net_amounts0[index],
            net_amount1=self.net_amounts1[index],
            in_amount0=self.in_amounts0[index],
            in_amount1=self.in_amounts1[index],
            liquidity=self.liquidities[index],
            filled=bool(self.filled_marks[index]),
        )

    def candles(self, market: Market) -> PackedPath:
        """The same minutes as candles of quote per base, at the prices of whole ticks.

        Prices have 12 significant digits; volume is the base that moved in and out.
        """
        ticks = {*self.open_ticks, *self.close_ticks, *self.lowest_ticks, *self.highest_ticks}
        prices = {tick: market.price(get_sqrt_ratio_at_tick(tick)) for tick in ticks}
        decimals = max(_PRICE_DIGITS - 1 - max(prices.values()).adjusted(), 0)
        units = {tick: round(price.scaleb(decimals)) for tick, price in prices.items()}
        columns = [
            array("q", [units[tick] for tick in column])
            for column in (self.open_ticks, self.highest_ticks, self.lowest_ticks, self.close_ticks)
        ]
        return PackedPath(
            source=self.source,
            interval_seconds=MINUTE,
            start=self.start,
            price_decimals=decimals,
            volume_decimals=VOLUME_DECIMALS,
            open_units=columns[0],
            high_units=array("q", map(max, *columns)),
            low_units=array("q", map(min, *columns)),
            close_units=columns[3],
            volume_units=array("q", self._volumes(market)),
            filled_marks=self.filled_marks,
        )

    def _volumes(self, market: Market) -> Iterator[int]:
        come, net = self.in_amounts0, self.net_amounts0
        if not market.base_is_token0:
            come, net = self.in_amounts1, self.net_amounts1
        last, decimals = len(self), market.base.decimals
        for arrived, kept in zip(come.span(0, last), net.span(0, last), strict=True):
            moved = to_decimal(2 * arrived - kept, decimals)
            yield round(moved.scaleb(VOLUME_DECIMALS))


def read_minutes(path: Path) -> MinuteHistory:
    """Read ``.csv`` or ``.csv.gz``. Raises ``BadInput`` naming the file, the row and what to do."""
    suffix_of(path, (".csv", ".csv.gz"), "file of minutes")
    rows = _Rows(path)
    with opened_text(path) as text:
        table = csv.reader(text)
        header = next(table, None)
        names = [name.strip().lower() for name in header or ()]
        time = _TIMES[1] if _TIMES[1] in names else _TIMES[0]
        places = column_places(header, (time, *_TICKS, *_WIDE), path)
        for number, row in enumerate(table, 2):
            if row:
                if len(row) <= max(places.values()):
                    raise row_fault(
                        path, number, "ends before its last column: the file may be cut short"
                    )
                rows.take(number, row[places[time]].strip(), row, places)
    return rows.history()


class _Rows:
    """Rows as they come, checked and kept in columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = self._last = 0
        self._marks = bytearray()
        self._ticks: dict[str, array[int]] = {name: array("i") for name in _TICKS}
        self._wide: dict[str, list[int]] = {name: [] for name in _WIDE}

    def take(self, number: int, time: str, row: list[str], places: dict[str, int]) -> None:
        at = self._time(number, time)
        values = {
            name: self._integer(number, name, row[places[name]]) for name in (*_TICKS, *_WIDE)
        }
        if fault := _fault(values):
            raise row_fault(self._path, number, fault)
        if self._marks:
            self._refuse_disorder(number, at)
            self._fill(range(self._last + MINUTE, at, MINUTE))
        else:
            self._start = at
        for name, ticks in self._ticks.items():
            ticks.append(values[name])
        for name, amounts in self._wide.items():
            amounts.append(values[name])
        self._marks.append(0)
        self._last = at

    def _time(self, number: int, text: str) -> int:
        try:
            if _TIME.fullmatch(text) is None:
                raise ValueError
            at = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
        except ValueError:
            raise row_fault(
                self._path,
                number,
                f"has {text!r} as its time: it must be UTC, as 2022-07-19 00:01:00, "
                "without a time zone",
            ) from None
        if at % MINUTE:
            raise row_fault(self._path, number, f"has the time {text}: it must be a whole minute")
        return at

    def _integer(self, number: int, name: str, text: str) -> int:
        if _INTEGER.fullmatch(text.strip()) is None:
            raise row_fault(
                self._path, number, f"has {text!r} as {name}: it must be a whole number"
            )
        return int(text)

    def _refuse_disorder(self, number: int, at: int) -> None:
        gap = at - self._last
        if gap == 0:
            raise row_fault(
                self._path, number, "repeats the time of the row before: remove one of them"
            )
        if gap < 0:
            raise row_fault(
                self._path, number, "is older than the row before: sort the file by its time"
            )
        if gap > LONGEST_GAP_SECONDS:
            raise row_fault(
                self._path,
                number,
                f"follows a gap of {gap // 3600} hours: fill it, or cut the file there",
            )

    def _fill(self, missing: range) -> None:
        if not missing:
            return
        close, liquidity = self._ticks["closeTick"][-1], self._wide["currentLiquidity"][-1]
        for ticks in self._ticks.values():
            ticks.extend([close] * len(missing))
        for name, amounts in self._wide.items():
            amounts.extend([liquidity if name == "currentLiquidity" else 0] * len(missing))
        self._marks.extend(b"\x01" * len(missing))

    def history(self) -> MinuteHistory:
        if not self._marks:
            raise BadInput(f"{self._path} holds no minute: choose another file")
        return MinuteHistory(
            source=str(self._path),
            start=self._start,
            open_ticks=self._ticks["openTick"],
            close_ticks=self._ticks["closeTick"],
            lowest_ticks=self._ticks["lowestTick"],
            highest_ticks=self._ticks["highestTick"],
            net_amounts0=Wide.of(self._wide["netAmount0"]),
            net_amounts1=Wide.of(self._wide["netAmount1"]),
            in_amounts0=Wide.of(self._wide["inAmount0"]),
            in_amounts1=Wide.of(self._wide["inAmount1"]),
            liquidities=Wide.of(self._wide["currentLiquidity"]),
            filled_marks=bytes(self._marks),
        )


def _fault(row: dict[str, int]) -> str:
    """What is impossible about a row; empty when nothing is."""
    lowest, highest, opened = row["lowestTick"], row["highestTick"], row["openTick"]
    if not MIN_TICK <= min(lowest, row["closeTick"]) <= max(highest, row["closeTick"]) <= MAX_TICK:
        return f"has a tick outside {MIN_TICK} to {MAX_TICK}: mend the row"
    if not lowest <= opened <= highest:
        return "opens outside its lowest and highest tick: mend the row"
    if row["currentLiquidity"] < 0:
        return "has a negative liquidity: mend the row"
    for token in ("0", "1"):
        if row[f"inAmount{token}"] < max(row[f"netAmount{token}"], 0):
            return f"has less token{token} coming in than stayed: mend the row"
    return ""
