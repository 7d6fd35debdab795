"""Binance's error codes, each provoked as a client would provoke it, over the wire."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
import requests

from dexmm.errors import BadInput
from dexmm.paper_exchange.engine.accounts import Permissions
from dexmm.paper_exchange.engine.settings import Limits, Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal
ACCOUNT = "/api/v3/account"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# Who asks


def test_a_key_that_cannot_be_one(raw: Any) -> None:
    raw.session.headers["X-MBX-APIKEY"] = "short"
    answer = raw("GET", ACCOUNT)
    assert (answer.status, answer.error) == (401, (-2014, "API-key format invalid."))
    del raw.session.headers["X-MBX-APIKEY"]
    assert raw("GET", ACCOUNT).error[0] == -2014


def test_a_key_that_nobody_has(raw: Any) -> None:
    raw.session.headers["X-MBX-APIKEY"] = "x" * 64
    answer = raw("GET", ACCOUNT)
    text = "Invalid API-key, IP, or permissions for action."
    assert (answer.status, answer.error) == (401, (-2015, text))


def test_a_wrong_signature(raw: Any) -> None:
    query = f"timestamp={now_ms()}"
    wrong = raw.send("GET", f"{ACCOUNT}?{raw.sign(query, 'another secret')}")
    assert wrong.error == (-1022, "Signature for this request is not valid.")
    changed = raw.sign(query + "&recvWindow=5000").replace("5000", "6000")
    assert raw.send("GET", f"{ACCOUNT}?{changed}").error[0] == -1022
    assert raw.send("GET", f"{ACCOUNT}?{query}").error[0] == -1102


def test_what_is_signed_may_stand_in_the_query_the_body_or_both(raw: Any) -> None:
    query = (
        "symbol=PAXGUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=3900"
        f"&timestamp={now_ms()}"
    )
    signed = raw.sign(query)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body_only = raw.send("POST", "/api/v3/order", data=signed, headers=form)
    assert body_only.status == 200
    half = len("symbol=PAXGUSDT&side=BUY&type=LIMIT")
    signature = raw.sign(query[:half] + query[half + 1 :]).split("signature=")[1]
    both = raw.send(
        "POST",
        f"/api/v3/order?{query[:half]}",
        data=f"{query[half + 1 :]}&signature={signature}",
        headers=form,
    )
    assert both.status == 200


@pytest.mark.parametrize(
    ("shift_ms", "window", "text"),
    [
        (-6_000, 5_000, "Timestamp for this request is outside of the recvWindow."),
        (-70_000, 60_000, "Timestamp for this request is outside of the recvWindow."),
        (3_000, 5_000, "Timestamp for this request was 1000ms ahead of the server's time."),
    ],
)
def test_a_clock_that_is_off(raw: Any, shift_ms: int, window: int, text: str) -> None:
    answer = raw("GET", ACCOUNT, timestamp=now_ms() + shift_ms, recvWindow=window)
    assert answer.error == (-1021, text)


def test_a_window_that_is_too_long(raw: Any) -> None:
    assert raw("GET", ACCOUNT, recvWindow=60_001).error[0] == -1131
    assert raw("GET", ACCOUNT, timestamp=now_ms() - 30_000, recvWindow=60_000).status == 200


# What is asked


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ({"side": None}, -1102, "Mandatory parameter 'side' was not sent"),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "STOP"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent"),
        ({"price": None}, -1102, "Mandatory parameter 'price' was not sent"),
        ({"quantity": None}, -1102, "Mandatory parameter 'quantity' was not sent"),
        ({"quantity": "-1"}, -1100, "Illegal characters found in parameter 'quantity'"),
        ({"quantity": "1e1"}, -1100, "Illegal characters found in parameter 'quantity'"),
        ({"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"type": "MARKET"}, -1106, "Parameter 'price' sent when not required."),
        ({"newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter"),
        ({"newClientOrderId": "a" * 37}, -1100, "Illegal characters found in parameter"),
        ({"price": "3900.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "0"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "20000.01"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.00015"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.0012"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "8"}, -2010, "Account has insufficient balance for requested action."),
        ({"side": "SELL", "price": "4100", "quantity": "5.1"}, -2010, "Account has insufficient"),
        (
            {"type": "LIMIT_MAKER", "timeInForce": None, "price": "4000.40"},
            -2010,
            "Order would immediately match and take.",
        ),
        (
            {"type": "MARKET", "timeInForce": None, "price": None, "quantity": "101"},
            -1013,
            "Filter failure: MARKET_LOT_SIZE",
        ),
        (
            {"type": "MARKET", "timeInForce": None, "price": None, "quoteOrderQty": "10"},
            -1128,
            "Combination of optional parameters invalid.",
        ),
    ],
)
def test_an_order_that_cannot_be(
    raw: Any, given: dict[str, str | None], code: int, text: str
) -> None:
    answer = raw.order(**given)
    assert (answer.status, answer.error[0]) == (400, code)
    assert answer.error[1].startswith(text)
    assert raw("GET", "/api/v3/openOrders", symbol="PAXGUSDT").told == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "201"}, -4005),
        ({"quantity": "0.001"}, -4164),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "4000.001"}, -4014),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "0"}, -4001),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "3000"}, -4024),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "5000", "side": "BUY"}, -4016),
        ({"type": "LIMIT", "timeInForce": "GTX", "price": "3997.60"}, -5022),
        ({"positionSide": "SHORT"}, -4061),
        ({"quantity": "100"}, -2019),
        ({"reduceOnly": "true"}, -2022),
        ({"symbol": "BTCUSDT"}, -1121),
        ({"type": "STOP_MARKET"}, -1116),
    ],
)
def test_a_perpetual_order_that_cannot_be(raw: Any, given: dict[str, str], code: int) -> None:
    assert raw.short(**given).error[0] == code


def test_a_name_is_unique_among_open_orders_only(raw: Any) -> None:
    assert raw.order(newClientOrderId="same").status == 200
    again = raw.order(newClientOrderId="same")
    assert again.error == (-2010, "Duplicate order sent.")
    raw("DELETE", "/api/v3/order", symbol="PAXGUSDT", origClientOrderId="same")
    second = raw.order(newClientOrderId="same")
    assert second.status == 200
    # The newest of that name is the one that is told.
    found = raw("GET", "/api/v3/order", symbol="PAXGUSDT", origClientOrderId="same")
    assert found.told["orderId"] == second.told["orderId"]
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "4100", "newClientOrderId": "same"}
    assert raw.short(**limit).status == 200  # another market
    assert raw.short(**limit).error == (-4116, "ClientOrderId is duplicated.")


def test_an_order_that_nobody_sent(raw: Any) -> None:
    find = {"symbol": "PAXGUSDT", "origClientOrderId": "never"}
    assert raw("GET", "/api/v3/order", **find).error == (-2013, "Order does not exist.")
    assert raw("DELETE", "/api/v3/order", **find).error == (-2011, "Unknown order sent.")
    assert raw("GET", "/fapi/v1/order", **find).error == (-2013, "Order does not exist.")
    assert raw("DELETE", "/fapi/v1/order", **find).error == (-2011, "Unknown order sent.")
    assert raw("GET", "/api/v3/order", symbol="PAXGUSDT").error[0] == -1102
    assert raw("GET", "/api/v3/order", symbol="BTCUSDT", orderId=1).error[0] == -2013


def test_a_filled_order_cannot_be_cancelled(raw: Any) -> None:
    number = raw.order(price="4000.40").told["orderId"]
    gone = raw("DELETE", "/api/v3/order", symbol="PAXGUSDT", orderId=number)
    assert gone.error == (-2011, "Unknown order sent.")


def test_what_an_answer_tells(raw: Any) -> None:
    assert set(raw.order(newOrderRespType="ACK").told) == {
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    }
    assert "fills" not in raw.order(newOrderRespType="RESULT").told
    full = raw.order(price="4000.40").told
    assert full["fills"] == [
        {
            "price": "4000.40000000",
            "qty": "0.10000000",
            "commission": "0.00010000",
            "commissionAsset": "PAXG",
            "tradeId": full["fills"][0]["tradeId"],
        }
    ]


@pytest.mark.parametrize("path", ["/api/v3/nothing", "/api/v1/ping", "/papi/v1/account"])
def test_a_path_that_is_not_there(raw: Any, path: str) -> None:
    assert raw("GET", path).status == 404


def test_a_wrong_interval(raw: Any) -> None:
    answer = raw("GET", "/api/v3/klines", signed=False, symbol="PAXGUSDT", interval="7m")
    assert answer.error == (-1120, "Invalid interval.")


class TestPermissions:
    @pytest.fixture
    def settings(self, settings: PaperSettings) -> PaperSettings:
        may = Permissions(trade=False, futures=False, withdraw=True, ip_restricted=False)
        return replace(settings, accounts=(Opening(permissions=may),))

    def test_a_key_that_may_not_trade_but_withdraw(self, raw: Any) -> None:
        assert raw.order().error[0] == -2015
        assert raw.short().error[0] == -2015
        assert raw("GET", ACCOUNT).told["canTrade"] is False
        may = raw("GET", "/sapi/v1/account/apiRestrictions").told
        assert (may["enableWithdrawals"], may["ipRestrict"]) == (True, False)


class TestRateLimits:
    @pytest.fixture
    def settings(self, settings: PaperSettings) -> PaperSettings:
        few = Limits(spot_weight=200, spot_orders_10s=3, futures_orders_10s=2)
        return replace(settings, limits=few)

    @pytest.fixture(autouse=True)
    def _early_in_the_window(self) -> None:
        # Windows are fixed: a test that straddles one would count from zero in the middle.
        rest = 10 - time.time() % 10
        if rest < 2:
            time.sleep(rest)

    def test_weight_is_told_and_then_refused_and_then_banned(self, raw: Any) -> None:
        used = int(raw("GET", ACCOUNT).headers["X-MBX-USED-WEIGHT-1M"])
        assert used == 20
        for _ in range(9):
            assert raw("GET", ACCOUNT).status == 200
        refused = raw("GET", ACCOUNT)
        assert (refused.status, refused.error[0]) == (429, -1003)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        while refused.status == 429:
            refused = raw("GET", ACCOUNT)
        assert (refused.status, refused.headers["Retry-After"]) == (418, "120")
        assert raw("GET", "/fapi/v1/ping", signed=False).status == 200  # counted apart

    def test_orders_are_counted(self, raw: Any) -> None:
        answers = [raw.order() for _ in range(4)]
        assert [a.headers["X-MBX-ORDER-COUNT-10S"] for a in answers[:3]] == ["1", "2", "3"]
        assert (answers[3].status, answers[3].error[0]) == (429, -1015)
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 10
        assert [raw.short().status for _ in range(3)] == [200, 200, 429]

    def test_ccxt_sees_a_rate_limit(self, paper: PaperExchange, raw: Any) -> None:
        client = ccxt.binance({**paper.ccxt_config(), "enableRateLimit": False})
        for _ in range(11):
            raw("GET", ACCOUNT)
        with pytest.raises(ccxt.DDoSProtection):
            client.fetch_time()
        client.session.close()


# Who may ask at all


def test_only_loopback_is_served() -> None:
    with pytest.raises(BadInput, match="loopback only"):
        PaperExchange(host="0.0.0.0")  # noqa: S104 - that it is refused is the test


def test_another_hosts_name_is_refused(paper: PaperExchange) -> None:
    answer = requests.get(paper.url + "/api/v3/ping", headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 403


def test_a_web_page_cannot_arm_a_fault(paper: PaperExchange) -> None:
    answer = requests.post(
        paper.url + "/paper/faults",
        json={"endpoint": "*", "effect": "drop"},
        headers={"Origin": "https://evil.example"},
        timeout=5,
    )
    assert answer.status_code == 403
    assert paper.exchange.faults.armed == []


def test_a_port_in_use_is_one_sentence(paper: PaperExchange) -> None:
    port = int(paper.url.rsplit(":", 1)[1])
    with pytest.raises(BadInput, match="choose another port"):
        PaperExchange(port=port).start()
