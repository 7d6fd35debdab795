"""The triangle: base/quote against base/coin x coin/quote (PAXG/USDT, PAXG/BTC, BTC/USDT).

Two ways round, both from quote to quote, each leg an order that takes (IOC):

    sell_direct   buy coin with quote, buy base with coin, sell base for quote
    buy_direct    buy base with quote, sell base for coin, sell coin for quote

The exchange takes its fee f from what a leg receives. One unit of base traded in the middle of the
direct market needs, and gives, with the prices at hand

    sell_direct   pays p_coin p_cross / ((1-f_coin)(1-f_cross)),  gets p_direct (1-f_direct)
    buy_direct    pays p_direct,  gets p_cross p_coin (1-f_direct)(1-f_cross)(1-f_coin)

The three books are walked together, a level at a time, for as long as the next unit still earns
``min_profit_bp`` after fees. The amounts are then rounded to the exchange's steps, leg after leg,
each from what the one before it really brings, and the profit of *those* is what counts.

Leg risk, stated with every opportunity: what undoing the first leg at the best opposite price
would cost, were no other leg to fill. A leg is sized from what the one before it filled
(``resized``); what a partial leaves behind is sold (``unwind``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from dexmm.config.schema import Config, Exchange
from dexmm.decimal_context import BP, precise
from dexmm.model.decision import Opportunity, TargetTrade
from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.steps import Outcome, PlaceOrder
from dexmm.model.venue import Book, Instrument, Level, Side, VenueView
from dexmm.strategy.exposure.fair_price import age_of
from dexmm.strategy.trading.book_depth import best, opposite
from dexmm.strategy.trading.execution_routes import SIGN
from dexmm.strategy.trading.lot_rules import floor_to, least_amount, limit_price

ZERO, ONE = Decimal(0), Decimal(1)
Direction = Literal["sell_direct", "buy_direct"]
DIRECTIONS: tuple[Direction, ...] = ("sell_direct", "buy_direct")


@dataclass(frozen=True, slots=True)
class Market:
    instrument: Instrument
    book: Book

    @property
    def kept(self) -> Decimal:
        return ONE - self.instrument.taker_fee


@dataclass(frozen=True, slots=True)
class Triangle:
    direct: Market  # base/quote
    cross: Market  # base/coin
    coin: Market  # coin/quote


@dataclass(frozen=True, slots=True)
class Leg:
    market: Market
    side: Side
    amount: Decimal  # in the market's own base, on its step
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Round:
    """A way round with amounts that the exchange takes."""

    legs: tuple[Leg, ...]
    spent: Decimal  # quote
    received: Decimal
    leg_risk: Decimal

    @property
    def profit(self) -> Decimal:
        return self.received - self.spent

    @property
    def net_bp(self) -> Decimal:
        return self.profit / self.spent * BP if self.spent else ZERO


def triangle_of(venue: VenueView, exchange: Exchange) -> Triangle | None:
    """The three markets; None where the exchange did not tell all of them."""
    instruments = {found.symbol: found for found in venue.triangle}
    books = {book.symbol: book for book in venue.triangle_books}
    if len(exchange.triangle) != 2 or not all(
        symbol in instruments and symbol in books for symbol in exchange.triangle
    ):
        return None
    cross, coin = exchange.triangle
    return Triangle(
        direct=Market(venue.spot, venue.spot_book),
        cross=Market(instruments[cross], books[cross]),
        coin=Market(instruments[coin], books[coin]),
    )


@precise
def stray_bp(direct: Decimal, cross: Decimal, coin: Decimal) -> Decimal:
    """How far the direct price is above (negative: below) the way through the coin."""
    return (direct / (cross * coin) - 1) * BP


@precise
def opportunities(
    venue: VenueView, config: Config, barred: str = ""
) -> tuple[tuple[Opportunity, ...], tuple[TargetTrade, ...]]:
    """Every way round that pays before fees, why it is taken or not, and the legs of the best.

    ``barred`` says why nothing may be traded now; empty when it may.
    """
    if not config.triangle.enabled or config.exchange is None:
        return (), ()
    around = triangle_of(venue, config.exchange)
    if around is None:
        return (), ()
    if not barred:
        barred = _doubt(around, venue, config.exchange)
    found: list[Opportunity] = []
    chosen: Round | None = None
    for direction in DIRECTIONS:
        gross = gross_bp(around, direction)
        if gross is None or gross <= 0:
            continue
        way = best_round(around, direction, venue, config)
        why = barred or _refused(way, config)
        if not why and chosen is not None:
            why = "the other way round is taken"
        if not why:
            chosen = way
        found.append(_reported(direction, gross, way, why))
    return tuple(found), _trades(chosen) if chosen else ()


def _doubt(around: Triangle, venue: VenueView, exchange: Exchange) -> str:
    for market in (around.direct, around.cross, around.coin):
        symbol = market.instrument.symbol
        if not market.instrument.tradable:
            return f"{symbol} is suspended"
        if market.book.mid is None:
            return f"the {symbol} book is empty or crossed"
        if age_of(market.book, venue) > exchange.max_ticker_age_seconds:
            return f"the {symbol} book is stale"
    return ""


def _refused(way: Round | None, config: Config) -> str:
    least = config.triangle.min_profit_bp
    if way is None:
        return f"after fees no size earns {least} bp (triangle.min_profit_bp)"
    if way.net_bp < least:
        return f"after fees, depth and rounding it earns {way.net_bp:.1f} bp, under {least} bp"
    return ""


def _reported(direction: Direction, gross: Decimal, way: Round | None, why: str) -> Opportunity:
    return Opportunity(
        direction=direction,
        base=_base_of(direction, way),
        gross_bp=gross,
        net_bp=way.net_bp if way else ZERO,
        profit=way.profit if way else ZERO,
        leg_risk=way.leg_risk if way else ZERO,
        taken=not why,
        why=why or "it pays after fees, depth and rounding",
    )


def _base_of(direction: Direction, way: Round | None) -> Decimal:
    """The base that the direct market trades: its leg is the last one, or the first."""
    if way is None:
        return ZERO
    return way.legs[-1 if direction == "sell_direct" else 0].amount


def gross_bp(around: Triangle, direction: Direction) -> Decimal | None:
    """At the best prices, before fees; None when a book lacks a side."""
    direct, cross, coin = _best_prices(around, direction)
    if direct is None or cross is None or coin is None:
        return None
    off = stray_bp(direct, cross, coin)
    return off if direction == "sell_direct" else (cross * coin / direct - 1) * BP


def _best_prices(around: Triangle, direction: Direction) -> tuple[Decimal | None, ...]:
    direct, through = _sides(direction)
    return (
        best(around.direct.book, direct.other),
        best(around.cross.book, through.other),
        best(around.coin.book, through.other),
    )


def _sides(direction: Direction) -> tuple[Side, Side]:
    """The side taken in the direct market, and in the two others."""
    return (Side.SELL, Side.BUY) if direction == "sell_direct" else (Side.BUY, Side.SELL)


def best_round(
    around: Triangle, direction: Direction, venue: VenueView, config: Config
) -> Round | None:
    """The largest one whose last unit still pays, on the exchange's steps; None for none."""
    budget = venue.balance(venue.spot.quote).free
    base, limits = _walk(around, direction, config, budget)
    if not base:
        return None
    return _rounded(around, direction, base, limits)


def _walk(
    around: Triangle, direction: Direction, config: Config, budget: Decimal
) -> tuple[Decimal, tuple[Decimal, Decimal, Decimal]]:
    """Base in the direct market, and the worst price met in each (direct, cross, coin)."""
    direct_side, side = _sides(direction)
    levels = (
        list(opposite(around.direct.book, direct_side)),
        list(opposite(around.cross.book, side)),
        list(opposite(around.coin.book, side)),
    )
    least = 1 + config.triangle.min_profit_bp / BP
    total, limits = ZERO, (ZERO, ZERO, ZERO)
    while all(levels) and total < config.triangle.max_base and budget > 0:
        prices = (levels[0][0].price, levels[1][0].price, levels[2][0].price)
        pays, gets, cross_each, coin_each = _rates(around, direction, prices)
        if gets < pays * least:
            break
        rooms = (
            levels[0][0].amount,
            levels[1][0].amount / cross_each,
            levels[2][0].amount / coin_each,
        )
        more = min(*rooms, config.triangle.max_base - total, budget / pays)
        total, budget, limits = total + more, budget - more * pays, prices
        for queue, each in zip(levels, (ONE, cross_each, coin_each), strict=True):
            _consume(queue, more * each)
        if more <= 0:
            break
    return total, limits


def _consume(levels: list[Level], amount: Decimal) -> None:
    left = levels[0].amount - amount
    # A quotient's last digit must not leave a level that can never be used up.
    if left * 10**18 <= levels[0].amount:
        levels.pop(0)
    else:
        levels[0] = replace(levels[0], amount=left)


def _rates(
    around: Triangle, direction: Direction, prices: tuple[Decimal, Decimal, Decimal]
) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Per unit of base in the direct market: quote paid, quote got, base crossed, coin traded."""
    direct, cross, coin = prices
    if direction == "sell_direct":
        cross_each = ONE / around.cross.kept
        coin_each = cross_each * cross / around.coin.kept
        return coin_each * coin, direct * around.direct.kept, cross_each, coin_each
    cross_each = around.direct.kept
    coin_each = cross_each * cross * around.cross.kept
    return direct, coin_each * coin * around.coin.kept, cross_each, coin_each


def _rounded(
    around: Triangle,
    direction: Direction,
    base: Decimal,
    limits: tuple[Decimal, Decimal, Decimal],
) -> Round | None:
    """The legs on their steps, each from what the one before it brings at its worst price."""
    coin_each = _rates(around, direction, limits)[3]
    if direction == "sell_direct":
        plan = (
            (around.coin, 2, Side.BUY),
            (around.cross, 1, Side.BUY),
            (around.direct, 0, Side.SELL),
        )
        held = coin_each * base
    else:
        plan = (
            (around.direct, 0, Side.BUY),
            (around.cross, 1, Side.SELL),
            (around.coin, 2, Side.SELL),
        )
        held = base
    legs: list[Leg] = []
    spent = received = ZERO
    for market, index, side in plan:
        price = limits[index]
        if legs and side is Side.BUY:
            held = held / price  # what the coin in hand buys
        amount = floor_to(held, market.instrument.amount_step)
        limit = limit_price(market.instrument, side, price)
        if amount < least_amount(market.instrument, limit):
            return None
        legs.append(Leg(market, side, amount, limit))
        got = amount if side is Side.BUY else amount * price
        if not legs[:-1]:
            spent = amount * price
        held = received = got * market.kept
    return Round(tuple(legs), spent, received, _leg_risk(legs[0], spent))


def _leg_risk(first: Leg, spent: Decimal) -> Decimal:
    """Quote lost by selling what the first leg bought, at the best bid."""
    back = best(first.market.book, Side.BUY) or ZERO
    kept = first.market.kept
    return spent - first.amount * kept * back * kept


def _trades(way: Round) -> tuple[TargetTrade, ...]:
    return tuple(
        TargetTrade(
            symbol=leg.market.instrument.symbol,
            side=leg.side,
            amount=leg.amount,
            limit=leg.limit,
            order=OrderKind.IOC,
            purpose=Purpose.TRIANGLE,
            reduce_only=False,
            compared=(("profit", way.profit), ("leg_risk", way.leg_risk)),
        )
        for leg in way.legs
    )


def net_of(order: OrderIntent) -> tuple[Decimal, Decimal]:
    """Base and quote that an order's fills changed, fees in either of them taken off.

    A fee in a third coin leaves both alone.
    """
    sign = SIGN[order.side]
    return (
        sign * order.filled - order.fee_base,
        -sign * order.cost - order.fee_quote,
    )


def triangle_orders(outcomes: tuple[Outcome, ...]) -> Iterator[OrderIntent]:
    """Orders of a triangle, or of its unwinding, among these outcomes."""
    for outcome in outcomes:
        order = outcome.order
        if outcome.step != "place_order" or order is None:
            continue
        if order.purpose in {Purpose.TRIANGLE, Purpose.UNWIND}:
            yield order


@precise
def leftovers(orders: tuple[OrderIntent, ...], exchange: Exchange) -> tuple[Decimal, Decimal]:
    """Base and coin that these fills have left over (negative: taken from the inventory)."""
    if len(exchange.triangle) != 2:
        return ZERO, ZERO
    cross, coin_symbol = exchange.triangle
    base = coin = ZERO
    for order in orders:
        own, other = net_of(order)
        if order.symbol == exchange.symbol:
            base += own
        elif order.symbol == cross:
            base, coin = base + own, coin + other
        elif order.symbol == coin_symbol:
            coin += own
    return base, coin


def resized(step: PlaceOrder, before: tuple[Outcome, ...], venue: VenueView) -> PlaceOrder | None:
    """A later leg, no larger than what the legs before it have really brought.

    Any other step, and a first leg, as it is. None when nothing that the exchange would take is
    left of it.
    """
    orders = tuple(o for o in triangle_orders(before) if o.purpose is Purpose.TRIANGLE)
    if step.purpose is not Purpose.TRIANGLE or not orders:
        return step
    instruments = {i.symbol: i for i in (venue.spot, *venue.triangle)}
    instrument, last = instruments.get(step.symbol), instruments.get(orders[-1].symbol)
    if instrument is None or last is None:
        return None
    own, other = net_of(orders[-1])
    brought = own if orders[-1].side is Side.BUY else other
    most = brought / step.price if step.side is Side.BUY else brought
    amount = floor_to(min(step.amount, max(most, ZERO)), instrument.amount_step)
    if amount < least_amount(instrument, step.price):
        return None
    return replace(step, amount=amount)


@precise
def unwind(
    base: Decimal, coin: Decimal, venue: VenueView, config: Config
) -> tuple[TargetTrade, ...]:
    """Orders that sell (or buy back) what a partial left, where the exchange takes so little."""
    if config.exchange is None:
        return ()
    around = triangle_of(venue, config.exchange)
    if around is None:
        return ()
    found = (_undo(around.coin, coin, config), _undo(around.direct, base, config))
    return tuple(trade for trade in found if trade is not None)


def _undo(market: Market, left: Decimal, config: Config) -> TargetTrade | None:
    side = Side.SELL if left > 0 else Side.BUY
    start = best(market.book, side.other)
    if start is None or not left:
        return None
    price = start * (1 + SIGN[side] * config.hedge.slippage_bp / BP)
    limit = limit_price(market.instrument, side, price)
    if limit <= 0:
        return None
    amount = floor_to(abs(left), market.instrument.amount_step)
    if amount < least_amount(market.instrument, limit):
        return None
    return TargetTrade(
        symbol=market.instrument.symbol,
        side=side,
        amount=amount,
        limit=limit,
        order=OrderKind.IOC,
        purpose=Purpose.UNWIND,
        reduce_only=False,
        compared=(),
    )
