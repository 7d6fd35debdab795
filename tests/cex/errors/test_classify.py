"""What a failed call means: what is known afterwards decides, not what went wrong."""

from __future__ import annotations

import ccxt
import pytest

from dexmm.cex.ccxt_session import Lane, Pause
from dexmm.cex.errors.classify import CallFailed, Fate, NotOffered, judge, said
from dexmm.errors import Halt, Transient


def body(code: int, text: str) -> str:
    return f'binance {{"code":{code},"msg":"{text}"}}'


@pytest.mark.parametrize(
    ("error", "status", "fate"),
    [
        (ccxt.RequestTimeout("binance POST https://x/?signature=1"), 0, Fate.UNKNOWN),
        (ccxt.NetworkError("binance POST https://x/?signature=1"), 0, Fate.UNKNOWN),
        (ccxt.ExchangeNotAvailable(body(-1001, "Internal error")), 503, Fate.UNKNOWN),
        (ccxt.OperationFailed(body(-1006, "Unexpected response")), 400, Fate.UNKNOWN),
        (ccxt.BadResponse("binance its answer is not whole JSON"), 200, Fate.UNKNOWN),
        (ccxt.ExchangeError("binance https://x"), 0, Fate.UNKNOWN),
        (KeyError("orderId"), 200, Fate.UNKNOWN),
        (TypeError("'str' object"), 200, Fate.UNKNOWN),
        (ccxt.InvalidOrder(body(-2010, "Duplicate order sent.")), 400, Fate.UNKNOWN),
        (ccxt.InvalidOrder(body(-4116, "ClientOrderId is duplicated.")), 400, Fate.UNKNOWN),
        (ccxt.DuplicateOrderId("okx x"), 200, Fate.UNKNOWN),
        (ccxt.InsufficientFunds(body(-2010, "no")), 503, Fate.UNKNOWN),
        (ccxt.InsufficientFunds(body(-2010, "no")), 400, Fate.REFUSED),
        (ccxt.InvalidOrder(body(-1013, "Filter failure: LOT_SIZE")), 400, Fate.REFUSED),
        (ccxt.ExchangeError(body(-5022, "would not make")), 400, Fate.REFUSED),
        (ccxt.MarketClosed("binance Market is closed."), 400, Fate.REFUSED),
        (ccxt.OrderNotFound(body(-2011, "Unknown order sent.")), 400, Fate.NOT_FOUND),
        (ccxt.InvalidNonce(body(-1021, "recvWindow")), 400, Fate.CLOCK),
        (ccxt.DDoSProtection("binance 418 I'm a teapot"), 418, Fate.THROTTLED),
        (ccxt.RateLimitExceeded(body(-1003, "Too much")), 429, Fate.THROTTLED),
        (ccxt.AuthenticationError(body(-2015, "Invalid API-key")), 401, Fate.DENIED),
        (ccxt.PermissionDenied("binance no"), 400, Fate.DENIED),
        (ccxt.AccountSuspended("binance no"), 400, Fate.DENIED),
        (ccxt.NotSupported("binance x"), 0, Fate.UNABLE),
        (ccxt.BadSymbol("binance x"), 0, Fate.UNABLE),
    ],
)
def test_the_fate_of_what_was_asked(error: Exception, status: int, fate: Fate) -> None:
    assert judge(error, status, 0, ()).fate is fate


@pytest.mark.parametrize("kind", [ccxt.NetworkError, ccxt.ExchangeError, ccxt.RequestTimeout])
def test_a_url_is_never_shown(kind: type[Exception]) -> None:
    error = kind("binance POST https://api.binance.com/api/v3/order?signature=abc&apiKey=k")
    reason = judge(error, 0, 0, ()).reason
    assert "http" not in reason
    assert "signature" not in reason


def test_secrets_are_struck_from_the_exchanges_words() -> None:
    failed = judge(ccxt.InvalidOrder(body(-1, "bad key k1 and s2")), 400, 0, ("k1", "s2", ""))
    assert failed.reason == "bad key *** and *** (-1) [HTTP 400]"


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ('binance {"code":-2010,"msg":"no"}', "-2010", "no"),
        ('okx {"code":"1","data":[{"sCode":"51008","sMsg":"poor"}],"msg":""}', "51008", "poor"),
        (
            'kucoin {"code":"200004","msg":"Balance insufficient!"}',
            "200004",
            "Balance insufficient!",
        ),
        ("binance Market is closed.", "", "Market is closed."),
        ("binance POST https://x", "", ""),
        ('bybit {"retCode":0,"retMsg":"OK"}', "", ""),
        ('binance {"code":', "", '{"code":'),
    ],
)
def test_the_exchanges_own_words(message: str, code: str, text: str) -> None:
    words = said(ccxt.ExchangeError(message))
    assert (words.code, words.text) == (code, text)


def test_the_words_of_an_answer_that_was_no_refusal_explain_nothing() -> None:
    answer = '{"retCode":0,"retMsg":"OK","result":{"list":[]}}'
    missed = ccxt.OrderNotFound("bybit order 7 does not exist")
    assert judge(missed, 200, 0, (), body=answer).reason == "order 7 does not exist"
    broken = judge(KeyError("orderId"), 200, 0, (), body='{"code":"1","msg":"all well"}')
    assert broken.reason == "its answer makes no sense (KeyError)"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ccxt.InsufficientFunds("lbank https://x"), "too little is free for the order"),
        (ccxt.PermissionDenied("lbank https://x"), "the key may not do this"),
        (ccxt.OnMaintenance("lbank https://x"), "it is under maintenance"),
        (ccxt.RateLimitExceeded("lbank https://x"), "it was asked too often"),
        (ccxt.ExchangeError("lbank https://x"), "its answer makes no sense (ExchangeError)"),
    ],
)
def test_without_words_ccxt_s_class_is_put_into_ours(error: Exception, words: str) -> None:
    assert judge(error, 200, 0, ()).reason == words


@pytest.mark.parametrize(
    ("fate", "kind"),
    [
        (Fate.DENIED, Halt),
        (Fate.UNABLE, NotOffered),
        (Fate.THROTTLED, Transient),
        (Fate.UNKNOWN, Transient),
        (Fate.CLOCK, Transient),
        (Fate.REFUSED, Transient),
    ],
)
def test_what_the_runner_does_next(fate: Fate, kind: type[Exception]) -> None:
    error = CallFailed(fate, "so", retry_after=7).as_error("read the book")
    assert type(error) is kind
    assert "cannot read the book: so" in str(error)


def test_a_pause_is_kept_by_every_lane() -> None:
    now = 100.0
    pause = Pause(lambda: now)
    lanes = [Lane(ccxt.binance(), pause) for _ in range(2)]
    pause.begin(30)
    pause.begin(5)
    for lane in lanes:
        with pytest.raises(CallFailed) as caught:
            lane.call("fetch_time")
        assert (caught.value.fate, caught.value.retry_after) == (Fate.THROTTLED, 31)
        assert lane.requests == 0
    now += 30
    assert pause.left() == 0
