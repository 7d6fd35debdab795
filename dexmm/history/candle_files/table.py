"""One file's columns as they stand in it, and which row of the file each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dexmm.errors import BadInput, install
from dexmm.history.candle import CANDLE_COLUMNS

PRICES = CANDLE_COLUMNS[1:5]
NOT_THERE = ("", "nan", "NaN", "NAN", "null", "None", "N/A", "-")  # as tables write no value


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Arrow columns of one file. ``volume`` is None where the file has none."""

    label: str  # the file, and its member where it is an archive
    layout: str  # what it is, for people
    time: Any
    prices: tuple[Any, Any, Any, Any]  # open, high, low, close
    volume: Any | None
    time_name: str
    row_of: Callable[[int], int]  # the row of the file; the header of a text file is row 1
    decimal_comma: bool = False  # a comma in a number may be its decimal point

    def fault(self, index: int, what: str) -> BadInput:
        """What is wrong with a row, by its place among the rows that hold candles."""
        row = self.row_of(index)
        return BadInput(f"{self.label} row {row} {what}", file=self.label, row=row)

    def named(self) -> Iterator[tuple[str, Any]]:
        """The five numbers with their names; without a volume, the four."""
        yield from zip(PRICES, self.prices, strict=True)
        if self.volume is not None:
            yield CANDLE_COLUMNS[5], self.volume


def text_columns(rows: Sequence[Sequence[str | None]], places: Sequence[int]) -> list[Any]:
    """Rows of text as columns of text."""
    arrow = the_arrow()
    return [arrow.array([row[place] for row in rows], arrow.string()) for place in places]


def the_arrow() -> Any:
    """``pyarrow``. ``BadInput`` where the extra that brings it is not installed."""
    try:
        import numpy  # noqa: F401 - the same extra brings it, and all that follows needs both
        import pyarrow as arrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            f"reading candle files needs the backtest extra: {install('backtest')}"
        ) from None
    return arrow


@contextmanager
def undamaged(label: str, kind: str) -> Iterator[None]:
    """What reading a binary format can raise, as ``BadInput``."""
    arrow = the_arrow()
    try:
        yield
    except (arrow.ArrowException, OSError):
        raise BadInput(
            f"{label} is a truncated or damaged {kind} file: fetch it again", file=label
        ) from None
