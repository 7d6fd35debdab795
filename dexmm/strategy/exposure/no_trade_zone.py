"""The no-trade zone around the target share, where an exchange can bring the share back.

Trading continuously would cost without end, never trading would risk without bound. With a cost
lambda of what is traded, relative risk aversion gamma and a target share t, the best is to do
nothing within

    t - h  <=  share  <=  t + h,      h = (3 lambda / (2 gamma) * t^2 (1 - t)^2)^(1/3)

and to trade back to the edge that was left, not to the target (Davis and Norman, "Portfolio
selection with transaction costs", 1990). The width is the leading order for small costs, with the
target as Merton's proportion: Janecek and Shreve, "Asymptotic analysis for optimal investment and
consumption with transaction costs", Finance and Stochastics 8, 2004, for a cost lambda each way;
Gerhold, Guasoni, Muhle-Karbe and Schachermayer, "Transaction costs, trading volume, and the
liquidity premium", Finance and Stochastics 18, 2014 (arXiv 1108.1167), find the same for a long
horizon: (3 / (4 gamma) t^2 (1 - t)^2 epsilon)^(1/3), epsilon being the whole spread, 2 lambda.
It is what minimises the cost per unit of time of both, for a share that moves with sigma t (1 - t):

    gamma sigma^2 h^2 / 6  +  lambda sigma^2 t^2 (1 - t)^2 / (2 h)

Volatility multiplies both and cancels; it counts in lambda, as what waiting in the book risks:

    lambda = min(taker fee + half the spread, maker fee - half the spread + 0.4 sigma sqrt(timeout))

of the ways that ``hedge.style`` allows, at least ``LEAST_COST``. That liquidity in the pool moves
the share too, and faster, would widen the zone; it is left out, since the zone is what keeps a
trend from leaving the share where the pool has put it. The zone ends half-way to the nearer edge
of the band at the latest.

Everything is Decimal: lambda is rounded up to half a basis point, so that a book that breathes
does not move the zone, which errs on the wide side; the cube root is exp(ln / 3) to the context's
digits. What is traded is bounded by capacity (``range_capacity.py``).

A fixed cost makes small trades bad: none begins below a quarter of h, or ``max_order_base`` where
that is less, nor below the exchange's smallest order.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from dexmm.config.schema import Hedge, Strategy
from dexmm.decimal_context import ONE
from dexmm.model.venue import VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.trading.execution_routes import MEAN_RUN, waiting_cost

ZERO = Decimal(0)
LEAST_COST = Decimal("0.0001")
COST_STEP = Decimal("0.00005")  # costs are told apart in half basis points, rounded up
LEAST_PART = Decimal("0.25")  # of the half width: the smallest trade that begins


def half_width(seen: Look) -> Decimal:
    """Of the zone, as a share of NAV; zero without an exchange."""
    venue, settings, hedge = seen.snapshot.venue, seen.working, seen.config.hedge
    if venue is None:
        return ZERO
    room = min(settings.target - settings.band_low, settings.band_high - settings.target)
    if hedge.zone_share is not None:
        return min(hedge.zone_share, room)
    cost = _whole(cost_of(venue, seen, hedge))
    return min(_best(cost, settings.target, hedge.risk_aversion), room / 2)


def goal_in_zone(share: Decimal, settings: Strategy, half: Decimal) -> Decimal:
    """The edge of the zone that was left; the share itself inside."""
    return min(max(share, settings.target - half), settings.target + half)


def least_trade(seen: Look, half: Decimal) -> Decimal:
    """Base: the smallest trade that brings the share back to the zone."""
    part = LEAST_PART * half * seen.inventory.nav / seen.fair
    return min(part, seen.config.hedge.max_order_base)


def cost_of(venue: VenueView, seen: Look, hedge: Hedge) -> Decimal:
    """Of a trade of one unit of value, on the cheapest way allowed."""
    book, spot = venue.spot_book, venue.spot
    half = ZERO
    if book.bids and book.asks and book.mid:
        half = (book.asks[0].price - book.bids[0].price) / (2 * book.mid)
    ways = []
    if hedge.style != "post_only":
        ways.append(spot.taker_fee + half)
    if hedge.style != "ioc":
        ways.append(spot.maker_fee - half + MEAN_RUN * waiting_cost(seen.sigma, hedge))
    return max(min(ways), LEAST_COST)


def _whole(cost: Decimal) -> Decimal:
    return (cost / COST_STEP).to_integral_value(ROUND_CEILING) * COST_STEP


@lru_cache(maxsize=64)
def _best(cost: Decimal, target: Decimal, risk_aversion: Decimal) -> Decimal:
    variance = (target * (ONE - target)) ** 2
    cubed = 3 * cost / (2 * risk_aversion) * variance
    return (cubed.ln() / 3).exp() if cubed else ZERO
