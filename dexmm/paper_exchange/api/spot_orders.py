"""Binance's spot API, ``/api/v3``: orders and what became of them."""

from __future__ import annotations

from collections.abc import Mapping

from dexmm.paper_exchange.api.endpoint import (
    Call,
    Endpoint,
    Security,
    cancel_all,
    cap_of,
    find_open_order,
    find_order,
)
from dexmm.paper_exchange.api.rate_limits import told_limit
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.order_filters import check_spot
from dexmm.paper_exchange.engine.orders import (
    Ask,
    Order,
    SelfTrade,
    Side,
    Status,
    TimeInForce,
    Trade,
    Type,
)
from dexmm.paper_exchange.engine.rounding import ZERO, text
from dexmm.paper_exchange.engine.symbol_rules import Rules


def place(call: Call) -> dict[str, object]:
    market = call.market()
    ask = _checked_ask(call, market)
    cap = cap_of(call, market, ask.quantity)
    order = call.exchange.desk(market).place(call.account.name, ask, fill_cap=cap)
    usual = "ACK" if ask.type is Type.LIMIT_MAKER else "FULL"
    return placed(order, call.query.text("newOrderRespType", usual))


def place_test(call: Call) -> dict[str, object]:
    _checked_ask(call, call.market())
    return {}


def _checked_ask(call: Call, market: Market) -> Ask:
    ask = read_ask(call, market.rules)
    check_spot(ask, market, call.account.name)
    return ask


def read_ask(call: Call, rules: Rules) -> Ask:
    """An order's parameters. Each type has those it must, and those it must not have."""
    query = call.query
    side = query.choice("side", Side, error_codes.BAD_SIDE)
    kind = query.choice("type", Type, error_codes.BAD_ORDER_TYPE)
    tif, price, quantity, in_quote = TimeInForce.GTC, ZERO, ZERO, ZERO
    if kind is Type.MARKET:
        _refuse(call, "price", "timeInForce")
        if query.has("quantity") == query.has("quoteOrderQty"):
            raise Refused(
                error_codes.BAD_PARAMETERS
                if query.has("quantity")
                else error_codes.mandatory("quantity")
            )
        if query.has("quoteOrderQty"):
            in_quote = query.amount("quoteOrderQty")
        else:
            quantity = query.amount("quantity")
    else:
        if kind is Type.LIMIT:
            query.text("timeInForce")
            tif = query.choice("timeInForce", TimeInForce, error_codes.BAD_TIME_IN_FORCE)
            if tif is TimeInForce.GTX:
                raise Refused(error_codes.BAD_TIME_IN_FORCE)
        else:
            _refuse(call, "timeInForce")
        _refuse(call, "quoteOrderQty")
        quantity, price = query.amount("quantity"), query.amount("price")
    _refuse(call, "stopPrice", "icebergQty", "trailingDelta")
    usual = f"paper{call.exchange.changes.last_id + 1}"
    return Ask(
        symbol=rules.symbol,
        side=side,
        type=kind,
        client_order_id=query.client_order_id("newClientOrderId", usual),
        time_in_force=tif,
        price=price,
        quantity=quantity,
        quote_quantity=in_quote,
        self_trade=query.choice(
            "selfTradePreventionMode", SelfTrade, error_codes.BAD_PARAMETERS, SelfTrade.EXPIRE_MAKER
        ),
    )


def _refuse(call: Call, *names: str) -> None:
    for name in names:
        if call.query.has(name):
            raise Refused(error_codes.not_required(name))


def get_order(call: Call) -> dict[str, object]:
    return told(find_order(call, call.market(), error_codes.NO_SUCH_ORDER))


def cancel(call: Call) -> dict[str, object]:
    market = call.market()
    order = find_open_order(call, market)
    call.exchange.desk(market).cancel(order)
    name = f"cancel{call.exchange.changes.next_id()}"
    return _cancelled(order, call.query.client_order_id("newClientOrderId", name))


def cancel_open_orders(call: Call) -> list[dict[str, object]]:
    gone = cancel_all(call, call.market())
    if not gone:
        raise Refused(error_codes.UNKNOWN_ORDER)
    return [_cancelled(order, f"cancel{order.order_id}") for order in gone]


def open_orders(call: Call) -> list[dict[str, object]]:
    owner = call.account.name
    return [told(order) for market in call.markets() for order in market.open_of(owner)]


def all_orders(call: Call) -> list[dict[str, object]]:
    since, until = call.period()
    found = call.exchange.state.orders(
        call.market().key,
        call.account.name,
        since_ms=since,
        until_ms=until,
        from_id=call.query.integer("orderId", 0),
        limit=call.query.limit(500, 1000),
    )
    return [told(order) for order in found]


def my_trades(call: Call) -> list[dict[str, object]]:
    since, until = call.period()
    found = call.exchange.state.trades(
        call.market().key,
        call.account.name,
        since_ms=since,
        until_ms=until,
        from_id=call.query.integer("fromId", 0),
        order_id=call.query.integer("orderId", 0),
        limit=call.query.limit(500, 1000),
    )
    return [_told_trade(trade) for trade in found]


def order_count(call: Call) -> list[Mapping[str, object]]:
    windows, limits = call.exchange.meters["spot"].orders, call.exchange.settings.limits
    return [
        told_limit("ORDERS", "SECOND", 10, limits.spot_orders_10s) | {"count": windows["10S"].used},
        told_limit("ORDERS", "DAY", 1, limits.spot_orders_day) | {"count": windows["1D"].used},
    ]


# How an order is told


def _core(order: Order) -> dict[str, object]:
    ask = order.ask
    return {
        "price": text(ask.price),
        "origQty": text(ask.quantity or order.executed),
        "executedQty": text(order.executed),
        "origQuoteOrderQty": text(ask.quote_quantity),
        "cummulativeQuoteQty": text(order.quote_executed),
        "status": order.status.value,
        "timeInForce": ask.time_in_force.value,
        "type": ask.type.value,
        "side": ask.side.value,
        "selfTradePreventionMode": ask.self_trade.value,
    }


def _head(order: Order) -> dict[str, object]:
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.ask.client_order_id,
    }


def placed(order: Order, detail: str) -> dict[str, object]:
    """The answer to a new order: ``ACK``, ``RESULT`` or ``FULL``."""
    answer = _head(order) | {"transactTime": order.updated_ms}
    if detail == "ACK":
        return answer
    answer |= _core(order) | {"workingTime": order.created_ms}
    if detail == "FULL":
        answer["fills"] = [
            {
                "price": text(trade.price),
                "qty": text(trade.quantity),
                "commission": text(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.trade_id,
            }
            for trade in order.fills
        ]
    return answer


def told(order: Order) -> dict[str, object]:
    return (
        _head(order)
        | _core(order)
        | {
            "stopPrice": text(ZERO),
            "icebergQty": text(ZERO),
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": order.status is not Status.EXPIRED,
            "workingTime": order.created_ms,
        }
    )


def _cancelled(order: Order, cancel_id: str) -> dict[str, object]:
    return (
        _head(order)
        | _core(order)
        | {
            "origClientOrderId": order.ask.client_order_id,
            "clientOrderId": cancel_id,
            "transactTime": order.updated_ms,
        }
    )


def _told_trade(trade: Trade) -> dict[str, object]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.value),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


S, T = Security.SIGNED, Security.TRADE

ENDPOINTS = {
    "GET /api/v3/rateLimit/order": Endpoint(handle=order_count, security=S, weight=40),
    "POST /api/v3/order": Endpoint(handle=place, security=T, is_order=True),
    "POST /api/v3/order/test": Endpoint(handle=place_test, security=T),
    "GET /api/v3/order": Endpoint(handle=get_order, security=S, weight=4),
    "DELETE /api/v3/order": Endpoint(handle=cancel, security=T),
    "GET /api/v3/openOrders": Endpoint(handle=open_orders, security=S, weight=6, weight_all=80),
    "DELETE /api/v3/openOrders": Endpoint(handle=cancel_open_orders, security=T),
    "GET /api/v3/allOrders": Endpoint(handle=all_orders, security=S, weight=20),
    "GET /api/v3/myTrades": Endpoint(handle=my_trades, security=S, weight=20),
}
