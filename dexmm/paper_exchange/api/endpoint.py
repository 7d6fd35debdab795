"""What an endpoint is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.api.query import Query
from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Order
from dexmm.paper_exchange.engine.rounding import floor_to
from dexmm.paper_exchange.engine.symbol_rules import Kind
from dexmm.paper_exchange.exchange import Exchange

END_OF_TIME_MS = 1 << 60


class Security(Enum):
    PUBLIC = "public"
    SIGNED = "signed"
    TRADE = "trade"  # signed, by a key that may trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, checked; ``fault`` is what is rehearsed on it."""

    exchange: Exchange
    query: Query
    kind: Kind
    now_ms: int
    caller: Account | None = None
    fault: FaultRule | None = None

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise Refused(error_codes.BAD_KEY_FORMAT)
        return self.caller

    @property
    def seen_account(self) -> Account:
        """The account as its balances are told."""
        if self.struck(Effect.LAG_BALANCES):
            return self.exchange.lagging(self.account)
        return self.account

    def market(self) -> Market:
        return self.exchange.market(self.kind, self.query.text("symbol"))

    def markets(self) -> list[Market]:
        """The one that is asked for, or all of them."""
        if self.query.has("symbol"):
            return [self.market()]
        if self.query.has("symbols"):
            names = self.query.text("symbols").strip("[]").replace('"', "").split(",")
            return [self.exchange.market(self.kind, name) for name in names]
        spot = self.kind is Kind.SPOT
        return list((self.exchange.spot if spot else self.exchange.perpetuals).values())

    def period(self) -> tuple[int, int]:
        return self.query.integer("startTime", 0), self.query.integer("endTime", END_OF_TIME_MS)

    def struck(self, effect: Effect) -> bool:
        return self.fault is not None and self.fault.effect is effect

    def fraction_of(self, quantity: Decimal, market: Market) -> Decimal:
        fraction = self.fault.fraction if self.fault else Decimal(1)
        return floor_to(quantity * fraction, market.rules.step_size)


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """``weight_all`` is what it costs without a symbol, where that differs."""

    handle: Handler
    security: Security = Security.PUBLIC
    weight: int = 1
    weight_all: int = 0
    is_order: bool = False

    def cost(self, query: Query) -> int:
        return self.weight if query.has("symbol") or not self.weight_all else self.weight_all


def cap_of(call: Call, market: Market, quantity: Decimal) -> Decimal | None:
    """How far an order fills when a partial fill is rehearsed on it."""
    return call.fraction_of(quantity, market) if call.struck(Effect.PARTIAL_FILL) else None


def find_order(call: Call, market: Market, missing: error_codes.Problem) -> Order:
    """By ``orderId`` or ``origClientOrderId``: open, else from the history."""
    query, owner, state = call.query, call.account.name, call.exchange.state
    found: Order | None
    if query.has("orderId"):
        number = query.integer("orderId")
        found = market.open.get(number)
        if found is None or found.owner != owner:
            found = state.order(market.key, owner, number)
    elif query.has("origClientOrderId"):
        client = query.text("origClientOrderId")
        found = market.open_by_client_id(owner, client) or state.order_by_client_id(
            market.key, owner, client
        )
    else:
        raise Refused(error_codes.NO_ORDER_ID)
    if found is None:
        raise Refused(missing)
    return found


def find_open_order(call: Call, market: Market) -> Order:
    """What a cancel is about. Raises ``-2011`` for what is not, or no longer, open."""
    order = find_order(call, market, error_codes.UNKNOWN_ORDER)
    if call.struck(Effect.FILL_ON_CANCEL) and order.order_id in market.open:
        call.exchange.desk(market).fill_from_house(order, call.fraction_of(order.remaining, market))
    if order.order_id not in market.open:
        raise Refused(error_codes.UNKNOWN_ORDER)
    return order


def cancel_all(call: Call, market: Market) -> list[Order]:
    """Every open order of the caller in a market. Gives those that were cancelled."""
    desk, cancelled = call.exchange.desk(market), []
    for order in market.open_of(call.account.name):
        if call.struck(Effect.FILL_ON_CANCEL):
            desk.fill_from_house(order, call.fraction_of(order.remaining, market))
        if order.order_id in market.open:
            desk.cancel(order)
            cancelled.append(order)
    return cancelled
