"""What is drawn: thinned with extremes kept, ranges as they were held, actions with reasons."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from performance.test_attribution import histories
from report.report_scene import START, a_track, point

from dexmm.performance.attribution import Mark, attribute
from dexmm.performance.track.track import Action, Quoted, RangeShown
from dexmm.report import charts
from dexmm.report.chart_marks import MOST as MOST_MARKS
from dexmm.report.chart_marks import marked
from dexmm.report.downsample import thinned
from dexmm.report.range_spans import Stretch, stretches
from dexmm.report.waterfall import steps
from dexmm.units import EXACT

D = Decimal


@given(st.lists(st.integers(), max_size=300), st.integers(4, 60))
def test_thinning_keeps_ends_extremes_and_order(values: list[int], most: int) -> None:
    points = list(enumerate(values))
    kept = thinned(points, lambda pair: pair[1], most)
    assert len(kept) <= max(most, len(values) if len(values) <= most else 0)
    assert sorted(kept) == list(kept)
    assert set(kept) <= set(points)
    if values:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert {min(values), max(values)} <= {value for _, value in kept}


def test_short_lines_are_not_thinned() -> None:
    assert thinned([3, 1, 2], int, 4) == [3, 1, 2]


def a_range(low: int, high: int, role: str = "base") -> RangeShown:
    return RangeShown(low=D(low), high=D(high), value=D(1), role=role)


def test_a_range_is_shown_from_its_first_turn_to_the_first_without_it() -> None:
    one, other, side = a_range(1, 4), a_range(2, 5), a_range(4, 6, "limit")
    held = [(), (one, side), (one, side), (other, side), (other, side)]
    points = tuple(point(START + n, ranges=ranges) for n, ranges in enumerate(held))
    found = stretches(a_track(5, points=points))
    assert found == (
        Stretch(low=D(1), high=D(4), role="base", began=START + 1, ended=START + 3),
        Stretch(low=D(4), high=D(6), role="limit", began=START + 1, ended=START + 4),
        Stretch(low=D(2), high=D(5), role="base", began=START + 3, ended=START + 4),
    )


def test_value_alone_starts_no_new_stretch() -> None:
    one = a_range(1, 4)
    points = (point(0, ranges=(one,)), point(60, ranges=(replace(one, value=D(9)),)))
    assert len(stretches(a_track(2, points=points))) == 1


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure.to_plotly_json()["data"]}


def test_the_price_has_ranges_by_role_and_marks_with_reasons() -> None:
    points = tuple(
        point(START + n * 60, ranges=(a_range(3800, 4200), a_range(4200, 4300, "limit")))
        for n in range(3)
    )
    actions = (
        Action(at=START, kind="rerange", status="mined", reason="a <edge>", gas_quote=D("1.5")),
        Action(at=START, kind="rerange", status="reverted", reason="in vain"),
        Action(at=START, kind="approve", status="mined", reason="not of interest"),
    )
    found = traces(charts.prices(a_track(3, points=points, actions=actions)))
    assert set(found) == {
        "base range",
        "limit range",
        "fair price",
        "pool price",
        "re-range",
        "begun in vain",
    }
    words = found["re-range"]["text"][0]
    assert "a &lt;edge&gt;" in words
    assert "gas 1.50 USDT" in words
    assert list(found["base range"]["y"])[:5] == [3800, 3800, 4200, 4200, 3800]


def test_of_very_many_marks_some_are_drawn() -> None:
    actions = tuple(
        Action(at=START, kind="rerange", status="mined", reason="") for _ in range(5000)
    )
    assert 500 <= len(marked(a_track(2, actions=actions))[0].marks) <= MOST_MARKS


def test_the_share_axis_shows_the_band_and_every_share() -> None:
    points = (point(0, share=D("0.05")), point(60, share=D("0.35")))
    layout = charts.share(a_track(2, points=points)).to_plotly_json()["layout"]
    low, high = layout["yaxis"]["range"]
    assert low < 5
    assert high > 50


@settings(max_examples=40, deadline=None)
@given(histories())
def test_the_steps_of_the_waterfall_sum_to_the_net(marks: list[Mark]) -> None:
    found = attribute(marks)
    total = D(0)
    for step in steps(found):
        total = EXACT.add(total, step.amount)
    assert total == found.against_holding


def test_the_waterfall_ends_with_the_net() -> None:
    track = a_track(101)
    (trace,) = charts.waterfall(attribute(track.marks), "USDT").to_plotly_json()["data"]
    assert list(trace["y"])[-1] == "net against holding"
    assert list(trace["text"])[-1] == "+99.00"
    assert list(trace["measure"])[-1] == "total"


def test_a_missing_side_is_a_gap_in_the_spread() -> None:
    both = Quoted(at=0, bid=D(3999), ask=D(4001), bid_quote=D(100), ask_quote=D(200))
    track = a_track(2, quoted=(both, replace(both, at=60, ask=None)))
    (trace,) = charts.spread(track).to_plotly_json()["data"]
    assert list(trace["y"]) == [5.0, None]
    assert set(traces(charts.depth(track))) == {"bids", "asks"}


def test_a_long_run_is_drawn_with_two_thousand_points() -> None:
    dip = 12_345
    points = tuple(
        point(START + n * 60, share=D("0.01") if n == dip else D("0.35")) for n in range(20_000)
    )
    figure = charts.share(a_track(2, points=points))
    (trace,) = figure.to_plotly_json()["data"]
    assert len(trace["y"]) <= 2000
    assert 1.0 in list(trace["y"])


def test_several_tracks_side_by_side() -> None:
    tracks = [a_track(5, name="budget"), a_track(5, name="hold")]
    assert set(traces(charts.against_holding(tracks))) == {"budget", "hold"}


def test_net_worth_and_holding_above_their_difference() -> None:
    found = traces(charts.worth(a_track(5)))
    assert list(found["against holding"]["y"]) == [0.0, 0.99, 1.98, 2.97, 3.96]
    assert set(found) == {"holding", "net worth", "against holding"}


def test_a_tiny_price_can_be_read_where_it_is_pointed_at() -> None:
    track = a_track()
    tiny = [
        replace(p, fair_price=p.fair_price.scaleb(-12), pool_price=p.pool_price.scaleb(-12))
        for p in track.points
    ]
    shown = charts.prices(replace(track, points=tuple(tiny))).to_plotly_json()["data"]
    hovers = {trace["name"]: trace["hovertemplate"] for trace in shown if "price" in trace["name"]}
    assert hovers == dict.fromkeys(("fair price", "pool price"), "%{y:,.13f} USDT")
    usual = charts.prices(track).to_plotly_json()["data"]
    assert {t["hovertemplate"] for t in usual if "price" in t["name"]} == {"%{y:,.2f} USDT"}
