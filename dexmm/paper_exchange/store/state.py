"""The state file: SQLite, written in one transaction before a request is answered.

What a client was told is in the file: ending the process at any moment loses nothing that was
answered. (A power cut may lose the last moments, but never half of one: the file is not synced
for every order, which is what makes hundreds of orders a second possible.)

The house's quotes, the tape and the rehearsed faults are not kept. After a restart the house
quotes first, so that an account's resting orders stand behind it: never better than before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from dexmm.errors import BadInput, Transient, unusable
from dexmm.paper_exchange.engine.change_set import Changes, Income
from dexmm.paper_exchange.engine.ledger import Ledger
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Order, Trade
from dexmm.paper_exchange.store import codec

VERSION = 1
IN_MEMORY = ":memory:"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS markets (market TEXT PRIMARY KEY, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, market TEXT NOT NULL, owner TEXT NOT NULL, client TEXT NOT NULL,
    is_open INTEGER NOT NULL, created INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS orders_by_client ON orders (owner, client);
CREATE INDEX IF NOT EXISTS orders_open ON orders (is_open) WHERE is_open;
CREATE INDEX IF NOT EXISTS orders_by_market ON orders (owner, market, id);
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER NOT NULL, maker INTEGER NOT NULL, market TEXT NOT NULL, owner TEXT NOT NULL,
    order_id INTEGER NOT NULL, at INTEGER NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (id, maker));
CREATE INDEX IF NOT EXISTS trades_by_market ON trades (owner, market, id);
CREATE TABLE IF NOT EXISTS incomes (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, at INTEGER NOT NULL, doc TEXT NOT NULL);
"""

_ORDERS_NEWEST = """
SELECT doc FROM orders WHERE owner=? AND market=? AND id>=? AND created>=? AND created<=?
ORDER BY id DESC LIMIT ?"""
_ORDERS_FROM = _ORDERS_NEWEST.replace("DESC", "ASC")
_TRADES_NEWEST = """
SELECT doc FROM trades WHERE owner=? AND market=? AND id>=? AND at>=? AND at<=?
AND (?=0 OR order_id=?) ORDER BY id DESC, maker LIMIT ?"""
_TRADES_FROM = _TRADES_NEWEST.replace("DESC", "ASC")

NO_ROOM = ("disk is full", "disk I/O error")  # in SQLite's words


class State:
    """Opens or makes the file; ``BadInput`` when it is something else, or in use, ``Transient``
    when its disk is full."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                IN_MEMORY if path is None else path,
                isolation_level=None,
                check_same_thread=False,  # the exchange's lock is around every use
                timeout=1,
            )
            # One exchange a file: the lock is taken now and held until the end.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            if any(words in str(error) for words in NO_ROOM):
                raise Transient(
                    f"cannot write {path}: {error}; make room, then try again"
                ) from None
            raise BadInput(
                f"cannot use {path} as the paper exchange's state ({error}): end the exchange "
                "that uses it, or choose another file"
            ) from None
        except OSError as error:
            raise unusable(f"cannot make {path}", error, "choose another file") from None
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{path} is not a paper exchange's state ({error}): choose another file"
            ) from None
        self._check_version()

    def close(self) -> None:
        self._db.close()

    def write(self, changes: Changes, ledger: Ledger, markets: Mapping[str, Market]) -> None:
        """Everything that changed, or nothing of it."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?)",
                [_order_row(key, order) for key, order in changes.orders.values()],
            )
            db.executemany(
                "INSERT OR REPLACE INTO trades VALUES (?,?,?,?,?,?,?)",
                [_trade_row(key, trade) for key, trade in changes.trades],
            )
            db.executemany(
                "INSERT OR REPLACE INTO incomes VALUES (?,?,?,?)",
                [(i.income_id, i.owner, i.at_ms, codec.dump_income(i)) for i in changes.incomes],
            )
            accounts = [ledger.of(name) for name in changes.accounts]
            if changes.trades or changes.incomes:
                accounts.append(ledger.house)
            db.executemany(
                "INSERT OR REPLACE INTO accounts VALUES (?,?)",
                [(account.name, codec.dump_account(account)) for account in accounts],
            )
            if changes.markets:
                db.executemany(
                    "INSERT OR REPLACE INTO markets VALUES (?,?)",
                    [(key, codec.dump_market(market)) for key, market in markets.items()],
                )
            db.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?,?)",
                [
                    ("totals", codec.dump_totals(ledger)),
                    ("last_id", str(changes.last_id)),
                    ("now_ms", str(changes.now_ms)),
                ],
            )
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    # Reading it back

    def fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT doc FROM facts WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def account(self, name: str) -> str | None:
        row = self._db.execute("SELECT doc FROM accounts WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def market(self, key: str) -> str | None:
        row = self._db.execute("SELECT doc FROM markets WHERE market=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def open_orders(self) -> list[tuple[str, Order]]:
        """With their market's key, the oldest first."""
        rows = self._db.execute("SELECT market, doc FROM orders WHERE is_open ORDER BY id")
        return [(key, codec.load_order(doc)) for key, doc in rows]

    # History

    def order(self, key: str, owner: str, order_id: int) -> Order | None:
        row = self._db.execute(
            "SELECT doc FROM orders WHERE id=? AND market=? AND owner=?", (order_id, key, owner)
        ).fetchone()
        return None if row is None else codec.load_order(row[0])

    def order_by_client_id(self, key: str, owner: str, client: str) -> Order | None:
        """The newest one of that name: a name may be used again when its order has ended."""
        row = self._db.execute(
            "SELECT doc FROM orders WHERE owner=? AND client=? AND market=? "
            "ORDER BY id DESC LIMIT 1",
            (owner, client, key),
        ).fetchone()
        return None if row is None else codec.load_order(row[0])

    def orders(
        self, key: str, owner: str, *, since_ms: int, until_ms: int, from_id: int, limit: int
    ) -> list[Order]:
        """Oldest first: from ``from_id`` on when it is given, else the newest of the period."""
        rows = self._db.execute(
            _ORDERS_FROM if from_id else _ORDERS_NEWEST,
            (owner, key, from_id, since_ms, until_ms, limit),
        ).fetchall()
        found = [codec.load_order(doc) for (doc,) in rows]
        return found if from_id else found[::-1]

    def trades(
        self,
        key: str,
        owner: str,
        *,
        since_ms: int,
        until_ms: int,
        from_id: int,
        order_id: int,
        limit: int,
    ) -> list[Trade]:
        """Oldest first: from ``from_id`` on when it is given, else the newest of the period."""
        rows = self._db.execute(
            _TRADES_FROM if from_id else _TRADES_NEWEST,
            (owner, key, from_id, since_ms, until_ms, order_id, order_id, limit),
        ).fetchall()
        found = [codec.load_trade(doc) for (doc,) in rows]
        return found if from_id else found[::-1]

    def incomes(self, owner: str, since_ms: int, until_ms: int) -> list[Income]:
        rows = self._db.execute(
            "SELECT doc FROM incomes WHERE owner=? AND at>=? AND at<=? ORDER BY id",
            (owner, since_ms, until_ms),
        )
        return [codec.load_income(doc) for (doc,) in rows]

    def _check_version(self) -> None:
        found = self.fact("version")
        if found is None:
            self._db.execute("INSERT INTO facts VALUES ('version', ?)", (str(VERSION),))
        elif found != str(VERSION):
            raise BadInput(
                f"{self.path} was written by another version ({found}): choose another file"
            )


def _order_row(key: str, order: Order) -> tuple[int, str, str, str, int, int, str]:
    return (
        order.order_id,
        key,
        order.owner,
        order.ask.client_order_id,
        int(order.status.is_open),
        order.created_ms,
        codec.dump_order(order),
    )


def _trade_row(key: str, trade: Trade) -> tuple[int, int, str, str, int, int, str]:
    return (
        trade.trade_id,
        int(trade.is_maker),
        key,
        trade.owner,
        trade.order_id,
        trade.at_ms,
        codec.dump_trade(trade),
    )
