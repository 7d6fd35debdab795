"""A report's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from dexmm.model.order import OrderIntent
from dexmm.performance.acceptance import Verdict
from dexmm.performance.attribution import Attribution, Source
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import earned
from dexmm.performance.entry_text import digits, price_digits
from dexmm.performance.fills import filled
from dexmm.performance.number_format import (
    duration,
    moment,
    money,
    percent,
    places_of,
    signed,
    whole,
)
from dexmm.performance.order_statistics import trading
from dexmm.performance.quote_presence import presence
from dexmm.performance.refusal_counts import refused
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import uptime
from dexmm.report.earned_shown import headings, per_cent, rows
from dexmm.report.html_parts import Banner, Cell, Html, Table, Tile, Tiles, Tone
from dexmm.report.rerange_rows import LegShown, legs_shown
from dexmm.units import PRICE

MOST_ROWS = 200  # of one table; of more, the newest
DAY = 86_400
BASE_PLACES = 4

Parts = tuple[str | Table | Tiles | Html, ...]

NAMES = {
    Source.LIQUIDITY: "liquidity",
    Source.FEES: "pool fees",
    Source.SWAP: "own pool swaps",
    Source.HEDGE: "hedges",
    Source.QUOTE: "quotes",
    Source.TRIANGLE: "triangle",
    Source.EXCHANGE_FEE: "exchange fees",
    Source.FUNDING: "funding",
    Source.GAS: "gas",
    Source.CAPITAL: "deposits and withdrawals",
    Source.UNEXPLAINED: "unexplained",
}


def verdict_parts(verdict: Verdict) -> tuple[Banner | Table, ...]:
    failed = ", ".join(criterion.what for criterion in verdict.failed)
    return (
        Banner(
            text=f"Passed: {verdict.name}" if verdict.passed else f"Not passed: {verdict.name}",
            tone="good" if verdict.passed else "bad",
            note="Every criterion is met." if verdict.passed else f"Failed on {failed}.",
        ),
        criteria(verdict),
    )


def criteria(verdict: Verdict) -> Table:
    return Table(
        headings=("criterion", "result", "found", "wanted", "note"),
        rows=[
            (
                criterion.what,
                Cell(
                    text="pass" if criterion.passed else "fail",
                    tone="good" if criterion.passed else "bad",
                ),
                criterion.found,
                criterion.wanted,
                criterion.note,
            )
            for criterion in verdict.criteria
        ],
        left=5,
    )


def parts(found: Attribution, track: Track) -> Table:
    """Every source by timing and edge, with the holding before and the change after them."""
    places = places_of(track.quote)
    rows: list[Sequence[str | Cell]] = [
        ("holding", signed(found.holding, places), "", _money(found.holding, places))
    ]
    rows += [
        (
            NAMES[source],
            signed(part.timing, places),
            signed(part.edge, places),
            _money(part.total, places),
        )
        for source, part in found.parts.items()
    ]
    rows.append(("change of net worth", "", "", _money(found.change, places)))
    return Table(
        headings=(
            "source",
            f"price moved while held, {track.quote}",
            f"against the fair price, {track.quote}",
            f"together, {track.quote}",
        ),
        rows=rows,
    )


def by_month(track: Track) -> Parts:
    """Every month and year that was seen, with what they are a month and a year; none where all is
    within one month and too short for a rate."""
    found = earned(worths(track.marks))
    rates = Table(
        headings=("", "gain", "of it making the market"),
        rows=[
            (name, per_cent(rate.gain_percent), per_cent(rate.making_percent))
            for name, rate in (("a month", found.per_month), ("a year", found.per_year))
            if rate is not None
        ],
        caption="At the same pace, without compounding.",
    )
    shown = rows(found, track.quote)
    months = Table(
        headings=headings(track.quote),
        rows=shown,
        caption="Price is what holding the same inventory gained, making what making the market "
        "brought after every cost; a month begins and ends with the last turn before it does.",
    )
    return (*((rates,) if rates.rows else ()), *((months,) if shown else ()))


def legs(track: Track) -> Parts:
    found = legs_shown(track)
    unit = track.quote
    return (
        "One row for every re-range: the stretch it began, by itself, against holding what that "
        "stretch began with.",
        Table(
            headings=(
                "began, UTC",
                "why",
                "lasted",
                f"fees, {unit}",
                f"divergence, {unit}",
                f"of it lost to rebalancing, {unit}",
                f"gas, {unit}",
                f"exchange and swaps, {unit}",
                f"net, {unit}",
            ),
            rows=[_leg(leg, places_of(unit)) for leg in reversed(found[-MOST_ROWS:])],
            words=(1,),
            caption=_newest(len(found), "re-ranges"),
            empty="Liquidity was never moved.",
        ),
    )


def fills(track: Track) -> Parts:
    found = filled(track)
    volume = (
        "" if found.pool_volume is None else f", about {money(found.pool_volume, track)} traded"
    )
    tiles = [
        Tile(
            label="Through our ranges",
            value=f"{whole(found.pool)} turns",
            note=f"found fees grown by {money(found.pool_fees, track)} in all{volume}",
        )
    ]
    if track.orders:
        tiles.append(
            Tile(
                label="Orders on the exchange",
                value=f"{whole(found.exchange)} filled",
                note=f"{digits(found.bought_base, BASE_PLACES)} {track.base} bought, "
                f"{digits(found.sold_base, BASE_PLACES)} sold",
            )
        )
    return (Tiles(tiles), *(_order_fills(track) if track.orders else ()))


def refusals(track: Track) -> Parts:
    return (
        Table(
            headings=("rule", "first explanation", "turns", "held something back"),
            rows=[
                (each.rule, each.explanation, str(each.turns), str(each.withheld))
                for each in refused(track.points)
            ],
            left=2,
            empty="No guard had anything to refuse.",
        ),
    )


def uptime_parts(track: Track) -> Parts:
    seen = uptime(track)
    return (
        f"{whole(seen.turns)} turns in {duration(seen.seconds)}; by the interval of "
        f"{track.interval_seconds} seconds alone {whole(seen.scheduled)} were due. "
        f"Up {percent(seen.share, 2)} of the time.",
        Table(
            headings=("silent from, UTC", "until, UTC", "down for"),
            rows=[
                (moment(o.began), moment(o.ended), duration(o.down_seconds))
                for o in reversed(seen.outages[-MOST_ROWS:])
            ],
            caption=_newest(len(seen.outages), "outages"),
            left=2,
            empty="No outage.",
        ),
    )


def errors(track: Track) -> Table:
    return Table(
        headings=("unhandled errors",),
        rows=[(error,) for error in track.errors[-MOST_ROWS:]],
        caption=_newest(len(track.errors), "unhandled errors"),
        empty="No unhandled error is known.",
    )


def spread_table(track: Track) -> Table:
    seen = presence(track)
    return Table(
        headings=("quoted spread", "basis points"),
        rows=[
            ("median of the looks", _bp(seen.spread_median_bp)),
            ("mean over time", _bp(seen.spread_mean_bp)),
            ("lowest", _bp(seen.spread_low_bp)),
            ("highest", _bp(seen.spread_high_bp)),
        ],
    )


def depth_table(track: Track) -> Table:
    seen, places = presence(track), places_of(track.quote)
    return Table(
        headings=("side", f"mean depth, {track.base}", f"mean depth, {track.quote}"),
        rows=[
            (
                "bids",
                digits(seen.bid_base, BASE_PLACES),
                digits(seen.bid_quote, places),
            ),
            (
                "asks",
                digits(seen.ask_base, BASE_PLACES),
                digits(seen.ask_quote, places),
            ),
        ],
    )


def days(track: Track) -> Table:
    """What was quoted, day by day."""
    rows = [_day(day, track) for day in _by_day(track)]
    return Table(
        headings=(
            "day, UTC",
            "both sides",
            "spread, mean bp",
            f"bids, {track.quote}",
            f"asks, {track.quote}",
            "orders",
            "accepted",
            "cancelled by us",
        ),
        rows=rows[-MOST_ROWS:],
        caption=_newest(len(rows), "days"),
        empty="Nothing was quoted.",
    )


def order_parts(track: Track) -> Parts:
    found = trading(track.orders)
    if not found.orders:
        return ("No order was sent.",)
    return (
        Table(
            headings=("orders", "number", "share"),
            rows=[
                ("sent to the exchange", whole(found.orders), ""),
                ("accepted", whole(found.sent), percent(found.success, 2)),
                ("rejected", whole(found.rejected), ""),
                ("cancelled by us", whole(found.cancelled), percent(found.cancel_ratio, 2)),
                ("filled, in whole or in part", whole(found.filled), percent(found.fill_ratio, 2)),
                ("of the accepted, quotes", whole(found.quotes), ""),
            ],
            caption="Shares are of the accepted orders; of accepted ones, of all.",
        ),
    )


def _leg(leg: LegShown, places: int) -> Sequence[str | Cell]:
    why = f"{leg.trigger}: {leg.reason}" if leg.trigger else leg.reason
    return (
        moment(leg.began),
        why,
        duration(leg.seconds),
        signed(leg.fees, places),
        signed(leg.divergence, places),
        signed(leg.loss_versus_rebalancing, places),
        signed(leg.gas, places),
        signed(leg.exchange + leg.swap, places),
        _money(leg.net, places),
    )


def _order_fills(track: Track) -> Parts:
    orders = [order for order in track.orders if order.filled]
    return (
        Table(
            headings=(
                "ordered, UTC",
                "what for",
                "side",
                f"filled, {track.base}",
                f"average price, {track.quote}",
                f"worth, {track.quote}",
                "fee",
            ),
            rows=[_order(order, track) for order in reversed(orders[-MOST_ROWS:])],
            words=(1, 2),
            caption=_newest(len(orders), "filled orders"),
            empty="No order was filled.",
        ),
    )


def _order(order: OrderIntent, track: Track) -> Sequence[str | Cell]:
    average = PRICE.divide(order.cost, order.filled)
    what = order.purpose.value
    if order.symbol != f"{track.base}/{track.quote}":
        what = f"{what}, {order.symbol}"
    return (
        moment(order.created_at),
        what,
        order.side.value,
        digits(order.filled, BASE_PLACES),
        price_digits(average),
        digits(order.cost, places_of(track.quote)),
        ", ".join(_fees(order, track)) or "none",
    )


def _fees(order: OrderIntent, track: Track) -> Iterator[str]:
    base, quote = order.symbol.partition(":")[0].split("/")
    for amount, coin in ((order.fee_base, base), (order.fee_quote, quote)):
        if amount:
            yield f"{_short(amount)} {coin}"
    worth = {coin: f" ({_short(value)} {track.quote})" for coin, _, value in order.fee_valued}
    for coin, amount in order.fee_other:
        yield f"{_short(amount)} {coin}{worth.get(coin, '')}"


def _short(amount: Decimal) -> str:
    """Three significant digits are enough of a fee."""
    return f"{amount:.3g}" if amount >= Decimal("0.0001") else f"{amount:.8f}".rstrip("0")


def _by_day(track: Track) -> Iterator[Track]:
    orders: dict[int, list[OrderIntent]] = {}
    for order in track.orders:
        orders.setdefault(order.created_at // DAY, []).append(order)
    for day, looks in groupby(track.quoted, key=lambda look: look.at // DAY):
        yield replace(track, quoted=tuple(looks), orders=tuple(orders.get(day, ())))


def _day(day: Track, track: Track) -> Sequence[str]:
    seen, found = presence(day), trading(day.orders)
    return (
        f"{datetime.fromtimestamp(day.quoted[0].at, UTC):%Y-%m-%d}",
        percent(seen.two_sided),
        _bp(seen.spread_mean_bp),
        digits(seen.bid_quote, places_of(track.quote)),
        digits(seen.ask_quote, places_of(track.quote)),
        whole(found.orders),
        percent(found.success) if found.orders else "",
        percent(found.cancel_ratio) if found.sent else "",
    )


def _money(amount: Decimal, places: int) -> Cell:
    tone: Tone = "good" if amount > 0 else "bad" if amount < 0 else ""
    return Cell(text=signed(amount, places), tone=tone)


def _bp(value: Decimal | None) -> str:
    return "none" if value is None else digits(value, 2)


def _newest(count: int, what: str) -> str:
    return f"The newest {MOST_ROWS} of {whole(count)} {what}." if count > MOST_ROWS else ""
