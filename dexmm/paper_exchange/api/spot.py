"""Binance's spot API, ``/api/v3``: time, markets and the account."""

from __future__ import annotations

from decimal import Decimal

from dexmm.paper_exchange.api import market_data as data
from dexmm.paper_exchange.api.endpoint import (
    Call,
    Endpoint,
    Security,
)
from dexmm.paper_exchange.api.rate_limits import told_limit
from dexmm.paper_exchange.engine.orders import (
    SelfTrade,
)
from dexmm.paper_exchange.engine.rounding import ZERO, text
from dexmm.paper_exchange.engine.symbol_rules import Rules

TRADED_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET"]
SELF_TRADE_MODES = [mode.value for mode in SelfTrade]


def ping(_: Call) -> dict[str, object]:
    return {}


def server_time(call: Call) -> dict[str, object]:
    return {"serverTime": call.now_ms}


# What is traded


def exchange_info(call: Call) -> dict[str, object]:
    limits = call.exchange.settings.limits
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": [
            told_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.spot_weight),
            told_limit("ORDERS", "SECOND", 10, limits.spot_orders_10s),
            told_limit("ORDERS", "DAY", 1, limits.spot_orders_day),
        ],
        "exchangeFilters": [],
        "symbols": [symbol_info(market.rules) for market in call.markets()],
    }


def symbol_info(rules: Rules) -> dict[str, object]:
    return {
        "symbol": rules.symbol,
        "status": "TRADING" if rules.trading else "BREAK",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": TRADED_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(rules.min_price),
                "maxPrice": text(rules.max_price),
                "tickSize": text(rules.tick_size),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text(rules.min_quantity),
                "maxQty": text(rules.max_quantity),
                "stepSize": text(rules.step_size),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": text(ZERO),
                "maxQty": text(rules.max_market_quantity),
                "stepSize": text(ZERO),
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(rules.price_up),
                "bidMultiplierDown": str(rules.price_down),
                "askMultiplierUp": str(rules.price_up),
                "askMultiplierDown": str(rules.price_down),
                "avgPriceMins": 5,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": text(rules.min_notional),
                "applyMinToMarket": True,
                "maxNotional": text(rules.max_notional),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_open_orders},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": SELF_TRADE_MODES,
    }


def average_price(call: Call) -> dict[str, object]:
    market = call.market()
    return {"mins": 5, "price": text(market.fair), "closeTime": call.now_ms}


# The account


def account(call: Call) -> dict[str, object]:
    seen, permissions = call.seen_account, call.account.permissions
    rates = _rates(next(iter(call.exchange.spot.values())).rules)
    hide_zero = call.query.flag("omitZeroBalances")
    return {
        "makerCommission": int(Decimal(rates["maker"]) * 10_000),
        "takerCommission": int(Decimal(rates["taker"]) * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": permissions.trade,
        "canWithdraw": permissions.withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": seen.updated_ms,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": text(seen.free_of(asset)),
                "locked": text(seen.locked_of(asset)),
            }
            for asset in seen.assets()
            if not hide_zero or seen.free_of(asset) or seen.locked_of(asset)
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def _rates(rules: Rules) -> dict[str, str]:
    return {
        "maker": text(rules.maker_fee),
        "taker": text(rules.taker_fee),
        "buyer": text(ZERO),
        "seller": text(ZERO),
    }


def commission(call: Call) -> dict[str, object]:
    rules = call.market().rules
    nothing = dict.fromkeys(("maker", "taker", "buyer", "seller"), text(ZERO))
    return {
        "symbol": rules.symbol,
        "standardCommission": _rates(rules),
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": call.account.pays_fees_in_bnb,
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


S, T = Security.SIGNED, Security.TRADE

ENDPOINTS = {
    "GET /api/v3/ping": Endpoint(handle=ping),
    "GET /api/v3/time": Endpoint(handle=server_time),
    "GET /api/v3/exchangeInfo": Endpoint(handle=exchange_info, weight=20),
    "GET /api/v3/depth": Endpoint(handle=data.depth, weight=5),
    "GET /api/v3/trades": Endpoint(handle=data.trades, weight=25),
    "GET /api/v3/historicalTrades": Endpoint(handle=data.trades, weight=25),
    "GET /api/v3/aggTrades": Endpoint(handle=data.agg_trades, weight=4),
    "GET /api/v3/klines": Endpoint(handle=data.klines, weight=2),
    "GET /api/v3/avgPrice": Endpoint(handle=average_price, weight=2),
    "GET /api/v3/ticker/price": Endpoint(handle=data.ticker_price, weight=2, weight_all=4),
    "GET /api/v3/ticker/bookTicker": Endpoint(handle=data.book_ticker, weight=2, weight_all=4),
    "GET /api/v3/ticker/24hr": Endpoint(handle=data.day_ticker, weight=2, weight_all=80),
    "GET /api/v3/account": Endpoint(handle=account, security=S, weight=20),
    "GET /api/v3/account/commission": Endpoint(handle=commission, security=S, weight=20),
}
