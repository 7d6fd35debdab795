"""``dexmm init``: a commented configuration to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from dexmm.cli.common import answer, common_options, json_option
from dexmm.errors import BadInput, unusable

NEXT = {
    "sandbox": "start a chain with `dexmm sandbox --keep`",
    "fork": "start a copy of mainnet with `dexmm sandbox --fork URL --keep`",
    "mainnet": "make a keystore with `dexmm keystore`, and put its password into .env",
}


@click.command()
@common_options
@json_option
@click.option(
    "--network",
    type=click.Choice(["sandbox", "fork", "mainnet"]),
    default="sandbox",
    show_default=True,
    help="Where it is going to run.",
)
@click.option(
    "--market",
    type=click.Choice(["paxg-usdt", "paxg-usdc", "xaut-usdt"]),
    default="paxg-usdt",
    show_default=True,
    help="Which pool of mainnet, each of the 0.05 % tier; `dexmm scout` compares them.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init(config_path: Path, as_json: bool, network: str, market: str, force: bool) -> None:
    """Write a commented dexmm.toml, and .env.example beside it. Overwrites nothing unasked."""
    from dexmm.config.template import configuration, secrets_example

    files = {
        config_path: configuration(network, market),
        config_path.parent / ".env.example": secrets_example(network),
    }
    taken = [str(path) for path in files if path.exists()]
    if taken and not force:
        raise BadInput(f"already there: {', '.join(taken)}; use --force to overwrite")
    for path, text in files.items():
        _write(path, text)
    if as_json:
        answer({"network": network, "written": list(files)})
        return
    for path in files:
        click.echo(f"wrote {path}")
    click.echo(
        f"next: {NEXT[network]}, then `dexmm doctor --config {shlex.quote(str(config_path))}`"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unusable(f"cannot write {path}", error, "choose another --config") from None
