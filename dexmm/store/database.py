"""The database: its tables, how it is opened, and its errors in our words.

SQLite by default. Nothing here that PostgreSQL could not do: text, integers and primary keys.
"""

from __future__ import annotations

import contextlib
import os
import stat
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
from dexmm.errors import BadInput, Transient, passes, unusable

BUSY_TIMEOUT_MS = 5_000
SQLITE = "sqlite:///"
JOURNAL = "journal.sqlite"

# The journal holds signed transactions, and what somebody owns: nobody else reads it. SQLite's own
# files beside it get the database's mode when SQLite makes them.
OWNER_ONLY = 0o600
BESIDE = ("", "-wal", "-shm", "-journal")
OTHERS = 0o077

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
    return f"sqlite:///{config.state_dir / JOURNAL}"


def open_database(url: str, *, durable: bool) -> Engine:
    """Open, and create what is missing.

    ``durable``: a commit survives a power cut (SQLite's ``synchronous=FULL``), as intents must.
    Otherwise it survives the death of the process, which is enough for a turn that sent nothing.

    SQLite's files are for the owner alone, mode 0600; those that others could read are tightened.

    Raises ``BadInput`` for a file that is no journal, ``Transient`` for one that is locked and for
    a disk that is full.
    """
    if url.startswith(SQLITE):
        file = Path(url.removeprefix(SQLITE))
        make_folder(file.parent)
        _keep_private(file)
        _keep_folder_private(file)
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
        said = str(error.orig)
        if "locked" in said or "busy" in said:
            raise Transient(f"the journal {place} is locked by another program") from None
        if passes_by_itself(said):
            raise Transient(f"the journal {place} cannot be written now: {said}") from None
        raise BadInput(f"cannot use the journal {place}: {error.orig}") from None
    except DatabaseError as error:
        raise BadInput(
            f"the journal {place} is damaged ({error.orig}): move it away and start again; "
            "positions are found on chain, only history and timers are lost"
        ) from None


def passes_by_itself(said: str) -> bool:
    """Whether SQLite's words are of a disk that is full, or fails for the moment."""
    return "disk is full" in said or "disk I/O error" in said


def make_folder(folder: Path) -> None:
    """Make a state folder, for its owner alone; one that is there stays as it is.

    Raises ``Transient`` when the disk is full, ``BadInput`` for any other reason.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(
            f"cannot make the state folder {folder}", error, "choose another loop.state_dir"
        ) from None


def _keep_private(file: Path) -> None:
    """Before SQLite opens it, so that there is no moment at which others can read it."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
    except OSError as error:
        if passes(error):
            raise unusable(f"cannot use the journal {file}", error, "") from None
        return  # read-only, or no file at all: SQLite has the words for it
    for name in BESIDE:
        beside = file.with_name(file.name + name)
        # Another user's file, or one that has just gone: nothing that could be tightened.
        with contextlib.suppress(OSError):
            mode = beside.stat().st_mode
            if mode & OTHERS:
                beside.chmod(stat.S_IMODE(mode) & ~OTHERS)


def _keep_folder_private(file: Path) -> None:
    """A state folder as the product makes it is its owner's alone, an older one from now on.

    One that serves other things as well is left as it is: the folder of the configuration, a home,
    a shared one, one that the journal was sent to under another name.
    """
    folder = file.parent
    with contextlib.suppress(OSError, RuntimeError):
        found = folder.stat()
        ours = file.name == JOURNAL and found.st_uid == os.geteuid()
        places = {Path("/"), Path.home(), Path.cwd(), *Path.cwd().parents}
        shared = found.st_mode & stat.S_ISVTX or folder.resolve() in places
        if not ours or shared or any(folder.glob("*.toml")):
            return
        if found.st_mode & OTHERS:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)


def _tune_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: object, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.close()
