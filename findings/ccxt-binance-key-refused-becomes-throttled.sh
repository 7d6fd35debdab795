#!/usr/bin/env bash
# The same refusal of a Binance key is an AuthenticationError before the first private call that went
# well and a DDoSProtection after it, and a country that is not served is an outage, in ccxt.
#
# Binance answers a key without the right to trade, or from an address that is not on its list, with
# HTTP 401 {"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}. ccxt 4.5.90 raises
# AuthenticationError for it, until any private request has succeeded: from then on it raises
# DDoSProtection (options["hasAlreadyAuthenticatedSuccessfully"]), a NetworkError, which code that
# goes by class retries for ever. A key whose right to trade is taken away while a program runs, or
# one that may read but not trade, is met in just that order: a balance first, then an order.
# HTTP 451 (the country is not served) is an ExchangeNotAvailable, a NetworkError as well.
#
# Source: Binance's documentation of error codes (-2015 REJECTED_MBX_KEY) and binance.handle_errors
# of ccxt 4.5.90. The answers below are of the documented form, served on loopback.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   -2015 before a good call: AuthenticationError, to be retried: False
#   -2015 after a good call:  DDoSProtection, to be retried: True
#   451:                      ExchangeNotAvailable, to be retried: True
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

REFUSED = 401, json.dumps({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
GOOD = 200, json.dumps({"balances": [], "makerCommission": 10, "accountType": "SPOT"})
ELSEWHERE = 451, ""
answer = REFUSED


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
exchange = ccxt.binance({"apiKey": "key", "secret": "secret", "enableRateLimit": False})
exchange.session.trust_env = False
exchange.urls["api"]["private"] = f"http://127.0.0.1:{server.server_port}/api/v3"


def order():
    try:
        exchange.private_post_order({"symbol": "PAXGUSDT"})
    except ccxt.BaseError as error:
        return type(error).__name__, isinstance(error, ccxt.NetworkError)
    raise SystemExit("the refusal was taken for an answer")


before = order()
answer = GOOD
exchange.private_get_account()
answer = REFUSED
after = order()
answer = ELSEWHERE
elsewhere = order()
for what, (name, again) in (
    ("-2015 before a good call:", before),
    ("-2015 after a good call: ", after),
    ("451:                     ", elsewhere),
):
    print(f"{what} {name}, to be retried: {again}")
expected = ("AuthenticationError", False), ("DDoSProtection", True), ("ExchangeNotAvailable", True)
if (before, after, elsewhere) != expected:
    raise SystemExit("this has changed")
PYTHON
