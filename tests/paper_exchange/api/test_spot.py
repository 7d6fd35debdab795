"""ccxt's own ``binance`` over loopback: every spot call that the product makes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from dexmm.paper_exchange.api.urls import ccxt_urls
from dexmm.paper_exchange.engine.settings import Opening, PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal
PAXG = "PAXG/USDT"


def test_everything_is_asked_on_loopback(spot: Any, strangers: list[object]) -> None:
    # Margins and currencies are left on, as ccxt has them: they are asked here, too.
    assert spot.options["fetchMargins"] is True
    assert spot.options["fetchCurrencies"] is True
    assert set(spot.markets) == {"PAXG/USDT", "PAXG/USDC", "PAXG/BTC", "BTC/USDT", "PAXG/USDT:USDT"}
    assert spot.currencies["PAXG"]["id"] == "PAXG"
    assert strangers == []


@pytest.mark.parametrize("kind", [ccxt.binance, ccxt.binanceusdm])
def test_no_api_of_ccxt_is_left_out(kind: type) -> None:
    ours = ccxt_urls("http://127.0.0.1:1/")["api"]
    assert isinstance(ours, dict)
    assert set(ours) == set(kind().urls["api"])
    assert all(url.startswith("http://127.0.0.1:1/") for url in ours.values())


def test_the_guard_catches_what_would_leave(strangers: list[object]) -> None:
    wild = ccxt.binance({"timeout": 1000})
    with pytest.raises(ccxt.NetworkError):
        wild.load_markets()
    wild.session.close()
    assert "api.binance.com" in strangers
    strangers.clear()


def test_markets_have_their_precision_and_limits(spot: Any) -> None:
    market = spot.market(PAXG)
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 0.0001
    assert market["limits"]["cost"]["min"] == 5
    assert market["active"] is True
    assert spot.market("PAXG/BTC")["precision"]["price"] == 0.00001


def test_balance(spot: Any) -> None:
    balance = spot.fetch_balance()
    assert balance["PAXG"] == {"free": 5.0, "used": 0.0, "total": 5.0}
    assert balance["USDT"]["total"] == 30_000


def test_market_data(spot: Any, paper: PaperExchange) -> None:
    ticker = spot.fetch_ticker(PAXG)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (3999.6, 4000.4, 4000.0)
    book = spot.fetch_order_book(PAXG, 3)
    assert book["bids"] == [[3999.6, 1.0], [3999.2, 1.0], [3998.8, 1.0]]
    assert book["asks"] == [[4000.4, 1.0], [4000.8, 1.0], [4001.2, 1.0]]
    assert spot.fetch_bids_asks([PAXG])[PAXG]["bid"] == 3999.6
    assert set(spot.fetch_tickers()) >= {"PAXG/USDT", "PAXG/BTC", "BTC/USDT"}
    assert spot.fetch_time() > 0
    assert spot.fetch_status()["status"] == "ok"
    spot.create_order(PAXG, "market", "buy", 0.2)
    assert [t["amount"] for t in spot.fetch_trades(PAXG)] == [0.2]
    candle = spot.fetch_ohlcv(PAXG, "1m")[-1]
    assert (candle[4], candle[5]) == (4000.4, 0.2)
    assert spot.fetch_last_prices([PAXG])[PAXG]["price"] == 4000.4


def test_the_triangle_agrees(spot: Any, paper: PaperExchange) -> None:
    paper.set_fair_price("BTCUSDT", D(80_000))
    gold = spot.fetch_order_book("PAXG/BTC", 1)
    assert gold["bids"][0][0] < 0.05 < gold["asks"][0][0]
    assert spot.fetch_order_book("PAXG/USDC", 1)["bids"][0][0] == 3999.6


def test_fees_and_permissions(spot: Any) -> None:
    assert spot.fetch_trading_fee(PAXG)["taker"] == 0.001
    assert spot.fetch_trading_fees()[PAXG]["maker"] == 0.001
    may = spot.sapi_get_account_apirestrictions()
    assert (may["enableSpotAndMarginTrading"], may["enableWithdrawals"]) == (True, False)


def test_a_limit_order_rests_and_is_found_by_its_name(spot: Any) -> None:
    placed = spot.create_order(PAXG, "limit", "buy", 0.5, 3900, {"clientOrderId": "intent-1"})
    assert (placed["status"], placed["clientOrderId"]) == ("open", "intent-1")
    found = spot.fetch_order(None, PAXG, {"clientOrderId": "intent-1"})
    assert (found["id"], found["status"], found["remaining"]) == (placed["id"], "open", 0.5)
    assert [o["id"] for o in spot.fetch_open_orders(PAXG)] == [placed["id"]]
    assert spot.fetch_balance()["USDT"]["used"] == 1950
    gone = spot.cancel_order(None, PAXG, {"clientOrderId": "intent-1"})
    assert gone["status"] == "canceled"
    assert spot.fetch_balance()["USDT"]["used"] == 0
    assert spot.fetch_order(None, PAXG, {"clientOrderId": "intent-1"})["status"] == "canceled"
    assert spot.fetch_open_orders(PAXG) == []


def test_a_market_order_walks_the_book_and_pays_its_fee_in_gold(spot: Any) -> None:
    bought = spot.create_order(PAXG, "market", "buy", 1.5)
    assert (bought["status"], bought["filled"]) == ("closed", 1.5)
    assert D(bought["info"]["cummulativeQuoteQty"]) == D("4000.4") + D("0.5") * D("4000.8")
    assert [f["currency"] for f in bought["fees"]] == ["PAXG"]
    balance = {a["asset"]: D(a["free"]) for a in spot.fetch_balance()["info"]["balances"]}
    assert balance["PAXG"] == D(5) + D("1.5") - D("0.0015")
    assert balance["USDT"] == D(30_000) - D("6000.80")


def test_a_sale_pays_its_fee_in_the_quote(spot: Any) -> None:
    sold = spot.create_order(PAXG, "market", "sell", 1)
    assert (sold["fee"]["currency"], sold["fee"]["cost"]) == ("USDT", 3.9996)
    assert spot.fetch_balance()["USDT"]["total"] == 33_995.6004


def test_buying_for_an_amount_of_quote(spot: Any) -> None:
    bought = spot.create_market_buy_order_with_cost(PAXG, 1000)
    assert bought["status"] == "closed"
    assert bought["filled"] == 0.2499  # 0.24997... down to the lot
    assert bought["cost"] == pytest.approx(0.2499 * 4000.4, abs=1e-9)


def test_what_the_book_does_not_hold_expires(spot: Any, paper: PaperExchange) -> None:
    bought = spot.create_order(PAXG, "market", "buy", 6)
    assert (bought["filled"], bought["status"]) == (5.0, "expired")


def test_ioc_takes_what_is_there_and_no_more(spot: Any) -> None:
    taken = spot.create_order(PAXG, "limit", "buy", 3, 4000.8, {"timeInForce": "IOC"})
    assert (taken["filled"], taken["status"]) == (2.0, "expired")
    missed = spot.create_order(PAXG, "limit", "buy", 3, 3990, {"timeInForce": "IOC"})
    assert (missed["filled"], missed["status"]) == (0.0, "expired")
    assert spot.fetch_open_orders(PAXG) == []


def test_fok_is_all_or_nothing(spot: Any) -> None:
    nothing = spot.create_order(PAXG, "limit", "buy", 3, 4000.8, {"timeInForce": "FOK"})
    assert (nothing["filled"], nothing["status"]) == (0.0, "expired")
    all_of_it = spot.create_order(PAXG, "limit", "buy", 2, 4000.8, {"timeInForce": "FOK"})
    assert (all_of_it["filled"], all_of_it["status"]) == (2.0, "closed")
    assert spot.fetch_balance()["USDT"]["used"] == 0


def test_post_only_never_takes(spot: Any) -> None:
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        spot.create_order(PAXG, "limit", "buy", 0.1, 4000.4, {"postOnly": True})
    resting = spot.create_order(PAXG, "limit", "buy", 0.1, 4000.39, {"postOnly": True})
    assert (resting["status"], resting["postOnly"]) == ("open", True)


def test_a_crossing_limit_order_takes_and_rests_with_the_rest(spot: Any) -> None:
    order = spot.create_order(PAXG, "limit", "sell", 1.4, 3999.6)
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 1.0, 0.4)
    assert spot.fetch_order_book(PAXG, 1)["asks"][0] == [3999.6, 0.4]
    assert spot.fetch_balance()["PAXG"]["used"] == 0.4


def test_a_resting_order_fills_when_the_market_trades_through_it(
    spot: Any, paper: PaperExchange
) -> None:
    order = spot.create_order(PAXG, "limit", "buy", 7, 3990, {"postOnly": True})
    paper.set_fair_price("PAXGUSDT", D(3980))
    found = spot.fetch_order(order["id"], PAXG)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 7.0, 3990.0)
    (trade,) = spot.fetch_my_trades(PAXG)
    assert (trade["takerOrMaker"], trade["price"], trade["fee"]["cost"]) == ("maker", 3990.0, 0.007)
    assert spot.fetch_order_trades(order["id"], PAXG)[0]["id"] == trade["id"]


def test_cancel_all_and_history(spot: Any) -> None:
    for number in range(3):
        spot.create_order(PAXG, "limit", "buy", 0.1, 3900 - number)
    spot.create_order("BTC/USDT", "limit", "buy", 0.001, 90_000)
    assert len(spot.cancel_all_orders(PAXG)) == 3
    assert spot.fetch_open_orders(PAXG) == []
    assert len(spot.fetch_open_orders("BTC/USDT")) == 1
    assert [o["status"] for o in spot.fetch_orders(PAXG)] == ["canceled"] * 3
    assert [o["price"] for o in spot.fetch_canceled_orders(PAXG)] == [3900, 3899, 3898]
    with pytest.raises(ccxt.OrderNotFound):
        spot.cancel_all_orders(PAXG)


def test_trades_from_an_id_on(spot: Any) -> None:
    for _ in range(3):
        spot.create_order(PAXG, "market", "buy", 0.01)
    ids = [trade["id"] for trade in spot.fetch_my_trades(PAXG)]
    assert len(ids) == 3
    assert [t["id"] for t in spot.fetch_my_trades(PAXG, params={"fromId": ids[1]})] == ids[1:]
    assert [t["id"] for t in spot.fetch_my_trades(PAXG, limit=1)] == ids[2:]


def test_a_test_order_is_checked_and_not_placed(spot: Any) -> None:
    spot.create_order(PAXG, "limit", "buy", 0.1, 3900, {"test": True})
    assert spot.fetch_open_orders(PAXG) == []
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        spot.create_order(PAXG, "limit", "buy", 0.001, 3900, {"test": True})


class TestFeesInBnb:
    @pytest.fixture
    def settings(self, settings: PaperSettings) -> PaperSettings:
        funds = {"PAXG": D(5), "USDT": D(30_000), "BNB": D("0.004")}
        return replace(settings, accounts=(Opening(spot=funds, pays_fees_in_bnb=True),))

    def test_three_quarters_of_them_while_there_is_bnb(self, spot: Any) -> None:
        first = spot.create_order(PAXG, "market", "sell", 1)
        # 3999.6 * 0.1 % * 75 % at 800 USDT a BNB
        assert (first["fee"]["currency"], first["fee"]["cost"]) == ("BNB", 0.00374963)
        second = spot.create_order(PAXG, "market", "sell", 1)
        assert second["fee"]["currency"] == "USDT"
        assert spot.fetch_balance()["BNB"]["total"] == 0.00025037


def test_its_own_orders_are_not_what_an_order_counts_on(spot: Any) -> None:
    own = spot.create_order(PAXG, "limit", "sell", 1, 4000.1)
    nothing = spot.create_order(PAXG, "limit", "buy", 1, 4000.1, {"timeInForce": "FOK"})
    assert (nothing["filled"], nothing["status"]) == (0.0, "expired")
    assert spot.fetch_order(own["id"], PAXG)["status"] == "open"
    # Without a self-trade rule it may be met.
    met = spot.create_order(
        PAXG, "limit", "buy", 1, 4000.1, {"timeInForce": "FOK", "selfTradePreventionMode": "NONE"}
    )
    assert met["status"] == "closed"
    assert {t["takerOrMaker"] for t in spot.fetch_my_trades(PAXG)} == {"taker", "maker"}
