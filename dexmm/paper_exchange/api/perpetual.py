"""Binance's USD-M API, ``/fapi``: market data, funding, and orders."""

from __future__ import annotations

from dataclasses import replace

from dexmm.paper_exchange.api import market_data as data
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
from dexmm.paper_exchange.api.spot import ping, server_time
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.order_filters import check_amended, check_perpetual
from dexmm.paper_exchange.engine.orders import Ask, Order, SelfTrade, Side, TimeInForce, Trade, Type
from dexmm.paper_exchange.engine.rounding import ZERO, places_of, text
from dexmm.paper_exchange.engine.symbol_rules import Rules

PERPETUAL_TYPES = ["LIMIT", "MARKET"]
DELIVERY_NEVER = 4_133_404_800_000


def exchange_info(call: Call) -> dict[str, object]:
    limits = call.exchange.settings.limits
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            told_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.futures_weight),
            told_limit("ORDERS", "MINUTE", 1, limits.futures_orders_minute),
            told_limit("ORDERS", "SECOND", 10, limits.futures_orders_10s),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [_symbol_info(market.rules) for market in call.markets()],
    }


def _symbol_info(rules: Rules) -> dict[str, object]:
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": DELIVERY_NEVER,
        "onboardDate": 0,
        "status": "TRADING" if rules.trading else "SETTLING",
        "maintMarginPercent": text(rules.maintenance_rate * 100, 4),
        "requiredMarginPercent": text(rules.maintenance_rate * 200, 4),
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": places_of(rules.tick_size),
        "quantityPrecision": places_of(rules.step_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "orderTypes": PERPETUAL_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(rules.min_price),
                "maxPrice": str(rules.max_price),
                "tickSize": str(rules.tick_size),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": str(rules.min_quantity),
                "maxQty": str(rules.max_quantity),
                "stepSize": str(rules.step_size),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": str(rules.min_quantity),
                "maxQty": str(rules.max_market_quantity),
                "stepSize": str(rules.step_size),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders},
            {"filterType": "MIN_NOTIONAL", "notional": str(rules.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": str(rules.price_up),
                "multiplierDown": str(rules.price_down),
                "multiplierDecimal": "4",
            },
        ],
    }


# Mark price and funding


def premium_index(call: Call) -> object:
    told = [_premium(call, market) for market in call.markets()]
    return told[0] if call.query.has("symbol") else told


def _premium(call: Call, market: Market) -> dict[str, object]:
    index = call.exchange.price_of(market.rules.index)
    return {
        "symbol": market.rules.symbol,
        "markPrice": text(market.fair),
        "indexPrice": text(index),
        "estimatedSettlePrice": text(index),
        "lastFundingRate": text(market.funding.rate),
        "interestRate": "0.00010000",
        "nextFundingTime": market.funding.next_ms,
        "time": call.now_ms,
    }


def funding_rates(call: Call) -> list[dict[str, object]]:
    """What was charged, oldest first: from the start of a period, else the newest."""
    since, until = call.period()
    limit = call.query.limit(100, 1000)
    told = [
        {
            "symbol": market.rules.symbol,
            "fundingTime": at_ms,
            "fundingRate": text(rate),
            "markPrice": text(mark),
        }
        for market in call.markets()
        for at_ms, rate, mark in market.funding.paid
        if since <= at_ms <= until
    ]
    return told[:limit] if since else told[-limit:]


def funding_info(call: Call) -> list[dict[str, object]]:
    return [
        {
            "symbol": market.rules.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": market.rules.funding_hours,
            "disclaimer": False,
        }
        for market in call.markets()
    ]


# Orders


def place(call: Call) -> dict[str, object]:
    market = call.market()
    ask = _checked_ask(call, market)
    cap = cap_of(call, market, ask.quantity)
    order = call.exchange.desk(market).place(call.account.name, ask, fill_cap=cap)
    if call.query.text("newOrderRespType", "ACK") == "RESULT":
        return told(order)
    return told(order) | {
        "status": "NEW",
        "executedQty": text(ZERO, 3),
        "cumQuote": text(ZERO, 5),
        "avgPrice": text(ZERO, 5),
    }


def place_test(call: Call) -> dict[str, object]:
    _checked_ask(call, call.market())
    return {}


def _checked_ask(call: Call, market: Market) -> Ask:
    ask = _read_ask(call, market.rules)
    if call.account.futures.hedge_mode:  # its positions are one-way, and this asks for that one
        raise Refused(error_codes.POSITION_SIDE_MISMATCH)
    check_perpetual(ask, market, call.account.name)
    return ask


def _read_ask(call: Call, rules: Rules) -> Ask:
    query = call.query
    side = query.choice("side", Side, error_codes.BAD_SIDE)
    kind = query.choice("type", Type, error_codes.BAD_ORDER_TYPE)
    if kind is Type.LIMIT_MAKER:
        raise Refused(error_codes.BAD_ORDER_TYPE)
    if query.text("positionSide", "BOTH") != "BOTH":
        raise Refused(error_codes.POSITION_SIDE_MISMATCH)
    limit = kind is Type.LIMIT
    if limit:
        query.text("timeInForce")
    for name in [] if limit else ["price", "timeInForce"]:
        if query.has(name):
            raise Refused(error_codes.not_required(name))
    return Ask(
        symbol=rules.symbol,
        side=side,
        type=kind,
        client_order_id=query.client_order_id(
            "newClientOrderId", f"paper{call.exchange.changes.last_id + 1}"
        ),
        time_in_force=query.choice(
            "timeInForce", TimeInForce, error_codes.BAD_TIME_IN_FORCE, TimeInForce.GTC
        ),
        price=query.amount("price") if limit else ZERO,
        quantity=query.amount("quantity"),
        self_trade=query.choice(
            "selfTradePreventionMode", SelfTrade, error_codes.BAD_PARAMETERS, SelfTrade.EXPIRE_MAKER
        ),
        reduce_only=query.flag("reduceOnly"),
    )


def get_order(call: Call) -> dict[str, object]:
    return told(find_order(call, call.market(), error_codes.NO_SUCH_ORDER))


def get_open_order(call: Call) -> dict[str, object]:
    order = find_order(call, call.market(), error_codes.NO_SUCH_ORDER)
    if not order.status.is_open:
        raise Refused(error_codes.NO_SUCH_ORDER)
    return told(order)


def amend(call: Call) -> dict[str, object]:
    """Price and quantity must both be sent; a refused amendment leaves the order as it is."""
    market, query = call.market(), call.query
    order = find_open_order(call, market)
    query.choice("side", Side, error_codes.BAD_SIDE)
    price, quantity = query.amount("price"), query.amount("quantity")
    if (price, quantity) == (order.price, order.ask.quantity):
        raise Refused(error_codes.NOT_MODIFIED)
    check_amended(replace(order.ask, price=price, quantity=quantity), market)
    call.exchange.desk(market).amend(order, price, quantity)
    return told(order)


def cancel(call: Call) -> dict[str, object]:
    market = call.market()
    order = find_open_order(call, market)
    call.exchange.desk(market).cancel(order)
    return told(order)


def cancel_open_orders(call: Call) -> dict[str, object]:
    cancel_all(call, call.market())
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


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


def user_trades(call: Call) -> list[dict[str, object]]:
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


def told(order: Order) -> dict[str, object]:
    ask = order.ask
    average = order.quote_executed / order.executed if order.executed else ZERO
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status.value,
        "clientOrderId": ask.client_order_id,
        "price": text(ask.price, 2),
        "avgPrice": text(average, 5),
        "origQty": text(ask.quantity, 3),
        "executedQty": text(order.executed, 3),
        "cumQty": text(order.executed, 3),
        "cumQuote": text(order.quote_executed, 5),
        "timeInForce": ask.time_in_force.value,
        "type": ask.type.value,
        "reduceOnly": ask.reduce_only,
        "closePosition": False,
        "side": ask.side.value,
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": ask.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": ask.self_trade.value,
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def _told_trade(trade: Trade) -> dict[str, object]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side.value,
        "price": text(trade.price, 2),
        "qty": text(trade.quantity, 3),
        "quoteQty": text(trade.value),
        "realizedPnl": text(trade.realised),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "positionSide": "BOTH",
        "maker": trade.is_maker,
        "buyer": trade.side is Side.BUY,
        "time": trade.at_ms,
    }


S, T = Security.SIGNED, Security.TRADE

ENDPOINTS = {
    "GET /fapi/v1/ping": Endpoint(handle=ping),
    "GET /fapi/v1/time": Endpoint(handle=server_time),
    "GET /fapi/v1/exchangeInfo": Endpoint(handle=exchange_info),
    "GET /fapi/v1/depth": Endpoint(handle=data.depth, weight=5),
    "GET /fapi/v1/trades": Endpoint(handle=data.trades, weight=5),
    "GET /fapi/v1/aggTrades": Endpoint(handle=data.agg_trades, weight=20),
    "GET /fapi/v1/klines": Endpoint(handle=data.klines, weight=2),
    "GET /fapi/v1/ticker/price": Endpoint(handle=data.ticker_price),
    "GET /fapi/v2/ticker/price": Endpoint(handle=data.ticker_price),
    "GET /fapi/v1/ticker/bookTicker": Endpoint(handle=data.book_ticker, weight=2, weight_all=5),
    "GET /fapi/v1/ticker/24hr": Endpoint(handle=data.day_ticker, weight=1, weight_all=40),
    "GET /fapi/v1/premiumIndex": Endpoint(handle=premium_index, weight=1, weight_all=10),
    "GET /fapi/v1/fundingRate": Endpoint(handle=funding_rates),
    "GET /fapi/v1/fundingInfo": Endpoint(handle=funding_info),
    "POST /fapi/v1/order": Endpoint(handle=place, security=T, is_order=True),
    "POST /fapi/v1/order/test": Endpoint(handle=place_test, security=T),
    "GET /fapi/v1/order": Endpoint(handle=get_order, security=S),
    "PUT /fapi/v1/order": Endpoint(handle=amend, security=T, is_order=True),
    "DELETE /fapi/v1/order": Endpoint(handle=cancel, security=T),
    "GET /fapi/v1/openOrder": Endpoint(handle=get_open_order, security=S),
    "GET /fapi/v1/openOrders": Endpoint(handle=open_orders, security=S, weight=1, weight_all=40),
    "DELETE /fapi/v1/allOpenOrders": Endpoint(handle=cancel_open_orders, security=T),
    "GET /fapi/v1/allOrders": Endpoint(handle=all_orders, security=S, weight=5),
    "GET /fapi/v1/userTrades": Endpoint(handle=user_trades, security=S, weight=5),
}
