"""hedge: trade on the exchange what ranges cannot bring back.

With ``to = "zone"`` a hedge begins when the share leaves a no-trade zone around the target t, and
ends at the zone's edge (``strategy/exposure/no_trade_zone.py``); what quotes have moved does not
count in it inside the band, since they bring it back (``quotes_part``). With ``target`` or
``bound`` it begins when the share s leaves the hard band [lo - tol, hi + tol], or while it is
outside [lo, hi] and what is held cannot bring it back within the recovery horizon H: not even a
price run of one standard deviation, sigma sqrt(H), in the direction in which the ranges correct
would. It ends at its goal, the target or the edge of the band that was left:

    gap = base - goal NAV / P    base to sell; negative: to buy. Trading at P leaves NAV as it is.

One slice a turn, min(gap, max_order_base), down to the exchange's step, so that no slice goes past
the goal. Each turn measures the gap afresh from balances: fills and their fees, in whatever coin,
are in it. What is left under the minimum of the account that would trade it is carried: it stays
in the inventory, the next hedge finds it in its gap, and nothing is sent that would be refused.

    selling   close a perpetual long, then sell spot gold, then open a perpetual short
    buying    close a perpetual short, then buy spot

A short is bounded by leverage and by the distance to its liquidation
(``strategy/risk/liquidation.py``); one beyond those bounds is bought back before anything else, in
slices, by reducing only. Of the ways there are to trade spot (``execution_routes.py``) the cheapest
is taken, and the comparison is kept. An order that rests is left alone until
``maker_timeout_seconds``; then it is taken out, so that its fills count, and the next slice takes.
While a fate is unknown, or a guard doubts the price, nothing new is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import BP, HOUR
from dexmm.model.memory import Memory
from dexmm.model.venue import Book, Instrument, RestingOrder, Side, VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.context.memory_update import outside_band
from dexmm.strategy.exposure.fair_price import MILLISECONDS, age_of
from dexmm.strategy.exposure.no_trade_zone import goal_in_zone, half_width, least_trade
from dexmm.strategy.rebalance.triggers import share_at
from dexmm.strategy.risk.liquidation import short_room
from dexmm.strategy.trading.execution_routes import maker_price, taker_limit
from dexmm.strategy.trading.lot_rules import ceil_to, least_amount, limit_price

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One account that a side can be traded in, and how much of it."""

    instrument: Instrument
    book: Book
    side: Side
    most: Decimal  # base
    reduce_only: bool
    limit: Decimal  # the worst price a taker accepts
    bound: str = ""  # what bounds ``most``, in words

    @property
    def least(self) -> Decimal:
        """The smallest order here; the minimum of cost is not asked of what only reduces."""
        if self.reduce_only:
            return ceil_to(
                max(self.instrument.amount_min, self.instrument.amount_step),
                self.instrument.amount_step,
            )
        return least_amount(self.instrument, self.limit)


def goal_share(seen: Look) -> Decimal:
    """Where a hedge leads; the share itself where nothing is to be done."""
    share, settings, config = seen.inventory.share, seen.working, seen.config
    if config.hedge.to == "zone":
        left = quotes_part(seen)
        return goal_in_zone(share - left, settings, half_width(seen)) + left
    if config.hedge.to == "target":
        return settings.target
    return min(max(share, settings.band_low), settings.band_high)


def quotes_part(seen: Look) -> Decimal:
    """The part of the share that quotes have moved and bring back themselves.

    A hedge that traded against their fills would pay for what the next fill may undo, and take all
    quotes out of the book meanwhile. Beside ranges that is ``quotes.max_drift`` at most; without
    any, where nothing else trades, as far as the band. Outside the band the share counts as it is.
    """
    quotes, nav, settings = seen.config.quotes, seen.inventory.nav, seen.working
    if not quotes.enabled or nav <= 0 or outside_band(seen.inventory.share, seen.settings, ZERO):
        return ZERO
    least, most = -quotes.max_drift, quotes.max_drift
    if not seen.held:
        least, most = settings.band_low - settings.target, settings.band_high - settings.target
    return min(max(drift_of(seen.known) * seen.fair / nav, least), most)


def drift_of(memory: Memory) -> Decimal:
    """Base that trades other than hedges have brought in since the ranges held were placed."""
    return memory.traded_base - memory.hedged_base


def gap_of(seen: Look) -> Decimal:
    """Base to sell (negative: to buy) until the goal."""
    return seen.inventory.excess(goal_share(seen))


def side_of(gap: Decimal) -> Side:
    return Side.SELL if gap > 0 else Side.BUY


def under_way(seen: Look) -> Side | None:
    """The side of a hedge that begins now or goes on; None when there is none."""
    if not may_hedge(seen) or not seen.inventory.nav > 0:
        return None
    gap = gap_of(seen)
    if not gap:
        return None
    side = side_of(gap)
    if seen.known.hedging is side or _begins(seen, abs(gap)):
        return side
    return None


def pressing(seen: Look) -> bool:
    """Whether the share is outside its band, or would be hedged only there."""
    return seen.config.hedge.to != "zone" or outside_band(seen.inventory.share, seen.settings, ZERO)


def may_hedge(seen: Look) -> bool:
    """``hold`` never touches the inventory."""
    return (
        seen.snapshot.venue is not None
        and seen.config.exchange is not None
        and seen.config.hedge.enabled
        and seen.settings.name != "hold"
    )


def _begins(seen: Look, gap: Decimal) -> bool:
    share, settings = seen.inventory.share, seen.settings
    if seen.config.hedge.to == "zone" and gap >= least_trade(seen, half_width(seen)):
        return True
    if outside_band(share, settings, settings.band_tolerance):
        return True
    return outside_band(share, settings, ZERO) and not recovers(seen)


def recovers(seen: Look) -> bool:
    """Whether a run of one standard deviation would let the ranges bring the share back."""
    settings, since = seen.settings, seen.known.band_since
    horizon = settings.recovery_hours * HOUR
    if not seen.held or (since is not None and seen.now - since >= horizon):
        return False
    half_run = (seen.sigma * horizon.sqrt() / 2).exp()  # of the root of the price
    selling = seen.inventory.share > settings.band_high
    s = seen.s * half_run if selling else seen.s / half_run
    return not outside_band(share_at(seen, s), settings, ZERO)


def legs(
    venue: VenueView, side: Side, config: Config, resting: tuple[RestingOrder, ...]
) -> tuple[Leg, ...]:
    """Where ``side`` can be traded now, in the order of use.

    ``resting`` are orders of ours that will have been taken out first: what they lock is free.
    """
    close = _perpetual(venue, side, config, closing=True)
    spot = _spot(venue, side, config, resting)
    short = _perpetual(venue, side, config, closing=False) if side is Side.SELL else None
    return tuple(leg for leg in (close, spot, short) if leg is not None)


def _spot(
    venue: VenueView, side: Side, config: Config, resting: tuple[RestingOrder, ...]
) -> Leg | None:
    limit = taker_limit(venue.spot_book, venue.spot, side, config.hedge)
    if limit is None or limit <= 0:
        return None
    most = free_base(venue, resting)
    if side is Side.BUY:
        most = free_quote(venue, resting) / (limit * (1 + venue.spot.taker_fee))
    return Leg(
        instrument=venue.spot,
        book=venue.spot_book,
        side=side,
        most=most,
        reduce_only=False,
        limit=limit,
    )


def free_base(venue: VenueView, resting: tuple[RestingOrder, ...]) -> Decimal:
    """Spot base, with what these orders of ours lock."""
    locked = (
        o.amount - o.filled
        for o in resting
        if o.side is Side.SELL and o.symbol == venue.spot.symbol
    )
    return venue.balance(venue.spot.base).free + sum(locked, ZERO)


def free_quote(venue: VenueView, resting: tuple[RestingOrder, ...]) -> Decimal:
    """Spot quote, with what these orders of ours lock."""
    locked = (
        (o.amount - o.filled) * o.price
        for o in resting
        if o.side is Side.BUY and o.symbol == venue.spot.symbol
    )
    return venue.balance(venue.spot.quote).free + sum(locked, ZERO)


def _perpetual(venue: VenueView, side: Side, config: Config, *, closing: bool) -> Leg | None:
    found = _perpetual_or_why(venue, side, config, closing=closing)
    return found if isinstance(found, Leg) else None


def _perpetual_or_why(venue: VenueView, side: Side, config: Config, *, closing: bool) -> Leg | str:
    """The perpetual as a leg, or why it is none."""
    instrument, book, position = venue.perpetual, venue.perpetual_book, venue.position
    if instrument is None:
        return "no perpetual is configured"
    if book is None or position is None:
        return f"{instrument.symbol} was not looked at"
    if not instrument.tradable:
        return f"{instrument.symbol} is suspended"
    if position.hedge_mode:
        return (
            f"{instrument.symbol} is in hedge mode: set its account to one-way position mode on "
            "the exchange"
        )
    if doubt := _doubt(venue, book, config):
        return doubt
    limit = taker_limit(book, instrument, side, config.hedge)
    if limit is None or limit <= 0:
        return f"the {instrument.symbol} book has no price"
    against = -position.base if side is Side.BUY else position.base
    most, bound = against, f"nothing is {'short' if side is Side.BUY else 'long'} there"
    if not closing:
        if position.base > 0:
            return f"a long of {position.base:f} there is closed first"
        room = short_room(venue, limit, config.hedge)
        most, bound = room.base, room.by
    if most <= 0:
        return f"{instrument.symbol} has no room for a short: {bound}" if not closing else bound
    return Leg(
        instrument=instrument,
        book=book,
        side=side,
        most=most,
        reduce_only=closing,
        limit=limit,
        bound=bound,
    )


def _doubt(venue: VenueView, book: Book, config: Config) -> str:
    """Why the perpetual's book is no base for an order: old, without a price, far from the spot.

    Empty when it is one.
    """
    if config.exchange is None or book.mid is None:
        return f"the {book.symbol} book is empty or crossed"
    if venue.spot_book.mid is None:
        return f"the {venue.spot.symbol} book is empty or crossed"
    age, most = age_of(book, venue), config.exchange.max_ticker_age_seconds
    if age > most:
        return f"the {book.symbol} book is {age:.1f} s old, more than {most} s"
    off = abs(book.mid / venue.spot_book.mid - 1) * BP
    if off > (most_apart := config.exchange.max_spread(0)):  # two books: no pool in it
        return (
            f"the {book.symbol} book is {off:.0f} bp from the spot's, more than "
            f"{most_apart} bp (exchange.max_spread_bp)"
        )
    return ""


def first_leg(found: tuple[Leg, ...], gap: Decimal) -> Leg | None:
    """The first one in which some of the gap (positive) can be traded."""
    for leg in found:
        if min(gap, leg.most) >= leg.least:
            return leg
    return None


def under_minimum(found: tuple[Leg, ...], gap: Decimal) -> bool:
    """Whether some of the gap (positive) could be traded in one of them but for its minimum."""
    return any(0 < min(gap, leg.most) < leg.least for leg in found)


def least_of(
    venue: VenueView, side: Side, config: Config, resting: tuple[RestingOrder, ...] = ()
) -> Decimal:
    """The smallest gap worth an order: what an account that could trade it takes.

    Where none could, what the spot market takes. Zero where that has no price.
    """
    usable = [leg.least for leg in legs(venue, side, config, resting) if leg.most >= leg.least]
    if usable:
        return min(usable)
    price = taker_limit(venue.spot_book, venue.spot, side, config.hedge)
    return least_amount(venue.spot, price) if price else ZERO


def why_no_leg(
    venue: VenueView,
    side: Side,
    config: Config,
    resting: tuple[RestingOrder, ...],
    most: Decimal,
) -> str:
    """What keeps each account from trading ``most``, the largest order: each in its own words."""
    found = legs(venue, side, config, resting)
    barred = [leg for leg in found if leg.most >= leg.least > most]
    if barred:
        leg = min(barred, key=lambda leg: leg.least)
        return (
            f"the smallest order in {leg.instrument.symbol} is {leg.least:f}: raise "
            f"hedge.max_order_base, {config.hedge.max_order_base}"
        )
    causes = [_why_no_spot(venue, side, config, found)]
    if side is Side.SELL:
        short = _perpetual_or_why(venue, side, config, closing=False)
        causes.append(short if isinstance(short, str) else _too_small(short))
    return "; ".join(causes)


def _why_no_spot(venue: VenueView, side: Side, config: Config, found: tuple[Leg, ...]) -> str:
    spot = next((leg for leg in found if not leg.instrument.contract), None)
    if spot is None:
        return f"the {venue.spot.symbol} book has no price"
    if side is Side.SELL:
        return (
            f"{venue.exchange} has {spot.most:f} {venue.spot.base} free, and the smallest order "
            f"is {spot.least:f}"
        )
    return (
        f"{venue.exchange} has {free_quote(venue, ()):.2f} {venue.spot.quote} free, and the "
        f"smallest order is {spot.least:f} {venue.spot.base}"
    )


def _too_small(leg: Leg) -> str:
    return (
        f"{leg.instrument.symbol} has room for a short of {max(leg.most, ZERO):.6f} "
        f"({leg.bound}), and the smallest order is {leg.least:f}"
    )


def closing_leg(venue: VenueView, config: Config) -> Leg | str:
    """The perpetual's position as something to close, or why it cannot be closed now.

    Held against the mark price and not against the spot's: what is closed in need waits for no
    other market.
    """
    instrument, book, position = venue.perpetual, venue.perpetual_book, venue.position
    if instrument is None or book is None or position is None:
        return "the perpetual was not looked at"
    side = Side.BUY if position.base < 0 else Side.SELL
    if not instrument.tradable:
        return f"{instrument.symbol} is suspended"
    if position.hedge_mode:
        return f"{instrument.symbol} is in hedge mode: close it on the exchange"
    age = age_of(book, venue)
    most = config.exchange.max_ticker_age_seconds if config.exchange else 0
    if age > most:
        return f"the {book.symbol} book is {age:.1f} s old, more than {most} s"
    limit = taker_limit(book, instrument, side, config.hedge)
    if book.mid is None or limit is None or limit <= 0:
        return f"the {book.symbol} book is empty or crossed"
    return Leg(
        instrument=instrument,
        book=book,
        side=side,
        most=abs(position.base),
        reduce_only=True,
        limit=limit,
    )


def resting_hedge(venue: VenueView, memory: Memory) -> RestingOrder | None:
    """The hedge of ours that rests in the book, if it is still there."""
    for order in venue.resting:
        if order.ours and memory.hedge_order and order.client_id == memory.hedge_order:
            return order
    return None


def timed_out(order: RestingOrder, venue: VenueView, config: Config) -> bool:
    return venue.at - order.at >= config.hedge.maker_timeout_seconds * MILLISECONDS


def resting_price(leg: Leg) -> Decimal | None:
    """Where a patient order rests, on the grid."""
    price = maker_price(leg.book, leg.side)
    return None if price is None else limit_price(leg.instrument, leg.side, price)
