"""Rows of candle files, a batch at a time: text from CSV, decimals or doubles from Parquet.

A double is read as its shortest text that gives the same double (Python's ``repr``): a price that
was written as 4000.1 comes back as 4000.1, not as the binary fraction nearest to it. That is the
one repair; every other fault is for ``packed`` to refuse.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from dexmm.errors import BadInput
from dexmm.sim.history import CANDLE_COLUMNS
from dexmm.sim.history_files import (
    TABLES,
    column_places,
    opened_parquet,
    opened_text,
    row_fault,
    suffix_of,
)

_BATCH = 8192
_EARLIEST_MS, _LATEST_MS = 1_000_000_000_000, 10_000_000_000_000  # 2001 to 2286
_UNITS = (("seconds", 1), ("microseconds", 10**6), ("nanoseconds", 10**9))
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.,]+)?\s*(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII)
_ISO = re.compile(_DATE.pattern + r"\Z", re.ASCII)

Number = str | Decimal


class Batch(NamedTuple):
    """Some rows of a file, by column: the row's number, its open time, its five numbers."""

    numbers: Sequence[int]
    times_ms: Sequence[int]
    columns: tuple[Sequence[Number], ...]  # open, high, low, close, volume


def batches(path: Path) -> Iterator[Batch]:
    """The rows of ``.csv``, ``.csv.gz`` or ``.parquet``, columns in any order, others ignored.

    Raises ``BadInput`` naming the file, the row and what to do.
    """
    if suffix_of(path, TABLES, "candle file") == ".parquet":
        return _from_parquet(path)
    return _from_csv(path)


def _from_csv(path: Path) -> Iterator[Batch]:
    with opened_text(path) as text:
        rows = csv.reader(text)
        places = column_places(next(rows, None), CANDLE_COLUMNS, path)
        wanted = itemgetter(*(places[name] for name in CANDLE_COLUMNS))
        number = 1
        while taken := list(islice(rows, _BATCH)):
            numbers = [n for n, row in enumerate(taken, number + 1) if row]
            number += len(taken)
            whole = [row for row in taken if row]
            if whole:
                _refuse_short(whole, numbers, max(places.values()), path)
                yield _batch_of_text(numbers, [wanted(row) for row in whole], path)


def _refuse_short(rows: list[list[str]], numbers: list[int], last: int, path: Path) -> None:
    if min(map(len, rows)) <= last:
        short = next(n for n, row in zip(numbers, rows, strict=True) if len(row) <= last)
        raise row_fault(path, short, "ends before its last column: the file may be cut short")


def _batch_of_text(numbers: list[int], rows: list[tuple[str, ...]], path: Path) -> Batch:
    times, *columns = zip(*rows, strict=True)
    joined = "".join(times)
    if not (joined.isascii() and joined.isdigit() and all(times)):
        times = tuple(text.strip() for text in times)
        for number, text in zip(numbers, times, strict=True):
            if not (text.isascii() and text.isdigit()):
                raise row_fault(path, number, _not_milliseconds(text))
    return Batch(numbers, checked_times([int(text) for text in times], numbers, path), (*columns,))


def checked_times(times: Sequence[int], numbers: Sequence[int], path: Path) -> Sequence[int]:
    """The times as they are, when all are milliseconds on whole seconds."""
    for number, at in zip(numbers, times, strict=True):
        if at % 1000 or not _EARLIEST_MS <= at < _LATEST_MS:
            raise row_fault(path, number, f"has timestamp_ms {at}: {_unit_of(at)}")
    return times


def _unit_of(at: int) -> str:
    must = "it must be milliseconds since 1970 UTC on a whole second"
    for unit, per_second in _UNITS:
        if _EARLIEST_MS <= at * 1000 // per_second < _LATEST_MS:
            when = datetime.fromtimestamp(at // per_second, UTC).strftime("%Y-%m-%d %H:%M:%S")
            return f"that looks like {unit} ({when} UTC), and {must}"
    return must


def _not_milliseconds(text: str) -> str:
    must = "it must be whole milliseconds since 1970 UTC"
    if not (date := _ISO.match(text)):
        return f"has {text!r} as timestamp_ms: {must}"
    zone = f"with the time zone {date[1]}" if date[1] else "without a time zone"
    return f"has {text!r} as timestamp_ms, a date {zone}: {must}, so convert it"


def _from_parquet(path: Path) -> Iterator[Batch]:
    with opened_parquet(path) as file:
        as_numbers = _check_schema(file.schema_arrow, path)
        number = 1
        for rows in file.iter_batches(batch_size=8 * _BATCH, columns=list(CANDLE_COLUMNS)):
            if not rows.num_rows:
                continue
            numbers = range(number, number + rows.num_rows)
            number += rows.num_rows
            columns = [_values(rows, name, numbers, path) for name in CANDLE_COLUMNS]
            times = checked_times(columns[0], numbers, path)
            numeric = zip(columns[1:], as_numbers, strict=True)
            yield Batch(numbers, times, tuple(convert(column) for column, convert in numeric))


def _check_schema(schema: Any, path: Path) -> list[Any]:
    """How to turn each of the five numbers to text or decimals."""
    import pyarrow as arrow

    if missing := [name for name in CANDLE_COLUMNS if name not in schema.names]:
        raise BadInput(
            f"{path} lacks the columns {', '.join(missing)}: it must have "
            f"{', '.join(CANDLE_COLUMNS)}",
            file=str(path),
        )
    when = schema.field("timestamp_ms").type
    if when != arrow.int64():
        raise BadInput(
            f"{path} has timestamp_ms of type {when}: it must be int64, "
            "whole milliseconds since 1970 UTC",
            file=str(path),
        )
    return [_conversion(arrow, schema.field(name), path) for name in CANDLE_COLUMNS[1:]]


def _conversion(arrow: Any, field: Any, path: Path) -> Any:
    if arrow.types.is_decimal(field.type):
        return list
    if field.type == arrow.float64():
        return lambda column: [repr(value) for value in column]
    raise BadInput(
        f"{path} has {field.name} of type {field.type}: it must be decimal, or double",
        file=str(path),
    )


def _values(rows: Any, name: str, numbers: range, path: Path) -> list[Any]:
    column = rows.column(name)
    values: list[Any] = column.to_pylist()
    if column.null_count:
        raise row_fault(path, numbers[values.index(None)], f"has no {name}: remove or mend the row")
    return values
