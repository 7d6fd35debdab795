"""margin: how far a perpetual position is from its liquidation, and how large it may be.

With the position's base b (negative is short), its mark price M, the money E behind it (its margin
with unrealised profit) and the maintenance rate m of the notional, the exchange takes it over at
the mark price p at which what is left no longer covers the maintenance margin:

    E + b (p - M) = m |b| p        p = (E - b M) / (m |b| - b)

This is Binance's formula for one position in one-way mode ("How to calculate the liquidation price
of USD-M futures contracts") in its lowest bracket. What the exchange states itself wins over it:
it knows the brackets, other positions and its own buffers; E is then what p implies.

    distance   |p - M| / M, 0 to 1: how far the mark may run against the position

A short is bounded by both, when it is opened and for as long as it is held:

    opened     notional <= leverage * equity, and distance >= ``liquidation_distance_entry``
    held       notional <= 5/4 leverage * equity, and distance >= ``liquidation_distance_min``

Beyond a bound of the second line it is bought back until it keeps both of the first. The space
between the two lines is what keeps it from opening and closing with every move of the price.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Hedge
from dexmm.model.venue import Perpetual, VenueView
from dexmm.units import price_text

ZERO = Decimal(0)
ASSUMED_MAINTENANCE = Decimal("0.05")  # of the notional, where the exchange tells no rate
SETTLED = Decimal("0.02")  # of a position: nearer than this to its goal, closing is done
HELD_LEVERAGE = Decimal("1.25")  # of the leverage at which a short is opened: a price run of 11 %


def maintenance_rate(position: Perpetual) -> Decimal:
    """Of the notional; a cautious one where the exchange tells none."""
    return ASSUMED_MAINTENANCE if position.maintenance is None else position.maintenance


def equity_of(venue: VenueView, position: Perpetual) -> Decimal:
    """Quote that orders of the perpetual may use as margin, unrealised profit included.

    Where one account holds spot balances and margin alike, it is that account's quote.
    """
    if position.shared:
        return venue.balance(venue.spot.quote).total + position.unrealised
    return position.margin + position.unrealised


def liquidation_price(venue: VenueView) -> Decimal | None:
    """Quote per base: as the exchange states it, else computed; None when there is none."""
    position = venue.position
    if position is None or not position.base or not position.mark_price > 0:
        return None
    if position.liquidation_price is not None:
        return position.liquidation_price
    price = _computed(position, _behind(venue, position))
    return price if price > 0 else None


def liquidation_distance(venue: VenueView | None) -> Decimal | None:
    """|liquidation - mark| / mark; zero or less when it is due. None when there is no position,
    or one that no price can liquidate.
    """
    position = venue.position if venue is not None else None
    if venue is None or position is None or (price := liquidation_price(venue)) is None:
        return None
    away = (price - position.mark_price) / position.mark_price
    return away if position.base < 0 else -away


def leverage_held(venue: VenueView | None) -> Decimal | None:
    """The position's notional over the money behind it; None without either."""
    position = venue.position if venue is not None else None
    if venue is None or position is None or not position.base:
        return None
    equity = equity_of(venue, position)
    return abs(position.base) * position.mark_price / equity if equity > 0 else None


@dataclass(frozen=True, slots=True)
class ShortRoom:
    """Base that may still be sold short, and by what it is bounded; negative: too much already."""

    base: Decimal
    by: str


def short_room(venue: VenueView, price: Decimal, settings: Hedge) -> ShortRoom:
    """At ``price``, quote per base, or at the mark where that is higher."""
    position = venue.position
    if position is None:
        return ShortRoom(ZERO, "its account was not read")
    mark = max(price, position.mark_price)
    fee = venue.perpetual.taker_fee if venue.perpetual else ZERO
    leverage, equity = settings.whole_leverage, equity_of(venue, position)
    by_margin = leverage * equity / (mark * (1 + leverage * fee))
    nearest = settings.liquidation_distance_entry
    by_distance = _largest(position, _behind_as_stated(venue, position), mark, nearest, short=True)
    held = min(position.base, ZERO)
    if by_margin <= by_distance:
        return ShortRoom(
            by_margin + held, f"{equity:.2f} {venue.spot.quote} of margin at leverage {leverage}"
        )
    return ShortRoom(
        by_distance + held,
        f"its liquidation must stay {percent(nearest)} away (hedge.liquidation_distance_entry)",
    )


@dataclass(frozen=True, slots=True)
class Excess:
    """Base of a position that has to be closed, and why in one sentence."""

    base: Decimal
    why: str


def excess(venue: VenueView, settings: Hedge, *, under_way: bool) -> Excess | None:
    """What has to be closed of the perpetual; None while it keeps its bounds.

    ``under_way``: closing has begun, and goes on until the bounds for opening are kept.
    """
    position, distance = venue.position, liquidation_distance(venue)
    if position is None or not position.base or not position.mark_price > 0:
        return None
    size, mark, equity = abs(position.base), position.mark_price, equity_of(venue, position)
    leverage = settings.whole_leverage
    most = leverage if under_way else leverage * HELD_LEVERAGE
    least = settings.liquidation_distance_entry if under_way else settings.liquidation_distance_min
    name = "liquidation_distance_entry" if under_way else "liquidation_distance_min"
    near = distance is not None and distance < least
    short = position.base < 0
    large = short and size * mark > most * equity
    if not near and not large:
        return None
    behind = _behind_as_stated(venue, position)
    kept = _largest(position, behind, mark, settings.liquidation_distance_entry, short=short)
    if short:
        kept = min(kept, leverage * equity / mark)
    if under_way and size - kept < size * SETTLED:
        return None  # what closing has cost, and no more
    what = f"the {'short' if short else 'long'} of {size:f} {venue.spot.base}"
    price = liquidation_price(venue)
    if near and distance is not None and price is not None:
        why = (
            f"{what} is liquidated at {price_text(price)}, {percent(distance)} from the mark "
            f"{price_text(mark)}, nearer than {percent(least)} (hedge.{name})"
        )
    else:
        why = (
            f"{what} is worth {size * mark:.2f}, more than {most:f} times its margin of "
            f"{equity:.2f} (hedge.leverage)"
        )
    return Excess(min(max(size - kept, ZERO), size), why)


def percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"


def _behind(venue: VenueView, position: Perpetual) -> Decimal:
    """The money that answers for the position at the mark, unrealised profit included."""
    if position.isolated_margin is not None:  # exchanges differ in whether a loss is in it
        return position.isolated_margin + min(position.unrealised, ZERO)
    return equity_of(venue, position)


def _behind_as_stated(venue: VenueView, position: Perpetual) -> Decimal:
    """The same, or what a liquidation price that the exchange states implies."""
    stated = position.liquidation_price
    if not position.base or stated is None:
        return _behind(venue, position)
    rate, base = maintenance_rate(position), position.base
    return stated * (rate * abs(base) - base) + base * position.mark_price


def _computed(position: Perpetual, behind: Decimal) -> Decimal:
    rate, base = maintenance_rate(position), position.base
    return (behind - base * position.mark_price) / (rate * abs(base) - base)


def _largest(
    position: Perpetual, behind: Decimal, mark: Decimal, distance: Decimal, *, short: bool
) -> Decimal:
    """The base of a position whose liquidation is just ``distance`` away from ``mark``."""
    rate = maintenance_rate(position)
    needed = distance * (1 + rate if short else 1 - rate) + rate
    return max(behind, ZERO) / (mark * needed)
