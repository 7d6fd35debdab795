"""Prices changed in place: which exchanges can, what ccxt sends there, and what becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import PERPETUAL, WINDOW_SECONDS, Hand, Trader

from dexmm.cex.amend_table import AMENDS, REPLACES, amend_of
from dexmm.cex.dry_orders import kind_of
from dexmm.errors import Halt
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import AmendOrder, CancelOrder, Outcome
from dexmm.model.venue import RestingOrder, Side
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.store import codec

D = Decimal
AMEND, LOOK = "PUT /fapi/v1/order", "GET /fapi/v1/order"
PROGRAM = Path(__file__).with_name("killed_amend.py")
TESTS = PROGRAM.parent.parent


def a_sale(hedger: Trader, price: str = "4050") -> OrderIntent:
    outcome = hedger.sell(
        "0.1", price, symbol=PERPETUAL, order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE
    )
    assert outcome.order is not None, outcome.detail
    return outcome.order


def amended(hedger: Trader, order: OrderIntent, price: str) -> Outcome:
    return hedger.client.send(
        AmendOrder(symbol=order.symbol, client_id=order.client_id, price=D(price))
    )


def rests(hedger: Trader) -> RestingOrder:
    view = hedger.observe()
    assert view.pending == ()
    (order,) = view.resting
    return order


def at_exchange(hedger: Trader) -> list[tuple[str, Decimal]]:
    """Our orders in the exchange's own book: name and price."""
    exchange = hedger.paper.exchange
    with exchange.visit():
        open_orders = exchange.perpetuals["PAXGUSDT"].open.values()
        return [(o.ask.client_order_id, o.price) for o in open_orders]


# The table


class _Caught(Exception):
    pass


def edits(exchange_id: str, *, contract: bool) -> tuple[str, dict[str, Any]]:
    """Path and parameters of what ccxt would send to move an order to 4001.5."""
    from dexmm.cex.dry_orders import _Dry

    dry, caught = _Dry(exchange_id, contract=contract), []

    def fetch2(path: str, *_: Any, **__: Any) -> Any:
        params = _[2] if len(_) > 2 else __.get("params", {})
        if "4001.5" in str(params):
            caught.append((path, dict(params)))
            raise _Caught
        return {}

    dry.exchange.fetch2 = fetch2
    how = AMENDS.get(exchange_id)
    named = {how.own_id: "dexmmq0"} if how and how.own_id else {}
    amount = "3" if contract else "0.1234"
    whole = amount if how is None or how.amount else None
    params = {**named, **dict(how.params if how else ())}
    if exchange_id == "bitget":  # a classic account; which one a key is of, nobody knows before
        params["uta"] = False
    with pytest.raises(_Caught):
        dry.exchange.edit_order("77", dry.symbol, "limit", "buy", whole, "4001.5", params)
    return caught[0]


@pytest.mark.parametrize("exchange_id", sorted(AMENDS))
def test_ccxt_sends_the_documented_amendment_with_our_id(exchange_id: str) -> None:
    how = AMENDS[exchange_id]
    path, params = edits(exchange_id, contract=how.contract_only)
    assert path == how.path
    assert (params.get(how.own_id) if how.own_id else "dexmmq0") == "dexmmq0"
    assert how.own_id or params["order_id"] == "77"
    if how.params:
        assert params["post_only"] == "true"
    assert kind_of(exchange_id)().has["editOrder"] is True


@pytest.mark.parametrize("exchange_id", sorted(REPLACES))
def test_what_cancels_and_places_anew_is_no_amendment(exchange_id: str) -> None:
    path, _ = edits(exchange_id, contract=False)
    assert REPLACES[exchange_id][0] in path
    assert amend_of(exchange_id, contract=False) is None


def test_binance_amends_perpetuals_and_not_spot() -> None:
    assert amend_of("binanceusdm", contract=True) is not None
    assert amend_of("binanceusdm", contract=False) is None
    assert amend_of("binance", contract=False) is None
    assert amend_of("kraken", contract=True) is None
    assert amend_of("okx", contract=False) is not None


# The order manager, through ccxt's binanceusdm over loopback


def test_an_order_is_moved_in_place_and_no_cancel_is_counted(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    outcome = amended(hedger, order, "4040.5")
    assert (outcome.status, outcome.step) == ("done", "amend_order")
    found = rests(hedger)
    assert (found.client_id, found.exchange_id) == (order.client_id, order.exchange_id)
    assert (found.price, found.amount) == (D("4040.5"), D("0.1"))
    assert at_exchange(hedger) == [(order.client_id, D("4040.5"))]
    view = hedger.observe()
    assert (view.recent_sent, view.recent_cancelled) == (1, 0)
    hedger.restart()
    assert rests(hedger).price == D("4040.5")


def test_the_new_price_is_stored_before_it_is_sent(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    seen: list[OrderIntent] = []
    lane = hedger.client._desk_of(PERPETUAL).lane
    inner = lane.call

    def call(method: str, *arguments: object) -> Any:
        if method == "edit_order":
            seen.extend(hedger.stored())
        return inner(method, *arguments)

    lane.call = call  # type: ignore[method-assign]
    amended(hedger, order, "4040")
    (stored,) = seen
    assert (stored.price, stored.amend_price) == (D(4050), D(4040))
    assert stored.amend_at > 0


@pytest.mark.parametrize("effect", [Effect.DROP, Effect.TRUNCATE, Effect.TIMEOUT_AFTER])
def test_an_amendment_whose_answer_is_lost_is_looked_up(hedger: Trader, effect: Effect) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.impatient()
    hedger.arm(AMEND, effect, seconds=D(1))
    assert amended(hedger, order, "4040").status == "done"
    assert rests(hedger).price == D(4040)
    assert len(at_exchange(hedger)) == 1


def test_one_that_may_still_arrive_is_waited_for_before_anything_else(
    hedger: Trader, clock: Hand
) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.impatient()
    hedger.arm(AMEND, Effect.TIMEOUT_BEFORE, seconds=D(1))
    outcome = amended(hedger, order, "4040")
    assert outcome.status == "pending"
    view = hedger.observe()
    assert [(p.client_id, p.amount) for p in view.pending] == [(order.client_id, D("0.1"))]
    assert view.resting == ()
    # Nothing further is sent for it while that is so.
    assert amended(hedger, order, "4030").status == "pending"
    assert at_exchange(hedger) == [(order.client_id, D(4050))]
    clock.ahead += WINDOW_SECONDS
    assert rests(hedger).price == D(4050)  # the exchange would refuse it as too late by now
    assert amended(hedger, order, "4030").status == "done"
    assert rests(hedger).price == D(4030)


def test_no_answer_to_the_question_either(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.impatient()
    hedger.arm(AMEND, Effect.DROP)
    hedger.arm(LOOK, Effect.SERVER_ERROR, status=503)
    assert amended(hedger, order, "4040").status == "pending"
    hedger.restart()
    assert rests(hedger).price == D(4040)


def test_a_refused_amendment_leaves_the_order_where_it_is(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.arm(AMEND, Effect.REJECT, code=-4016, msg="Limit price can't be higher than 1.")
    outcome = amended(hedger, order, "4040")
    assert outcome.status == "failed"
    assert "4016" in outcome.detail
    assert rests(hedger).price == D(4050)
    assert hedger.stored()[0].amend_price is None


def test_a_price_off_the_step_is_not_sent(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    outcome = amended(hedger, order, "4040.001")
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "exchange_step"
    assert hedger.stored()[0].amend_price is None


def test_one_that_would_take_ends_the_order_and_takes_nothing(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    outcome = amended(hedger, order, "3990")
    assert outcome.status == "done"
    assert outcome.order is not None
    assert (outcome.order.status, outcome.order.filled) == (OrderStatus.CLOSED, 0)
    view = hedger.observe()
    assert (view.resting, view.pending, view.recent_cancelled) == ((), (), 0)


def test_an_order_that_has_ended_is_not_amended(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.client.send(CancelOrder(symbol=PERPETUAL, client_id=order.client_id))
    outcome = amended(hedger, order, "4040")
    assert (outcome.status, outcome.order) == ("done", None)
    assert at_exchange(hedger) == []


def test_a_key_that_may_not_trade_halts_and_the_order_stays_as_it_was(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger)
    hedger.arm(AMEND, Effect.REJECT, code=-2015)
    with pytest.raises(Halt):
        amended(hedger, order, "4040")
    assert hedger.stored()[0].amend_price is None
    assert rests(hedger).price == D(4050)


def test_spot_on_binance_is_refused_without_a_request(trader: Trader) -> None:
    assert trader.observe().amends is False
    order = trader.rest()
    before = trader.client.connection.requests
    outcome = trader.client.send(
        AmendOrder(symbol=order.symbol, client_id=order.client_id, price=D(3901))
    )
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "amend"
    assert trader.client.connection.requests == before


def test_a_fill_before_the_amendment_is_counted(hedger: Trader) -> None:
    hedger.observe()
    order = a_sale(hedger, "4004")
    exchange = hedger.paper.exchange
    with exchange.visit():
        market = exchange.perpetuals["PAXGUSDT"]
        (resting,) = market.open.values()
        exchange.desk(market).fill_from_house(resting, D("0.04"))
    outcome = amended(hedger, order, "4010")
    assert outcome.order is not None
    assert (outcome.status, outcome.order.filled) == ("done", D("0.04"))
    assert (outcome.order.amount, outcome.order.price) == (D("0.1"), D(4010))


def test_orders_from_before_there_were_amendments_are_still_read() -> None:
    order = OrderIntent(
        client_id="dexmmq" + "0" * 26,
        account="a",
        symbol=PERPETUAL,
        side=Side.SELL,
        kind=OrderKind.POST_ONLY,
        purpose=Purpose.QUOTE,
        amount=D("0.1"),
        price=D(4050),
        reduce_only=False,
        created_at=1,
    )
    facts = codec.jsonable(order)
    del facts["amend_price"], facts["amend_at"]
    read = codec.load(OrderIntent, json.dumps(facts))
    assert (read.amend_price, read.amend_at, read.price) == (None, 0, D(4050))


# kill -9 around an amendment

# Of six: the new price stored, the request, the result stored, before and after each.
AFTER_STORING, AFTER_THE_REQUEST = 2, 4


def killed(root: Path, paper: PaperExchange, kill_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(root), paper.url, str(kill_at)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
    )


@pytest.mark.kill
@pytest.mark.parametrize("kill_at", [AFTER_STORING, AFTER_THE_REQUEST])
def test_killed_at_an_amendment_and_started_again(
    tmp_path: Path, paper: PaperExchange, kill_at: int
) -> None:
    died = killed(tmp_path, paper, kill_at)
    assert died.returncode == -signal.SIGKILL, died.stderr
    clock = Hand(WINDOW_SECONDS)
    hedger = Trader(tmp_path, paper, clock, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    stored = hedger.stored()[0]
    assert (stored.price, stored.amend_price) == (D(4050), D(4040))
    found = rests(hedger)
    # One order, at the exchange's own price: the old one until the request was sent, then the new.
    assert at_exchange(hedger) == [(found.client_id, found.price)]
    assert found.price == (D(4050) if kill_at == AFTER_STORING else D(4040))
    order = hedger.stored()[0]
    assert amended(hedger, order, "4030").status == "done"
    assert at_exchange(hedger) == [(found.client_id, D(4030))]
    hedger.client.close()
