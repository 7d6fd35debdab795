"""What the product's orders were filled at on the sandbox's exchange, and the fair price then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.model.order import OrderIntent, Purpose
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.units import EXACT

EVERYTHING = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of an order of ours. ``fair`` is the market's fair price when it happened."""

    at_ms: int
    purpose: Purpose
    contract: bool
    maker: bool
    base: Decimal  # bought; negative: sold
    price: Decimal
    fair: Decimal
    fee_base: Decimal
    fee_quote: Decimal

    def earned(self) -> Decimal:
        """Quote, before fees: what the price was better than the fair one by; negative: worse."""
        with localcontext(EXACT):
            return self.base * (self.fair - self.price)

    def moved(self, price: Decimal) -> Decimal:
        """Quote: what was bought (or sold) has gained since, at ``price``."""
        with localcontext(EXACT):
            return self.base * (price - self.fair)

    def fee(self, price: Decimal) -> Decimal:
        """Quote: with what was charged in base at ``price``."""
        with localcontext(EXACT):
            return self.fee_base * price + self.fee_quote


def fills_of(paper: PaperExchange, orders: Sequence[OrderIntent]) -> tuple[Fill, ...]:
    """Of these orders, oldest first. An order that the log does not know has no fill here."""
    purposes = {order.exchange_id: order.purpose for order in orders}
    found: list[Fill] = []
    with paper.exchange.visit():
        for key, market in paper.exchange.markets.items():
            for account in paper.settings.accounts:
                trades = paper.exchange.state.trades(
                    key,
                    account.name,
                    since_ms=0,
                    until_ms=EVERYTHING,
                    from_id=1,
                    order_id=0,
                    limit=EVERYTHING,
                )
                found += [
                    Fill(
                        at_ms=trade.at_ms,
                        purpose=purposes[str(trade.order_id)],
                        contract=market.is_perpetual,
                        maker=trade.is_maker,
                        base=trade.quantity * trade.side.sign,
                        price=trade.price,
                        fair=trade.fair,
                        fee_base=trade.fee if trade.fee_asset == market.rules.base else Decimal(0),
                        fee_quote=trade.fee if trade.fee_asset != market.rules.base else Decimal(0),
                    )
                    for trade in trades
                    if str(trade.order_id) in purposes
                ]
    return tuple(sorted(found, key=lambda fill: fill.at_ms))
