"""``dexmm log``: what it did, refused, paid and had filled since then, event by event."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import (
    answer,
    common_options,
    console,
    json_option,
    jsonable,
    load_all,
    market_option,
)
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from dexmm.config.schema import Config
    from dexmm.report.activity import Activity, Done, Held
    from dexmm.store.journal import SqlJournal

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
ON_TERMINAL = 40  # events, unless --lines says otherwise
WIDE = 120  # columns: from there on a transaction's hash has room
NAMES = {"rerange": "re-range", "approve": "allowance"}  # of steps, where they differ
COLOURS = {"done": "green", "refused": "yellow", "guard": "dim", "HALTED": "red", "gap": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event as it is shown. ``gas`` is empty where none was paid."""

    at: int
    kind: str
    said: str
    gas: str = ""


@click.command()
@common_options
@json_option
@click.option(
    "--since",
    default="24h",
    show_default=True,
    metavar="WHEN",
    help="From here on: yesterday, today, 24h (s, m, h, d, w), 2026-01-31, 2026-01-31T12:00. Days "
    "and times are UTC unless they say otherwise.",
)
@click.option("--until", metavar="WHEN", help="No further than this; written alike.")
@market_option
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    help=f"How many events of a market, the newest; 0 is all. {ON_TERMINAL} on a terminal, all "
    "elsewhere, unless said.",
)
def log(
    config_path: Path,
    as_json: bool,
    since: str,
    until: str | None,
    market: str | None,
    lines: int | None,
) -> None:
    """Show what the loop did, refused, paid and had filled since then.

    Reads the journal only, and works beside a running loop and on a copy that cannot be written.
    Of a sandbox, which lives in a time of its own, "now" is the last turn. Nothing on record is
    an answer, and no error.
    """
    from dexmm.config.multi_market import choose

    configs = load_all(config_path)
    shown = configs if market is None else (choose(configs, market, config_path),)
    told = []
    for number, config in enumerate(shown):
        if not as_json and number:
            click.echo()
        told.append(_of_market(configs, config, (since, until), lines, as_json=as_json))
    if as_json:
        answer(told[0] if len(told) == 1 else {"markets": told})


def _of_market(
    configs: Sequence[Config],
    config: Config,
    asked: tuple[str, str | None],
    lines: int | None,
    *,
    as_json: bool,
) -> dict[str, object]:
    """Tell it, or return it for ``--json``."""
    from dexmm.report.activity import Collector
    from dexmm.report.recorded import recorded
    from dexmm.wiring.journal_access import open_journal

    journal = open_journal(config)
    name = config.market.name if len(configs) > 1 else ""
    stretch = _stretch(asked, *_now(config, journal))
    nothing = _nothing(config, journal, stretch)
    facts: dict[str, object] = {
        "market": config.market.name,
        "network": config.network.name,
        "since": stretch[0],
        "until": stretch[1],
    }
    if nothing or journal is None:
        if not as_json:
            console().print(f"{name}: {nothing}" if name else nothing, markup=False)
        return {**dict.fromkeys(_FIELDS), **_NONE, **facts, "turns": 0, "nothing": nothing}
    collector = Collector()
    track = recorded(journal, configs, config, stretch, seen=collector)
    found = collector.activity(
        track, config.market.name, config.network.name, tuple(journal.resumed())
    )
    if as_json:
        unread = [{"turn": each.turn, "reason": each.reason} for each in journal.unreadable]
        return {**jsonable(found), **facts, "nothing": "", "passed_over": unread}
    _show(console(), found, lines, name)
    return facts


_FIELDS = (
    *("market", "network", "base", "quote", "began", "ended", "turns", "first_turn", "last_turn"),
    *("nav_start", "nav_end", "share_start", "share_end", "pool", "gas_wei", "gas_quote"),
)
_NONE: dict[str, object] = {
    name: []
    for name in ("actions", "refusals", "fills", "states", "outages", "resumes", "passed_over")
}


def _now(config: Config, journal: SqlJournal | None) -> tuple[int, bool]:
    """What "24h" and "yesterday" are reckoned from: the clock, or a sandbox's last turn.

    And whether it is the latter.
    """
    ended = journal.ended_at() if journal is not None else None
    if config.network.name == "mainnet" or ended is None:
        return int(time.time()), False
    return ended, True


def _stretch(asked: tuple[str, str | None], now: int, of_turn: bool) -> tuple[int, int]:
    """From and until as timestamps. Raises ``BadInput``."""
    from dexmm.performance.number_format import moment

    since, until = asked
    start = moment_of(since, now, "--since")
    end = now if until is None else moment_of(until, now, "--until")
    if start > now:
        late = f"after the last turn, which is of {moment(now)} UTC" if of_turn else "in the future"
        raise BadInput(f"--since {since} is {late}")
    if start > end:
        raise BadInput(f"--since {since} is after --until {until}")
    return start, end


def moment_of(text: str, now: int, option: str) -> int:
    """Seconds since 1970 from ``yesterday``, ``24h`` ago, a date or a time, or those seconds.

    Days begin at midnight UTC, and what has no zone is UTC. Raises ``BadInput``.
    """
    words = text.strip().lower()
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0)
    days = {"now": now, "today": int(today.timestamp())}
    days["yesterday"] = int((today - timedelta(days=1)).timestamp())
    if words in days:
        return days[words]
    if ago := re.fullmatch(r"(\d{1,9})\s*([smhdw])", words):
        return max(now - int(ago[1]) * UNITS[ago[2]], 0)
    if words.isascii() and words.isdigit():
        return int(words)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f"{option} {text} is no time: write yesterday, today, 24h, 2026-01-31 or "
            "2026-01-31T12:00"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _nothing(config: Config, journal: SqlJournal | None, stretch: tuple[int, int]) -> str:
    """That there is nothing to tell, and why; empty where there is something."""
    from dexmm.performance.number_format import moment

    if journal is None:
        return f"there is no journal in {config.state_dir}: no turn has been taken yet"
    first, last = journal.began_at(), journal.ended_at()
    if first is None or last is None:
        return "no turn is on record yet"
    start, end = stretch
    if next((True for entry in journal.entries(start) if entry.at <= end), False):
        return ""
    return (
        f"no turn is on record from {moment(start)} to {moment(end)} UTC; the first of all "
        f"is of {moment(first)}, the last of {moment(last)}"
    )


def _show(out: Console, found: Activity, lines: int | None, name: str) -> None:
    """``name`` is the market's where it is one of several."""
    from rich.text import Text

    from dexmm.performance.number_format import moment, whole
    from dexmm.terminal.table_fitting import pairs

    turns = f"{whole(found.turns)} turn{'' if found.turns == 1 else 's'}"
    out.print(
        Text(f"{name}  {found.base}/{found.quote}".strip(), "bold")
        + Text(f" on {found.network}, {moment(found.began)} to {moment(found.ended)} UTC, {turns}")
    )
    events = sorted(_events(found, hashes=out.width >= WIDE), key=lambda line: line.at)
    most = lines if lines is not None else ON_TERMINAL if out.is_terminal else 0
    if most and len(events) > most:
        out.print(f"(the newest {most} of {len(events)} events; --lines 0 shows them all)")
        events = events[-most:]
    if events:
        out.print(_table(out, events))
    else:
        out.print("Nothing was done, refused or filled.")
    out.print()
    out.print(pairs(tuple(_sums(found))))


def _table(out: Console, events: Sequence[Line]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from dexmm.performance.number_format import moment
    from dexmm.terminal.table_fitting import fitted

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("what")
    paid = any(line.gas for line in events)
    if paid:
        table.add_column("gas", justify="right", no_wrap=True)
    for line in events:
        kind = Text(line.kind, COLOURS.get(line.kind, ""))
        row = (moment(line.at), kind, Text(line.said))
        table.add_row(*row, Text(line.gas)) if paid else table.add_row(*row)
    return fitted(table, out)


def _events(found: Activity, *, hashes: bool) -> Iterator[Line]:
    from dexmm.performance.entry_text import order_filled
    from dexmm.performance.number_format import moment
    from dexmm.report.activity import quote_fills

    for _, group in groupby(found.actions, key=lambda action: action.turn):
        yield _acted(tuple(group), found.quote, hashes=hashes)
    for held in found.refusals:
        if held.rule != "halted":  # the state says so
            yield _refused(held)
    for order in quote_fills(found):
        said = f"{order.purpose} {order.side} {order.symbol}: {order_filled(order)}"
        yield Line(at=order.created_at, kind="filled", said=said)
    for change in found.states[0 if found.states[0].state != "ACTIVE" else 1 :]:
        yield Line(at=change.at, kind=change.state, said=change.reason)
    for gap in found.outages:
        said = f"no turn until {moment(gap.ended)}"
        yield Line(at=gap.began, kind="gap", said=said)
    for resumed in found.resumes:
        yield Line(at=resumed.at, kind="resumed", said=f"by hand, after: {resumed.reason}")


def _acted(actions: tuple[Done, ...], quote: str, *, hashes: bool) -> Line:
    """What one turn did: why, every step, and the gas of all of them."""
    from dexmm.performance.entry_text import digits

    first = actions[0]
    why = [f"{first.trigger}: {first.reason}"] if first.trigger else []
    said = []
    for action in actions:
        said.append(action.said)
        if hashes and action.tx_hash:
            said.append(f"  {action.tx_hash}")
    gas = sum((action.gas_quote for action in actions), first.gas_quote * 0)
    paid = f"{digits(gas, 2)} {quote}" if any(action.gas_wei for action in actions) else ""
    return Line(at=first.at, kind="done", said="\n".join([*why, *said]), gas=paid)


def _refused(held: Held) -> Line:
    """A guard that held back an action refuses; one that bit while nothing was wanted stands."""
    from dexmm.performance.number_format import moment

    until = f" (until {moment(held.ended)}, {held.turns} turns)" if held.turns > 1 else ""
    kind = "refused" if held.withheld else "guard"
    return Line(at=held.began, kind=kind, said=f"{held.rule}: {held.detail}{until}")


def _name(action: Done) -> str:
    name = NAMES.get(action.kind, action.kind.replace("_", " "))
    return name if action.status in {"mined", "done"} else f"{name} {action.status}"


def _plural(name: str, count: int) -> str:
    what, _, status = name.partition(" ")
    if count == 1 or what not in {"deposit", "re-range", "exit", "swap", "allowance", "hedge"}:
        return name
    return f"{what}s {status}".rstrip()


def _sums(found: Activity) -> Iterator[tuple[str, str]]:
    from dexmm.performance.entry_text import digits, sum_digits
    from dexmm.performance.number_format import whole
    from dexmm.units import to_decimal

    done = Counter(_name(action) for action in found.actions)
    yield "done", ", ".join(f"{n} {_plural(name, n)}" for name, n in done.items()) or "nothing"
    for title, withheld in (("refused", True), ("guards", False)):
        bit = Counter[str]()
        for each in found.refusals:
            if each.withheld is withheld and each.rule != "halted":
                bit[each.rule] += each.turns
        told = ", ".join(
            f"{rule} in {whole(n)} turn{'' if n == 1 else 's'}" for rule, n in bit.items()
        )
        if told or withheld:
            yield title, told or "nothing"
    paid = f"{digits(to_decimal(found.gas_wei, 18), 6)} ETH, {digits(found.gas_quote, 2)}"
    yield "gas", f"{paid} {found.quote}" if found.gas_wei else "none"
    pool = found.pool
    through = (
        f"{whole(pool.pool)} turns found pool fees grown, by {sum_digits(pool.pool_fees)} "
        f"{found.quote} in all"
        if pool.pool
        else "none through our ranges"
    )
    orders = (
        f"; {whole(pool.exchange)} orders, bought {digits(pool.bought_base, 4)} and sold "
        f"{digits(pool.sold_base, 4)} {found.base}"
        if pool.exchange
        else ""
    )
    yield "fills", f"{through}{orders}"
    yield (
        "value",
        f"{sum_digits(found.nav_start)} to {sum_digits(found.nav_end)} {found.quote}, share "
        f"{found.share_start * 100:.1f} to {found.share_end * 100:.1f} %",
    )
