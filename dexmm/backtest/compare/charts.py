"""Everybody in one picture: against holding, by share, and by what it was made of.

Money becomes a float here to be drawn: nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from dexmm.backtest.compare.rows import Curve, Kind, Row
from dexmm.optional_packages import need
from dexmm.performance.attribution import Source
from dexmm.performance.metrics import Figures
from dexmm.performance.number_format import places_of
from dexmm.report.charts import styled, time
from dexmm.report.palette import AMBER, BLUE, GREEN, GREY, INK, RED, SERIES, TEAL, VIOLET, Tone

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 440
BAR_HEIGHT = 34
DASHES = {Kind.STRATEGY: "solid", Kind.STATIC: "dot", Kind.HOLDING: "dash"}
# In one order and colour, so that a part looks alike in every row; divergence goes in two.
LIQUIDITY: tuple[tuple[str, Tone, Callable[[Figures], Decimal]], ...] = (
    ("loss versus rebalancing", RED, lambda f: f.loss_versus_rebalancing),
    ("liquidity's own exposure", BLUE, lambda f: f.divergence - f.loss_versus_rebalancing),
)
PARTS = {
    Source.FEES: ("fees", GREEN),
    Source.GAS: ("gas", GREY),
    Source.SWAP: ("trades", AMBER),
    Source.HEDGE: ("hedges", TEAL),
    Source.QUOTE: ("quotes", VIOLET),
    Source.TRIANGLE: ("triangle", TEAL),
    Source.EXCHANGE_FEE: ("exchange fees", VIOLET),
    Source.FUNDING: ("funding", TEAL),
    Source.UNEXPLAINED: ("unexplained", GREY),
}


def net_chart(rows: Sequence[Row], quote: str) -> Figure:
    """A line each: net worth against holding over time, in the order of ``rows``."""
    figure = _figure()
    _draw(
        figure, rows, lambda curve: curve.against_holding, f"%{{y:,.{places_of(quote)}f}} {quote}"
    )
    return styled(figure, y_title=f"against holding, {quote}", height=HEIGHT)


def share_chart(rows: Sequence[Row], low: Decimal, target: Decimal, high: Decimal) -> Figure:
    """A line each: the share of base over time, in percent, with its band behind."""
    figure = _figure()
    bottom, middle, top = (float(100 * share) for share in (low, target, high))
    figure.add_hrect(y0=bottom, y1=top, fillcolor=GREEN.wash, line={"width": 0}, layer="below")
    figure.add_hline(y=middle, line={"color": GREEN.light, "width": 1, "dash": "dot"})
    _draw(figure, rows, lambda curve: [100 * share for share in curve.share], "%{y:.1f} %")
    return styled(figure, height=HEIGHT).update_yaxes(ticksuffix=" %", title=None)


def attribution_chart(rows: Sequence[Row], quote: str) -> Figure:
    """A stacked bar a row, gains right of zero and losses left of it, and a mark at the net."""
    figure = _figure()
    names = [row.name for row in rows]
    for name, tone, values in _bars(rows):
        figure.add_bar(
            y=names,
            x=[float(value) for value in values],
            name=name,
            orientation="h",
            marker={"color": tone.light},
            hovertemplate=f"%{{x:+,.{places_of(quote)}f}} {quote}",
        )
    figure.add_scatter(
        y=names,
        x=[float(row.figures.net) for row in rows],
        name="net",
        mode="markers",
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": INK.light}},
        hovertemplate=f"%{{x:+,.{places_of(quote)}f}} {quote}",
    )
    styled(figure, height=120 + BAR_HEIGHT * len(rows))
    figure.update_layout(barmode="relative", hovermode="y unified")
    figure.update_yaxes(autorange="reversed", showgrid=False, tickformat=None)
    return figure.update_xaxes(title=quote, showgrid=True, zeroline=True, tickformat=",~g")


def _bars(rows: Sequence[Row]) -> Iterator[tuple[str, Tone, list[Decimal]]]:
    """What anybody has of it, fees and what arbitrage took first."""
    for name, tone, of in LIQUIDITY:
        yield name, tone, [of(row.figures) for row in rows]
    for source, (name, tone) in PARTS.items():
        values = [dict(row.parts).get(source, Decimal(0)) for row in rows]
        if any(values):
            yield name, tone, values


def _figure() -> Figure:
    return need("plotly.graph_objects", "backtest").Figure()


def _draw(
    figure: Figure, rows: Sequence[Row], values: Callable[[Curve], Sequence[Decimal]], hover: str
) -> None:
    """Colours differ within a kind, and the dash tells the kind."""
    numbers = {kind: count() for kind in Kind}
    for row in rows:
        tone = SERIES[next(numbers[row.kind]) % len(SERIES)]
        line: dict[str, Any] = {"color": tone.light, "width": 1.6, "dash": DASHES[row.kind]}
        figure.add_scatter(
            x=[time(at) for at in row.curve.at],
            y=[float(value) for value in values(row.curve)],
            name=row.name,
            mode="lines",
            line=line,
            hovertemplate=hover,
        )
