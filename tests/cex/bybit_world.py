"""Bybit's spot protocol on loopback: an exchange that cannot be asked for an order by our id.

Orders are listed, looked up and cancelled by the exchange's own id alone. ``keep`` is what becomes
of the client id of a new order. ``lost`` answers to new orders never arrive, though the orders do;
``ignored`` new orders never arrive themselves. While it is ``blind`` it can list no orders.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PRICE_BID, PRICE_ASK = "3999.00", "4001.00"
INSTRUMENT = {
    "symbol": "PAXGUSDT",
    "baseCoin": "PAXG",
    "quoteCoin": "USDT",
    "status": "Trading",
    "marginTrading": "none",
    "lotSizeFilter": {
        "basePrecision": "0.0001",
        "quotePrecision": "0.000001",
        "minOrderQty": "0.001",
        "maxOrderQty": "1000",
        "minOrderAmt": "5",
        "maxOrderAmt": "4000000",
    },
    "priceFilter": {"tickSize": "0.01"},
}


class Bybit:
    def __init__(self, keep: Callable[[str], str]) -> None:
        self.keep = keep
        self.lost = self.ignored = 0
        self.blind = False
        self.orders: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.url = ""

    def answer(self, verb: str, path: str, given: dict[str, str]) -> dict[str, Any]:
        self.asked.append(f"{verb} {path}")
        match path.removeprefix("/v5/"):
            case "market/time":
                return {"timeSecond": str(int(time.time())), "timeNano": str(time.time_ns())}
            case "market/instruments-info":
                return {"category": "spot", "list": [INSTRUMENT]}
            case "market/orderbook":
                now = int(time.time() * 1000)
                levels = {"b": [[PRICE_BID, "5"]], "a": [[PRICE_ASK, "5"]]}
                return {"s": "PAXGUSDT", "ts": now, "u": 1, **levels}
            case "user/query-api":
                return {"unified": 0, "uta": 1, "permissions": {"Spot": ["SpotTrade"]}}
            case "account/info":
                return {"unifiedMarginStatus": 6}
            case "account/wallet-balance":
                return {"list": [{"accountType": "UNIFIED", "coin": self._coins()}]}
            case "account/fee-rate":
                fees = {"symbol": "PAXGUSDT", "makerFeeRate": "0.001", "takerFeeRate": "0.001"}
                return {"list": [fees]}
            case "order/create":
                return self._place(given)
            case "order/cancel":
                return self._cancel(given)
            case "order/realtime" if "orderId" in given:
                return {"list": [o for o in self.orders if o["orderId"] == given["orderId"]]}
            case "order/realtime":
                return {"list": [o for o in self.orders if o["orderStatus"] == "New"]}
            case "order/history":
                wanted = given.get("orderStatus")
                return {"list": [o for o in self.orders if o["orderStatus"] == wanted]}
            case "execution/list":
                return {"list": [_trade(o) for o in self.orders if float(o["cumExecQty"])]}
            case "order/disconnected-cancel-all":
                return {}
        raise AssertionError(f"{verb} {path} {given}")

    def _coins(self) -> list[dict[str, str]]:
        filled = [o for o in self.orders if float(o["cumExecQty"])]
        base = 5 + sum(float(o["cumExecQty"]) for o in filled)
        quote = 30_000 - sum(float(o["cumExecValue"]) for o in filled)
        return [
            {"coin": coin, "walletBalance": f"{held:.4f}", "equity": f"{held:.4f}", "locked": "0"}
            for coin, held in (("PAXG", base), ("USDT", quote))
        ]

    def _place(self, given: dict[str, str]) -> dict[str, str]:
        taken = given["timeInForce"] == "IOC" and float(given["price"]) >= float(PRICE_ASK)
        filled = given["qty"] if taken else "0"
        now = str(int(time.time() * 1000))
        order = {
            "orderId": str(1_000_000 + len(self.orders)),
            "orderLinkId": self.keep(given.get("orderLinkId", "")),
            "symbol": "PAXGUSDT",
            "side": given["side"],
            "orderType": "Limit",
            "timeInForce": given["timeInForce"],
            "price": given["price"],
            "qty": given["qty"],
            "orderStatus": "Filled" if taken else "New",
            "avgPrice": PRICE_ASK if taken else "",
            "cumExecQty": filled,
            "cumExecValue": str(round(float(filled) * float(PRICE_ASK), 4)) if taken else "0",
            "cumExecFee": "0",
            "createdTime": now,
            "updatedTime": now,
        }
        self.orders.append(order)
        return {"orderId": order["orderId"], "orderLinkId": order["orderLinkId"]}

    def _cancel(self, given: dict[str, str]) -> dict[str, str]:
        (order,) = [o for o in self.orders if o["orderId"] == given.get("orderId")]
        order["orderStatus"] = "Cancelled"
        return {"orderId": order["orderId"], "orderLinkId": order["orderLinkId"]}


def _trade(order: dict[str, str]) -> dict[str, str]:
    return {
        "symbol": "PAXGUSDT",
        "orderId": order["orderId"],
        "orderLinkId": order["orderLinkId"],
        "side": order["side"],
        "execId": f"t{order['orderId']}",
        "execPrice": PRICE_ASK,
        "execQty": order["cumExecQty"],
        "execValue": order["cumExecValue"],
        "execFee": "0.0001",
        "feeCurrency": "PAXG",
        "execTime": order["createdTime"],
        "isMaker": "false",
    }


@contextmanager
def bybit(keep: Callable[[str], str] = str) -> Iterator[Bybit]:
    world = Bybit(keep)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if world.blind and parts.path.startswith(("/v5/order", "/v5/execution")):
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._tell(world.answer("GET", parts.path, given))

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = urlsplit(self.path).path
            if path.endswith("order/create") and world.ignored > 0:
                world.ignored -= 1
                self.close_connection = True
                self.connection.close()
                return
            told = world.answer("POST", path, given)
            if path.endswith("order/create") and world.lost > 0:
                world.lost -= 1
                self.close_connection = True
                self.connection.close()
                return
            self._tell(told)

        def _tell(self, result: dict[str, Any]) -> None:
            now = int(time.time() * 1000)
            body = json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": now})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
