"""KuCoin's protocol on loopback: a classic spot account and a futures account beside it.

Orders fill against one standing price, whole and at once; what rests stays. ``lost`` answers to new
orders never arrive, though the orders do. Futures orders must state the symbol's margin mode, as
there: an order in another one is refused with 330005.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

D = Decimal
CONTRACT = D("0.01")  # base
FEE = D("0.001")
STEP = "0.0001"


@dataclass
class Kucoin:
    url: str = ""
    mid: Decimal = field(default_factory=lambda: D(4000))
    spot: dict[str, Decimal] = field(default_factory=lambda: {"PAXG": D(5), "USDT": D(30_000)})
    money: Decimal = field(default_factory=lambda: D(10_000))  # in the futures account
    position: Decimal = field(default_factory=D)  # contracts
    entry: Decimal = field(default_factory=D)
    margin_mode: str = "CROSS"
    orders: list[dict[str, Any]] = field(default_factory=list)
    lost: int = 0

    @property
    def profit(self) -> Decimal:
        return self.position * CONTRACT * (self.mid - self.entry)

    @property
    def worth(self) -> Decimal:
        """All that both accounts hold, as their owner would count it."""
        coins = self.spot["PAXG"] * self.mid + self.spot["USDT"]
        return coins + self.money + self.profit

    def answer(self, verb: str, path: str, given: Mapping[str, str]) -> Any:
        """The data, or an error's code and words as text."""
        what = path.split("/", 3)[-1]  # without /api/v1
        futures = _is_futures(what, given)
        if verb == "POST" and what == "orders":
            return self._place(given)
        if what.startswith(("orders", "order/", "hf/orders")):
            return self._orders(verb, what, given, futures=futures)
        return self._facts(what, given, futures=futures)

    def _orders(self, verb: str, what: str, given: Mapping[str, str], *, futures: bool) -> Any:
        if what == "orders":
            active = given.get("status") == "active"
            rows = [o for o in self.orders if o["isActive"] is active and o["futures"] is futures]
            return {"items": rows, "currentPage": 1, "totalPage": 1}
        named = given.get("clientOid") or what.rpartition("/")[2]
        found = [o for o in self.orders if named in (o["id"], o["clientOid"])]
        if not found:
            return "400100 order_not_exist_or_not_allow_to_be_query"
        if verb == "DELETE":
            found[0].update(isActive=False, cancelExist=True, status="done")
            return {"cancelledOrderIds": [found[0]["id"]]}
        return found[0]

    def _facts(self, what: str, given: Mapping[str, str], *, futures: bool) -> Any:
        level = [str(self.mid - D("0.4")), "500"], [str(self.mid + D("0.4")), "500"]
        match what:
            case "timestamp":
                return _now()
            case "account/mode" | "ua/v1/account/mode" | "v1/account/mode":
                return {"selfAccountMode": "CLASSIC"}
            case "hf/accounts/opened":
                return False
            case "symbols":
                return [_SPOT]
            case "contracts/active":
                return [_FUTURE]
            case "market/allTickers":
                return {"time": _now(), "ticker": [{"symbol": "PAXG-USDT", "makerFeeRate": "1"}]}
            case "margin/symbols" | "isolated/symbols":
                return {"timestamp": _now(), "items": []} if what == "margin/symbols" else []
            case "accounts":
                return [
                    {"currency": c, "type": "trade", "balance": str(v), "available": str(v)}
                    for c, v in self.spot.items()
                ]
            case "account-overview":
                equity = self.money + self.profit
                return {"currency": "USDT", "accountEquity": str(equity)}
            case "trade-fees" if futures:
                return {"symbol": "PAXGUSDTM", "takerFeeRate": "0.001", "makerFeeRate": "0.001"}
            case "trade-fees":
                return [{"symbol": "PAXG-USDT", "takerFeeRate": "0.001", "makerFeeRate": "0.001"}]
            case "market/orderbook/level2_20":
                return {"time": _now(), "bids": [level[0]], "asks": [level[1]]}
            case "level2/depth20":
                return {"ts": _now() * 10**6, "bids": [level[0]], "asks": [level[1]]}
            case "positions":
                return [self._held()] if self.position else []
            case "funding-rate/PAXGUSDTM/current":
                return {"value": 0.0001, "fundingTime": _now() + 3_600_000}
            case "getCrossUserLeverage":
                return {"symbol": "PAXGUSDTM", "leverage": "1"}
            case "changeCrossUserLeverage":
                return {"symbol": "PAXGUSDTM", "leverage": given["leverage"]}
            case "position/getMarginMode":
                return {"symbol": "PAXGUSDTM", "marginMode": self.margin_mode}
            case "fills":
                filled = [o for o in self.orders if o["fee"] != "0" and o["futures"] is futures]
                return {"items": [_trade(o) for o in filled if _asked_for(o, given)]}
        raise AssertionError(f"{what} {given}")

    def _held(self) -> dict[str, Any]:
        return {
            "symbol": "PAXGUSDTM",
            "currentQty": int(self.position),
            "avgEntryPrice": float(self.entry),
            "markPrice": float(self.mid),
            "unrealisedPnl": str(self.profit),
            "liquidationPrice": "13000",
            "currentTimestamp": _now(),
            "crossMode": True,
        }

    def _place(self, given: Mapping[str, str]) -> Any:
        futures = given["symbol"] == "PAXGUSDTM"
        if futures and given.get("marginMode", "ISOLATED") != self.margin_mode:
            return "330005 The order's margin mode does not match the selected one."
        order = {
            "id": f"{1_000_000 + len(self.orders)}",
            "clientOid": given["clientOid"],
            "symbol": given["symbol"],
            "futures": futures,
            "side": given["side"],
            "type": "limit",
            "price": given["price"],
            "size": given["size"],
            "dealSize": "0",
            "dealFunds": "0",
            "filledSize": "0",
            "filledValue": "0",
            "fee": "0",
            "feeCurrency": "USDT",
            "timeInForce": given.get("timeInForce", "GTC"),
            "postOnly": bool(given.get("postOnly")),
            "isActive": given.get("timeInForce") != "IOC",
            "cancelExist": False,
            "createdAt": _now(),
        }
        self.orders.append(order)
        buys = given["side"] == "buy"
        price = self.mid + (D("0.4") if buys else -D("0.4"))
        if D(given["price"]) >= price if buys else D(given["price"]) <= price:
            self._fill(order, price)
        return {"orderId": order["id"], "clientOid": order["clientOid"]}

    def _fill(self, order: dict[str, Any], price: Decimal) -> None:
        size, sign = D(str(order["size"])), 1 if order["side"] == "buy" else -1
        base = size * (CONTRACT if order["futures"] else 1)
        fee = base * price * FEE
        if order["futures"]:
            if self.position * sign >= 0:
                whole = self.position + sign * size
                self.entry = (self.entry * self.position + price * sign * size) / whole
            else:
                self.money -= sign * base * (price - self.entry)
            self.position += sign * size
            self.money -= fee
        else:
            self.spot["PAXG"] += sign * base
            self.spot["USDT"] -= sign * base * price + fee
        cost = str(base * price)
        order.update(dealSize=str(size), dealFunds=cost, filledSize=str(size), filledValue=cost)
        order.update(isActive=False, fee=str(fee), filledPrice=str(price))


def _is_futures(what: str, given: Mapping[str, str]) -> bool:
    return given.get("symbol") == "PAXGUSDTM" or "byClientOid" in what


def _asked_for(order: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    return given.get("orderId", order["id"]) == order["id"]


def _trade(order: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "symbol": order["symbol"],
        "tradeId": f"t{order['id']}",
        "orderId": order["id"],
        "side": order["side"],
        "price": order.get("filledPrice", "0"),
        "size": order["filledSize"],
        "funds": order["dealFunds"],
        "value": order["filledValue"],
        "fee": order["fee"],
        "feeCurrency": "USDT",
        "createdAt": order["createdAt"],
    }


def _now() -> int:
    return int(time.time() * 1000)


_SPOT = {
    "symbol": "PAXG-USDT",
    "baseCurrency": "PAXG",
    "quoteCurrency": "USDT",
    "market": "USDS",
    "baseMinSize": "0.001",
    "quoteMinSize": "0.1",
    "baseMaxSize": "10000",
    "quoteMaxSize": "99999999",
    "baseIncrement": STEP,
    "quoteIncrement": "0.01",
    "priceIncrement": "0.01",
    "minFunds": "0.1",
    "isMarginEnabled": False,
    "enableTrading": True,
}
_FUTURE = {
    "symbol": "PAXGUSDTM",
    "baseCurrency": "PAXG",
    "quoteCurrency": "USDT",
    "settleCurrency": "USDT",
    "nextFundingRateTime": 3_600_000,  # a perpetual
    "multiplier": float(CONTRACT),
    "isInverse": False,
    "status": "Open",
    "lotSize": 1,
    "tickSize": 0.01,
    "maxOrderQty": 100_000,
    "maxPrice": 1_000_000.0,
    "makerFeeRate": 0.001,
    "takerFeeRate": 0.001,
    "maxLeverage": 50,
}


@contextmanager
def kucoin() -> Iterator[Kucoin]:
    world = Kucoin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            given = dict(parse_qsl(parts.query)) | (json.loads(raw) if raw else {})
            told = world.answer(self.command, parts.path, given)
            if self.command == "POST" and world.lost > 0:
                world.lost -= 1
                self.close_connection = True
                self.connection.close()
                return
            answer: dict[str, Any] = {"code": "200000", "data": told}
            if isinstance(told, str):
                code, _, words = told.partition(" ")
                answer = {"code": code, "msg": words}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - http.server looks for these names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a lost answer is the test
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
