"""The part of the exchange where a symbol is traded: its lane, its markets, its abilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dexmm.cex.capabilities import Capabilities
from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed, Fate
from dexmm.cex.instruments import Markets
from dexmm.cex.orders.client_order_id import is_ours
from dexmm.cex.orders.order_report import Told, parse_told, with_trades
from dexmm.cex.parsing import EXACT, listed, plain, record
from dexmm.errors import BadInput
from dexmm.model.order import OrderIntent
from dexmm.model.venue import Instrument

# Where there is no such order; who cannot be asked by name refuses the question in its own words.
UNANSWERED = (Fate.NOT_FOUND, Fate.UNABLE, Fate.REFUSED)
HISTORY_MARGIN_MS = 60_000  # before an order was stored: clocks differ
CLOCKS_DIFFER_MS = 5_000  # by which an order can seem to be older than its intent


@dataclass(frozen=True, slots=True)
class Desk:
    lane: Lane
    markets: Markets
    can: Capabilities

    def instrument(self, symbol: str) -> Instrument:
        return self.markets.instrument(symbol)

    def size(self, symbol: str) -> Decimal:
        return self.markets.contract_size(symbol)

    # Reads; each raises ``CallFailed``, or ``Transient`` for an answer that is not one

    def open_orders(self, symbol: str) -> list[Told]:
        """Everybody's on this account, ours and those a person has placed."""
        rows = listed(self.lane.ask("fetch_open_orders", symbol), "open orders")
        return [parse_told(row, self.size(symbol)) for row in rows]

    def find(
        self, intent: OrderIntent, known: frozenset[str], *, named: bool = True
    ) -> Told | None:
        """An order of ours wherever it is: by its name, then open, closed, and among the trades.

        ``None`` when the exchange has answered every question and knows of none. ``known`` are
        exchange ids of other orders, whose trades need no second look. Unless the exchange is
        known to keep our ids (``named``), an order that is ours in everything but its id is taken
        for it: its id may have been cut or replaced.
        """
        found = self._by_name(intent) or self._among_orders(
            intent, lambda told: told.client_id == intent.client_id
        )
        if found is None and not named:
            found = self._among_orders(intent, lambda told: _alike(intent, told, known))
        found = found or self._behind_trades(intent, known, named=named)
        if found is None:
            return None
        if not named and found.client_id is None and not intent.exchange_id:
            found = replace(found, client_id="")  # taken for ours without our id
        return self.completed(found, intent.symbol)

    def completed(self, told: Told, symbol: str) -> Told:
        """The same order with its fees. Where its trades lag behind it, it stays incomplete."""
        if told.complete:
            return told
        try:
            trades = self._trades(told, symbol)
        except CallFailed:
            return told
        return with_trades(told, trades, self.size(symbol))

    def refetched(self, told: Told, symbol: str) -> Told:
        """The same order, asked for again by the exchange's own id."""
        return parse_told(self.lane.ask("fetch_order", told.exchange_id, symbol), self.size(symbol))

    def amend(self, intent: OrderIntent, price: Decimal) -> None:
        """Ask for another price of an order that rests. The answer is not worth reading: most
        exchanges only say that they have heard; where the order stands is asked for afterwards.
        """
        how = self.can.amend
        if how is None:
            raise BadInput(f"{self.lane.exchange.id} does not amend orders in place")
        size = self.size(intent.symbol)
        self.lane.ask(
            "edit_order",
            intent.exchange_id,
            intent.symbol,
            "limit",
            intent.side.value,
            plain(EXACT.divide(intent.amount, size)) if how.amount else None,
            plain(price),
            {**({how.own_id: intent.client_id} if how.own_id else {}), **dict(how.params)},
        )

    def _by_name(self, intent: OrderIntent) -> Told | None:
        known_id = intent.exchange_id or None
        if not known_id and not self.can.find_by_name:
            return None
        params = {} if known_id else {"clientOrderId": intent.client_id}
        try:
            answer = self.lane.ask("fetch_order", known_id, intent.symbol, params)
        except CallFailed as failed:
            if failed.fate in UNANSWERED:
                return None
            raise
        told = parse_told(answer, self.size(intent.symbol))
        return told if known_id or told.client_id == intent.client_id else None

    def listed(self, intent: OrderIntent, exchange_id: str) -> Told | None:
        """By the exchange's own id, in every list of orders that it has."""
        return self._among_orders(intent, lambda told: told.exchange_id == exchange_id)

    def _among_orders(self, intent: OrderIntent, is_it: Callable[[Told], bool]) -> Told | None:
        since = _since(intent)
        exchange = self.lane.exchange
        for method, name in (
            ("fetch_open_orders", "fetchOpenOrders"),
            ("fetch_orders", "fetchOrders"),
            ("fetch_closed_orders", "fetchClosedOrders"),
            ("fetch_canceled_orders", "fetchCanceledOrders"),
        ):
            if exchange.has.get(name) is not True:
                continue
            after = None if method == "fetch_open_orders" else since
            rows = listed(self.lane.ask(method, intent.symbol, after), "orders")
            for row in rows:
                told = parse_told(row, self.size(intent.symbol))
                if is_it(told):
                    return told
        return None

    def _behind_trades(
        self, intent: OrderIntent, known: frozenset[str], *, named: bool
    ) -> Told | None:
        """A fill that no order we know explains may be of the order that cannot be found."""
        if self.lane.exchange.has.get("fetchMyTrades") is not True:
            return None
        rows = self.lane.ask("fetch_my_trades", intent.symbol, _since(intent))
        suspects = {
            str(row["order"])
            for row in (record(row, "trade") for row in listed(rows, "trades"))
            if row.get("side") == intent.side.value and row.get("order")
        }
        for exchange_id in sorted(suspects - known):
            try:
                answer = self.lane.ask("fetch_order", exchange_id, intent.symbol)
            except CallFailed as failed:
                # A trade of no order that can be asked for, such as a conversion; or one that is
                # not there yet, which the next look asks for again.
                if failed.fate in UNANSWERED:
                    continue
                raise
            told = parse_told(answer, self.size(intent.symbol))
            if told.client_id == intent.client_id or (not named and _alike(intent, told, known)):
                return told
        return None

    def _trades(self, told: Told, symbol: str) -> list[Any]:
        if self.can.order_trades and not self.instrument(symbol).contract:
            answer = self.lane.ask("fetch_order_trades", told.exchange_id, symbol)
            return listed(answer, "order's trades")
        since = None if told.at is None else told.at - HISTORY_MARGIN_MS
        rows = listed(self.lane.ask("fetch_my_trades", symbol, since), "trades")
        return [row for row in rows if record(row, "trade").get("order") == told.exchange_id]


def _alike(intent: OrderIntent, told: Told, known: frozenset[str]) -> bool:
    """Whether it is this order but for its client id, as far as is told; not one of ``known``."""
    return (
        told.exchange_id not in known
        and told.side == intent.side.value
        and told.price == intent.price
        and told.amount == intent.amount
        and told.at is not None
        and told.at >= intent.created_at * 1000 - CLOCKS_DIFFER_MS
        and not is_ours(told.client_id)
    )


def _since(intent: OrderIntent) -> int:
    return intent.created_at * 1000 - HISTORY_MARGIN_MS
