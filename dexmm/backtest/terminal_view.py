"""A backtest in the terminal: what it amounts to, where that came from, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dexmm.backtest.compare.columns import Money, percent
from dexmm.backtest.run import Backtest
from dexmm.backtest.sensitivity import Sensitivity, sentences
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import Earned, earned
from dexmm.performance.entry_text import digits, price_digits
from dexmm.performance.number_format import moment
from dexmm.performance.refusal_counts import refused
from dexmm.performance.track.track import Track
from dexmm.report.earned_shown import lines
from dexmm.report.earned_terminal import by_month
from dexmm.report.rerange_rows import LegShown, legs_shown
from dexmm.terminal.table_fitting import fitted, pairs

WIDEST = 110
MOST_LEGS = 10  # in a terminal; the page and --json have them all
REST = "see the page (-o) or --json"


def show(
    console: Console,
    run: Backtest,
    advice: Sequence[str],
    seconds: Decimal,
    depends: Sensitivity | None = None,
    decided: str = "",
) -> None:
    """Everything on stdout. ``seconds`` is how long the run took, ``decided`` who decided it."""
    track, width = run.track, min(console.width, WIDEST) if console.is_terminal else None
    told: tuple[tuple[str, str], ...] = ()
    if decided:
        told = (("decided by", decided.removeprefix("Decided by ").removesuffix(".")),)
    brought = earned(worths(track.marks))
    console.print(pairs((*told, *_figures(run, brought, seconds))), width=width)
    months = by_month(brought, track.quote, console, width, REST)
    for title, part in (
        *(() if months is None else (("Month by month", months),)),
        (
            "Against holding",
            pairs(tuple(_attribution(run)), right=True),
        ),
        *(() if depends is None else (("Net at other assumptions", _depends(depends, track)),)),
        ("Re-ranges", _legs(run)),
        ("Guards that bit", _refusals(track)),
    ):
        console.print(f"\n[bold]{title}[/]")
        whole = fitted(part, console, width) if isinstance(part, Table) else part
        console.print(whole, width=width)
    for title, told_last in (("Advice", advice), ("Assumptions", track.assumptions)):
        if told_last:
            console.print(f"\n[bold]{title}[/]")
        for line in told_last:
            console.print(Text(f"- {line}"), width=width)
    if track.halted:
        console.print(Text(f"\nHalted itself: {track.halted}", "red"), width=width)


def _depends(found: Sensitivity, track: Track) -> RenderableType:
    return pairs(tuple(sentences(found, track.quote)))


def _figures(run: Backtest, brought: Earned, seconds: Decimal) -> Iterator[tuple[str, str]]:
    track, f = run.track, run.figures
    first, last, sums = track.points[0], track.points[-1], Money.of(track.quote)
    yield (
        "history",
        f"{track.source}: {_day(first.at)} to {_day(last.at)}, {f.days:.1f} days, "
        f"{price_digits(first.fair_price)} to {price_digits(last.fair_price)} {track.quote}",
    )
    skipped = f", {track.skipped_turns} skipped" if track.skipped_turns else ""
    yield "turns", f"{digits(Decimal(run.turns), 0)} taken in {seconds} s{skipped}"
    yield from lines(brought, track.quote)
    yield (
        "net",
        f"{sums.said(f.net)} {track.quote} against holding ({f.net_bp:+.1f} bp), "
        f"{sums.said(f.against_rebalanced)} against the rebalanced inventory; skill "
        f"{sums.said(f.skill or Decimal(0))}",
    )
    yield (
        "share",
        f"{percent(f.share_low)} min, {percent(f.share_mean)} mean, {percent(f.share_high)} max of "
        f"{track.base}; inside {track.band_low * 100:.0f} to {track.band_high * 100:.0f} % "
        f"{percent(f.time_in_band)} of the time",
    )
    yield (
        "ranges",
        f"around the price {percent(f.time_in_range)} of the time, {percent(f.deployed)} of the "
        f"capital in them, {run.liquidity_share * 100:.2f} % of the pool's liquidity in range; "
        f"{f.reranges} re-range{'' if f.reranges == 1 else 's'}",
    )
    yield (
        "efficiency",
        f"fees of {digits(f.capital_efficiency_bp, 2)} bp a day of the capital in ranges; "
        f"{sums.large(f.turnover)} {track.quote} traded by own actions",
    )
    yield (
        "drawdown",
        f"{f.max_drawdown_bp:.1f} bp of net worth, {f.max_drawdown_hold_bp:.1f} bp against holding",
    )


def _attribution(run: Backtest) -> Iterator[tuple[str, str]]:
    f, sums = run.figures, Money.of(run.track.quote)
    yield "fees earned", sums.signed(f.fees)
    yield "divergence", sums.signed(f.divergence)
    yield "  of it LVR", sums.signed(f.loss_versus_rebalancing)
    for name, value in (
        ("swaps in the pool", f.swap_cost),
        ("hedges", f.hedge),
        ("quotes", f.quoting),
        ("exchange fees", f.exchange_fees),
        ("funding", f.funding),
    ):
        if value:
            yield name, sums.signed(value)
    yield "gas", sums.signed(f.gas)
    yield "net", sums.signed(f.net)


def _legs(run: Backtest) -> RenderableType:
    found = legs_shown(run.track)
    if not any(leg.kind for leg in found):
        return Text("None: no range was ever held.")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("from (UTC)", no_wrap=True)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("why")
    for heading in ("fees", "divergence", "LVR", "gas", "net"):
        table.add_column(heading, justify="right", no_wrap=True)
    for leg in found[:MOST_LEGS]:
        table.add_row(*_leg(leg, Money.of(run.track.quote)))
    if len(found) > MOST_LEGS:
        table.add_row("...", "", f"{len(found) - MOST_LEGS} more: {REST}")
    return table


def _leg(leg: LegShown, sums: Money) -> tuple[str | Text, ...]:
    why = f"{leg.trigger}: {leg.reason}" if leg.kind else "before the first range"
    money_of = (leg.fees, leg.divergence, leg.loss_versus_rebalancing, leg.gas, leg.net)
    return (
        moment(leg.began),
        f"{Decimal(leg.seconds) / 86_400:.1f}",
        Text(why),
        *(sums.signed(amount) for amount in money_of),
    )


def _refusals(track: Track) -> RenderableType:
    found = refused(track.points)
    if not found:
        return Text("None.")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("rule", no_wrap=True, style="yellow")
    table.add_column("turns", justify="right", no_wrap=True)
    table.add_column("held back", justify="right", no_wrap=True)
    table.add_column("why, the first time")
    for each in found:
        table.add_row(each.rule, str(each.turns), str(each.withheld), Text(each.explanation))
    return table


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
