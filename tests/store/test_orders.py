"""Exchange orders on a real SQLite file: durable before anything is sent."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from strategy.venue_builders import an_instrument

from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.venue import Instrument, Side
from dexmm.store import codec
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog

ACCOUNT = "binance:0123abcd"


def log(folder: Path) -> SqlOrderLog:
    return SqlOrderLog(open_database(f"sqlite:///{folder / 'journal.sqlite'}", durable=True))


def order(name: str = "first", created_at: int = 100) -> OrderIntent:
    return OrderIntent(
        client_id=name,
        account=ACCOUNT,
        symbol="PAXG/USDT",
        side=Side.BUY,
        kind=OrderKind.IOC,
        purpose=Purpose.HEDGE,
        amount=Decimal("0.1"),
        price=Decimal("4000.12345678901234567890"),
        reduce_only=False,
        created_at=created_at,
        fee_other=(("BNB", Decimal("0.00000001")),),
    )


def test_the_next_process_finds_it_to_the_last_digit(tmp_path: Path) -> None:
    log(tmp_path).save_order(order())
    assert log(tmp_path).open_orders(ACCOUNT) == (order(),)
    assert log(tmp_path).orders_since(ACCOUNT, 100) == (order(),)
    assert log(tmp_path).orders_since(ACCOUNT, 101) == ()


def test_saving_again_replaces_and_keeps_the_place(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.save_order(order("first"))
    book.save_order(order("second"))
    filled = replace(order("first"), filled=Decimal("0.05"), status=OrderStatus.OPEN)
    book.save_order(filled)
    assert book.open_orders(ACCOUNT) == (filled, order("second"))


@pytest.mark.parametrize("status", list(OrderStatus))
def test_only_final_ones_are_closed(tmp_path: Path, status: OrderStatus) -> None:
    book = log(tmp_path)
    book.save_order(replace(order(), status=status))
    assert bool(book.open_orders(ACCOUNT)) == (not status.final)
    assert len(book.orders_since(ACCOUNT, 0)) == 1


def test_other_accounts_are_left_alone(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.save_order(order())
    assert book.open_orders("okx:0123abcd") == ()
    assert book.orders_since("okx:0123abcd", 0) == ()


def test_what_an_earlier_version_stored_reads_back_with_fees_unvalued() -> None:
    """Neither values of fees nor an instrument's maximums were stored then."""
    placed = replace(order(), fee_other=(("BNB", Decimal("0.01")),))
    stored = json.loads(codec.dump(placed))
    del stored["fee_valued"]
    read = codec.load(OrderIntent, json.dumps(stored))
    assert read == placed
    assert read.fee_unvalued == (("BNB", Decimal("0.01")),)
    known = an_instrument()
    older = json.loads(codec.dump(known))
    del older["amount_max"], older["cost_max"]
    assert codec.load(Instrument, json.dumps(older)) == known
