"""The journal on a real SQLite file: history as it was, memory as it was left."""

import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dexmm.config.schema import Config, parse_config
from dexmm.errors import BadInput, Transient
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.store import database
from dexmm.store.database import open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.journal import SqlJournal, market_key

POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
WALLET = "0x" + "ab" * 20
KEY = market_key(1, POOL, WALLET)


def config(**strategy: object) -> Config:
    return parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1/secret-key"]},
            "market": {"pool": POOL, "base": PAXG, "price_low": 1000, "price_high": 9000},
            "strategy": strategy,
        },
        Path("elsewhere"),
        source="test",
    )


def journal(folder: Path, market: str = KEY) -> SqlJournal:
    engine = open_database(f"sqlite:///{folder / 'journal.sqlite'}", durable=False)
    return SqlJournal(engine, market, HaltFlag(folder))


def an_entry(**changes: object) -> Entry:
    """Some whole entry; what it says does not matter to a journal."""
    found: list[Entry] = []

    @settings(
        max_examples=1,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.from_type(Entry))
    def one(entry: Entry) -> None:
        found.append(entry)

    one()
    snapshot = replace(
        found[0].snapshot,
        chain=replace(
            found[0].snapshot.chain,
            block=replace(found[0].snapshot.chain.block, number=7),
        ),
    )
    return replace(found[0], id=0, at=100, snapshot=snapshot, **changes)


def test_nothing_recorded_is_a_fresh_memory(tmp_path: Path) -> None:
    book = journal(tmp_path)
    assert book.memory() == Memory()
    assert book.last() is None
    assert list(book.entries()) == []


def test_a_turn_is_read_back_by_another_process(tmp_path: Path) -> None:
    memory = Memory(peak_nav=Decimal("50000.123456789012345678"), gas_spent=10**20)
    entry = journal(tmp_path).record(an_entry(memory=memory), config())
    assert entry.id == 1
    other = journal(tmp_path)
    assert other.last() == entry
    assert other.memory() == memory
    assert list(other.entries()) == [entry]


def test_entries_come_in_order_and_from_a_time_on(tmp_path: Path) -> None:
    book = journal(tmp_path)
    first = book.record(an_entry(), config())
    second = book.record(replace(an_entry(), at=200), config())
    assert [entry.id for entry in book.entries()] == [first.id, second.id]
    assert [entry.id for entry in book.entries(since=200)] == [second.id]


def test_markets_do_not_see_each_other(tmp_path: Path) -> None:
    journal(tmp_path).record(an_entry(), config())
    assert journal(tmp_path, market_key(1, PAXG, WALLET)).last() is None


def test_a_resume_is_the_memory_until_the_next_turn(tmp_path: Path) -> None:
    book = journal(tmp_path)
    book.record(an_entry(memory=Memory(halted="drawdown")), config())
    book.resume(150, "looked at it", Memory())
    assert book.memory() == Memory()
    book.record(an_entry(memory=Memory(gas_spent=1)), config())
    assert book.memory() == Memory(gas_spent=1)


def test_a_resume_before_any_turn_counts(tmp_path: Path) -> None:
    book = journal(tmp_path)
    book.resume(150, "a fresh start", Memory(gas_spent=5))
    assert book.memory() == Memory(gas_spent=5)


def test_the_configuration_is_kept_without_its_secrets(tmp_path: Path) -> None:
    book = journal(tmp_path)
    wanted = config(band_high="0.45")
    book.record(an_entry(config=wanted.fingerprint()), wanted)
    kept = book.config(wanted.fingerprint())
    assert kept is not None
    assert kept.strategy == wanted.strategy
    assert kept.market == wanted.market
    assert kept.fingerprint() == wanted.fingerprint()
    assert book.config("unknown") is None
    assert b"secret-key" not in (tmp_path / "journal.sqlite").read_bytes()


def test_what_a_setting_says_of_a_secret_address_is_kept_without_the_address(
    tmp_path: Path,
) -> None:
    book = journal(tmp_path)
    wanted = parse_config(
        {
            "network": {"name": "sandbox"},
            "market": {"price_low": 1000, "price_high": 9000},
            "exchange": {"base_url": "http://paper.example/secret-key", "paper_exchange": True},
            "quotes": {"enabled": True},
        },
        Path("elsewhere"),
        source="test",
    )
    book.record(an_entry(config=wanted.fingerprint()), wanted)
    kept = book.config(wanted.fingerprint())
    assert kept is not None
    assert kept.exchange is not None
    assert kept.exchange.is_paper
    assert kept.fingerprint() == wanted.fingerprint()
    assert b"secret-key" not in (tmp_path / "journal.sqlite").read_bytes()


def test_the_flag_is_read_each_time(tmp_path: Path) -> None:
    book = journal(tmp_path)
    assert book.halted() == ""
    HaltFlag(tmp_path).set("stop")
    assert book.halted() == "stop"


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"this is no database at all" * 50)
    with pytest.raises(BadInput, match="move it away"):
        journal(tmp_path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    book = journal(tmp_path)
    book.record(an_entry(), config())
    with sqlite3.connect(tmp_path / "journal.sqlite") as raw:
        raw.execute('UPDATE turns SET memory = \'{"peak_nav": "many"}\'')
    raw.close()
    with pytest.raises(BadInput, match="peak_nav"):
        book.memory()


def test_a_locked_file_is_for_the_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    book = journal(tmp_path)
    raw = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    raw.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(Transient, match="locked"):
            book.record(an_entry(), config())
    finally:
        raw.close()


@settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
@given(entry=st.from_type(Entry))
def test_any_entry_returns_as_it_was(tmp_path: Path, entry: Entry) -> None:
    safe = replace(
        entry,
        id=0,
        at=1,
        snapshot=replace(
            entry.snapshot,
            chain=replace(
                entry.snapshot.chain, block=replace(entry.snapshot.chain.block, number=1)
            ),
        ),
    )
    book = journal(tmp_path)
    assert book.record(safe, config()) == book.last()
