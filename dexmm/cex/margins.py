"""What the total of a derivatives account means where ccxt reads it, and which account it is.

Net worth, room for a short and the distance to its liquidation need the money in the account and
the unrealised profit apart. ccxt's ``total`` is one or both of them, by exchange (ccxt 4.5.90,
``fetch_balance``; the field that it is read from, and what the exchange's documents say of it):

==============  =================  ==============================================================
exchange        field              unrealised profit
==============  =================  ==============================================================
binance, usdm   marginBalance      in it ("walletBalance + unrealizedProfit", Account V3)
bitget          accountEquity      in it ("includes unrealized PnL", Get Single Account, classic)
kucoin          accountEquity      in it ("marginBalance + unrealisedPNL", Get Account - Futures)
okx             eq                 in it; ``cashBal`` is the money without it, and is what is read
bybit           walletBalance      not in it (``equity`` is with it, Get Wallet Balance)
gate            total              not in it ("excluding unrealized", Query futures account)
phemex          accountBalanceRv   not in it (Query account positions)
==============  =================  ==============================================================

A perpetual anywhere else is refused: at some the total leaves out what a position ties up (MEXC,
BingX), at some ccxt answers the spot account instead (HitBTC, HashKey), of others nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from dexmm.cex.parsing import maybe

_WITH = ("binance", "binanceusdm", "bitget", "kucoin", "kucoinfutures", "okx", "okxus", "myokx")
_WITHOUT = ("bybit", "bybiteu", "bybitid", "gate", "gateeu", "phemex")
# Whether unrealised profit is in ccxt's total.
TOTAL_WITH_PROFIT = {**dict.fromkeys(_WITH, True), **dict.fromkeys(_WITHOUT, False)}

# One account is spot's and the margin of perpetuals: all OKX's, and Bybit's unified ones.
UNIFIED = frozenset({"okx", "okxus", "myokx", "bybit", "bybiteu", "bybitid"})
# Where every order states the symbol's margin mode, and is refused in another one.
ORDERS_STATE_MODE = frozenset({"kucoin", "kucoinfutures"})
_CASH = frozenset({"okx", "okxus", "myokx"})
_OF_THE_REQUEST = frozenset({"timestamp", "signature", "recvWindow", "nonce"})


def cash(exchange_id: str, answer: Mapping[str, Any]) -> dict[str, Decimal]:
    """Money by coin, where ccxt's total of an account is with unrealised profit; else empty."""
    if exchange_id not in _CASH:
        return {}
    info = answer.get("info")
    data = info.get("data") if isinstance(info, Mapping) else None
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], Mapping) else {}
    found = {}
    for row in first.get("details") or ():
        held = maybe(row.get("cashBal"), "cash balance") if isinstance(row, Mapping) else None
        if held is not None and row.get("ccy"):
            found[str(row["ccy"])] = held
    return found


def request_of(url: str) -> str:
    """Which account a request for balances asked for: the URL without what differs each time."""
    parts = urlsplit(url)
    asked = [(k, v) for k, v in parse_qsl(parts.query) if k not in _OF_THE_REQUEST]
    return f"{parts.netloc}{parts.path}?{urlencode(sorted(asked))}"
