"""Orders at an exchange that cannot be asked for them by our client id, or does not keep it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from cex.bybit_world import Bybit, bybit
from cex.cex_world import Hand, config_for, order

from dexmm.cex.client import ExchangeClient, open_client
from dexmm.cex.orders.order_manager import REMEMBERED_SECONDS
from dexmm.model.order import OrderKind, OrderStatus, Purpose
from dexmm.model.steps import CancelAll, CancelOrder, PlaceOrder
from dexmm.model.venue import Side
from dexmm.store.database import open_database
from dexmm.store.orders import SqlOrderLog

D = Decimal
REST = order(Side.BUY, "0.1", "3900", order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE)
TAKE = order(Side.BUY, "0.1", "4005")


@contextmanager
def trading(root: Path, world: Bybit, clock: Hand) -> Iterator[tuple[ExchangeClient, SqlOrderLog]]:
    log = SqlOrderLog(open_database(f"sqlite:///{root / 'journal.sqlite'}", durable=True))
    client = open_client(config_for(root, world.url, id="bybit"), log, clock)
    for lane in client.connection.lanes():
        lane.exchange.enableRateLimit = False
    client.observe()
    try:
        yield client, log
    finally:
        client.close()


def cut(client_id: str) -> str:
    return client_id[:20]


def dropped(_: str) -> str:
    return ""


def replaced(client_id: str) -> str:
    return f"web{client_id[-6:]}" if client_id else ""


def test_an_order_is_ended_by_the_exchanges_own_id(tmp_path: Path) -> None:
    with bybit() as world, trading(tmp_path, world, Hand()) as (client, log):
        can = client.connection.can
        assert (can.find_by_name, can.cancel_by_name) == (False, False)
        placed = client.send(REST)
        assert placed.order is not None
        assert (placed.status, placed.order.exchange_id) == ("done", "1000000")
        ended = client.send(CancelOrder(symbol=REST.symbol, client_id=placed.order.client_id))
        assert ended.status == "done"
        assert [o["orderStatus"] for o in world.orders] == ["Cancelled"]
        assert log.open_orders(client.connection.account) == ()


def test_an_order_whose_answer_was_lost_is_found_in_the_list_and_ended(tmp_path: Path) -> None:
    """Its exchange's id is not known: it is found by ours among the open orders, then cancelled."""
    with bybit() as world, trading(tmp_path, world, Hand()) as (client, log):
        world.lost = 1
        placed = client.send(REST)
        assert placed.order is not None
        assert (placed.status, placed.order.exchange_id) == ("done", "1000000")
        assert client.send(CancelAll()).status == "done"
        assert [o["orderStatus"] for o in world.orders] == ["Cancelled"]
        assert log.open_orders(client.connection.account) == ()


def test_an_ioc_whose_answer_was_lost_is_found_among_the_ended_orders(tmp_path: Path) -> None:
    with bybit() as world, trading(tmp_path, world, Hand()) as (client, _):
        world.lost = 1
        bought = client.send(TAKE)
        assert bought.order is not None
        assert (bought.status, bought.order.filled) == ("done", D("0.1"))
        assert bought.order.fee_base == D("0.0001")
        assert len(world.orders) == 1


@pytest.mark.parametrize("arrived", [True, False])
def test_an_order_of_unknown_fate_is_looked_for_before_it_is_ended(
    tmp_path: Path, *, arrived: bool
) -> None:
    """A cancel without any id could mean every order: none is ever sent."""
    clock = Hand()
    with bybit() as world, trading(tmp_path, world, clock) as (client, log):
        world.lost, world.ignored, world.blind = int(arrived), int(not arrived), True
        placed = client.send(REST)
        assert placed.order is not None
        assert (placed.status, placed.order.exchange_id) == ("pending", "")
        world.blind = False
        clock.ahead += 60  # later than any order would be accepted
        cancel = CancelOrder(symbol=REST.symbol, client_id=placed.order.client_id)
        ended = client.send(cancel)
        assert ended.status == ("done" if arrived else "failed")
        assert [o["orderStatus"] for o in world.orders] == ["Cancelled"] * arrived
        assert world.asked.count("POST /v5/order/cancel") == int(arrived)
        assert log.open_orders(client.connection.account) == ()


def refused(client: ExchangeClient, step: PlaceOrder) -> str:
    outcome = client.send(step)
    assert outcome.refusal is not None
    assert (outcome.status, outcome.refusal.rule) == ("refused", "client_order_id")
    return outcome.refusal.detail


@pytest.mark.parametrize("keep", [cut, replaced, dropped])
@pytest.mark.parametrize("step", [REST, TAKE])
def test_an_id_that_is_not_kept_is_noticed_with_the_first_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keep: object, step: PlaceOrder
) -> None:
    assert callable(keep)
    with bybit(keep) as world:
        with trading(tmp_path, world, Hand()) as (client, log):
            with caplog.at_level(logging.ERROR, "dexmm.orders"):
                placed = client.send(step)
            assert placed.order is not None
            assert (placed.status, placed.order.exchange_id) == ("done", "1000000")
            assert "the exchange does not keep our client ids" in caplog.text
            assert "followed by the exchange's id 1000000" in caplog.text
            detail = refused(client, step)
            assert placed.order.client_id in detail
            assert "could not be found again" in detail
            assert len(world.orders) == 1
            view = client.observe()  # it is ours, once, and nobody else's
            ours = [(o.exchange_id, o.ours) for o in view.resting]
            assert ours == ([("1000000", True)] if step is REST else [])
            assert client.send(CancelAll()).status == "done"
            assert log.open_orders(client.connection.account) == ()
        with trading(tmp_path, world, Hand()) as (client, _):
            refused(client, step)  # also after a restart
        clock = Hand()
        with trading(tmp_path, world, clock) as (client, _):
            clock.ahead += REMEMBERED_SECONDS + 60
            assert client.send(step).status == "done"  # a day later it is tried once more


@pytest.mark.parametrize("keep", [cut, replaced, dropped])
def test_the_first_order_with_a_lost_answer_and_no_id_of_ours_is_not_sent_again(
    tmp_path: Path, keep: object
) -> None:
    assert callable(keep)
    with bybit(keep) as world, trading(tmp_path, world, Hand()) as (client, _):
        world.lost = 1
        placed = client.send(REST)
        assert placed.order is not None
        assert (placed.order.status, placed.order.exchange_id) == (OrderStatus.OPEN, "1000000")
        refused(client, REST)
        assert len(world.orders) == 1


def test_what_is_known_to_be_kept_is_not_asked_again(tmp_path: Path) -> None:
    with bybit() as world, trading(tmp_path, world, Hand()) as (client, _):
        client.send(REST)
        before = len(world.asked)
        client.send(REST)
        assert len(world.orders) == 2
        # Bybit's answer has no status: one look at the order, as before.
        assert world.asked[before:] == ["POST /v5/order/create", "GET /v5/order/realtime"]
