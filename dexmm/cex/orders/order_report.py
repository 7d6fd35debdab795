"""An order as the exchange tells it, and what that makes of our intent.

Sizes come from fills, never from what was asked for. Fees are sorted by the coin they were paid
in: the base, the quote, or a third one. An exchange that tells fills without their fees is asked
for the order's trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dexmm.cex.parsing import EXACT, ZERO, listed, maybe, number, or_zero, record
from dexmm.errors import Transient
from dexmm.model.order import OrderIntent, OrderStatus
from dexmm.model.venue import Instrument

Fees = tuple[tuple[str, Decimal], ...]

STATUSES = {
    "open": OrderStatus.OPEN,
    "canceling": OrderStatus.OPEN,
    "closed": OrderStatus.CLOSED,
    "canceled": OrderStatus.CLOSED,
    "expired": OrderStatus.CLOSED,
    "rejected": OrderStatus.CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer about one order. ``None`` is what it does not tell."""

    exchange_id: str
    client_id: str | None
    symbol: str | None
    side: str | None
    price: Decimal | None
    amount: Decimal | None  # base
    status: OrderStatus | None
    word: str  # the exchange's status, as ccxt spells it
    filled: Decimal | None  # base
    cost: Decimal | None  # quote
    fees: Fees | None
    at: int | None  # timestamp, milliseconds
    reduce_only: bool
    waits: bool  # for a trigger: it is open, and stands in no book yet

    @property
    def complete(self) -> bool:
        """Whether nothing more has to be asked."""
        if self.status is None or self.filled is None or self.cost is None:
            return False
        return self.filled == 0 or self.fees is not None


def parse_told(answer: object, contract_size: Decimal) -> Told:
    """ccxt's order. ``Transient`` for one without an id: what a broken answer is parsed into."""
    order = record(answer, "order")
    if not order.get("id"):
        raise Transient("the exchange's order has no id")
    word = str(order.get("status") or "")
    amount, filled = (_base(order.get(key), key, contract_size) for key in ("amount", "filled"))
    return Told(
        exchange_id=str(order["id"]),
        client_id=order.get("clientOrderId"),
        symbol=order.get("symbol"),
        side=order.get("side"),
        price=maybe(order.get("price"), "price"),
        amount=amount,
        status=STATUSES.get(word),
        word=word,
        filled=filled,
        cost=maybe(order.get("cost"), "cost"),
        fees=_order_fees(order),
        at=order.get("timestamp"),
        reduce_only=order.get("reduceOnly") is True,
        waits=_waits(order),
    )


def _waits(order: Mapping[str, Any]) -> bool:
    """A stop or take-profit order that has not been triggered. Binance says so (``isWorking``);
    elsewhere one with a trigger stands in a list of open orders only until then.
    """
    trigger = maybe(order.get("triggerPrice") or order.get("stopPrice"), "trigger price")
    info = order.get("info")
    working = info.get("isWorking") if isinstance(info, Mapping) else None
    return bool(trigger) and working is not True


def with_trades(told: Told, trades: Iterable[object], contract_size: Decimal) -> Told:
    """The order with fees and cost from its trades, when they account for all that was filled."""
    rows = [record(trade, "trade") for trade in trades]
    sizes = [number(row.get("amount"), "trade's amount") for row in rows]
    filled = EXACT.multiply(sum(sizes, ZERO), contract_size)
    if told.filled is not None and filled < told.filled:
        return told  # some of them are still missing
    costs = (_trade_cost(row, size, contract_size) for row, size in zip(rows, sizes, strict=True))
    return replace(
        told,
        filled=filled,
        cost=sum(costs, ZERO),
        fees=_summed(fee for row in rows for fee in _fees_of(row)),
    )


def settled(intent: OrderIntent, told: Told, instrument: Instrument) -> OrderIntent:
    """The intent as this answer leaves it. What it does not tell stays as it was known."""
    filled = intent.filled if told.filled is None else max(told.filled, intent.filled)
    status = told.status or OrderStatus.OPEN
    known = replace(
        intent,
        exchange_id=told.exchange_id,
        status=status,
        filled=filled,
        cost=told.cost if told.cost is not None and filled else intent.cost,
        detail=_short(intent, told, filled) if status.final else intent.detail,
    )
    if told.fees is None:
        return known
    fees = dict(told.fees)
    return replace(
        known,
        fee_base=fees.pop(instrument.base, ZERO),
        fee_quote=fees.pop(instrument.quote, ZERO),
        fee_other=tuple(sorted(fees.items())),
    )


def _short(intent: OrderIntent, told: Told, filled: Decimal) -> str:
    return intent.detail if filled >= intent.amount else intent.detail or told.word


def _base(value: object, what: str, contract_size: Decimal) -> Decimal | None:
    found = maybe(value, what)
    return None if found is None else EXACT.multiply(found, contract_size)


def _trade_cost(row: Mapping[str, Any], size: Decimal, contract_size: Decimal) -> Decimal:
    cost = maybe(row.get("cost"), "trade's cost")
    if cost is not None:
        return cost
    price = number(row.get("price"), "trade's price")
    return EXACT.multiply(price, EXACT.multiply(size, contract_size))


def _order_fees(order: Mapping[str, Any]) -> Fees | None:
    fees = list(_fees_of(order))
    return _summed(fees) if fees else None


def _fees_of(row: Mapping[str, Any]) -> Iterable[tuple[str, Decimal]]:
    rows = listed(row.get("fees") or [], "fees") or [row.get("fee") or {}]
    for fee in rows:
        fact = record(fee, "fee")
        if fact.get("currency") and fact.get("cost") is not None:
            yield str(fact["currency"]), or_zero(fact["cost"], "fee")


def _summed(fees: Iterable[tuple[str, Decimal]]) -> Fees:
    total: dict[str, Decimal] = {}
    for coin, amount in fees:
        total[coin] = total.get(coin, ZERO) + amount
    return tuple(sorted(total.items()))
