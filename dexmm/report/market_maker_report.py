"""What an exchange's listing desk reads: presence, spread, depth, orders; nothing that is held."""

from __future__ import annotations

from dexmm.performance.acceptance import Verdict
from dexmm.performance.number_format import moment
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import uptime
from dexmm.report import charts, tables
from dexmm.report.html_page import Page
from dexmm.report.html_parts import Bullets, Chart

METHOD = (
    "Spread and depth are of the orders that rested in the exchange's own answer to an open-orders "
    "request, once every turn of the market maker. Each look counts until the next one, and for "
    "two turns at most.",
    "Order success is the share of all orders that the exchange accepted. The cancel ratio is the "
    "share of accepted orders that the market maker itself cancelled before they were filled.",
    "An outage is a silence of more than two turns and two minutes. Percentages are cut off, not "
    "rounded up.",
)


def evidence_page(track: Track, verdict: Verdict) -> Page:
    seen = uptime(track)
    page = Page(
        f"Market-maker evidence: {track.base}/{track.quote}",
        f"{track.facts.get('exchange', 'exchange')}, {moment(seen.began)} to "
        f"{moment(seen.ended)} UTC",
    )
    page.section("Verdict", *tables.verdict_parts(verdict))
    if any(look.spread_bp is not None for look in track.quoted):
        page.section(
            "Quoted spread",
            Chart(
                figure=charts.spread(track),
                says="Between the best bid and the best ask of ours, of their middle, whenever "
                "both rested in the book.",
            ),
            tables.spread_table(track),
        )
    if track.quoted:
        page.section(
            "Depth",
            Chart(
                figure=charts.depth(track),
                says=f"All that rested of ours on each side of the book, in {track.quote}.",
            ),
            tables.depth_table(track),
        )
    page.section("By day", tables.days(track))
    page.section("Orders", *tables.order_parts(track))
    page.section("Uptime", *tables.uptime_parts(track))
    page.section("How it was measured", Bullets(METHOD))
    return page
