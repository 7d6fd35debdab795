#!/usr/bin/env bash
# In ccxt an order at Kraken Futures with timeInForce "IOC" is sent as an ordinary limit order, and
# rests: only "ioc" in small letters is understood there.
#
# ccxt's unified spelling is "IOC" ("GTC", "IOC", "FOK", "PO" in its manual and in the docstrings of
# create_order at most exchanges). krakenfutures.create_order_request (4.5.90) compares with "ioc",
# finds nothing else, omits the parameter and sends orderType=lmt. No error is raised. What was meant
# to fill at once or vanish stands in the book, with the margin that it locks. ccxt's class for
# Kraken's spot market takes the capitals.
#
# Source: the code of ccxt 4.5.90; Kraken's futures documentation of POST /sendorder (orderType lmt,
# post, ioc, mkt, ...). The requests below are caught before they are sent: no network is used.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   krakenfutures IOC: orderType=lmt
#   krakenfutures ioc: orderType=ioc
#   kraken        IOC: timeinforce=IOC
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
from urllib.parse import parse_qs

import ccxt


def sent(kind, symbol, name, time):
    """The value of ``name`` in the signed request of a limit order."""
    exchange = kind({"apiKey": "key", "secret": "c2VjcmV0"})
    swap = ":" in symbol
    exchange.set_markets([
        exchange.safe_market_structure({
            "id": "PAXGUSD", "symbol": symbol, "base": "PAXG", "quote": "USD",
            "type": "swap" if swap else "spot", "spot": not swap, "swap": swap, "contract": swap,
            "linear": True if swap else None, "settle": "USD" if swap else None,
            "contractSize": 1 if swap else None, "precision": {"amount": 0.001, "price": 0.1},
            "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
        })
    ])
    caught = []

    def fetch(url, method="GET", headers=None, body=None):
        caught.append(f"{url.partition('?')[2]}&{body or ''}")
        raise ccxt.NetworkError("caught")

    exchange.fetch = fetch
    try:
        exchange.create_order(symbol, "limit", "buy", 1, 4000, {"timeInForce": time})
    except ccxt.NetworkError:
        pass
    return parse_qs(caught[0])[name][0]


capitals = sent(ccxt.krakenfutures, "PAXG/USD:USD", "orderType", "IOC")
small = sent(ccxt.krakenfutures, "PAXG/USD:USD", "orderType", "ioc")
spot = sent(ccxt.kraken, "PAXG/USD", "timeinforce", "IOC")
print(f"krakenfutures IOC: orderType={capitals}")
print(f"krakenfutures ioc: orderType={small}")
print(f"kraken        IOC: timeinforce={spot}")
raise SystemExit(0 if (capitals, small, spot) == ("lmt", "ioc", "IOC") else 1)
PYTHON
