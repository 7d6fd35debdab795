"""CSV in the shapes that sources write: any order, extra lines, no header, other separators.

What stands above the rows is looked at by hand; the rows are Arrow's. Where Arrow cannot read
them (lines of different lengths), the standard library's reader goes over them once more and
says which row is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS
from dexmm.history.candle_files.layouts import (
    Places,
    places,
    plain,
    prices_named,
    unnamed,
    unnamed_words,
    with_time_of_day,
    words,
)
from dexmm.history.candle_files.table import Table, text_columns, the_arrow
from dexmm.history.open_file import explained

_HEAD = 1 << 16
_BLOCK = 1 << 23  # that Arrow cuts rows into: larger ones leave less to put together
_LOOKED_AT = 40  # lines above the rows
_SAMPLE = 400  # rows that tell an order without names
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above:
    """What stands above the rows."""

    separator: str
    lines: int  # before the first row
    fields: int  # of the first row
    order: Places
    words: str
    time_name: str


def read_text(label: str, raw: bytes, again: Callable[[], bytes]) -> Table:
    """One file's columns as text. Raises ``BadInput``.

    ``again`` reads the same bytes once more, to find the line of a row that is wrong: a table
    does not hold its file.
    """
    raw = _utf8(label, raw)
    above = _above(label, raw)
    start = _start_of_line(raw, above.lines)
    order = above.order
    wanted = [order.time, *order.prices]
    if order.volume is not None:
        wanted.append(order.volume)
    if order.time_of_day is not None:
        wanted.append(order.time_of_day)
    time, *rest = _columns(label, raw, start, above, wanted)
    if order.time_of_day is not None:
        import pyarrow.compute as compute

        time = compute.binary_join_element_wise(time, rest.pop(), " ")
    opened, high, low, close = rest[:4]
    return Table(
        label=label,
        layout=above.words,
        time=time,
        prices=(opened, high, low, close),
        volume=None if order.volume is None else rest[4],
        time_name=above.time_name,
        decimal_comma=above.separator != ",",
        row_of=lambda index: _row_of(_utf8(label, again()), start, above.lines, index),
    )


def _utf8(label: str, raw: bytes) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        with explained(Path(label)):
            return raw.decode("utf-16").encode()
    return raw.removeprefix(b"\xef\xbb\xbf")


def _above(label: str, raw: bytes) -> _Above:
    with explained(Path(label)):
        # What is cut at the end of the look may be half a character.
        head = raw[:_HEAD].decode("utf-8", "strict" if len(raw) <= _HEAD else "ignore")
        if len(raw) > _HEAD:
            _demand_text(raw[:_HEAD])
    lines = head.splitlines() if len(raw) <= _HEAD else head.splitlines()[:-1]
    if not any(line.strip() for line in lines):
        raise BadInput(f"{label} is empty: it must hold a header and rows", file=label)
    separator = _separator(lines)
    rows = list(_split(lines, separator))
    found = _with_header(rows, separator) or _without(rows, separator)
    if found is None:
        raise _not_candles(label, rows)
    return found


def _demand_text(head: bytes) -> None:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            raise


def _separator(lines: Sequence[str]) -> str:
    """Which of them makes candles of the most lines."""
    seen = [line for line in lines[: _LOOKED_AT + 5] if line.strip()]
    return max(_SEPARATORS, key=lambda sign: sum(line.count(sign) >= 4 for line in seen))


def _split(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    for line in lines:
        try:
            yield next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:
            yield [line]


def _with_header(rows: Sequence[list[str]], separator: str) -> _Above | None:
    for number, names in enumerate(rows[:_LOOKED_AT]):
        if not prices_named(names):
            continue
        order, named = _places_below(names, rows[number + 1 : number + 3])
        if not isinstance(order, Places):
            return None
        first = number + 1
        while first < min(len(rows), number + _LOOKED_AT) and not _is_row(rows[first], order):
            first += 1
        first = number + 1 if first >= len(rows) else first
        whose = words(names) if named is names else "yfinance"
        extra = first - 1 - sum(not row for row in rows[:first])
        if extra and not whose:
            whose = f"{extra} extra line{'' if extra == 1 else 's'}"
        if first < len(rows):
            order = with_time_of_day(order, named, rows[first])
        fields = len(rows[first]) if first < len(rows) else len(names)
        return _Above(
            separator=separator,
            lines=first,
            fields=max(fields, len(names)),
            order=order,
            words=whose,
            time_name=named[order.time].strip().strip("\ufeff") or "time",
        )
    return None


def _places_below(
    names: list[str], below: Sequence[list[str]]
) -> tuple[Places | list[str], list[str]]:
    """As ``places``; yfinance writes the name of its times two lines further down."""
    if len(below) == 2 and below[0] and plain(below[0][0]) == "ticker" and below[1]:
        named = [below[1][0], *names[1:]]
        if isinstance(found := places(named), Places):
            return found, named
    found = places(names)
    if found == ["timestamp_ms"] and not names[0].strip():  # an index without a name
        named = ["date", *names[1:]]
        return places(named), named
    return found, names


def _is_row(row: Sequence[str], order: Places) -> bool:
    """Whether this may be a candle, if only a bad one, and no further line above the rows."""
    if len(row) <= order.time:
        return False
    if any(character.isdigit() for character in row[order.time]):
        return True
    return any(len(row) > place and _is_number(row[place]) for place in order.prices)


def _without(rows: Sequence[list[str]], separator: str) -> _Above | None:
    for number, row in enumerate(rows[:_LOOKED_AT]):
        if len(row) < 5 or not row[0][:1].isdigit():
            continue
        if sum(map(_is_number, row[1:])) < 4:
            return None
        sample = [r for r in rows[number : number + _SAMPLE] if len(r) == len(row)]
        order = unnamed(sample)
        if order is None:
            return None
        return _Above(
            separator=separator,
            lines=number,
            fields=len(row),
            order=order,
            words=unnamed_words(len(row), order),
            time_name=CANDLE_COLUMNS[0],
        )
    return None


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _not_candles(label: str, rows: Sequence[list[str]]) -> BadInput:
    number, names = next(((n, row) for n, row in enumerate(rows, 1) if row), (1, []))
    for other, row in enumerate(rows[:_LOOKED_AT], 1):
        if prices_named(row):
            number, names = other, row
            break
    found = places(names)
    missing = found if isinstance(found, list) else list(CANDLE_COLUMNS)
    return BadInput(
        f"{label} row {number} lacks the columns {', '.join(missing)}: it must be a header that "
        f"names {','.join(CANDLE_COLUMNS)}, in any order and by any of their usual names, or a "
        "row of numbers in that order",
        file=label,
    )


def _start_of_line(raw: bytes, lines: int) -> int:
    start = 0
    for _ in range(lines):
        end = raw.find(b"\n", start)
        if end < 0:
            return len(raw)
        start = end + 1
    return start


def _columns(label: str, raw: bytes, start: int, above: _Above, wanted: Sequence[int]) -> list[Any]:
    arrow = the_arrow()
    import pyarrow.csv as arrow_csv

    names = [str(place) for place in range(above.fields)]
    used = [str(place) for place in wanted]
    if start >= len(raw):
        return [arrow.array([], arrow.string()) for _ in wanted]
    try:
        table = arrow_csv.read_csv(
            arrow.BufferReader(arrow.py_buffer(raw).slice(start)),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(delimiter=above.separator),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(dict.fromkeys(used)),
                column_types=dict.fromkeys(used, arrow.string()),
                strings_can_be_null=False,
            ),
        )
    except arrow.ArrowInvalid:
        rows = _by_hand(label, raw, start, above, max(wanted))
        return text_columns(rows, wanted)
    return [table.column(name).combine_chunks() for name in used]


def _by_hand(label: str, raw: bytes, start: int, above: _Above, last: int) -> list[list[str]]:
    """The rows whose lines have different lengths. ``BadInput`` for the first that is too short."""
    rows = []
    with explained(Path(label)):
        text = io.StringIO(raw[start:].decode("utf-8"), newline="")
        for index, row in enumerate(r for r in csv.reader(text, delimiter=above.separator) if r):
            if len(row) <= last:
                number = _row_of(raw, start, above.lines, index)
                raise BadInput(
                    f"{label} row {number} ends before its last column: the file may be cut short",
                    file=label,
                    row=number,
                )
            rows.append(row)
    return rows


def _row_of(raw: bytes, start: int, lines: int, index: int) -> int:
    """The line of the file that holds a candle, empty lines counted."""
    seen = -1
    for number, line in enumerate(raw[start:].splitlines(), lines + 1):
        seen += bool(line.strip())
        if seen == index:
            return number
    return lines + 1 + index
