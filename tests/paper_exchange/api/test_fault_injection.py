"""Every rehearsed fault, as ccxt meets it, and what is true on the exchange afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest
import requests

from dexmm.errors import BadInput
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule, Faults, parse_rule
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal
PAXG, PERPETUAL = "PAXG/USDT", "PAXG/USDT:USDT"
NEW, CANCEL = "POST /api/v3/order", "DELETE /api/v3/order"


@pytest.fixture
def impatient(spot: Any) -> Any:
    spot.timeout = 300
    return spot


def arm(paper: PaperExchange, endpoint: str, effect: Effect, **more: Any) -> None:
    paper.add_fault(FaultRule(endpoint=endpoint, effect=effect, **more))


def buy(spot: Any, name: str = "intent-1", price: float = 3900, amount: float = 0.1) -> Any:
    return spot.create_order(PAXG, "limit", "buy", amount, price, {"clientOrderId": name})


def exists(spot: Any, name: str = "intent-1") -> bool:
    try:
        spot.fetch_order(None, PAXG, {"clientOrderId": name})
    except ccxt.OrderNotFound:
        return False
    return True


@pytest.mark.parametrize(("status", "seconds"), [(429, 7), (418, 120)])
def test_rate_limits_with_retry_after(
    spot: Any, paper: PaperExchange, status: int, seconds: int
) -> None:
    arm(paper, NEW, Effect.RATE_LIMIT, status=status, seconds=D(seconds))
    with pytest.raises(ccxt.DDoSProtection):
        buy(spot)
    assert spot.last_response_headers["Retry-After"] == str(seconds)
    assert not exists(spot)


@pytest.mark.parametrize("applied", [False, True])
def test_a_server_error_tells_nothing_about_the_order(
    spot: Any, paper: PaperExchange, applied: bool
) -> None:
    arm(paper, NEW, Effect.SERVER_ERROR, applied=applied)
    with pytest.raises((ccxt.ExchangeNotAvailable, ccxt.OperationFailed)):
        buy(spot)
    assert exists(spot) is applied


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-1021, ccxt.InvalidNonce),
        (-2010, ccxt.InsufficientFunds),
        (-1013, ccxt.InvalidOrder),
        (-2015, ccxt.AuthenticationError),
    ],
)
def test_rejections(spot: Any, paper: PaperExchange, code: int, error: type[Exception]) -> None:
    arm(paper, NEW, Effect.REJECT, code=code)
    spot.options["hasAlreadyAuthenticatedSuccessfully"] = False
    with pytest.raises(error):
        buy(spot)
    assert not exists(spot)
    assert buy(spot)["status"] == "open"


def test_an_unknown_order_on_cancel_though_it_rests(spot: Any, paper: PaperExchange) -> None:
    buy(spot)
    arm(paper, CANCEL, Effect.REJECT, code=-2011)
    with pytest.raises(ccxt.OrderNotFound):
        spot.cancel_order(None, PAXG, {"clientOrderId": "intent-1"})
    assert len(spot.fetch_open_orders(PAXG)) == 1


@pytest.mark.parametrize(
    ("effect", "was_done"), [(Effect.TIMEOUT_AFTER, True), (Effect.TIMEOUT_BEFORE, False)]
)
def test_a_timeout_before_and_after(
    impatient: Any, paper: PaperExchange, effect: Effect, was_done: bool
) -> None:
    arm(paper, NEW, effect)
    with pytest.raises(ccxt.RequestTimeout):
        buy(impatient)
    impatient.timeout = 5000
    assert exists(impatient) is was_done


def test_a_silence_that_ends_hangs_up(spot: Any, paper: PaperExchange) -> None:
    arm(paper, NEW, Effect.TIMEOUT_AFTER, seconds=D("0.1"))
    with pytest.raises(ccxt.NetworkError):
        buy(spot)
    assert exists(spot)


def test_closing_does_not_wait_for_a_silence(settings: Any) -> None:
    with PaperExchange(settings) as paper:
        arm(paper, "GET /api/v3/time", Effect.TIMEOUT_BEFORE, seconds=D(60))
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.get(paper.url + "/api/v3/time", timeout=0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 5


def test_a_connection_dropped_in_the_middle_of_the_answer(spot: Any, paper: PaperExchange) -> None:
    arm(paper, NEW, Effect.DROP)
    with pytest.raises(ccxt.NetworkError):
        buy(spot)
    assert exists(spot)


def test_truncated_json_is_an_order_without_an_id(spot: Any, paper: PaperExchange) -> None:
    """The trap: no exception, and nothing that names the order. It exists all the same."""
    arm(paper, NEW, Effect.TRUNCATE)
    told = buy(spot)
    assert (told["id"], told["status"], told["clientOrderId"]) == (None, None, None)
    assert exists(spot)


def test_a_stale_ticker(spot: Any, paper: PaperExchange) -> None:
    arm(paper, "GET /api/v3/ticker/*", Effect.STALE, times=0)
    first = spot.fetch_ticker(PAXG)
    paper.set_fair_price("PAXGUSDT", D(4100))
    again = spot.fetch_ticker(PAXG)
    assert (again["last"], again["timestamp"]) == (first["last"], first["timestamp"])
    assert spot.fetch_order_book(PAXG, 1)["bids"][0][0] > 4090
    paper.clear_faults()
    assert spot.fetch_ticker(PAXG)["last"] == 4100


def test_a_crossed_and_an_empty_book(spot: Any, paper: PaperExchange) -> None:
    arm(paper, "GET /api/v3/depth", Effect.CROSSED_BOOK)
    crossed = spot.fetch_order_book(PAXG, 5)
    assert crossed["bids"][0][0] > crossed["asks"][0][0]
    arm(paper, "GET /api/v3/depth", Effect.EMPTY_BOOK)
    empty = spot.fetch_order_book(PAXG, 5)
    assert (empty["bids"], empty["asks"]) == ([], [])
    arm(paper, "GET /api/v3/ticker/bookTicker", Effect.EMPTY_BOOK)
    assert float(spot.fetch_bids_asks([PAXG])[PAXG]["bid"] or 0) == 0
    healthy = spot.fetch_order_book(PAXG, 5)
    assert healthy["bids"][0][0] < healthy["asks"][0][0]


def test_a_partial_fill_and_then_silence(spot: Any, paper: PaperExchange) -> None:
    arm(paper, NEW, Effect.PARTIAL_FILL, fraction=D("0.3"))
    order = buy(spot, price=4000.4, amount=0.5)
    assert (order["status"], order["filled"]) == ("open", 0.15)
    paper.set_fair_price("PAXGUSDT", D(3900))  # right through it: nothing more
    assert spot.fetch_order(order["id"], PAXG)["filled"] == 0.15
    book = spot.fetch_order_book(PAXG, 5)
    assert book["bids"][0][0] < book["asks"][0][0]
    spot.cancel_order(order["id"], PAXG)
    assert spot.fetch_balance()["USDT"]["used"] == 0


@pytest.mark.parametrize("fraction", ["1", "0.4"])
def test_an_order_filled_during_its_cancel(spot: Any, paper: PaperExchange, fraction: str) -> None:
    order = buy(spot, amount=0.5)
    arm(paper, CANCEL, Effect.FILL_ON_CANCEL, fraction=D(fraction))
    if fraction == "1":
        with pytest.raises(ccxt.OrderNotFound):
            spot.cancel_order(order["id"], PAXG)
        assert spot.fetch_order(order["id"], PAXG)["status"] == "closed"
    else:
        gone = spot.cancel_order(order["id"], PAXG)
        assert (gone["status"], gone["filled"]) == ("canceled", 0.2)
    assert spot.fetch_my_trades(PAXG)[0]["amount"] == 0.5 * float(fraction)


def test_orders_filled_during_cancel_all(spot: Any, paper: PaperExchange) -> None:
    buy(spot, "a")
    buy(spot, "b")
    arm(paper, "DELETE /api/v3/openOrders", Effect.FILL_ON_CANCEL, fraction=D(1))
    with pytest.raises(ccxt.OrderNotFound):
        spot.cancel_all_orders(PAXG)
    assert len(spot.fetch_my_trades(PAXG)) == 2


def test_balances_that_lag_the_fill(spot: Any, paper: PaperExchange) -> None:
    arm(paper, "GET /api/v3/account", Effect.LAG_BALANCES, times=2)
    spot.create_order(PAXG, "market", "buy", 1)
    assert [spot.fetch_balance()["PAXG"]["total"] for _ in range(3)] == [5, 5, 5.999]


def test_positions_that_lag_the_fill(perpetual: Any, paper: PaperExchange) -> None:
    arm(paper, "GET /fapi/v3/positionRisk", Effect.LAG_BALANCES)
    perpetual.create_order(PERPETUAL, "market", "sell", 0.5)
    assert perpetual.fetch_positions() == []
    assert perpetual.fetch_positions()[0]["contracts"] == 0.5


def test_a_symbol_that_is_suspended(spot: Any, paper: PaperExchange) -> None:
    arm(paper, "GET /api/v3/time", Effect.SUSPEND, symbol="PAXGUSDT")
    assert buy(spot)["status"] == "open"
    spot.fetch_time()
    with pytest.raises(ccxt.MarketClosed):
        buy(spot, "intent-2")
    assert spot.load_markets(True)[PAXG]["active"] is False
    assert spot.cancel_order(None, PAXG, {"clientOrderId": "intent-1"})["status"] == "canceled"


def test_a_perpetual_that_is_suspended(perpetual: Any, paper: PaperExchange) -> None:
    arm(paper, "POST /fapi/v1/order", Effect.SUSPEND)
    with pytest.raises(ccxt.ExchangeError, match="-4141"):
        perpetual.create_order(PERPETUAL, "market", "sell", 0.1)


def test_a_precision_that_changes_between_two_calls(spot: Any, paper: PaperExchange) -> None:
    rule = {"tick_size": D("0.1"), "step_size": D("0.01"), "symbol": "PAXGUSDT"}
    arm(paper, "GET /api/v3/exchangeInfo", Effect.PRECISION, nth=2, **rule)
    assert spot.load_markets(True)[PAXG]["precision"]["price"] == 0.01
    assert buy(spot, price=3900.55)["status"] == "open"
    assert spot.fetch_currencies()  # not what was asked for
    arm(paper, NEW, Effect.PRECISION, **rule)
    with pytest.raises(ccxt.InvalidOrder, match="PRICE_FILTER"):
        buy(spot, "intent-2", price=3900.55)
    assert spot.load_markets(True)[PAXG]["precision"]["price"] == 0.1
    assert buy(spot, "intent-3", price=3900.55)["price"] in (3900.5, 3900.6)


# Which request, and how often


def test_the_nth_request_so_many_times() -> None:
    rule = FaultRule(endpoint="GET /a*", effect=Effect.DROP, nth=2, times=2, symbol="X")
    faults = Faults()
    faults.add(rule)
    asked = [faults.next("GET", "/ab", "X") is not None for _ in range(5)]
    assert asked == [False, True, True, False, False]
    assert faults.next("POST", "/ab", "X") is None
    faults.add(FaultRule(endpoint="* /b", effect=Effect.DROP, times=0))
    assert all(faults.next("GET", "/b", "") for _ in range(20))
    faults.add(FaultRule(endpoint="* /c", effect=Effect.DROP, symbol="X"))
    assert faults.next("GET", "/c", "Y") is None


@pytest.fixture
def manage(paper: PaperExchange) -> Iterator[Any]:
    with requests.Session() as session:

        def ask(method: str, path: str, body: str = "") -> Any:
            answer = session.request(method, paper.url + path, data=body, timeout=5)
            return answer.status_code, answer.json()

        yield ask


def test_faults_over_http(manage: Any, spot: Any) -> None:
    rule = {"endpoint": NEW, "effect": "reject", "code": -2010, "times": 1}
    assert manage("POST", "/paper/faults", json.dumps([rule])) == (200, {"added": 1})
    with pytest.raises(ccxt.InsufficientFunds):
        buy(spot)
    (shown,) = manage("GET", "/paper/faults")[1]
    assert (shown["effect"], shown["seen"], shown["happened"]) == ("reject", 1, 1)
    assert manage("DELETE", "/paper/faults")[0] == 200
    assert manage("GET", "/paper/faults") == (200, [])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"effect": "drop"}, "must say its endpoint"),
        ({"endpoint": "*", "effect": "explode"}, "choose from rate_limit"),
        ({"endpoint": "*", "effect": "drop", "how": 1}, "has no 'how'"),
        ({"endpoint": "*", "effect": "drop", "nth": "1"}, "must be int"),
        ({"endpoint": "*", "effect": "drop", "nth": 0}, "nth from 1"),
        ({"endpoint": "*", "effect": "drop", "seconds": "soon"}, "cannot be a fault's seconds"),
        ([], "must be a JSON object"),
    ],
)
def test_a_rule_that_cannot_be_is_one_sentence(rule: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_rule(rule)


def test_managing_over_http(manage: Any, spot: Any) -> None:
    body = '{"symbol":"PAXGUSDT","price":"4200"}'
    assert manage("POST", "/paper/price", body)[0] == 200
    assert spot.fetch_ticker(PAXG)["last"] == 4200
    for wrong in ('{"symbol":"PAXGUSDT","price":"-1"}', '{"symbol":"X","price":"1"}', "[]", "{"):
        status, told = manage("POST", "/paper/price", wrong)
        assert status == 400
        assert told["error"]
    status, told = manage("GET", "/paper/status")
    assert (status, told["imbalance"], told["prices"]["spot:PAXGUSDT"]) == (200, {}, "4200")
    assert manage("GET", "/paper/nothing")[0] == 404


def test_the_account_and_the_perpetual_are_set_over_http_while_it_runs(
    manage: Any, spot: Any, perpetual: Any
) -> None:
    """What a rehearsal of the perpetual leg needs; nothing of it may make money from nothing."""
    body = '{"spot":{"USDT":"1000"},"margin":"500","position_mode":"one-way"}'
    assert manage("POST", "/paper/account", body)[0] == 200
    assert spot.fetch_balance()["total"]["USDT"] == 1000
    assert perpetual.fetch_balance()["total"]["USDT"] == 500
    mode = '{"position_mode":"hedge","margin_mode":{"PAXGUSDT":"isolated"}}'
    assert manage("POST", "/paper/account", mode)[0] == 200
    assert perpetual.fetch_position_mode(PERPETUAL)["hedged"] is True
    assert perpetual.fetch_margin_mode(PERPETUAL)["marginMode"] == "isolated"
    rate = '{"symbol":"PAXGUSDT","rate":"0.0003","in_seconds":600}'
    assert manage("POST", "/paper/funding", rate)[0] == 200
    assert perpetual.fetch_funding_rate(PERPETUAL)["fundingRate"] == 0.0003
    price = '{"symbol":"PAXGUSDT","market":"perpetual","price":"4100"}'
    assert manage("POST", "/paper/price", price)[0] == 200
    assert perpetual.fetch_funding_rate(PERPETUAL)["markPrice"] == 4100
    assert spot.fetch_ticker(PAXG)["last"] == 4000
    for path, wrong in (
        ("/paper/account", '{"margin":"-1"}'),
        ("/paper/account", '{"position_mode":"both"}'),
        ("/paper/funding", '{"symbol":"PAXGUSDT","rate":"much"}'),
        ("/paper/price", '{"symbol":"PAXGUSDT","market":"perpetual","price":"0"}'),
    ):
        status, told = manage("POST", path, wrong)
        assert (status, bool(told["error"])) == (400, True), wrong
    assert manage("GET", "/paper/status")[1]["imbalance"] == {}
