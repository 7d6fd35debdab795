"""The journal's files: nobody else's to read, and a full disk is no wrong configuration."""

import errno
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dexmm.errors import BadInput, DexmmError, Transient, unusable
from dexmm.store.database import JOURNAL, open_database, transaction, translated
from dexmm.store.lease import WalletLease

WALLET = "0x" + "ab" * 20


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(folder: Path, name: str = JOURNAL) -> list[Path]:
    """Open a journal, write to it, and list its files while it is open."""
    engine = open_database(f"sqlite:///{folder / name}", durable=True)
    with transaction(engine) as connection:
        connection.execute(text("INSERT INTO configs VALUES ('a', 'b')"))
    return sorted(folder.iterdir())


@pytest.fixture(autouse=True)
def _usual_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_journal_is_its_owners_alone(tmp_path: Path) -> None:
    files = written(tmp_path / "state")
    assert [file.name for file in files] == [JOURNAL, f"{JOURNAL}-shm", f"{JOURNAL}-wal"]
    assert {mode(file) for file in files} == {0o600}
    assert mode(tmp_path / "state") == 0o700


def test_an_older_one_is_tightened_when_it_is_opened(tmp_path: Path) -> None:
    state = tmp_path / "state"
    files = written(state)
    state.chmod(0o755)
    for file in files:
        file.chmod(0o644)
    (state / f"{JOURNAL}-journal").touch(mode=0o664)
    open_database(f"sqlite:///{state / JOURNAL}", durable=False)
    assert mode(state) == 0o700
    assert {mode(file) for file in state.iterdir()} == {0o600}


@pytest.mark.parametrize("neighbour", ["dexmm.toml", None])
def test_a_folder_that_serves_others_too_keeps_its_mode(
    tmp_path: Path, neighbour: str | None
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    name = JOURNAL
    if neighbour is None:
        name = "elsewhere.sqlite"
    else:
        (shared / neighbour).touch()
    files = written(shared, name)
    assert mode(shared) == 0o755
    assert {mode(f) for f in files if f.name.startswith(name)} == {0o600}


def test_a_sticky_folder_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    written(shared)
    assert mode(shared) == 0o1777


def test_locks_are_kept_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    lease = WalletLease(tmp_path / "locks", 1, WALLET)
    with lease.held():
        assert (mode(lease.path), mode(lease.path.parent)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("database or disk is full", Transient),
        ("disk I/O error", Transient),
        ("database is locked", Transient),
        ("attempt to write a readonly database", Transient),
        ("unable to open database file", BadInput),
    ],
)
def test_what_passes_by_itself_is_tried_again(
    tmp_path: Path, said: str, kind: type[DexmmError]
) -> None:
    engine = open_database(f"sqlite:///{tmp_path / JOURNAL}", durable=False)
    with pytest.raises(kind), translated(engine):
        raise OperationalError("INSERT", {}, Exception(said))


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, Transient, "make room, then try again"),
        (errno.EDQUOT, Transient, "make room, then try again"),
        (errno.EIO, Transient, "make room, then try again"),
        (errno.EACCES, BadInput, "name another"),
        (errno.EROFS, BadInput, "name another"),
    ],
)
def test_files_fail_for_a_while_or_until_somebody_mends_it(
    number: int, kind: type[DexmmError], says: str
) -> None:
    error = unusable("cannot write it", OSError(number, os.strerror(number)), "name another")
    assert type(error) is kind
    assert error.message == f"cannot write it: {os.strerror(number)}; {says}"
