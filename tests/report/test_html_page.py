"""The page: whole, self-contained, and safe to open wherever it came from."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plotly.graph_objects import Figure
from report.report_scene import START, a_track

from dexmm.errors import BadInput
from dexmm.performance.track.track import Action, RangeShown
from dexmm.report.charts import prices
from dexmm.report.html_page import Page, write_whole
from dexmm.report.html_parts import Banner, Bullets, Cell, Chart, Html, Table, Tile, Tiles
from dexmm.report.palette import CARD, MUTED, PAPER, RULE, TONES, swaps
from dexmm.report.track_report import track_page

D = Decimal
LOADS = {"src", "href", "srcset", "data", "poster", "action", "background", "formaction"}


class Reader(HTMLParser):
    """What a browser would see: tags, what they would load, texts, scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self.metas: list[dict[str, str | None]] = []
        self.labels: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.loads += [str(value) for name, value in attrs if name in LOADS]
        if tag == "meta":
            self.metas.append(known)
        else:
            self.open.append(tag)
        if known.get("role") == "img":
            self.labels.append(str(known["aria-label"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def whole() -> str:
    """A report with everything in it."""
    wide = RangeShown(low=D(3800), high=D(4200), value=D(30_000), role="base")
    known = a_track(100)
    actions = tuple(
        Action(at=START + 60, kind=kind, status=status, reason="<b>because</b>", trigger="edge")
        for kind, status in (("rerange", "mined"), ("rerange", "reverted"), ("hedge", "done"))
    )
    points = tuple(
        type(p)(**{n: getattr(p, n) for n in p.__slots__} | {"ranges": (wide,)})
        for p in known.points
    )
    track = a_track(100, points=points, actions=actions, assumptions=("nothing is free",))
    return track_page(track).html()


def test_nothing_on_the_page_is_loaded_from_anywhere(whole: str) -> None:
    """Only anchors of its own; no style imports or urls; and a policy that forbids the rest.

    plotly's own code knows the addresses of map tiles, which only a map would ask for: the policy
    would not let it.
    """
    seen = Reader(whole)
    assert [where for where in seen.loads if not where.startswith("#")] == []
    styles = "".join(seen.code["style"])
    assert "url(" not in styles
    assert "@import" not in styles
    policies = [m["content"] for m in seen.metas if m.get("http-equiv")]
    assert len(policies) == 1
    allowed = dict(part.strip().split(" ", 1) for part in str(policies[0]).split(";"))
    assert allowed.pop("default-src") == "'none'"
    assert set(allowed) == {"script-src", "style-src", "img-src"}
    assert not any(re.search(r"https?:|\*", sources) for sources in allowed.values())
    ours = [code for code in seen.code["script"] if len(code) < 1_000_000]
    assert len(seen.code["script"]) - len(ours) == 1  # plotly, once
    assert not any(re.search(r"https?://", code) for code in ours)


def test_every_figure_is_data_that_draws(whole: str) -> None:
    found = [code for code in Reader(whole).code["script"] if code.startswith("{")]
    figures = [json.loads(code) for code in found]
    assert len(figures) == whole.count('class="plot"') == 4
    for figure in figures:
        assert figure["data"]
        assert "template" not in figure["layout"]
    assert all("<" not in code for code in found)


def test_every_figure_says_what_it_shows(whole: str) -> None:
    labels = Reader(whole).labels
    assert len(labels) == 4
    assert all(len(label) > 20 for label in labels)


def test_the_report_says_its_numbers(whole: str) -> None:
    text = Reader(whole).text
    assert "98.01 USDT more, after every cost" in text
    assert "nothing is free" in text
    for title in ("Summary", "Share", "Net worth", "Re-ranges", "Fills", "Refusals", "Uptime"):
        assert title in text


def test_text_is_escaped_and_numbers_do_not_break() -> None:
    page = Page("<script>alert(1)</script>", "a & b").section(
        "A <b>",
        "1 < 2 and 49 903.84 USDT, 20 % at 2026-01-05 04:00",
        Bullets(["<i>"]),
        Table(headings=("<h>",), rows=[("<td>",), (Cell(text="<c>", title='"quoted"'),)]),
        Tiles([Tile(label="<l>", value="<v>", note="<n>")]),
        Banner(text="<t>", tone="bad", note="<n>"),
        Html("<em>as it is</em>"),
    )
    written = page.html()
    seen = Reader(written)
    assert seen.code["script"] == []
    for raw in ("1 < 2", "<i>", "<td>", "<c>", "<v>", "<t>", "A <b>", "as it is"):
        assert raw in seen.text
    assert "49\u00a0903.84 USDT, 20\u00a0% at 2026-01-05 04:00" in written


def test_a_page_without_figures_is_small_and_one_with_many_has_plotly_once() -> None:
    assert len(Page("small").section("one", "text").html()) < 10_000
    figure = Figure(data=[{"type": "scatter", "y": [1, 2]}])
    many = Page("many").section("one", figure, Chart(figure=figure, says="two"), [figure])
    assert len(many.html()) < len(Page("one").section("one", figure).html()) + 10_000


def test_a_table_without_rows_says_so() -> None:
    empty = Table(headings=("a",), rows=[], empty="No outage.")
    assert "No outage." in Page("x").section("y", empty).html()


def test_writing_is_whole_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    size = Page("x").section("y", "z").write(path)
    assert size == path.stat().st_size
    assert path.read_text().startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("where", ["absent/page.html", "folder", "file/page.html"])
def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, where: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=f"cannot write .*{where}: "):
        write_whole(tmp_path / where, "text")
    assert {file.name for file in tmp_path.iterdir()} == {"folder", "file"}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tone", [t for t in TONES if t not in {PAPER, CARD, RULE}])
def test_every_colour_can_be_read_on_paper_and_card(tone: object) -> None:
    """4.5 to one is what accessible text needs."""
    for which in ("light", "dark"):
        for ground in (PAPER, CARD):
            assert contrast(getattr(tone, which), getattr(ground, which)) >= 4.5


def test_a_dark_screen_swaps_every_colour_of_a_figure() -> None:
    light = {pair[0] for pair in swaps()}
    assert len(light) == len(swaps())
    drawn = prices(a_track(10)).to_json()
    used = set(re.findall(r"#[0-9a-f]{6}|rgba\([0-9,.]+\)", drawn))
    assert used <= light | {"rgba(0,0,0,0)"}
    assert MUTED.light in used
