"""What earlier turns left behind, opened to be read, whatever state it is in."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from dexmm.chain.keys import wallet_address
from dexmm.config import Config
from dexmm.model.intent import Intent, IntentLog
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.journal import SqlJournal, market_key

SQLITE = "sqlite:///"


class NoIntents:
    """An intent log for those who only look: it knows of nothing, and refuses to be written."""

    def open_intents(self, wallet: str, chain_id: int) -> tuple[Intent, ...]:
        return ()

    def save(self, intent: Intent) -> NoReturn:
        raise TypeError("an observer sends nothing")


def has_journal(config: Config) -> bool:
    """Whether there is a journal yet. Looking must not create one."""
    url = journal_url(config)
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).is_file()


def open_journal(config: Config) -> SqlJournal | None:
    """The configured wallet's journal; ``None`` when there is none yet.

    Raises ``BadInput`` for a damaged one or an unknown wallet, ``Transient`` for a locked one.
    """
    if not has_journal(config):
        return None
    network = config.network
    market = market_key(network.chain_id, config.market.pool, wallet_address(config))
    engine = open_database(journal_url(config), durable=True)
    return SqlJournal(engine, market, HaltFlag(config.state_dir))


def open_intents(config: Config) -> IntentLog:
    """The intents on record, to tell what is in flight. Raises as ``open_journal``."""
    if not has_journal(config):
        return NoIntents()
    return SqlIntentLog(open_database(journal_url(config), durable=True))
