"""Spot: what an order may spend is locked, and fees come out of what is received.

A fee is rounded up to eight decimals, so that it is never below the stated rate. An account that
pays its fees in BNB pays three quarters of them, as long as it has enough BNB.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.ledger import is_house
from dexmm.paper_exchange.engine.orders import Order, Side, Trade, Type
from dexmm.paper_exchange.engine.rounding import ZERO, ceil_unit, floor_to, floor_unit
from dexmm.paper_exchange.engine.settlement import BaseDesk

BNB = "BNB"
BNB_SHARE = Decimal("0.75")


class SpotDesk(BaseDesk):
    def reserve(self, account: Account, order: Order) -> None:
        rules, ask = self.market.rules, order.ask
        if ask.type is Type.MARKET:
            asset, needed = (
                (rules.quote, self._cost_at_market(order))
                if ask.side is Side.BUY
                else (rules.base, self._quantity_at_market(order))
            )
        else:
            asset, needed = self._locks(order)
        if needed > account.free_of(asset):
            raise Refused(error_codes.INSUFFICIENT_BALANCE)
        if ask.type is not Type.MARKET:
            self._lock(account, order)

    def release(self, order: Order) -> None:
        asset, _ = self._locks(order)
        self.ledger.of(order.owner).lock(asset, -order.locked)
        order.locked = ZERO

    def would_take(self) -> error_codes.Problem:
        return error_codes.WOULD_TAKE

    def after_trading(self) -> None:
        """Nothing: what was locked still covers what is open."""

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
        ours = not is_house(order.owner)
        if ours:
            self.release(order)
        account.add(rules.base, quantity * order.side.sign)
        account.add(rules.quote, -value * order.side.sign)
        if not ours:
            return
        if order.ask.type is not Type.MARKET and order.remaining > 0:
            self._lock(account, order)
        fee, asset = self._charge(account, order.side, quantity, value, is_maker=is_maker)
        account.updated_ms = self.changes.now_ms
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
                fee_asset=asset,
                is_maker=is_maker,
                at_ms=self.changes.now_ms,
                fair=self.market.fair,
            ),
        )

    def _charge(
        self, account: Account, side: Side, quantity: Decimal, value: Decimal, *, is_maker: bool
    ) -> tuple[Decimal, str]:
        rules = self.market.rules
        rate = rules.maker_fee if is_maker else rules.taker_fee
        received, asset = (quantity, rules.base) if side is Side.BUY else (value, rules.quote)
        fee = ceil_unit(received * rate)
        if account.pays_fees_in_bnb:
            in_bnb = self._in_bnb(value * rate)
            if in_bnb is not None and in_bnb <= account.free_of(BNB):
                fee, asset = in_bnb, BNB
        account.add(asset, -fee)
        self.ledger.earn(asset, fee)
        return fee, asset

    def _in_bnb(self, fee_in_quote: Decimal) -> Decimal | None:
        price = self.price_of(f"{BNB}{self.market.rules.quote}")
        return ceil_unit(fee_in_quote * BNB_SHARE / price) if price else None

    def _locks(self, order: Order) -> tuple[str, Decimal]:
        """The asset that an order spends, and how much of it the rest of the order may spend."""
        if order.side is Side.SELL:
            return self.market.rules.base, order.remaining
        return self.market.rules.quote, ceil_unit(order.price * order.remaining)

    def _lock(self, account: Account, order: Order) -> None:
        asset, amount = self._locks(order)
        account.lock(asset, amount)
        order.locked = amount

    def _cost_at_market(self, order: Order) -> Decimal:
        """What buying at market would cost now, fees aside."""
        if order.ask.quote_quantity:
            return order.ask.quote_quantity
        left, cost = order.ask.quantity, ZERO
        for price, offered in self.meets(order):
            quantity = min(left, offered)
            cost += floor_unit(quantity * price)
            left -= quantity
        return cost

    def _quantity_at_market(self, order: Order) -> Decimal:
        """What selling at market would need now."""
        if not order.ask.quote_quantity:
            return order.ask.quantity
        left, needed = order.ask.quote_quantity, ZERO
        for price, offered in self.meets(order):
            quantity = min(floor_to(left / price, self.market.rules.step_size), offered)
            needed += quantity
            left -= floor_unit(quantity * price)
        return needed
