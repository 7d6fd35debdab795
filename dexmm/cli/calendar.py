"""``dexmm calendar``: gold's closed sessions, as a setting to read and paste."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from dexmm.cli.common import answer, common_options, json_option, load_all


@click.command()
@common_options
@json_option
@click.option("--days", type=click.IntRange(1, 730), default=180, show_default=True)
@click.option("--name", default="CMEGlobex_Gold", show_default=True, help="Of the calendar.")
@click.option(
    "--from",
    "start",
    type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M")),
    help="Begin at this moment, UTC. Now by default.",
)
def calendar(
    config_path: Path, as_json: bool, days: int, name: str, start: datetime | None
) -> None:
    """Write `guards.closed_sessions`: holidays and early closes of gold's own market.

    Begins with the closure that is going on, if there is one. What `guards.closed_weekly` covers
    is left out. Needs the extra `calendar`.
    """
    from dexmm.health.holiday_calendar import closures_from

    weekly = load_all(config_path)[0].guards.closed_weekly
    now = datetime.now(UTC) if start is None else start.replace(tzinfo=UTC)
    found = closures_from(name, now, days, weekly)
    if as_json:
        answer({"calendar": name, "closed_sessions": list(found)})
        return
    lines = "".join(f'    "{each}",\n' for each in found)
    click.echo(f"[guards]\nclosed_sessions = [  # {name}, UTC\n{lines}]")
