"""The perpetual: margin instead of locks, positions instead of balances, fees in USDT.

Positions are one-way. A position that can no longer keep its maintenance margin is closed at the
book, what the book does not hold at the mark price, for a fee of 1.25 %; whatever loss the
account's margin does not cover is the house's, as Binance's insurance fund pays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import MARGIN_ASSET, Account
from dexmm.paper_exchange.engine.change_set import Changes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.ledger import HOUSE, Ledger, is_house
from dexmm.paper_exchange.engine.margin import (
    LIQUIDATION_FEE,
    available,
    initial_margin,
    isolated_margin,
    to_liquidate,
)
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Ask, Order, Side, Status, TimeInForce, Trade, Type
from dexmm.paper_exchange.engine.rounding import ZERO, ceil_unit, floor_unit
from dexmm.paper_exchange.engine.settlement import BaseDesk, PriceOf

HOUR_MS = 3_600_000


class PerpetualDesk(BaseDesk):
    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        changes: Changes,
        price_of: PriceOf,
        perpetuals: Mapping[str, Market],
    ) -> None:
        super().__init__(market, ledger, changes, price_of)
        self.perpetuals = perpetuals

    def reserve(self, account: Account, order: Order) -> None:
        position = account.futures.position(self.market.rules.symbol)
        if order.ask.reduce_only:
            if position.amount * order.side.sign >= 0:
                raise Refused(error_codes.REDUCE_ONLY_REJECTED)
            return
        before = initial_margin(account, self.market)
        more = initial_margin(account, self.market, order) - before
        if more > 0 and available(account, self.perpetuals) < more:
            raise Refused(error_codes.MARGIN_INSUFFICIENT)

    def amend(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Refused where it needs more margin than there is, as a new order would be."""
        account, asked = self.ledger.of(order.owner), order.ask
        before, spare = initial_margin(account, self.market), available(account, self.perpetuals)
        order.ask = replace(asked, price=price, quantity=quantity)
        more = initial_margin(account, self.market) - before
        order.ask = asked
        if more > 0 and spare < more:
            raise Refused(error_codes.MARGIN_INSUFFICIENT)
        super().amend(order, price, quantity)

    def release(self, order: Order) -> None:
        """Nothing is locked: margin is counted from what is open."""

    def would_take(self) -> error_codes.Problem:
        return error_codes.WOULD_NOT_MAKE

    def room(self, order: Order, price: Decimal) -> Decimal:
        room = super().room(order, price)
        if not order.ask.reduce_only:
            return room
        held = self.ledger.of(order.owner).futures.position(self.market.rules.symbol).amount
        return min(room, abs(held)) if held * order.side.sign < 0 else ZERO

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
        rules, account = self.market.rules, self.ledger.of(order.owner)
        realised = account.futures.position(rules.symbol).fill(order.side, quantity, value)
        account.futures.wallet += realised
        if is_house(order.owner):
            return
        fee = ceil_unit(value * (rules.maker_fee if is_maker else rules.taker_fee))
        account.futures.wallet -= fee
        self.ledger.earn(MARGIN_ASSET, fee)
        account.updated_ms = self.changes.now_ms
        if realised:
            self.changes.income(order.owner, rules.symbol, "REALIZED_PNL", realised, trade_id)
        self.changes.income(order.owner, rules.symbol, "COMMISSION", -fee, trade_id)
        self._record(
            order,
            Trade(
                trade_id=trade_id,
                order_id=order.order_id,
                owner=order.owner,
                symbol=rules.symbol,
                side=order.side,
                price=price,
                quantity=quantity,
                value=value,
                fee=fee,
                fee_asset=MARGIN_ASSET,
                is_maker=is_maker,
                at_ms=self.changes.now_ms,
                realised=realised,
                fair=self.market.fair,
            ),
        )

    def after_trading(self) -> None:
        """A reduce-only order without a position to reduce ends, as it does on Binance."""
        for order in list(self.market.open.values()):
            if order.ask.reduce_only and self._reduces_nothing(order):
                self.market.book.remove(order)
                self.close(order, Status.EXPIRED)

    def pay_funding(self) -> None:
        """Charge the due rate on every position, and make the next one due."""
        market, funding = self.market, self.market.funding
        for account in self.ledger.accounts.values():
            amount = account.futures.position(market.rules.symbol).amount
            payment = floor_unit(amount * market.fair * funding.rate)
            if payment:
                account.futures.wallet -= payment
                self.ledger.house.futures.wallet += payment
                self.changes.income(account.name, market.rules.symbol, "FUNDING_FEE", -payment)
        funding.paid.append((funding.next_ms, funding.rate, market.fair))
        del funding.paid[:-1000]
        funding.next_ms += market.rules.funding_hours * HOUR_MS
        self.changes.markets = True

    def liquidate(self) -> None:
        """Take over the positions in this market that are out of margin."""
        for account in self.ledger.accounts.values():
            if self.market in to_liquidate(account, self.perpetuals):
                self._take_over(account)

    def _take_over(self, account: Account) -> None:
        symbol = self.market.rules.symbol
        backing = (
            isolated_margin(account, self.market)
            if symbol in account.futures.isolated
            else account.futures.wallet
        )
        before = account.futures.wallet
        for order in self.market.open_of(account.name):
            self.cancel(order)
        position = account.futures.position(symbol)
        side, size = (Side.SELL if position.amount > 0 else Side.BUY), abs(position.amount)
        order = self.place(account.name, self._autoclose(side, size))
        if order.remaining > 0:
            self._close_at_mark(order)
        fee = min(
            ceil_unit(order.quote_executed * LIQUIDATION_FEE),
            max(ZERO, backing - (before - account.futures.wallet)),
        )
        account.futures.wallet -= fee
        self.ledger.earn(MARGIN_ASSET, fee)
        self.changes.income(account.name, symbol, "INSURANCE_CLEAR", -fee)
        beyond = (before - account.futures.wallet) - backing
        if beyond > 0:
            account.futures.wallet += beyond
            self.ledger.house.futures.wallet -= beyond
            self.changes.income(account.name, symbol, "INSURANCE_CLEAR", beyond)

    def _autoclose(self, side: Side, size: Decimal) -> Ask:
        return Ask(
            symbol=self.market.rules.symbol,
            side=side,
            type=Type.MARKET,
            client_order_id=f"autoclose-{self.changes.now_ms}",
            time_in_force=TimeInForce.IOC,
            quantity=size,
            reduce_only=True,
        )

    def _close_at_mark(self, order: Order) -> None:
        quantity = order.remaining
        ask = Ask(
            symbol=order.symbol,
            side=order.side.other,
            type=Type.LIMIT,
            client_order_id="",
            price=self.market.fair,
            quantity=quantity,
        )
        self.trade(self._order(HOUSE, ask), order, self.market.fair, quantity)

    def _reduces_nothing(self, order: Order) -> bool:
        held = self.ledger.of(order.owner).futures.position(self.market.rules.symbol).amount
        return held * order.side.sign >= 0
