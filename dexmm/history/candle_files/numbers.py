"""Prices and volumes as whole multiples of a power of ten, exactly as they are written.

Text becomes decimals without a detour over binary fractions. A double, or a float of 32 bits, is
its shortest text that gives the same one: what was written as 4000.1 comes back as 4000.1, not as
the fraction nearest to it (a float of 32 bits has seven digits, and no more come back). Prices
are never rounded, but for doubles that were calculated and have more digits than a column holds;
that is said. Volumes are rounded half to even at ``VOLUME_DECIMALS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS
from dexmm.history.candle_columns import DIGITS, VOLUME_DECIMALS, fault_of
from dexmm.history.candle_files.table import Table, the_arrow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WIDEST = 38  # digits of a decimal128
_BYTES = 16  # of one
_SPACED = r"(\d)[ \x{00A0}\x{202F}'](\d{3})"
_THOUSANDS = r"^([+-]?\d{1,3})((?:,\d{3})+)(\.\d*)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Whole multiples of ``10 ** -decimals``, a column each."""

    columns: tuple[NDArray[np.int64], ...]
    decimals: int
    rounded: bool = False  # calculated doubles lost digits beyond ``DIGITS``


def prices_of(table: Table) -> Units:
    """Open, high, low and close. Raises ``BadInput`` naming the row and the column."""
    names = CANDLE_COLUMNS[1:5]
    columns = [_text(c, name, table) for name, c in zip(names, table.prices, strict=True)]
    arrow = the_arrow()
    doubles = all(arrow.types.is_floating(column.type) for column in table.prices)
    return _units(columns, names, table, most=None, may_round=doubles)


def volumes_of(table: Table) -> Units:
    """The volume, or none at all where the file has no such column."""
    import numpy as np

    if table.volume is None:
        return Units(columns=(np.zeros(len(table.time), np.int64),), decimals=0)
    name = CANDLE_COLUMNS[5]
    column = _text(table.volume, name, table)
    return _units([column], (name,), table, most=VOLUME_DECIMALS, may_round=True)


def absent(column: Any) -> Any:
    """Where a column says that it has no value, as a mask; NaN is none."""
    import pyarrow.compute as compute

    from dexmm.history.candle_files.table import NOT_THERE

    arrow = the_arrow()
    if arrow.types.is_floating(column.type):
        return compute.fill_null(compute.is_nan(column), fill_value=True)
    if arrow.types.is_string(column.type):
        none = compute.is_in(column, value_set=arrow.array(NOT_THERE))
        return compute.or_(none, compute.is_null(column))
    return compute.is_null(column)


def _text(column: Any, name: str, table: Table) -> Any:
    """A column of decimals, whole numbers or text. ``BadInput`` for one of another type."""
    import pyarrow.compute as compute

    arrow = the_arrow()
    types, kind = arrow.types, column.type
    if column.null_count:
        index = compute.index(compute.is_null(column), value=True).as_py()
        raise table.fault(index, f"has no {name}: remove or mend the row")
    if types.is_decimal(kind) or types.is_string(kind):
        return column
    if types.is_integer(kind):
        return column.cast(arrow.decimal128(20, 0))
    if types.is_floating(kind):
        if types.is_float16(kind):
            column = column.cast(arrow.float32())
        return column.cast(arrow.string())
    if types.is_large_string(kind):
        return column.cast(arrow.string())
    raise BadInput(
        f"{table.label} has {name} of type {kind}: it must be a number", file=table.label
    )


def _units(
    columns: Sequence[Any], names: Sequence[str], table: Table, *, most: int | None, may_round: bool
) -> Units:
    arrow = the_arrow()
    try:
        return _packed(columns, most, may_round=may_round)
    except (arrow.ArrowInvalid, OverflowError):
        cleaned = _cleaned(columns, table)
    try:
        return _packed(cleaned, most, may_round=may_round)
    except (arrow.ArrowInvalid, OverflowError):
        raise _misread(cleaned, names, table) from None


def _packed(columns: Sequence[Any], most: int | None, *, may_round: bool) -> Units:
    """Raises ``ArrowInvalid`` for what is no number, ``OverflowError`` for too many digits."""
    import numpy as np

    exact = [_shortest(*_decimals_of(column)) for column in columns]
    wanted = max((places for _, places in exact), default=0)
    scale = wanted if most is None else min(wanted, most)
    if may_round and most is None:
        whole = max((_whole_digits(column, places) for column, places in exact), default=1)
        scale = max(min(scale, DIGITS - whole), 0)
    units = [_at_scale(column, places, scale) for column, places in exact]
    if scale < wanted:  # digits are gone, and zeros may be left
        while scale and not any((column % 10).any() for column in units):
            units = [column // 10 for column in units]
            scale -= 1
    if any(np.abs(column).max(initial=0) >= 10**DIGITS for column in units):
        raise OverflowError
    return Units(columns=tuple(units), decimals=scale, rounded=most is None and scale < wanted)


def _decimals_of(column: Any) -> tuple[Any, int]:
    """The column as decimals of as many places as are written."""
    import numpy as np
    import pyarrow.compute as compute

    arrow = the_arrow()
    if not arrow.types.is_string(column.type):
        return column, column.type.scale
    dots = compute.find_substring(column, ".").to_numpy()
    behind = compute.binary_length(column).to_numpy() - dots - 1
    places = int(np.where(dots >= 0, behind, 0).max(initial=0))
    for sign in ("e", "E"):
        powers = compute.match_substring(column, sign)
        if compute.any(powers).as_py():
            places = max(places, *(-_exponent(t) for t in column.filter(powers).to_pylist()))
    return _decimal(column, places), places


def _shortest(column: Any, places: int) -> tuple[Any, int]:
    """Whole numbers of as few decimal places as the column uses: trailing zeros do not count.

    A column that 64 bits do not hold stays one of decimals.
    """
    import numpy as np

    arrow = the_arrow()
    try:
        units = _unscaled(column)
    except OverflowError:
        units = None
    if units is not None:
        common = int(np.gcd.reduce(units)) if len(units) else 0
        fewer = 0
        while fewer < places and common % 10 == 0:
            common, fewer = common // 10, fewer + 1
        return (units // 10**fewer if fewer else units), places - fewer
    while places > 0:
        try:
            column = column.cast(arrow.decimal128(_WIDEST, places - 1))
        except arrow.ArrowInvalid:
            break
        places -= 1
        with suppress(OverflowError):
            return _shortest(column, places) if places else (_unscaled(column), 0)
    return column, places


def _at_scale(column: Any, places: int, scale: int) -> NDArray[np.int64]:
    """The column's whole multiples of ``10 ** -scale``, rounded half to even where it has more.

    ``OverflowError`` beyond 64 bits.
    """
    import numpy as np
    import pyarrow.compute as compute

    arrow = the_arrow()
    if isinstance(column, np.ndarray):
        if scale >= places:
            factor = 10 ** (scale - places)
            if int(np.abs(column).max(initial=0)) * factor >= 10**DIGITS:
                raise OverflowError
            return column * factor if factor > 1 else column
        whole = arrow.array(column).cast(arrow.decimal128(_WIDEST, 0))
        column = _moved(whole, places)
    if scale < places:
        column = compute.round(column, ndigits=scale, round_mode="half_to_even")
    return _unscaled(column.cast(arrow.decimal128(_WIDEST, scale)))


def _moved(whole: Any, places: int) -> Any:
    """Whole numbers as decimals of so many places: the same digits, the point moved."""
    arrow = the_arrow()
    kind = arrow.decimal128(_WIDEST, places)
    return arrow.Array.from_buffers(kind, len(whole), whole.buffers(), offset=whole.offset)


def _decimal(column: Any, places: int) -> Any:
    """Text as decimals. More places than a decimal holds are cut off where they are zeros."""
    arrow = the_arrow()
    if places >= _WIDEST:
        raise OverflowError
    return column.cast(arrow.decimal128(_WIDEST, places))


def _exponent(text: str) -> int:
    try:
        exponent = Decimal(text).as_tuple().exponent
    except ArithmeticError:
        return 0
    return exponent if isinstance(exponent, int) else 0


def _whole_digits(column: Any, places: int) -> int:
    """Digits before the point of the largest."""
    import numpy as np
    import pyarrow.compute as compute

    if isinstance(column, np.ndarray):
        return max(len(str(int(np.abs(column).max(initial=0)) // 10**places)), 1)
    most = compute.max(compute.abs(column)).as_py() or Decimal(0)
    return max(most.adjusted() + 1, 1)


def _unscaled(column: Any) -> NDArray[np.int64]:
    """The whole numbers behind decimals. ``OverflowError`` beyond 64 bits."""
    import numpy as np

    arrow = the_arrow()
    if column.type.byte_width != _BYTES:
        column = column.cast(arrow.decimal128(_WIDEST, column.type.scale))
    whole = column.combine_chunks() if isinstance(column, arrow.ChunkedArray) else column
    words = np.frombuffer(whole.buffers()[1], np.int64)[: 2 * (whole.offset + len(whole))]
    words = words.reshape(-1, 2)[whole.offset :]
    low: NDArray[np.int64] = np.ascontiguousarray(words[:, 0])
    if (words[:, 1] != low >> 63).any():
        raise OverflowError
    return low


def _cleaned(columns: Sequence[Any], table: Table) -> list[Any]:
    """Text without the spaces, thousands' commas and decimal commas that tables write."""
    import pyarrow.compute as compute

    arrow = the_arrow()
    if not all(arrow.types.is_string(column.type) for column in columns):
        return list(columns)
    texts = [compute.utf8_trim_whitespace(column) for column in columns]
    texts = [compute.replace_substring_regex(text, _SPACED, r"\1\2") for text in texts]
    if _commas_are_points(texts, table):
        return [compute.replace_substring(text, ",", ".") for text in texts]
    return [
        compute.if_else(
            compute.match_substring_regex(text, _THOUSANDS),
            compute.replace_substring(text, ",", ""),
            text,
        )
        for text in texts
    ]


def _commas_are_points(texts: Sequence[Any], table: Table) -> bool:
    """Whether a comma stands for the decimal point: never beside real ones."""
    import pyarrow.compute as compute

    if any(compute.any(compute.match_substring(text, ".")).as_py() for text in texts):
        return False
    if table.decimal_comma:
        return True
    with_comma = (text.filter(compute.match_substring(text, ",")) for text in texts)
    grouped = (compute.match_substring_regex(text, _THOUSANDS) for text in with_comma)
    return not all(compute.all(each).as_py() for each in grouped if len(each))


def _misread(columns: Sequence[Any], names: Sequence[str], table: Table) -> BadInput:
    """Which row cannot be read; when each can for itself, that they cannot together."""
    values = [column.to_pylist() for column in columns]
    for index, row in enumerate(zip(*values, strict=True)):
        for name, value in zip(names, row, strict=True):
            if fault := fault_of(value):
                return table.fault(index, f"has {str(value)!r} as {name}: {fault}")
    return BadInput(
        f"{table.label} has numbers as {', '.join(names)} that together need more than "
        f"{DIGITS} digits: round them",
        file=table.label,
    )
