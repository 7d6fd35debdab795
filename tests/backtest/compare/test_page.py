"""The page of a comparison: everything in it, nothing to load."""

import json
import re
from decimal import Decimal
from pathlib import Path

from backtest.compare_tracks import GATE, track_of

from dexmm.backtest.compare.compare import Comparison
from dexmm.backtest.compare.page import compare_page
from dexmm.backtest.compare.rows import Kind, row_of
from dexmm.backtest.compare.verdict import Worth, verdict

ROWS = (
    row_of(track_of("hold", fees=("0", "0")), Kind.HOLDING),
    row_of(
        track_of("budget", fees=("1", "1"), gas="10", losses="5", refusals=(GATE,)), Kind.STRATEGY
    ),
    row_of(track_of("static ±2 %", fees=("4", "4"), gas="10"), Kind.STATIC),
)
WORTH = Worth(
    strategy="budget",
    symbol="USDT",
    volume=None,
    gas=Decimal(1),
    arbitrage=Decimal(2),
    income=None,
    income_per_volume=Decimal(0),
    break_even_volume=None,
)
FOUND = Comparison(
    rows=ROWS,
    worth=WORTH,
    verdict=verdict(ROWS, None),
    history="two days made by hand",
    base="PAXG",
    quote="USDT",
    band_low=Decimal("0.2"),
    band_high=Decimal("0.5"),
    target=Decimal("0.35"),
    assumptions=("Gas costs <nothing> at all.",),
)
HTML = compare_page(FOUND).html()


def figures() -> list[dict]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', HTML, re.DOTALL)
    return [json.loads(text) for text in found]


def test_the_page_says_first_that_the_market_does_not_pay() -> None:
    assert HTML.index('class="banner bad"') < HTML.index("<table>")
    assert "This market did not pay" in HTML
    assert "This market cannot pay its gas" in HTML


def test_the_table_is_sorted_by_net_and_marks_the_best() -> None:
    text = HTML.replace("\xa0", " ")
    names = re.findall(r'<td class="words">([^<]*)</td><td', text)
    assert names[:3] == ["hold", "static ±2 %", "budget"]
    assert '<td class="good" title="the best of all">+8.00 ★</td>' in HTML


def test_every_curve_is_drawn_and_the_parts_add_up() -> None:
    net, parts, share = figures()
    assert [line["name"] for line in net["data"]] == ["hold", "static ±2 %", "budget"]
    assert len({(line["line"]["color"], line["line"]["dash"]) for line in net["data"]}) == 3
    bars = [trace for trace in parts["data"] if trace["type"] == "bar"]
    drawn = next(trace for trace in parts["data"] if trace["name"] == "net")
    assert [sum(column) for column in zip(*(bar["x"] for bar in bars), strict=True)] == drawn["x"]
    assert share["data"][0]["y"] == [40.0, 40.0, 40.0]


def test_assumptions_are_told_and_escaped() -> None:
    assert "Gas costs &lt;nothing&gt; at all." in HTML
    assert "economic_gate" in HTML


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    size = compare_page(FOUND).write(tmp_path / "compare.html")
    assert (tmp_path / "compare.html").stat().st_size == size > 1_000_000
