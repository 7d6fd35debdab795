"""Everything about one track on one page, live or backtested; a trial's verdict comes first."""

from __future__ import annotations

from dexmm.performance.acceptance import Verdict
from dexmm.performance.attribution import attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import earned
from dexmm.performance.entry_text import digits, price_digits
from dexmm.performance.fills import Filled, filled
from dexmm.performance.metrics import Figures, figures
from dexmm.performance.number_format import duration, moment, money, percent, signed, whole
from dexmm.performance.quote_rounds import rounds
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import Uptime, uptime
from dexmm.report import charts, tables
from dexmm.report.downsample import MOST
from dexmm.report.earned_shown import per_cent
from dexmm.report.html_page import Page
from dexmm.report.html_parts import Banner, Bullets, Chart, Html, Table, Tile, Tiles
from dexmm.report.summary_text import headline


def track_page(track: Track, verdict: Verdict | None = None) -> Page:
    page = Page(f"{track.base}/{track.quote}: {track.name}", subtitle(track))
    if verdict is not None:
        page.section(verdict.name.capitalize(), *tables.verdict_parts(verdict))
    page.section("Summary", *_summary(track))
    if months := tables.by_month(track):
        page.section("Month by month", *months)
    page.section("Price and ranges", Chart(figure=charts.prices(track), says=_prices_say(track)))
    page.section("Share", Chart(figure=charts.share(track), says=_share_says(track)))
    page.section("Net worth", Chart(figure=charts.worth(track), says=_worth_says(track)))
    page.section("Where it came from", *_attribution(track))
    page.section("Re-ranges", *tables.legs(track))
    page.section("Fills", *tables.fills(track))
    page.section("Refusals", *tables.refusals(track))
    page.section("Uptime", *tables.uptime_parts(track), tables.errors(track))
    page.section(
        "Assumptions", Bullets([*track.assumptions, *_thinned_words(track)]), _facts(track)
    )
    return page


def subtitle(track: Track) -> str:
    seen = uptime(track)
    where = f"{track.source}, " if track.source else ""
    return f"{where}{moment(seen.began)} to {moment(seen.ended)} UTC"


def _summary(track: Track) -> tuple[str | Tiles | Banner, ...]:
    shown, seen, traded = figures(track), uptime(track), filled(track)
    warnings: list[str | Tiles | Banner] = []
    if track.halted:
        warnings.append(Banner(text="Halted", tone="bad", note=track.halted))
    if shown.gas and -shown.gas > shown.fees > 0:
        warnings.append(
            Banner(
                text="The pool's fees did not pay the gas",
                tone="bad",
                note=f"{money(shown.fees, track)} of fees against {money(-shown.gas, track)} of "
                "gas: fewer re-ranges (wider edges) or more capital would be needed.",
            )
        )
    went = rounds(track.orders)
    if went is not None and went.brought < went.paid:
        warnings.append(
            Banner(
                text="The quotes did not pay their fees",
                tone="bad",
                note=f"Each {track.base} of the {digits(went.base, 4)} that went round brought "
                f"{digits(went.brought, 2)} and paid {digits(went.paid, 2)} {track.quote} of "
                f"fees: they break even at a half spread of {digits(went.break_even, 2)}.",
            )
        )
    return (*headline(track), *warnings, _tiles(track, shown, seen, traded))


def _tiles(track: Track, shown: Figures, seen: Uptime, traded: Filled) -> Tiles:
    other = shown.swap_cost + shown.hedge + shown.quoting + shown.exchange_fees + shown.funding
    in_band = shown.time_in_band == 1
    gained = earned(worths(track.marks)).whole
    per_cents = "" if gained.gain_percent is None else f"{per_cent(gained.gain_percent)}, of it "
    return Tiles(
        [
            Tile(
                label="Gain",
                value=money(gained.gain, track, sign=True),
                note=f"{per_cents}{money(gained.price, track, sign=True)} by the price and "
                f"{money(gained.making, track, sign=True)} by making the market",
                tone="good" if gained.gain > 0 else "bad",
            ),
            Tile(
                label="Net against holding",
                value=money(shown.net, track, sign=True),
                note=f"{signed(shown.net_bp, 1)} bp of the start, after every cost",
                tone="good" if shown.net > 0 else "bad",
            ),
            Tile(
                label="Pool fees",
                value=money(shown.fees, track, sign=True),
                note=f"{whole(traded.pool)} turns found them grown",
            ),
            Tile(
                label="Loss versus rebalancing",
                value=money(shown.loss_versus_rebalancing, track, sign=True),
                note="what better-informed traders took",
            ),
            Tile(
                label="Gas",
                value=money(shown.gas, track, sign=True),
                note=f"{shown.reranges} re-range{'' if shown.reranges == 1 else 's'}",
            ),
            Tile(
                label="Exchange and own swaps",
                value=money(other, track, sign=True),
                note=f"{whole(traded.exchange)} filled orders, fees and funding included",
            ),
            Tile(
                label="Share inside its band",
                value=percent(shown.time_in_band),
                note=f"from {percent(shown.share_low)} to {percent(shown.share_high)}",
                tone="good" if in_band else "bad",
            ),
            Tile(
                label="Range around the price",
                value=percent(shown.time_in_range),
                note=f"{percent(shown.deployed)} of net worth deployed on average",
            ),
            Tile(
                label="Uptime",
                value=percent(seen.share, 2),
                note=f"{whole(seen.turns)} turns in {duration(seen.seconds)}",
            ),
        ]
    )


def _attribution(track: Track) -> tuple[str | Chart | Table, ...]:
    found = attribute(track.marks)
    return (
        Chart(
            figure=charts.waterfall(found, track.quote),
            says="Every source's part in what was earned against holding. The parts add up to "
            "the change of net worth exactly.",
        ),
        tables.parts(found, track),
    )


def _prices_say(track: Track) -> str:
    first, last = track.points[0].fair_price, track.points[-1].fair_price
    return (
        f"The price went from {price_digits(first)} to {price_digits(last)} {track.quote} per "
        f"{track.base}. Areas are ranges while they were held; marks are what was done, and say "
        "why when pointed at."
    )


def _share_says(track: Track) -> str:
    return (
        f"{track.base} in the whole inventory by value: the band is "
        f"{percent(track.band_low, 0)} to {percent(track.band_high, 0)} (shaded), the target "
        f"{percent(track.target, 0)} (dotted)."
    )


def _worth_says(track: Track) -> str:
    return (
        "Above: net worth, and what the inventory of the start would be worth untouched. Below: "
        "their difference. Gas is taken off, deposits and withdrawals count on both sides."
    )


def _thinned_words(track: Track) -> list[str]:
    if len(track.points) <= MOST:
        return []
    return [
        f"Lines are drawn with {whole(MOST)} of {whole(len(track.points))} points, "
        "the lowest and highest of every stretch among them; all figures are of every point."
    ]


def _facts(track: Track) -> Table | Html:
    if not track.facts:
        return Html("")
    return Table(
        headings=("", ""), rows=[(name, value) for name, value in track.facts.items()], left=2
    )
