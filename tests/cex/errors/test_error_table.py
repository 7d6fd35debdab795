"""Every documented code through real ccxt: a loopback server answers, the lane judges."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import ccxt
import pytest

from dexmm.cex.ccxt_session import Lane, Pause
from dexmm.cex.errors.classify import CallFailed, Fate
from dexmm.cex.errors.error_table import TABLE, Row
from dexmm.errors import BadInput, Halt, Transient

ASKED = {  # one private request that each exchange's class makes without loading markets
    "binance": ("binance", "private_post_order"),
    "usdm": ("binanceusdm", "fapiprivate_post_order"),
    "okx": ("okx", "private_post_trade_order"),
    "kucoin": ("kucoin", "private_post_orders"),
}


@dataclass
class Answers:
    """A loopback exchange with one answer for everything."""

    url: str = ""
    status: int = 200
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # one packet for an answer

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = answers.body.encode()
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - http.server looks for this name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        answers.url = f"http://127.0.0.1:{running.server_port}"
        yield answers
        running.shutdown()


@pytest.fixture(autouse=True)
def nothing_special(server: Answers) -> None:
    server.status, server.body, server.headers = 200, "{}", {}


LANES: dict[tuple[str, str], Any] = {}


def lane_to(url: str, exchange_id: str) -> Lane:
    """As after a first private call that went well, which is when ccxt changes its mind."""
    if (url, exchange_id) not in LANES:
        made = getattr(ccxt, exchange_id)({"apiKey": "k", "secret": "cw==", "password": "p"})
        made.enableRateLimit = False
        made.urls["api"] = _moved(made.urls["api"], url)
        made.options["hasAlreadyAuthenticatedSuccessfully"] = True
        LANES[url, exchange_id] = made
    exchange = LANES[url, exchange_id]
    for hook in ("on_rest_response", "fetch"):  # a fresh lane puts its hooks on once more
        exchange.__dict__.pop(hook, None)
    return Lane(exchange, Pause())


def _moved(urls: Any, base: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(each, base) for name, each in urls.items()}
    path = urls.partition("://")[2].partition("/")[2]
    return f"{base}/{path}" if path else base


def failure(server: Answers, documents: str) -> CallFailed:
    exchange_id, method = ASKED[documents]
    with pytest.raises(CallFailed) as caught:
        lane_to(server.url, exchange_id).call(method, {})
    return caught.value


def told(documents: str, code: str, text: str) -> str:
    """The body in which this exchange tells a code."""
    if documents == "okx" and code.startswith("51"):
        details = [{"clOrdId": "", "ordId": "", "sCode": code, "sMsg": text, "tag": ""}]
        return json.dumps({"code": "1", "data": details, "msg": ""})
    if documents == "okx":
        return json.dumps({"code": code, "data": [], "msg": text})
    return json.dumps({"code": code if documents == "kucoin" else int(code), "msg": text})


def lines() -> list[Any]:
    return [
        pytest.param(documents, row, code.replace("*", "01"), id=f"{documents}{code}{row.text}")
        for documents, rows in TABLE.items()
        for row in rows
        for code in row.codes.split()
    ]


@pytest.mark.parametrize(("documents", "row", "code"), lines())
def test_every_documented_code_means_what_the_table_says(
    server: Answers, documents: str, row: Row, code: str
) -> None:
    text = f"{row.text} and so on." if row.text else "As documented."
    server.status, server.body = row.status, told(documents, code, text)
    failed = failure(server, documents)
    assert failed.fate is row.fate
    assert failed.filters is (row.filters and row.fate is Fate.REFUSED)
    assert text in failed.reason
    assert f"({code})" in failed.reason


def test_no_line_of_a_table_is_hidden_by_one_before_it() -> None:
    for documents, rows in TABLE.items():
        seen: list[tuple[str, str]] = []
        for row in rows:
            for code in row.codes.split():
                assert not any(code == c and (not t or t in row.text) for c, t in seen), (
                    documents,
                    code,
                )
                seen.append((code, row.text))


def test_a_key_that_may_not_trade_halts_also_after_a_first_good_call(server: Answers) -> None:
    server.status = 401
    server.body = '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
    with pytest.raises(ccxt.DDoSProtection):  # what ccxt makes of it
        lane_to(server.url, "binance").exchange.private_post_order({})
    pause = Pause()
    lane = Lane(LANES[server.url, "binance"], pause)
    with pytest.raises(Halt, match="permissions"):
        lane.read("place an order", "private_post_order", {})
    assert pause.left() == 0  # nobody has asked us to wait


@pytest.mark.parametrize("documents", list(ASKED))
@pytest.mark.parametrize(
    ("status", "fate", "kind"),
    [
        (418, Fate.THROTTLED, Transient),
        (429, Fate.THROTTLED, Transient),
        (403, Fate.THROTTLED, Transient),
        (451, Fate.RESTRICTED, BadInput),
        (401, Fate.DENIED, Halt),
        (500, Fate.UNKNOWN, Transient),
        (502, Fate.UNKNOWN, Transient),
        (504, Fate.UNKNOWN, Transient),
        (520, Fate.UNKNOWN, Transient),
    ],
)
@pytest.mark.parametrize("body", ["", "<html>no</html>"])
def test_a_status_without_a_code(
    server: Answers, documents: str, status: int, fate: Fate, kind: type[Exception], body: str
) -> None:
    server.status, server.body = status, body
    server.headers = {"Retry-After": "7"}
    failed = failure(server, documents)
    assert failed.fate is fate
    assert failed.retry_after == (7 if fate is Fate.THROTTLED else 0)
    assert type(failed.as_error("ask")) is kind
    assert f"[HTTP {status}]" in failed.reason
    assert "html" not in failed.reason


@pytest.mark.parametrize(
    "words",
    [
        "The Amazon CloudFront distribution is configured to block access from your country.",
        "The owner of this website has banned the country or region your IP address is in.",
    ],
)
@pytest.mark.parametrize("exchange_id", ["binance", "bybit"])
def test_a_country_that_a_gateway_turns_away_is_no_busy_exchange(
    server: Answers, exchange_id: str, words: str
) -> None:
    server.status, server.body = 403, f"<html><body>{words}</body></html>"
    failed = told_by(server, exchange_id)
    assert failed.fate is Fate.RESTRICTED
    assert type(failed.as_error("ask")) is BadInput


def test_an_order_that_met_a_5xx_is_never_called_refused(server: Answers) -> None:
    for documents, rows in TABLE.items():
        for row in rows:
            if row.certain:
                continue
            code = row.codes.split()[0].replace("*", "01")
            server.status, server.body = 503, told(documents, code, row.text or "so")
            assert failure(server, documents).fate is Fate.UNKNOWN


def test_futures_503_has_three_meanings(server: Answers) -> None:
    server.status = 503
    server.body = '{"code":-1000,"msg":"Unknown error, please check your request or try again."}'
    assert failure(server, "usdm").fate is Fate.UNKNOWN
    server.body = "Service Unavailable."
    assert failure(server, "usdm").fate is Fate.BUSY
    assert failure(server, "binance").fate is Fate.UNKNOWN  # spot's documents know of no such thing
    server.body = '{"code":-1008,"msg":"Request throttled by system-level protection."}'
    assert failure(server, "usdm").fate is Fate.BUSY
    assert failure(server, "binance").fate is Fate.UNKNOWN


def test_futures_codes_are_told_by_the_path_also_with_the_class_for_spot(server: Answers) -> None:
    server.status = 400
    server.body = '{"code":-2026,"msg":"This OrderType is not supported when reduceOnly."}'
    with pytest.raises(CallFailed) as caught:
        lane_to(server.url, "binance").call("fapiprivate_post_order", {})
    assert caught.value.fate is Fate.REFUSED
    assert failure(server, "binance").fate is Fate.NOT_FOUND  # spot: an order that was archived


@pytest.mark.parametrize(
    ("status", "body", "fate"),
    [
        (200, '{"retCode":10003,"retMsg":"API key is invalid."}', Fate.DENIED),
        (200, '{"retCode":10004,"retMsg":"error sign!"}', Fate.DENIED),
        (451, "", Fate.RESTRICTED),
        (403, "", Fate.THROTTLED),
        (503, '{"retCode":10003,"retMsg":"API key is invalid."}', Fate.UNKNOWN),
        (200, '{"retCode":110007,"retMsg":"Insufficient available balance"}', Fate.REFUSED),
    ],
)
def test_an_exchange_without_a_table_goes_by_status_and_by_ccxts_class(
    server: Answers, status: int, body: str, fate: Fate
) -> None:
    server.status, server.body = status, body
    with pytest.raises(CallFailed) as caught:
        lane_to(server.url, "bybit").call("private_post_v5_order_create", {})
    assert caught.value.fate is fate


@pytest.mark.parametrize(
    ("exchange_id", "status", "body", "reason"),
    [
        ("kraken", 200, '{"error":["EOrder:Insufficient funds"]}', "EOrder:Insufficient funds"),
        (
            "bybit",
            200,
            '{"retCode":170131,"retMsg":"Insufficient balance.","result":{}}',
            "Insufficient balance. (170131)",
        ),
        (
            "gate",
            400,
            '{"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}',
            "Not enough balance (BALANCE_NOT_ENOUGH) [HTTP 400]",
        ),
        (
            "coinbase",
            200,
            '{"success":false,"error_response":{"error":"INSUFFICIENT_FUND",'
            '"message":"Insufficient balance in source account",'
            '"preview_failure_reason":"PREVIEW_INSUFFICIENT_FUND"}}',
            "Insufficient balance in source account",
        ),
        (
            "htx",
            200,
            '{"status":"error","err-code":"account-frozen-balance-insufficient-error",'
            '"err-msg":"trade account balance is not enough"}',
            "trade account balance is not enough (account-frozen-balance-insufficient-error)",
        ),
        (
            "whitebit",
            422,
            '{"code":10,"message":"Inner validation failed",'
            '"errors":{"amount":["Not enough balance"]}}',
            "Not enough balance (10) [HTTP 422]",
        ),
        (
            "upbit",
            400,
            '{"error":{"message":"no funds","name":"insufficient_funds_bid"}}',
            "no funds (insufficient_funds_bid) [HTTP 400]",
        ),
        (
            "bitvavo",
            400,
            '{"errorCode":216,"error":"You do not have sufficient balance."}',
            "You do not have sufficient balance. (216) [HTTP 400]",
        ),
    ],
)
def test_each_exchange_s_own_words_are_the_reason(
    server: Answers, exchange_id: str, status: int, body: str, reason: str
) -> None:
    server.status, server.body = status, body
    failed = told_by(server, exchange_id)
    assert failed.fate is Fate.REFUSED
    assert failed.reason == reason


@pytest.mark.parametrize(
    ("exchange_id", "status", "body"),
    [
        ("bybit", 200, '{"retCode":170141,"retMsg":"Duplicate clientOrderId.","result":{}}'),
        ("bybit", 200, '{"retCode":110072,"retMsg":"OrderLinkedID is duplicate","result":{}}'),
        ("gate", 400, '{"label":"REPEATED_CREATION","message":"the same text was used before"}'),
        ("poloniex", 400, '{"code":21312,"message":"Client orderId already exists"}'),
        ("kraken", 200, '{"error":["EOrder:Duplicate cl_ord_id"]}'),
    ],
)
def test_an_id_that_is_there_already_is_an_order_of_ours_to_be_looked_for(
    server: Answers, exchange_id: str, status: int, body: str
) -> None:
    server.status, server.body = status, body
    assert told_by(server, exchange_id).fate is Fate.UNKNOWN


def told_by(server: Answers, exchange_id: str) -> CallFailed:
    """What an order's answer means there, read by ccxt's own class."""
    with pytest.raises(CallFailed) as caught:
        lane_to(server.url, exchange_id).call("fetch", f"{server.url}/order", "POST", {}, "{}")
    return caught.value
