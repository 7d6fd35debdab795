"""Intents on a real SQLite file: durable before anything is sent, found by whoever comes next."""

from dataclasses import replace
from pathlib import Path

import pytest

from dexmm.model.intent import Attempt, Intent, IntentStatus
from dexmm.store.database import open_database, transaction
from dexmm.store.intents import SqlIntentLog

WALLET = "0x" + "ab" * 20


def log(folder: Path) -> SqlIntentLog:
    return SqlIntentLog(open_database(f"sqlite:///{folder / 'journal.sqlite'}", durable=True))


def intent(name: str = "first", nonce: int = 3) -> Intent:
    return Intent(
        id=name,
        wallet=WALLET,
        chain_id=1,
        nonce=nonce,
        step="rerange",
        is_exit=False,
        created_at=1,
        attempts=(
            Attempt(
                tx_hash="0x01",
                raw_transaction="0x02",
                max_fee_per_gas=10**19,  # beyond what SQLite calls an integer
                max_priority_fee_per_gas=1,
                created_at=1,
                block=9,
            ),
        ),
    )


def test_the_next_process_finds_it(tmp_path: Path) -> None:
    log(tmp_path).save(intent())
    assert log(tmp_path).open_intents(WALLET, 1) == (intent(),)
    assert log(tmp_path).get("first") == intent()
    assert log(tmp_path).get("second") is None


def test_a_replacement_is_the_same_intent(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.save(intent())
    bumped = intent().with_attempt(replace(intent().attempts[0], tx_hash="0x03"))
    book.save(bumped)
    assert book.open_intents(WALLET, 1) == (bumped,)


def test_oldest_nonce_first(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.save(intent("later", nonce=4))
    book.save(intent("sooner", nonce=3))
    assert [found.id for found in book.open_intents(WALLET, 1)] == ["sooner", "later"]


@pytest.mark.parametrize("status", list(IntentStatus))
def test_only_final_ones_are_closed(tmp_path: Path, status: IntentStatus) -> None:
    book = log(tmp_path)
    book.save(replace(intent(), status=status))
    assert bool(book.open_intents(WALLET, 1)) == (status in {IntentStatus.OPEN, IntentStatus.MINED})


def test_other_wallets_and_chains_are_left_alone(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.save(intent())
    assert book.open_intents(WALLET, 2) == ()
    assert book.open_intents("0x" + "cd" * 20, 1) == ()


def test_saving_survives_a_power_cut(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'journal.sqlite'}", durable=True)
    with transaction(engine) as connection:
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert synchronous == 2  # FULL: the commit returns after the disk has it
