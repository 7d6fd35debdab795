"""How far ranges may carry the share where hedges have to bring it back.

Ranges that convert as a whole leave the share at an edge of the band; an exchange brings it back
to the zone around the target only with what lies there. In a trend the exchange buys what the
ranges sell, until its quote has become base while the wallet's base has become quote. Ranges made
anew for the whole band would then carry the share to the band's edge and leave it there. So they
are made for the band that hedges can still answer, with the target t:

    low  = max(band_low,  t - Q / NAV)        Q  quote free to buy with, there
    high = min(band_high, t + X P / NAV)      X  base free to sell there, and room for a short

A short that can be closed counts as quote, a long as base. What a full conversion takes is then
just what the exchange can trade back: the share stays near its target by construction, as it
stays in its band. When the price turns, the side that is left trades first, and its hedges give
the exchange back what the other side needs.

What the exchange trades moves its capacity from one side to the other and leaves the sum as it
is. Where the sum is less than the zone is wide, hedges cannot keep the share anywhere: the ranges
do it with the band as configured, as without an exchange.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config.schema import Strategy
from dexmm.model.venue import Side, VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.exposure.no_trade_zone import half_width
from dexmm.strategy.trading.hedge import legs, may_hedge
from dexmm.strategy.trading.quotes import resting_quotes

ZERO = Decimal(0)


def answerable(seen: Look) -> Strategy:
    """The settings to make ranges with: the band as far as the exchange can answer them.

    The band as configured where nothing is hedged to a zone, and where the exchange does not
    trade now: what it could answer is then not known.
    """
    settings, venue = seen.working, seen.snapshot.venue
    if venue is None or not may_hedge(seen) or seen.config.hedge.to != "zone":
        return settings
    if not venue.spot.tradable or venue.spot_book.mid is None or not seen.inventory.nav > 0:
        return settings
    buying, selling = (_capacity(seen, venue, side) for side in (Side.BUY, Side.SELL))
    if buying + selling < 2 * half_width(seen):
        return settings
    return settings.model_copy(
        update={
            "band_low": max(settings.band_low, settings.target - buying),
            "band_high": min(settings.band_high, settings.target + selling),
        }
    )


def _capacity(seen: Look, venue: VenueView, side: Side) -> Decimal:
    """What the exchange can trade, as a share of NAV."""
    found = legs(venue, side, seen.config, resting_quotes(venue, seen.snapshot.memory))
    base = sum((max(leg.most, ZERO) for leg in found), ZERO)
    return base * seen.fair / seen.inventory.nav
