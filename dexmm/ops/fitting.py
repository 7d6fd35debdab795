"""Tables on narrow terminals: an amount is never cut; where a table has no room, rows are records.

A phone's terminal or a split one has 40 to 60 columns. Cells of numbers stand in one piece or are
folded; words are wrapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

_LEAST_WORDS = 16  # columns that a wrapped cell of words needs to be read


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
    longest = max((cell_len(word) for text in texts for word in text.plain.split()), default=0)
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
