"""``dexmm report``: what happened since, as a page, as facts, and as verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import (
    answer,
    common_options,
    console,
    finish,
    json_option,
    load_beside,
    market_option,
)
from dexmm.cli.option_types import Number
from dexmm.cli.replay import timestamp
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from dexmm.config.schema import Config
    from dexmm.performance.acceptance import Verdict
    from dexmm.performance.track.track import Track
    from dexmm.report.html_page import Page
    from dexmm.store.journal import Unreadable

NOT_PASSED = 3
DEFAULT_PAGE = Path("report.html")


@click.command()
@common_options
@json_option
@click.option("--since", default="0", help="From here on: 2026-01-31, 2026-01-31T12:00 or seconds.")
@click.option(
    "--until",
    help="No further than this; written alike. Unless said, until now on mainnet, and until the "
    "last turn of a sandbox, which lives in a time of its own.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Where to write the page: {DEFAULT_PAGE} unless said; with --json, nowhere unless said.",
)
@market_option
@click.option("--trial", is_flag=True, help="Judge it as a trial run: ready for real money?")
@click.option("--evidence", is_flag=True, help="What an exchange asks of a market maker.")
@click.option(
    "--min-hours", type=Number(100_000), default="24", show_default=True, help="Of a trial."
)
@click.option(
    "--min-fills",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Of a trial: turns that found pool fees grown, and filled exchange orders.",
)
@click.option(
    "--min-days", type=Number(10_000), default="1", show_default=True, help="Of evidence."
)
@click.option(
    "--min-uptime", type=Number(100), default="95", show_default=True, help="Of evidence, per cent."
)
@click.option(
    "--min-presence",
    type=Number(100),
    default="80",
    show_default=True,
    help="Of evidence: per cent of the time with quotes on both sides.",
)
@click.option(
    "--log",
    "log_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The loop's log: errors that nobody foresaw are in no journal.",
)
def report(
    config_path: Path,
    as_json: bool,
    since: str,
    until: str | None,
    output: Path | None,
    market: str | None,
    trial: bool,
    evidence: bool,
    min_hours: Decimal,
    min_fills: int,
    min_days: Decimal,
    min_uptime: Decimal,
    min_presence: Decimal,
    log_path: Path | None,
) -> None:
    """Report on what the loop has done: earned, spent, held, refused.

    Reads the journal only, and works beside a running loop. --evidence alone writes a page
    for an exchange, without a word of what is held or earned.

    Exit codes: 0 written, 3 a verdict that was asked for is not passed.
    """
    from dexmm.performance.acceptance import EvidenceRules, TrialRules
    from dexmm.performance.acceptance import evidence as judge_evidence
    from dexmm.performance.acceptance import trial as judge_trial

    configs, config = load_beside(config_path, market)
    stretch = _stretch(since, until)
    errors = _unforeseen(log_path)
    track, unreadable = _track(configs, config, stretch, errors)
    trial_rules = TrialRules(
        hours=min_hours, fills=min_fills, tolerance=config.strategy.band_tolerance
    )
    evidence_rules = EvidenceRules(
        days=min_days, uptime=min_uptime / 100, two_sided=min_presence / 100
    )
    searched = log_path is not None
    tried = judge_trial(track, trial_rules, log_searched=searched) if trial else None
    shown = judge_evidence(track, evidence_rules) if evidence else None
    page = output or (None if as_json else DEFAULT_PAGE)
    size = _page(track, tried, shown).write(page) if page is not None else 0
    if as_json:
        told = [{"turn": each.turn, "reason": each.reason} for each in unreadable]
        facts = _facts(track, tried, shown) | {"page": page, "page_bytes": size}
        if told or tried is not None or shown is None:  # of an exchange's evidence only if any
            facts["passed_over"] = told
        answer(facts)
    else:
        _tell(track, tried, shown, page, size)
    if any(verdict is not None and not verdict.passed for verdict in (tried, shown)):
        finish(NOT_PASSED)


def _stretch(since: str, until: str | None) -> tuple[int, int]:
    """From and until as timestamps; 0 is open."""
    start = timestamp(since)
    end = _until(until) if until is not None else 0
    if start > time.time():
        raise BadInput(f"--since {since} is in the future")
    if end and start > end:
        raise BadInput(f"--since {since} is after --until {until}")
    return start, end


def _until(text: str) -> int:
    try:
        return timestamp(text)
    except BadInput as error:
        raise BadInput(error.message.replace("--since", "--until")) from None


def _unforeseen(path: Path | None) -> tuple[str, ...]:
    from dexmm.performance.logged_errors import unforeseen

    return unforeseen(path) if path is not None else ()


def _track(
    configs: Sequence[Config], config: Config, stretch: tuple[int, int], errors: tuple[str, ...]
) -> tuple[Track, tuple[Unreadable, ...]]:
    """And the turns that cannot be read, and so are not in it."""
    from dexmm.report.recorded import recorded
    from dexmm.wiring.journal_access import open_journal

    journal = open_journal(config)
    if journal is None:
        raise BadInput(f"there is no journal in {config.state_dir}: nothing has been recorded yet")
    return recorded(journal, configs, config, stretch, errors), journal.unreadable


def _page(track: Track, tried: Verdict | None, shown: Verdict | None) -> Page:
    from dexmm.report.market_maker_report import evidence_page
    from dexmm.report.tables import verdict_parts
    from dexmm.report.track_report import track_page

    if shown is not None and tried is None:
        return evidence_page(track, shown)
    page = track_page(track, tried)
    if shown is not None:
        page.section(shown.name.capitalize(), *verdict_parts(shown))
    return page


def _facts(track: Track, tried: Verdict | None, shown: Verdict | None) -> dict[str, object]:
    from dexmm.report.json_report import evidence_facts, verdict_facts
    from dexmm.report.json_report import report as everything

    if shown is not None and tried is None:
        return {"evidence": evidence_facts(track, shown)}
    facts = everything(track)
    if tried is not None:
        facts["trial"] = verdict_facts(tried)
    if shown is not None:
        facts["evidence"] = evidence_facts(track, shown)
    return facts


def _tell_months(out: Console, track: Track) -> None:
    from dexmm.performance.buy_and_hold import worths
    from dexmm.performance.earned import earned
    from dexmm.report.earned_terminal import by_month

    months = by_month(earned(worths(track.marks)), track.quote, out, None, "see the page or --json")
    if months is not None:
        out.print("\n[bold]Month by month[/]")
        out.print(months)
        out.print()


def _tell(
    track: Track, tried: Verdict | None, shown: Verdict | None, page: Path | None, size: int
) -> None:
    from rich.markup import escape

    from dexmm.report.summary_text import headline

    out = console()
    for verdict in filter(None, (tried, shown)):
        colour, word = ("green", "passed") if verdict.passed else ("red", "not passed")
        out.print(f"[bold]{escape(verdict.name)}[/] [{colour}]{word}[/]")
        for each in verdict.criteria:
            mark = "[green]pass[/]" if each.passed else "[red]fail[/]"
            note = f" ({escape(each.note)})" if each.note else ""
            found = escape(f"{each.what}: {each.found}, {each.wanted}")
            out.print(f"  {mark}  {found}{note}")
    if tried is not None or shown is None:
        for sentence in headline(track):
            out.print(escape(sentence))
        _tell_months(out, track)
    if page is not None:
        out.print(f"wrote {escape(str(page))}, {size / 1_000_000:.2f} MB, nothing to load")
