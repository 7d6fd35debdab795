"""Orders on the simulated exchange: sent, matched, filled, cancelled, and kept for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import PlaceOrder
from dexmm.model.venue import Side
from dexmm.sim.exchange.background_book import Fill
from dexmm.sim.exchange.market import VenueMarket
from dexmm.sim.exchange.rejections import CANCELED, CANCELLED, EXPIRED, WOULD_NOT_MAKE, WOULD_TAKE
from dexmm.sim.exchange.rounding import ZERO


class Orders:
    """One account's. ``clock`` is in seconds, and so is the cancel budget's ``window``.

    ``market``: the name of the market that every order is for.
    """

    def __init__(self, account: str, clock: Callable[[], int], window: int, market: str) -> None:
        self.stored: dict[str, OrderIntent] = {}  # by client id, oldest first
        self._account = account
        self._clock = clock
        self._window = window
        self._market = market
        self.quoted = (ZERO, ZERO)  # base and quote that quotes have brought in, fees taken off
        self._sent: deque[int] = deque()
        self._cancelled: deque[int] = deque()

    def place(self, step: PlaceOrder, market: VenueMarket) -> OrderIntent:
        """What became of it at once: rejected, resting, or filled as far as the book goes."""
        order = self._intent(step)
        self._sent.append(order.created_at)
        if reason := _why_not(order, market):
            order = replace(order, status=OrderStatus.REJECTED, exchange_id="", detail=reason)
        elif order.kind is OrderKind.IOC:
            return self._take(market, order)
        return self._record(market, order)

    def fill_reached(self, market: VenueMarket) -> None:
        """Fill what rests and the price has come to."""
        for order, fill in market.reached():
            self._fill(market, order, fill, taker=False)
        self._end_idle_reductions(market)

    def is_open(self, client_id: str) -> bool:
        return client_id in self.stored and not self.stored[client_id].status.final

    def cancel(self, client_id: str, market: VenueMarket) -> OrderIntent:
        self._cancelled.append(self._clock())
        return self.close(market, self.stored[client_id], CANCELLED)

    def close(self, market: VenueMarket, order: OrderIntent, why: str) -> OrderIntent:
        """End an order that is still open."""
        return self._record(market, replace(order, status=OrderStatus.CLOSED, detail=why))

    def amend(self, client_id: str, price: Decimal, market: VenueMarket) -> tuple[OrderIntent, str]:
        """At another price, unless the account cannot pay it; one that would take is ended.

        The order as it then stands, and why it stays where it was; empty when it does not.
        """
        order = self.stored[client_id]
        wanted = replace(order, price=price)
        if market.would_take(order.side, price):
            return self.close(market, order, CANCELED), ""
        market.resting.pop(client_id)
        reason = market.account.refusal(wanted, market.instrument)
        return self._record(market, order if reason else wanted), reason

    def counts(self) -> tuple[int, int]:
        """Orders sent and orders cancelled within the window."""
        oldest = self._clock() - self._window
        for times in (self._sent, self._cancelled):
            while times and times[0] < oldest:
                times.popleft()
        return len(self._sent), len(self._cancelled)

    def _intent(self, step: PlaceOrder) -> OrderIntent:
        number = len(self.stored) + 1
        return OrderIntent(
            client_id=client_order_id(step.purpose, number),
            account=self._account,
            symbol=step.symbol,
            side=step.side,
            kind=step.order,
            purpose=step.purpose,
            amount=step.amount,
            price=step.price,
            reduce_only=step.reduce_only,
            created_at=self._clock(),
            status=OrderStatus.OPEN,
            exchange_id=str(number),
            market=self._market,
        )

    def _take(self, market: VenueMarket, order: OrderIntent) -> OrderIntent:
        wanted = market.account.room(order)
        fills = market.house.take(order.side, wanted, order.price)
        for ours in market.met(order, wanted, fills):
            self.close(market, ours, EXPIRED)
        for fill in fills:
            order = self._fill(market, order, fill, taker=True)
        if not order.status.final:
            order = self.close(market, order, EXPIRED)
        self._end_idle_reductions(market)
        return order

    def _fill(
        self, market: VenueMarket, order: OrderIntent, fill: Fill, *, taker: bool
    ) -> OrderIntent:
        instrument = market.instrument
        fee = instrument.taker_fee if taker else instrument.maker_fee
        after = market.account.settle(order, instrument, fill, fee)
        if order.purpose is Purpose.QUOTE:
            self._count(order, after)
        if after.filled >= after.amount:
            after = replace(after, status=OrderStatus.CLOSED)
        return self._record(market, after)

    def _count(self, before: OrderIntent, after: OrderIntent) -> None:
        sign = 1 if after.side is Side.BUY else -1
        base, quote = self.quoted
        base += sign * (after.filled - before.filled) - (after.fee_base - before.fee_base)
        quote -= sign * (after.cost - before.cost) + (after.fee_quote - before.fee_quote)
        self.quoted = base, quote

    def _record(self, market: VenueMarket, order: OrderIntent) -> OrderIntent:
        self.stored[order.client_id] = order
        if order.status.final:
            market.resting.pop(order.client_id, None)
        elif order.kind is OrderKind.POST_ONLY:
            market.resting[order.client_id] = order
        return order

    def _end_idle_reductions(self, market: VenueMarket) -> None:
        """An order that may only reduce a position ends when there is none to reduce."""
        for order in list(market.resting.values()):
            if not market.account.room(order):
                self.close(market, order, EXPIRED)


def client_order_id(purpose: Purpose, number: int) -> str:
    """``dexmm``, a letter for the purpose and 26 digits: as orders of ours are named everywhere."""
    letter = "x" if purpose is Purpose.EXIT else purpose.value[0]
    return f"dexmm{letter}{number:026d}"


def _why_not(order: OrderIntent, market: VenueMarket) -> str:
    if order.kind is OrderKind.POST_ONLY and market.would_take(order.side, order.price):
        return WOULD_NOT_MAKE if market.instrument.contract else WOULD_TAKE
    return market.account.refusal(order, market.instrument)
