#!/usr/bin/env bash
# With ccxt's setting for exact numbers (exchange.number = str) no perpetual order can be placed at
# KuCoin: a TypeError before anything is sent.
#
# ccxt's base class offers ``number`` (float, or str, as its comment says) for whoever wants no
# floats: numbers are then returned as text, and amounts and prices may be passed as text. In
# kucoin.create_contract_order_request (4.5.90) the amount is compared with a number (``amount < 1``)
# and Python refuses. KuCoin's spot orders, and the perpetuals of Binance and OKX, take text. It
# stays hidden until the first live hedge: reading markets, balances and positions all work.
#
# Source: the code of ccxt 4.5.90. Requests are caught before they are sent: no network is used.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   kucoin        spot      sent
#   kucoin        perpetual TypeError: '<' not supported between instances of 'str' and 'int'
#   kucoinfutures perpetual TypeError: '<' not supported between instances of 'str' and 'int'
#   binanceusdm   perpetual sent
#   okx           perpetual sent
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
import ccxt


def order(name, swap):
    exchange = getattr(ccxt, name)({"apiKey": "key", "secret": "c2VjcmV0", "password": "p"})
    exchange.number = str
    symbol = "PAXG/USDT:USDT" if swap else "PAXG/USDT"
    exchange.set_markets([
        exchange.safe_market_structure({
            "id": "PAXGUSDT", "symbol": symbol, "base": "PAXG", "quote": "USDT",
            "type": "swap" if swap else "spot", "spot": not swap, "swap": swap, "contract": swap,
            "linear": True if swap else None, "settle": "USDT" if swap else None,
            "contractSize": "1" if swap else None, "precision": {"amount": "1", "price": "0.01"},
            "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
            "info": {"orderTypes": ["LIMIT"]},
        })
    ])

    def fetch(*_, **__):
        raise ccxt.NetworkError("caught")

    exchange.fetch = fetch
    exchange.load_uta_status = lambda *_, **__: False  # KuCoin's account kind, asked for first
    exchange.is_uta_enabled = lambda *_, **__: False
    try:
        exchange.create_order(symbol, "limit", "buy", "3", "4000")
    except ccxt.NetworkError:
        return "sent"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


seen = []
for name, swap in (
    ("kucoin", False), ("kucoin", True), ("kucoinfutures", True), ("binanceusdm", True),
    ("okx", True),
):
    seen.append(order(name, swap))
    print(f"{name:13} {'perpetual' if swap else 'spot':9} {seen[-1]}")
expected = ["sent", "TypeError", "TypeError", "sent", "sent"]
raise SystemExit(0 if [said.partition(":")[0] for said in seen] == expected else 1)
PYTHON
