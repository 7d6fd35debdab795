"""Where a resting order's price can be changed in place, by the exchanges' own documents.

ccxt's ``has["editOrder"]`` does not tell: at many exchanges ccxt's ``edit_order`` cancels the order
and places another, which counts as a cancel, can leave nothing in the book, and gives a new
order id. An amendment in the sense of this table keeps the order and its ids, is no cancel in the
exchange's count of cancelled orders, and leaves the order as it is when the new price is refused.

What is not in ``AMENDS`` is never amended. ``REPLACES`` names those that were looked at and why
they are not in it (ccxt 4.5.90, ``edit_order``); a test holds both against the requests that ccxt
would send.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """How ``edit_order`` names our order there, and what it must be told beside the new price."""

    path: str  # of the request, as ccxt names it
    source: str  # of the exchange's own documents
    own_id: str  # the parameter of our client id; "" where only the exchange's own id is taken
    amount: bool = False  # the whole amount must be sent again
    contract_only: bool = False
    spot_only: bool = False
    params: tuple[tuple[str, object], ...] = ()  # besides


_OKX = Amend(
    path="trade/amend-order",
    source="https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-amend-order",
    own_id="clOrdId",
)
_BYBIT = Amend(
    path="v5/order/amend",
    source="https://bybit-exchange.github.io/docs/v5/order/amend-order",
    own_id="orderLinkId",
)
_GATE = Amend(
    path="orders/{order_id}",
    source="https://www.gate.com/docs/developers/apiv4/en/#amend-single-order",
    own_id="",
)

AMENDS: dict[str, Amend] = {
    "okx": _OKX,
    "okxus": _OKX,
    "myokx": _OKX,
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "gate": _GATE,
    "gateeu": _GATE,
    "kraken": Amend(
        path="AmendOrder",
        source="https://docs.kraken.com/api-reference/trading/amend-order",
        own_id="cl_ord_id",
        spot_only=True,
        # Without it a new price that would take is taken, whatever the order was placed as.
        params=(("postOnly", True),),
    ),
    "binanceusdm": Amend(
        path="order",
        source="https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/"
        "rest-api/Modify-Order",
        own_id="origClientOrderId",
        amount=True,
        contract_only=True,
    ),
}

# ccxt's editOrder is something else there: id, the request, what it does.
REPLACES: dict[str, tuple[str, str]] = {
    "binance": ("order/cancelReplace", "cancels, and places a new order"),
    "binanceus": ("order/cancelReplace", "cancels, and places a new order"),
    "kucoin": ("hf/orders/alter", "cancels, and places a new order under a new id"),
    "bitget": ("cancel-replace-order", "cancels, and places a new order (classic accounts)"),
    "bingx": ("cancelReplace", "cancels, and places a new order"),
    "bitstamp": ("replace_order", "cancels, and places a new order"),
    "poloniex": ("orders/{id}", "cancel-replace: cancels, and places a new order"),
}


def amend_of(exchange_id: str, *, contract: bool) -> Amend | None:
    """None where an order's price cannot be changed without cancelling it."""
    found = AMENDS.get(exchange_id)
    if found is None or (found.spot_only and contract) or (found.contract_only and not contract):
        return None
    return found
