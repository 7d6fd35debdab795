"""ccxt's own ``binanceusdm`` over loopback: what a hedge needs, funding and liquidation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from dexmm.paper_exchange.engine.settings import PaperSettings
from dexmm.paper_exchange.paper_exchange import PaperExchange

D = Decimal
PERPETUAL = "PAXG/USDT:USDT"
HOUR_MS = 3_600_000


def test_market_data(perpetual: Any) -> None:
    assert set(perpetual.markets) == {PERPETUAL}
    market = perpetual.market(PERPETUAL)
    assert (market["precision"]["amount"], market["limits"]["cost"]["min"]) == (0.001, 5)
    book = perpetual.fetch_order_book(PERPETUAL, 1)
    assert (book["bids"][0][0], book["asks"][0][0]) == (3997.6, 3998.4)  # 5 bp below spot
    assert perpetual.fetch_ticker(PERPETUAL)["last"] == 3998.0
    assert perpetual.fetch_bids_asks([PERPETUAL])[PERPETUAL]["ask"] == 3998.4


def test_funding_is_told(perpetual: Any) -> None:
    rate = perpetual.fetch_funding_rate(PERPETUAL)
    assert (rate["markPrice"], rate["indexPrice"]) == (3998.0, 4000.0)
    assert rate["fundingRate"] == 0.0000114
    assert rate["fundingTimestamp"] % (4 * HOUR_MS) == 0
    assert perpetual.fetch_funding_intervals()[PERPETUAL]["interval"] == "4h"


def test_the_spot_client_reaches_it_as_well(spot: Any) -> None:
    spot.set_leverage(1, PERPETUAL)
    order = spot.create_order(PERPETUAL, "market", "sell", 0.5)
    assert order["filled"] == 0.5
    assert spot.fetch_positions([PERPETUAL])[0]["side"] == "short"
    assert spot.fetch_balance({"type": "swap"})["USDT"]["total"] < 10_000


def test_a_short_and_its_way_back(perpetual: Any) -> None:
    assert perpetual.set_leverage(1, PERPETUAL)["leverage"] == 1
    assert perpetual.fetch_leverage(PERPETUAL)["shortLeverage"] == 1
    opened = perpetual.create_order(
        PERPETUAL, "limit", "sell", 0.5, 3997.6, {"timeInForce": "IOC", "clientOrderId": "h-1"}
    )
    assert (opened["status"], opened["average"], opened["filled"]) == ("closed", 3997.6, 0.5)
    (position,) = perpetual.fetch_positions([PERPETUAL])
    assert (position["side"], position["contracts"], position["entryPrice"]) == (
        "short",
        0.5,
        3997.6,
    )
    assert D(position["info"]["initialMargin"]) == D("1999.00000000")  # at 1x, all of it
    found = perpetual.fetch_order(None, PERPETUAL, {"clientOrderId": "h-1"})
    assert found["id"] == opened["id"]
    closed = perpetual.create_order(PERPETUAL, "market", "buy", 0.5, None, {"reduceOnly": True})
    assert closed["average"] == 3998.4
    assert perpetual.fetch_positions([PERPETUAL]) == []
    fees = D("0.0005") * D("0.5") * (D("3997.6") + D("3998.4"))
    expected = D(10_000) - D("0.5") * D("0.8") - fees
    assert D(perpetual.fetch_balance()["info"]["totalWalletBalance"]) == expected
    kinds = [i["info"]["incomeType"] for i in perpetual.fetch_ledger("USDT")]
    assert sorted(kinds) == ["COMMISSION", "COMMISSION", "REALIZED_PNL"]
    assert [t["takerOrMaker"] for t in perpetual.fetch_my_trades(PERPETUAL)] == ["taker"] * 2


def test_both_versions_of_position_risk(perpetual: Any) -> None:
    perpetual.create_order(PERPETUAL, "market", "buy", 0.2)
    new = perpetual.fetch_positions([PERPETUAL])
    old = perpetual.fetch_positions([PERPETUAL], {"useV2": True})
    by_account = perpetual.fetch_positions([PERPETUAL], {"method": "account"})
    for (position,) in (new, old, by_account):
        assert (position["side"], position["contracts"]) == ("long", 0.2)


def test_reduce_only_never_opens(perpetual: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        perpetual.create_order(PERPETUAL, "market", "buy", 0.1, None, {"reduceOnly": True})
    perpetual.create_order(PERPETUAL, "market", "sell", 0.1)
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        perpetual.create_order(PERPETUAL, "market", "sell", 0.1, None, {"reduceOnly": True})
    closed = perpetual.create_order(PERPETUAL, "market", "buy", 0.3, None, {"reduceOnly": True})
    assert (closed["filled"], closed["status"]) == (0.1, "expired")
    assert perpetual.fetch_positions() == []


def test_a_resting_reduce_only_order_ends_with_the_position(perpetual: Any) -> None:
    perpetual.create_order(PERPETUAL, "market", "sell", 0.1)
    resting = perpetual.create_order(
        PERPETUAL, "limit", "buy", 0.1, 3900, {"reduceOnly": True, "postOnly": True}
    )
    perpetual.create_order(PERPETUAL, "market", "buy", 0.1, None, {"reduceOnly": True})
    assert perpetual.fetch_order(resting["id"], PERPETUAL)["status"] == "expired"


def test_post_only_never_takes(perpetual: Any) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="Post Only"):
        perpetual.create_order(PERPETUAL, "limit", "sell", 0.1, 3997.6, {"postOnly": True})
    resting = perpetual.create_order(PERPETUAL, "limit", "sell", 0.1, 3998.3, {"postOnly": True})
    assert (resting["status"], resting["info"]["timeInForce"]) == ("open", "GTX")


def test_open_orders_and_cancels(perpetual: Any) -> None:
    ids = [
        perpetual.create_order(
            PERPETUAL, "limit", "buy", 0.1, 3900 - number, {"clientOrderId": f"o{number}"}
        )["id"]
        for number in range(3)
    ]
    assert len(perpetual.fetch_open_orders(PERPETUAL)) == 3
    assert perpetual.fetch_open_order(ids[1], PERPETUAL)["price"] == 3899
    gone = perpetual.cancel_order(None, PERPETUAL, {"clientOrderId": "o1"})
    assert gone["status"] == "canceled"
    perpetual.cancel_all_orders(PERPETUAL)
    assert perpetual.fetch_open_orders(PERPETUAL) == []
    perpetual.cancel_all_orders(PERPETUAL)  # nothing to cancel is no error here
    assert [o["status"] for o in perpetual.fetch_orders(PERPETUAL)] == ["canceled"] * 3


def test_margin_is_needed_for_what_is_open_and_what_may_open(perpetual: Any) -> None:
    perpetual.set_leverage(1, PERPETUAL)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        perpetual.create_order(PERPETUAL, "limit", "sell", 3, 4000)
    perpetual.create_order(PERPETUAL, "limit", "sell", 2, 4000)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        perpetual.create_order(PERPETUAL, "limit", "sell", 1, 4000)
    # The other side needs nothing more: only the larger of the two can happen.
    perpetual.create_order(PERPETUAL, "limit", "buy", 2, 3990)


def test_settings_of_the_account(perpetual: Any) -> None:
    assert perpetual.fetch_position_mode()["hedged"] is False
    with pytest.raises(ccxt.OperationRejected, match="-4059"):
        perpetual.set_position_mode(False)
    with pytest.raises(ccxt.ExchangeError, match="-4084"):
        perpetual.set_position_mode(True)
    perpetual.set_margin_mode("isolated", PERPETUAL)
    assert perpetual.fetch_margin_mode(PERPETUAL)["marginMode"] == "isolated"
    with pytest.raises(ccxt.MarginModeAlreadySet):
        perpetual.set_margin_mode("isolated", PERPETUAL)
    with pytest.raises(ccxt.BadRequest, match="-4028"):
        perpetual.set_leverage(100, PERPETUAL)
    assert perpetual.fetch_trading_fee(PERPETUAL)["taker"] == 0.0005


@pytest.mark.parametrize(
    ("leverage", "code"),
    [("1.5", -1100), ("-1", -1100), ("x", -1100), ("0", -4028), ("126", -4028)],
)
def test_leverage_is_a_whole_number_of_what_is_offered(
    perpetual: ccxt.Exchange, leverage: str, code: int
) -> None:
    """As at the real one, to which ccxt hands 1.5 on as it is."""
    perpetual.set_leverage(2, PERPETUAL)
    with pytest.raises(ccxt.BadRequest, match=str(code)):
        perpetual.fapiPrivatePostLeverage({"symbol": "PAXGUSDT", "leverage": leverage})
    assert perpetual.fetch_leverage(PERPETUAL)["shortLeverage"] == 2


def test_margin_moves_between_the_wallets(spot: Any, perpetual: Any) -> None:
    spot.transfer("USDT", 500, "spot", "linear")
    assert perpetual.fetch_balance()["USDT"]["total"] == 10_500
    assert spot.fetch_balance()["USDT"]["total"] == 29_500
    perpetual.create_order(PERPETUAL, "market", "sell", 2)
    with pytest.raises(ccxt.ExchangeError, match="-5013"):
        spot.transfer("USDT", 10_400, "linear", "spot")


class TestTime:
    """Time that is moved by hand."""

    @pytest.fixture
    def paper(self, settings: PaperSettings) -> Iterator[PaperExchange]:
        start = time.time_ns() // 1_000_000 // (4 * HOUR_MS) * 4 * HOUR_MS + 1
        with PaperExchange(settings, start_ms=start) as exchange:
            yield exchange
            assert exchange.imbalance() == {}

    def test_funding_is_charged_every_four_hours(
        self, perpetual: Any, paper: PaperExchange
    ) -> None:
        perpetual.create_order(PERPETUAL, "market", "sell", 2)
        before = D(perpetual.fetch_balance()["info"]["totalWalletBalance"])
        paper.set_funding_rate("PAXGUSDT", D("0.0001"))
        start = paper.exchange.clock.now_ms()
        paper.advance(start + 4 * HOUR_MS - 2)
        assert D(perpetual.fetch_balance()["info"]["totalWalletBalance"]) == before
        paper.advance(start + 12 * HOUR_MS)
        after = D(perpetual.fetch_balance()["info"]["totalWalletBalance"])
        assert after - before == 3 * 2 * D(3998) * D("0.0001")  # the short is paid
        paid = perpetual.fetch_ledger("USDT", params={"incomeType": "FUNDING_FEE"})
        assert [p["amount"] for p in paid] == [0.7996] * 3
        history = perpetual.fetch_funding_rate_history(PERPETUAL)
        assert [h["fundingRate"] for h in history] == [0.0001] * 3
        assert history[1]["timestamp"] - history[0]["timestamp"] == 4 * HOUR_MS

    def test_server_time_is_the_exchanges(self, perpetual: Any, paper: PaperExchange) -> None:
        later = paper.exchange.clock.now_ms() + 100 * HOUR_MS
        paper.advance(later)
        assert perpetual.fetch_time() == later
        perpetual.fetch_balance()  # stamped with this machine's clock, and accepted


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_a_position_out_of_margin_is_taken_over(
    perpetual: Any, paper: PaperExchange, mode: str
) -> None:
    if mode == "isolated":
        perpetual.set_margin_mode("isolated", PERPETUAL)
    perpetual.set_leverage(10, PERPETUAL)
    perpetual.create_order(PERPETUAL, "market", "sell", 5)
    (position,) = perpetual.fetch_positions()
    price = D(position["info"]["liquidationPrice"])
    spot_price = price / (1 - D("0.0005"))
    paper.set_fair_price("PAXGUSDT", (spot_price - 1).quantize(D("0.01")))
    assert perpetual.fetch_positions()[0]["contracts"] == 5
    paper.set_fair_price("PAXGUSDT", (spot_price + 1).quantize(D("0.01")))
    assert perpetual.fetch_positions() == []
    wallet = perpetual.fetch_balance()["USDT"]["total"]
    if mode == "cross":
        assert 0 <= wallet < 300
    else:  # no more than its own margin, 5 * 3997.6 / 10
        assert 10_000 - 1998.8 - 20 <= wallet < 8_300


def test_a_gap_beyond_the_margin_is_the_houses_loss(perpetual: Any, paper: PaperExchange) -> None:
    perpetual.set_leverage(10, PERPETUAL)
    perpetual.create_order(PERPETUAL, "market", "sell", 5)
    paper.set_fair_price("PAXGUSDT", D(9000))
    assert perpetual.fetch_positions() == []
    assert perpetual.fetch_balance()["USDT"]["total"] == 0


def test_a_loss_leaves_less_margin(perpetual: Any, paper: PaperExchange) -> None:
    perpetual.set_leverage(2, PERPETUAL)
    perpetual.create_order(PERPETUAL, "market", "sell", 2)
    free = perpetual.fetch_balance()["USDT"]["free"]
    paper.set_fair_price("PAXGUSDT", D(5000))
    lost, more_margin = 2 * 999.5, 999.5  # at the mark, 5 bp below spot
    assert free - perpetual.fetch_balance()["USDT"]["free"] == pytest.approx(lost + more_margin)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        perpetual.create_order(PERPETUAL, "market", "sell", 2)
    perpetual.create_order(PERPETUAL, "market", "sell", 1)


def test_a_position_turns_over(perpetual: Any) -> None:
    perpetual.create_order(PERPETUAL, "market", "buy", 1)  # at 3998.4
    perpetual.create_order(PERPETUAL, "market", "sell", 0.9)  # at 3997.6
    perpetual.create_order(PERPETUAL, "limit", "sell", 0.3, 3997.2, {"timeInForce": "IOC"})
    (position,) = perpetual.fetch_positions()
    assert (position["side"], position["contracts"]) == ("short", 0.2)
    # 0.1 at 3997.60 closed the rest of the long; 0.2 went on to the next level.
    assert position["entryPrice"] == 3997.2
