"""What ccxt says of the documented exchanges, so that a new ccxt that says otherwise is noticed."""

from __future__ import annotations

import ccxt
import pytest

from dexmm.cex.capabilities import Capabilities, capabilities

#             post   ioc   test   pass   switch best   shared
DOCUMENTED = {
    ("binance", False): (True, True, True, False, False, True, False),
    ("binanceusdm", True): (True, True, True, False, False, True, False),
    ("okx", False): (True, True, True, True, True, False, True),
    ("okx", True): (True, True, True, True, True, False, True),
    ("kucoin", False): (True, True, False, True, False, False, False),
    ("kucoinfutures", True): (True, True, False, True, False, True, False),
}


@pytest.mark.parametrize("which", list(DOCUMENTED))
def test_the_table_in_the_docstring(which: tuple[str, bool]) -> None:
    exchange_id, contract = which
    can = capabilities(getattr(ccxt, exchange_id)(), contract=contract)
    assert (
        can.post_only,
        can.ioc,
        can.sandbox,
        can.passphrase,
        can.dead_mans_switch,
        can.best_prices,
        can.shared_account,
    ) == DOCUMENTED[which]


@pytest.mark.parametrize(("exchange_id", "name"), [("okx", "clOrdId"), ("kucoin", "clientOid")])
def test_ccxt_renames_the_client_order_id(exchange_id: str, name: str) -> None:
    exchange = getattr(ccxt, exchange_id)()
    market = {
        "id": "PAXG-USDT", "symbol": "PAXG/USDT", "base": "PAXG", "quote": "USDT",
        "baseId": "PAXG", "quoteId": "USDT", "spot": True, "type": "spot", "contract": False,
        "precision": {"amount": 0.0001, "price": 0.01}, "limits": {}, "info": {},
        "swap": False, "future": False, "option": False, "margin": False, "active": True,
    }  # fmt: skip
    exchange.set_markets([market])
    sent: list[str] = []

    def fetch(url: str, method: str, headers: object, body: str) -> dict[str, object]:
        sent.append((body or "").replace(" ", ""))
        return {"code": "0", "data": [{"ordId": "1", "sCode": "0", "orderId": "1"}]}

    exchange.apiKey = exchange.secret = exchange.password = "x"
    exchange.fetch = fetch
    exchange.create_order(
        "PAXG/USDT", "limit", "buy", 0.1, 4000, {"clientOrderId": "dexmmq1", "postOnly": True}
    )
    assert f'"{name}":"dexmmq1"' in sent[-1]
    assert "post" in sent[-1].lower()


def test_what_is_missing_is_said() -> None:
    can = capabilities(ccxt.binance(), contract=False)
    assert can.missing(quotes=True) == ()
    without = {**{f: getattr(can, f) for f in can.__slots__}, "post_only": False, "ioc": False}
    poor = Capabilities(**without)
    assert len(poor.missing(quotes=True)) == 2
    assert len(poor.missing(quotes=False)) == 1
