"""Every fault the exchange side must survive, through real ccxt against the paper exchange.

What each proves: nothing is sent twice, nothing is forgotten, and after at most one more turn the
log, the balances and the exchange agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cex.cex_world import (
    ACCOUNT,
    BOOK,
    CANCEL,
    LOOK,
    NEW,
    PAXG,
    WINDOW_SECONDS,
    Hand,
    Trader,
)
from strategy.builders import World

from dexmm.cex.balance_reconciliation import EMPTY_SECONDS
from dexmm.cex.client import RECONCILE_EVERY, open_client
from dexmm.cex.instruments import (
    KEPT_CARRIED_SECONDS,
    KEPT_DOUBTED_SECONDS,
    KEPT_SECONDS,
    KEPT_SUSPENDED_SECONDS,
)
from dexmm.config.schema import Config
from dexmm.engine.turn import turn
from dexmm.errors import Halt, Transient
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.model.order import OrderKind, OrderStatus, Purpose
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import CancelAll, ChainStep, Outcome
from dexmm.model.venue import VenueView
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.protocols import Verdict
from dexmm.wiring.paired_observation import Pair, PairedCex

D = Decimal


def agree(trader: Trader, base: str) -> None:
    """One look later: exposure is right, and no order is of unknown fate."""
    view = trader.observe()
    assert view.balance("PAXG").total == trader.base() == D(base)
    assert view.pending == ()
    assert trader.log.open_orders(trader.client.connection.account) == tuple(
        o for o in trader.stored() if not o.status.final
    )


# The request is refused


@pytest.mark.parametrize(("status", "seconds"), [(429, 2), (418, 3)])
def test_a_rate_limit_on_a_read_is_waited_out(trader: Trader, status: int, seconds: int) -> None:
    trader.observe()
    trader.arm(ACCOUNT, Effect.RATE_LIMIT, status=status, seconds=D(seconds))
    with pytest.raises(Transient) as caught:
        trader.observe()
    assert caught.value.facts["retry_after"] == seconds
    before = trader.client.connection.requests
    with pytest.raises(Transient, match="pause"):
        trader.observe()
    assert trader.client.connection.requests == before  # not one request while it is banned


def test_a_rate_limit_on_an_order_means_that_it_was_not_taken(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.RATE_LIMIT, status=429, seconds=D(0))
    outcome = trader.buy()
    assert (outcome.status, trader.sent()) == ("failed", [])
    assert trader.stored()[0].status is OrderStatus.REJECTED


@pytest.mark.parametrize("applied", [False, True])
def test_a_server_error_on_an_order_is_looked_up(
    trader: Trader, clock: Hand, applied: bool
) -> None:
    trader.observe()
    trader.arm(NEW, Effect.SERVER_ERROR, status=503, applied=applied)
    outcome = trader.buy()
    if applied:
        assert outcome.status == "done"
        agree(trader, "5.0999")
        return
    assert outcome.status == "pending"
    assert [p.amount for p in trader.observe().pending] == [D("0.1")]  # its worst case counts
    clock.ahead += WINDOW_SECONDS
    agree(trader, "5")
    assert trader.stored()[0].status is OrderStatus.REJECTED


def test_a_server_error_on_a_read_makes_the_venue_absent(trader: Trader) -> None:
    trader.arm(ACCOUNT, Effect.SERVER_ERROR, status=502)
    with pytest.raises(Transient, match="HTTP 502"):
        trader.observe()
    trader.observe()


def test_a_timestamp_outside_the_window_is_synchronised(trader: Trader) -> None:
    trader.observe()
    trader.arm(ACCOUNT, Effect.REJECT, code=-1021)
    trader.observe()  # asked again with the clock set right
    trader.arm(NEW, Effect.REJECT, code=-1021)
    assert trader.buy().status == "done"
    assert len(trader.sent()) == 1
    agree(trader, "5.0999")


def test_insufficient_balance_is_a_refusal(trader: Trader) -> None:
    trader.observe()
    outcome = trader.buy("8", "4000.40")
    assert outcome.status == "failed"
    assert "insufficient balance" in outcome.detail
    trader.arm(NEW, Effect.REJECT, code=-2010)
    assert trader.buy().status == "failed"
    assert trader.sent() == []
    agree(trader, "5")


def test_a_filter_failure_is_a_refusal_and_the_rules_are_read_again(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.REJECT, code=-1013)
    outcome = trader.buy()
    assert (outcome.status, trader.sent()) == ("failed", [])
    before = trader.client.connection.requests
    agree(trader, "5")
    assert trader.client.connection.requests - before > 2  # the symbols among them
    before = trader.client.connection.requests
    trader.observe()
    assert trader.client.connection.requests - before == 2


def test_an_unknown_key_halts(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.REJECT, code=-2014, status=401)
    with pytest.raises(Halt, match="API key"):
        trader.buy()
    assert trader.stored()[0].status is OrderStatus.REJECTED


# The answer is missing or broken


def test_a_time_out_after_it_was_accepted(trader: Trader) -> None:
    trader.observe()
    trader.impatient()
    trader.arm(NEW, Effect.TIMEOUT_AFTER, seconds=D(1))
    outcome = trader.buy()
    assert outcome.status == "done"
    assert outcome.order is not None
    assert (outcome.order.filled, outcome.order.fee_base) == (D("0.1"), D("0.0001"))
    assert len(trader.sent()) == 1
    agree(trader, "5.0999")


def test_a_time_out_before_it_was_accepted(trader: Trader, clock: Hand) -> None:
    trader.observe()
    trader.impatient()
    trader.arm(NEW, Effect.TIMEOUT_BEFORE, seconds=D(1))
    outcome = trader.buy()
    assert (outcome.status, trader.sent()) == ("pending", [])
    clock.ahead += WINDOW_SECONDS
    agree(trader, "5")
    assert [o.status for o in trader.stored()] == [OrderStatus.REJECTED]
    assert trader.buy().status == "done"
    agree(trader, "5.0999")


def test_a_time_out_and_no_answer_to_the_look_up_either(trader: Trader) -> None:
    trader.observe()
    trader.impatient()
    trader.arm(NEW, Effect.TIMEOUT_AFTER, seconds=D(1))
    trader.arm(LOOK, Effect.TIMEOUT_BEFORE, seconds=D(1))
    assert trader.buy().status == "pending"
    agree(trader, "5.0999")
    assert trader.stored()[0].filled == D("0.1")
    assert len(trader.sent()) == 1


@pytest.mark.parametrize("effect", [Effect.DROP, Effect.TRUNCATE])
def test_an_answer_that_breaks_off(trader: Trader, effect: Effect) -> None:
    """Truncated JSON is what ccxt would parse into an order without an id."""
    trader.observe()
    trader.arm(NEW, effect)
    outcome = trader.buy()
    assert outcome.status == "done"
    assert outcome.order is not None
    assert (outcome.order.filled, outcome.order.cost) == (D("0.1"), D("400.04"))
    assert len(trader.sent()) == 1
    agree(trader, "5.0999")


@pytest.mark.parametrize("endpoint", [ACCOUNT, BOOK, "GET /api/v3/openOrders"])
@pytest.mark.parametrize("effect", [Effect.DROP, Effect.TRUNCATE])
def test_a_read_that_breaks_off_makes_the_venue_absent(
    trader: Trader, endpoint: str, effect: Effect
) -> None:
    trader.arm(endpoint, effect)
    with pytest.raises(Transient):
        trader.observe()
    agree(trader, "5")


# The market is not what it should be


@pytest.mark.parametrize(
    ("effect", "words"), [(Effect.CROSSED_BOOK, "crossed"), (Effect.EMPTY_BOOK, "empty")]
)
def test_a_book_without_a_price_makes_the_venue_absent(
    trader: Trader, effect: Effect, words: str
) -> None:
    trader.arm(BOOK, effect)
    with pytest.raises(Transient, match=words):
        trader.observe()
    trader.observe()


def test_a_suspended_symbol(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.SUSPEND, symbol="PAXGUSDT")
    assert trader.buy().status == "failed"
    assert trader.observe().spot.tradable is False
    outcome = trader.buy()
    assert outcome.refusal is not None
    assert (outcome.status, outcome.refusal.rule) == ("refused", "symbol_suspended")
    assert (trader.sent(), trader.base()) == ([], D(5))


def test_a_symbol_that_trades_again_is_traded_again_half_a_minute_later(trader: Trader) -> None:
    """Nothing is ordered while it is suspended, so no refusal can tell that it is over."""

    def requests() -> int:
        before = trader.client.connection.requests
        trader.observe()
        return trader.client.connection.requests - before

    trader.observe()
    usual = [requests() for _ in range(2)]
    trader.arm(NEW, Effect.SUSPEND, symbol="PAXGUSDT")
    assert trader.buy().status == "failed"
    assert trader.observe().spot.tradable is False
    trader.paper.exchange.change_rules("spot:PAXGUSDT", trading=True)
    assert trader.observe().spot.tradable is False  # not asked for at every look
    trader.clock.ahead += KEPT_SUSPENDED_SECONDS
    assert trader.observe().spot.tradable is True
    assert trader.buy().status == "done"
    trader.observe()
    trader.clock.ahead += KEPT_SUSPENDED_SECONDS * 3
    assert [requests() for _ in range(2)] == usual  # and from then on as ever


def test_a_symbol_that_is_not_listed_for_a_while_is_suspended_until_it_is(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maintenance, or a list that came in part: nothing that a person has to correct."""
    resting = trader.rest("3900")
    trader.observe()
    exchange = trader.client.connection.private.exchange
    whole = exchange.fetch_markets

    def in_part(params: object = None) -> Any:
        return [market for market in whole() if market["symbol"] != PAXG]

    monkeypatch.setattr(exchange, "fetch_markets", in_part)
    trader.clock.ahead += KEPT_SECONDS
    assert trader.observe().spot.tradable is False
    outcome = trader.buy()
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "symbol_suspended"
    assert trader.cancel(resting).status == "done"
    monkeypatch.setattr(exchange, "fetch_markets", lambda *_: [])  # not one symbol
    trader.clock.ahead += KEPT_SUSPENDED_SECONDS
    assert trader.observe().spot.tradable is False
    monkeypatch.setattr(exchange, "fetch_markets", whole)
    trader.clock.ahead += KEPT_SUSPENDED_SECONDS
    assert trader.observe().spot.tradable is True
    assert trader.buy().status == "done"
    agree(trader, "5.0999")


def test_what_was_answered_before_and_is_unknown_now_skips_the_turn(trader: Trader) -> None:
    trader.observe()
    unknown = {"code": -1121, "msg": "Invalid symbol.", "status": 400}
    trader.arm(BOOK, Effect.REJECT, **unknown)
    with pytest.raises(Transient, match=r"Invalid symbol.*did answer before"):
        trader.observe()
    resting = trader.rest("3900")
    for request in (LOOK, CANCEL, "GET /api/v3/*Orders"):
        trader.arm(request, Effect.REJECT, **unknown)
    with pytest.raises(Transient):
        trader.cancel(resting)
    trader.observe()
    assert trader.cancel(resting).status == "done"


def test_an_exchange_that_lists_nothing_is_asked_again(trader: Trader) -> None:
    trader.client.connection.private.exchange.fetch_markets = lambda *_: []
    with pytest.raises(Transient, match="lists no symbols"):
        trader.observe()


def test_precision_that_changes_between_two_turns(trader: Trader) -> None:
    assert trader.observe().spot.amount_step == D("0.0001")
    trader.arm(NEW, Effect.PRECISION, symbol="PAXGUSDT", step_size=D("0.01"))
    assert trader.buy("0.1234").status == "failed"
    assert trader.observe().spot.amount_step == D("0.01")
    outcome = trader.buy("0.1234")
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "exchange_step"
    assert trader.buy("0.12").status == "done"
    agree(trader, "5.11988")


def test_an_eased_minimum_that_no_order_could_tell_of_is_known_a_minute_later(
    trader: Trader,
) -> None:
    """The order is refused here, so that the exchange never gets to say that it would do now."""

    def requests() -> int:
        before = trader.client.connection.requests
        trader.observe()
        return trader.client.connection.requests - before

    trader.observe()
    usual = [requests() for _ in range(2)]
    least = trader.observe().spot.amount_min
    trader.paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=D("0.5"))
    assert trader.buy("0.1").status == "failed"  # the exchange's own word: known at once
    assert trader.observe().spot.amount_min == D("0.5")
    trader.paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=least)
    outcome = trader.buy("0.1")
    assert outcome.refusal is not None
    assert outcome.refusal.rule == "exchange_minimum"
    assert trader.observe().spot.amount_min == D("0.5")  # not asked for at every look
    trader.clock.ahead += KEPT_DOUBTED_SECONDS
    assert trader.observe().spot.amount_min == least
    assert trader.buy("0.1").status == "done"
    trader.observe()
    trader.clock.ahead += KEPT_DOUBTED_SECONDS * 3
    assert [requests() for _ in range(2)] == usual  # and from then on as ever


def test_quotes_too_small_for_the_exchange_are_quoted_a_minute_after_its_minimum_is_eased(
    tmp_path: Path, paper: PaperExchange
) -> None:
    trader = Trader(tmp_path, paper, Hand())
    trader.client.close()
    quotes = trader.config.quotes.model_copy(update={"enabled": True})
    trader.config = trader.config.model_copy(update={"quotes": quotes})
    trader.restart()
    least = trader.observe().spot.amount_min
    paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=10 * quotes.size_base)
    trader.clock.ahead += KEPT_SECONDS
    assert trader.observe().spot.amount_min == 10 * quotes.size_base
    paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=least)
    trader.clock.ahead += KEPT_DOUBTED_SECONDS
    assert trader.observe().spot.amount_min == least
    trader.client.close()


@dataclass
class Memories:
    """What a turn asks of a journal."""

    kept: Memory = field(default_factory=Memory)

    def memory(self) -> Memory:
        return self.kept

    def halted(self) -> str:
        return ""

    def record(self, entry: Entry, config: Config) -> Entry:
        self.kept = entry.memory
        return entry


@dataclass
class EmptyWallet:
    """A chain on which nothing of ours is."""

    world: World

    def observe(self) -> ChainView:
        self.world.pass_time(60)
        return self.world.view()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        raise AssertionError(f"nothing is there to {step.kind}")


def test_a_hedge_that_waits_for_a_smaller_minimum_is_sent_minutes_after_it_was_eased(
    trader: Trader,
) -> None:
    """The strategy itself holds it back: the client is never asked, and cannot refuse."""
    world = World(trader.config, base=D(0), quote=D(0))
    chain, journal = EmptyWallet(world), Memories()

    def one() -> Entry:
        return turn(chain, journal, trader.config, lambda: world.now, cex=PairedCex(pair, client))

    def read() -> tuple[ChainView, VenueView]:
        return world.view(), client.observe()

    client, least = trader.client, trader.observe().spot.amount_min
    pair = Pair(read)
    trader.paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=D(1))
    trader.clock.ahead += KEPT_SECONDS
    held = one()  # 5 of gold beside 30,000 USDT: 0.3 too many
    assert held.decision.below_minimum
    assert D("0.2") < held.decision.carried_base < 1
    assert held.steps == ()
    trader.paper.exchange.change_rules("spot:PAXGUSDT", min_quantity=least)
    before = client.connection.requests
    one()
    assert client.connection.requests - before == 2  # the symbols are not asked for at every look
    trader.clock.ahead += KEPT_CARRIED_SECONDS
    sent = one()
    assert [o.status for o in sent.outcomes] == ["done"]
    assert not sent.decision.below_minimum
    trader.clock.ahead += KEPT_CARRIED_SECONDS * 3
    one()
    assert not one().decision.below_minimum
    before = client.connection.requests
    trader.clock.ahead += KEPT_CARRIED_SECONDS * 3
    one()
    assert client.connection.requests - before == 2  # and from then on as ever


# Fills that come otherwise than expected


def test_a_partial_fill_of_an_ioc_is_what_counts(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.PARTIAL_FILL, fraction=D("0.3"))
    outcome = trader.buy()
    assert outcome.order is not None
    assert (outcome.status, outcome.order.status) == ("done", OrderStatus.CLOSED)
    assert (outcome.order.filled, outcome.order.fee_base) == (D("0.03"), D("0.00003"))
    agree(trader, "5.02997")


def test_a_partial_fill_and_then_silence(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.PARTIAL_FILL, fraction=D("0.4"))
    resting = trader.rest("3999")
    trader.paper.set_fair_price("PAXGUSDT", D(3990))
    view = trader.observe()
    assert view.balance("PAXG").total == trader.base() == D("5.03996")
    assert [(o.filled, o.amount) for o in view.resting] == [(D("0.04"), D("0.1"))]
    assert trader.cancel(resting).status == "done"
    final = trader.stored()[-1]
    assert (final.status, final.filled, final.fee_base) == (
        OrderStatus.CLOSED,
        D("0.04"),
        D("0.00004"),
    )
    agree(trader, "5.03996")


@pytest.mark.parametrize("fraction", ["0.5", "1"])
def test_an_order_filled_during_its_cancel(trader: Trader, fraction: str) -> None:
    trader.observe()
    resting = trader.rest()
    trader.arm(CANCEL, Effect.FILL_ON_CANCEL, fraction=D(fraction))
    outcome = trader.cancel(resting)
    assert outcome.status == "done"
    assert outcome.order is not None
    assert outcome.order.filled == D("0.1") * D(fraction)
    assert outcome.order.fee_base == outcome.order.filled / 1000
    agree(trader, str(5 + outcome.order.filled - outcome.order.fee_base))


def test_a_cancel_of_an_order_that_is_gone(trader: Trader) -> None:
    """-2011: somebody else has cancelled it."""
    trader.observe()
    resting = trader.rest()
    trader.client.connection.private.call("cancel_order", resting.exchange_id, PAXG)
    outcome = trader.cancel(resting)
    assert outcome.status == "done"
    assert trader.observe().resting == ()
    assert trader.cancel(resting).status == "done"


def test_a_cancel_whose_answer_is_lost(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.arm(CANCEL, Effect.DROP)
    assert trader.cancel(resting).status == "done"
    agree(trader, "5")


def test_a_cancel_that_never_arrived_is_not_believed(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.impatient()
    trader.arm(CANCEL, Effect.TIMEOUT_BEFORE, seconds=D(1))
    with pytest.raises(Transient):
        trader.cancel(resting)
    assert [o.client_id for o in trader.observe().resting] == [resting.client_id]
    assert trader.client.send(CancelAll()).status == "done"
    assert trader.observe().resting == ()


def test_balances_that_lag_a_fill_are_waited_for(trader: Trader) -> None:
    trader.observe()
    trader.arm(ACCOUNT, Effect.LAG_BALANCES, times=2)
    assert trader.buy().status == "done"
    with pytest.raises(Transient, match="lag behind our fills in PAXG, USDT"):
        trader.observe()
    agree(trader, "5.0999")


def test_an_account_that_is_told_empty_at_once_is_not_believed_at_once(
    trader: Trader, clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without one coin is how some exchanges write that they could not work it out."""
    exchange = trader.client.connection.private.exchange
    trader.observe()
    monkeypatch.setattr(exchange, "fetch_balance", lambda: {"free": {}, "used": {}, "total": {}})
    for _ in range(3):
        with pytest.raises(Transient, match="an account without BTC, PAXG, USDC, USDT"):
            trader.observe()
        clock.ahead += EMPTY_SECONDS // 2
    assert trader.observe().balances == ()  # then it is the exchange's word
    monkeypatch.undo()
    assert trader.observe().balance("PAXG").total == D(5)


def test_balances_that_lag_once_are_asked_again_at_once(trader: Trader) -> None:
    trader.observe()
    trader.arm(ACCOUNT, Effect.LAG_BALANCES, times=1)
    trader.buy()
    agree(trader, "5.0999")


def test_balances_that_never_catch_up_are_the_exchanges_word(trader: Trader, clock: Hand) -> None:
    trader.observe()
    trader.arm(ACCOUNT, Effect.LAG_BALANCES, times=0)
    trader.buy()
    with pytest.raises(Transient):
        trader.observe()
    clock.ahead += 31
    assert trader.observe().balance("PAXG").total == D(5)


def test_a_quote_that_fills_unseen_is_found_by_the_balances(trader: Trader) -> None:
    trader.observe()
    trader.rest("3999")
    trader.observe()
    trader.paper.set_fair_price("PAXGUSDT", D(3990))
    view = trader.observe()
    assert (view.resting, view.pending) == ((), ())
    assert trader.stored()[-1].fee_base == D("0.0001")
    agree(trader, "5.0999")


def test_a_post_only_order_that_would_take_is_refused(trader: Trader) -> None:
    trader.observe()
    outcome = trader.buy(price="4005", order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE)
    assert outcome.status == "failed"
    assert "immediately match" in outcome.detail
    agree(trader, "5")


def test_an_order_that_every_list_denies_is_not_given_up_while_balances_tell_of_it(
    trader: Trader, clock: Hand
) -> None:
    """Its fill is in the balances, but the exchange finds it nowhere for a while."""
    trader.observe()
    lane = trader.client.connection.private
    for endpoint in ("openOrders", "allOrders", "myTrades"):
        trader.arm(f"GET /api/v3/{endpoint}", Effect.STALE, times=0)
    for method in ("fetch_open_orders", "fetch_orders", "fetch_my_trades"):
        assert lane.call(method, PAXG) == []
    trader.arm(LOOK, Effect.REJECT, code=-2013, times=0)
    trader.arm(NEW, Effect.DROP)
    assert trader.buy().status == "pending"
    clock.ahead += WINDOW_SECONDS
    for _ in range(3):
        assert [p.amount for p in trader.observe().pending] == [D("0.1")]
    trader.paper.clear_faults()
    agree(trader, "5.0999")
    assert trader.stored()[0].filled == D("0.1")


def test_an_order_that_cannot_be_found_by_name_is_found_in_the_lists(trader: Trader) -> None:
    trader.observe()
    trader.arm(LOOK, Effect.REJECT, code=-2013, times=1)
    trader.arm(NEW, Effect.DROP)
    assert trader.buy().status == "done"
    agree(trader, "5.0999")


def test_an_order_that_no_list_has_is_found_behind_its_trades(trader: Trader) -> None:
    trader.observe()
    lane = trader.client.connection.private
    for endpoint in ("openOrders", "allOrders"):
        trader.arm(f"GET /api/v3/{endpoint}", Effect.STALE, times=0)
    for method in ("fetch_open_orders", "fetch_orders"):
        assert lane.call(method, PAXG) == []
    trader.arm(LOOK, Effect.REJECT, code=-2013, times=1)
    trader.arm(NEW, Effect.DROP)
    assert trader.buy().status == "done"
    agree(trader, "5.0999")


def test_a_trade_of_no_order_that_can_be_asked_for_keeps_no_other_order_in_doubt(
    trader: Trader, clock: Hand
) -> None:
    """A conversion, or a person's order that the exchange has put away, on the same side."""
    trader.observe()
    by_hand = trader.client.connection.private.exchange
    by_hand.create_order(PAXG, "market", "buy", 0.2)
    trader.observe()
    trader.arm(LOOK, Effect.REJECT, code=-2013, times=0)
    trader.impatient()
    trader.arm(NEW, Effect.TIMEOUT_BEFORE, seconds=D(1))
    assert trader.buy().status == "pending"  # it may arrive yet
    clock.ahead += WINDOW_SECONDS
    trader.observe()
    assert [o.status for o in trader.stored()] == [OrderStatus.REJECTED]
    assert trader.observe().pending == ()


def test_an_ioc_that_the_exchange_lets_rest_is_cancelled(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.log.save_order(replace(resting, kind=OrderKind.IOC))
    trader.observe()
    assert trader.observe().resting == ()
    assert trader.stored()[0].status is OrderStatus.CLOSED


def test_a_watcher_changes_nothing(trader: Trader) -> None:
    trader.observe()
    resting = trader.rest()
    trader.log.save_order(replace(resting, kind=OrderKind.IOC))
    watcher = open_client(trader.config, trader.log, trader.clock, watch_only=True)
    assert [p.client_id for p in watcher.observe().pending] == [resting.client_id]
    watcher.close()
    with trader.paper.exchange.visit():
        assert len(trader.paper.exchange.spot["PAXGUSDT"].open) == 1


def test_a_dead_mans_switch_is_armed_while_quotes_rest(trader: Trader) -> None:
    """Binance has none in ccxt: its instance is given one here, to see when it is used."""
    client, armed = trader.client, list[int]()
    lane = client.connection.private
    lane.exchange.cancel_all_orders_after = armed.append
    can = replace(client.connection.can, dead_mans_switch=True)
    client.connection = replace(client.connection, can=can)
    trader.observe()
    assert armed == []
    resting = trader.rest()
    trader.observe()
    trader.observe()
    assert armed == [120_000, 120_000]
    trader.cancel(resting)
    trader.observe()
    trader.observe()
    assert armed == [120_000, 120_000, 0]
    trader.rest()
    lane.call("create_order", PAXG, "limit", "buy", "0.1", "3800")  # a person's
    for _ in range(RECONCILE_EVERY + 1):
        trader.observe()
    assert armed[-1] == 0


def test_the_switch_is_disarmed_when_everything_is_taken_out(trader: Trader) -> None:
    """At the end of a loop: it knows no owner, and would take out what a person places next."""
    client, armed = trader.client, list[int]()
    client.connection.private.exchange.cancel_all_orders_after = armed.append
    can = replace(client.connection.can, dead_mans_switch=True)
    client.connection = replace(client.connection, can=can)
    trader.observe()
    trader.rest()
    trader.observe()
    assert armed == [120_000]
    assert client.send(CancelAll()).status == "done"
    assert armed == [120_000, 0]
    assert client.send(CancelAll()).status == "done"
    assert armed == [120_000, 0]


def test_a_switch_that_cannot_be_disarmed_is_said(trader: Trader) -> None:
    client = trader.client
    can = replace(client.connection.can, dead_mans_switch=True)
    client.connection = replace(client.connection, can=can)
    client.connection.private.exchange.cancel_all_orders_after = lambda _: None
    trader.observe()
    trader.rest()
    trader.observe()

    def down(_: int) -> None:
        raise ccxt.ExchangeNotAvailable("binance down")

    client.connection.private.exchange.cancel_all_orders_after = down
    outcome = client.send(CancelAll())
    assert outcome.status == "failed"
    assert "cannot disarm the dead-man's switch" in outcome.detail


def test_a_fill_between_the_orders_and_the_balances_is_counted_once(trader: Trader) -> None:
    """The book was read before it, the account after it: the next look puts that right."""
    trader.observe()
    trader.rest("3999")
    trader.observe()
    read, lane = trader.client.connection.private.read, trader.client.connection.private

    def fill_first(what: str, method: str, *arguments: object) -> Any:
        if method == "fetch_balance":
            trader.paper.set_fair_price("PAXGUSDT", D(3990))
        return read(what, method, *arguments)

    lane.read = fill_first  # type: ignore[method-assign]  # to act in between
    trader.log.save_order(replace(trader.stored()[0], status=OrderStatus.INTENDED))
    view = trader.observe()
    assert view.balance("PAXG").total == trader.base() == D("5.0999")
    agree(trader, "5.0999")
    assert trader.stored()[0].status is OrderStatus.CLOSED
    before = trader.client.connection.requests
    agree(trader, "5.0999")
    assert trader.client.connection.requests - before == 2
