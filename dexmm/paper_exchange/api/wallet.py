"""Binance's wallet API, ``/sapi``: what a key may do, fees, coins, and moving margin."""

from __future__ import annotations

from dexmm.paper_exchange.api.endpoint import Call, Endpoint, Security
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import MARGIN_ASSET
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.margin import available
from dexmm.paper_exchange.engine.rounding import ZERO, text

TO_FUTURES, TO_SPOT = "MAIN_UMFUTURE", "UMFUTURE_MAIN"


def system_status(_: Call) -> dict[str, object]:
    return {"status": 0, "msg": "normal"}


def api_restrictions(call: Call) -> dict[str, object]:
    """What the caller's key may do: above all, whether it may withdraw."""
    may = call.account.permissions
    return {
        "ipRestrict": may.ip_restricted,
        "createTime": 0,
        "enableReading": True,
        "enableSpotAndMarginTrading": may.trade,
        "enableWithdrawals": may.withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": may.futures,
        "permitsUniversalTransfer": may.futures,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enablePortfolioMarginTrading": False,
    }


def trade_fees(call: Call) -> list[dict[str, object]]:
    return [
        {
            "symbol": market.rules.symbol,
            "makerCommission": str(market.rules.maker_fee),
            "takerCommission": str(market.rules.taker_fee),
        }
        for market in call.markets()
    ]


def coins(call: Call) -> list[dict[str, object]]:
    seen = call.seen_account
    rules = [market.rules for market in call.exchange.spot.values()]
    assets = sorted({r.base for r in rules} | {r.quote for r in rules} | set(seen.assets()))
    return [
        {
            "coin": asset,
            "name": asset,
            "depositAllEnable": True,
            "withdrawAllEnable": call.account.permissions.withdraw,
            "free": text(seen.free_of(asset)),
            "locked": text(seen.locked_of(asset)),
            "freeze": text(ZERO),
            "withdrawing": text(ZERO),
            "ipoing": text(ZERO),
            "ipoable": text(ZERO),
            "storage": text(ZERO),
            "isLegalMoney": False,
            "trading": True,
            "networkList": [],
        }
        for asset in assets
    ]


def nothing(_: Call) -> list[object]:
    """Margin pairs: there is no margin trading here."""
    return []


def transfer(call: Call) -> dict[str, object]:
    """USDT between the spot and the futures wallet."""
    asset, amount = call.query.text("asset"), call.query.amount("amount")
    direction, account = call.query.text("type"), call.account
    if asset != MARGIN_ASSET or direction not in (TO_FUTURES, TO_SPOT) or amount <= 0:
        raise Refused(error_codes.BAD_PARAMETERS)
    spare = available(account, call.exchange.perpetuals)
    if amount > (account.free_of(asset) if direction == TO_FUTURES else spare):
        raise Refused(error_codes.TRANSFER_TOO_LARGE)
    into = amount if direction == TO_FUTURES else -amount
    account.add(asset, -into)
    account.futures.wallet += into
    account.updated_ms = call.now_ms
    call.exchange.changes.income(account.name, "", "TRANSFER", into)
    return {"tranId": call.exchange.changes.last_id}


S, T = Security.SIGNED, Security.TRADE

ENDPOINTS = {
    "GET /sapi/v1/system/status": Endpoint(handle=system_status),
    "GET /sapi/v1/account/apiRestrictions": Endpoint(handle=api_restrictions, security=S),
    "GET /sapi/v1/asset/tradeFee": Endpoint(handle=trade_fees, security=S),
    "GET /sapi/v1/capital/config/getall": Endpoint(handle=coins, security=S, weight=10),
    "GET /sapi/v1/margin/allPairs": Endpoint(handle=nothing, security=S),
    "GET /sapi/v1/margin/isolated/allPairs": Endpoint(handle=nothing, security=S),
    "POST /sapi/v1/asset/transfer": Endpoint(handle=transfer, security=T),
}
