"""What an exchange can do, as ccxt describes it.

Read from ``has``, ``features``, ``options`` and ``urls``, so that any of ccxt's exchanges works as
far as it can. What the three documented ones differ in (ccxt 4.5.90):

|                                | Binance          | OKX            | KuCoin         |
|--------------------------------|------------------|----------------|----------------|
| passphrase besides the key     | no               | yes            | yes            |
| its own test network           | yes              | yes (demo)     | no             |
| post-only                      | LIMIT_MAKER, GTX | post_only      | postOnly flag  |
| client order id (``exchange``) | newClientOrderId | clOrdId        | clientOid      |
| its form                       | 36 of A-Za-z0-9- | 32 of A-Za-z0-9| 40 of A-Za-z0-9|
| dead-man's switch              | no               | yes            | no             |
| one account for spot and swaps | no               | yes            | no             |
| best prices in one request     | yes              | no             | no             |

ccxt takes ``postOnly`` and ``clientOrderId`` from everybody and renames them; thirty-two lower-case
letters and digits that begin with a letter are legal at all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dexmm.cex.lane import Ccxt

DEFAULT_WINDOW_MS = 30_000  # how late an order may still arrive, where the exchange has no window


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    post_only: bool
    ioc: bool
    sandbox: bool
    passphrase: bool
    dead_mans_switch: bool
    best_prices: bool  # the best bids and asks of several symbols in one request
    set_leverage: bool
    shared_account: bool  # one account holds spot balances and is the margin of swaps
    order_window_ms: int  # after which an order that was not accepted never will be
    order_trades: bool  # an order's own trades can be asked for

    def missing(self, *, quotes: bool) -> tuple[str, ...]:
        """What a market maker needs and this exchange has not, in words."""
        return tuple(
            words
            for lacks, words in (
                (not self.ioc, "orders that fill at once or not at all (IOC)"),
                (quotes and not self.post_only, "post-only orders"),
            )
            if lacks
        )


def capabilities(exchange: Ccxt, *, contract: bool) -> Capabilities:
    has, options = exchange.has, exchange.options
    features = _features(exchange, contract=contract)
    times = (features.get("createOrder") or {}).get("timeInForce") or {}
    return Capabilities(
        post_only=bool(times.get("PO")) or bool(has.get("createPostOnlyOrder")),
        ioc=bool(times.get("IOC")),
        sandbox=features.get("sandbox", has.get("sandbox")) is True,
        passphrase=bool(exchange.requiredCredentials.get("password")),
        dead_mans_switch=has.get("cancelAllOrdersAfter") is True,
        best_prices=has.get("fetchBidsAsks") is True,
        set_leverage=has.get("setLeverage") is True,
        shared_account=_shared(options.get("accountsByType")),
        order_window_ms=int(options.get("recvWindow") or DEFAULT_WINDOW_MS),
        order_trades=has.get("fetchOrderTrades") is True,
    )


def _features(exchange: Ccxt, *, contract: bool) -> Mapping[str, Any]:
    features = exchange.features or {}
    found: Mapping[str, Any] = features.get("swap" if contract else "spot") or {}
    return (found.get("linear") or {}) if contract else found


def _shared(accounts: object) -> bool:
    if not isinstance(accounts, Mapping) or "spot" not in accounts:
        return False
    swap = accounts.get("swap", accounts.get("linear"))
    return swap is not None and swap == accounts["spot"]
