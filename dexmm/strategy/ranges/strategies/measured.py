"""measured: provide only where the pool pays, in the size that pays, as wide as that size allows.

With F, L0 and lambda' as measured (``pay.py``) a liquidity L between edges at the log distance d is
expected to earn, per second,

    net(L, d) = F L / (L0 + L) - lambda' L - gas sigma^2 / d^2

the last being a re-range each time the price reaches an edge. Whatever d is, the first two are
greatest at L* = sqrt(F L0 / lambda') - L0, so size comes first: of the distances between
``edge_min`` and ``edge_max`` each takes min(L*, what ``budget`` may place there), L* as far as the
pay ratio is believed (``Pay.prudent``), and the one that nets most is taken, the wider of equals.
Budgets keep the share inside the band by construction, whatever part of them is used.

Where L* is nothing, where no distance nets anything, or before ``pay_measure_hours`` have been
looked at, no liquidity is placed: the inventory is held. What would change that is said.

A share outside its band, which nothing else can bring back, is brought back all the same, by one
range over the single grid step beside the price: it trades what the share is off the band and
``INSIDE`` of the way from there to the target. The first bounce converts it, half a step and its
gas being the cost (a swap would pay the pool's fee and move its price), and it is taken out before
it could trade back.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.decimal_context import BP
from dexmm.model.decision import Role
from dexmm.strategy.ranges.range_edges import place
from dexmm.strategy.ranges.range_input import Range, Situation, ranges
from dexmm.strategy.ranges.strategies.budget import fill

ZERO = Decimal(0)
DISTANCES = 8  # that are compared, evenly in their logarithm
INSIDE = Decimal("0.2")


def measured(situation: Situation) -> tuple[Range, ...]:
    """Base and limit that together bring the liquidity that pays, or nothing."""
    if situation.bring_back:
        return brought_back(situation)
    pay = situation.pay
    if pay is None or not pay.known:
        return ()
    best = pay.best
    if best <= 0:
        return ()
    found: tuple[Range, ...] = ()
    most = ZERO
    for away in distances(situation):
        placed = sized(fill(situation, *place(situation, away, away)), best)
        net = pay.net(around(placed)) - moving(situation, away)
        if placed and net > most:
            found, most = placed, net
    return found


def brought_back(situation: Situation) -> tuple[Range, ...]:
    """The range beside the price that trades the share back into its band; none inside of it."""
    settings, ladder, share = situation.settings, situation.ladder, situation.share
    price = situation.s * situation.s
    value = situation.base * price + situation.quote
    if share > settings.band_high:
        bid = ladder.up(situation.ceiling)
        edges = bid, bid + ladder.spacing
        goal = settings.band_high - (settings.band_high - settings.target) * INSIDE
        base = min((share - goal) * value / price, situation.deployable({edges})[0])
        return ranges((edges, situation.most(*edges, base, ZERO), Role.LIMIT))
    if share < settings.band_low:
        ask = ladder.down(situation.floor)
        edges = ask - ladder.spacing, ask
        goal = settings.band_low + (settings.target - settings.band_low) * INSIDE
        quote = min((goal - share) * value, situation.deployable({edges})[1])
        return ranges((edges, situation.most(*edges, ZERO, quote), Role.LIMIT))
    return ()


def distances(situation: Situation) -> tuple[Decimal, ...]:
    """Log distances of an edge, the widest first."""
    least = situation.settings.edge_min(situation.fee_pips) / BP
    most = situation.settings.edge_max_bp / BP
    step = (least / most).ln() / (DISTANCES - 1)
    return tuple(most * (step * n).exp() for n in range(DISTANCES))


def sized(placed: tuple[Range, ...], best: Decimal) -> tuple[Range, ...]:
    """As much of these ranges as pays: the limit position, which trades beside the base, first
    gives way."""
    base = sum((Decimal(r.liquidity) for r in placed if r.role is Role.BASE), ZERO)
    left = max(best - base, ZERO)
    return ranges(
        *(
            (
                (r.bid, r.ask),
                min(Decimal(r.liquidity), best if r.role is Role.BASE else left),
                r.role,
            )
            for r in placed
        )
    )


def around(placed: tuple[Range, ...]) -> Decimal:
    """The liquidity that trades where the price is, or just beside it."""
    return Decimal(max((r.liquidity for r in placed), default=0))


def moving(situation: Situation, away: Decimal) -> Decimal:
    """What following the price costs per second, smallest units of quote."""
    return situation.gas_quote * situation.sigma**2 / (away * away)
