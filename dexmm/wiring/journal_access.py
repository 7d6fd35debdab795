"""What earlier turns left behind, opened to be read, whatever state it is in."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from dexmm.chain.send.keys import wallet_address
from dexmm.config.schema import Config
from dexmm.errors import DexmmError
from dexmm.model.intent import Intent, IntentLog
from dexmm.model.order import OrderIntent, OrderLog
from dexmm.store.database import is_there, journal_url, obstacle, open_to_read
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.journal import SqlJournal
from dexmm.store.orders import SqlOrderLog
from dexmm.wiring.live import market_of

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
    return not url.startswith(SQLITE) or is_there(Path(url.removeprefix(SQLITE)))


def not_writable(config: Config) -> DexmmError | None:
    """Why a turn could not write to the journal that is there; None where nothing shows."""
    url = journal_url(config)
    return obstacle(Path(url.removeprefix(SQLITE))) if url.startswith(SQLITE) else None


def open_journal(config: Config) -> SqlJournal | None:
    """The configured wallet's journal; ``None`` when there is none yet.

    Raises ``BadInput`` for a damaged one or an unknown wallet, ``Transient`` for a locked one.
    """
    if not has_journal(config):
        return None
    market = market_of(config, wallet_address(config) if config.market.has_pool else "")
    engine = open_to_read(journal_url(config))
    return SqlJournal(engine, market, HaltFlag(config.state_dir))


def open_intents(config: Config) -> IntentLog:
    """The intents on record, to tell what is in flight. Raises as ``open_journal``."""
    if not has_journal(config):
        return NoIntents()
    return SqlIntentLog(open_to_read(journal_url(config)))


class OrdersOnLoan:
    """An order log for those who only look: what is on record, and changes kept to oneself."""

    def __init__(self, stored: OrderLog | None) -> None:
        self._stored = stored
        self._own: dict[str, OrderIntent] = {}

    def open_orders(self, account: str) -> tuple[OrderIntent, ...]:
        found = self._stored.open_orders(account) if self._stored is not None else ()
        return tuple(o for o in self._with_own(found) if not o.status.final)

    def orders_since(self, account: str, since: int) -> tuple[OrderIntent, ...]:
        found = self._stored.orders_since(account, since) if self._stored is not None else ()
        return tuple(o for o in self._with_own(found) if o.created_at >= since)

    def save_order(self, order: OrderIntent) -> None:
        self._own[order.client_id] = order

    def _with_own(self, found: tuple[OrderIntent, ...]) -> tuple[OrderIntent, ...]:
        return tuple(({order.client_id: order for order in found} | self._own).values())


def borrowed_orders(config: Config) -> OrdersOnLoan:
    """The orders on record, to tell what rests. Raises as ``open_journal``."""
    if not has_journal(config):
        return OrdersOnLoan(None)
    return OrdersOnLoan(SqlOrderLog(open_to_read(journal_url(config))))
