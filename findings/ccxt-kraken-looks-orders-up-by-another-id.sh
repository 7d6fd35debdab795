#!/usr/bin/env bash
# ccxt sends a client order id to Kraken under one name and asks for the order under another: an
# order that was placed with clientOrderId cannot be fetched with it.
#
# kraken.create_order (ccxt 4.5.90) sends params["clientOrderId"] as cl_ord_id (text of up to 18
# characters, or a UUID), cancel_order too. kraken.fetch_order sends the same parameter as userref, a
# number that has nothing to do with cl_ord_id, and Kraken does not know the order. Whoever looks an
# order up by its client id after a lost answer is told that there is none, while it rests, and sends
# a second one. parse_order fills "clientOrderId" from cl_ord_id, so that fetch_open_orders tells the
# two apart: the list is the way to look.
#
# Source: the code of ccxt 4.5.90; Kraken's guide to cl_ord_id, and its documentation of AddOrder,
# CancelOrder and QueryOrders. Requests are caught before they are sent: no network is used.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   create_order  sends it as cl_ord_id
#   cancel_order  sends it as cl_ord_id
#   fetch_order   sends it as userref
#   fetch_open_orders reads it back as clientOrderId=mine0123456789abcd
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
import json
from urllib.parse import parse_qs

import ccxt

ID, SYMBOL = "mine0123456789abcd", "PAXG/USD"
exchange = ccxt.kraken({"apiKey": "key", "secret": "c2VjcmV0"})
exchange.set_markets([
    exchange.safe_market_structure({
        "id": "PAXGUSD", "altname": "PAXGUSD", "symbol": SYMBOL, "base": "PAXG", "quote": "USD",
        "type": "spot", "spot": True, "precision": {"amount": 0.0001, "price": 0.01},
        "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
    })
])
OPEN = {"error": [], "result": {"open": {"OTLAS3-RRHUF-NDWH5A": {
    "cl_ord_id": ID, "userref": None, "status": "open", "opentm": 1767225600, "vol": "0.1",
    "vol_exec": "0", "cost": "0", "fee": "0", "price": "0",
    "descr": {"pair": "PAXGUSD", "type": "buy", "ordertype": "limit", "price": "4000"},
}}}}
told = []


def fetch(url, method="GET", headers=None, body=None):
    told.append({name: values[0] for name, values in parse_qs(body or "").items()})
    if url.endswith("/OpenOrders"):
        return OPEN
    raise ccxt.NetworkError("caught")


def name_of(method, *arguments):
    try:
        getattr(exchange, method)(*arguments)
    except ccxt.NetworkError:
        pass
    return next(name for name, value in told[-1].items() if value == ID)


exchange.fetch = fetch
given = {"clientOrderId": ID}
names = [
    name_of("create_order", SYMBOL, "limit", "buy", 0.1, 4000, given),
    name_of("cancel_order", None, SYMBOL, given),
    name_of("fetch_order", None, SYMBOL, given),
]
for method, name in zip(("create_order", "cancel_order", "fetch_order"), names):
    print(f"{method:13} sends it as {name}")
listed = exchange.fetch_open_orders(SYMBOL)[0]["clientOrderId"]
print(f"fetch_open_orders reads it back as clientOrderId={listed}")
raise SystemExit(0 if (*names, listed) == ("cl_ord_id", "cl_ord_id", "userref", ID) else 1)
PYTHON
