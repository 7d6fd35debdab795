"""A price history held compactly: a column of integers for each field, nothing for each row.

A year of minutes takes 22 MB. Prices are whole multiples of ``10 ** -price_decimals``, the least
power of ten that holds every price of the file exactly; volumes have a scale of their own. Times
are not stored: there is no hole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from dexmm.errors import BadInput
from dexmm.history.candle import Candle, PricePath, too_few
from dexmm.history.candle_columns import columns_of, why_impossible

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPath:
    """Candles without a hole, ``interval_seconds`` apart, the first at ``start`` (seconds)."""

    source: str
    interval_seconds: int
    start: int
    price_decimals: int
    volume_decimals: int
    open_units: array[int]
    high_units: array[int]
    low_units: array[int]
    close_units: array[int]
    volume_units: array[int]
    filled_marks: bytes  # 1 for a candle that was missing
    understood: str = field(default="", compare=False)  # what was made of its files, for people

    @classmethod
    def of(cls, path: PricePath) -> PackedPath:
        """The same candles; ``BadInput`` where a number has more digits than a column holds."""
        prices, volumes = columns_of(path.candles, path.source)
        opens, highs, lows, closes = prices.units
        for number, values in enumerate(zip(*prices.units, *volumes.units, strict=True), 1):
            if why := why_impossible(*values):
                raise BadInput(f"{path.source} candle {number} {why}")
        return cls(
            source=path.source,
            interval_seconds=path.interval_seconds,
            start=path.candles[0].at,
            price_decimals=prices.decimals,
            volume_decimals=volumes.decimals,
            open_units=opens,
            high_units=highs,
            low_units=lows,
            close_units=closes,
            volume_units=volumes.units[0],
            filled_marks=bytes(candle.filled for candle in path.candles),
            understood=path.understood,
        )

    @property
    def filled(self) -> int:
        """How many candles were missing and repeat the last close."""
        return self.filled_marks.count(1)

    def __len__(self) -> int:
        return len(self.close_units)

    def __iter__(self) -> Iterator[Candle]:
        return map(self.candle, range(len(self)))

    def at(self, index: int) -> int:
        """The open time of a candle, in seconds."""
        return self.start + index * self.interval_seconds

    def candle(self, index: int) -> Candle:
        """One candle, its decimals made now. ``IndexError`` outside the path."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        places = -self.price_decimals
        return Candle(
            at=self.at(index),
            open=Decimal(self.open_units[index]).scaleb(places),
            high=Decimal(self.high_units[index]).scaleb(places),
            low=Decimal(self.low_units[index]).scaleb(places),
            close=Decimal(self.close_units[index]).scaleb(places),
            volume=Decimal(self.volume_units[index]).scaleb(-self.volume_decimals),
            filled=bool(self.filled_marks[index]),
        )

    def unpacked(self) -> PricePath:
        """Every candle as an object."""
        return PricePath(
            source=self.source,
            interval_seconds=self.interval_seconds,
            candles=tuple(self),
            understood=self.understood,
        )

    def first(self, count: int) -> PackedPath:
        """The first ``count`` candles; ``BadInput`` when there are fewer."""
        if count > len(self):
            raise too_few(self.source, len(self), count)
        return self._part(0, count)

    def between(self, since: int | None = None, until: int | None = None) -> PackedPath:
        """The candles that open at or after ``since`` and before ``until`` (seconds).

        ``BadInput`` when there is none.
        """
        step, length = self.interval_seconds, len(self)
        first = 0 if since is None else min(max(-(-(since - self.start) // step), 0), length)
        last = length if until is None else min(max(-(-(until - self.start) // step), 0), length)
        if first >= last:
            raise BadInput(
                f"{self.source} has no candle in the period asked for: it holds "
                f"{self.start} to {self.at(length)} (seconds since 1970)",
                since=since,
                until=until,
            )
        return self._part(first, last)

    @property
    def times(self) -> NDArray[np.int64]:
        """Open times in seconds."""
        import numpy as np

        return np.arange(self.start, self.at(len(self)), self.interval_seconds, dtype=np.int64)

    @property
    def opens(self) -> NDArray[np.int64]:
        """Views on the columns, without a copy: multiples of ``10 ** -price_decimals``."""
        return _view(self.open_units)

    @property
    def highs(self) -> NDArray[np.int64]:
        return _view(self.high_units)

    @property
    def lows(self) -> NDArray[np.int64]:
        return _view(self.low_units)

    @property
    def closes(self) -> NDArray[np.int64]:
        return _view(self.close_units)

    @property
    def volumes(self) -> NDArray[np.int64]:
        """Multiples of ``10 ** -volume_decimals``."""
        return _view(self.volume_units)

    def _part(self, first: int, last: int) -> PackedPath:
        return PackedPath(
            source=self.source,
            interval_seconds=self.interval_seconds,
            start=self.at(first),
            price_decimals=self.price_decimals,
            volume_decimals=self.volume_decimals,
            open_units=self.open_units[first:last],
            high_units=self.high_units[first:last],
            low_units=self.low_units[first:last],
            close_units=self.close_units[first:last],
            volume_units=self.volume_units[first:last],
            filled_marks=self.filled_marks[first:last],
            understood=self.understood,
        )


def packed(path: PricePath | PackedPath) -> PackedPath:
    """The same candles, as columns."""
    return path if isinstance(path, PackedPath) else PackedPath.of(path)


def read_path(*paths: Path, since: int | None = None, until: int | None = None) -> PackedPath:
    """Read candles from files, folders and archives in any of the usual layouts, joined.

    Columns come in any order and others are ignored. ``since`` and ``until`` (seconds) say what
    will be used: gaps outside do not matter. Raises ``BadInput`` naming the file, the row (the
    header of a text file is row 1) and what to do.
    """
    from dexmm.history.candle_files.reading import read_history

    return read_history(paths, since, until)


def _view(units: array[int]) -> NDArray[np.int64]:
    import numpy as np

    view = np.frombuffer(units, dtype=np.int64)
    view.flags.writeable = False
    return view
