"""The end of a run, for people: what it amounts to, and how to use what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from shlex import quote

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dexmm.performance.entry_text import digits, price_digits
from dexmm.performance.order_statistics import Trading
from dexmm.report.earned_shown import lines
from dexmm.report.earned_terminal import by_month
from dexmm.sandbox.run import Kept, Result
from dexmm.sandbox.summary import Summary
from dexmm.terminal.table_fitting import fitted, pairs

QUOTE = "USDT"
WIDEST = 100


Ratio = tuple[str, Decimal, Decimal]  # a pay ratio, net and net in bp


def show(console: Console, result: Result, ratios: Sequence[Ratio] = ()) -> None:
    """Everything on stdout. ``ratios`` are the same run's in memory, with no exchange."""
    width = min(console.width, WIDEST) if console.is_terminal else WIDEST
    console.print()
    console.print(_figures(result.summary, ratios), width=width)
    console.print()
    months = by_month(result.summary.earned, QUOTE, console, width, "see --json")
    if months is not None:
        console.print("[bold]Month by month[/]")
        console.print(months, width=width)
        console.print()
    refusals = _refusals(result.summary)
    if isinstance(refusals, Table):
        refusals = fitted(refusals, console, width)
    console.print(refusals, width=width)
    if result.stopped:
        console.print(Text(f"Stopped early: {result.stopped}.", "yellow"))
    if result.halted:
        console.print(Text(f"Halted itself: {result.halted}.", "red"))
    if result.kept is not None:
        for line in kept_lines(result.kept):
            console.print(line, markup=False, soft_wrap=True)


def kept_lines(kept: Kept) -> tuple[str, ...]:
    config = quote(str(kept.config))
    return (
        "",
        f"The chain runs on at {kept.url}; its prices stand still. Use it with",
        f"  dexmm status --config {config}",
        f"  dexmm run --once --config {config}",
        f"  scripts/withdraw.py --config {config}",
        f"and end it with  kill {kept.pid}",
    )


def _figures(summary: Summary, ratios: Sequence[Ratio]) -> RenderableType:
    return pairs((*lines(summary.earned, QUOTE), *_rows(summary), *_ratio_rows(ratios)))


def _rows(s: Summary) -> tuple[tuple[str, str], ...]:
    source, share = s.prices.rsplit("/", 1)[-1], s.share
    hours = Decimal(s.simulated_seconds) / 3600
    filled = f"; {s.candles_filled} missing candles filled" if s.candles_filled else ""
    skipped = f"; {s.skipped_turns} skipped" if s.skipped_turns else ""
    untracked = f": {', '.join(map(str, s.untracked))}" if s.untracked else ""
    return (
        (
            "turns",
            f"{s.turns} of {s.planned_turns}, {hours:.0f} simulated hours in {s.wall_seconds} s"
            f"{skipped}{filled}",
        ),
        (
            "market",
            f"{source}: {price_digits(s.start_price)} to {price_digits(s.end_price)}; "
            f"{s.pool_swaps:,} swaps ({s.flow} flow), {digits(s.noise_base, 1)} of base traded "
            f"by noise, {digits(s.arbitrage_base, 1)} by arbitrage",
        ),
        (
            "actions",
            f"{_count(s.deposits, 'deposit')}, {_count(s.reranges, 're-range')}, "
            f"{_count(s.swaps, 'swap')}; {_count(s.transactions, 'transaction')}, "
            f"{s.reverted} reverted",
        ),
        ("gas", f"{s.gas_eth:.6f} ETH, {digits(s.gas_quote, 2)} in quote"),
        (
            "fees earned",
            f"{digits(s.fees_value, 2)} in quote ({s.fees_base:.6f} base and "
            f"{digits(s.fees_quote, 2)} quote), the protocol's share already gone",
        ),
        (
            "share of base",
            f"{_percent(share.low, 2)} min, {_percent(share.mean, 2)} mean, "
            f"{_percent(share.high, 2)} max; inside {_percent(s.band_low, 0)} to "
            f"{_percent(s.band_high, 0)} for {_percent(share.in_band, 2)} of turns",
        ),
        ("in range", f"{_percent(s.in_range)} of turns"),
        (
            "holding",
            f"{digits(s.holding_end, 2)}: {_signed(s.against_holding)} "
            f"({s.against_holding_bp:+.1f} bp), after gas {_signed(s.after_gas)}",
        ),
        (
            "rebalanced",
            f"{digits(s.rebalanced_end, 2)}: {_signed(s.against_rebalanced)} "
            f"({s.against_rebalanced_bp:+.1f} bp), against the starting share kept at every "
            "moment at no cost",
        ),
        *_exchange_rows(s.exchange),
        (
            "positions",
            f"{s.positions_on_chain} on chain, {s.positions_tracked} tracked, "
            f"{len(s.untracked)} untracked{untracked}",
        ),
    )


def _ratio_rows(ratios: Sequence[Ratio]) -> tuple[tuple[str, str], ...]:
    if not ratios:
        return ()
    nets = ", ".join(
        f"{_signed(net)} ({net_bp:+.1f} bp) at {ratio}" for ratio, net, net_bp in ratios
    )
    says = "after gas, against holding: the same turns in memory, without an exchange"
    return (("pay ratio", f"{nets}; {says}"),)


def _exchange_rows(t: Trading) -> tuple[tuple[str, str], ...]:
    if not t.orders:
        return (("exchange", "no orders"),)
    worth = {coin: f" worth {digits(value, 2)} quote" for coin, _, value in t.fees_valued}
    others = "".join(f", {amount:f} {coin}{worth.get(coin, '')}" for coin, amount in t.fees_other)
    return (
        (
            "exchange",
            f"{_count(t.hedges, 'hedge')} of {t.hedged_base:.4f} base; {t.quotes} quotes sent, "
            f"{t.quoted_base:.4f} base traded by them; bought {t.bought_base:.4f}, sold "
            f"{t.sold_base:.4f}",
        ),
        (
            "orders",
            f"{t.sent} sent, {_percent(t.success, 2)} success, {_percent(t.fill_ratio)} filled, "
            f"{_percent(t.cancel_ratio)} cancelled; fees {t.fees_base:.6f} base and "
            f"{digits(t.fees_quote, 2)} quote{others}",
        ),
    )


def _refusals(summary: Summary) -> RenderableType:
    if not summary.refusals:
        return Text("No guard bit.")
    table = Table(box=None, padding=(0, 2, 0, 0), title="Guards that bit", title_justify="left")
    table.add_column("rule", no_wrap=True, style="yellow")
    table.add_column("turns", justify="right", no_wrap=True)
    table.add_column("held back", justify="right", no_wrap=True)
    table.add_column("why, the first time")
    for refused in summary.refusals:
        table.add_row(
            refused.rule, str(refused.turns), str(refused.withheld), Text(refused.explanation)
        )
    return table


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _percent(share: Decimal, places: int = 1) -> str:
    return f"{share * 100:.{places}f} %"


def _signed(value: Decimal) -> str:
    return ("+" if value >= 0 else "−") + digits(abs(value), 2)
