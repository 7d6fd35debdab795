"""Figures of a track: ``Track -> plotly Figure``. Money and shares become floats here, to be drawn.

Times are UTC, prices quote per base, shares per cent. A long line is thinned with its extremes
kept (``downsample.py``). ``styled`` gives any other figure the same looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dexmm.optional_packages import need
from dexmm.performance.attribution import Attribution
from dexmm.performance.buy_and_hold import Worth, worths
from dexmm.performance.number_format import places_of, signed
from dexmm.performance.track.track import Quoted, Track
from dexmm.report import palette
from dexmm.report.chart_marks import marked
from dexmm.report.downsample import thinned
from dexmm.report.palette import Tone
from dexmm.report.range_spans import Stretch, stretches
from dexmm.report.waterfall import steps
from dexmm.units import price_places

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 360
ROLES = {"base": palette.GREEN, "limit": palette.AMBER}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def prices(track: Track) -> Figure:
    """The fair and the pool's price, the ranges while they were held, and what was done."""
    figure = _figure()
    for role, held in _by_role(stretches(track)).items():
        figure.add_trace(_bands(role, held, ROLES.get(role, palette.TEAL)))
    fair = thinned(track.points, lambda point: point.fair_price)
    pool = thinned(track.points, lambda point: point.pool_price)
    unit = f" {track.quote}"
    figure.add_trace(
        _line("fair price", [(p.at, p.fair_price) for p in fair], palette.BLUE, unit, width=1.6)
    )
    figure.add_trace(
        _line("pool price", [(p.at, p.pool_price) for p in pool], palette.INK, unit, width=1)
    )
    for group in marked(track):
        figure.add_trace(
            {
                "type": "scatter",
                "mode": "markers",
                "name": group.name,
                "x": [time(at) for at, _, _ in group.marks],
                "y": [float(price) for _, price, _ in group.marks],
                "text": [words for _, _, words in group.marks],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "symbol": group.symbol,
                    "size": 9,
                    "color": group.tone.light,
                    "line": {"width": 1, "color": palette.PAPER.light},
                },
            }
        )
    styled(figure, y_title=f"{track.quote} per {track.base}", height=440)
    return figure.update_layout(hovermode="closest")


def share(track: Track) -> Figure:
    """The share of base in the whole inventory, against its band and its target."""
    figure = _figure()
    seen = thinned(track.points, lambda point: point.share)
    figure.add_trace(
        _line("share", [(p.at, p.share * 100) for p in seen], palette.BLUE, " %", width=1.6)
    )
    low, high, target = (float(x * 100) for x in (track.band_low, track.band_high, track.target))
    figure.add_hrect(
        y0=low, y1=high, fillcolor=palette.GREEN.wash, line={"width": 0}, layer="below"
    )
    figure.add_hline(
        y=target, line={"color": palette.MUTED.light, "width": 1, "dash": "dot"}, layer="below"
    )
    top = max(high, *(float(p.share * 100) for p in seen))
    bottom = min(low, *(float(p.share * 100) for p in seen))
    pad = max((top - bottom) / 10, 1)
    styled(figure, y_title=f"{track.base} in the inventory, %", height=300)
    return figure.update_yaxes(range=[bottom - pad, top + pad], ticksuffix=" %", title=None)


def worth(track: Track) -> Figure:
    """Net worth and what holding would be worth, above their difference. Gas is taken off."""
    figure = need("plotly.subplots", "backtest").make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.58, 0.42], vertical_spacing=0.08
    )
    unit = f" {track.quote}"
    found = worths(track.marks)
    holding = [(w.at, w.holding) for w in thinned(found, lambda w: w.holding)]
    held = [(w.at, w.net_worth) for w in thinned(found, lambda w: w.net_worth)]
    figure.add_trace(_line("holding", holding, palette.GREY, unit), row=1, col=1)
    figure.add_trace(_line("net worth", held, palette.BLUE, unit), row=1, col=1)
    figure.add_trace(_difference(found, unit), row=2, col=1)
    styled(figure, y_title="", height=460)
    figure.update_yaxes(title_text=track.quote, row=1, col=1)
    return figure.update_yaxes(title_text=f"against holding, {track.quote}", row=2, col=1)


def against_holding(tracks: Sequence[Track]) -> Figure:
    """Several tracks side by side: net worth over holding, after every cost."""
    figure = _figure()
    for number, track in enumerate(tracks):
        tone = palette.SERIES[number % len(palette.SERIES)]
        kept = thinned(worths(track.marks), lambda w: w.against_holding)
        points = [(w.at, w.against_holding) for w in kept]
        figure.add_trace(_line(track.name, points, tone, f" {track.quote}"))
    return styled(figure, y_title=f"against holding, {tracks[0].quote}", height=420)


def waterfall(found: Attribution, quote: str) -> Figure:
    """From holding to what was earned against it, source by source."""
    shown = steps(found)
    labels = [step.label for step in shown]
    amounts = [*(step.amount for step in shown), found.against_holding]
    figure = _figure()
    figure.add_trace(
        {
            "type": "waterfall",
            "orientation": "h",
            "y": [*labels, "net against holding"],
            "x": [*(float(step.amount) for step in shown), 0],
            "measure": ["relative"] * len(shown) + ["total"],
            "text": [signed(amount, places_of(quote)) for amount in amounts],
            "textposition": "outside",
            "cliponaxis": False,
            "hovertemplate": f"%{{y}}: %{{text}} {quote}<extra></extra>",
            "increasing": {"marker": {"color": palette.GREEN.light}},
            "decreasing": {"marker": {"color": palette.RED.light}},
            "totals": {"marker": {"color": palette.BLUE.light}},
            "connector": {"line": {"color": palette.RULE.light, "width": 1}},
        }
    )
    styled(figure, y_title="", height=110 + 34 * (len(shown) + 1))
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, title=None)
    return figure.update_xaxes(
        type="linear", title=quote, zeroline=True, showgrid=True, range=_room(shown)
    )


def spread(track: Track) -> Figure:
    """The distance between our own best bid and ask on the exchange; a gap where one is missing."""
    figure = _figure()
    kept = thinned(track.quoted, lambda q: q.spread_bp or Decimal(0))
    spreads = [(q.at, q.spread_bp) for q in kept]
    figure.add_trace(_line("quoted spread", spreads, palette.BLUE, " bp", shape="hv"))
    return styled(figure, y_title="basis points", height=280).update_yaxes(rangemode="tozero")


def depth(track: Track) -> Figure:
    """What rests on each side of the exchange's book, in quote."""

    def bid(quoted: Quoted) -> Decimal:
        return quoted.bid_quote

    def ask(quoted: Quoted) -> Decimal:
        return quoted.ask_quote

    figure = _figure()
    for name, value, tone in (("bids", bid, palette.GREEN), ("asks", ask, palette.RED)):
        points = [(q.at, value(q)) for q in thinned(track.quoted, value)]
        figure.add_trace(_line(name, points, tone, f" {track.quote}", shape="hv"))
    return styled(figure, y_title=track.quote, height=280).update_yaxes(rangemode="tozero")


def styled(figure: Figure, *, y_title: str = "", height: int = HEIGHT) -> Figure:
    """The looks that all figures of a page share; colours are the light tones of ``palette``."""
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": 56, "r": 16, "t": 36, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": palette.MUTED.light},
        separators=". ",
        hovermode="x unified",
        hoverlabel={
            "bgcolor": palette.CARD.light,
            "bordercolor": palette.RULE.light,
            "font": {"color": palette.INK.light, "size": 12, "family": FONT},
            "align": "left",
        },
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    axis = {
        "gridcolor": palette.RULE.light,
        "linecolor": palette.RULE.light,
        "zerolinecolor": palette.RULE.light,
        "automargin": True,
    }
    figure.update_xaxes(**axis, showgrid=False)
    return figure.update_yaxes(**axis, title={"text": y_title, "standoff": 6}, tickformat=",~g")


def time(at: int) -> str:
    """Seconds since 1970 as plotly reads them; UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _figure() -> Figure:
    figure: Figure = need("plotly.graph_objects", "backtest").Figure()
    return figure


def _line(
    name: str,
    points: Iterable[tuple[int, Decimal | None]],
    tone: Tone,
    unit: str,
    *,
    width: float = 1.4,
    shape: str = "linear",
) -> dict[str, Any]:
    known = list(points)
    largest = max((abs(value) for _, value in known if value is not None), default=Decimal(1))
    places = price_places(largest) if largest < 1 else 2  # a hundred-millionth is no 0.00
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [time(at) for at, _ in known],
        "y": [None if value is None else float(value) for _, value in known],
        "line": {"color": tone.light, "width": width, "shape": shape},
        "hovertemplate": f"%{{y:,.{places}f}}{unit}",
    }


def _difference(found: Sequence[Worth], unit: str) -> dict[str, Any]:
    kept = thinned(found, lambda w: w.against_holding)
    points = [(w.at, w.against_holding) for w in kept]
    line = _line("against holding", points, palette.VIOLET, unit)
    return {**line, "fill": "tozeroy", "fillcolor": palette.VIOLET.wash}


def _by_role(found: Sequence[Stretch]) -> dict[str, list[Stretch]]:
    roles: dict[str, list[Stretch]] = {}
    for stretch in found:
        roles.setdefault(stretch.role, []).append(stretch)
    return dict(sorted(roles.items()))


def _bands(role: str, held: Sequence[Stretch], tone: Tone) -> dict[str, Any]:
    """All rectangles of one role as one trace: a gap between two closes a shape."""
    x: list[str | None] = []
    y: list[float | None] = []
    for stretch in held:
        start, end = time(stretch.began), time(stretch.ended)
        low, high = float(stretch.low), float(stretch.high)
        x += [start, end, end, start, start, None]
        y += [low, low, high, high, low, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{role} range" if role else "range",
        "x": x,
        "y": y,
        "fill": "toself",
        "fillcolor": tone.wash,
        "line": {"color": tone.light, "width": 0.6},
        "hoverinfo": "skip",
    }


def _room(shown: Sequence[Any]) -> list[float]:
    """The axis, with space for the numbers beside the bars."""
    level, levels = 0.0, [0.0]
    for step in shown:
        level += float(step.amount)
        levels.append(level)
    low, high = min(levels), max(levels)
    pad = (high - low or 1) * 0.22
    return [low - pad, high + pad]
