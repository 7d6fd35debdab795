"""Parquet and Feather: columns by their usual names, of any type that holds a number or a time."""

from __future__ import annotations

from typing import Any

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS
from dexmm.history.candle_files.layouts import Places, places, words
from dexmm.history.candle_files.table import Table, the_arrow, undamaged

_FREQTRADE = ["date", "open", "high", "low", "close", "volume"]


def read_parquet(label: str, raw: bytes) -> Table:
    """One file's columns. Raises ``BadInput``."""
    arrow = the_arrow()
    with undamaged(label, "Parquet"), arrow.parquet.ParquetFile(arrow.BufferReader(raw)) as file:
        order, names = _order(label, file.schema_arrow)
        return _table(label, "Parquet", file.read(columns=_wanted(order, names)), order, names)


def read_feather(label: str, raw: bytes) -> Table:
    """As ``read_parquet``."""
    arrow = the_arrow()
    import pyarrow.feather as feather

    with undamaged(label, "Feather"):
        found = feather.read_table(arrow.BufferReader(raw))
        order, names = _order(label, found.schema)
        return _table(label, "Feather", found, order, names)


def _order(label: str, schema: Any) -> tuple[Places, list[str]]:
    names = list(schema.names)
    order = places(names)
    if isinstance(order, Places):
        return order, names
    if {"kind", "log_index", "sqrt_price_x96"} <= set(names):
        raise BadInput(f"{label} holds a pool's events: give it with --events", file=label)
    raise BadInput(
        f"{label} lacks the columns {', '.join(order)}: it must have {', '.join(CANDLE_COLUMNS)}, "
        "in any order and by any of their usual names",
        file=label,
    )


def _wanted(order: Places, names: list[str]) -> list[str]:
    wanted = [order.time, *order.prices, *([] if order.volume is None else [order.volume])]
    return [names[place] for place in wanted]


def _table(label: str, kind: str, found: Any, order: Places, names: list[str]) -> Table:
    time, *rest = (_column(found, name) for name in _wanted(order, names))
    whose = "freqtrade" if names == _FREQTRADE else words(names)
    return Table(
        label=label,
        layout=f"{kind}, {whose}" if whose else kind,
        time=time,
        prices=(rest[0], rest[1], rest[2], rest[3]),
        volume=None if order.volume is None else rest[4],
        time_name=names[order.time],
        row_of=lambda index: index + 1,
    )


def _column(table: Any, name: str) -> Any:
    arrow = the_arrow()
    column = table.column(name).combine_chunks()
    if isinstance(column, arrow.ChunkedArray):  # no rows at all
        column = arrow.concat_arrays(column.chunks) if column.num_chunks else arrow.array([])
    if arrow.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column
