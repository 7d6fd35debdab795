"""Where orders are placed, matched and cancelled; how they are paid for is the venue's own.

``SpotDesk`` locks what an order may spend, ``PerpetualDesk`` checks its margin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.background_book import Taker, quotes
from dexmm.paper_exchange.engine.change_set import Changes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.ledger import FLOW, HOUSE, Ledger, is_house
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.order_book import match
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
from dexmm.paper_exchange.engine.rounding import ZERO, floor_to, floor_unit
from dexmm.paper_exchange.engine.trade_history import Print

PriceOf = Callable[[str], Decimal]  # an asset's price in another, by spot symbol; zero if unknown


class BaseDesk(ABC):
    """Settles one market. Implements ``book.Desk``."""

    def __init__(self, market: Market, ledger: Ledger, changes: Changes, price_of: PriceOf) -> None:
        self.market = market
        self.ledger = ledger
        self.changes = changes
        self.price_of = price_of

    # What a venue decides for itself

    @abstractmethod
    def reserve(self, account: Account, order: Order) -> None:
        """Make sure that the account can pay for it; raises a ``Problem`` when it cannot."""

    @abstractmethod
    def release(self, order: Order) -> None:
        """Give back what was set aside for an order that has ended."""

    @abstractmethod
    def settle(
        self,
        order: Order,
        trade_id: int,
        price: Decimal,
        quantity: Decimal,
        value: Decimal,
        *,
        is_maker: bool,
    ) -> None:
        """Move the money of one side of a fill, fees included, and record the trade."""

    @abstractmethod
    def would_take(self) -> error_codes.Problem:
        """What a post-only order is told when it would take."""

    @abstractmethod
    def after_trading(self) -> None:
        """Put right what fills have made untrue."""

    # Placing and cancelling

    def place(self, owner: str, ask: Ask, *, fill_cap: Decimal | None = None) -> Order:
        """Match an order, and leave what remains in the book when it is one that rests."""
        order = self._order(owner, ask)
        order.fill_cap = fill_cap
        if ask.post_only and self._crosses(ask):
            raise Refused(self.would_take())
        if not is_house(owner):
            self.reserve(self.ledger.of(owner), order)
        if ask.time_in_force is TimeInForce.FOK and self._reachable(order) < ask.quantity:
            self.close(order, Status.EXPIRED)
            return order
        match(self.market.book, order, self, self._limit(ask))
        self._finish(order)
        self.after_trading()
        return order

    def amend(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Another price and quantity for an order that rests; it goes last in its new queue.

        As Binance does: a quantity that is filled already ends it, and so does a price at which a
        post-only order would take. ``quantity`` counts from the order's beginning.
        """
        ask = replace(order.ask, price=price, quantity=quantity)
        self.market.book.remove(order)
        if quantity <= order.executed or (ask.post_only and self._crosses(ask)):
            self.close(order, Status.CANCELED)
            return
        order.ask = ask
        order.updated_ms = self.changes.now_ms
        match(self.market.book, order, self, self._limit(ask))
        self._finish(order)
        self.after_trading()

    def cancel(self, order: Order) -> None:
        self.market.book.remove(order)
        self.close(order, Status.CANCELED)

    def room(self, order: Order, price: Decimal) -> Decimal:
        """How much of it may trade at ``price`` now, in base."""
        ask = order.ask
        if ask.quote_quantity:
            left = (ask.quote_quantity - order.quote_executed) / price
            return floor_to(left, self.market.rules.step_size)
        if order.fill_cap is not None:
            return max(ZERO, min(order.remaining, order.fill_cap - order.executed))
        return order.remaining

    def meets(self, order: Order) -> Iterator[tuple[Decimal, Decimal]]:
        """Prices and quantities that an order would trade with, best first."""
        for maker in self.market.book.facing(order.side, self._limit(order.ask)):
            own = maker.owner == order.owner and order.ask.self_trade is not SelfTrade.NONE
            quantity = ZERO if own else self.room(maker, maker.price)
            if quantity > 0:
                yield maker.price, quantity

    def trade(self, maker: Order, taker: Order, price: Decimal, quantity: Decimal) -> None:
        value, trade_id = floor_unit(price * quantity), self.changes.next_id()
        self.market.quoted_for = None
        for order in (maker, taker):
            is_maker = order is maker
            order.executed += quantity
            order.quote_executed += value
            order.updated_ms = self.changes.now_ms
            done = order.remaining <= 0 and not order.ask.quote_quantity
            order.status = Status.FILLED if done else Status.PARTIALLY_FILLED
            self.settle(order, trade_id, price, quantity, value, is_maker=is_maker)
            if done:
                self.market.forget(order)
            self._note(order)
        self.market.tape.trade(
            Print(
                trade_id=trade_id,
                price=price,
                quantity=quantity,
                value=value,
                buyer_is_maker=maker.side is Side.BUY,
                at_ms=self.changes.now_ms,
            )
        )

    def close(self, order: Order, status: Status) -> None:
        """End an order that is not, or no longer, in the book."""
        order.status = status
        order.updated_ms = self.changes.now_ms
        self.market.forget(order)
        if not is_house(order.owner):
            self.release(order)
        self._note(order)

    def fill_from_house(self, order: Order, quantity: Decimal) -> None:
        """The house trades this much with a resting order, at the order's price."""
        quantity = min(quantity, self.room(order, order.price))
        if quantity > 0:
            ask = Ask(
                symbol=order.symbol,
                side=order.side.other,
                type=Type.LIMIT,
                client_order_id="",
                price=order.price,
                quantity=quantity,
            )
            self.trade(order, self._order(HOUSE, ask), order.price, quantity)
            if order.remaining <= 0:
                self.market.book.remove(order)
            self.after_trading()

    # Everybody else

    def requote(self) -> None:
        """Move the house to the market's fair price.

        An account's order that is better than the house's new best price on the other side is
        taken whole: the market has traded through it. At exactly that price it trades with the
        quantity that the house quotes there.
        """
        if self.market.quoted_for == self.market.fair:
            return  # nothing has moved, and nobody has traded
        self.market.quoted_for = self.market.fair
        wanted = quotes(self.market.fair, self.market.rules, self.market.shape)
        house = self.market.house
        for key in [key for key in house if key not in wanted]:
            for order in house.pop(key):
                self.market.book.remove(order)
        for side in Side:
            facing = [price for s, price in wanted if s is side.other]
            if facing:
                self._sweep(side, min(facing) if side is Side.BUY else max(facing))
        for (side, price), quantity in wanted.items():
            self._stand(side, price, quantity)
        self.after_trading()

    def take(self, taker: Taker) -> None:
        """One of the crowd trades at whatever is there."""
        ask = Ask(
            symbol=self.market.rules.symbol,
            side=taker.side,
            type=Type.MARKET,
            client_order_id="",
            quantity=taker.quantity,
        )
        self.place(FLOW, ask)

    def _sweep(self, side: Side, through: Decimal) -> None:
        for order in self.market.book.facing(side.other, through):
            if order.price != through and not is_house(order.owner):
                self.fill_from_house(order, order.remaining)

    def _stand(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        orders = [o for o in self.market.house.get((side, price), []) if o.remaining > 0]
        missing = quantity - sum((o.remaining for o in orders), ZERO)
        while missing < 0:  # too much: those who came last leave first
            last = orders[-1]
            leaves = min(-missing, last.remaining)
            last.ask = replace(last.ask, quantity=last.ask.quantity - leaves)
            missing += leaves
            if last.remaining <= 0:
                self.market.book.remove(orders.pop())
        if missing > 0:
            ask = Ask(
                symbol=self.market.rules.symbol,
                side=side,
                type=Type.LIMIT,
                client_order_id="",
                price=price,
                quantity=missing,
            )
            order = self._order(HOUSE, ask)
            match(self.market.book, order, self, price)
            if order.remaining > 0:
                self.market.book.add(order)
                orders.append(order)
        self.market.house[side, price] = orders

    # Small things

    def _order(self, owner: str, ask: Ask) -> Order:
        now = self.changes.now_ms
        return Order(
            order_id=self.changes.next_id(), owner=owner, ask=ask, created_ms=now, updated_ms=now
        )

    def _finish(self, order: Order) -> None:
        ask = order.ask
        if order.status is Status.FILLED or not order.status.is_open:
            return
        if ask.quote_quantity:
            best = self.market.book.best(order.side.other)
            spent = best is not None and self.room(order, best) <= 0 and order.executed > 0
            self.close(order, Status.FILLED if spent else Status.EXPIRED)
        elif ask.rests:
            self.market.rest(order)
            self._note(order)
        else:
            self.close(order, Status.EXPIRED)

    def _limit(self, ask: Ask) -> Decimal | None:
        return None if ask.type is Type.MARKET else ask.price

    def _crosses(self, ask: Ask) -> bool:
        best = self.market.book.best(ask.side.other)
        if best is None:
            return False
        return ask.price >= best if ask.side is Side.BUY else ask.price <= best

    def _reachable(self, order: Order) -> Decimal:
        """What others offer to an order within its limit."""
        return sum((quantity for _, quantity in self.meets(order)), ZERO)

    def _note(self, order: Order) -> None:
        if not is_house(order.owner):
            self.changes.order(self.market.key, order)

    def _record(self, order: Order, trade: Trade) -> None:
        if not trade.is_maker:
            order.fills.append(trade)
        self.changes.trades.append((self.market.key, trade))
