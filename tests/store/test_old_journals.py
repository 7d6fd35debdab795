"""Journals of earlier versions open, decode and replay; those of later ones are refused.

``journals/schema-1.sqlite.gz`` was written by the build before journals had a number: six turns of
`dexmm sandbox --exchange --quotes --seed 3 --set triangle.enabled=true`, and a resume after them.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.cli.main import run
from dexmm.errors import BadInput, Transient
from dexmm.model.order import Purpose
from dexmm.store.database import SCHEMA, open_database, open_to_read, schema_of
from dexmm.store.flags import HaltFlag
from dexmm.store.intents import SqlIntentLog
from dexmm.store.journal import SqlJournal
from dexmm.store.orders import SqlOrderLog
from dexmm.wiring.replay import replay

STORED = Path(__file__).parent / "journals" / "schema-1.sqlite.gz"
WALLET = "0x59e36A317d7a2500edB220eDD7f9b10130EAec8F"
MARKET = "1:7cb85f75e612:59e36a317d7a2500edb220edd7f9b10130eaec8f"
TURNS = 6
NOBODY = 65534
CONFIG = f"""
[network]
name = "sandbox"
rpc_urls = ["http://127.0.0.1:1"]

[wallet]
address = "{WALLET}"

[market]
pool = "0x7Cb85f75e61226060453a997a7733F76707Df337"
base = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
price_low = 2000
price_high = 8000

[exchange]
perpetual_id = "binanceusdm"
perpetual_symbol = "PAXG/USDT:USDT"
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The stored journal, in the state folder of a configuration."""
    (tmp_path / "dexmm.toml").write_text(CONFIG)
    (tmp_path / ".dexmm").mkdir()
    file = tmp_path / ".dexmm" / "journal.sqlite"
    file.write_bytes(gzip.decompress(STORED.read_bytes()))
    return file


def a_journal(file: Path) -> SqlJournal:
    engine = open_database(f"sqlite:///{file}", durable=True)
    return SqlJournal(engine, MARKET, HaltFlag(file.parent))


def spoil(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute(statement)
    raw.close()


def content(file: Path) -> list[str]:
    with sqlite3.connect(file) as raw:
        found = list(raw.iterdump())
    raw.close()
    return found


def test_an_old_journal_is_read_whole(old: Path) -> None:
    journal = a_journal(old)
    entries = list(journal.entries())
    assert [entry.id for entry in entries] == list(range(1, TURNS + 1))
    assert entries[0].decision.trigger == "start"
    assert entries[-1].decision.nav == Decimal("50016.56034884405362180246000000")
    assert journal.last() == entries[-1]
    assert journal.unreadable == ()
    memory = journal.memory()  # the resume's: peaks are forgotten, the day's gas is not
    assert (memory.peak_nav, memory.gas_spent_today) == (None, 1_484_411_458_637_390)
    engine = open_database(f"sqlite:///{old}", durable=True)
    assert SqlIntentLog(engine).open_intents(WALLET, 1) == ()
    orders = SqlOrderLog(engine).orders_since("binance:cd16a6e3", 0)
    assert len(orders) == 18
    assert {order.purpose for order in orders} == {Purpose.QUOTE}
    assert {order.market for order in orders} == {""}


def test_an_old_journal_replays(old: Path) -> None:
    """Every turn is decided again, with the settings on record. What a rule decides may change."""
    journal = a_journal(old)
    result = replay(journal.entries(), journal.config)
    assert (result.turns, result.undecided) == (TURNS, ())


def test_opening_numbers_an_old_journal_once(old: Path) -> None:
    for _ in range(2):
        engine = open_database(f"sqlite:///{old}", durable=True)
        assert schema_of(engine) == SCHEMA
        engine.dispose()
    with sqlite3.connect(old) as raw:
        assert raw.execute("SELECT id, version FROM journal_schema").fetchall() == [(1, SCHEMA)]
        assert raw.execute("SELECT count(*) FROM turns").fetchone() == (TURNS,)
    raw.close()


@pytest.mark.parametrize("command", [["replay"], ["report", "--json"], ["log"], ["run", "--once"]])
def test_a_journal_of_a_later_version_is_refused_in_one_sentence(
    old: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    a_journal(old)
    spoil(old, "UPDATE journal_schema SET version = version + 1")
    before = content(old)
    key = "0x" + "5b" * 32
    (old.parent.parent / ".env").write_text(f"DEXMM_WALLET__PRIVATE_KEY={key}\n")
    (old.parent.parent / "dexmm.toml").write_text(CONFIG.replace(f'address = "{WALLET}"', ""))
    assert run([*command, "--config", str(old.parent.parent / "dexmm.toml")]) == 2
    told = capsys.readouterr().err
    assert f"of a newer dexmm (schema {SCHEMA + 1}, this one knows up to {SCHEMA})" in told
    assert len(told.strip().splitlines()) == 1
    assert content(old) == before


DAMAGE = {
    "cut short": "UPDATE turns SET entry = substr(entry, 1, 4000) WHERE id = 3",
    "no text": "UPDATE turns SET entry = CAST(x'ff00fe' AS TEXT) WHERE id = 3",
    "a later word": "UPDATE turns SET entry = replace(entry, '\"ACTIVE\"', '\"DREAMING\"') "
    "WHERE id = 3",
    "memory": "UPDATE turns SET memory = '{}}' WHERE id = 3",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_one_unreadable_turn_is_named_and_passed_over(
    old: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(old, damage)
    config = str(old.parent.parent / "dexmm.toml")
    journal = a_journal(old)
    assert [entry.id for entry in journal.entries()] == [1, 2, 4, 5, 6]
    assert [each.turn for each in journal.unreadable] == [3]

    assert run(["replay", "--json", "--config", config]) in (0, 3)  # 3: a rule that has changed
    told = json.loads(capsys.readouterr().out)
    assert told["turns"] == TURNS - 1
    assert [each["turn"] for each in told["passed_over"]] == [3]
    assert run(["replay", "--config", config]) in (0, 3)
    out = capsys.readouterr().out
    assert "turn 3  passed over: " in out
    assert "5 turns decided again" in out
    assert "1 passed over" in out

    assert run(["report", "--json", "--config", config]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["turn"] for each in told["passed_over"]] == [3]
    assert any("cannot be read are passed over: 3" in line for line in told["assumptions"])
    assert told["uptime"]["turns"] == TURNS - 1


def test_a_turn_whose_settings_are_lost_is_passed_over(old: Path) -> None:
    lost = """UPDATE turns SET entry = replace(entry, '"config":"', '"config":"0') WHERE id = 2"""
    spoil(old, lost)
    journal = a_journal(old)
    result = replay(journal.entries(), journal.config)
    assert (result.turns, [each.turn for each in result.undecided]) == (TURNS - 1, [2])
    with pytest.raises(BadInput, match="--config-from file"):
        replay(journal.entries(), lambda _: None)


def test_a_memory_that_cannot_be_read_is_the_newest_that_can(old: Path) -> None:
    """It must not begin afresh: that would forget what was spent, lost and halted."""
    spoil(old, "DELETE FROM resumes")
    fifth = list(a_journal(old).entries())[4].memory
    spoil(old, "UPDATE turns SET memory = substr(memory, 1, 300) WHERE id = 6")
    journal = a_journal(old)
    assert journal.memory() == fifth
    assert fifth.gas_spent_today > 0
    assert [each.turn for each in journal.unreadable] == [6]
    last = journal.last()
    assert last is not None
    assert last.id == 5


def test_a_resume_stands_for_a_memory_that_cannot_be_read(old: Path) -> None:
    before = a_journal(old).memory()
    spoil(old, "UPDATE turns SET memory = ''")
    assert a_journal(old).memory() == before
    spoil(old, "UPDATE resumes SET memory = ''")
    with pytest.raises(BadInput, match="restore the journal from a backup"):
        a_journal(old).memory()


def test_no_memory_at_all_is_no_fresh_one(old: Path) -> None:
    spoil(old, "DELETE FROM resumes")
    spoil(old, "UPDATE turns SET memory = '?'")
    with pytest.raises(BadInput, match="would forget limits that have tripped"):
        a_journal(old).memory()


def test_an_order_that_has_ended_is_passed_over_and_an_open_one_is_not(
    old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_database(f"sqlite:///{old}", durable=True)
    account = "binance:cd16a6e3"
    spoil(old, "UPDATE orders SET body = substr(body, 1, 40) WHERE id = 2")
    assert len(SqlOrderLog(engine).orders_since(account, 0)) == 17
    assert "has ended, and is passed over" in caplog.text
    spoil(old, "UPDATE orders SET status = 'open' WHERE id = 2")
    with pytest.raises(BadInput, match="cancel it there"):
        SqlOrderLog(engine).open_orders(account)


def test_a_transaction_that_may_be_mined_is_never_passed_over(old: Path) -> None:
    spoil(old, "UPDATE intents SET status = 'open', body = '{' WHERE nonce = 0")
    engine = open_database(f"sqlite:///{old}", durable=True)
    with pytest.raises(BadInput, match=r"nonce 0\) is on record as not final"):
        SqlIntentLog(engine).open_intents(WALLET, 1)


def test_a_damaged_page_costs_the_turns_on_it(old: Path) -> None:
    """A disk that has lost one page: SQLite answers no question that touches it."""
    whole = old.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    spoiled = whole.find(b'"at":1704072600')  # of turn 3
    page = spoiled // size
    old.write_bytes(whole[: page * size] + b"\xff" * size + whole[(page + 1) * size :])
    journal = a_journal(old)
    read = [entry.id for entry in journal.entries()]
    named = [each.turn for each in journal.unreadable]
    assert 1 <= len(named) < TURNS
    assert sorted(read + named) == list(range(1, TURNS + 1))


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that other users may reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="dexmm-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_copy_that_cannot_be_written_is_read_with_its_log(old: Path, folder: Path) -> None:
    """Also what SQLite keeps in the file beside it; nothing appears in the folder."""
    with sqlite3.connect(old) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA wal_autocheckpoint = 0")
        raw.execute("UPDATE turns SET at = at + 1 WHERE id = 6")
        raw.commit()
        for name in ("journal.sqlite", "journal.sqlite-wal"):
            (folder / name).write_bytes((old.parent / name).read_bytes())
    raw.close()
    copy = folder / "journal.sqlite"
    names = sorted(each.name for each in folder.iterdir())

    def read() -> None:
        engine = open_to_read(f"sqlite:///{copy}")
        journal = SqlJournal(engine, MARKET, HaltFlag(folder))
        assert [entry.id for entry in journal.entries(1_704_078_001)] == [6]
        assert sorted(each.name for each in folder.iterdir()) == names
        with pytest.raises(Transient, match=f"cannot be written: {copy}"):
            journal.resume(1, "no", journal.memory())

    read_by_another(folder, read)
    (folder / "journal.sqlite-wal").unlink()
    names.remove("journal.sqlite-wal")

    def read_in_place() -> None:
        journal = SqlJournal(open_to_read(f"sqlite:///{copy}"), MARKET, HaltFlag(folder))
        assert len(list(journal.entries())) == TURNS

    read_by_another(folder, read_in_place)


def test_a_journal_that_another_user_is_writing_is_read_beside_him(folder: Path) -> None:
    file = folder / "journal.sqlite"
    file.write_bytes(gzip.decompress(STORED.read_bytes()))
    with sqlite3.connect(file) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE turns SET at = at + 1 WHERE id = 6")
        writer.commit()

        def read() -> None:
            journal = SqlJournal(open_to_read(f"sqlite:///{file}"), MARKET, HaltFlag(folder))
            assert [entry.id for entry in journal.entries(1_704_078_001)] == [6]
            assert list(Path(tempfile.gettempdir()).iterdir()) == []  # nothing was copied

        read_by_another(folder, read)
    writer.close()


def read_by_another(folder: Path, read: Callable[[], None]) -> None:
    """In a process whose user may read the folder and not write there."""
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o777)
        assert forked(read, scratch) == 0
    folder.chmod(0o755)


def forked(read: Callable[[], None], scratch: str) -> int:
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            tempfile.tempdir = scratch
            read()
        except BaseException:  # noqa: BLE001 - the process ends with it
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
