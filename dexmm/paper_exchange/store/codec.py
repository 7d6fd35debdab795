"""Orders, trades and accounts as JSON text and back; amounts as decimal strings, exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dexmm.paper_exchange.engine.accounts import Account, Futures, Permissions, Position
from dexmm.paper_exchange.engine.change_set import Income
from dexmm.paper_exchange.engine.ledger import Ledger
from dexmm.paper_exchange.engine.market import Market
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

D = Decimal


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _amounts(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _decimals(values: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: D(value) for name, value in values.items()}


def dump_order(order: Order) -> str:
    ask = order.ask
    return _dump(
        {
            "id": order.order_id,
            "owner": order.owner,
            "created": order.created_ms,
            "updated": order.updated_ms,
            "status": order.status,
            "executed": str(order.executed),
            "quote_executed": str(order.quote_executed),
            "locked": str(order.locked),
            "cap": None if order.fill_cap is None else str(order.fill_cap),
            "symbol": ask.symbol,
            "side": ask.side,
            "type": ask.type,
            "client": ask.client_order_id,
            "tif": ask.time_in_force,
            "price": str(ask.price),
            "quantity": str(ask.quantity),
            "quote_quantity": str(ask.quote_quantity),
            "self_trade": ask.self_trade,
            "reduce_only": ask.reduce_only,
        }
    )


def load_order(text: str) -> Order:
    d: dict[str, Any] = json.loads(text)
    ask = Ask(
        symbol=d["symbol"],
        side=Side(d["side"]),
        type=Type(d["type"]),
        client_order_id=d["client"],
        time_in_force=TimeInForce(d["tif"]),
        price=D(d["price"]),
        quantity=D(d["quantity"]),
        quote_quantity=D(d["quote_quantity"]),
        self_trade=SelfTrade(d["self_trade"]),
        reduce_only=d["reduce_only"],
    )
    return Order(
        order_id=d["id"],
        owner=d["owner"],
        ask=ask,
        created_ms=d["created"],
        updated_ms=d["updated"],
        status=Status(d["status"]),
        executed=D(d["executed"]),
        quote_executed=D(d["quote_executed"]),
        locked=D(d["locked"]),
        fill_cap=None if d["cap"] is None else D(d["cap"]),
    )


def dump_trade(trade: Trade) -> str:
    return _dump(
        {
            "id": trade.trade_id,
            "order": trade.order_id,
            "owner": trade.owner,
            "symbol": trade.symbol,
            "side": trade.side,
            "price": str(trade.price),
            "quantity": str(trade.quantity),
            "value": str(trade.value),
            "fee": str(trade.fee),
            "fee_asset": trade.fee_asset,
            "maker": trade.is_maker,
            "at": trade.at_ms,
            "realised": str(trade.realised),
            "fair": str(trade.fair),
        }
    )


def load_trade(text: str) -> Trade:
    d: dict[str, Any] = json.loads(text)
    return Trade(
        trade_id=d["id"],
        order_id=d["order"],
        owner=d["owner"],
        symbol=d["symbol"],
        side=Side(d["side"]),
        price=D(d["price"]),
        quantity=D(d["quantity"]),
        value=D(d["value"]),
        fee=D(d["fee"]),
        fee_asset=d["fee_asset"],
        is_maker=d["maker"],
        at_ms=d["at"],
        realised=D(d["realised"]),
        fair=D(d.get("fair", "0")),
    )


def dump_income(income: Income) -> str:
    return _dump(
        {
            "id": income.income_id,
            "owner": income.owner,
            "symbol": income.symbol,
            "kind": income.kind,
            "amount": str(income.amount),
            "at": income.at_ms,
            "trade": income.trade_id,
        }
    )


def load_income(text: str) -> Income:
    d: dict[str, Any] = json.loads(text)
    return Income(
        income_id=d["id"],
        owner=d["owner"],
        symbol=d["symbol"],
        kind=d["kind"],
        amount=D(d["amount"]),
        at_ms=d["at"],
        trade_id=d["trade"],
    )


def dump_account(account: Account) -> str:
    """Everything but its API key and secret, which are configuration."""
    futures = account.futures
    return _dump(
        {
            "name": account.name,
            "bnb": account.pays_fees_in_bnb,
            "permissions": [
                account.permissions.trade,
                account.permissions.futures,
                account.permissions.withdraw,
                account.permissions.ip_restricted,
            ],
            "free": _amounts(account.free),
            "locked": _amounts(account.locked),
            "updated": account.updated_ms,
            "wallet": str(futures.wallet),
            "positions": {
                symbol: [str(position.amount), str(position.cost)]
                for symbol, position in futures.positions.items()
            },
            "leverage": futures.leverage,
            "isolated": sorted(futures.isolated),
            "hedge_mode": futures.hedge_mode,
        }
    )


def load_account(text: str, account: Account) -> None:
    """Put what was stored into an account."""
    d: dict[str, Any] = json.loads(text)
    trade, futures, withdraw, ip_restricted = d["permissions"]
    account.permissions = Permissions(
        trade=trade, futures=futures, withdraw=withdraw, ip_restricted=ip_restricted
    )
    account.pays_fees_in_bnb = d["bnb"]
    account.free, account.locked = _decimals(d["free"]), _decimals(d["locked"])
    account.updated_ms = d["updated"]
    account.futures = Futures(
        wallet=D(d["wallet"]),
        positions={
            symbol: Position(D(amount), D(cost))
            for symbol, (amount, cost) in d["positions"].items()
        },
        leverage=d["leverage"],
        isolated=set(d["isolated"]),
        hedge_mode=d.get("hedge_mode", False),
    )


def dump_totals(ledger: Ledger) -> str:
    return _dump([_amounts(ledger.income), _amounts(ledger.deposited)])


def load_totals(text: str, ledger: Ledger) -> None:
    income, deposited = json.loads(text)
    ledger.income, ledger.deposited = _decimals(income), _decimals(deposited)


def dump_market(market: Market) -> str:
    funding = market.funding
    return _dump(
        {
            "fair": str(market.fair),
            "pinned": market.pinned,
            "funding": [str(funding.rate), funding.next_ms],
            "paid": [[at, str(rate), str(mark)] for at, rate, mark in funding.paid],
        }
    )


def load_market(text: str, market: Market) -> None:
    d: dict[str, Any] = json.loads(text)
    market.fair, market.pinned = D(d["fair"]), d["pinned"]
    market.funding.rate, market.funding.next_ms = D(d["funding"][0]), d["funding"][1]
    market.funding.paid = [(at, D(rate), D(mark)) for at, rate, mark in d["paid"]]
