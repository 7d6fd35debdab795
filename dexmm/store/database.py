"""The database: its tables, how it is opened, and its errors in our words.

SQLite by default. Nothing here that PostgreSQL could not do: text, integers and primary keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from dexmm.config import Config
from dexmm.errors import BadInput, Transient

BUSY_TIMEOUT_MS = 5_000

metadata = MetaData()

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("market", String(64), nullable=False, index=True),
    Column("at", Integer, nullable=False, index=True),
    Column("block", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("trigger", String(16)),
    Column("acted", Integer, nullable=False),
    Column("config", String(16), nullable=False),
    Column("entry", Text, nullable=False),
    Column("memory", Text, nullable=False),
    sqlite_autoincrement=True,
)

resumes = Table(
    "resumes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("market", String(64), nullable=False, index=True),
    Column("at", Integer, nullable=False),
    Column("after_turn", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("memory", Text, nullable=False),
    sqlite_autoincrement=True,
)

configs = Table(
    "configs",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("body", Text, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("wallet", String(42), nullable=False, index=True),
    Column("chain_id", Integer, nullable=False),
    Column("nonce", Integer, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("body", Text, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("client_id", String(64), nullable=False, unique=True),
    Column("account", String(64), nullable=False, index=True),
    Column("created_at", Integer, nullable=False, index=True),
    Column("status", String(16), nullable=False, index=True),
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)


def journal_url(config: Config) -> str:
    if config.loop.journal_url is not None:
        return config.loop.journal_url.get_secret_value()
    return f"sqlite:///{config.state_dir / 'journal.sqlite'}"


def open_database(url: str, *, durable: bool) -> Engine:
    """Open, and create what is missing.

    ``durable``: a commit survives a power cut (SQLite's ``synchronous=FULL``), as intents must.
    Otherwise it survives the death of the process, which is enough for a turn that sent nothing.

    Raises ``BadInput`` for a file that is no journal, ``Transient`` for one that is locked.
    """
    if url.startswith("sqlite:///"):
        _make_folder(Path(url.removeprefix("sqlite:///")).parent)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, "FULL" if durable else "NORMAL")
    with translated(engine):
        metadata.create_all(engine)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction, with the driver's errors in our words."""
    with translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    place = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig) or "busy" in str(error.orig):
            raise Transient(f"the journal {place} is locked by another program") from None
        raise BadInput(f"cannot use the journal {place}: {error.orig}") from None
    except DatabaseError as error:
        raise BadInput(
            f"the journal {place} is damaged ({error.orig}): move it away and start again; "
            "positions are found on chain, only history and timers are lost"
        ) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the state folder {folder}: {error.strerror}") from None


def _tune_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: object, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.close()
