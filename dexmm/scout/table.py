"""The pools side by side. On a narrow terminal the columns go on below, nothing being cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dexmm.scout.columns import COLUMNS, name_of
from dexmm.scout.scout import Scout
from dexmm.terminal.table_fitting import fitted

GAP = 2
TONES = {"pays": "green", "loses": "red", "barred": "red", "gas": "yellow"}


@dataclass(frozen=True, slots=True)
class _Drawn:
    heading: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells))) + GAP


def table(scout: Scout, console: Console) -> RenderableType:
    """In the order of the scout, the best first."""
    names = [Text(name_of(pool), TONES.get(pool.code, "dim")) for pool in scout.pools]
    drawn = [
        _Drawn(column.heading, tuple(column.told(pool) for pool in scout.pools))
        for column in COLUMNS
    ]
    room = console.width - max((cell_len(name.plain) for name in names), default=0) - GAP
    parts = [fitted(_table(names, part), console) for part in _parts(drawn, room)]
    return Group(*(each for part in parts for each in (part, Text())))


def _parts(drawn: Sequence[_Drawn], room: int) -> list[list[_Drawn]]:
    """As many columns side by side as there is room for; at least one."""
    parts: list[list[_Drawn]] = [[]]
    for column in drawn:
        if parts[-1] and sum(c.width for c in parts[-1]) + column.width > room:
            parts.append([])
        parts[-1].append(column)
    return parts


def _table(names: Sequence[Text], columns: Sequence[_Drawn]) -> Table:
    drawn = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold")
    drawn.add_column("", no_wrap=True)
    for column in columns:
        drawn.add_column(column.heading, justify="right", no_wrap=True)
    for name, *cells in zip(names, *(column.cells for column in columns), strict=True):
        drawn.add_row(name, *cells)
    return drawn
