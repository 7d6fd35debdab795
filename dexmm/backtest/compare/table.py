"""A comparison in the terminal: one table, the best of each column marked.

On a terminal too narrow for that the columns go on in further tables below, nothing being cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dexmm.backtest.compare.columns import (
    COLUMNS,
    NOTHING,
    YARDSTICKS,
    Column,
    at_other_assumptions,
    best,
    gas_told,
)
from dexmm.backtest.compare.compare import Comparison
from dexmm.backtest.compare.histories import Across, across
from dexmm.backtest.compare.rows import Row, ranked
from dexmm.performance.number_format import places_of
from dexmm.terminal.table_fitting import fitted

MARK = "*"  # of the best, where there are no colours
GAP = 2
ACROSS = (
    "above rebalanced",
    "above holding",
    "skill above 0",
    "vs rebalanced, bp",
    "vs holding, bp",
    "skill, bp",
    "of the pool",
)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A column with its cells, one a row."""

    heading: str
    cells: tuple[Text, ...]

    @property
    def width(self) -> int:
        return max(cell_len(text) for text in (self.heading, *(c.plain for c in self.cells))) + GAP


def comparison(rows: Sequence[Row], console: Console, quote: str) -> RenderableType:
    """Sorted by net. Without colours the best carries an asterisk."""
    order = ranked(rows)
    mark = "" if console.is_terminal and console.color_system else MARK
    names = _Drawn("", tuple(Text(row.label, "bold") for row in order))
    drawn = [_draw(column, order, mark, places_of(quote)) for column in COLUMNS]
    drawn.append(_Drawn("pays gas", tuple(_gas(row) for row in order)))
    room = console.width - names.width
    return Group(*_spaced([fitted(_table(names, part), console) for part in _parts(drawn, room)]))


def other_assumptions(rows: Sequence[Row], console: Console, quote: str) -> RenderableType:
    """Net of each row at every pay ratio and gas price, in the order of ``comparison``."""
    order, places = ranked(rows), places_of(quote)
    names = _Drawn("", tuple(Text(row.label, "bold") for row in order))
    cells = [at_other_assumptions(row, places) for row in order]
    headings = dict.fromkeys(heading for told in cells for heading in told)
    drawn = [
        _Drawn(heading, tuple(Text(told.get(heading, NOTHING)) for told in cells))
        for heading in sorted(headings, key=lambda heading: heading.startswith("gas"))
    ]
    room = console.width - names.width
    return Group(*_spaced([fitted(_table(names, part), console) for part in _parts(drawn, room)]))


def across_table(found: Sequence[Comparison], console: Console) -> RenderableType:
    """Every way that provides liquidity, over all histories and pay ratios."""
    ways = across(found)
    names = _Drawn("", tuple(Text(way.name, "bold") for way in ways))
    drawn = [
        _Drawn(heading, tuple(Text(cell) for cell in column))
        for heading, *column in zip(ACROSS, *map(across_row, ways), strict=True)
    ]
    room = console.width - names.width
    return Group(*_spaced([fitted(_table(names, part), console) for part in _parts(drawn, room)]))


def across_row(way: Across) -> tuple[str, ...]:
    """Under ``ACROSS``."""
    return (
        f"{way.above_rebalanced} of {way.cells}",
        f"{way.above_holding} of {way.cells}",
        f"{way.skilled} of {way.cells}",
        f"{way.against_rebalanced_bp:+.1f}",
        f"{way.against_holding_bp:+.1f}",
        f"{way.skill_bp:+.1f}",
        f"{way.liquidity_share * 100:.2f} %",
    )


def yardsticks(rows: Sequence[Row], console: Console, quote: str) -> RenderableType:
    """What each row is worth by every yardstick, in the order of ``comparison``."""
    order, places = ranked(rows), places_of(quote)
    names = _Drawn("", tuple(Text(row.label, "bold") for row in order))
    drawn = [
        _Drawn(c.heading, tuple(Text(c.told(c.value(row.figures), places)) for row in order))
        for c in YARDSTICKS
    ]
    room = console.width - names.width
    return Group(*_spaced([fitted(_table(names, part), console) for part in _parts(drawn, room)]))


def _draw(column: Column, rows: Sequence[Row], mark: str, places: int) -> _Drawn:
    leaders = best(column, rows)

    def cell(row: Row) -> Text:
        told = column.told(column.value(row.figures), places)
        return Text(told + mark, "bold green") if row.name in leaders else Text(told)

    return _Drawn(column.heading, tuple(cell(row) for row in rows))


def _gas(row: Row) -> Text:
    return Text(gas_told(row), {None: "dim", True: "green", False: "red"}[row.pays_gas])


def _parts(drawn: Sequence[_Drawn], room: int) -> list[list[_Drawn]]:
    """As many columns side by side as there is room for; at least one."""
    parts: list[list[_Drawn]] = [[]]
    for column in drawn:
        if parts[-1] and sum(c.width for c in parts[-1]) + column.width > room:
            parts.append([])
        parts[-1].append(column)
    return parts


def _table(names: _Drawn, columns: Sequence[_Drawn]) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for cells in zip(names.cells, *(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _spaced(tables: Sequence[RenderableType]) -> list[RenderableType]:
    spaced: list[RenderableType] = []
    for table in tables:
        spaced += [Text(), table] if spaced else [table]
    return spaced
