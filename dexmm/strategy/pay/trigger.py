"""Whether another liquidity than that held is worth its gas: the trigger of ``measured``.

A change is worth it when what it is expected to earn more within ``pay_horizon_hours`` is above
the gas that it takes; taking out what costs more than it earns is such a change too. It must have
been so for ``pay_dwell_hours``, since what a pool pays is only an estimate. Looking is cheap: what
L* would earn bounds what any range could. Ranges are worked out when that has passed the dwell.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.decimal_context import DAY, HOUR, LN_TICK, ONE, precise
from dexmm.model.decision import TargetPosition
from dexmm.strategy.context.context import Look
from dexmm.strategy.ranges.held_ranges import edges_of
from dexmm.strategy.ranges.liquidity_diff import Difference
from dexmm.strategy.rebalance.gas_economics import (
    GAS_BASE,
    GAS_BURN,
    GAS_MINT,
    TYPICAL_GAS,
    gas_of,
    gas_price,
    in_quote,
)
from dexmm.units import sum_text

ZERO = Decimal(0)


def provides_by_pay(seen: Look) -> bool:
    """Whether the strategy provides only what the pool pays for."""
    return seen.limits.definition.needs_pay


def must_bring_back(seen: Look) -> bool:
    """Whether the share is outside its band where only ranges can bring it back, paid or not."""
    hedged = seen.snapshot.venue is not None and seen.config.hedge.enabled
    return provides_by_pay(seen) and seen.known.band_since is not None and not hedged


def size_is_off(seen: Look) -> bool:
    """Whether any other liquidity could be worth its gas; a bound, cheap to work out.

    A turn asks for it up to three times: to act on it, and to remember since when it is so.
    """
    global _newest
    if not provides_by_pay(seen):
        return False
    newest = _newest
    if newest is None or newest[0] is not seen:
        newest = _newest = seen, _size_is_off(seen)
    return newest[1]


_newest: tuple[Look, bool] | None = None


@precise
def _size_is_off(seen: Look) -> bool:
    pay = seen.pay
    if not pay.known:
        return False
    best, held = pay.worth, _held(seen)
    if not best and not held:
        return False
    gained = best - pay.net(held)
    gas = GAS_BASE + len(seen.held) * GAS_BURN + (GAS_MINT if best else 0)
    return _within_horizon(seen, gained) > _gas(seen, gas)


def pay_since(seen: Look, acted: bool) -> int | None:
    """Since when that has been so, for the memory; once it has been acted on, it begins anew."""
    if not size_is_off(seen):
        return None
    since = seen.known.pay_since
    return seen.now if since is None or acted or due(seen) else since


def due(seen: Look) -> bool:
    """Whether it has been so for long enough to act on."""
    since = seen.known.pay_since
    dwell = seen.settings.pay_dwell_hours * HOUR
    return since is not None and seen.now - since >= dwell and size_is_off(seen)


def worth_it(seen: Look, change: Difference, targets: tuple[TargetPosition, ...]) -> bool:
    """Whether these very ranges earn more than those held, by more than the gas of the change.

    Each earns less what following the price with ranges so wide costs (``measured.py``).
    """
    pay = seen.pay
    wanted = Decimal(max((int(t.liquidity) for t in targets), default=0))
    gained = pay.net(wanted) - pay.net(_held(seen))
    if targets:
        bids, asks = zip(
            *(seen.ladder.rungs(t.tick_lower, t.tick_upper) for t in targets), strict=True
        )
        gained -= _moving(seen, min(bids), max(asks))
    if seen.held:
        gained += _moving(seen, *edges_of(seen.held, seen.ladder))
    return _within_horizon(seen, gained) > _gas(seen, gas_of(change))


def _moving(seen: Look, bid: int, ask: int) -> Decimal:
    """What following the price with a range between these rungs costs per second."""
    away = (ask - bid) * LN_TICK / 2
    return rerange_gas(seen) * (seen.sigma / away) ** 2


def rerange_gas(seen: Look) -> Decimal:
    """Of a usual re-range at the gas price of now, in smallest units of quote."""
    return _gas(seen, TYPICAL_GAS)


def pay_words(seen: Look) -> str:
    """What the pool pays, and what it would take."""
    pay = seen.pay
    if not pay.known:
        hours = seen.settings.pay_measure_hours
        return (
            f"what the pool pays has not been watched for {hours:f} hours yet "
            "(strategy.pay_measure_hours)"
        )
    quote = seen.view.market.quote
    daily, needed = (
        (rate * DAY).scaleb(-quote.decimals) for rate in (pay.fees, pay.cost * pay.others)
    )
    return (
        f"other people pay liquidity {sum_text(daily)} {quote.symbol} of fees a day, "
        f"{pay.ratio:.2f} of the {sum_text(needed)} that arbitrage takes"
    )


def aside_words(seen: Look) -> str:
    """The same of a pool that is left alone, and from what on it would not be.

    n(L*) = (sqrt F - sqrt(lambda' L0))^2 earns the gas of a deposit g within the horizon T from
    F = (sqrt(lambda' L0) + sqrt(g / T))^2 on.
    """
    pay = seen.pay
    if not pay.known or not pay.others:
        return pay_words(seen)
    gas = _gas(seen, GAS_BASE + GAS_MINT)
    taken = pay.cost * pay.others
    needed = (taken.sqrt() + (gas / _within_horizon(seen, ONE)).sqrt()) ** 2
    needed = pay.measured_at(needed)
    quote = seen.view.market.quote
    daily, each = (needed * DAY).scaleb(-quote.decimals), gas.scaleb(-quote.decimals)
    ratio = f", {needed / taken:.2f} of it" if taken else ""
    return (
        f"{pay_words(seen)}; it would provide from {sum_text(daily)} a day on{ratio}, where that "
        f"earns the {sum_text(each)} of gas within {seen.settings.pay_horizon_hours:f} hours"
    )


def _held(seen: Look) -> Decimal:
    tick = seen.view.pool.tick
    return Decimal(sum(int(p.liquidity) for p in seen.view.positions if p.in_range(tick)))


def _within_horizon(seen: Look, rate: Decimal) -> Decimal:
    return rate * seen.settings.pay_horizon_hours * HOUR


def _gas(seen: Look, gas: int) -> Decimal:
    wei = gas * gas_price(seen.view, seen.config)
    return in_quote(seen.view, wei).scaleb(seen.view.market.quote.decimals)
