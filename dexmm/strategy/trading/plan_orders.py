"""plan_orders: the difference between what rests in the books and what should, as steps.

    cancel      every order of ours that nothing wants any more, first: it may face what follows
    amend       where the exchange can, a quote that is wanted at another price is moved in place;
                those that make room first, so that a bid and an ask of ours never meet on the way
    leverage    before a short is opened
    trades      those that do not rest already
    quotes      likewise

Orders that are not ours are left alone. An order that rests serves a target of its symbol, side,
price and what is left of its amount, exactly: what stays was named by the decision as it rests.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.decision import TargetQuote, TargetTrade
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import AmendOrder, CancelOrder, CexStep, PlaceOrder, SetLeverage
from dexmm.model.venue import RestingOrder, Side, VenueView

Key = tuple[str, Side, Decimal, Decimal]


@precise
def plan_orders(
    venue: VenueView,
    trades: tuple[TargetTrade, ...],
    quotes: tuple[TargetQuote, ...],
    config: Config,
    leave: Collection[str] = (),
    hedge: str = "",
) -> tuple[CexStep, ...]:
    """Empty when everything rests as it should. ``leave`` names client ids to leave alone,
    ``hedge`` that of a hedge that rests: it never becomes a quote.
    """
    ours = [order for order in venue.resting if order.ours and order.client_id not in leave]
    free: dict[Key, list[RestingOrder]] = {}
    for order in ours:
        left = order.amount - order.filled
        free.setdefault((order.symbol, order.side, order.price, left), []).append(order)
    new_trades = tuple(trade for trade in trades if not _rests(trade, free))
    new_quotes = tuple(quote for quote in quotes if not _serves(quote, free))
    unwanted = {order.client_id for orders in free.values() for order in orders}
    movable = [o for o in ours if o.client_id in unwanted and o.client_id != hedge]
    amended, new_quotes = _amended(venue, movable, new_quotes)
    unwanted -= {step.client_id for step in amended}
    return (
        *(
            CancelOrder(symbol=order.symbol, client_id=order.client_id)
            for order in ours
            if order.client_id in unwanted
        ),
        *amended,
        *_leverage(venue, new_trades, config),
        *(_order_of(trade) for trade in new_trades),
        *(
            PlaceOrder(
                symbol=quote.symbol,
                side=quote.side,
                order=OrderKind.POST_ONLY,
                purpose=Purpose.QUOTE,
                amount=quote.amount,
                price=quote.price,
            )
            for quote in new_quotes
        ),
    )


def _amended(
    venue: VenueView, movable: list[RestingOrder], quotes: tuple[TargetQuote, ...]
) -> tuple[tuple[AmendOrder, ...], tuple[TargetQuote, ...]]:
    """Orders to move, and the quotes that still have to be placed."""
    if not venue.amends:
        return (), quotes
    found: list[tuple[Decimal, AmendOrder]] = []
    left: list[TargetQuote] = []
    for quote in quotes:
        fitting = [o for o in movable if _could_be(o, quote, venue)]
        if not fitting:
            left.append(quote)
            continue
        order = min(fitting, key=lambda o: abs(o.price - quote.price))
        movable = [o for o in movable if o is not order]
        towards = quote.price - order.price if quote.side is Side.BUY else order.price - quote.price
        step = AmendOrder(symbol=quote.symbol, client_id=order.client_id, price=quote.price)
        found.append((towards, step))
    return tuple(step for _, step in sorted(found, key=lambda each: each[0])), tuple(left)


def _could_be(order: RestingOrder, quote: TargetQuote, venue: VenueView) -> bool:
    """The same order at another price: an amendment changes nothing else."""
    same = (order.symbol, order.side, order.amount - order.filled)
    return order.symbol == venue.spot.symbol and same == (quote.symbol, quote.side, quote.amount)


def _rests(trade: TargetTrade, free: dict[Key, list[RestingOrder]]) -> bool:
    return trade.order is OrderKind.POST_ONLY and _taken(
        (trade.symbol, trade.side, trade.limit, trade.amount), free
    )


def _serves(quote: TargetQuote, free: dict[Key, list[RestingOrder]]) -> bool:
    return _taken((quote.symbol, quote.side, quote.price, quote.amount), free)


def _taken(key: Key, free: dict[Key, list[RestingOrder]]) -> bool:
    """Let one resting order serve this target, if one does."""
    if not free.get(key):
        return False
    free[key].pop(0)
    return True


def _leverage(
    venue: VenueView, trades: tuple[TargetTrade, ...], config: Config
) -> tuple[SetLeverage, ...]:
    perpetual, position = venue.perpetual, venue.position
    wanted = config.hedge.whole_leverage
    if perpetual is None or position is None or position.leverage == wanted:
        return ()
    opening = any(t.symbol == perpetual.symbol and not t.reduce_only for t in trades)
    if not opening:
        return ()
    return (SetLeverage(symbol=perpetual.symbol, leverage=wanted),)


def _order_of(trade: TargetTrade) -> PlaceOrder:
    return PlaceOrder(
        symbol=trade.symbol,
        side=trade.side,
        order=trade.order,
        purpose=trade.purpose,
        amount=trade.amount,
        price=trade.limit,
        reduce_only=trade.reduce_only,
    )
