"""Where to quote: two prices around a reference, skewed by the inventory.

Bands. With the full spread S = 2 * half_spread and a factor f chosen by the share of the base,

    bid = ref - f S        f = bid_factor_high (0.6)  share above the band: the bid moves away
    ask = ref + (1 - f) S      bid_factor_low  (0.4)  share below it: the bid moves in
                               bid_factor_mid  (0.5)  between

Within the band the factor moves from ``bid_factor_mid`` towards the outer ones as quotes carry the
inventory away: beside a pool from what its ranges were placed for (``max_drift``), without ranges
from the target (to the band's edge). The side that does so gets the smaller too.

Avellaneda and Stoikov (2008), "High-frequency trading in a limit order book", with q the inventory
beyond its target in units of one order, v the variance of the price per second (price squared),
tau the time left, gamma the risk aversion and kappa how fast fills thin out with distance:

    r = ref - q gamma v tau                                   reservation price
    spread = gamma v tau + (2 / gamma) ln(1 + gamma / kappa)   about r

The paper's horizon ends; a market maker's does not, so tau is the same ``horizon_seconds`` ahead
at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Quotes, Strategy
from dexmm.strategy.exposure.inventory import Inventory

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Quote per base, not on any grid yet."""

    bid: Decimal
    ask: Decimal


def reservation_price(
    mid: Decimal, inventory: Decimal, gamma: Decimal, variance: Decimal, left: Decimal
) -> Decimal:
    """What one more unit is worth to somebody who holds ``inventory`` of them."""
    return mid - inventory * gamma * variance * left


def optimal_spread(gamma: Decimal, kappa: Decimal, variance: Decimal, left: Decimal) -> Decimal:
    """From bid to ask."""
    return gamma * variance * left + 2 / gamma * (1 + gamma / kappa).ln()


def bid_factor(
    share: Decimal, strategy: Strategy, settings: Quotes, lean: Decimal = ZERO
) -> Decimal:
    """How much of the full spread lies below the reference; ``lean`` counts within the band."""
    if share > strategy.band_high:
        return settings.bid_factor_high
    if share < strategy.band_low:
        return settings.bid_factor_low
    middle = settings.bid_factor_mid
    furthest = settings.bid_factor_high if lean > 0 else settings.bid_factor_low
    return middle + abs(lean) * (furthest - middle)


def band_prices(
    reference: Decimal,
    share: Decimal,
    strategy: Strategy,
    settings: Quotes,
    lean: Decimal = ZERO,
) -> Prices:
    """The three bands; between them by ``lean``, -1 (too little base) to 1 (too much)."""
    spread = 2 * settings.half_spread
    below = bid_factor(share, strategy, settings, lean) * spread
    return Prices(reference - below, reference + spread - below)


def avellaneda_prices(
    reference: Decimal, excess: Decimal, sigma: Decimal, settings: Quotes
) -> Prices:
    """``excess`` is base beyond the target; ``sigma`` of log price per square root of a second."""
    variance = (sigma * reference) ** 2
    left = Decimal(settings.horizon_seconds)
    centre = reservation_price(
        reference, excess / settings.size_base, settings.gamma, variance, left
    )
    half = optimal_spread(settings.gamma, settings.kappa, variance, left) / 2
    return Prices(centre - half, centre + half)


def wanted_prices(
    held: Inventory,
    reference: Decimal,
    sigma: Decimal,
    strategy: Strategy,
    settings: Quotes,
    lean: Decimal = ZERO,
) -> Prices:
    """By the configured skew. Avellaneda and Stoikov's leans by the inventory as it is."""
    if settings.skew == "bands":
        return band_prices(reference, held.share, strategy, settings, lean)
    return avellaneda_prices(reference, held.excess(strategy.target), sigma, settings)


def widened(prices: Prices, factor: Decimal) -> Prices:
    """The same centre, ``factor`` times the spread."""
    centre, half = (prices.bid + prices.ask) / 2, (prices.ask - prices.bid) / 2
    return Prices(centre - half * factor, centre + half * factor)
