"""The scout as one page: the answer, the table, and what each figure means."""

from __future__ import annotations

from dexmm.report.html_page import Page
from dexmm.report.html_parts import Banner, Bullets, Cell, Table
from dexmm.scout.columns import COLUMNS, conclusion, lines, name_of, title
from dexmm.scout.scout import Scout


def scout_page(scout: Scout) -> Page:
    pays = bool(scout.pools) and scout.pools[0].net_per_day > 0
    return (
        Page(f"Pools of {scout.base}", title(scout))
        .section("Where to provide", Banner(text=conclusion(scout), tone="good" if pays else "bad"))
        .section("Pools", _table(scout), Bullets(tuple(lines(scout))))
        .section(
            "What the columns mean",
            Bullets(tuple(f"{column.heading}: {column.meaning}" for column in COLUMNS)),
        )
    )


def _table(scout: Scout) -> Table:
    return Table(
        headings=("", *(column.heading for column in COLUMNS)),
        rows=tuple(
            (
                Cell(
                    text=name_of(pool),
                    tone="good" if pool.code == "pays" else "dim",
                    title=pool.market.pool,
                ),
                *(column.told(pool) for column in COLUMNS),
            )
            for pool in scout.pools
        ),
        caption="The best first.",
        empty="No pool exists against these quotes.",
    )
