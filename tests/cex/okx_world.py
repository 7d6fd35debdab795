"""OKX's v5 protocol on loopback: spot and a perpetual in one account.

Orders fill against one standing price, whole and at once; what rests stays. ``lost`` answers to new
orders never arrive, though the orders do.
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
SPOT, SWAP = "PAXG-USDT", "PAXG-USDT-SWAP"
CONTRACT = D("0.01")  # base
FEE = D("0.001")
LIVE = {"live", "partially_filled"}


@dataclass
class Okx:
    url: str = ""
    mid: Decimal = field(default_factory=lambda: D(4000))
    cash: dict[str, Decimal] = field(default_factory=lambda: {"PAXG": D(5), "USDT": D(30_000)})
    position: Decimal = field(default_factory=D)  # contracts
    entry: Decimal = field(default_factory=D)
    orders: list[dict[str, str]] = field(default_factory=list)
    lost: int = 0

    @property
    def profit(self) -> Decimal:
        return self.position * CONTRACT * (self.mid - self.entry)

    @property
    def worth(self) -> Decimal:
        """All that the account holds, as its owner would count it."""
        return self.cash["PAXG"] * self.mid + self.cash["USDT"] + self.profit

    def answer(self, verb: str, path: str, given: Any) -> dict[str, Any]:
        match path.removeprefix("/api/v5/"):
            case "trade/batch-orders":
                return self._said([self._place(row) for row in given])
            case "trade/order":
                found = [o for o in self.orders if _is_it(o, given)]
                return _told(found) if found else {"code": "51603", "msg": "none", "data": []}
            case "trade/orders-pending":
                return _told([o for o in self.orders if o["state"] in LIVE])
            case "trade/orders-history":
                return _told([o for o in self.orders if o["state"] not in LIVE])
            case "trade/cancel-order":
                return self._said([self._cancel(given)])
        return _told(self._facts(path.removeprefix("/api/v5/"), given))

    def _facts(self, what: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        now = _now()
        match what:
            case "public/time":
                return [{"ts": now}]
            case "public/instruments":
                return [_instrument(swap=given["instType"] == "SWAP")]
            case "market/books":
                near = D("0.4")
                sides = {"bids": self.mid - near, "asks": self.mid + near}
                return [{"ts": now, **{s: [[str(p), "500", "0", "1"]] for s, p in sides.items()}}]
            case "account/balance":
                return [{"uTime": now, "details": [self._coin(coin) for coin in self.cash]}]
            case "account/trade-fee":
                return [{"instType": given["instType"], "maker": "-0.001", "taker": "-0.001"}]
            case "account/leverage-info":
                return [{"instId": SWAP, "mgnMode": "cross", "posSide": "net", "lever": "1"}]
            case "account/positions":
                return [self._held()] if self.position else []
            case "public/funding-rate":  # it has no mark price
                rate = {"fundingRate": "0.0001", "fundingTime": str(int(now) + 3_600_000)}
                return [{"instId": SWAP, "instType": "SWAP", **rate}]
            case "account/config":
                return [{"acctLv": "2", "posMode": "net_mode", "perm": "read_only,trade"}]
            case "market/ticker":
                price = str(self.mid)
                seen = {"last": price, "bidPx": price, "askPx": price, "vol24h": "900"}
                return [{"instId": given["instId"], "ts": now, **seen}]
            case "trade/cancel-all-after":
                return [{"triggerTime": "0", "ts": now}]
        raise AssertionError(f"{what} {given}")

    def _coin(self, coin: str) -> dict[str, str]:
        held = self.cash[coin]
        equity = held + (self.profit if coin == "USDT" else 0)
        words = {"ccy": coin, "cashBal": held, "eq": equity, "availEq": held, "availBal": held}
        return {name: str(value) for name, value in words.items()}

    def _held(self) -> dict[str, str]:
        words = {
            "instId": SWAP,
            "instType": "SWAP",
            "mgnMode": "cross",
            "posSide": "net",
            "pos": self.position,
            "avgPx": self.entry,
            "markPx": self.mid,
            "upl": self.profit,
            "lever": "1",
            "liqPx": "",
            "cTime": _now(),
            "uTime": _now(),
        }
        return {name: str(value) for name, value in words.items()}

    def _said(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        return {"code": "0" if rows[0]["sCode"] == "0" else "1", "msg": "", "data": rows}

    def _place(self, given: Mapping[str, str]) -> dict[str, str]:
        order = {
            "ordId": str(1_000_000 + len(self.orders)),
            "clOrdId": given["clOrdId"],
            "instId": given["instId"],
            "instType": "SWAP" if given["instId"] == SWAP else "SPOT",
            "side": given["side"],
            "ordType": given["ordType"],
            "px": given["px"],
            "sz": given["sz"],
            "accFillSz": "0",
            "avgPx": "",
            "fee": "0",
            "feeCcy": "USDT",
            "state": "canceled" if given["ordType"] == "ioc" else "live",
            "cTime": _now(),
            "uTime": _now(),
        }
        self.orders.append(order)
        buys = given["side"] == "buy"
        price = self.mid + (D("0.4") if buys else -D("0.4"))
        if D(given["px"]) >= price if buys else D(given["px"]) <= price:
            self._fill(order, price)
        return {"clOrdId": order["clOrdId"], "ordId": order["ordId"], "sCode": "0", "sMsg": ""}

    def _fill(self, order: dict[str, str], price: Decimal) -> None:
        signed = D(order["sz"]) * (1 if order["side"] == "buy" else -1)
        swap = order["instId"] == SWAP
        size = signed * (CONTRACT if swap else 1)
        fee = abs(size) * price * FEE
        if swap:
            assert self.position * signed >= 0 or abs(signed) <= abs(self.position)
            if self.position * signed >= 0:
                whole = self.position + signed
                self.entry = (self.entry * self.position + price * signed) / whole
            else:
                self.cash["USDT"] -= size * (price - self.entry)
            self.position += signed
        else:
            self.cash["PAXG"] += size
            self.cash["USDT"] -= size * price
        self.cash["USDT"] -= fee
        order.update(accFillSz=order["sz"], avgPx=str(price), fee=str(-fee), state="filled")

    def _cancel(self, given: Mapping[str, str]) -> dict[str, str]:
        (order,) = [o for o in self.orders if _is_it(o, given)]
        order["state"] = "canceled"
        return {"clOrdId": order["clOrdId"], "ordId": order["ordId"], "sCode": "0", "sMsg": ""}


def _told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": rows}


def _now() -> str:
    return str(int(time.time() * 1000))


def _is_it(order: Mapping[str, str], given: Mapping[str, str]) -> bool:
    if given.get("ordId"):
        return order["ordId"] == given["ordId"]
    return order["clOrdId"] == given["clOrdId"]


def _instrument(*, swap: bool) -> dict[str, str]:
    common = {"state": "live", "tickSz": "0.01", "listTime": "1600000000000", "expTime": ""}
    if swap:
        return {
            **common,
            "instId": SWAP,
            "instType": "SWAP",
            "settleCcy": "USDT",
            "ctType": "linear",
            "ctVal": str(CONTRACT),
            "ctValCcy": "PAXG",
            "lotSz": "1",
            "minSz": "1",
            "uly": "PAXG-USDT",
            "instFamily": "PAXG-USDT",
        }
    return {
        **common,
        "instId": SPOT,
        "instType": "SPOT",
        "baseCcy": "PAXG",
        "quoteCcy": "USDT",
        "lotSz": "0.0001",
        "minSz": "0.001",
    }


@contextmanager
def okx() -> Iterator[Okx]:
    world = Okx()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._tell(world.answer("GET", parts.path, dict(parse_qsl(parts.query))))

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = urlsplit(self.path).path
            told = world.answer("POST", path, given)
            if path.endswith("batch-orders") and world.lost > 0:
                world.lost -= 1
                self.close_connection = True
                self.connection.close()
                return
            self._tell(told)

        def _tell(self, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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
