"""decide_quotes: the orders that should rest in the book now.

    stop        outside the price corridor, in doubt about the price, in a closed session that is
                configured so: no quotes, and what rests is taken out
    hold        while a fate is unknown or the exchange refused us: what rests stays, nothing new
    price       ``quotes.py``; wider or smaller in a closed session
    side        a bid is not wanted while the stop-loss holds, an order not where its fill (and
                that of every order of unknown fate) would carry the share over an edge of its
                band, nor beyond what the account has free
    keep        an order within ``tolerance_bp`` of its wanted price stays: it keeps its queue
    budget      another is only moved while cancels stay under ``cancel_ratio`` of orders sent

Risk does not ask the budget: an order beyond the reference by more than the tolerance, on a side
that is not wanted, or twice there, is taken out. Since what rests may have to go at any time (a
hedge, the end), the budget always keeps room for that. Quoting is a difference: the answer names
the orders that stay exactly as they rest, and ``plan_orders`` finds nothing to do about them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from dexmm.config import Config
from dexmm.model.decision import Refusal, TargetQuote
from dexmm.model.memory import Memory
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.strategy.depth import best, without
from dexmm.strategy.grid import (
    ceil_to,
    floor_to,
    least_amount,
    limit_price,
    minimums,
    most_amount,
    short,
)
from dexmm.strategy.hedge import free_base, free_quote
from dexmm.strategy.inventory import Inventory
from dexmm.strategy.precise import BP, precise
from dexmm.strategy.quotes import Prices, wanted_prices, widened
from dexmm.strategy.reduce import floor_share
from dexmm.strategy.session import event_on, market_closed

ZERO, ONE = Decimal(0), Decimal(1)
HOLDING = {"pending_order", "unsettled_balance", "order_back_off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    quotes: tuple[TargetQuote, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    stopped: bool = False  # quotes were wanted and a guard took them all out


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every question here needs."""

    venue: VenueView
    held: Inventory
    reference: Decimal
    config: Config
    ours: tuple[RestingOrder, ...]  # resting quotes
    reducing: bool
    drift: Decimal | None  # base; None without ranges that it could drift away from

    @property
    def most_drift(self) -> Decimal:
        """Base that trades here may carry the inventory away, in either direction."""
        return self.config.quotes.max_drift * self.held.nav / self.reference

    @property
    def lean(self) -> Decimal:
        """The drift as a part of the most, -1 to 1."""
        if not self.drift or self.most_drift <= 0:
            return ZERO
        return max(min(self.drift / self.most_drift, ONE), -ONE)


@dataclass(frozen=True, slots=True)
class Session:
    """What the calendar makes of quoting."""

    spread: Decimal = ONE
    size: Decimal = ONE
    stop: Refusal | None = None


@precise
def decide_quotes(
    venue: VenueView,
    held: Inventory,
    reference: Decimal,
    sigma: Decimal,
    now: int,
    config: Config,
    memory: Memory,
    holds: tuple[Refusal, ...] = (),
    *,
    reducing: bool = False,
    drift: Decimal | None = None,
) -> Quoting:
    """The quotes for this moment. Needs no pool: ``held`` may be the exchange's alone.

    ``reference`` is the price to quote around, ``sigma`` the log price's volatility per square
    root of a second, ``now`` a timestamp in seconds, ``holds`` the guards that bite on new orders,
    ``drift`` the base that trades on the exchange have brought in since the pool's ranges were
    placed (negative: taken out), None where there are none.
    """
    if not config.quotes.enabled:
        return Quoting()
    desk = Desk(
        venue=venue,
        held=held,
        reference=reference,
        config=config,
        ours=resting_quotes(venue, memory),
        reducing=reducing,
        drift=drift,
    )
    session = _session(now, config)
    doubts = tuple(hold for hold in holds if hold.rule not in HOLDING)
    stops = (*_corridor(desk), *((session.stop,) if session.stop else ()))
    if stops or doubts:
        return Quoting(refusals=stops, stopped=True)
    prices = wanted_prices(held, reference, sigma, config.strategy, config.quotes, desk.lean)
    sides, refusals = _sides(desk, widened(prices, session.spread), session.size)
    if holds:
        return Quoting(quotes=_staying(desk, sides), refusals=refusals)
    return _reconcile(desk, sides, refusals)


def resting_quotes(venue: VenueView, memory: Memory) -> tuple[RestingOrder, ...]:
    """Our resting orders in the spot market, without a hedge that rests."""
    return tuple(
        order
        for order in venue.resting
        if order.ours
        and order.symbol == venue.spot.symbol
        and (not memory.hedge_order or order.client_id != memory.hedge_order)
    )


def _corridor(desk: Desk) -> tuple[Refusal, ...]:
    market = desk.config.market
    if market.price_low <= desk.reference <= market.price_high:
        return ()
    detail = (
        f"the reference price {desk.reference:.2f} is outside the corridor {market.price_low} to "
        f"{market.price_high} (market.price_low, market.price_high): all quotes are taken out"
    )
    return (Refusal(rule="quote_corridor", detail=detail),)


def _session(now: int, config: Config) -> Session:
    settings, guards = config.quotes, config.guards
    found = Session()
    for what, how in (
        (market_closed(now, guards), settings.closed),
        (event_on(now, guards.closed_events), settings.event),
    ):
        if what and how == "stop":
            detail = f"no quotes in {what} UTC (quotes.closed, quotes.event)"
            found = replace(found, stop=Refusal(rule="quote_calendar", detail=detail))
        elif what and how == "widen":
            found = replace(found, spread=settings.widen_factor)
        elif what and how == "shrink":
            found = replace(found, size=settings.shrink_factor)
    return found


def _sides(
    desk: Desk, prices: Prices, size: Decimal
) -> tuple[dict[Side, TargetQuote], tuple[Refusal, ...]]:
    """What is wanted on each side, before anything that rests is looked at."""
    wanted: dict[Side, TargetQuote] = {}
    refusals = []
    for side, price in ((Side.BUY, prices.bid), (Side.SELL, prices.ask)):
        found = _side(desk, side, price, size)
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            wanted[side] = found
    return wanted, tuple(refusals)


def _side(desk: Desk, side: Side, price: Decimal, size: Decimal) -> TargetQuote | Refusal:
    settings, spot = desk.config.quotes, desk.venue.spot
    if desk.reducing and side is Side.BUY:
        return Refusal(rule="stop_loss", detail="no bid is quoted while the stop-loss holds")
    at = post_only(desk, side, limit_price(spot, side, price))
    if at <= 0:
        return Refusal(rule="quote_balance", detail=f"a {side} would be priced at nothing")
    wanted, free, room = settings.size_base * size, _free(desk, side, at), _drift_room(desk, side)
    least, largest = least_amount(spot, at), most_amount(spot, at)
    if room is not None and room < least <= wanted:
        return _drifted(desk, side)
    bounds = [bound for bound in (wanted, free, room, largest) if bound is not None]
    amount = floor_to(min(bounds), spot.amount_step)
    if amount < least:
        return _too_small(desk, side, wanted, free, least)
    if refusal := _inventory_limit(desk, side, amount):
        return refusal
    return TargetQuote(symbol=spot.symbol, side=side, price=at, amount=amount)


def _too_small(desk: Desk, side: Side, wanted: Decimal, free: Decimal, least: Decimal) -> Refusal:
    """Why no order of ``least`` or more can be made: the configured size, or what is free."""
    spot, exchange = desk.venue.spot, desk.venue.exchange
    if wanted < least:
        shrunk = "" if wanted == desk.config.quotes.size_base else " (made smaller by the calendar)"
        cause = (
            f"rounds to nothing on the step of {exchange}"
            if wanted < spot.amount_step
            else f"is below the minimum of {exchange}, {short(least)} at this price"
        )
        detail = (
            f"quotes.size_base of {short(wanted)} {spot.base}{shrunk} {cause} ({minimums(spot)}): "
            f"no {side} is quoted"
        )
        return Refusal(rule="quote_size", detail=detail)
    coin = spot.quote if side is Side.BUY else spot.base
    detail = (
        f"too little {coin} is free on {exchange} for a {side}: it is enough for "
        f"{max(free, ZERO):.6f} {spot.base}, and the minimum is {short(least)}"
    )
    return Refusal(rule="quote_balance", detail=detail)


def post_only(desk: Desk, side: Side, price: Decimal) -> Decimal:
    """No nearer than one step from the book's other side, and from any order of this account.

    Our own quotes do not count here: those that stay are looked at last (``_apart``).
    """
    venue, quotes = desk.venue, {order.client_id for order in desk.ours}
    step = venue.spot.price_step
    facing = [best(without(venue.spot_book, desk.ours), side.other)]
    facing += [
        order.price
        for order in venue.resting
        if order.side is side.other
        and order.symbol == venue.spot.symbol
        and order.client_id not in quotes
    ]
    known = [found for found in facing if found is not None]
    if side is Side.BUY:
        return min([price, *(floor_to(found - step, step) for found in known)])
    return max([price, *(ceil_to(found + step, step) for found in known)])


def _free(desk: Desk, side: Side, price: Decimal) -> Decimal:
    """Base that could rest on this side if our quotes there did not."""
    if side is Side.SELL:
        return free_base(desk.venue, desk.ours)
    return free_quote(desk.venue, desk.ours) / price


def _drift_room(desk: Desk, side: Side) -> Decimal | None:
    """Base that this side may still trade before the inventory has drifted too far."""
    if desk.drift is None:
        return None
    drift = desk.drift if side is Side.BUY else -desk.drift
    return desk.most_drift - drift


def _drifted(desk: Desk, side: Side) -> Refusal:
    most = desk.config.quotes.max_drift
    moved = desk.lean * most
    return Refusal(
        rule="quote_drift",
        detail=f"trades on {desk.venue.exchange} have moved {moved:.4f} of the NAV since the "
        f"pool's ranges were placed, and at most {most} may be (quotes.max_drift): no {side} until "
        "the other side has brought it back",
    )


def _inventory_limit(desk: Desk, side: Side, amount: Decimal) -> Refusal | None:
    """A fill never carries the share over an edge of its band.

    Where it is beyond that edge already (the price took it there), the skew answers first and the
    side goes on, moved away, for another ``inventory_margin``.
    """
    strategy, margin = desk.config.strategy, desk.config.quotes.inventory_margin
    held, share = desk.held, desk.held.share
    if side is Side.BUY:
        most = strategy.band_high + (margin if share > strategy.band_high else ZERO)
        after = held.share_after(amount + held.pending_buy)
        beyond, bound = after > most, f"above {most}"
    else:
        least = strategy.band_low - (margin if share < strategy.band_low else ZERO)
        if desk.reducing:
            least = floor_share(strategy)  # where the stop-loss ends selling, quotes end it too
        after = held.share_after(-amount - held.pending_sell)
        beyond, bound = after < least, f"below {least}"
    if not beyond:
        return None
    detail = f"a {side} of {amount:f} could take the share to {after:.4f}, {bound}"
    return Refusal(rule="quote_inventory", detail=detail)


def _at_risk(desk: Desk, order: RestingOrder, wanted: dict[Side, TargetQuote]) -> bool:
    """Its side is not wanted, or it gives away more than the tolerance.

    A little beyond the reference it is about to be filled, which is what it is there for.
    """
    if order.side not in wanted:
        return True
    if order.side is Side.BUY:
        return order.price > desk.reference + _tolerance(desk)
    return order.price < desk.reference - _tolerance(desk)


def _tolerance(desk: Desk) -> Decimal:
    return desk.config.quotes.tolerance_bp * desk.reference / BP


def as_quote(order: RestingOrder) -> TargetQuote:
    """An order just as it rests."""
    left = order.amount - order.filled
    return TargetQuote(symbol=order.symbol, side=order.side, price=order.price, amount=left)


def _staying(desk: Desk, wanted: dict[Side, TargetQuote]) -> tuple[TargetQuote, ...]:
    return tuple(as_quote(order) for order in desk.ours if not _at_risk(desk, order, wanted))


def _reconcile(
    desk: Desk, wanted: dict[Side, TargetQuote], refusals: tuple[Refusal, ...]
) -> Quoting:
    """What stays, what is moved, what is new."""
    safe = [order for order in desk.ours if not _at_risk(desk, order, wanted)]
    kept: dict[Side, RestingOrder] = {}
    for side, target in wanted.items():
        serving = [order for order in safe if order.side is side]
        if serving:
            kept[side] = min(serving, key=lambda o: (abs(o.price - target.price), o.at))
    forced = len(desk.ours) - len(kept)
    left = cancels_left(desk.venue, desk.config) - forced - len(wanted)
    strayed = [side for side in kept if _off(desk, kept[side], wanted[side]) > 0]
    strayed.sort(key=lambda side: -_off(desk, kept[side], wanted[side]))
    held_back = strayed[max(left, 0) :]
    for side in strayed[: max(left, 0)]:
        del kept[side]
    if held_back:
        refusals = (*refusals, _over_budget(desk, held_back))
    return Quoting(quotes=_apart(desk, wanted, kept), refusals=refusals)


def _off(desk: Desk, order: RestingOrder, target: TargetQuote) -> Decimal:
    """How far an order is beyond the tolerance around its wanted price; not positive: it stays."""
    return abs(order.price - target.price) - _tolerance(desk)


def cancels_left(venue: VenueView, config: Config) -> int:
    """How many more orders the cancel ratio allows to take out now."""
    ratio = config.exchange.cancel_ratio if config.exchange else ZERO
    most = (ratio * venue.recent_sent).to_integral_value(ROUND_FLOOR)
    return max(int(most) - venue.recent_cancelled, 0)


def _over_budget(desk: Desk, sides: list[Side]) -> Refusal:
    venue, exchange = desk.venue, desk.config.exchange
    ratio = exchange.cancel_ratio if exchange else ZERO
    return Refusal(
        rule="cancel_budget",
        detail=f"{venue.recent_cancelled} of {venue.recent_sent} orders were cancelled and at most "
        f"{ratio} may be: the {' and the '.join(sides)} quote stays where it is",
    )


def _apart(
    desk: Desk, wanted: dict[Side, TargetQuote], kept: dict[Side, RestingOrder]
) -> tuple[TargetQuote, ...]:
    """The bid below the ask, whichever of them stays."""
    step = desk.venue.spot.price_step
    final = {**wanted, **{side: as_quote(order) for side, order in kept.items()}}
    if len(final) == 2 and final[Side.BUY].price >= final[Side.SELL].price:
        if Side.SELL in kept:
            final[Side.BUY] = replace(final[Side.BUY], price=final[Side.SELL].price - step)
        else:
            final[Side.SELL] = replace(final[Side.SELL], price=final[Side.BUY].price + step)
    return tuple(final[side] for side in (Side.BUY, Side.SELL) if side in final)
