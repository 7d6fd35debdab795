"""JSON: freqtrade's lists, the answers of exchanges, records by name, or one object a line.

Numbers stay text from the file to the column: nothing goes over a binary fraction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS
from dexmm.history.candle_files.layouts import Places, places, unnamed, unnamed_words, words
from dexmm.history.candle_files.table import Table, text_columns

_WRAPPINGS = ("data", "result", "list", "candles", "klines", "ohlcv", "prices")
_SAMPLE = 400

Cells = list[list[str | None]]


def read_document(label: str, raw: bytes) -> Table:
    """One file's columns as text. Raises ``BadInput``."""
    found = _unwrapped(_parsed(label, raw))
    if isinstance(found, Mapping):
        return _by_column(label, found)
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise _not_candles(label)
    if not found:
        raise BadInput(f"{label} holds no candle: choose another file", file=label)
    if all(isinstance(row, Mapping) for row in found):
        return _of_records(label, found)
    if not all(isinstance(row, Sequence) and not isinstance(row, str) for row in found):
        raise _not_candles(label)
    return _of_lists(label, found)


def _parsed(label: str, raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{label} is not text: give a file of a known format", file=label) from None
    try:
        return _load(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            if len(lines) > 1 and isinstance(first := _load(lines[0]), dict | list) and first:
                return [first, *map(_load, lines[1:])]
        except json.JSONDecodeError:
            pass
        raise BadInput(f"{label} is not JSON, or is cut short: {error}", file=label) from None


def _load(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _unwrapped(found: Any) -> Any:
    """What an exchange's answer wraps: {"code": ..., "data": [...]}, {"result": {"PAIR": [...]}}"""
    while isinstance(found, Mapping) and isinstance(places([*map(str, found)]), list):
        inner = [found[key] for key in _WRAPPINGS if isinstance(found.get(key), list | dict)]
        lists = [value for value in found.values() if isinstance(value, list | dict)]
        if not inner and len(lists) != 1:
            return found
        found = (inner or lists)[0]
    return found


def _of_lists(label: str, rows: Sequence[Sequence[Any]]) -> Table:
    cells: Cells = [[_text(value) for value in row] for row in rows]
    order = unnamed([row for row in cells[:_SAMPLE] if len(row) == len(cells[0])])
    if order is None:
        raise _not_candles(label)
    fields = max(map(len, cells))
    needed = max(order.time, *order.prices, order.volume or 0)
    for number, row in enumerate(cells, 1):
        if len(row) <= needed:
            raise BadInput(f"{label} row {number} ends before its last column", file=label)
    said = "JSON lists" if fields == 6 else f"JSON, {unnamed_words(fields, order)}"
    return _table(label, cells, order, said, CANDLE_COLUMNS[0])


def _of_records(label: str, records: Sequence[Mapping[str, Any]]) -> Table:
    names = list(records[0])
    order = _order(label, names)
    cells: Cells = [[_text(record.get(name)) for name in names] for record in records]
    return _table(label, cells, order, f"JSON {words(names)}".strip(), names[order.time])


def _by_column(label: str, columns: Mapping[str, Any]) -> Table:
    names = list(columns)
    order = _order(label, names)
    needed = [order.time, *order.prices, *([] if order.volume is None else [order.volume])]
    lists = {place: _values(columns[names[place]]) for place in needed}
    if len({len(values) for values in lists.values()}) != 1:
        raise BadInput(f"{label} has columns of different lengths: fetch it again", file=label)
    cells: Cells = [
        [_text(lists[place][i]) if place in lists else None for place in range(len(names))]
        for i in range(len(lists[order.time]))
    ]
    return _table(label, cells, order, "JSON by column", names[order.time])


def _values(column: Any) -> Sequence[Any]:
    if isinstance(column, Mapping):
        return list(column.values())
    return column if isinstance(column, list) else []


def _order(label: str, names: Sequence[str]) -> Places:
    order = places(names)
    if isinstance(order, Places):
        return order
    raise BadInput(
        f"{label} lacks the columns {', '.join(order)}: it must have {', '.join(CANDLE_COLUMNS)}, "
        "in any order and by any of their usual names",
        file=label,
    )


def _table(label: str, cells: Cells, order: Places, layout: str, time_name: str) -> Table:
    time, *rest = text_columns(cells, [order.time, *order.prices, order.volume or 0])
    return Table(
        label=label,
        layout=layout,
        time=time,
        prices=(rest[0], rest[1], rest[2], rest[3]),
        volume=None if order.volume is None else rest[4],
        time_name=time_name,
        row_of=lambda index: index + 1,
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _not_candles(label: str) -> BadInput:
    return BadInput(
        f"{label} holds no candles: it must be a list of [time, open, high, low, close, volume] "
        "as freqtrade and ccxt write them, or of records with those names",
        file=label,
    )
