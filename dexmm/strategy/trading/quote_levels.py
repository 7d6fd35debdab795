"""Which resting quotes stay, which are moved, and what is new.

On each side there is one wanted price, and orders of ours that rest:

    risk        an order beyond the reference by more than the tolerance, on a side that is not
                wanted, twice at one price, or whose fill after those nearer would carry the share
                or the drift too far, is taken out; risk does not ask the budget. The nearest is
                only once it would carry the drift a quarter too far
    near        the nearest within the tolerance of its wanted price stays: it keeps its queue. One
                nearer than that is next to be filled, which is what it is there for
    moved       where the exchange amends orders in place, and the nearest is too far, the farthest
                of its side is moved to the wanted price: it is no cancel, and asks no budget
    far         elsewhere a fresh order is placed at the wanted price when the nearest is too far,
                and the one that the price left behind stays, as a deeper level, up to
                ``quotes.levels`` a side: it costs no cancel, and serves again when the price comes
                back
    full        with all levels taken, the farthest makes room, if the cancel budget has one more
    behind      a side with fewer than ``quotes.least_levels`` orders gets another behind, each a
                wanted distance further: when the nearest is filled, one stands until the next look

The tolerance is ``quotes.tolerance_bp`` but never more than half of the wanted distance, so that an
order is followed before it rests at twice that distance.

For a price that goes up and down by one tolerance at a time, N levels need one cancel for every
N + 1 orders at most: the number of orders behind the price is a random walk between 1 and N, and
only at N does a further step cost a cancel. One level would need one for every two.

The budget: at most ``exchange.cancel_ratio`` of the orders sent in the window, of which
``exchange.cancel_minimum_orders`` count as sent from the start (an exchange does not judge the
ratio of the first few). What rests has to go in the end (a hedge, a stop), so that room is kept
for all of it. The shorter the budget, the wider the quotes (``shortness``): wider ones have a wider
tolerance and are filled rather than moved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import BP
from dexmm.model.decision import Refusal, TargetQuote
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.strategy.trading.lot_rules import floor_to, least_amount, limit_price
from dexmm.strategy.trading.quote_limits import Desk, drift_room, free_for, inventory_limit

ZERO, ONE = Decimal(0), Decimal(1)
HALF = Decimal("0.5")
TOLERANCE_PART = HALF  # of the wanted distance, at most
SLACK = Decimal("0.25")  # of the drift, by which an order that rests may be too large
COMFORTABLE = Decimal("0.7")  # of the budget: spent to there, nothing is widened

Wanted = dict[Side, TargetQuote]


@dataclass(slots=True)
class Level:
    """One side: the orders that stay, nearest first, and what is wanted of them."""

    target: TargetQuote
    orders: list[RestingOrder]
    off: Decimal  # the nearest is so much farther than wanted, beyond the tolerance


def reconciled(
    desk: Desk, wanted: Wanted, refusals: tuple[Refusal, ...]
) -> tuple[tuple[TargetQuote, ...], tuple[Refusal, ...]]:
    """What should rest, the orders that stay named exactly as they rest, and why not more."""
    sides = {side: _level(desk, target, wanted) for side, target in wanted.items()}
    kept = sum(len(level.orders) for level in sides.values())
    forced = len(desk.ours) - kept
    left = cancels_left(desk.venue, desk.config) - forced - max(kept, len(wanted))
    fresh = {side: _anew(desk, level.target) for side, level in sides.items() if not level.orders}
    held_back = []
    for side in sorted((s for s in sides if sides[s].orders), key=lambda s: -sides[s].off):
        level = sides[side]
        if level.off <= 0:
            continue
        if (moved := _moved(desk, level)) is not None:
            level.orders.pop()
            fresh[side] = moved
        elif (beside := _beside(desk, level)) is not None:
            fresh[side] = beside
        elif left > 0:
            left -= 1
            level.orders.pop()
            fresh[side] = _beside(desk, level) or level.target
        else:
            held_back.append(side)
    if held_back:
        refusals = (*refusals, _over_budget(desk, held_back))
    return _apart(desk, sides, fresh), refusals


def at_risk(desk: Desk, order: RestingOrder, wanted: Wanted) -> bool:
    """Its side is not wanted, or it gives away more than the tolerance.

    A little beyond the reference it is about to be filled, which is what it is there for.
    """
    if order.side not in wanted:
        return True
    over = tolerance(desk, wanted[order.side])
    if order.side is Side.BUY:
        return order.price > desk.reference + over
    return order.price < desk.reference - over


def tolerance(desk: Desk, target: TargetQuote) -> Decimal:
    """How far an order may rest from its wanted price, in quote: below its distance, always."""
    configured = desk.config.quotes.tolerance_bp * desk.reference / BP
    return min(configured, TOLERANCE_PART * abs(target.price - desk.reference))


def as_quote(order: RestingOrder) -> TargetQuote:
    """An order just as it rests."""
    left = order.amount - order.filled
    return TargetQuote(symbol=order.symbol, side=order.side, price=order.price, amount=left)


def staying(desk: Desk, wanted: Wanted) -> tuple[TargetQuote, ...]:
    """While nothing new may be sent."""
    return tuple(as_quote(order) for order in desk.ours if not at_risk(desk, order, wanted))


def _level(desk: Desk, target: TargetQuote, wanted: Wanted) -> Level:
    side, sign = target.side, 1 if target.side is Side.BUY else -1
    safe = [o for o in desk.ours if o.side is side and not at_risk(desk, o, wanted)]
    safe.sort(key=lambda o: (-sign * o.price, o.at))
    orders: list[RestingOrder] = []
    total = ZERO
    for order in safe:
        twice = bool(orders) and orders[-1].price == order.price
        after = total + order.amount - order.filled
        fits = _bearable(desk, side, after) if orders else _still_fits(desk, side, after)
        if not twice and fits:
            orders.append(order)
            total = after
    if not orders:
        return Level(target, orders, ZERO)
    farther = sign * (target.price - orders[0].price)
    return Level(target, orders, farther - tolerance(desk, target))


def _bearable(desk: Desk, side: Side, amount: Decimal) -> bool:
    """Whether the share and the drift may take fills of ``amount`` together on this side."""
    room = drift_room(desk, side)
    return (room is None or amount <= room) and inventory_limit(desk, side, amount) is None


def _still_fits(desk: Desk, side: Side, amount: Decimal) -> bool:
    """Whether the nearest order may stay: it fitted when it was placed, and what has changed since
    is worth a cancel only beyond ``SLACK``. Its share of the band is asked with its side."""
    room = drift_room(desk, side)
    return room is None or amount <= room + SLACK * desk.most_drift


def _moved(desk: Desk, level: Level) -> TargetQuote | None:
    """The farthest order at the wanted price, just as large as it is; None where it is to stay."""
    *others, farthest = level.orders
    left = farthest.amount - farthest.filled
    if not desk.venue.amends or left < HALF * level.target.amount:
        return None
    beside = [as_quote(order) for order in others]
    moved = _another(desk, replace(level.target, amount=left), beside)
    return moved if moved is not None and moved.amount == left else None


def _anew(desk: Desk, target: TargetQuote) -> TargetQuote:
    """A side of which no order stays: as large as one that can be moved there, if one can."""
    if not desk.venue.amends:
        return target
    parts = (o.amount - o.filled for o in desk.ours if o.side is target.side)
    fitting = [left for left in parts if HALF * target.amount <= left <= target.amount]
    least = least_amount(desk.venue.spot, target.price)
    return replace(
        target, amount=max([left for left in fitting if left >= least] or [target.amount])
    )


def _beside(desk: Desk, level: Level) -> TargetQuote | None:
    """The wanted order, as large as it can be beside those that stay; None where it cannot."""
    resting = [as_quote(order) for order in level.orders]
    return _another(desk, level.target, resting)


def _another(desk: Desk, target: TargetQuote, beside: list[TargetQuote]) -> TargetQuote | None:
    if len(beside) >= desk.config.quotes.levels or target.price <= 0:
        return None
    buying = target.side is Side.BUY
    resting = sum((quote.amount for quote in beside), ZERO)
    locked = sum((quote.amount * (quote.price if buying else ONE) for quote in beside), ZERO)
    most = free_for(desk, target.side, target.price) - (locked / target.price if buying else locked)
    room = drift_room(desk, target.side)
    if room is not None:
        most = min(most, room - resting)
    spot = desk.venue.spot
    amount = floor_to(min(target.amount, most), spot.amount_step)
    if amount < least_amount(spot, target.price):
        return None
    if not _bearable(desk, target.side, resting + amount):
        return None
    return replace(target, amount=amount)


def _behind(desk: Desk, target: TargetQuote, there: list[TargetQuote]) -> list[TargetQuote]:
    """Further orders, until ``quotes.least_levels`` rest on this side."""
    found: list[TargetQuote] = []
    away = abs(target.price - desk.reference)
    sign = 1 if target.side is Side.BUY else -1
    while len(there) + len(found) < desk.config.quotes.least_levels:
        last = min((*there, *found), key=lambda quote: sign * quote.price)
        price = limit_price(desk.venue.spot, target.side, last.price - sign * away)
        another = _another(desk, replace(target, price=price), [*there, *found])
        if another is None or price == last.price:
            break
        found.append(another)
    return found


def allowed_cancels(venue: VenueView, config: Config) -> int:
    """How many orders the cancel ratio allows to have been taken out by now."""
    if config.exchange is None:
        return 0
    counted = max(venue.recent_sent, config.exchange.cancel_minimum_orders)
    return int((config.exchange.cancel_ratio * counted).to_integral_value(ROUND_FLOOR))


def cancels_left(venue: VenueView, config: Config) -> int:
    """How many more orders the cancel ratio allows to take out now."""
    return max(allowed_cancels(venue, config) - venue.recent_cancelled, 0)


def shortness(venue: VenueView, config: Config) -> Decimal:
    """How much of the cancel budget is spent, 0 to 1."""
    allowed = allowed_cancels(venue, config)
    if not allowed:
        return ONE
    return min(Decimal(venue.recent_cancelled) / allowed, ONE)


def budget_factor(venue: VenueView, config: Config) -> Decimal:
    """How much wider quotes are for a short budget: 1 to ``quotes.budget_widen_factor``."""
    over = max(shortness(venue, config) - COMFORTABLE, ZERO) / (ONE - COMFORTABLE)
    return ONE + over * (config.quotes.budget_widen_factor - ONE)


def _over_budget(desk: Desk, sides: list[Side]) -> Refusal:
    venue, exchange = desk.venue, desk.config.exchange
    ratio = exchange.cancel_ratio if exchange else ZERO
    return Refusal(
        rule="cancel_budget",
        detail=f"{venue.recent_cancelled} of {venue.recent_sent} orders were cancelled and at most "
        f"{ratio} may be: the {' and the '.join(sides)} quote stays where it is",
    )


def _apart(desk: Desk, sides: dict[Side, Level], fresh: Wanted) -> tuple[TargetQuote, ...]:
    """Every bid below every ask: what is new gives way to what stays."""
    step = desk.venue.spot.price_step
    stays = {side: [as_quote(order) for order in level.orders] for side, level in sides.items()}
    asks, bids = stays.get(Side.SELL, []), stays.get(Side.BUY, [])
    if (bid := fresh.get(Side.BUY)) is not None and asks:
        fresh[Side.BUY] = replace(bid, price=min([bid.price, *(a.price - step for a in asks)]))
    if (ask := fresh.get(Side.SELL)) is not None:
        facing = [*bids, *([fresh[Side.BUY]] if Side.BUY in fresh else [])]
        fresh[Side.SELL] = replace(ask, price=max([ask.price, *(b.price + step for b in facing)]))
    found: list[TargetQuote] = []
    for side, level in sides.items():
        there = [*([fresh[side]] if side in fresh else []), *stays[side]]
        found += [*there, *_behind(desk, level.target, there)]
    return tuple(found)
