"""``dexmm doctor``: a list of what is fine, what is not, and what to do about it."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from dexmm.health.check import Check, Diagnosis

NARROW = 64  # columns: below it a check is not a row
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "cyan"}


@click.command()
@common_options
@json_option
@market_option
@click.option(
    "--start",
    metavar='"N BASE + N QUOTE"',
    help='Plan and judge for this inventory instead of the wallet\'s: "5 PAXG + 20000 USDT". Needs '
    "neither a key nor a node.",
)
@click.option(
    "--price",
    type=Number(10**12, above_zero=True),
    metavar="QUOTE",
    help="Of the base, for that plan. The node's unless said, else the last turn's.",
)
def doctor(
    config_path: Path,
    as_json: bool,
    market: str | None,
    start: str | None,
    price: Decimal | None,
) -> None:
    """Check every prerequisite, and say what to do. Changes nothing; needs no key to look.

    What cannot be looked at is told as skip, with what it waits for.

    Exit codes: 0 nothing failed; otherwise the first failure's: 2 configuration, 3 a guard or the
    wallet refuses, 4 halted, 5 the node.
    """
    from dexmm.health.doctor import Asked, diagnose
    from dexmm.sandbox.node.anvil import find_anvil

    asked = Asked(start=start, price=price)
    diagnosis = diagnose(lambda: load_beside(config_path, market), find_anvil, asked)
    if as_json:
        answer({"checks": diagnosis.checks, "exit_code": diagnosis.exit_code})
    else:
        _show(diagnosis)
    finish(diagnosis.exit_code)


def _show(diagnosis: Diagnosis) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    out = console()
    if out.width < NARROW:
        for check in diagnosis.checks:
            out.print(
                Text.assemble((check.verdict, COLOURS[check.verdict]), (f" {check.name}", "bold"))
            )
            out.print(Padding(_detail(check), (0, 0, 0, 2)))
        _count(out, diagnosis)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("verdict")
    table.add_column("name")
    table.add_column("detail", overflow="fold")
    for check in diagnosis.checks:
        colour = COLOURS[check.verdict]
        table.add_row(f"[{colour}]{check.verdict}[/]", Text(check.name), _detail(check))
    out.print(table)
    _count(out, diagnosis)


def _count(out: Console, diagnosis: Diagnosis) -> None:
    counts = [sum(check.verdict == verdict for check in diagnosis.checks) for verdict in COLOURS]
    fine, known, failed, skipped = counts
    rest = f", {skipped} not looked at" if skipped else ""
    out.print(f"{fine} fine, {known} to know about, {failed} failed{rest}")


def _detail(check: Check) -> Text:
    from rich.text import Text

    advice = f"\n-> {check.advice}" if check.advice else ""
    return Text(check.detail + advice)
