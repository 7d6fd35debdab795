"""Puts the real world together for the commands: chain, journal, lease and flag of one wallet."""

from __future__ import annotations

import time

from dexmm.chain.client import connect
from dexmm.config import Config
from dexmm.loop import World
from dexmm.store.database import journal_url, open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.journal import SqlJournal, market_key
from dexmm.store.lease import WalletLease, lock_folder


def wall_clock() -> int:
    return int(time.time())


def open_world(config: Config) -> World:
    """Connect and open everything that turns need.

    Time is the machine's on mainnet. A sandbox or a fork lives in its own time, so there it is
    the newest block's: a node of one's own cannot lag behind the chain it is.
    """
    url = journal_url(config)
    flag = HaltFlag(config.state_dir)
    intents = SqlIntentLog(open_database(url, durable=True))
    chain = connect(config, intents, wall_clock, stop=flag.reason)
    market = market_key(config.network.chain_id, config.market.pool, chain.address)
    return World(
        chain=chain,
        journal=SqlJournal(open_database(url, durable=False), market, flag),
        lease=WalletLease(lock_folder(config), config.network.chain_id, chain.address),
        flag=flag,
        config=config,
        clock=wall_clock if config.network.name == "mainnet" else chain.newest_timestamp,
    )
