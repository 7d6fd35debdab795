"""The months and years of what was earned, in a terminal of any width."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dexmm.performance.earned import Earned
from dexmm.report.earned_shown import headings, newest, row
from dexmm.terminal.table_fitting import fitted


def by_month(
    found: Earned, quote: str, console: Console, width: int | None, rest: str
) -> RenderableType | None:
    """None where all is within one month. ``rest`` says where earlier months are, if any are."""
    if len(found.months) < 2:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings(quote)):
        table.add_column(Text(heading), justify="right" if number else "left", no_wrap=True)
    months, left = newest(found)
    for period in (*months, *(found.years if len(found.years) > 1 else ())):
        table.add_row(*row(period, quote))
    shown = fitted(table, console, width)
    return Group(Text(f"({left} earlier ones: {rest})"), shown) if left else shown
