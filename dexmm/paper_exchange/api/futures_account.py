"""Binance's USD-M API, ``/fapi``: the account, its positions and its settings."""

from __future__ import annotations

from dexmm.paper_exchange.api.endpoint import Call, Endpoint, Security
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import MARGIN_ASSET, Account
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.margin import (
    available,
    cross_equity,
    initial_margin,
    isolated_margin,
    leverage_of,
    liquidation_price,
    maintenance,
    position_margin,
    profit,
)
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.rounding import ZERO, text


def balances(call: Call) -> list[dict[str, object]]:
    seen, markets = call.seen_account, call.exchange.perpetuals
    spare = text(max(ZERO, available(seen, markets)))
    return [
        {
            "accountAlias": seen.name,
            "asset": MARGIN_ASSET,
            "balance": text(seen.futures.wallet),
            "crossWalletBalance": text(seen.futures.wallet),
            "crossUnPnl": text(profit(seen, markets)),
            "availableBalance": spare,
            "maxWithdrawAmount": spare,
            "marginAvailable": True,
            "updateTime": seen.updated_ms,
        }
    ]


def account(call: Call) -> dict[str, object]:
    seen, markets = call.seen_account, call.exchange.perpetuals
    gain, futures = profit(seen, markets), seen.futures
    position_im = sum((position_margin(seen, m) for m in markets.values()), ZERO)
    initial = sum((initial_margin(seen, m) for m in markets.values()), ZERO)
    kept = sum((maintenance(seen, m) for m in markets.values()), ZERO)
    spare = text(max(ZERO, available(seen, markets)))
    margins = {
        "walletBalance": text(futures.wallet),
        "unrealizedProfit": text(gain),
        "marginBalance": text(futures.wallet + gain),
        "maintMargin": text(kept),
        "initialMargin": text(initial),
        "positionInitialMargin": text(position_im),
        "openOrderInitialMargin": text(initial - position_im),
        "crossWalletBalance": text(futures.wallet),
        "crossUnPnl": text(gain),
        "availableBalance": spare,
        "maxWithdrawAmount": spare,
    }
    return {
        "feeTier": 0,
        "canTrade": call.account.permissions.futures,
        "canDeposit": True,
        "canWithdraw": call.account.permissions.withdraw,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "totalInitialMargin": text(initial),
        "totalMaintMargin": text(kept),
        "totalWalletBalance": text(futures.wallet),
        "totalUnrealizedProfit": text(gain),
        "totalMarginBalance": text(futures.wallet + gain),
        "totalPositionInitialMargin": text(position_im),
        "totalOpenOrderInitialMargin": text(initial - position_im),
        "totalCrossWalletBalance": text(futures.wallet),
        "totalCrossUnPnl": text(gain),
        "availableBalance": spare,
        "maxWithdrawAmount": spare,
        "assets": [
            {
                "asset": MARGIN_ASSET,
                **margins,
                "marginAvailable": True,
                "updateTime": seen.updated_ms,
            }
        ],
        "positions": [_position(call, seen, m, old=True) for m in markets.values()],
    }


def position_risk_v2(call: Call) -> list[dict[str, object]]:
    return [_position(call, call.seen_account, m, old=True) for m in call.markets()]


def position_risk(call: Call) -> list[dict[str, object]]:
    """Version 3 leaves out what has neither a position nor an order."""
    seen = call.seen_account
    return [
        _position(call, seen, market, old=False)
        for market in call.markets()
        if seen.futures.position(market.rules.symbol).amount or market.open_of(seen.name)
    ]


def _position(call: Call, seen: Account, market: Market, *, old: bool) -> dict[str, object]:
    symbol = market.rules.symbol
    position = seen.futures.position(symbol)
    isolated = symbol in seen.futures.isolated
    backing = text(isolated_margin(seen, market)) if isolated else "0"
    own_margin, all_margin = position_margin(seen, market), initial_margin(seen, market)
    told: dict[str, object] = {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": text(position.amount, 3),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.entry_price),
        "markPrice": text(market.fair),
        "unRealizedProfit": text(position.profit(market.fair)),
        "liquidationPrice": text(liquidation_price(seen, market, call.exchange.perpetuals)),
        "isolatedMargin": backing,
        "isolatedWallet": backing,
        "notional": text(position.amount * market.fair),
        "marginAsset": MARGIN_ASSET,
        "initialMargin": text(all_margin),
        "maintMargin": text(maintenance(seen, market)),
        "positionInitialMargin": text(own_margin),
        "openOrderInitialMargin": text(all_margin - own_margin),
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": seen.updated_ms,
    }
    if old:
        told |= {
            "leverage": str(leverage_of(seen, symbol)),
            "marginType": "isolated" if isolated else "cross",
            "isolated": isolated,
            "isAutoAddMargin": "false",
            "maxNotionalValue": text(market.rules.max_notional),
            "unrealizedProfit": told["unRealizedProfit"],
        }
    return told


# Settings


def set_leverage(call: Call) -> dict[str, object]:
    market, wanted = call.market(), call.query.integer("leverage")
    if not 1 <= wanted <= market.rules.max_leverage:
        raise Refused(error_codes.leverage_invalid(wanted))
    account, symbol = call.account, market.rules.symbol
    before = account.futures.leverage.get(symbol)
    account.futures.leverage[symbol] = wanted
    if cross_equity(account, call.exchange.perpetuals) < initial_margin(account, market):
        if before is None:
            del account.futures.leverage[symbol]
        else:
            account.futures.leverage[symbol] = before
        raise Refused(error_codes.MARGIN_INSUFFICIENT)
    call.exchange.changes.accounts.add(account.name)
    return {
        "leverage": wanted,
        "maxNotionalValue": text(market.rules.max_notional, 0),
        "symbol": symbol,
    }


def set_margin_type(call: Call) -> dict[str, object]:
    market, wanted = call.market(), call.query.text("marginType")
    if wanted not in ("ISOLATED", "CROSSED"):
        raise Refused(error_codes.mandatory("marginType"))
    futures, symbol = call.account.futures, market.rules.symbol
    if (symbol in futures.isolated) == (wanted == "ISOLATED"):
        raise Refused(error_codes.MARGIN_TYPE_SAME)
    if market.open_of(call.account.name):
        raise Refused(error_codes.MARGIN_TYPE_ORDERS)
    if futures.position(symbol).amount:
        raise Refused(error_codes.MARGIN_TYPE_POSITION)
    futures.isolated ^= {symbol}
    call.exchange.changes.accounts.add(call.account.name)
    return {"code": 200, "msg": "success"}


def position_mode(call: Call) -> dict[str, object]:
    return {"dualSidePosition": call.account.futures.hedge_mode}


def set_position_mode(call: Call) -> dict[str, object]:
    """Back to one-way, where whoever runs the exchange has set hedge mode; never the other way."""
    call.query.text("dualSidePosition")
    futures = call.account.futures
    if call.query.flag("dualSidePosition"):
        raise Refused(error_codes.NOT_SUPPORTED)
    if not futures.hedge_mode:
        raise Refused(error_codes.POSITION_SIDE_SAME)
    futures.hedge_mode = False
    call.exchange.changes.accounts.add(call.account.name)
    return {"code": 200, "msg": "success"}


def multi_assets(_: Call) -> dict[str, object]:
    return {"multiAssetsMargin": False}


def symbol_config(call: Call) -> list[dict[str, object]]:
    futures = call.account.futures
    return [
        {
            "symbol": market.rules.symbol,
            "marginType": "ISOLATED" if market.rules.symbol in futures.isolated else "CROSSED",
            "isAutoAddMargin": False,
            "leverage": leverage_of(call.account, market.rules.symbol),
            "maxNotionalValue": text(market.rules.max_notional, 0),
        }
        for market in call.markets()
    ]


def account_config(call: Call) -> dict[str, object]:
    return {
        "feeTier": 0,
        "canTrade": call.account.permissions.futures,
        "canDeposit": True,
        "canWithdraw": call.account.permissions.withdraw,
        "dualSidePosition": call.account.futures.hedge_mode,
        "multiAssetsMargin": False,
        "updateTime": 0,
    }


def commission_rate(call: Call) -> dict[str, object]:
    rules = call.market().rules
    return {
        "symbol": rules.symbol,
        "makerCommissionRate": text(rules.maker_fee, 6),
        "takerCommissionRate": text(rules.taker_fee, 6),
    }


def leverage_brackets(call: Call) -> object:
    return [
        {
            "symbol": market.rules.symbol,
            "brackets": [
                {
                    "bracket": 1,
                    "initialLeverage": market.rules.max_leverage,
                    "notionalCap": int(market.rules.max_notional),
                    "notionalFloor": 0,
                    # Binance tells the ratio as a JSON number, so its text is all there is
                    "maintMarginRatio": float(market.rules.maintenance_rate),
                    "cum": 0,
                }
            ],
        }
        for market in call.markets()
    ]


def income(call: Call) -> list[dict[str, object]]:
    since, until = call.period()
    kind, symbol = call.query.text("incomeType", "-"), call.query.text("symbol", "-")
    found = [
        item
        for item in call.exchange.state.incomes(call.account.name, since, until)
        if kind in ("-", item.kind) and symbol in ("-", item.symbol)
    ]
    limit = call.query.limit(100, 1000)
    return [
        {
            "symbol": item.symbol,
            "incomeType": item.kind,
            "income": text(item.amount),
            "asset": MARGIN_ASSET,
            "info": item.kind,
            "time": item.at_ms,
            "tranId": item.income_id,
            "tradeId": str(item.trade_id or ""),
        }
        for item in (found[:limit] if since else found[-limit:])
    ]


def no_symbols(_: Call) -> dict[str, object]:
    """Coin-margined contracts and options: there are none here."""
    return {"symbols": [], "optionSymbols": [], "rateLimits": []}


S, T = Security.SIGNED, Security.TRADE

ENDPOINTS = {
    "GET /fapi/v2/balance": Endpoint(handle=balances, security=S, weight=5),
    "GET /fapi/v3/balance": Endpoint(handle=balances, security=S, weight=5),
    "GET /fapi/v2/account": Endpoint(handle=account, security=S, weight=5),
    "GET /fapi/v3/account": Endpoint(handle=account, security=S, weight=5),
    "GET /fapi/v2/positionRisk": Endpoint(handle=position_risk_v2, security=S, weight=5),
    "GET /fapi/v3/positionRisk": Endpoint(handle=position_risk, security=S, weight=5),
    "POST /fapi/v1/leverage": Endpoint(handle=set_leverage, security=T),
    "POST /fapi/v1/marginType": Endpoint(handle=set_margin_type, security=T),
    "GET /fapi/v1/positionSide/dual": Endpoint(handle=position_mode, security=S, weight=30),
    "POST /fapi/v1/positionSide/dual": Endpoint(handle=set_position_mode, security=T),
    "GET /fapi/v1/multiAssetsMargin": Endpoint(handle=multi_assets, security=S, weight=30),
    "GET /fapi/v1/symbolConfig": Endpoint(handle=symbol_config, security=S, weight=5),
    "GET /fapi/v1/accountConfig": Endpoint(handle=account_config, security=S, weight=5),
    "GET /fapi/v1/commissionRate": Endpoint(handle=commission_rate, security=S, weight=20),
    "GET /fapi/v1/leverageBracket": Endpoint(handle=leverage_brackets, security=S),
    "GET /fapi/v1/income": Endpoint(handle=income, security=S, weight=30),
    "GET /dapi/v1/exchangeInfo": Endpoint(handle=no_symbols),
    "GET /eapi/v1/exchangeInfo": Endpoint(handle=no_symbols),
}
