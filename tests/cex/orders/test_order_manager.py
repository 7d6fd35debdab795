"""Orders that happen once, where nothing goes wrong: sizes, fees, names, refusals, cancels."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import NOBODY_TAKES, PAXG, PERPETUAL, Hand, Trader, order

from dexmm.cex.fee_prices import KEPT_SECONDS
from dexmm.cex.orders.client_order_id import LENGTH, PREFIX, client_order_id, is_ours, purpose_of
from dexmm.errors import Transient
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import CancelAll, SetLeverage
from dexmm.model.venue import Book, Level, Side
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.engine.settings import Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.strategy.trading.execution_routes import taker_cost

D = Decimal


def test_the_size_comes_from_fills_and_the_fee_is_in_its_coin(trader: Trader) -> None:
    trader.observe()
    bought, sold = trader.buy("0.1").order, trader.sell("0.2").order
    assert bought is not None
    assert sold is not None
    assert (bought.filled, bought.cost) == (D("0.1"), D("400.04"))
    assert (bought.fee_base, bought.fee_quote, bought.fee_other) == (D("0.0001"), 0, ())
    assert (sold.filled, sold.cost) == (D("0.2"), D("799.92"))
    assert (sold.fee_base, sold.fee_quote, sold.fee_other) == (0, D("0.79992"), ())
    view = trader.observe()
    assert view.balance("PAXG").total == 5 + D("0.1") - D("0.0001") - D("0.2")
    assert view.balance("USDT").total == 30_000 - D("400.04") + D("799.92") - D("0.79992")


def paying_in_bnb(price: str = "600", **more: Any) -> PaperSettings:
    rich = Opening(spot={"PAXG": D(5), "USDT": D(30_000), "BNB": D(10)}, pays_fees_in_bnb=True)
    prices = {**NOBODY_TAKES.prices, "BNBUSDT": D(price)}
    return replace(NOBODY_TAKES, accounts=(rich,), prices=prices, **more)


def test_fees_in_a_third_coin_are_valued_when_they_are_told(tmp_path: Path) -> None:
    with PaperExchange(paying_in_bnb()) as paper:
        trader = Trader(tmp_path, paper, Hand())
        trader.observe()
        bought = trader.buy("0.1").order
        view = trader.observe()
        paper.set_fair_price("BNBUSDT", D(900))
        before = trader.client.connection.requests
        soon = trader.buy("0.1").order
        assert trader.client.connection.requests - before == 1  # the price is kept for a minute
        trader.clock.ahead += KEPT_SECONDS
        later = trader.buy("0.1").order
        trader.client.close()
        stored = trader.stored()
    assert bought is not None
    assert soon is not None
    assert later is not None
    assert (bought.fee_base, bought.fee_quote) == (0, 0)
    ((coin, amount, value),) = bought.fee_valued
    assert bought.fee_other == ((coin, amount),) == (("BNB", amount),)
    assert value == amount * 600
    assert abs(value - bought.cost * D("0.00075")) < D("0.00001")  # three quarters of 0.1 %
    assert bought.fee_unvalued == ()
    assert view.fees_outside == value
    assert view.fees_teller
    assert soon.fee_valued[0][2] == soon.fee_valued[0][1] * 600
    assert later.fee_valued[0][2] == later.fee_valued[0][1] * 900
    assert stored == [bought, soon, later]  # and a later price changes none of them
    assert view.balance("BNB").total == 10 - amount
    assert view.balance("PAXG").total == D("5.1")


def test_costs_are_counted_with_the_fee_that_was_really_paid(tmp_path: Path) -> None:
    """0.1 % are stated, 0.075 % are paid in BNB: the hedge's comparison counts with the latter."""
    with PaperExchange(paying_in_bnb()) as paper:
        trader = Trader(tmp_path, paper, Hand())
        stated = trader.observe().spot
        trader.buy("0.1")
        paid = trader.observe().spot
        trader.restart()
        again = trader.observe().spot
        with paper.exchange.visit():
            paper.exchange.ledger.accounts["paper"].pays_fees_in_bnb = False
        trader.buy("0.1")
        without = trader.observe().spot
        trader.client.close()
    assert (stated.maker_fee, stated.taker_fee) == (D("0.001"), D("0.001"))
    assert (paid.maker_fee, paid.taker_fee) == (D("0.001"), D("0.00075"))
    assert again.taker_fee == D("0.00075")  # also after a restart
    assert without.taker_fee == D("0.001")
    costs = [
        taker_cost(_book(), spot, Side.BUY, D("0.1"), D(4010), D(4000)) for spot in (stated, paid)
    ]
    assert costs[0] - costs[1] == D("0.1") * 4001 * D("0.00025")


def _book() -> Book:
    level = (Level(price=D(4001), amount=D(5)),)
    return Book(symbol=PAXG, bids=(Level(price=D(3999), amount=D(5)),), asks=level, at=0)


def test_a_resting_quote_is_charged_and_valued_fill_by_fill(tmp_path: Path) -> None:
    with PaperExchange(paying_in_bnb()) as paper:
        trader = Trader(tmp_path, paper, Hand())
        trader.observe()
        resting = trader.rest("3999", "0.2")
        paper.set_fair_price("PAXGUSDT", D(3990))
        trader.observe()
        (order,) = trader.stored()
        trader.client.close()
    assert (order.client_id, order.filled) == (resting.client_id, D("0.2"))
    ((coin, amount, value),) = order.fee_valued
    assert (coin, value) == ("BNB", amount * 600)


def test_a_coin_without_a_market_stays_unvalued_and_the_order_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with PaperExchange(paying_in_bnb()) as paper:
        trader = Trader(tmp_path, paper, Hand())
        trader.observe()
        del trader.client.connection.public.exchange.markets["BNB/USDT"]
        outcome = trader.buy("0.1")
        trader.client.close()
    assert outcome.order is not None
    assert (outcome.status, outcome.order.filled, outcome.order.fee_valued) == (
        "done",
        D("0.1"),
        (),
    )
    assert outcome.order.fee_unvalued == outcome.order.fee_other
    assert "the exchange has no BNB/USDT" in caplog.text


def test_a_price_that_does_not_come_leaves_the_order_as_it_is(tmp_path: Path) -> None:
    with PaperExchange(paying_in_bnb()) as paper:
        trader = Trader(tmp_path, paper, Hand())
        trader.observe()
        trader.arm("GET /api/v3/ticker/*", Effect.SERVER_ERROR)
        outcome = trader.buy("0.1")
        trader.client.close()
    assert outcome.order is not None
    assert (outcome.status, outcome.order.fee_valued) == ("done", ())


def test_an_ioc_that_finds_nothing_is_done_and_empty(trader: Trader) -> None:
    trader.observe()
    outcome = trader.buy("0.1", "3000")
    assert outcome.order is not None
    assert (outcome.status, outcome.order.filled, outcome.detail) == ("done", 0, "expired")


@pytest.mark.parametrize(
    ("amount", "price", "rule"),
    [
        ("0.12345", "4000", "exchange_step"),
        ("0.1", "4000.001", "exchange_step"),
        ("0", "4000", "exchange_step"),
        ("0.001", "4000", "exchange_minimum"),
        ("9000.1", "100", "exchange_maximum"),  # of the amount
        ("8999", "1001", "exchange_maximum"),  # of the cost
        ("-0.1", "4000", "exchange_step"),
    ],
)
def test_what_the_rules_forbid_is_refused_and_not_rounded(
    trader: Trader, amount: str, price: str, rule: str
) -> None:
    trader.observe()
    before = trader.client.connection.requests
    outcome = trader.buy(amount, price)
    assert outcome.refusal is not None
    assert (outcome.status, outcome.refusal.rule) == ("refused", rule)
    assert trader.client.connection.requests == before
    assert trader.stored() == []


def test_the_intent_is_stored_before_anything_is_sent(trader: Trader) -> None:
    trader.observe()
    seen: list[list[OrderStatus]] = []
    lane = trader.client.connection.private
    inner = lane.call

    def spying(method: str, *arguments: object) -> Any:
        if method == "create_order":
            seen.append([o.status for o in trader.stored()])
        return inner(method, *arguments)

    lane.call = spying  # type: ignore[method-assign]  # to look, not to change
    trader.buy()
    assert seen == [[OrderStatus.INTENDED]]


def test_nothing_is_sent_when_the_intent_cannot_be_stored(trader: Trader) -> None:
    trader.observe()
    with sqlite3.connect(trader.root / "journal.sqlite") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Transient, match="locked"):
            trader.buy()
    assert trader.sent() == []


def test_equal_orders_in_one_second_are_two_orders(trader: Trader) -> None:
    trader.observe()
    trader.rest()
    trader.rest()
    assert len(set(trader.sent())) == 2
    assert len(trader.observe().resting) == 2


def intent(**more: Any) -> OrderIntent:
    facts: dict[str, Any] = {
        "client_id": "",
        "account": "binance:1234",
        "symbol": PAXG,
        "side": Side.BUY,
        "kind": OrderKind.IOC,
        "purpose": Purpose.HEDGE,
        "amount": D("0.1"),
        "price": D(4000),
        "reduce_only": False,
        "created_at": 1_790_000_000,
        **more,
    }
    return OrderIntent(**facts)


def test_a_name_follows_from_the_intent() -> None:
    name = client_order_id(intent(), 0)
    assert name == client_order_id(intent(amount=D("0.10"), price=D("4000.00")), 0)
    others = {
        client_order_id(intent(), 1),
        client_order_id(intent(side=Side.SELL), 0),
        client_order_id(intent(created_at=1_790_000_001), 0),
        client_order_id(intent(account="binance:5678"), 0),
        client_order_id(intent(price=D("4000.01")), 0),
    }
    assert name not in others
    assert len(others) == 5


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_name_is_legal_everywhere_and_tells_its_purpose(purpose: Purpose) -> None:
    name = client_order_id(intent(purpose=purpose), 0)
    assert len(name) == LENGTH == 32
    assert name.isalnum()
    assert name == name.lower()
    assert name.startswith(PREFIX)
    assert is_ours(name)
    assert purpose_of(name) is purpose
    assert not is_ours("x-TKT5PX2Fabc")
    assert not is_ours(None)


# Restarts and other people's orders


def test_resting_orders_are_found_again_after_a_restart(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.restart()
    view = trader.observe()
    assert [(o.client_id, o.ours) for o in view.resting] == [(resting.client_id, True)]


def test_our_orders_that_the_log_has_lost_are_adopted(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.client.close()
    (trader.root / "journal.sqlite").unlink()
    trader.restart()
    view = trader.observe()
    assert [(o.client_id, o.price, o.ours) for o in view.resting] == [
        (resting.client_id, D(3900), True)
    ]
    assert trader.stored()[0].purpose is Purpose.QUOTE
    assert trader.cancel(resting).status == "done"
    assert trader.observe().resting == ()


def test_other_peoples_orders_are_seen_and_left_alone(trader: Trader) -> None:
    trader.client.connection.private.call("load_markets")
    trader.client.connection.private.call(
        "create_order", PAXG, "limit", "buy", "0.1", "3800", {"clientOrderId": "by-hand"}
    )
    trader.observe()
    trader.rest()
    view = trader.observe()
    assert {(o.client_id, o.ours) for o in view.resting if not o.ours} == {("by-hand", False)}
    assert trader.client.send(CancelAll()).status == "done"
    trader.restart()
    assert [o.client_id for o in trader.observe().resting] == ["by-hand"]


@pytest.mark.parametrize(
    ("kind", "price", "stop", "working", "seen"),
    [
        ("STOP_LOSS", "0.00", "3000", False, False),
        ("STOP_LOSS_LIMIT", "2990", "3000", False, False),
        ("STOP_LOSS_LIMIT", "2990", "3000", True, True),  # triggered: it is in the book
        ("LIMIT", "4500", "0.00", True, True),
    ],
)
def test_a_person_s_stop_order_stands_in_no_book_until_it_is_triggered(
    trader: Trader,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    price: str,
    stop: str,
    *,
    working: bool,
    seen: bool,
) -> None:
    """A sell at 2990, or at nothing, in the book would keep every bid of ours below it."""
    trader.observe()
    exchange = trader.client.connection.private.exchange
    listed = exchange.fetch_open_orders
    by_hand = {
        "symbol": "PAXGUSDT",
        "orderId": 99,
        "clientOrderId": "by-hand",
        "price": price,
        "origQty": "1",
        "executedQty": "0",
        "cummulativeQuoteQty": "0",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": kind,
        "side": "SELL",
        "stopPrice": stop,
        "time": 1_700_000_000_000,
        "updateTime": 1_700_000_000_000,
        "isWorking": working,
    }

    def with_it(*arguments: object) -> Any:
        return [*listed(*arguments), exchange.parse_order(by_hand, exchange.market(PAXG))]

    monkeypatch.setattr(exchange, "fetch_open_orders", with_it)
    trader.client.forget_looks()
    view = trader.observe()
    assert [o.price for o in view.resting] == ([D(price)] if seen else [])
    assert trader.client._reconciler.has_foreign  # a dead-man's switch would take it out as well


def test_cancel_all_needs_no_look_before_it(trader: Trader) -> None:
    trader.observe()
    trader.rest()
    trader.rest("3910")
    trader.restart()
    assert trader.client.send(CancelAll()).status == "done"
    assert trader.observe().resting == ()


def test_cancel_all_says_when_the_exchange_is_down(trader: Trader) -> None:
    trader.observe()
    trader.rest()
    trader.paper.close()
    outcome = trader.client.send(CancelAll())
    assert outcome.status == "pending"
    assert "cannot read the open orders" in outcome.detail


def test_the_cancel_budgets_numbers(trader: Trader, clock: Hand) -> None:
    trader.observe()
    trader.cancel(trader.rest())
    trader.rest()
    trader.buy()
    trader.buy(price="4005", order=OrderKind.POST_ONLY)  # would take
    view = trader.observe()
    assert (view.recent_sent, view.recent_cancelled) == (4, 1)
    trader.restart()
    view = trader.observe()
    assert (view.recent_sent, view.recent_cancelled) == (3, 1)  # those that it ever had
    clock.ahead += 86_401
    assert trader.client.send(CancelAll()).status == "done"
    view = trader.observe()
    assert (view.recent_sent, view.recent_cancelled) == (0, 1)


# The perpetual


def test_a_short_and_its_close(hedger: Trader) -> None:
    view = hedger.observe()
    assert view.position is not None
    assert view.perpetual is not None
    assert (view.position.base, view.position.margin) == (0, 10_000)
    assert view.perpetual.amount_step == D("0.001")
    assert hedger.client.send(SetLeverage(symbol=PERPETUAL, leverage=D(2))).status == "done"
    short = hedger.sell("0.5", "3990", symbol=PERPETUAL).order
    assert short is not None
    assert (short.filled, short.fee_quote) == (D("0.5"), short.cost * D("0.0005"))
    view = hedger.observe()
    assert view.position is not None
    assert (view.position.base, view.position.leverage) == (D("-0.5"), 2)
    assert view.position.entry_price == short.cost / D("0.5")
    assert view.position.margin == 10_000 - short.fee_quote
    assert view.perpetual_book is not None
    too_much = hedger.buy("0.6", "4010", symbol=PERPETUAL, reduce_only=True).order
    assert too_much is not None
    assert too_much.filled == D("0.5")
    view = hedger.observe()
    assert view.position is not None
    assert view.position.base == 0


def test_a_perpetual_post_only_that_would_take(hedger: Trader, clock: Hand) -> None:
    hedger.observe()
    outcome = hedger.sell("0.1", "3990", symbol=PERPETUAL, order=OrderKind.POST_ONLY)
    assert outcome.status == "failed"
    assert "-5022" in outcome.detail


def test_refusals_are_of_steps_too_on_a_perpetual(hedger: Trader) -> None:
    hedger.observe()
    outcome = hedger.client.send(order(Side.SELL, "0.0005", "3990", symbol=PERPETUAL))
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "exchange_step"
