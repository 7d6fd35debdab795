"""Tables on narrow terminals: an amount is never cut; where a table has no room, rows are records.

A phone's terminal or a split one has 40 to 60 columns. Cells of numbers stand in one piece or are
folded; words are wrapped, and a number in them is one word: no line ends at its thousands' space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

_LEAST_WORDS = 16  # columns that a wrapped cell of words needs to be read
_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_BOUND = "\ue000"  # stands for such a space until the line is written; rich breaks at real ones


class NumbersWhole(Console):
    """A console that breaks no number at the spaces between its thousands."""

    def __init__(self, *, file: IO[str], **options: Any) -> None:
        super().__init__(file=cast("IO[str]", _Unbound(file)), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(_THOUSANDS.sub(_BOUND, text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        return super().render(_bound(renderable), options)


class _Unbound:
    """A file with plain spaces in its numbers, and as much of one as rich asks for."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.replace(_BOUND, " "))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _bound(renderable: RenderableType) -> RenderableType:
    if not isinstance(renderable, Text) or _THOUSANDS.search(renderable.plain) is None:
        return renderable
    bound = renderable.copy()
    bound.plain = _THOUSANDS.sub(_BOUND, renderable.plain)  # of the same length: styles stay
    return bound


def fitted(table: Table, console: Console, width: int | None = None) -> RenderableType:
    """The table, or its rows below one another where it has no room in ``width``.

    ``width`` is the console's unless given. Cells that are justified to the right are numbers.
    """
    room = console.width if width is None else min(width, console.width)
    columns = table.columns
    cells = [[_text(cell) for cell in column.cells] for column in columns]
    needed = sum(
        _needed(column, texts) for column, texts in zip(columns, cells, strict=True)
    ) + _between(table)
    if needed <= room:
        for column in columns:
            column.no_wrap = column.no_wrap or column.justify == "right"
            column.overflow = "fold"
        return table
    headings = [_text(column.header) for column in columns]
    rows = zip(*cells, strict=True)
    return Group(*(part for row in rows for part in _record(headings, row)))


def pairs(rows: Sequence[tuple[str, str]], *, right: bool = False) -> Table:
    """Names with what is said of them; ``right`` is for amounts, below one another."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right" if right else "left")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _needed(column: Column, texts: list[Text]) -> int:
    """The least width at which nothing is cut and words can be read."""
    heading = _text(column.header)
    whole = max((text.cell_len for text in texts), default=0)
    if column.no_wrap or column.justify == "right":
        return max(whole, heading.cell_len)
    words = (word for text in texts for word in _THOUSANDS.sub(_BOUND, text.plain).split())
    longest = max((cell_len(word) for word in words), default=0)
    return max(min(whole, max(_LEAST_WORDS, longest)), min(heading.cell_len, _LEAST_WORDS))


def _between(table: Table) -> int:
    """What padding and borders take of the width."""
    _, right, _, left = table.padding
    borders = 0 if table.box is None else len(table.columns) + 1
    padding = (left + right) * len(table.columns)
    return padding + borders - (0 if table.pad_edge else left + right)


def _record(headings: list[Text], row: tuple[Text, ...]) -> Iterator[RenderableType]:
    """One row: its first cell, and below it every other with its heading."""
    first, *others = row
    title = first.copy()
    title.stylize("bold")
    title.overflow = "fold"
    yield title
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, cell in zip(headings[1:], others, strict=True):
        if cell.plain.strip():
            grid.add_row(Text("  ") + heading, cell)
    if grid.rows:
        yield grid


def _text(cell: RenderableType) -> Text:
    """A cell as text. Markup counts where the cell is a plain string, as in a table."""
    if isinstance(cell, Text):
        return cell
    return Text.from_markup(cell) if isinstance(cell, str) else Text(str(cell))
