"""``dexmm replay``: recorded history, decided again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import (
    answer,
    common_options,
    finish,
    json_option,
    jsonable,
    load,
    market_option,
)
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from dexmm.config.schema import Config
    from dexmm.store.journal import SqlJournal
    from dexmm.wiring.replay import Difference

DIFFERENT = 3


@click.command()
@common_options
@json_option
@click.option("--since", default="0", help="From here on: 2026-01-31, 2026-01-31T12:00 or seconds.")
@click.option(
    "--config-from",
    type=click.Choice(["journal", "file"]),
    default="journal",
    show_default=True,
    help="Decide with the settings on record, or with today's file.",
)
@market_option
def replay(
    config_path: Path, as_json: bool, since: str, config_from: str, market: str | None
) -> None:
    """Decide recorded history again, and show every difference.

    A turn that cannot be read, or whose settings are not known, is named and passed over. Exit
    codes: 0 everything else came out as recorded, 3 something did not.
    """
    from dexmm.wiring.journal_access import open_journal
    from dexmm.wiring.replay import replay as decide_again

    start = timestamp(since)
    config = load(config_path, market)
    journal = open_journal(config)
    if journal is None:
        raise BadInput(f"there is no journal in {config.state_dir}: nothing has been recorded yet")
    result = decide_again(journal.entries(start), _configs(journal, config, config_from))
    unread = [{"turn": each.turn, "reason": each.reason} for each in journal.unreadable]
    passed_over = [*unread, *({"turn": u.turn, "reason": u.reason} for u in result.undecided)]
    if as_json:
        answer(
            {
                "config_from": config_from,
                "turns": result.turns,
                "differing_turns": result.differing_turns,
                "differences": result.differences,
                "passed_over": passed_over,
            }
        )
    else:
        for difference in result.differences:
            click.echo(_line(difference))
        for each in passed_over:
            click.echo(f"turn {each['turn']}  passed over: {each['reason']}")
        rest = f", {len(passed_over)} passed over" if passed_over else ""
        click.echo(f"{result.turns} turns decided again, {result.differing_turns} differ{rest}")
    if result.differing_turns:
        finish(DIFFERENT)


def timestamp(text: str) -> int:
    """Seconds since 1970 from a number, or from a date or time that is UTC unless it says so."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--since {text} is no date: write 2026-01-31 or 2026-01-31T12:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _configs(
    journal: SqlJournal, config: Config, config_from: str
) -> Callable[[str], Config | None]:
    if config_from == "file":
        return lambda _fingerprint: config
    return cache(journal.config)


def _line(difference: Difference) -> str:
    when = datetime.fromtimestamp(difference.at, UTC)
    return (
        f"turn {difference.turn}  {when:%Y-%m-%d %H:%M:%S}  {difference.field}: "
        f"{jsonable(difference.recorded)} -> {jsonable(difference.now)}"
    )
