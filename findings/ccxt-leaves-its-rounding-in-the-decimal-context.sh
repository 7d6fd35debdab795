#!/usr/bin/env bash
# One order built by ccxt changes how the whole thread rounds decimals, for ever after.
#
# ccxt's decimal_to_precision, through which every price and amount of an order goes, takes the
# thread's own decimal context (decimal.getcontext()), sets its rounding to ROUND_HALF_UP and enables
# the Underflow trap there, and does not put them back. A program that formats or divides Decimals
# in the same thread gets other last digits once an order was written: 0.545 is printed as 0.54
# before and as 0.55 after, and a quotient so small that it underflows raises instead of being 0.
# Which digits a report shows then depends on whether an order was sent before it, in that thread.
# A context of one's own around each call (decimal.localcontext) keeps it in.
#
# Source: ccxt/base/decimal_to_precision.py of ccxt 4.5.90; Python's documentation of the decimal
# module (ROUND_HALF_EVEN is the default, contexts are per thread). No network is used.
#
# Output seen (ccxt 4.5.90, Python 3.11):
#   before: ROUND_HALF_EVEN 0.54, underflow trapped: False
#   after:  ROUND_HALF_UP 0.55, underflow trapped: True
#   inside a context of its own: ROUND_HALF_EVEN 0.54
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ccxt==4.5.90
"$work/venv/bin/python" - <<'PYTHON'
from decimal import Context, Decimal, Underflow, getcontext, localcontext, setcontext

import ccxt

exchange = ccxt.binance()
exchange.set_markets([
    exchange.safe_market_structure({
        "id": "PAXGUSDT", "symbol": "PAXG/USDT", "base": "PAXG", "quote": "USDT", "type": "spot",
        "spot": True, "precision": {"amount": 0.0001, "price": 0.01},
    })
])


def told():
    context = getcontext()
    return f"{context.rounding} {Decimal('0.545'):.2f}", context.traps[Underflow]


setcontext(Context())
before = told()
print(f"before: {before[0]}, underflow trapped: {before[1]}")
with localcontext():
    exchange.price_to_precision("PAXG/USDT", 4000.123)
inside = told()
exchange.price_to_precision("PAXG/USDT", 4000.123)
after = told()
print(f"after:  {after[0]}, underflow trapped: {after[1]}")
print(f"inside a context of its own: {inside[0]}")
assert before == ("ROUND_HALF_EVEN 0.54", False), before
assert after == ("ROUND_HALF_UP 0.55", True), after
assert inside == before, inside
PYTHON
