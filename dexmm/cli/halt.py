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
    if reason or not before:
        flag.set(reason or DEFAULT_REASON)
    if as_json:
        answer({"halted": flag.reason(), "before": before or None})
    else:
        click.echo(f"halted: {flag.reason()}" + (" (it was before)" if before else ""))
