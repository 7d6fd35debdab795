#!/usr/bin/env bash
# ccxt's `timestamp` of a Binance futures order book is the time of the last transaction, not that of
# the answer, and its spot order book has none.
#
# Binance's futures answer GET /fapi/v1/depth with two times: `E`, when the message was sent, and
# `T`, when the matching engine last changed something. ccxt 4.5.90 takes `T` as the book's
# `timestamp` (binance.fetch_order_book) and drops `E`; the answer of spot (GET /api/v3/depth) has
# neither, and `timestamp` is None. A client that drops books older than some seconds by `timestamp`
# therefore drops every fresh answer of a market that is merely quiet, and, if it falls back to its
# own clock for None, never drops a spot book.
#
# Source: Binance's USD-M futures and spot documentation of the order book (fields E and T), and the
# code of ccxt 4.5.90. The answers below are of the documented form, served on loopback.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   futures: answered at 1767225660000, book's timestamp 1767225600000: 60 s old
#   spot: book's timestamp None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ccxt

SENT, CHANGED = 1767225660000, 1767225600000
LEVELS = {"lastUpdateId": 1, "bids": [["3999.00", "1.000"]], "asks": [["4001.00", "1.000"]]}
ANSWERS = {
    "/fapi/v1/depth": {**LEVELS, "E": SENT, "T": CHANGED},
    "/api/v3/depth": LEVELS,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ANSWERS[self.path.partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def book(kind, symbol, market_type, path):
    exchange = kind()
    for name in ("public", "fapiPublic"):
        exchange.urls["api"][name] = f"http://127.0.0.1:{server.server_port}{path}"
    swap = market_type == "swap"
    exchange.set_markets([
        exchange.safe_market_structure({
            "id": "PAXGUSDT", "symbol": symbol, "base": "PAXG", "quote": "USDT", "type": market_type,
            "spot": not swap, "swap": swap, "contract": swap, "linear": True if swap else None,
            "settle": "USDT" if swap else None, "contractSize": 1 if swap else None,
        })
    ])
    return exchange.fetch_order_book(symbol, 5)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
futures = book(ccxt.binanceusdm, "PAXG/USDT:USDT", "swap", "/fapi/v1")
spot = book(ccxt.binance, "PAXG/USDT", "spot", "/api/v3")
stamp = futures["timestamp"]
print(f"futures: answered at {SENT}, book's timestamp {stamp}: {(SENT - stamp) // 1000} s old")
print(f"spot: book's timestamp {spot['timestamp']}")
raise SystemExit(0 if (stamp, spot["timestamp"]) == (CHANGED, None) else 1)
PYTHON
