"""The comparison as one page: the verdict, the table, and a picture each for what matters."""

from __future__ import annotations

from collections.abc import Sequence

from dexmm.backtest.compare import Comparison
from dexmm.backtest.compare_charts import attribution_chart, net_chart, share_chart
from dexmm.backtest.compare_columns import COLUMNS, YARDSTICKS, Column, best, gas_told, places_of
from dexmm.backtest.compare_rows import Row, ranked
from dexmm.backtest.compare_verdict import pays
from dexmm.ops.report.page import Page
from dexmm.ops.report.parts import Banner, Bullets, Cell, Chart, Html, Table, bullets


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
