"""Open times of candles in seconds, from any of the ways in which files write them.

A whole number's size tells its unit, row by row: seconds have 10 digits, milliseconds 13,
microseconds 16 and nanoseconds 19 (2001 to 2286), and a digit too few or too many is none of them.
A time without a zone is UTC, which is said. 03/04/2025 is two dates: which is meant must show in
another row of the file, or it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dexmm.errors import BadInput
from dexmm.history.candle_files.table import Table, the_arrow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNITS = (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
_AS_DATES = (19_000_101, 22_001_231)  # whole numbers that are dates: 20250131
_FIRST, _LAST = 10**9, 10**10  # 2001 to 2286, seconds
_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_REWRITE = (  # what else is a time beyond doubt, on its way to ISO 8601
    (r"^\s+|\s+$", ""),
    (r"^(\d{4})[./](\d\d)[./](\d\d)", r"\1-\2-\3"),
    (r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1"),
    (r"^(\d{4})(\d\d)(\d\d)(?:$|[ T])", r"\1-\2-\3 "),
    (r"^(\d{4}-\d\d-\d\d) (\d:)", r"\1 0\2"),
    (r",(\d+)", r".\1"),
    (r"\.(\d{1,9})\d*", r".\1"),
    (r"\s*(?:UTC|GMT)?\s*([+-]\d\d):?(\d\d)$", r"\1:\2"),
    (r"\s*(?:UTC|GMT|Z|z)$", "Z"),
    (r"^(\d{4}-\d\d-\d\d)\s*(Z|[+-]\d\d:\d\d)$", r"\1 00:00:00\2"),
    (r"\s+$", ""),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_WRITTEN = (  # ways that name their parts, and two that all rows together must tell apart
    "%Y-%m-%d %I-%p",
    *(f"{day}{clock}" for day in ("%b %d, %Y", "%d %b %Y", "%d-%b-%Y") for clock in _CLOCKS),
    *(f"{day}{clock}" for day in ("%m/%d/%Y", "%d/%m/%Y") for clock in _CLOCKS),
)
_MUST = (
    "it must be seconds, milliseconds, microseconds or nanoseconds since 1970 UTC, or a date and "
    "time such as 2025-01-31 23:05:00"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    seconds: NDArray[np.int64]
    words: str  # how the file writes them


def seconds_of(table: Table) -> Times:
    """Raises ``BadInput`` naming the row whose time cannot be one."""
    arrow = the_arrow()
    column = table.time
    kind = column.type
    if column.null_count:
        index = column.is_null().to_pylist().index(True)
        raise table.fault(index, f"has no {table.time_name}: remove or mend the row")
    if arrow.types.is_timestamp(kind):
        zone = "" if kind.tz else ", without a zone and taken as UTC"
        values = column.cast(arrow.int64()).to_numpy()
        return Times(seconds=_divided(values, _SECOND[kind.unit], table), words=f"dates{zone}")
    if arrow.types.is_date(kind):
        days = column.cast(arrow.date32()).cast(arrow.int32()).to_numpy()
        return Times(seconds=days.astype("int64") * 86_400, words="dates")
    if arrow.types.is_integer(kind):
        return _counted(_whole(column, table), table)
    if arrow.types.is_floating(kind):
        return _counted(_from_doubles(column, table), table)
    if arrow.types.is_decimal(kind):
        return _counted(_from_text(column.cast(arrow.string()), table), table)
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):
        return _of_text(column, table)
    raise BadInput(f"{table.label} has {table.time_name} of type {kind}: {_MUST}", file=table.label)


def _whole(column: Any, table: Table) -> NDArray[np.int64]:
    arrow = the_arrow()
    try:
        values: NDArray[np.int64] = column.cast(arrow.int64()).to_numpy()
    except arrow.ArrowInvalid:
        texts = column.to_pylist()
        index = next(i for i, value in enumerate(texts) if value >= 1 << 63)
        raise table.fault(index, f"has {table.time_name} {texts[index]}: {_MUST}") from None
    return values


def _from_doubles(column: Any, table: Table) -> NDArray[np.int64]:
    import numpy as np

    values = column.to_numpy()
    wrong = ~np.isfinite(values) | (values != np.floor(values)) | (np.abs(values) >= 2.0**63)
    if wrong.any():
        index = int(wrong.argmax())
        raise table.fault(index, f"has {table.time_name} {values[index]!r}: {_MUST}")
    whole: NDArray[np.int64] = values.astype(np.int64)
    return whole


def _of_text(column: Any, table: Table) -> Times:
    import pyarrow.compute as compute

    arrow = the_arrow()
    try:
        values = column.cast(arrow.int64()).to_numpy()
    except arrow.ArrowInvalid:
        pass
    else:
        dates = (values >= _AS_DATES[0]) & (values <= _AS_DATES[1])
        return _dates(column, table) if len(values) and dates.all() else _counted(values, table)
    digits = compute.match_substring_regex(column, r"^\s*\d{9,19}(\.0*)?\s*$")
    if compute.any(digits).as_py():
        if not compute.all(digits).as_py():
            index = compute.index(digits, value=False).as_py()
            raise _no_time(table, column, index)
        return _counted(_from_text(column, table), table)
    return _dates(column, table)


def _from_text(column: Any, table: Table) -> NDArray[np.int64]:
    import pyarrow.compute as compute

    arrow = the_arrow()
    try:
        return _whole(column.cast(arrow.int64()), table)
    except arrow.ArrowInvalid:
        cleaned = compute.replace_substring_regex(column, r"^\s+|\.0*\s*$|\s+$", "")
    try:
        return _whole(cleaned.cast(arrow.int64()), table)
    except arrow.ArrowInvalid:
        right = compute.match_substring_regex(cleaned, r"^\d{1,18}$")
        index = max(compute.index(right, value=False).as_py(), 0)
        raise _no_time(table, column, index) from None


def _counted(values: NDArray[np.int64], table: Table) -> Times:
    """Seconds from whole numbers of any unit."""
    import numpy as np

    if not len(values):
        return Times(seconds=values, words="no times")
    seconds = np.zeros(len(values), np.int64)
    known = np.zeros(len(values), bool)
    units = []
    for name, per_second in _UNITS:
        last = min(_LAST * per_second, np.iinfo(np.int64).max)
        here = (values >= _FIRST * per_second) & (values < last)
        if here.any():
            units.append(name)
            if here.all():
                return Times(seconds=_divided(values, per_second, table), words=f"times in {name}")
            _divided(np.where(here, values, _FIRST * per_second), per_second, table)
            seconds[here] = values[here] // per_second
            known |= here
    if not known.all():
        index = int((~known).argmax())
        raise table.fault(index, f"has {table.time_name} {int(values[index])}: {_MUST}")
    return Times(seconds=seconds, words=f"times in {' and '.join(units)}")


def _divided(values: NDArray[np.int64], per_second: int, table: Table) -> NDArray[np.int64]:
    """Whole seconds. ``BadInput`` for the first that is none."""
    if per_second == 1:
        return values
    seconds = values // per_second
    if (rest := values != seconds * per_second).any():
        index = int(rest.argmax())
        raise table.fault(
            index,
            f"has {table.time_name} {int(values[index])}, which is not on a whole second: a "
            "candle's time must be the one at which it opens",
        )
    return seconds


def _dates(column: Any, table: Table) -> Times:
    import pyarrow.compute as compute

    arrow = the_arrow()
    with_zone, without = arrow.timestamp("ns", "UTC"), arrow.timestamp("ns")
    for kind, words in ((with_zone, "dates"), (without, "dates without a zone, taken as UTC")):
        try:
            return _parsed(column, kind, words, table)
        except arrow.ArrowInvalid:
            continue
    if (seconds := _written(column.to_pylist())) is not None:
        import numpy as np

        return Times(seconds=np.array(seconds, np.int64), words=words)
    texts = column
    for pattern, replacement in _REWRITE:
        texts = compute.replace_substring_regex(texts, pattern, replacement)
    zoned = compute.match_substring_regex(texts, r"(Z|[+-]\d\d:\d\d)$")
    some, every = compute.any(zoned).as_py(), compute.all(zoned).as_py()
    if some and not every:
        texts = compute.if_else(zoned, texts, compute.binary_join_element_wise(texts, "Z", ""))
    words = "dates" if every else "dates without a zone, taken as UTC"
    try:
        return _parsed(texts, with_zone if some else without, words, table)
    except arrow.ArrowInvalid:
        for index, text in enumerate(texts.to_pylist()):
            try:
                arrow.array([text], arrow.string()).cast(with_zone if some else without)
            except arrow.ArrowInvalid:
                raise _no_time(table, column, index) from None
        raise  # pragma: no cover - one of them failed above


def _written(texts: Sequence[str]) -> list[int] | None:
    """Times in one of the ways of ``_WRITTEN``; None where none fits, or two that differ."""
    found: list[int] | None = None
    for form in _WRITTEN:
        try:
            times = [int(datetime.strptime(t, form).replace(tzinfo=UTC).timestamp()) for t in texts]
        except ValueError:
            continue
        if found is not None and found != times:
            return None
        found = times
    return found


def _parsed(texts: Any, kind: Any, words: str, table: Table) -> Times:
    arrow = the_arrow()
    values = texts.cast(kind).cast(arrow.int64()).to_numpy()
    return Times(seconds=_divided(values, 10**9, table), words=words)


def _no_time(table: Table, column: Any, index: int) -> BadInput:
    text = column[index].as_py()
    must = _MUST
    if text.count("/") == 2 and not text.strip()[:4].isdigit():
        must = "that can be two dates (no row tells which), so write the year first: 2025-01-31"
    elif "e+" in text.lower():
        must = "a spreadsheet has rounded it, so export the file again with whole numbers"
    return table.fault(index, f"has {text!r} as {table.time_name}: {must}")


def moment(seconds: int) -> str:
    """To the minute, UTC; to the second where it is not on a minute."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when:%Y-%m-%d %H:%M}" if seconds % 60 == 0 else f"{when:%Y-%m-%d %H:%M:%S}"
