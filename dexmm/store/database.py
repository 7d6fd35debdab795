"""The database: its tables, how it is opened, and its errors in our words.

SQLite by default. Nothing here that PostgreSQL could not do: text, integers and primary keys.

A journal carries the number of its schema. One without a number is of before there were numbers,
and is number 1. An older one is brought up to ``SCHEMA`` by whoever opens it to write; a newer one
is refused, since what it says could be half understood.

    1   turns, resumes, configs, intents, orders
    2   the number itself; an order names its market
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

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
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from dexmm.config.schema import Config
from dexmm.errors import BadInput, DexmmError, Transient, passes, unusable, unwritable

SCHEMA = 2
BUSY_TIMEOUT_MS = 5_000
SQLITE = "sqlite:///"
JOURNAL = "journal.sqlite"

# The journal holds signed transactions, and what somebody owns: nobody else reads it. SQLite's own
# files beside it get the database's mode when SQLite makes them.
OWNER_ONLY = 0o600
BESIDE = ("", "-wal", "-shm", "-journal")
OTHERS = 0o077
LEAST_FREE = 64 << 10  # bytes: SQLite cannot even open a journal with less

_copies: dict[Path, Path] = {}  # made to be read -> the journal that people know

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


journal_schema = Table(
    "journal_schema",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    Column("version", Integer, nullable=False),
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

    Raises ``BadInput`` for a file that is no journal, ``Transient`` for one that is locked, that
    must not be written to, and for a disk that is full.
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
        found = schema_of(engine)
        _refuse_newer(engine, found)
        metadata.create_all(engine)
        if found != SCHEMA:
            _number(engine)
    return engine


def open_to_read(url: str) -> Engine:
    """As ``open_database``, also where nothing can be written: a backup, a read-only disk, a full
    one.

    There nothing is created or brought up to date. A journal that somebody else is writing is read
    beside him, through SQLite's shared memory. Of one at rest, what SQLite has not moved from its
    log into the database yet is read from a temporary copy of both; otherwise it is read in place.
    """
    file = Path(url.removeprefix(SQLITE))
    if not url.startswith(SQLITE):
        return open_database(url, durable=True)
    if _is_writable(file):
        try:
            return open_database(url, durable=True)
        except Transient:
            if not is_there(file) or not file.stat().st_size:
                raise  # nothing that could be read
    engine = _beside_a_writer(file) or _at_rest(file)
    with translated(engine):
        _refuse_newer(engine, schema_of(engine))
    return engine


def _beside_a_writer(file: Path) -> Engine | None:
    """None where there is no writer whose shared memory could be used."""
    if not file.with_name(file.name + "-shm").is_file():
        return None
    engine = create_engine(f"{SQLITE}file:{_quoted(file)}?mode=ro&uri=true")
    try:
        schema_of(engine)
    except DatabaseError:
        engine.dispose()
        return None
    return engine


def _at_rest(file: Path) -> Engine:
    log = file.with_name(file.name + "-wal")
    if log.is_file() and log.stat().st_size:
        file = _copied(file, log)
    return create_engine(f"{SQLITE}file:{_quoted(file)}?immutable=1&mode=ro&uri=true")


def schema_of(engine: Engine) -> int:
    """The number of the schema that the database was written with; 0 for an empty one."""
    tables = inspect(engine)
    if tables.has_table(journal_schema.name):
        with engine.connect() as connection:
            found = connection.scalar(select(journal_schema.c.version))
        if found is not None:
            return int(found)
    return 1 if tables.has_table(turns.name) else 0


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction, with the driver's errors in our words."""
    with translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    place = _place(engine)
    try:
        yield
    except OperationalError as error:
        said = str(error.orig)
        if "locked" in said or "busy" in said:
            raise Transient(f"the journal {place} is locked by another program") from None
        if passes_by_itself(said):
            raise Transient(f"the journal {place} cannot be written now: {said}") from None
        if engine.dialect.name == "sqlite" and (found := obstacle(Path(place))):
            raise found from None
        if "readonly" in said:  # moved or replaced under us, or mended a moment ago
            raise Transient(f"the journal {place} cannot be written now: {said}") from None
        raise BadInput(f"cannot use the journal {place}: {error.orig}") from None
    except DatabaseError as error:
        raise BadInput(
            f"the journal {place} is damaged ({error.orig}): move it away and start again; "
            "positions are found on chain, only history and timers are lost"
        ) from None


def _place(engine: Engine) -> str:
    """A file's path; of a server, its URL without the password."""
    if engine.dialect.name != "sqlite":
        return engine.url.render_as_string(hide_password=True)
    path = engine.url.database or ""
    if path.startswith("file:"):
        path = unquote(path.removeprefix("file:").partition("?")[0])
    return str(_copies.get(Path(path), path))


def obstacle(file: Path) -> DexmmError | None:
    """Why SQLite cannot write there, and which of the files it is; None where nothing shows."""
    file = file.absolute()
    try:
        if not file.is_file():
            return None  # no journal of ours: a wrong path
    except OSError as error:
        return _withdrawn(file, error)
    for name in BESIDE:
        beside = file.with_name(file.name + name)
        try:
            if beside.exists():
                os.close(os.open(beside, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            return _withdrawn(beside, error)
    folder = file.parent
    disk = os.statvfs(folder)
    free = disk.f_bavail if os.geteuid() else disk.f_bfree  # some is kept for root
    if disk.f_flag & os.ST_RDONLY:
        why = errno.EROFS
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = errno.EACCES
    elif disk.f_blocks and free * disk.f_frsize < LEAST_FREE:
        why = errno.ENOSPC
    else:
        return None
    return _withdrawn(folder, OSError(why, os.strerror(why)))


def is_there(file: Path) -> bool:
    """Whether there is a journal. Raises ``Transient`` where this user may not even look."""
    try:
        return file.is_file()
    except OSError as error:
        raise unwritable(
            f"cannot look at the journal {file.absolute()}", error, "make its folder readable"
        ) from None


def _withdrawn(path: Path, error: OSError) -> DexmmError:
    owner = ""
    with contextlib.suppress(OSError):
        uid = path.stat().st_uid
        if error.errno != errno.EROFS and uid != os.geteuid():
            owner = f" (it belongs to user {uid}, and this is user {os.geteuid()})"
    return unwritable(f"the journal cannot be written: {path}{owner}", error, "make it writable")


def _refuse_newer(engine: Engine, found: int) -> None:
    if found > SCHEMA:
        place = _place(engine)
        raise BadInput(
            f"the journal {place} is of a newer dexmm (schema {found}, this one knows up to "
            f"{SCHEMA}): install that version, or set another loop.state_dir"
        )


def _number(engine: Engine) -> None:
    """Note the number. Two processes may do so at once, and mean the same."""
    with contextlib.suppress(IntegrityError), engine.begin() as connection:
        if connection.execute(update(journal_schema).values(version=SCHEMA)).rowcount == 0:
            connection.execute(insert(journal_schema).values(id=1, version=SCHEMA))


def _is_writable(file: Path) -> bool:
    """Whether SQLite could work there: it writes beside the file even to read it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)


def _copied(file: Path, log: Path) -> Path:
    """Both, with the log moved into the database, in a folder that goes when the process ends."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="dexmm-journal-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for each in (file, log):
            shutil.copyfile(each, folder / each.name)
    except OSError as error:
        raise unusable(
            f"cannot copy the journal {file}, which cannot be read in place", error, "free space"
        ) from None
    copy = folder / file.name
    _copies[copy.absolute()] = file
    engine = create_engine(f"{SQLITE}{copy}")
    with translated(engine), engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return copy


def _quoted(file: Path) -> str:
    return quote(str(file.absolute()))


def passes_by_itself(said: str) -> bool:
    """Whether SQLite's words are of a disk that is full, or fails for the moment."""
    return "disk is full" in said or "disk I/O error" in said


def make_folder(folder: Path) -> None:
    """Make a state folder, for its owner alone; one that is there stays as it is.

    Raises ``Transient`` when the disk is full or read-only, ``BadInput`` for any other reason.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        kind = unwritable if error.errno == errno.EROFS else unusable
        raise kind(
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
