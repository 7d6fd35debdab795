"""Public candle endpoints on loopback in the shapes of OKX, KuCoin and Kraken, newest first.

Prices are made from the time alone. ``cap`` is how many candles an answer holds at most: the
newest of the range asked for. Kraken's has no end of a range: the newest of all that there are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECONDS = {"1m": 60, "1min": 60, "1": 60, "1D": 86_400, "1Dutc": 86_400, "1day": 86_400}
SECONDS |= {"1440": 86_400}


class CandleExchange:
    def __init__(self, kind: str, cap: int, *, thin: bool, listed_ms: int) -> None:
        self.kind, self.cap, self.thin, self.listed_ms = kind, cap, thin, listed_ms
        self.symbol = "PAXG/USD" if kind == "kraken" else "PAXG/USDT"
        self.asked = 0
        self.url = ""

    def traded(self, at_ms: int) -> bool:
        return not self.thin or at_ms // 60_000 % 7 not in (0, 2, 3)

    def rows(self, first: int, last: int, step: int) -> list[list[str]]:
        """[time, open, high, low, close, volume], newest first; times in seconds."""
        self.asked += 1
        found: list[list[str]] = []
        at = min(last, int(time())) // step * step
        while at >= max(first, self.listed_ms // 1000) and len(found) < self.cap:
            if self.traded(at * 1000):
                price = 4000 + at // 60 % 50
                found.append([str(at), str(price), f"{price}.5", f"{price - 1}", f"{price}.1", "2"])
            at -= step
        return found

    def answer(self, path: str, query: dict[str, str]) -> Any:
        return getattr(self, f"_{self.kind}")(path.rpartition("/")[2], query)

    def _okx(self, what: str, query: dict[str, str]) -> Any:
        data: list[Any] = []
        if what == "time":
            data = [{"ts": str(int(time() * 1000))}]
        elif what == "instruments" and query.get("instType") == "SPOT":
            data = [OKX_INSTRUMENT]
        elif what in ("candles", "history-candles"):
            first = int(query.get("before", 0)) // 1000 + 1
            last = (int(query.get("after", int(time() * 1000))) - 1) // 1000
            rows = self.rows(first, last, SECONDS[query["bar"]])[: int(query.get("limit", 100))]
            data = [[f"{at}000", *numbers, "2", "2", "1"] for at, *numbers in rows]
        return {"code": "0", "msg": "", "data": data}

    def _kucoin(self, what: str, query: dict[str, str]) -> Any:
        data: Any = []
        if what == "timestamp":
            data = int(time() * 1000)
        elif what == "symbols":
            data = [KUCOIN_SYMBOL]
        elif what == "candles":
            first, last = int(query.get("startAt", 0)), int(query.get("endAt", int(time()))) - 1
            rows = self.rows(first, last, SECONDS[query["type"]])
            data = [[at, o, c, high, low, v, v] for at, o, high, low, c, v in rows]
        return {"code": "200000", "data": data}

    def _kraken(self, what: str, query: dict[str, str]) -> Any:
        result: Any = {}
        if what == "Time":
            result = {"unixtime": int(time()), "rfc1123": ""}
        elif what == "AssetPairs":
            result = {"PAXGUSD": KRAKEN_PAIR}
        elif what == "Assets":
            result = {name: KRAKEN_ASSET | {"altname": name} for name in ("PAXG", "ZUSD")}
        elif what == "OHLC":
            rows = self.rows(int(query.get("since", 0)), 1 << 40, SECONDS[query["interval"]])[::-1]
            told = [[int(at), o, h, low, c, c, v, 3] for at, o, h, low, c, v in rows]
            result = {"PAXGUSD": told, "last": 1}
        return {"error": [], "result": result}


OKX_INSTRUMENT = {
    "baseCcy": "PAXG",
    "quoteCcy": "USDT",
    "instId": "PAXG-USDT",
    "instType": "SPOT",
    "lotSz": "0.0001",
    "minSz": "0.001",
    "tickSz": "0.1",
    "state": "live",
    "ctVal": "",
    "ctMult": "",
    "settleCcy": "",
    "uly": "",
    "lever": "",
    "expTime": "",
    "listTime": "1",
    "maxLmtSz": "1",
    "maxMktSz": "1",
}
KUCOIN_SYMBOL = {
    "symbol": "PAXG-USDT",
    "name": "PAXG-USDT",
    "baseCurrency": "PAXG",
    "quoteCurrency": "USDT",
    "feeCurrency": "USDT",
    "market": "USDS",
    "baseMinSize": "0.0001",
    "quoteMinSize": "0.1",
    "baseMaxSize": "1000",
    "quoteMaxSize": "1000",
    "baseIncrement": "0.0001",
    "quoteIncrement": "0.01",
    "priceIncrement": "0.01",
    "enableTrading": True,
    "isMarginEnabled": False,
    "feeCategory": 1,
    "makerFeeCoefficient": "1",
    "takerFeeCoefficient": "1",
    "st": False,
}
KRAKEN_PAIR = {
    "altname": "PAXGUSD",
    "wsname": "PAXG/USD",
    "base": "PAXG",
    "quote": "ZUSD",
    "pair_decimals": 2,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "ordermin": "0.002",
    "costmin": "0.5",
    "tick_size": "0.01",
    "status": "online",
}
KRAKEN_ASSET = {"aclass": "currency", "decimals": 8, "display_decimals": 4, "status": "enabled"}


@contextmanager
def candle_exchange(
    kind: str, cap: int, *, thin: bool = False, listed_ms: int = 0
) -> Iterator[CandleExchange]:
    double = CandleExchange(kind, cap, thin=thin, listed_ms=listed_ms)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = json.dumps(double.answer(parts.path, query)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        double.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()
