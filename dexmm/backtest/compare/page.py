"""The comparison as one page: the verdict, the table, and a picture each for what matters."""

from __future__ import annotations

from collections.abc import Sequence

from dexmm.backtest.compare.charts import attribution_chart, net_chart, share_chart
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
from dexmm.backtest.compare.histories import across, across_verdict, recommended
from dexmm.backtest.compare.rows import Row, ranked
from dexmm.backtest.compare.table import ACROSS, across_row
from dexmm.backtest.compare.verdict import pays
from dexmm.performance.number_format import places_of
from dexmm.report.html_page import Page
from dexmm.report.html_parts import Banner, Bullets, Cell, Chart, Html, Table, bullets


def comparisons_page(found: Sequence[Comparison]) -> Page:
    """One history's page, or all of them in one. Raises ``BadInput`` without plotly."""
    if len(found) == 1:
        return compare_page(found[0])
    first, *more = across_verdict(found)
    page = Page(
        f"Ways of making a market in {found[0].base}/{found[0].quote}",
        f"{len(found)} histories: {'; '.join(one.history for one in found)}",
    ).section(
        "Does this market pay?",
        Banner(text=first, tone="good" if recommended(found) else "bad"),
        *more,
    )
    page.section("Over all histories", _across(found))
    for one in found:
        page.section(one.history, *one.verdict)
        for section in compare_page(one).sections[1:]:
            page.section(f"{section.title}: {one.history}", *section.parts)
    return page


def compare_page(found: Comparison) -> Page:
    """Raises ``BadInput`` when plotly is not installed."""
    rows = ranked(found.rows)
    pair = f"{found.base}/{found.quote}"
    first, *more = found.verdict
    return (
        Page(f"Ways of making a market in {pair}", found.history)
        .section(
            "Does this market pay?",
            Banner(text=first, tone="good" if pays(rows, found.worth.strategy) else "bad"),
            *more,
        )
        .section("Comparison", _table(rows, places_of(found.quote)), _meanings(found, COLUMNS))
        .section(
            "By other yardsticks",
            _yardsticks(rows, places_of(found.quote)),
            _meanings(found, YARDSTICKS),
        )
        .section(
            "At other assumptions",
            _assumptions(rows, places_of(found.quote)),
            _across([found]),
            *across_verdict([found]),
        )
        .section(
            "Against holding",
            Chart(
                figure=net_chart(rows, found.quote),
                says=f"Net worth less what plain holding would be worth, in {found.quote}, after "
                "gas. Above zero beats holding.",
            ),
        )
        .section(
            "Where it came from",
            Chart(
                figure=attribution_chart(rows, found.quote),
                says="Each row's parts side by side; they add up to its net.",
            ),
        )
        .section(
            "Share",
            Chart(
                figure=share_chart(rows, found.band_low, found.target, found.band_high),
                says=f"Of {found.base} in the whole inventory; the band and its target are drawn "
                "behind.",
            ),
        )
        .section("Held back", _refusals(rows))
        .section("Assumptions", Bullets(found.assumptions))
    )


def _table(rows: Sequence[Row], places: int) -> Table:
    leaders = {column.key: best(column, rows) for column in COLUMNS}

    def cell(row: Row, number: int) -> str | Cell:
        column = COLUMNS[number]
        text = column.told(column.value(row.figures), places)
        leads = row.name in leaders[column.key]
        return Cell(text=f"{text} ★", tone="good", title="the best of all") if leads else text

    return Table(
        headings=("", *(column.heading for column in COLUMNS), "pays gas"),
        rows=tuple(
            (row.label, *(cell(row, number) for number in range(len(COLUMNS))), _gas(row))
            for row in rows
        ),
        caption="Sorted by net; ★ marks the best of a column.",
    )


def _gas(row: Row) -> Cell:
    if row.pays_gas is None:
        return Cell(text=gas_told(row), tone="dim")
    return Cell(text=gas_told(row), tone="good" if row.pays_gas else "bad")


def _assumptions(rows: Sequence[Row], places: int) -> Table:
    cells = [at_other_assumptions(row, places) for row in rows]
    headings = sorted(
        dict.fromkeys(heading for told in cells for heading in told),
        key=lambda heading: heading.startswith("gas"),
    )
    return Table(
        headings=("", *headings),
        rows=tuple(
            (row.label, *(told.get(heading, NOTHING) for heading in headings))
            for row, told in zip(rows, cells, strict=True)
        ),
        caption="Net against holding, and our part of the pool's liquidity in range. A pay ratio "
        "is other people's fees over what arbitrage costs liquidity; each is a run of its own in "
        "a pool whose other liquidity is sized to it. Gas is scaled on the same decisions.",
    )


def _across(found: Sequence[Comparison]) -> Table:
    return Table(
        headings=("", *ACROSS),
        rows=tuple((way.name, *across_row(way)) for way in across(found)),
        caption="In how many histories and pay ratios each ended above, and the means over them "
        "in basis points of the start. The rebalanced inventory is kept at its target at market "
        "cost; skill is fees less what arbitrage took, gas and trading costs.",
    )


def _yardsticks(rows: Sequence[Row], places: int) -> Table:
    return Table(
        headings=("", *(column.heading for column in YARDSTICKS)),
        rows=tuple(
            (row.label, *(column.told(column.value(row.figures), places) for column in YARDSTICKS))
            for row in rows
        ),
    )


def _meanings(found: Comparison, columns: Sequence[Column]) -> Html:
    """What each column counts, for whoever asks."""
    lines = [
        f"{column.heading}: {column.meaning.replace('in quote', f'in {found.quote}')}"
        for column in columns
        if column.key not in {"share_mean", "share_high"}
    ]
    return Html(
        f"<details><summary>What the columns mean</summary>{bullets(Bullets(lines))}</details>"
    )


def _refusals(rows: Sequence[Row]) -> Table:
    return Table(
        headings=("", "rule", "first explanation", "turns", "held something back"),
        left=3,
        rows=tuple(
            (row.name, each.rule, each.explanation, str(each.turns), str(each.withheld))
            for row in rows
            for each in row.refused
        ),
        empty="No guard had anything to refuse.",
    )
