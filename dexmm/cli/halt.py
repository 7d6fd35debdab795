"""``dexmm halt``: nothing but withdraw may act until a person has looked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dexmm.cli.common import answer, common_options, json_option, load_all

DEFAULT_REASON = "halted by hand"


class _Emergency(click.Command):
    """Options that it does not know are words of the reason, as typed: nothing of them may keep
    the halt from being set. A ``--help`` still shows the help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ignore_unknown_options = True


@click.command(cls=_Emergency)
@common_options
@json_option
@click.option(
    "--reason", default="", is_flag=False, flag_value="", metavar="WHY", help="The same as WHY."
)
@click.argument("why", nargs=-1, type=click.UNPROCESSED)
def halt(config_path: Path, as_json: bool, reason: str, why: tuple[str, ...]) -> None:
    """Stop acting, now and after restarts, until `dexmm resume`.

    WHY is shown by status and resume: any words, as in `dexmm halt the pool looks odd`. A running
    loop sees HALT before its next transaction. Positions stay where they are, and go on gaining
    and losing with the price; `dexmm withdraw` gets them out.
    """
    from dexmm.store.flags import HaltFlag

    reason = " ".join(" ".join((reason, *why)).split())
    flag = HaltFlag(load_all(config_path)[0].state_dir)
    before = flag.reason()
    if reason or not before or not flag.where():
        flag.set(reason or DEFAULT_REASON)
    now, where = flag.reason(), flag.where()
    if flag.path not in where:
        click.echo(f"dexmm: {flag.path} cannot be written: HALT is kept at {where[0]}", err=True)
    elif reason and reason not in now:
        click.echo(f"dexmm: the new reason could not be stored at {flag.path}", err=True)
    for word in (word for word in why if word.startswith("-")):
        click.echo(
            f"dexmm: {word} is no option of halt and stands in the reason; what {config_path} "
            "names is halted",
            err=True,
        )
    if as_json:
        answer({"halted": now, "before": before or None})
    else:
        click.echo(f"halted: {now}" + (" (it was before)" if before else ""))
        click.echo("what is in the pool stays there; `dexmm withdraw` gets it out", err=True)
