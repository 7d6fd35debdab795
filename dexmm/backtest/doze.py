"""Which turns need not be taken.

A turn is a pure function of what it sees. After one that decided nothing, the next ones decide
nothing either until something that a decision depends on has changed: the price has come near an
edge, the band, the corridor or a loss limit, a timer or a session boundary is due, or volatility
takes its next sample. A backtest sleeps until the first of these may have happened, and no longer
than ``volatility``'s sampling interval or a move of ``STRIDE`` in the price.

What a sleeper misses: peaks of NAV and of the stop-loss's reference between two looks (at most
``STRIDE`` of the price), and the minutes within a sampling interval in which an action that the
economic gate holds back would first have become worth its gas. ``every_turn`` misses nothing; a
test holds the two against each other.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.config import Config
from dexmm.model.decision import State
from dexmm.model.entry import Entry
from dexmm.model.snapshot import ChainView
from dexmm.sim.world import Doze
from dexmm.strategy.precise import DAY, HOUR
from dexmm.strategy.session import next_change
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import PRICE, bp

STRIDE = Decimal("0.0025")  # of the price: never slept through
NEAR_LIMIT_BP = Decimal(60)  # of a loss limit: nearer, and every turn is taken
NEAR_BAND = Decimal("0.01")  # of the share, beyond what the stride may move it
PATIENT = {"economic_gate"}  # what may hold an action back while we sleep
FOREVER = 1 << 60


def doze(entry: Entry, config: Config, interval_seconds: int) -> Doze | None:
    """How long the turns after this one may be slept through; None: not at all."""
    decision, memory, view = entry.decision, entry.memory, entry.snapshot.chain
    if entry.snapshot.venue is not None or view.in_flight or entry.steps:
        return None
    if decision.state is State.HALTED:
        return _until(view, entry, FOREVER, STRIDE)
    held_back = {refusal.rule for refusal in decision.refusals}
    if decision.state is not State.ACTIVE or (decision.withheld and not held_back <= PATIENT):
        return None
    if decision.trigger is not None and not decision.withheld:
        return None
    if memory.capital_moved or memory.band_since is not None:
        return None
    if _near_a_limit(entry, config) or _near_the_band(entry, config):
        return None
    if memory.edge_since is not None and not decision.withheld:
        return None
    return _until(view, entry, _next_event(entry, config, interval_seconds), STRIDE)


def _until(view: ChainView, entry: Entry, until: int, stride: Decimal) -> Doze:
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
        fair_high=fair * (1 + stride),
        sqrt_low_x96=low,
        sqrt_high_x96=high,
    )


def _near_a_limit(entry: Entry, config: Config) -> bool:
    """A loss or a price that a guard watches for could be reached within a stride."""
    memory, decision, guards = entry.memory, entry.decision, config.guards
    losses = []
    if memory.peak_nav:
        losses.append((bp(memory.peak_nav - decision.nav, memory.peak_nav), guards.max_drawdown_bp))
    if memory.hold_base is not None and memory.hold_quote is not None and memory.peak_against_hold:
        holding = memory.hold_base * decision.fair_price + memory.hold_quote
        ratio = PRICE.divide(decision.nav, holding) if holding > 0 else Decimal(1)
        behind = bp(memory.peak_against_hold - ratio, memory.peak_against_hold)
        losses.append((behind, guards.max_drawdown_hold_bp))
    if memory.reference_price:
        fallen = bp(memory.reference_price - decision.fair_price, memory.reference_price)
        losses.append((fallen, guards.stop_loss_bp))
    price, market = decision.fair_price, config.market
    near = 1 + NEAR_LIMIT_BP / 10_000
    outside = not market.price_low * near <= price <= market.price_high / near
    return outside or any(lost + NEAR_LIMIT_BP > most for lost, most in losses)


def _near_the_band(entry: Entry, config: Config) -> bool:
    """The share could reach its band's edge within a stride."""
    settings, view, nav = config.strategy, entry.snapshot.chain, entry.decision.nav
    share = entry.decision.share
    if not nav:
        return True
    inside = sum(p.liquidity for p in view.positions if p.in_range(view.pool.tick))
    # What a liquidity L trades over a small move x of the price is worth L sqrt(P) x / 2.
    quote_units = inside * view.pool.sqrt_price_x96 >> 96
    if not view.market.base_is_token0:
        quote_units = (inside << 96) // view.pool.sqrt_price_x96
    traded = Decimal(quote_units).scaleb(-view.market.quote.decimals) * STRIDE / 2
    room = NEAR_BAND + STRIDE * share * (1 - share) + traded / nav
    return not settings.band_low + room <= share <= settings.band_high - room


def _next_event(entry: Entry, config: Config, interval_seconds: int) -> int:
    """The first moment at which time alone may change the decision."""
    memory, now = entry.memory, entry.snapshot.chain.block.timestamp
    settings = config.strategy
    moments = [now + int(settings.sigma_sample_seconds)]
    if memory.last_time is not None:
        moments.append(memory.last_time + int(settings.sigma_sample_seconds))
    if memory.last_rerange_at is not None:
        moments.append(memory.last_rerange_at + int(settings.max_age_hours * HOUR))
    moments.append((now // DAY + 1) * DAY)
    due = min(moment for moment in moments if moment > now)
    change = next_change(now, config.guards)
    if change is None or change > due:
        return due
    # The last turn before a session changes is taken, and the first one after it.
    before = now + (change - 1 - now) // interval_seconds * interval_seconds
    return before if before > now else change
