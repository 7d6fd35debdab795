"""A search in pictures. Scores become floats here to be drawn: nothing is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dexmm.config.schema import Config
from dexmm.optional_packages import need
from dexmm.report.charts import styled, time
from dexmm.report.palette import AMBER, BLUE, GREEN, GREY, INK, RED, SERIES, Tone
from dexmm.tune.objectives import METRICS, Metric
from dexmm.tune.result import FoldFound, Tried, Tuned
from dexmm.tune.search_space import Parameter, setting
from dexmm.tune.summary_text import shown
from dexmm.tune.walk_forward import Stretch

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW_HEIGHT = 34
SLICE_HEIGHT = 210
SLICES_IN_A_ROW = 3

RETURN, RISK = "net_bp_per_day", "max_drawdown_hold_bp"  # what the frontier is between


def folds_chart(tuned: Tuned) -> Figure:
    """Which part of the history each fold trained and tested on, the embargo left blank."""
    figure = _figure()
    rows = [
        (one.fold.name if len(one.everywhere) == 1 else f"{one.fold.name}, {history}", fold)
        for one in (*tuned.folds, tuned.final)
        for history, fold in zip(tuned.histories, one.everywhere, strict=True)
    ]
    names = [name for name, _ in rows]
    tests = [(name, fold.test) for name, fold in rows if fold.test is not None]
    figure.add_trace(_bars("chosen on", [(name, fold.train) for name, fold in rows], BLUE))
    figure.add_trace(_bars("scored on", tests, GREEN))
    styled(figure, height=100 + ROW_HEIGHT * len(names))
    figure.update_layout(barmode="overlay", hovermode="closest")
    figure.update_yaxes(autorange="reversed", showgrid=False, tickformat=None)
    return figure.update_xaxes(type="date")


def scores_chart(tuned: Tuned) -> Figure:
    """By fold: what was chosen where it was chosen, on unseen history, and the one as it is."""
    first = METRICS[tuned.space.objectives[0].metric]
    figure = _figure()
    for name, tone, runs in (
        ("tuned, where it was chosen", BLUE, [f.chosen and f.chosen.train for f in tuned.folds]),
        ("tuned, unseen", GREEN, [f.chosen and f.chosen.test for f in tuned.folds]),
        ("as it is, unseen", GREY, [f.now_test for f in tuned.folds]),
    ):
        figure.add_bar(
            name=name,
            x=[found.fold.name for found in tuned.folds],
            y=[float(run.metrics[first.name]) if run else None for run in runs],
            marker={"color": tone.light},
            hovertemplate=f"%{{y:.3~g}} {first.unit}",
        )
    styled(figure, y_title=first.unit, height=320)
    return figure.update_layout(barmode="group")


def importance_chart(found: FoldFound) -> Figure:
    """How much each setting decides, the weightiest on top."""
    figure = _figure()
    rows = sorted(found.importances.items(), key=lambda item: item[1], reverse=True)
    figure.add_bar(
        orientation="h",
        y=[name for name, _ in rows],
        x=[float(value) * 100 for _, value in rows],
        marker={"color": BLUE.light},
        hovertemplate="%{y}: %{x:.0f} %<extra></extra>",
    )
    styled(figure, height=80 + ROW_HEIGHT * len(rows))
    figure.update_layout(hovermode="closest")
    figure.update_yaxes(autorange="reversed", showgrid=False, tickformat=None)
    return figure.update_xaxes(ticksuffix=" %", rangemode="tozero", showgrid=True)


def frontier(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """Those that nothing beats in both return and risk, by rising risk; constraints aside."""
    best: list[Tried] = []
    for one in sorted(tried, key=lambda t: (t.train.metrics[RISK], -t.train.metrics[RETURN])):
        if not best or one.train.metrics[RETURN] > best[-1].train.metrics[RETURN]:
            best.append(one)
    return tuple(best)


def frontier_chart(found: FoldFound) -> Figure:
    """Every trial by risk and return, and the line of those that nothing beats in both."""
    figure = _figure()
    within = [tried for tried in found.tried if not tried.violated]
    beyond = [tried for tried in found.tried if tried.violated]
    figure.add_trace(_dots("a constraint failed", beyond, GREY, "circle-open"))
    figure.add_trace(_dots("within the constraints", within, BLUE, "circle"))
    line = _dots("frontier", frontier(found.tried), AMBER, "circle")
    figure.add_trace({**line, "mode": "lines", "line": {"color": AMBER.light, "width": 1.6}})
    if found.chosen is not None:
        figure.add_trace(_dots("chosen", [found.chosen], GREEN, "star", size=14))
    now = found.now_train.metrics
    figure.add_scatter(
        name="as it is",
        mode="markers",
        x=[float(now[RISK])],
        y=[float(now[RETURN])],
        marker={"color": RED.light, "symbol": "x", "size": 11},
        hovertemplate="as it is<extra></extra>",
    )
    styled(figure, y_title=_axis(METRICS[RETURN]), height=420)
    figure.update_layout(hovermode="closest")
    return figure.update_xaxes(
        title=_axis(METRICS[RISK]), showgrid=True, rangemode="tozero", tickformat=",~g"
    )


def survival_chart(tuned: Tuned) -> Figure:
    """The best few of each fold: the score they were chosen by against the one they then had."""
    first = METRICS[tuned.space.objectives[0].metric]
    figure = _figure()
    scores: list[float] = []
    for at, found in enumerate(tuned.folds):
        pairs = [(t, t.train.metrics, t.test.metrics) for t in found.best if t.test is not None]
        x = [float(train[first.name]) for _, train, _ in pairs]
        y = [float(test[first.name]) for _, _, test in pairs]
        scores += [*x, *y]
        figure.add_scatter(
            name=found.fold.name,
            mode="markers",
            x=x,
            y=y,
            text=[_settings(tried) for tried, _, _ in pairs],
            marker={
                "size": [13, *([8] * (len(x) - 1))],
                "color": SERIES[at % len(SERIES)].light,
            },
            hovertemplate="%{text}<br>chosen by %{x:.3~g}, then %{y:.3~g}<extra></extra>",
        )
    if scores:
        ends = [min(scores), max(scores)]
        figure.add_scatter(
            name="as good as before",
            mode="lines",
            x=ends,
            y=ends,
            line={"color": GREY.light, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    styled(figure, y_title=f"on unseen history, {first.unit}", height=400)
    figure.update_layout(hovermode="closest")
    return figure.update_xaxes(
        title=f"where it was chosen, {first.unit}", showgrid=True, tickformat=",~g"
    )


def slices_chart(tuned: Tuned, config: Config) -> Figure:
    """Each setting by itself: every trial's score over its value, a line at the one as it is."""
    first = METRICS[tuned.space.objectives[0].metric]
    parameters = tuned.space.parameters
    rows = -(-len(parameters) // SLICES_IN_A_ROW)
    figure = need("plotly.subplots", "backtest").make_subplots(
        rows=rows,
        cols=min(SLICES_IN_A_ROW, len(parameters)),
        shared_yaxes=True,
        subplot_titles=[parameter.name for parameter in parameters],
        vertical_spacing=0.3 / rows,
    )
    for at, parameter in enumerate(parameters):
        row, column = at // SLICES_IN_A_ROW + 1, at % SLICES_IN_A_ROW + 1
        figure.add_trace(_slice(tuned, parameter, first), row=row, col=column)
        now = parameter.index(setting(config, parameter.name))
        if now is not None:
            figure.add_vline(
                x=now, row=row, col=column, line={"color": RED.light, "width": 1, "dash": "dot"}
            )
        figure.update_xaxes(
            tickvals=_ticks(parameter),
            ticktext=[shown(parameter.values[tick]) for tick in _ticks(parameter)],
            row=row,
            col=column,
        )
    styled(figure, height=60 + SLICE_HEIGHT * rows)
    figure.update_annotations(font={"size": 12, "color": INK.light})
    return figure.update_layout(showlegend=False, hovermode="closest")


def _slice(tuned: Tuned, parameter: Parameter, metric: Metric) -> dict[str, Any]:
    tried = tuned.final.tried
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [t.place[parameter.name] for t in tried],
        "y": [float(t.train.metrics[metric.name]) for t in tried],
        "text": [_settings(t) for t in tried],
        "marker": {
            "color": [GREY.light if t.violated else BLUE.light for t in tried],
            "size": 7,
            "opacity": 0.75,
        },
        "hovertemplate": f"%{{text}}<br>%{{y:.3~g}} {metric.unit}<extra></extra>",
    }


def _ticks(parameter: Parameter) -> list[int]:
    """At most a handful, the ends among them."""
    last = len(parameter.values) - 1
    return sorted({round(last * k / 4) for k in range(5)})


def _bars(name: str, parts: Sequence[tuple[str, Stretch]], tone: Tone) -> dict[str, Any]:
    """Dates as bars: plotly takes their lengths in milliseconds."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [fold for fold, _ in parts],
        "base": [time(part.since) for _, part in parts],
        "x": [(part.until - part.since) * 1000 for _, part in parts],
        "marker": {"color": tone.light},
        "text": [f"{part.days:.0f} days" for _, part in parts],
        "hovertemplate": f"%{{y}}, {name}: %{{text}}<extra></extra>",
    }


def _dots(
    name: str, tried: Sequence[Tried], tone: Tone, symbol: str, size: int = 8
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [float(t.train.metrics[RISK]) for t in tried],
        "y": [float(t.train.metrics[RETURN]) for t in tried],
        "text": [_settings(t) for t in tried],
        "marker": {"color": tone.light, "symbol": symbol, "size": size},
        "hovertemplate": "%{text}<br>%{y:.3~g} bp a day, %{x:.3~g} bp down<extra></extra>",
    }


def _settings(tried: Tried) -> str:
    return "<br>".join(f"{name} = {shown(value)}" for name, value in tried.settings.items())


def _axis(metric: Metric) -> str:
    return f"{metric.meaning}, {metric.unit}"


def _figure() -> Figure:
    return need("plotly.graph_objects", "backtest").Figure()
