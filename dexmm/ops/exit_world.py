"""The real world around a withdraw: it must open where the loop's own world would not.

A journal that is missing, damaged or locked costs a warning. The intents it held are then
unknown: what still waits to be mined is seen in the wallet's nonces, and replaced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from dexmm.chain.client import connect
from dexmm.chain.keys import wallet_address
from dexmm.config import Config
from dexmm.errors import DexmmError
from dexmm.model.intent import Intent, IntentLog, IntentStatus
from dexmm.ops.world import wall_clock
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.lease import WalletLease, lock_folder
from dexmm.turn import Chain

log = logging.getLogger("dexmm.withdraw")

T = TypeVar("T")


class ForgivingIntentLog:
    """Intents in the journal while it works, and in memory from the moment it does not.

    Memory keeps everything saved here, so that nothing of this process is forgotten when the
    journal fails half-way. With ``read_only`` nothing is written to the journal.
    """

    def __init__(self, journal: Callable[[], IntentLog], *, read_only: bool) -> None:
        self._open = journal
        self._read_only = read_only
        self._journal: IntentLog | None = None
        self._failed = False
        self._saved: dict[str, Intent] = {}

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        stored = self._ask(lambda journal: journal.open_intents(wallet, chain_id)) or ()
        if self._read_only:
            # As if never seen mined: what a reorganisation drops is then not broadcast again.
            stored = tuple(replace(intent, status=IntentStatus.OPEN) for intent in stored)
        known = {intent.id: intent for intent in stored} | self._saved
        still_open = (i for i in known.values() if not i.status.final)
        return tuple(sorted(still_open, key=lambda intent: intent.nonce))

    def save(self, intent: Intent) -> None:
        self._saved[intent.id] = intent
        if not self._read_only:
            self._ask(lambda journal: journal.save(intent))

    def _ask(self, question: Callable[[IntentLog], T]) -> T | None:
        if self._failed:
            return None
        try:
            if self._journal is None:
                self._journal = self._open()
            return question(self._journal)
        except (DexmmError, ValueError, OSError) as error:
            self._failed = True
            why = error.message if isinstance(error, DexmmError) else type(error).__name__
            log.warning("going on without the journal: %s", why)
            return None


class ExitWorld:
    """Implements ``withdraw.World``."""

    def __init__(self, config: Config, *, dry_run: bool) -> None:
        self._config = config
        self._dry_run = dry_run

    def set_halt(self, reason: str) -> None:
        flag = HaltFlag(self._config.state_dir)
        before = flag.reason()
        if not before:
            flag.set(reason)
        elif not before.startswith(reason):
            flag.set(f"{reason} (it was halted before: {before})")

    def lease(self, timeout_seconds: float) -> AbstractContextManager[None]:
        address = wallet_address(self._config)
        folder = lock_folder(self._config)
        return WalletLease(folder, self._config.network.chain_id, address).held(timeout_seconds)

    def connect(self) -> Chain:
        intents = ForgivingIntentLog(self._journal, read_only=self._dry_run)
        return connect(self._config, intents, wall_clock, rescue=True)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def tell(self, line: str) -> None:
        log.info("%s", line)

    def warn(self, line: str) -> None:
        log.warning("%s", line)

    def _journal(self) -> IntentLog:
        return SqlIntentLog(open_database(journal_url(self._config), durable=True))
