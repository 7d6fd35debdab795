"""Puts the real world together for the commands: chain, exchange, journal, lease and flag."""

from __future__ import annotations

from collections.abc import Sequence

from dexmm.cex.account_clients import AccountClients
from dexmm.cex.exchange import account_name, account_of
from dexmm.chain.client import connect
from dexmm.config.schema import Config
from dexmm.engine.loop import World
from dexmm.model.order import OrderLog
from dexmm.protocols import Cex, Clock
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.journal import SqlJournal, market_key
from dexmm.store.lease import WalletLease, lock_folder
from dexmm.store.orders import SqlOrderLog
from dexmm.wiring.clock import wall_clock
from dexmm.wiring.exchange_only import without_pool
from dexmm.wiring.exit import HaltedExitWorld
from dexmm.wiring.shared_wallet import refuse_unified_accounts, shared

Clients = dict[str, AccountClients]


def open_world(
    config: Config, *, exchange_clock: Clock = wall_clock, clients: Clients | None = None
) -> World:
    """Connect and open everything that turns of one market need.

    Time is the machine's on mainnet. A sandbox or a fork lives in its own time, so there it is
    the newest block's: a node of one's own cannot lag behind the chain it is. ``exchange_clock``
    is the time, in seconds, that the exchange lives in; ``clients`` as for ``open_client``.
    """
    url = journal_url(config)
    flag = HaltFlag(config.state_dir)
    durable = open_database(url, durable=True)
    journal = open_database(url, durable=False)
    cex = open_exchange(config, SqlOrderLog(durable), exchange_clock, clients)
    if not config.market.has_pool and cex is not None:
        record = SqlJournal(journal, market_of(config, ""), flag)
        return _without_pool(config, cex, record, flag, exchange_clock)
    chain = connect(config, SqlIntentLog(durable), wall_clock, stop=flag.reason)
    market = market_key(config.network.chain_id, config.market.pool, chain.address)
    return World(
        chain=chain,
        journal=SqlJournal(journal, market, flag),
        lease=WalletLease(lock_folder(config), config.network.chain_id, chain.address),
        flag=flag,
        config=config,
        clock=wall_clock if config.network.name == "mainnet" else chain.newest_timestamp,
        cex=cex,
        exit_means=lambda reason, several: HaltedExitWorld(config, cex, reason, several=several),
    )


def open_worlds(
    configs: Sequence[Config], *, exchange_clock: Clock = wall_clock
) -> tuple[World, ...]:
    """One world a market, over one shared wallet; each sees no more than its part of it.

    Raises ``BadInput`` as ``refuse_unified_accounts``.
    """
    refuse_unified_accounts(configs)
    clients: Clients = {}
    worlds = [open_world(c, exchange_clock=exchange_clock, clients=clients) for c in configs]
    orders = None
    if any(config.exchange is not None for config in configs):
        orders = SqlOrderLog(open_database(journal_url(configs[0]), durable=True))
    return shared(worlds, orders)


def open_exchange(
    config: Config, orders: OrderLog, clock: Clock, clients: Clients | None = None
) -> Cex | None:
    """The client of ``[exchange]``; None where there is none. ccxt is imported only here."""
    if config.exchange is None:
        return None
    from dexmm.cex.client import open_client

    return open_client(config, orders, clock, clients=clients)


def market_of(config: Config, wallet: str) -> str:
    """The journal's name for a market; one without a pool is named by its exchange account."""
    if config.market.has_pool:
        return market_key(config.network.chain_id, config.market.pool, wallet)
    assert config.exchange is not None  # noqa: S101 - the configuration was refused otherwise
    return f"{account_name(config.exchange)}:{config.exchange.symbol}"


def _without_pool(
    config: Config, cex: Cex, journal: SqlJournal, flag: HaltFlag, clock: Clock
) -> World:
    """The account is what only one process may write to: it stands where the wallet would."""
    account = account_of(config)
    chain, venue = without_pool(cex, config)
    return World(
        chain=chain,
        journal=journal,
        lease=WalletLease(lock_folder(config), config.network.chain_id, account),
        flag=flag,
        config=config,
        clock=clock,
        cex=venue,
        exit_means=lambda reason, several: HaltedExitWorld(config, cex, reason, several=several),
    )
