"""What the orders of an exchange account amount to. Pure: the order log in, figures out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.order import OrderIntent, OrderStatus, Purpose
from dexmm.model.venue import Side
from dexmm.units import PRICE

ZERO = Decimal(0)
BY_US = "cancelled by us"  # how the order log says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """Ratios are of orders, 0 to 1; of none they are 0, success 1."""

    orders: int  # stored, whatever became of them
    rejected: int
    sent: int  # accepted by the exchange, or perhaps accepted
    cancelled: int  # by us
    filled: int  # in whole or in part
    hedges: int  # filled
    hedged_base: Decimal  # bought and sold
    quotes: int  # sent
    quoted_base: Decimal  # bought and sold by them
    bought_base: Decimal
    sold_base: Decimal
    fees_base: Decimal
    fees_quote: Decimal
    fees_other: tuple[tuple[str, Decimal], ...]  # in third coins
    fees_valued: tuple[tuple[str, Decimal, Decimal], ...]  # of these: coin, amount, its value
    fees_unvalued: tuple[tuple[str, Decimal], ...]  # of these, what has no known price
    cancel_ratio: Decimal  # cancelled / sent
    fill_ratio: Decimal  # filled / sent
    success: Decimal  # sent / orders


def trading(orders: Iterable[OrderIntent]) -> Trading:
    known = list(orders)
    sent = [order for order in known if order.status is not OrderStatus.REJECTED]
    cancelled = sum(was_cancelled(order) for order in sent)
    filled = [order for order in sent if order.filled]
    others = _summed(pair for order in filled for pair in order.fee_other)
    amounts = _summed((coin, amount) for order in filled for coin, amount, _ in order.fee_valued)
    values = dict(_summed((coin, value) for order in filled for coin, _, value in order.fee_valued))
    hedges = [order for order in filled if order.purpose is not Purpose.QUOTE]
    quotes = [order for order in sent if order.purpose is Purpose.QUOTE]
    return Trading(
        orders=len(known),
        rejected=len(known) - len(sent),
        sent=len(sent),
        cancelled=cancelled,
        filled=len(filled),
        hedges=len(hedges),
        hedged_base=sum((order.filled for order in hedges), ZERO),
        quotes=len(quotes),
        quoted_base=sum((order.filled for order in quotes), ZERO),
        bought_base=sum((o.filled for o in filled if o.side is Side.BUY), ZERO),
        sold_base=sum((o.filled for o in filled if o.side is Side.SELL), ZERO),
        fees_base=sum((order.fee_base for order in filled), ZERO),
        fees_quote=sum((order.fee_quote for order in filled), ZERO),
        fees_other=others,
        fees_valued=tuple((coin, amount, values[coin]) for coin, amount in amounts),
        fees_unvalued=_summed(pair for order in filled for pair in order.fee_unvalued),
        cancel_ratio=_ratio(cancelled, len(sent), ZERO),
        fill_ratio=_ratio(len(filled), len(sent), ZERO),
        success=_ratio(len(sent), len(known), Decimal(1)),
    )


def _summed(pairs: Iterable[tuple[str, Decimal]]) -> tuple[tuple[str, Decimal], ...]:
    total: dict[str, Decimal] = {}
    for coin, amount in pairs:
        total[coin] = total.get(coin, ZERO) + amount
    return tuple(sorted(total.items()))


def was_cancelled(order: OrderIntent) -> bool:
    return order.detail.partition(";")[0] == BY_US


def _ratio(part: int, whole: int, of_none: Decimal) -> Decimal:
    return PRICE.divide(Decimal(part), Decimal(whole)) if whole else of_none
