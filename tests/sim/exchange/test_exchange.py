"""The simulated exchange: takers, makers, the perpetual, and time between them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sim.exchange.sim_exchange_world import (
    BUY,
    EVEN,
    PERPETUAL,
    REST,
    SELL,
    SPOT,
    START,
    SYMBOLS,
    Stage,
)

from dexmm.model.order import OrderIntent, OrderStatus, Purpose
from dexmm.model.steps import AmendOrder, CancelOrder, Outcome, SetLeverage
from dexmm.model.venue import Side
from dexmm.performance.attribution import Source
from dexmm.sim.exchange.exchange import VenueOpening
from dexmm.sim.exchange.rejections import INSUFFICIENT_BALANCE

D = Decimal


# Taking


def test_a_taker_walks_down_to_its_limit_and_no_further() -> None:
    stage = Stage(EVEN)
    taken = stage.order(stage.place(BUY, "7", "4001.20"))
    assert (taken.filled, taken.status, taken.detail) == (3, OrderStatus.CLOSED, "expired")
    assert taken.cost == D("4000.40") + D("4000.80") + D("4001.20")
    assert (taken.fee_base, taken.fee_quote) == (D("0.003"), 0)
    assert stage.sim.observe().spot_book.asks[0].price == D("4001.60")
    stage.close_the_books()
    assert stage.flows["hedge"] == (3, -taken.cost)
    assert stage.flows["exchange_fee"] == (D("-0.003"), 0)


@pytest.mark.parametrize(("recovery", "offered"), [("0", "0.4"), ("0.5", "0.7"), ("1", "1")])
def test_the_book_recovers_at_the_next_price(recovery: str, offered: str) -> None:
    stage = Stage(replace(EVEN, recovery=D(recovery)))
    stage.place(BUY, "0.6", "4001")
    assert stage.sim.observe().spot_book.asks[0].amount == D("0.4")
    stage.price(4100)
    best = stage.sim.observe().spot_book.asks[0]
    assert (best.price, best.amount) == (D("4100.41"), D(offered))


def test_an_order_meets_the_price_after_the_latency() -> None:
    """A tenth of the way, and the next one two tenths."""
    stage = Stage(replace(EVEN, latency_ms=6000))
    stage.price(4000, then="4100")
    seen = stage.sim.observe().spot_book.asks[0].price
    assert seen == D("4000.40")
    missed = stage.order(stage.place(BUY, "0.1", "4005"))
    assert (missed.filled, missed.detail) == (0, "expired")
    met = stage.order(stage.place(BUY, "0.1", "4030"))
    assert met.cost == D("402.041")  # at 4020 and its half spread
    assert stage.sim.fair_price == 4000
    stage.close_the_books()
    stage.price(4100)
    stage.close_the_books()


def test_a_cancel_can_come_too_late() -> None:
    stage = Stage(replace(EVEN, latency_ms=30_000))
    stage.price(4000, then="3900")
    resting = stage.place(BUY, "0.5", "3940", REST, Purpose.QUOTE)
    assert resting.order is not None
    stage.price(4000, then="3800")
    told = stage.sim.send(CancelOrder(symbol=SPOT, client_id=resting.order.client_id))
    assert told.order is not None
    assert (told.status, told.order.filled, told.order.cost) == ("done", D("0.5"), D(1970))
    assert stage.sim.observe().recent_cancelled == 0


# Resting


def test_what_rests_is_filled_when_the_price_comes_through_it() -> None:
    stage = Stage(EVEN)
    quote = stage.place(BUY, "2", "3990", REST, Purpose.QUOTE)
    stage.price("3989.70")  # the best ask is 3990.10
    assert stage.order(quote).filled == 0
    stage.price("3989.60")  # 3990.00: what stands there, and no more
    assert stage.order(quote).filled == 1
    assert stage.sim.observe().spot_book.asks[0].price > 3990
    stage.price("3989.50")  # 3989.90: through it
    filled = stage.order(quote)
    assert (filled.filled, filled.cost, filled.status) == (2, 7980, OrderStatus.CLOSED)
    assert (filled.fee_base, filled.detail) == (D("0.002"), "")
    stage.close_the_books()
    assert stage.flows == {"quote": (2, -7980), "exchange_fee": (D("-0.002"), 0)}


def test_what_rests_is_seen_in_the_book_and_locks_what_it_spends() -> None:
    stage = Stage(EVEN)
    stage.place(SELL, "2", "4000.40", REST, Purpose.QUOTE)
    stage.place(SELL, "1", "4000.20", REST, Purpose.QUOTE)
    stage.place(BUY, "0.5", "3999.99", REST, Purpose.QUOTE)
    view = stage.sim.observe()
    assert [(a.price, a.amount) for a in view.spot_book.asks[:2]] == [
        (D("4000.20"), 1),
        (D("4000.40"), 3),
    ]
    assert view.spot_book.bids[0].price == D("3999.99")
    assert view.balance("PAXG").free == 2
    assert view.balance("USDT").free == D(30_000) - D("0.5") * D("3999.99")
    assert all(order.ours and order.at == START * 1000 for order in view.resting)
    assert stage.place(SELL, "2.1", "4010").detail.startswith("Account has insufficient balance")


@pytest.mark.parametrize(("side", "price"), [(BUY, "4000.40"), (SELL, "3999.60"), (BUY, "4500")])
def test_post_only_is_refused_where_it_would_take(side: Side, price: str) -> None:
    stage = Stage(EVEN)
    outcome = stage.place(side, "0.1", price, REST, Purpose.QUOTE)
    assert outcome.order is not None
    assert (outcome.status, outcome.order.status) == ("failed", OrderStatus.REJECTED)
    assert outcome.detail == "Order would immediately match and take. (-2010)"
    stage.close_the_books()
    assert stage.flows == {}
    assert stage.sim.observe().recent_sent == 1


def test_an_account_never_trades_with_itself() -> None:
    stage = Stage(EVEN)
    own = stage.place(SELL, "1", "4000.20", REST, Purpose.QUOTE)
    taken = stage.order(stage.place(BUY, "0.5", "4001"))
    assert taken.cost == D("2000.20")  # of somebody else's 4000.40
    assert (stage.order(own).filled, stage.order(own).detail) == (0, "expired")
    stage.conserve()


def test_cancels_count_in_the_window_only() -> None:
    stage = Stage(EVEN)
    name = stage.order(stage.place(BUY, "0.1", "3900", REST, Purpose.QUOTE)).client_id
    cancelled = stage.sim.send(CancelOrder(symbol=SPOT, client_id=name))
    assert cancelled.order is not None
    assert (cancelled.status, cancelled.order.detail) == ("done", "cancelled by us")
    again = stage.sim.send(CancelOrder(symbol=SPOT, client_id=name))
    assert (again.status, again.detail) == ("done", f"order {name} has ended already")
    view = stage.sim.observe()
    assert (view.recent_sent, view.recent_cancelled, view.resting) == (1, 1, ())
    stage.now += 86_401
    view = stage.sim.observe()
    assert (view.recent_sent, view.recent_cancelled) == (0, 0)


# The perpetual


def test_a_short_earns_what_the_price_loses() -> None:
    stage = Stage(EVEN)
    sold = stage.order(stage.place(SELL, "2", "3990", symbol=PERPETUAL))
    assert sold.cost == D("3999.60") + D("3999.20")
    stage.price(3800)
    position = stage.sim.observe().position
    assert position is not None
    assert (position.base, position.entry_price, position.mark_price) == (-2, D("3999.40"), 3800)
    assert position.unrealised == D("398.80")
    assert position.margin == 10_000 - sold.cost * D("0.0005")
    bought = stage.order(stage.place(BUY, "3", "3810", symbol=PERPETUAL, reduce_only=True))
    assert bought.filled == 2
    position = stage.sim.observe().position
    assert position is not None
    assert (position.base, position.entry_price, position.unrealised) == (0, 0, 0)
    fees = (sold.cost + bought.cost) * D("0.0005")
    assert position.margin == 10_000 + sold.cost - bought.cost - fees
    stage.close_the_books()
    assert stage.flows["hedge"] == (0, sold.cost - bought.cost)
    assert stage.flows["exchange_fee"] == (0, -fees)


def test_an_order_that_only_reduces_ends_with_the_position() -> None:
    stage = Stage(EVEN)
    stage.place(SELL, "2", "3990", symbol=PERPETUAL)
    resting = stage.place(BUY, "1", "3900", REST, symbol=PERPETUAL, reduce_only=True)
    stage.place(BUY, "2", "4010", symbol=PERPETUAL)
    assert (stage.order(resting).status, stage.order(resting).detail) == (
        OrderStatus.CLOSED,
        "expired",
    )
    assert stage.sim.observe().resting == ()


def test_the_basis_is_the_hedge_s() -> None:
    """The mark is beyond the fair price: a short opened at it is worth less at the fair price."""
    stage = Stage(replace(EVEN, perpetual_basis_bp=D(-50)))
    sold = stage.order(stage.place(SELL, "1", "3970", symbol=PERPETUAL))
    stage.close_the_books()
    base, quote = stage.flows["hedge"]
    assert (base, quote) == (-1, sold.cost + 20)  # it can be bought back twenty lower
    stage.price(5000)
    stage.close_the_books()
    assert stage.flows["hedge"] == (-1, sold.cost + 25)
    hedge = stage.attribute().part(Source.HEDGE)
    assert (hedge.timing, hedge.edge) == (-1000, sold.cost + 25 - 4000)


def test_longs_pay_shorts_at_every_interval() -> None:
    stage = Stage(replace(EVEN, funding_rate=D("0.0001")))
    stage.place(SELL, "2", "3990", symbol=PERPETUAL)
    due = stage.sim.observe().position
    assert due is not None
    assert due.funding_at == START * 1000 + 4 * 3_600_000  # it starts on an interval
    stage.price(4100, 4 * 3600 - 1)
    stage.close_the_books()
    assert "funding" not in stage.flows
    stage.price(4200, 1)
    stage.price(4000, 8 * 3600)
    stage.close_the_books()
    assert stage.flows["funding"] == (0, D("0.82") + 2 * D("0.84"))  # at the mark until then


def test_leverage_is_bounded_and_margined() -> None:
    stage = Stage(EVEN)
    short = {"symbol": PERPETUAL}
    assert "Margin is insufficient" in stage.place(SELL, "2.6", "3990", **short).detail
    assert stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(3))).status == "failed"
    assert stage.sim.send(SetLeverage(symbol=SPOT, leverage=D(2))).status == "failed"
    assert stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(2))).status == "done"
    assert stage.place(SELL, "4.9", "3990", **short).status == "done"
    assert stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(1))).status == "failed"
    position = stage.sim.observe().position
    assert position is not None
    assert (position.base, position.leverage) == (D("-4.9"), 2)


def test_a_position_without_margin_is_closed_and_owes_nothing() -> None:
    stage = Stage(EVEN)
    stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(2)))
    stage.place(SELL, "4.5", "3990", symbol=PERPETUAL)
    resting = stage.place(BUY, "0.1", "3000", REST, symbol=PERPETUAL)
    stage.price(9000)
    view = stage.be_solvent()
    assert view.position is not None
    assert (view.position.base, view.position.margin) == (0, 0)
    assert stage.sim.liquidations == [stage.now * 1000]
    assert stage.order(resting).detail == "canceled"
    stage.close_the_books()


# Amendments


AMENDING = replace(SYMBOLS, amends=True)


def amend(stage: Stage, order: OrderIntent, price: str) -> Outcome:
    return stage.sim.send(
        AmendOrder(symbol=order.symbol, client_id=order.client_id, price=D(price))
    )


def test_an_order_is_moved_in_place_and_it_is_no_cancel() -> None:
    stage = Stage(EVEN, AMENDING)
    order = stage.place(BUY, "0.5", "3990", REST).order
    assert order is not None
    assert stage.sim.observe().amends
    assert amend(stage, order, "3995").status == "done"
    (resting,) = stage.sim.observe().resting
    assert (resting.client_id, resting.price) == (order.client_id, D(3995))
    assert stage.sim.observe().balance("USDT").free == D(30_000) - D("1997.5")
    assert (stage.sim.observe().recent_sent, stage.sim.observe().recent_cancelled) == (1, 0)
    stage.price("3990")
    assert stage.sim.orders[0].filled == D("0.5")
    assert stage.sim.orders[0].cost == D("1997.5")


def test_an_amendment_that_would_take_ends_the_order() -> None:
    stage = Stage(EVEN, AMENDING)
    order = stage.place(BUY, "0.5", "3990", REST).order
    assert order is not None
    outcome = amend(stage, order, "4010")
    assert outcome.order is not None
    assert (outcome.order.status, outcome.order.filled) == (OrderStatus.CLOSED, 0)
    assert stage.sim.observe().recent_cancelled == 0
    assert amend(stage, order, "3990").detail.endswith("has ended already")


def test_one_that_cannot_be_paid_leaves_the_order_where_it_is() -> None:
    stage = Stage(EVEN, AMENDING, VenueOpening(coins={"USDT": D(980)}))
    order = stage.place(BUY, "0.25", "3900", REST).order
    assert order is not None
    outcome = amend(stage, order, "3990")
    assert (outcome.status, outcome.detail) == ("failed", INSUFFICIENT_BALANCE)
    assert [o.price for o in stage.sim.observe().resting] == [D(3900)]
    assert amend(stage, order, "3920").status == "done"


def test_without_amendments_there_are_none() -> None:
    stage = Stage(EVEN)
    order = stage.place(BUY, "0.5", "3990", REST).order
    assert order is not None
    outcome = amend(stage, order, "3995")
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "amend"
    assert stage.sim.observe().resting[0].price == D(3990)
