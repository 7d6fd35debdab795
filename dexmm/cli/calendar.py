"""``dexmm calendar``: gold's closed sessions, as a setting to read and paste."""

from __future__ import annotations

from pathlib import Path

import click

from dexmm.cli.common import answer, common_options, json_option, load_all


@click.command()
@common_options
@json_option
@click.option("--days", type=click.IntRange(1, 730), default=180, show_default=True)
@click.option("--name", default="CMEGlobex_Gold", show_default=True, help="Of the calendar.")
def calendar(config_path: Path, as_json: bool, days: int, name: str) -> None:
    """Write `guards.closed_sessions`: holidays and early closes of gold's own market.

    What `guards.closed_weekly` covers is left out. Needs `pip install 'dexmm[calendar]'`.
    """
    from datetime import UTC, datetime, timedelta

    from dexmm.ops.sessions import closures, sessions

    weekly = load_all(config_path)[0].guards.closed_weekly
    today = datetime.now(UTC).date()
    found = closures(sessions(name, today, today + timedelta(days=days)), weekly)
    if as_json:
        answer({"calendar": name, "closed_sessions": list(found)})
        return
    lines = "".join(f'    "{each}",\n' for each in found)
    click.echo(f"[guards]\nclosed_sessions = [  # {name}, UTC\n{lines}]")
