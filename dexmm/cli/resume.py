"""``dexmm resume``: shows why nothing acts, and lets it act again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, finish, json_option, load_all
from dexmm.errors import BadInput, DexmmError, Halt, Transient

if TYPE_CHECKING:
    from dexmm.config.schema import Config
    from dexmm.store.journal import SqlJournal

STILL_HALTED = 4
LEASE_SECONDS = 5  # a turn in hand ends in less, unless it waits for a transaction


@click.command()
@common_options
@json_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def resume(config_path: Path, as_json: bool, yes: bool) -> None:
    """Show why it was halted, and act again once you agree.

    Lifts the HALT flag, and a drawdown that had tripped: from now on losses are measured from
    here. Exit code 4 when it stays halted.
    """
    from dexmm.store.flags import HaltFlag

    configs = load_all(config_path)
    config = configs[0]
    flag = HaltFlag(config.state_dir)
    journals = [journal for each in configs if (journal := _journal(each)) is not None]
    latched = [journal.memory().halted for journal in journals]
    reasons = list(dict.fromkeys(reason for reason in (flag.reason(), *latched) if reason))
    if not reasons:
        _tell(as_json, [], "nothing is halted")
        return
    if not as_json:
        click.echo("\n".join(f"halted: {reason}" for reason in reasons))
    if not yes and not _agreed(as_json):
        finish(STILL_HALTED)
    _lift(config, flag.clear, journals, "; ".join(reasons))
    if still := flag.reason():
        raise Halt(f"still halted: {still}; look at {flag.path}")
    _tell(as_json, reasons, "resumed: the next turn acts")


def _journal(config: Config) -> SqlJournal | None:
    """A broken journal must not keep a person from lifting the flag. One that cannot be read now
    may hold a halt of its own, so that nothing is known yet."""
    from dexmm.wiring.journal_access import open_journal

    try:
        return open_journal(config)
    except Transient:
        raise
    except DexmmError as error:
        click.echo(f"dexmm: {error.message}", err=True)
        return None


def _agreed(as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise BadInput("nobody can be asked here: look at the reason, then repeat with --yes")
    return click.confirm("Has the reason been dealt with, and may it act again?")


def _lift(
    config: Config, clear_flag: Callable[[], None], journals: list[SqlJournal], reason: str
) -> None:
    """Under the wallet's lease, so that a withdraw in progress is never resumed into."""
    from dexmm.cex.exchange import account_of
    from dexmm.chain.send.keys import wallet_address
    from dexmm.store.lease import WalletLease, lock_folder
    from dexmm.wiring.resume import resumed

    holder = wallet_address(config) if config.market.has_pool else account_of(config)
    lease = WalletLease(lock_folder(config), config.network.chain_id, holder)
    with lease.held(LEASE_SECONDS):
        for journal in journals:
            journal.resume(int(time.time()), reason, resumed(journal.memory()))
        clear_flag()


def _tell(as_json: bool, reasons: list[str], line: str) -> None:
    if as_json:
        answer({"halted": None, "before": reasons})
    else:
        click.echo(line)
