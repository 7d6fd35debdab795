"""decide_quotes: the orders that should rest in the book now.

    stop        outside the price corridor, in doubt about the price, in a closed session that is
                configured so: no quotes, and what rests is taken out
    hold        while a fate is unknown or the exchange refused us: what rests stays, nothing new
    price       ``quote_prices.py``; wider or smaller in a closed session
    side        a bid is not wanted while the stop-loss holds, an order not where its fill (and
                that of every order of unknown fate) would carry the share over an edge of its
                band, nor beyond what the account has free
    price       at least ``spread_sigmas`` of a refresh's move wide, wider on a short cancel budget
    levels      what stays, what is moved and what is new: ``quote_levels.py``

Quoting is a difference: the answer names the orders that stay exactly as they rest, and
``plan_orders`` finds nothing to do about them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.config.schema import Config, Quotes
from dexmm.decimal_context import precise
from dexmm.model.decision import Refusal, TargetQuote
from dexmm.model.memory import Memory
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.strategy.context.trading_hours import event_on, market_closed
from dexmm.strategy.exposure.inventory import Inventory
from dexmm.strategy.trading.lot_rules import (
    floor_to,
    least_amount,
    limit_price,
    minimums,
    most_amount,
    short,
)
from dexmm.strategy.trading.quote_levels import budget_factor, reconciled, staying
from dexmm.strategy.trading.quote_limits import (
    Desk,
    drift_room,
    drifted,
    free_for,
    inventory_limit,
    leaned,
    post_only,
)
from dexmm.strategy.trading.quote_prices import Prices, wanted_prices, widened
from dexmm.units import price_text

ZERO, ONE = Decimal(0), Decimal(1)
HOLDING = {"pending_order", "unsettled_balance", "order_back_off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    quotes: tuple[TargetQuote, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    stopped: bool = False  # quotes were wanted and a guard took them all out


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
    span: Decimal | None = None,
) -> Quoting:
    """The quotes for this moment. Needs no pool: ``held`` may be the exchange's alone.

    ``reference`` is the price to quote around, ``sigma`` the log price's volatility per square
    root of a second, ``now`` a timestamp in seconds, ``holds`` the guards that bite on new orders,
    ``drift`` the base that trades on the exchange have brought in since the pool's ranges were
    placed (negative: taken out), None where there are none. With ``span`` it is the base beyond the
    target instead, and the span is what the share may differ from it at the band's edge.
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
        span=span,
    )
    session = _session(now, config)
    doubts = tuple(hold for hold in holds if hold.rule not in HOLDING)
    stops = (*_corridor(desk), *((session.stop,) if session.stop else ()))
    if stops or doubts:
        return Quoting(refusals=stops, stopped=True)
    prices = widened(_prices(desk, sigma), session.spread)
    sides, refusals = _sides(desk, prices, session.size)
    if holds:
        return Quoting(quotes=staying(desk, sides), refusals=refusals)
    found, refusals = reconciled(desk, sides, refusals)
    return Quoting(quotes=found, refusals=refusals)


def _prices(desk: Desk, sigma: Decimal) -> Prices:
    """The wanted prices: by the skew, at least as wide as the price moves, wider on a short budget.

    Between two refreshes the price moves by about sigma sqrt(refresh_seconds): quotes nearer than
    ``spread_sigmas`` times that would be passed by before they are looked at again.
    """
    config = desk.config
    found = wanted_prices(
        desk.held, desk.reference, sigma, config.strategy, config.quotes, desk.lean
    )
    half = (found.ask - found.bid) / 2
    least = least_half_spread(desk.reference, sigma, config.quotes)
    factor = max(least / half, ONE) if half > 0 else ONE
    return widened(found, factor * budget_factor(desk.venue, config))


def least_half_spread(reference: Decimal, sigma: Decimal, settings: Quotes) -> Decimal:
    """In quote; ``sigma`` of the log price per square root of a second."""
    moves = sigma * reference * Decimal(settings.refresh_seconds).sqrt()
    return settings.spread_sigmas * moves


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
        f"the reference price {price_text(desk.reference)} is outside the corridor "
        f"{market.price_low} to {market.price_high} (market.price_low, market.price_high): all "
        "quotes are taken out"
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
    wanted, free, room = settings.size_base * size, free_for(desk, side, at), drift_room(desk, side)
    least, largest = least_amount(spot, at), most_amount(spot, at)
    if room is not None and room < least <= wanted:
        return drifted(desk, side)
    if room is not None:
        # No order takes the inventory from one end to the other: back to the middle at most.
        wanted, room = min(wanted, desk.most_drift), min(room, desk.most_drift)
    lean = max(leaned(desk, side, wanted), least)
    bounds = [bound for bound in (wanted, lean, free, room, largest) if bound is not None]
    amount = floor_to(min(bounds), spot.amount_step)
    if amount < least:
        return _too_small(desk, side, wanted, free, least)
    if refusal := inventory_limit(desk, side, amount):
        return refusal
    return TargetQuote(symbol=spot.symbol, side=side, price=at, amount=amount)


def _too_small(desk: Desk, side: Side, wanted: Decimal, free: Decimal, least: Decimal) -> Refusal:
    """Why no order of ``least`` or more can be made: the configured size, or what is free."""
    spot, exchange = desk.venue.spot, desk.venue.exchange
    if wanted < least:
        shrunk = "" if wanted == desk.config.quotes.size_base else " (made smaller by the calendar)"
        return _below_minimum(desk.venue, wanted, least, shrunk, f"no {side} is quoted")
    coin = spot.quote if side is Side.BUY else spot.base
    detail = (
        f"too little {coin} is free on {exchange} for a {side}: it is enough for "
        f"{max(free, ZERO):.6f} {spot.base}, and the minimum is {short(least)}"
    )
    return Refusal(rule="quote_balance", detail=detail)


def size_refusal(venue: VenueView, config: Config) -> Refusal | None:
    """The configured size where the exchange takes none so small, whatever is going on: what is
    not quoted now could not be quoted later either. None where it does, or shows no price."""
    size, mid = config.quotes.size_base, venue.spot_book.mid
    if not config.quotes.enabled or mid is None or size >= (least := least_amount(venue.spot, mid)):
        return None
    return _below_minimum(venue, size, least, "", "nothing can be quoted")


def _below_minimum(
    venue: VenueView, wanted: Decimal, least: Decimal, shrunk: str, so: str
) -> Refusal:
    spot, exchange = venue.spot, venue.exchange
    cause = (
        f"rounds to nothing on the step of {exchange}"
        if wanted < spot.amount_step
        else f"is below the minimum of {exchange}, {short(least)} at this price"
    )
    detail = (
        f"quotes.size_base of {short(wanted)} {spot.base}{shrunk} {cause} ({minimums(spot)}): {so}"
    )
    return Refusal(rule="quote_size", detail=detail)
