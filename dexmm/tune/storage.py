"""Where a study is kept: a SQLite file for one machine, a PostgreSQL database for several.

A password is used to connect and nowhere else: no message, page or answer has it. Better still,
leave it out of the URL; the driver reads ``PGPASSWORD`` and ``~/.pgpass`` by itself.
"""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from dexmm.errors import BadInput, Transient, unusable
from dexmm.optional_packages import need

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

SQLITE_WAIT_SECONDS = 60  # for the lock that another worker holds
HEARTBEAT_SECONDS = 20
OPENINGS = 4  # tries
OPENING_SECONDS = 0.3
BEATS_MISSED = 3  # in a row, before a trial's worker counts as dead

EXPECTED = "expected sqlite:///path/to/file or postgresql://user@host/database"
_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    url: str = field(repr=False)  # may hold a password
    heartbeat_seconds: int = HEARTBEAT_SECONDS

    def __str__(self) -> str:
        """As people may see it."""
        url = make_url(self.url)
        name = url.drivername.partition("+")[0]
        return url.set(drivername=name, query={}).render_as_string(hide_password=True)


def sqlite_storage(folder: Path) -> Storage:
    """The file of one machine's studies, in the state folder."""
    return Storage(url=f"sqlite:///{folder / 'tune.sqlite'}")


def parse_storage(text: str) -> Storage:
    """A database URL as people write it. Raises ``BadInput``, which never repeats the URL."""
    try:
        url = make_url(text)
        name = url.drivername
    except (ArgumentError, ValueError):
        raise BadInput(f"--storage is not a database URL: {EXPECTED}") from None
    if name in _POSTGRES:
        need("psycopg", "postgres")
        url = url.set(drivername="postgresql+psycopg")
    elif name != "sqlite":
        raise BadInput(f"--storage cannot use {name}: {EXPECTED}")
    if not url.database or url.database == ":memory:":
        raise BadInput(f"--storage names no database that lasts: {EXPECTED}")
    return Storage(url=url.render_as_string(hide_password=False))


def password_of(storage: Storage) -> str | None:
    """To be hidden from everything that is printed."""
    url = make_url(storage.url)
    password = url.password or url.query.get("password")
    return str(password) if password else None


def open_storage(storage: Storage) -> RDBStorage:
    """Connect, and make the tables that are missing.

    Raises ``BadInput`` for a database that cannot hold studies, ``Transient`` for one that does
    not answer.
    """
    need("optuna", "backtest")
    from optuna import logging

    logging.set_verbosity(logging.ERROR)  # we tell what happens ourselves
    url = make_url(storage.url)
    options: dict[str, object] = {}
    if url.drivername == "sqlite":
        options = {"creator": _sqlite(Path(url.database or ""))}
    with _opening(storage), lost(storage):
        for _ in range(OPENINGS - 1):
            try:
                return _open(storage, options)
            except SQLAlchemyError:  # two machines that make the same tables: one comes second
                time.sleep(OPENING_SECONDS)
        return _open(storage, options)


def _open(storage: Storage, options: dict[str, object]) -> RDBStorage:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are what we rely on
        return RDBStorage(
            storage.url,
            engine_kwargs=options,
            heartbeat_interval=storage.heartbeat_seconds,
            grace_period=BEATS_MISSED * storage.heartbeat_seconds,
        )


@contextmanager
def opened(storage: Storage) -> Iterator[RDBStorage]:
    """``open_storage`` for as long as it is needed; a database that goes away is ``Transient``."""
    found = open_storage(storage)
    try:
        with lost(storage):
            yield found
    finally:
        found.engine.dispose()


@contextmanager
def lost(storage: Storage) -> Iterator[None]:
    """A database that went away, in our words: ``Transient``."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (OperationalError, StorageInternalError) as error:
        raise Transient(
            f"cannot use the storage {storage} ({_first_line(error)}): what was finished is kept, "
            "so run the same command again when it answers"
        ) from None


@contextmanager
def _opening(storage: Storage) -> Iterator[None]:
    """A database of another kind or another version: ``BadInput``."""
    try:
        yield
    except (SQLAlchemyError, RuntimeError) as error:
        raise BadInput(
            f"the storage {storage} cannot hold a study ({_first_line(error)}): name another"
        ) from None


def _first_line(error: BaseException) -> str:
    """What the driver itself said: optuna wraps it once, SQLAlchemy once more."""
    inner = error.__cause__ or error
    cause = getattr(inner, "orig", None) or inner
    return next(iter(str(cause).splitlines()), type(cause).__name__)


def _sqlite(path: Path) -> Callable[[], sqlite3.Connection]:
    """Connections whose readers do not wait for writers, and whose commits outlive the process
    but not a power cut: a search can be run again."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=SQLITE_WAIT_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connect().close()
    except OSError as error:
        raise unusable(
            f"cannot make the folder {path.parent}", error, "choose another --storage"
        ) from None
    except sqlite3.DatabaseError as error:
        raise BadInput(f"cannot keep a study in {path}: {error}") from None
    return connect
