"""What the exchange adds to the inventory, and what came to it or left it.

A perpetual position is gold that was bought or sold with money that is still owed: ``base`` of it
at ``entry`` is worth margin + unrealised profit, whatever the price does. So that base and quote
can be added up like any others, the position counts in full as base, and the quote side carries

    margin + unrealised - base * price

with which base * price + quote is exactly the money in the derivatives account. Known fills are
in the balances, which one answer of the exchange states together; what is still unfilled of an
order whose fate is unknown counts in neither, and as the worst case in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.decimal_context import BP
from dexmm.model.memory import Memory
from dexmm.model.venue import Side, VenueView

ZERO = Decimal(0)
FLOW_BP = Decimal(10)  # of NAV: what is smaller is funding, fees or roundings, and no deposit


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """On the exchange, in whole tokens."""

    spot_base: Decimal
    spot_quote: Decimal
    perpetual_base: Decimal  # negative is short
    perpetual_quote: Decimal  # see the top of this file
    pending_buy: Decimal  # base that orders of unknown fate may still buy
    pending_sell: Decimal


def held_there(venue: VenueView, price: Decimal) -> Held:
    """Everything the account holds, its perpetual valued at ``price`` (quote per base)."""
    position = venue.position
    base = position.base if position else ZERO
    equity = position.margin + position.unrealised if position else ZERO
    return Held(
        spot_base=venue.balance(venue.spot.base).total,
        spot_quote=venue.balance(venue.spot.quote).total,
        perpetual_base=base,
        perpetual_quote=equity - base * price,
        pending_buy=_pending(venue, Side.BUY),
        pending_sell=_pending(venue, Side.SELL),
    )


def _pending(venue: VenueView, side: Side) -> Decimal:
    """Orders in other coins' markets (a triangle's legs) leave the base alone."""
    ours = {venue.spot.symbol, *([venue.perpetual.symbol] if venue.perpetual else [])}
    orders = [o for o in venue.pending if o.side is side and o.symbol in ours]
    return sum((max(o.amount - o.filled, ZERO) for o in orders), ZERO)


def amounts_there(venue: VenueView | None) -> tuple[Decimal, Decimal]:
    """Base and quote with the perpetual at its entry price: trades move them, prices do not."""
    if venue is None:
        return ZERO, ZERO
    base = venue.balance(venue.spot.base).total
    quote = venue.balance(venue.spot.quote).total
    if venue.position is not None:
        base += venue.position.base
        quote += venue.position.margin - venue.position.base * venue.position.entry_price
    return base, quote


def venue_flow(
    venue: VenueView | None, memory: Memory, price: Decimal, nav: Decimal
) -> tuple[Decimal, Decimal]:
    """What was deposited on the exchange (or withdrawn, negative) since the last look.

    A trade gives one coin for the other at about their price, so its two changes cancel out in
    value; a deposit's do not. An exchange that was added to the configuration is a deposit, one
    that was taken out of it a withdrawal.
    """
    base, quote = amounts_there(venue)
    known = memory.venue_base is not None and memory.venue_quote is not None
    if not known:
        return (base, quote) if venue is not None and memory.seen_at is not None else (ZERO, ZERO)
    moved_base = base - (memory.venue_base or ZERO)
    moved_quote = quote - (memory.venue_quote or ZERO)
    if venue is None:
        return moved_base, moved_quote
    net = abs(moved_base * price + moved_quote)
    gross = abs(moved_base) * price + abs(moved_quote)
    if net * 2 <= gross or net * BP <= FLOW_BP * nav:
        return ZERO, ZERO
    return moved_base, moved_quote


def lags(venue: VenueView, memory: Memory) -> bool:
    """Whether the balances do not show yet what the last turn's orders filled."""
    if not memory.unsettled_base or memory.venue_base is None:
        return False
    moved = amounts_there(venue)[0] - memory.venue_base
    return abs(moved - memory.unsettled_base) > abs(moved)
