"""What an exchange can do, as ccxt describes it and as its requests show (``carry``).

Read from ``has``, ``features``, ``options``, ``urls`` and dry orders, so that any of ccxt's
exchanges works as far as it can, and one where orders cannot be kept from happening twice is
refused. docs/exchanges.md has all of them. What the three documented ones differ in (ccxt 4.5.90):

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
| amends a price in place        | perpetuals only  | yes            | no             |

Thirty-two lower-case letters and digits that begin with a letter are legal at all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dexmm.cex.amend_table import Amend, amend_of
from dexmm.cex.ccxt_session import Ccxt
from dexmm.cex.dry_orders import carried
from dexmm.cex.margins import TOTAL_WITH_PROFIT, UNIFIED
from dexmm.cex.orders.client_order_id import Form

DEFAULT_WINDOW_MS = 30_000  # how late an order may still arrive, where the exchange has no window


class Precision(StrEnum):
    STEPS = "steps"
    DECIMALS = "digits after the point"
    SIGNIFICANT = "significant digits"


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
    client_id: str  # the exchange's name for our client id
    form: Form  # in which our ids are written there
    find_by_name: bool  # an order can be asked for by our id
    cancel_by_name: bool
    precision: Precision  # how prices are counted
    amend: Amend | None  # how a resting order's price is changed in place; None: it cannot be
    margin_read: bool  # what a derivatives account's total means is known; True for spot
    unfit: tuple[str, ...]  # why orders cannot be kept from happening twice there, in words

    def missing(self, *, quotes: bool) -> tuple[str, ...]:
        """What a market maker needs and this exchange has not, in words."""
        return tuple(
            words
            for lacks, words in (
                (bool(self.unfit), f"orders that happen once ({'; '.join(self.unfit)})"),
                (
                    not self.margin_read,
                    "margin that can be read (whether ccxt's total of its derivatives account has "
                    "unrealised profit in it is not known)",
                ),
                (not self.ioc, "orders that fill at once or not at all (IOC)"),
                (quotes and not self.post_only, "post-only orders"),
            )
            if lacks
        )


def capabilities(exchange: Ccxt, *, contract: bool, form: Form = Form.TEXT_32) -> Capabilities:
    """``form``: of the ids that will be used; the exchange's own is ``carry.form_of``."""
    has, options = exchange.has, exchange.options
    carries = carried(type(exchange).__name__, contract=contract)
    unfit = carries.reasons
    if not unfit and form not in carries.forms:
        unfit = (f"its client ids are {carries.forms[0].value}, not {form.value}",)
    features = _features(exchange, contract=contract)
    times = (features.get("createOrder") or {}).get("timeInForce") or {}
    return Capabilities(
        post_only=carries.post_only
        and (bool(times.get("PO")) or bool(has.get("createPostOnlyOrder"))),
        ioc=carries.ioc and bool(times.get("IOC")),
        sandbox=has_test_network(exchange, contract=contract),
        passphrase=bool(exchange.requiredCredentials.get("password")),
        dead_mans_switch=has.get("cancelAllOrdersAfter") is True,
        best_prices=has.get("fetchBidsAsks") is True,
        set_leverage=has.get("setLeverage") is True,
        shared_account=type(exchange).__name__ in UNIFIED,
        order_window_ms=int(options.get("recvWindow") or DEFAULT_WINDOW_MS),
        order_trades=has.get("fetchOrderTrades") is True,
        client_id=carries.field,
        form=form,
        find_by_name=carries.find_by_name,
        cancel_by_name=carries.cancel_by_name,
        precision=_precision(exchange),
        amend=amend_of(type(exchange).__name__, contract=contract),
        margin_read=not contract or type(exchange).__name__ in TOTAL_WITH_PROFIT,
        unfit=unfit,
    )


def _precision(exchange: Ccxt) -> Precision:
    import ccxt

    return {
        ccxt.TICK_SIZE: Precision.STEPS,
        ccxt.DECIMAL_PLACES: Precision.DECIMALS,
        ccxt.SIGNIFICANT_DIGITS: Precision.SIGNIFICANT,
    }[exchange.precisionMode]


def has_test_network(exchange: Ccxt, *, contract: bool) -> bool:
    features = _features(exchange, contract=contract)
    return features.get("sandbox", exchange.has.get("sandbox")) is True


def _features(exchange: Ccxt, *, contract: bool) -> Mapping[str, Any]:
    features = exchange.features or {}
    found: Mapping[str, Any] = features.get("swap" if contract else "spot") or {}
    return (found.get("linear") or {}) if contract else found
