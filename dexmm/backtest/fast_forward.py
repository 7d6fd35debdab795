"""Which turns need not be taken.

A turn is a pure function of what it sees. After one that decided nothing, the next ones decide
nothing either until something that a decision depends on has changed: the price has come near an
edge, the band, the corridor or a loss limit, a timer or a session boundary is due, or volatility
has become another. A backtest sleeps until the first of these may have happened, and no longer
than ``LONGEST`` or a move of ``STRIDE`` in the price. Volatility goes on being sampled in the
sleep, at the moments at which turns would have sampled it.

What a sleeper misses: peaks of NAV between two looks (at most ``STRIDE`` of the price), peaks of
the stop-loss's reference (at most ``NEW_HIGH``, so that it may act a few turns later), and,
within one of volatility's sampling intervals, the first moment at which an action that the
economic gate holds back would have become worth its gas. ``every_turn`` misses nothing; a test
holds the two against each other.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dexmm.backtest.memory_journal import MemoryJournal
from dexmm.config.schema import Config
from dexmm.decimal_context import BP, HOUR, precise
from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory
from dexmm.sim.candle_world import Doze, World, woken
from dexmm.sim.chain.chain import SimChain
from dexmm.strategy.context.memory_update import sampled, sigma_of, strays
from dexmm.strategy.context.trading_hours import next_change
from dexmm.strategy.pay.measurement import measured, sample_seconds
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.strategy.ranges.range_edges import distance
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.stop_loss import distance_of, release_of
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import PRICE, bp

STRIDE = Decimal("0.005")  # of the price: never slept through
SHORTEST_STRIDE = Decimal("0.0005")  # near a limit steps are shorter; still nearer, none is skipped
NEW_HIGH = Decimal("0.002")  # above the stop-loss's reference: it rises in steps of this
LONGEST = 6 * HOUR
EARLY = Decimal("0.95")
GATE = "economic_gate"
PATIENT = {GATE, "calendar"}  # what may hold an action back while we sleep


def doze(entry: Entry, config: Config, interval_seconds: int) -> Doze | None:
    """How long the turns after this one may be slept through; None: not at all."""
    if not _idle(entry, config):
        return None
    if entry.decision.state is State.HALTED:  # only a person could wake it
        return _until(entry, entry.at + LONGEST, STRIDE)
    stride = STRIDE
    while _near_a_limit(entry, config, stride) or _near_the_band(entry, config, stride):
        stride /= 2
        if stride < SHORTEST_STRIDE:
            return None
    until = _next_event(entry, config, interval_seconds)
    if GATE in _rules(entry):  # what gas costs, and what is earned, decides when
        until = min(until, entry.at + int(config.strategy.sigma_sample_seconds))
    return _until(entry, until, stride)


def sleep(world: World, journal: MemoryJournal, doze: Doze, config: Config) -> bool:
    """Until the next turn that is needed; False when the history is over."""
    chain, pool, market = world.chain, world.chain.pool, world.chain.market
    halted = journal.newest is not None and journal.newest.decision.state is State.HALTED
    every = max(int(config.strategy.sigma_sample_seconds), 1)
    by_pay = STRATEGIES[config.strategy.name].needs_pay
    if by_pay:
        every = min(every, sample_seconds(config.strategy))
    while True:
        known = journal.memory()
        last = known.fee_growth_at if by_pay else known.last_time
        due = max((last if last is not None else chain.timestamp) + every, chain.timestamp + 1)
        if not world.advance_to(replace(doze, until=min(due, doze.until))):
            return False
        if woken(world, doze):
            return True
        strayed = strays(pool.tick, chain.mean_tick(), config, market.fee_pips)
        memory = sampled(
            journal.memory(),
            lambda: market.price(pool.sqrt_price_x96),
            strayed,
            chain.timestamp,
            config,
        )
        if by_pay and not strayed:
            memory = _measured(memory, chain, config)
        journal.amend(memory)
        if not halted and _other_regime(memory, config, market.fee_pips):
            return True


@precise
def _measured(memory: Memory, chain: SimChain, config: Config) -> Memory:
    """What the pool has paid, as a turn would have measured it now."""
    pool, market = chain.pool, chain.market
    s = Ladder.of(market).root(pool.sqrt_price_x96)
    return measured(memory, pool, market, chain.timestamp, s, config.strategy, chain.base_fee_wei)


def _idle(entry: Entry, config: Config) -> bool:
    """Whether nothing is under way that the next turn would have to look after."""
    decision, memory = entry.decision, entry.memory
    if entry.snapshot.venue is not None or entry.snapshot.chain.in_flight or entry.steps:
        return False
    if decision.state is State.HALTED:
        return True
    if decision.state is not State.ACTIVE or memory.capital_moved:
        return False
    if memory.band_since is not None:
        return False
    if decision.withheld:
        return _rules(entry) <= PATIENT
    edge_since, dwell = memory.edge_since, config.strategy.dwell_seconds
    if edge_since is not None and entry.at - edge_since >= dwell:
        return False  # what is held serves as it is now: where the price moves on, it may not
    return decision.trigger is None


def _rules(entry: Entry) -> set[str]:
    """What bites; a session's end wakes every sleeper."""
    return {refusal.rule for refusal in entry.decision.refusals}


def _other_regime(memory: Memory, config: Config, fee_pips: int) -> bool:
    """As the trigger of that name, a little earlier."""
    made_for = memory.sigma_at_rerange
    if not made_for:
        return False
    settings = config.strategy
    then = distance(made_for, settings, fee_pips)
    now = distance(sigma_of(memory, settings), settings, fee_pips)
    return max(then, now) >= settings.regime_ratio * min(then, now) * EARLY


def _until(entry: Entry, until: int, stride: Decimal) -> Doze:
    view = entry.snapshot.chain
    fair, sqrt = entry.decision.fair_price, view.pool.sqrt_price_x96
    half = int(sqrt * stride) // 2  # of the square root
    low, high = sqrt - half, sqrt + half
    for position in view.positions:
        for tick in (position.tick_lower, position.tick_upper):
            edge = get_sqrt_ratio_at_tick(tick)
            if low < edge <= sqrt:
                low = edge
            elif sqrt < edge < high:
                high = edge
    return Doze(
        until=until,
        fair_low=fair * (1 - stride),
        fair_high=min(fair * (1 + stride), _new_high(entry)),
        sqrt_low_x96=low,
        sqrt_high_x96=high,
    )


def _new_high(entry: Entry) -> Decimal:
    """The price beyond which the stop-loss's reference would rise by more than may be missed."""
    fair = entry.decision.fair_price
    return max(entry.memory.reference_price or fair, fair) * (1 + NEW_HIGH)


def _near_a_limit(entry: Entry, config: Config, stride: Decimal) -> bool:
    """A loss or a price that a guard watches for could be reached within a stride."""
    memory, decision, guards = entry.memory, entry.decision, config.guards
    losses, nav = [], decision.nav - memory.fees_outside
    if memory.peak_nav:
        losses.append((bp(memory.peak_nav - nav, memory.peak_nav), guards.max_drawdown_bp))
    if memory.hold_base is not None and memory.hold_quote is not None and memory.peak_against_hold:
        holding = memory.hold_base * decision.fair_price + memory.hold_quote
        ratio = PRICE.divide(nav, holding) if holding > 0 else Decimal(1)
        behind = bp(memory.peak_against_hold - ratio, memory.peak_against_hold)
        losses.append((behind, guards.max_drawdown_hold_bp))
    price, market = decision.fair_price, config.market
    near, near_bp = 1 + 2 * stride, 2 * stride * BP
    if memory.reference_price:
        fallen = bp(memory.reference_price - price, memory.reference_price)
        if memory.stop_loss_waits:
            distance = memory.stop_loss_distance or guards.stop_loss_bp / BP
            if fallen - near_bp < release_of(distance, guards) * BP:
                return True
        else:
            sigma = memory.reference_sigma or Decimal(0)
            losses.append((fallen, distance_of(sigma, guards) * BP))
    outside = not market.price_low * near <= price <= market.price_high / near
    return outside or any(lost + near_bp > most for lost, most in losses)


def _near_the_band(entry: Entry, config: Config, stride: Decimal) -> bool:
    """The share could leave its band, by more than is tolerated, within a stride."""
    settings, view, nav = config.strategy, entry.snapshot.chain, entry.decision.nav
    if not STRATEGIES[settings.name].keeps_band:
        return False
    share = entry.decision.share
    if not nav:
        return True
    inside = sum(p.liquidity for p in view.positions if p.in_range(view.pool.tick))
    # What a liquidity L trades over a small move x of the price is worth L sqrt(P) x / 2.
    quote_units = inside * view.pool.sqrt_price_x96 >> 96
    if not view.market.base_is_token0:
        quote_units = (inside << 96) // view.pool.sqrt_price_x96
    traded = Decimal(quote_units).scaleb(-view.market.quote.decimals) * stride / 2
    room = stride * share * (1 - share) + traded / nav - settings.band_tolerance
    return not settings.band_low + room <= share <= settings.band_high - room


def _next_event(entry: Entry, config: Config, interval_seconds: int) -> int:
    """The first moment at which time alone may change the decision."""
    memory, now = entry.memory, entry.snapshot.chain.block.timestamp
    settings = config.strategy
    moments = [now + LONGEST]
    if memory.edge_since is not None:
        moments.append(memory.edge_since + int(settings.dwell_seconds))
    if memory.last_rerange_at is not None:
        moments.append(memory.last_rerange_at + int(settings.max_age_hours * HOUR))
    if memory.pay_since is not None:
        moments.append(memory.pay_since + int(settings.pay_dwell_hours * HOUR))
    due = min(moment for moment in moments if moment > now)
    change = next_change(now, config.guards)
    if change is None or change > due:
        return due
    # The last turn before a session changes is taken, and the first one after it.
    before = now + (change - 1 - now) // interval_seconds * interval_seconds
    return before if before > now else change
