#!/usr/bin/env bash
# ccxt's unified clientOrderId is dropped without a word at Coinbase and at Crypto.com: Coinbase gets
# an id that ccxt makes up, Crypto.com none. The exchanges' own names for it are passed on.
#
# create_order of coinbase (ccxt 4.5.90) fills client_order_id with "ccxt-" and a random UUID and
# omits params["clientOrderId"]; that of cryptocom omits it too. Both exchanges take a client id, and
# ccxt reads it back from their orders as clientOrderId. Whoever gives an order an id, loses the
# answer and then looks for that id finds nothing and sends the order again: two rest. At Coinbase
# the made-up id also takes away what the exchange offers against that, since it answers a repeated
# client_order_id with the order that it has.
#
# Source: the code of ccxt 4.5.90; the exchanges' documentation of "Create Order" and of
# private/create-order. Requests are caught before they are sent: no network is used.
#
# Output seen (ccxt 4.5.90, Python 3.11; the UUID is another each time):
#   coinbase  clientOrderId=mine1      sent: client_order_id=ccxt-...
#   coinbase  client_order_id=mine1    sent: client_order_id=mine1
#   cryptocom clientOrderId=mine1      sent: no id
#   cryptocom client_oid=mine1         sent: client_oid=mine1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
import ccxt

SYMBOL = "PAXG/USDT"


def sent(kind, given, own):
    exchange = kind({"apiKey": "key", "secret": "c2VjcmV0"})
    exchange.set_markets([
        exchange.safe_market_structure({
            "id": "PAXG-USDT", "symbol": SYMBOL, "base": "PAXG", "quote": "USDT", "type": "spot",
            "spot": True, "precision": {"amount": 0.0001, "price": 0.01},
            "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
        })
    ])
    caught = []

    def fetch2(path, api="public", method="GET", params={}, *rest, **named):
        caught.append(params)
        raise ccxt.NetworkError("caught")

    exchange.fetch2 = fetch2
    try:
        exchange.create_order(SYMBOL, "limit", "buy", 0.1, 4000, given)
    except ccxt.NetworkError:
        pass
    (request,) = caught
    kept = "mine1" in str(request)
    found = request.get(own)
    (name,) = given
    print(f"{kind.__name__:9} {name}=mine1".ljust(35), "sent:", f"{own}={found}" if found else "no id")
    return kept


seen = [
    sent(ccxt.coinbase, {"clientOrderId": "mine1"}, "client_order_id"),
    sent(ccxt.coinbase, {"client_order_id": "mine1"}, "client_order_id"),
    sent(ccxt.cryptocom, {"clientOrderId": "mine1"}, "client_oid"),
    sent(ccxt.cryptocom, {"client_oid": "mine1"}, "client_oid"),
]
raise SystemExit(0 if seen == [False, True, False, True] else 1)
PYTHON
