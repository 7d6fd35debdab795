"""``dexmm keystore``: a wallet's key, encrypted into a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dexmm.cli.common import DEFAULT_CONFIG, answer, json_option, set_up_logging
from dexmm.errors import BadInput


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    metavar="FILE",
    help="Its wallet.keystore is where the file goes, its wallet.address whose key it must be. "
    "There need not be one.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Never overwritten. Unless said, what the configuration names, or keystore.json.",
)
@click.option("--new", is_flag=True, help="Make a fresh key, which is then in this file alone.")
@json_option
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def keystore(config_path: Path, output: Path | None, new: bool, as_json: bool, debug: bool) -> None:
    """Encrypt a private key into a keystore that only you can read, and show its address.

    Asks for the key and, twice, for the password; nothing is shown while it is typed. Without a
    terminal the same are read from standard input, one a line. Exit codes: 0 done, 2 bad
    input, 5 a full disk.
    """
    from dexmm.chain.send.keys import new_key
    from dexmm.telemetry.redact import hide
    from dexmm.wiring.keystore_file import demand_free, write_keystore

    set_up_logging(int(debug))
    output, expected = _configured(config_path, output)
    demand_free(output)
    key = new_key() if new else _asked("Private key")
    hide(key.strip().removeprefix("0x"))
    password = _asked("Password")
    hide(password)
    if _asked("Password again") != password:
        raise BadInput("the two passwords differ: nothing was written")
    address = write_keystore(output, key, password, None if new else expected)
    if as_json:
        answer({"address": address, "keystore": output})
        return
    click.echo(f"wrote {output} for {address}")
    if new:
        click.echo("the key is nowhere else: keep a copy of this file and of the password")
    click.echo(
        f'next: keystore = "{output}" and address = "{address}" in [wallet], and '
        "DEXMM_WALLET__PASSWORD in .env, in single quotes (chmod 600 .env)"
    )


def _configured(config_path: Path, output: Path | None) -> tuple[Path, str | None]:
    """Where the keystore goes, and the address it must be of."""
    from dexmm.config.sources import read_settings

    if not config_path.exists():
        return output or Path("keystore.json"), None
    wallet = read_settings(config_path, None, ("wallet",)).values.get("wallet", {})
    named = Path(str(wallet.get("keystore", "keystore.json"))).expanduser()
    return output or config_path.parent / named, wallet.get("address")


def _asked(what: str) -> str:
    """One secret, from the terminal without showing it, or from a line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt(what, hide_input=True, default="", show_default=False, err=True)
        return typed
    line = sys.stdin.readline()
    if not line:
        raise BadInput(
            f"standard input has ended before the {what.lower()}: give key, password and password "
            "again, one a line, or run this on a terminal"
        )
    return line.rstrip("\r\n")
