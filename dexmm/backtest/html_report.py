"""A backtest as one page: the report of its track, and what to change.

A backtest sleeps through turns that can decide nothing (``fast_forward.py``). That is no outage, so
what the report says of uptime is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dexmm.backtest.sensitivity import Sensitivity, sentences
from dexmm.performance.track.track import Track
from dexmm.report.html_page import Page, Part, Section
from dexmm.report.html_parts import Bullets, Table, Tiles
from dexmm.report.track_report import track_page

UPTIME = "Uptime"
SAYS = (
    "The pay ratio is other people's fees over what arbitrage costs liquidity; each is a run of "
    "its own in a pool whose other liquidity is sized to it. Gas is scaled on the same decisions."
)


def run_page(track: Track, advice: Sequence[str], depends: Sensitivity | None = None) -> Page:
    """Raises ``BadInput`` when plotly is not installed."""
    page = track_page(track)
    kept = [_awake(section) for section in page.sections if section.title != UPTIME]
    told = Section(title="Advice", parts=(Bullets(advice) if advice else "Nothing to change.",))
    other = [] if depends is None else [_depends(depends, track)]
    page.sections[:] = [*kept[:-1], *other, told, kept[-1]]
    return page


def _depends(found: Sensitivity, track: Track) -> Section:
    table = Table(
        headings=("at", "net"),
        rows=tuple(sentences(found, track.quote)),
        left=2,
        caption=SAYS,
    )
    return Section(title="Net at other assumptions", parts=(table,))


def _awake(section: Section) -> Section:
    return replace(section, parts=tuple(map(_part, section.parts)))


def _part(part: Part) -> Part:
    if not isinstance(part, Tiles):
        return part
    return Tiles([tile for tile in part.tiles if tile.label != UPTIME])
