"""What can be checked without a node: the machine, the files, the key, what earlier turns left."""

from __future__ import annotations

import os
import platform
import shlex
import stat
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dexmm.cex.exchange import account_of
from dexmm.chain.send.keys import LOCKED, load_key, wallet_address
from dexmm.config.schema import Config
from dexmm.errors import BadInput, DexmmError, Transient
from dexmm.health.check import Check, fail, failed_by, ok, skip, warn
from dexmm.store.flags import HaltFlag
from dexmm.store.lease import WalletLease, lock_folder
from dexmm.wiring.journal_access import not_writable, open_journal

OLDEST_PYTHON = (3, 11)
PACKAGES = ("web3", "eth-account", "sqlalchemy", "pydantic", "tenacity", "python-dotenv", "ccxt")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
HALTED = 4
SHOWN = 3  # of the turns that cannot be read


def machine(find_anvil: Callable[[], Path]) -> Iterator[Check]:
    """Python, packages and Anvil. The last is for the sandbox alone, so its absence is no fault."""
    running = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield ok("python", running)
    else:
        yield fail("python", f"{running} is too old", "install Python 3.11 or newer")
    missing = [name for name in PACKAGES if _version(name) is None]
    if missing:
        yield fail("packages", f"missing: {', '.join(missing)}", "run scripts/setup")
    else:
        yield ok("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    try:
        yield ok("anvil", str(find_anvil()))
    except DexmmError as error:
        yield warn("anvil", "none was found; only `dexmm sandbox` needs one", error.message)


def secrets(config: Config) -> Iterator[Check]:
    """The files that hold secrets, and whether the key opens."""
    dotenv = config.root / ".env"
    if dotenv.is_file() and dotenv.stat().st_mode & OTHERS:
        verdict = fail if config.network.name == "mainnet" else warn
        yield verdict(
            "secrets",
            f"{dotenv} can be read by others",
            f"run `chmod 600 {shlex.quote(str(dotenv))}`",
        )
    else:
        yield ok("secrets", f"{dotenv} is yours alone" if dotenv.is_file() else "there is no .env")
    if config.market.has_pool:
        yield _key(config)


def state(config: Config) -> Iterator[Check]:
    """The state folder, the journal, the lock and the HALT flag."""
    yield _folder(config)
    yield _journal(config)
    yield _lock(config)
    reason = HaltFlag(config.state_dir).reason()
    if reason:
        yield fail(
            "halt", f"halted: {reason}", "look into it, then `dexmm resume`", exit_code=HALTED
        )
    else:
        yield ok("halt", "not halted")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _key(config: Config) -> Check:
    wallet = config.wallet
    if wallet.private_key is None and wallet.keystore is None:
        return warn(
            "key",
            f"none is configured: {wallet.address} can be looked at, not acted for"
            if wallet.address
            else "none is configured, and no wallet.address: nobody's wallet can be looked at",
            "make one with `dexmm keystore`, set wallet.keystore, and DEXMM_WALLET__PASSWORD in "
            ".env; to look, wallet.address is enough",
        )
    keystore = config.root / wallet.keystore if wallet.keystore is not None else None
    if keystore is not None and wallet.private_key is None and wallet.password is None:
        if not keystore.is_file():
            return fail("key", f"there is no keystore at {keystore}", "correct wallet.keystore")
        if keystore.stat().st_mode & OTHERS:
            advice = f"run `chmod 600 {shlex.quote(str(keystore))}`"
            return fail("key", f"{keystore} can be read by others", advice)
        try:
            return ok("key", f"opens without a password, for {load_key(config).address}")
        except BadInput as error:
            if error.message != LOCKED:
                return failed_by("key", error)
        return warn(
            "key",
            f"{keystore} is locked: its password is not set, or empty",
            "set DEXMM_WALLET__PASSWORD in .env or the environment",
        )
    try:
        return ok("key", f"opens, for {load_key(config).address}")
    except DexmmError as error:
        return failed_by("key", error)


def _folder(config: Config) -> Check:
    folder = config.state_dir
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        advice = "make it writable, or correct loop.state_dir"
        passes = existing == folder or os.statvfs(existing).f_flag & os.ST_RDONLY
        code = Transient.exit_code if passes else BadInput.exit_code
        return fail("state folder", f"{existing} cannot be written", advice, exit_code=code)
    note = "" if existing == folder else " (will be made by the first turn)"
    return ok("state folder", f"{folder}{note}")


def _journal(config: Config) -> Check:
    try:
        journal = open_journal(config)
        last = journal.last() if journal is not None else None
    except DexmmError as error:
        return failed_by("journal", error)
    if obstacle := not_writable(config):
        return failed_by("journal", obstacle)
    if journal is None:
        return ok("journal", "none yet; the first turn begins it")
    if unreadable := journal.unreadable:
        return warn("journal", "; ".join(str(each) for each in unreadable[-SHOWN:]))
    if last is None:
        return ok("journal", "no turns yet")
    return ok("journal", f"its last turn is number {last.id}")


def _lock(config: Config) -> Check:
    try:
        # Without a pool the account is what only one process may write to.
        owner = wallet_address(config) if config.market.has_pool else account_of(config)
    except BadInput:
        return skip("lock", "without wallet.address or a key that opens nobody knows whose it is")
    try:
        holder = WalletLease(lock_folder(config), config.network.chain_id, owner).holder()
    except DexmmError as error:
        return failed_by("lock", error)
    if holder is None:
        return ok("lock", "free")
    return ok("lock", f"held by process {holder}: a turn is being made")
