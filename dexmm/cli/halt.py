"""``dexmm halt``: nothing but withdraw may act until a person has looked."""

from __future__ import annotations

from pathlib import Path

import click

from dexmm.cli.common import answer, common_options, json_option, load_all

DEFAULT_REASON = "halted by hand"


@click.command()
@common_options
@json_option
@click.option("--reason", default="", help="Why; shown by status and resume.")
def halt(config_path: Path, as_json: bool, reason: str) -> None:
    """Stop acting, now and after restarts, until `dexmm resume`.

    A running loop sees it before its next transaction. Positions stay where they are; `dexmm
    withdraw` gets them out.
    """
    from dexmm.store.flags import HaltFlag

    flag = HaltFlag(load_all(config_path)[0].state_dir)
    before = flag.reason()
    if reason or not before or not flag.where():
        flag.set(reason or DEFAULT_REASON)
    now, where = flag.reason(), flag.where()
    if flag.path not in where:
        click.echo(f"dexmm: {flag.path} cannot be written: HALT is kept at {where[0]}", err=True)
    elif reason and reason not in now:
        click.echo(f"dexmm: the new reason could not be stored at {flag.path}", err=True)
    if as_json:
        answer({"halted": now, "before": before or None})
    else:
        click.echo(f"halted: {now}" + (" (it was before)" if before else ""))
