"""One look: what is in it, what it costs, and that nothing leaks or leaves."""

from __future__ import annotations

import dataclasses
import logging
import threading
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from cex.cex_world import ACCOUNT, NEW, PERPETUAL, Hand, Trader, config_for

from dexmm.cex.client import open_client
from dexmm.cex.dry_orders import carried
from dexmm.cex.exchange import account_name, connect_exchange, make
from dexmm.errors import BadInput, DexmmError, Halt
from dexmm.model.order import OrderKind, Purpose
from dexmm.paper_exchange.api.fault_injection import Effect
from dexmm.paper_exchange.engine.settings import API_KEY, SECRET

D = Decimal


def requests_of(trader: Trader) -> int:
    before = trader.client.connection.requests
    trader.observe()
    return trader.client.connection.requests - before


def test_a_look_is_two_requests(trader: Trader) -> None:
    trader.observe()
    assert [requests_of(trader) for _ in range(5)] == [2] * 5


def test_a_look_is_two_requests_while_quotes_rest(trader: Trader) -> None:
    trader.observe()
    trader.rest("3900")
    trader.buy("0.5", "4100")
    trader.rest("3910")
    assert requests_of(trader) > 2  # the account has moved
    assert [requests_of(trader) for _ in range(5)] == [2] * 5


def test_what_quotes_have_traded_is_counted_apart_from_everything_else(trader: Trader) -> None:
    first = trader.observe()
    assert (first.quoted_base, first.quoted_quote) == (0, 0)
    assert first.quoted_epoch > 0
    trader.buy("0.3")  # a hedge
    trader.rest("3990", "0.2")
    assert trader.observe().quoted_base == 0
    trader.paper.set_fair_price("PAXGUSDT", D(3980))  # through the bid
    seen = trader.observe()
    assert (seen.quoted_base, seen.quoted_quote) == (D("0.1998"), D(-798))  # the fee is in base
    assert seen.quoted_epoch == first.quoted_epoch
    trader.clock.ahead += 5
    trader.restart()
    again = trader.observe()
    assert again.quoted_base == 0
    assert again.quoted_epoch != first.quoted_epoch  # and it says that it is another count


def test_a_look_is_two_requests_with_an_idle_perpetual(hedger: Trader) -> None:
    hedger.observe()
    assert [requests_of(hedger) for _ in range(5)] == [2] * 5


def test_every_tenth_look_reconciles(trader: Trader) -> None:
    trader.observe()
    assert [requests_of(trader) for _ in range(10)] == [2] * 9 + [3]


def test_a_held_perpetual_is_always_looked_at(hedger: Trader) -> None:
    hedger.observe()
    hedger.sell("0.1", "3990", symbol=PERPETUAL)
    for _ in range(3):
        view = hedger.observe()
        assert view.perpetual_book is not None


def test_the_perpetual_comes_into_view_when_spot_runs_low(hedger: Trader) -> None:
    hedger.observe()
    assert hedger.observe().perpetual_book is None
    for _ in range(5):
        hedger.sell("0.95", "3900")
    assert hedger.observe().balance("PAXG").free < D("0.5")
    assert hedger.observe().perpetual_book is not None


def test_account_and_book_are_read_at_the_same_time(trader: Trader) -> None:
    trader.observe()
    together = threading.Barrier(2, timeout=5)
    for lane in (trader.client.connection.private, trader.client.connection.public):
        inner = lane.exchange.fetch

        def fetch(*given: Any, inner: Any = inner, **named: Any) -> Any:
            together.wait()
            return inner(*given, **named)

        lane.exchange.fetch = fetch
    trader.observe()


def test_the_triangle_is_one_request_more(tmp_path: Path, paper: Any, clock: Hand) -> None:
    trader = Trader(tmp_path, paper, clock, triangle=["PAXG/BTC", "BTC/USDT"])
    view = trader.observe()
    assert [book.symbol for book in view.triangle_books] == ["PAXG/BTC", "BTC/USDT"]
    assert [i.symbol for i in view.triangle] == ["PAXG/BTC", "BTC/USDT"]
    assert all(book.mid is not None for book in view.triangle_books)
    assert requests_of(trader) == 3
    trader.client.close()


def test_no_float_anywhere_in_a_view(hedger: Trader) -> None:
    hedger.observe()
    hedger.sell("0.1", "3990", symbol=PERPETUAL)
    hedger.buy("0.1", "3900", order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE)

    def floats(value: object) -> list[object]:
        if isinstance(value, float):
            return [value]
        if dataclasses.is_dataclass(value):
            return [
                f for field in dataclasses.fields(value) for f in floats(getattr(value, field.name))
            ]
        return [f for item in value for f in floats(item)] if isinstance(value, tuple) else []

    assert floats(hedger.observe()) == []
    assert all(floats(stored) == [] for stored in hedger.stored())


def test_books_are_sorted_as_numbers(trader: Trader) -> None:
    """ccxt, told to keep text, would put 999.9 above 1000.1."""
    trader.paper.set_fair_price("PAXGUSDT", D("1000"))
    book = trader.observe().spot_book
    assert (book.bids[0].price, book.asks[0].price) == (D("999.90"), D("1000.10"))
    assert [b.price for b in book.bids] == sorted((b.price for b in book.bids), reverse=True)


def test_the_clocks_difference_is_set_off(trader: Trader) -> None:
    lane = trader.client.connection.private
    assert abs(lane.synchronise()) < 1000
    lane.exchange.options["timeDifference"] = 500_000  # ten times the window in the past
    trader.observe()
    assert abs(lane.skew_ms) < 1000


# Nothing leaves, nothing leaks


def test_with_a_base_url_nothing_leaves_this_machine(
    hedger: Trader, strangers: list[object]
) -> None:
    """``load_markets`` would also ask margin, currency and coin-margined endpoints elsewhere."""
    hedger.observe()
    for lane in hedger.client.connection.lanes():
        urls = _texts(lane.exchange.urls["api"])
        assert len(urls) > 10
        assert all(url.startswith(hedger.paper.url + "/") for url in urls)
        lane.call("load_markets", True)
    assert strangers == []


def _texts(urls: Any) -> list[str]:
    return [u for v in urls.values() for u in _texts(v)] if isinstance(urls, dict) else [urls]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"effect": Effect.REJECT, "code": -2014, "status": 401}, Halt),
        (
            {"effect": Effect.REJECT, "code": -1000, "msg": f"key {API_KEY} or {SECRET}?"},
            DexmmError,
        ),
        ({"effect": Effect.SERVER_ERROR}, DexmmError),
        ({"effect": Effect.DROP}, DexmmError),
    ],
)
def test_no_secret_in_an_error_a_log_or_a_repr(
    trader: Trader, caplog: pytest.LogCaptureFixture, fault: Any, kind: type[DexmmError]
) -> None:
    caplog.set_level(logging.INFO)
    trader.arm(ACCOUNT, **fault)
    with pytest.raises(kind) as caught:
        trader.observe()
    told = [str(caught.value), repr(caught.value), str(caught.value.facts), caplog.text]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    connection = trader.client.connection
    told += [repr(trader.client), repr(connection), repr(connection.private), connection.account]
    for text in told:
        assert API_KEY not in text
        assert SECRET not in text
        assert "signature" not in text
        assert "http://" not in text


def test_a_stored_order_has_no_secret(trader: Trader) -> None:
    trader.observe()
    trader.arm(NEW, Effect.REJECT, code=-2010, msg=f"bad key {API_KEY}")
    trader.buy()
    assert "***" in trader.stored()[0].detail
    assert API_KEY.encode() not in (trader.root / "journal.sqlite").read_bytes()


def test_a_wrong_secret_halts(tmp_path: Path, paper: Any, clock: Hand) -> None:
    trader = Trader(tmp_path, paper, clock, secret="b" * 64)
    with pytest.raises(Halt, match="API key"):
        trader.observe()
    trader.client.close()


# From the configuration


def test_an_account_is_named_by_exchange_and_key(tmp_path: Path) -> None:
    settings = config_for(tmp_path, "http://127.0.0.1:1").exchange
    other = config_for(tmp_path, "http://127.0.0.1:1", api_key="c" * 64).exchange
    assert settings is not None
    assert other is not None
    assert account_name(settings).startswith("binance:")
    assert account_name(settings) != account_name(other)
    assert API_KEY[:8] not in account_name(settings)


def test_an_unknown_exchange(tmp_path: Path) -> None:
    config = config_for(tmp_path, "http://127.0.0.1:1", id="mtgox")
    with pytest.raises(BadInput, match="mtgox"):
        open_client(config, None)  # type: ignore[arg-type]  # it does not come that far


def test_a_symbol_that_is_not_traded(tmp_path: Path, paper: Any, clock: Hand) -> None:
    trader = Trader(tmp_path, paper, clock, symbol="GOLD/USDT")
    with pytest.raises(BadInput, match="GOLD/USDT"):
        trader.observe()
    trader.client.close()


def test_a_test_network_where_there_is_one(tmp_path: Path) -> None:
    def settings(**more: object) -> Any:
        exchange = config_for(tmp_path, "http://127.0.0.1:1", sandbox=True, **more).exchange
        assert exchange is not None
        return exchange.model_copy(update={"base_url": None})

    assert "testnet" in make(settings(), "binance", contract=False).urls["api"]["private"]
    assert make(settings(id="okx"), "okx", contract=False).isSandboxModeEnabled
    with pytest.raises(BadInput, match="no test network"):
        connect_exchange(settings(id="kucoin"))


def test_ccxt_s_rounding_stays_inside_its_calls(trader: Trader) -> None:
    """ccxt sets its own in the thread's context, and every sum that is printed would follow it."""
    import ccxt

    with localcontext():
        ccxt.decimal_to_precision("0.545", ccxt.ROUND, 2, ccxt.DECIMAL_PLACES)
        assert f"{D('0.545'):.2f}" == "0.55"  # it does
    trader.observe()
    assert trader.buy().status == "done"
    carried.__wrapped__("okx", contract=False)  # not from the cache
    assert f"{D('0.545'):.2f}" == "0.54"
