"""Candle files read as one history, and one line that says what was understood.

Several files are joined in the order of their times. Where two hold the same candle they must
agree, to the last digit; where they do not, both rows are named. Missing candles are the one
fault that honest files have (maintenance hours, minutes without a trade, weekends): they repeat
the last close at no volume, are counted and said. A gap of more than ``LONGEST_GAP_SECONDS`` is
refused.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dexmm.errors import BadInput
from dexmm.history.candle_columns import DIGITS, why_impossible
from dexmm.history.candle_files.columnar import read_feather, read_parquet
from dexmm.history.candle_files.documents import read_document
from dexmm.history.candle_files.files import File, files
from dexmm.history.candle_files.grid import DAY, Grid, grid_of, most_frequent_step, refuse_disorder
from dexmm.history.candle_files.numbers import Units, absent, prices_of, volumes_of
from dexmm.history.candle_files.table import Table, the_arrow
from dexmm.history.candle_files.text import read_text
from dexmm.history.candle_files.times import moment, seconds_of
from dexmm.history.packed_candles import PackedPath

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_READERS = 4  # files at once: unpacking and Arrow work without the interpreter's lock
_FORMATS = {"text": "CSV", "document": "", "parquet": "", "feather": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file's candles in the order of their times."""

    table: Table
    packed: str
    kind: str
    seconds: NDArray[np.int64]
    places: NDArray[np.int64]  # of each candle among the table's rows
    prices: Units
    volumes: Units
    notes: tuple[str, ...]
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined:
    seconds: NDArray[np.int64]
    prices: tuple[NDArray[np.int64], ...]
    price_decimals: int
    volume: NDArray[np.int64]
    volume_decimals: int
    part: NDArray[np.int64]  # which file each comes from
    place: NDArray[np.int64]  # among that table's rows
    rows: int
    twice: int


def read_history(
    named: Sequence[Path], since: int | None = None, until: int | None = None
) -> PackedPath:
    """Every candle of these files, folders and archives, without a hole.

    Where ``since`` and ``until`` (seconds) are given, what lies outside may be left away. Raises
    ``BadInput`` naming the file, the row (the header of a text file is row 1) and what to do.
    """
    the_arrow()
    found = files(named)
    with ThreadPoolExecutor(max_workers=min(_READERS, len(found))) as pool:
        parts = [part for part in pool.map(_part, found) if len(part.seconds)]
    source = str(named[0]) if len(named) == 1 else f"{named[0]} and {len(named) - 1} more"
    if not parts:
        raise BadInput(
            f"{source} needs at least two candles and holds 0: choose another file", file=source
        )
    _refuse_other_steps(parts)
    joined = _cut(_join(parts, source), since, until)

    def fault(index: int, what: str) -> BadInput:
        part = parts[int(joined.part[index])]
        return part.table.fault(int(joined.place[index]), what)

    grid = grid_of(joined.seconds, source, fault)
    return _path(source, joined, grid, _words(named, parts, joined, grid))


def _part(file: File) -> _Part:
    import numpy as np

    table = _table(file)
    table, without_prices = _with_prices(table)
    times = seconds_of(table)
    prices, volumes = prices_of(table), volumes_of(table)
    _refuse_impossible(table, prices, volumes)
    seconds, places = times.seconds, np.arange(len(times.seconds))
    notes = [*(["no volume"] if table.volume is None else [])]
    if without_prices:
        notes.append(f"{without_prices} row{'s' * (without_prices > 1)} without prices left out")
    if prices.rounded:
        notes.append(f"calculated prices rounded to {prices.decimals} decimals")
    if len(seconds) > 1 and (np.diff(seconds) < 0).sum() * 2 > len(seconds) - 1:
        seconds, places = seconds[::-1], places[::-1]
        prices, volumes = _reversed(prices), _reversed(volumes)
        notes.append("newest first")
    refuse_disorder(seconds, lambda i, what: table.fault(int(places[i]), what))
    return _Part(
        table=replace(table, time=None, prices=(None,) * 4, volume=None),
        packed=file.packed,
        kind=file.kind,
        seconds=seconds,
        places=places,
        prices=prices,
        volumes=volumes,
        notes=tuple(notes),
        times=times.words,
    )


def _table(file: File) -> Table:
    raw = file.read()
    if file.kind == "text":
        return read_text(file.label, raw, file.read)
    readers = {"document": read_document, "parquet": read_parquet, "feather": read_feather}
    return readers[file.kind](file.label, raw)


def _with_prices(table: Table) -> tuple[Table, int]:
    """Without the rows that hold none of the four prices, as some sources write a day off."""
    import numpy as np
    import pyarrow.compute as compute

    gone = absent(table.prices[0])
    if not compute.any(gone).as_py():
        return table, 0
    for column in table.prices[1:]:
        gone = compute.and_(gone, absent(column))
    there = compute.invert(gone)
    count = int(compute.sum(gone).as_py() or 0)
    if not count:
        return table, 0
    kept = np.flatnonzero(there.to_numpy(zero_copy_only=False))

    def filtered(column: Any) -> Any:
        return column.filter(there)

    opened, high, low, close = map(filtered, table.prices)
    row_of = table.row_of
    return (
        replace(
            table,
            time=filtered(table.time),
            prices=(opened, high, low, close),
            volume=None if table.volume is None else filtered(table.volume),
            row_of=lambda index: row_of(int(kept[index])),
        ),
        count,
    )


def _refuse_impossible(table: Table, prices: Units, volumes: Units) -> None:
    opened, high, low, close = prices.columns
    (volume,) = volumes.columns
    right = (low > 0) & (low <= opened) & (opened <= high) & (low <= close) & (close <= high)
    right &= volume >= 0
    if right.all():
        return
    index = int((~right).argmax())
    values = (opened, high, low, close, volume)
    raise table.fault(index, why_impossible(*(int(column[index]) for column in values)))


def _reversed(units: Units) -> Units:
    return replace(units, columns=tuple(column[::-1] for column in units.columns))


def _refuse_other_steps(parts: Sequence[_Part]) -> None:
    """``BadInput`` where files of several steps are to be one history."""
    steps = [(most_frequent_step(p.seconds), p) for p in parts if len(p.seconds) > 2]
    for step, part in steps[1:]:
        if step != steps[0][0]:
            raise BadInput(
                f"{part.table.label} holds candles of {duration(step)} and "
                f"{steps[0][1].table.label} of {duration(steps[0][0])}: name files of one step",
                file=part.table.label,
            )


def _join(parts: Sequence[_Part], source: str) -> _Joined:
    import numpy as np

    price_decimals = max(part.prices.decimals for part in parts)
    volume_decimals = max(part.volumes.decimals for part in parts)
    seconds = np.concatenate([part.seconds for part in parts])
    numbers = [
        np.concatenate([_scaled(p.prices, price_decimals, source)[k] for p in parts])
        for k in range(4)
    ]
    numbers.append(np.concatenate([_scaled(p.volumes, volume_decimals, source)[0] for p in parts]))
    part_of = np.repeat(np.arange(len(parts)), [len(part.seconds) for part in parts])
    place = np.concatenate([part.places for part in parts])
    rows = len(seconds)
    if len(parts) > 1:
        order = np.argsort(seconds, kind="stable")
        seconds, part_of, place = seconds[order], part_of[order], place[order]
        numbers = [column[order] for column in numbers]
        again = np.append(False, np.diff(seconds) == 0)
        if again.any():
            _refuse_contradictions(parts, again, numbers, part_of, place, seconds)
            seconds, part_of, place = seconds[~again], part_of[~again], place[~again]
            numbers = [column[~again] for column in numbers]
    *prices, volume = numbers
    return _Joined(
        seconds=seconds,
        prices=tuple(prices),
        price_decimals=price_decimals,
        volume=volume,
        volume_decimals=volume_decimals,
        part=part_of,
        place=place,
        rows=rows,
        twice=rows - len(seconds),
    )


def _scaled(units: Units, decimals: int, source: str) -> list[NDArray[np.int64]]:
    import numpy as np

    factor = 10 ** (decimals - units.decimals)
    most = max((int(np.abs(column).max(initial=0)) for column in units.columns), default=0)
    if most * factor >= 10**DIGITS:
        raise BadInput(
            f"{source} has numbers that together need more than {DIGITS} digits: round them",
            file=source,
        )
    return [column * factor for column in units.columns]


def _refuse_contradictions(
    parts: Sequence[_Part],
    again: NDArray[np.bool_],
    numbers: Sequence[NDArray[np.int64]],
    part_of: NDArray[np.int64],
    place: NDArray[np.int64],
    seconds: NDArray[np.int64],
) -> None:
    import numpy as np

    differs = np.zeros(len(again), bool)
    for column in numbers:
        differs[1:] |= column[1:] != column[:-1]
    wrong = differs & again
    if not wrong.any():
        return
    i = int(wrong.argmax())
    one, other = (parts[part_of[k]].table for k in (i - 1, i))
    raise BadInput(
        f"{other.label} row {other.row_of(int(place[i]))} and {one.label} row "
        f"{one.row_of(int(place[i - 1]))} hold different candles of {moment(int(seconds[i]))} "
        f"UTC ({int(wrong.sum())} such in all): name files of one market, without one of the two",
        file=other.label,
    )


def _cut(joined: _Joined, since: int | None, until: int | None) -> _Joined:
    """Without what lies outside, but for the candle that stands at the beginning."""
    import numpy as np

    first, last = 0, len(joined.seconds)
    if since is not None:
        first = max(int(np.searchsorted(joined.seconds, since, side="right")) - 1, 0)
    if until is not None:
        last = int(np.searchsorted(joined.seconds, until, side="left"))
    if last - first < 2:
        return joined
    return replace(
        joined,
        seconds=joined.seconds[first:last],
        prices=tuple(column[first:last] for column in joined.prices),
        volume=joined.volume[first:last],
        part=joined.part[first:last],
        place=joined.place[first:last],
    )


def _path(source: str, joined: _Joined, grid: Grid, words: str) -> PackedPath:
    import numpy as np

    opened, high, low, close = joined.prices
    volume = joined.volume
    marks = np.zeros(len(close), np.uint8)
    if grid.missing.any():
        times = grid.missing + 1
        of = np.repeat(np.arange(len(close)), times)
        marks = np.ones(len(of), np.uint8)
        marks[np.cumsum(times) - times] = 0
        filled = marks == 1
        close = close[of]
        opened, high, low = (np.where(filled, close, c[of]) for c in (opened, high, low))
        volume = np.where(filled, 0, volume[of])
    return PackedPath(
        source=source,
        interval_seconds=grid.step,
        start=int(grid.seconds[0]),
        price_decimals=joined.price_decimals,
        volume_decimals=joined.volume_decimals,
        open_units=_held(opened),
        high_units=_held(high),
        low_units=_held(low),
        close_units=_held(close),
        volume_units=_held(volume),
        filled_marks=marks.tobytes(),
        understood=words,
    )


def _held(column: NDArray[np.int64]) -> array[int]:
    held = array("q")
    held.frombytes(column.astype("int64", copy=False).tobytes())
    return held


def _words(named: Sequence[Path], parts: Sequence[_Part], joined: _Joined, grid: Grid) -> str:
    """In one line: what it is, its step, its range, its gaps."""
    names = [Path(part.table.label).name for part in parts]
    if len(parts) == 1:
        what = names[0]
    else:
        what = f"{len(parts)} files ({names[0]} to {names[-1]})"
    said = dict.fromkeys(_format(part) for part in parts)
    said.update(dict.fromkeys(part.times for part in parts))
    said.update(dict.fromkeys(note for part in parts for note in part.notes))
    count = len(joined.seconds)
    end = moment(int(grid.seconds[-1]) + grid.step)
    told = [
        f"{what}: {', '.join(said)}",
        f"{count:,} candles of {duration(grid.step)}",
        f"{moment(int(grid.seconds[0]))} to {end} UTC",
    ]
    if joined.twice:
        told.append(f"{joined.twice:,} twice and equal")
    if grid.summer_time:
        told.append("an hour of summer time taken out")
    told.append(_gaps(grid))
    return f"{told[0]}; {', '.join(told[1:])}"


def _gaps(grid: Grid) -> str:
    gaps = int((grid.missing > 0).sum())
    if not gaps:
        return "no gaps"
    longest = int(grid.missing.argmax())
    missing = int(grid.missing.sum())
    begins = moment(int(grid.seconds[longest]) + grid.step)
    long = duration(int(grid.missing[longest]) * grid.step)
    candles = f"{missing:,} candle{'' if missing == 1 else 's'}"
    if gaps == 1:
        return f"1 gap: {candles} missing from {begins} on, filled with the last close"
    return (
        f"{gaps:,} gaps: {candles} missing, filled with the last close; the longest of "
        f"{long} from {begins} on"
    )


def _format(part: _Part) -> str:
    said = [
        {"zip": "zip of ", "gzip": "gzip of "}.get(part.packed, "") + _FORMATS[part.kind],
        part.table.layout,
    ]
    return ", ".join(word for word in said if word)


def duration(seconds: int) -> str:
    """Of a candle or a gap."""
    for name, unit in (("day", DAY), ("hour", 3600), ("minute", 60)):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
