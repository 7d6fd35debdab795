"""deal: what this turn does on the exchange, most urgent first.

    HALTED         nothing, and what rests is taken out
    margin         a perpetual too near to its liquidation is closed in part
                   (``strategy/risk/liquidation.py``)
    resting hedge  left alone while it is wanted and young; taken out first otherwise
    hedge          what ranges cannot bring back (``hedge.py``)
    slice          the stop-loss sells down
    unwind         what a triangle that filled in part has left
    triangle       three legs round, where they pay (``triangular_arbitrage.py``)
    quotes         two-sided, whenever none of the above trades (``quotes.py``)

While anything trades no quote rests: an order must not meet one of ours, and what quotes lock is
needed. Nothing here ever raises exposure because something was refused: it is simply not sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.decimal_context import record
from dexmm.model.decision import (
    Opportunity,
    Refusal,
    State,
    TargetQuote,
    TargetSwap,
    TargetTrade,
    Trigger,
)
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.venue import RestingOrder, Side, VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.rebalance.pool_swap import target_swap
from dexmm.strategy.rebalance.stop_loss import left_to_sell
from dexmm.strategy.risk.exchange_guards import holds_trades
from dexmm.strategy.risk.guards import Bite, Blocks
from dexmm.strategy.risk.liquidation import excess
from dexmm.strategy.trading.execution_routes import (
    MAKER,
    POOL,
    TAKER,
    maker_cost,
    pool_way,
    taker_cost,
    waiting_cost,
)
from dexmm.strategy.trading.hedge import (
    Leg,
    closing_leg,
    drift_of,
    first_leg,
    gap_of,
    least_of,
    legs,
    may_hedge,
    pressing,
    resting_hedge,
    resting_price,
    timed_out,
    under_minimum,
    under_way,
    why_no_leg,
)
from dexmm.strategy.trading.lot_rules import ceil_to, floor_to, least_amount, slice_of
from dexmm.strategy.trading.quotes import decide_quotes, resting_quotes, size_refusal
from dexmm.strategy.trading.triangular_arbitrage import opportunities, unwind

ZERO = Decimal(0)
OWN_ORDERS = {"pending_order", "unsettled_balance", "order_back_off"}


@record
class Dealing:
    """The exchange's part of a decision."""

    trades: tuple[TargetTrade, ...] = ()
    quotes: tuple[TargetQuote, ...] = ()
    swap: TargetSwap | None = None  # the pool is the cheapest way to hedge
    carried: Decimal = ZERO
    below_minimum: bool = False  # the exchange's minimum alone keeps an order from being sent
    refusals: tuple[Refusal, ...] = ()
    withheld: bool = False
    reason: str = ""
    trigger: Trigger | None = None
    correcting: bool = False  # the share is being brought back here: no range has to
    slicing: bool = False  # the stop-loss sells here: no range has to
    opportunities: tuple[Opportunity, ...] = ()


NOTHING = Dealing()


@dataclass(frozen=True, slots=True)
class Way:
    """One way to trade a slice."""

    name: str
    cost: Decimal


def deal(seen: Look, state: State, bites: tuple[Bite, ...]) -> Dealing:
    """Everything that this turn wants of the exchange; empty without one."""
    venue = seen.snapshot.venue
    if venue is None or seen.config.exchange is None or state is State.HALTED:
        return NOTHING
    holds = holds_trades(bites)
    closing = _margin(seen, venue, bites)
    if closing.correcting:
        return _with_opportunities(closing, seen, venue, "the perpetual is being reduced")
    hedged = _both(closing, _hedge(seen, venue, state, holds, bites))
    if hedged.trades or hedged.swap or hedged.correcting:
        hedged = _both(hedged, _unquotable(seen, venue))
        return _with_opportunities(hedged, seen, venue, "a hedge is under way")
    sliced = _slice(seen, venue, holds) if state is State.REDUCING else Dealing()
    if sliced.trades or sliced.slicing:
        return _with_opportunities(_both(hedged, sliced), seen, venue, "the stop-loss sells")
    rest = _both(hedged, sliced)
    undoing = (
        ()
        if holds
        else unwind(seen.known.triangle_base, seen.known.triangle_coin, venue, seen.config)
    )
    if undoing:
        rest = _both(
            rest, Dealing(trades=undoing, reason="a triangle that filled in part is undone")
        )
        return _with_opportunities(rest, seen, venue, "the last one is being undone")
    barred = _barred(state, holds, rest)
    found, round_ = opportunities(venue, seen.config, barred)
    if round_:
        return _both(rest, Dealing(trades=round_, opportunities=found, reason="a triangle pays"))
    return _both(rest, replace(_quotes(seen, venue, state, holds), opportunities=found))


def _barred(state: State, holds: tuple[Bite, ...], rest: Dealing) -> str:
    if holds:
        return f"held back by {holds[0].refusal.rule}"
    if state is State.REDUCING:
        return "the stop-loss holds"
    return "a hedge is held back" if rest.withheld else ""


def _with_opportunities(found: Dealing, seen: Look, venue: VenueView, barred: str) -> Dealing:
    return replace(found, opportunities=opportunities(venue, seen.config, barred)[0])


def _both(one: Dealing, other: Dealing) -> Dealing:
    reasons = [reason for reason in (one.reason, other.reason) if reason]
    return Dealing(
        trades=one.trades or other.trades,
        quotes=one.quotes or other.quotes,
        swap=one.swap or other.swap,
        carried=one.carried or other.carried,
        below_minimum=one.below_minimum or other.below_minimum,
        refusals=(*one.refusals, *other.refusals),
        withheld=one.withheld or other.withheld,
        reason="; ".join(reasons),
        trigger=one.trigger or other.trigger,
        correcting=one.correcting or other.correcting,
        slicing=one.slicing or other.slicing,
        opportunities=one.opportunities or other.opportunities,
    )


# Margin


def _margin(seen: Look, venue: VenueView, bites: tuple[Bite, ...]) -> Dealing:
    """Close a slice of a perpetual beyond its bounds, whatever state the strategy is in.

    Only a doubt about our own orders holds it back, not one about other markets' prices.
    """
    settings = seen.config.hedge
    found = excess(venue, settings, under_way=seen.snapshot.memory.deleveraging)
    if found is None:
        return Dealing()
    if not may_hedge(seen):
        off = "nothing closes it: hedge.enabled is off, or the strategy is hold"
        return _not_closed(f"{found.why}; {off}")
    leg = closing_leg(venue, seen.config)
    if isinstance(leg, str):
        return _not_closed(f"{found.why}; it cannot be closed now: {leg}")
    due = min(ceil_to(found.base, leg.instrument.amount_step), leg.most)
    amount = floor_to(min(due, settings.max_order_base), leg.instrument.amount_step)
    amount = max(amount, min(leg.least, leg.most))
    if amount < leg.least:
        return replace(
            _not_closed(f"{found.why}; it is too small to be closed"), below_minimum=True
        )
    held = tuple(bite for bite in bites if bite.refusal.rule in OWN_ORDERS)
    if held:
        return Dealing(
            refusals=(_near(found.why),),
            withheld=True,
            correcting=True,
            trigger=Trigger.LIQUIDATION,
            reason=f"closing {amount:f} of the perpetual is held back by {held[0].refusal.rule}",
        )
    trade = TargetTrade(
        symbol=leg.instrument.symbol,
        side=leg.side,
        amount=amount,
        limit=leg.limit,
        order=OrderKind.IOC,
        purpose=Purpose.HEDGE,
        reduce_only=True,
        compared=(),
    )
    return Dealing(
        trades=(trade,),
        refusals=(_near(found.why),),
        correcting=True,
        trigger=Trigger.LIQUIDATION,
        reason=f"{amount:f} of the perpetual is closed: {found.why}",
    )


def _not_closed(why: str) -> Dealing:
    """Told, and the rest goes on."""
    return Dealing(refusals=(_near(why),), withheld=True, trigger=Trigger.LIQUIDATION)


def _near(detail: str) -> Refusal:
    return Refusal(rule="liquidation_distance", detail=detail)


# Hedge


def _hedge(
    seen: Look,
    venue: VenueView,
    state: State,
    holds: tuple[Bite, ...],
    bites: tuple[Bite, ...],
) -> Dealing:
    side = under_way(seen)
    resting = resting_hedge(venue, seen.snapshot.memory)
    if resting is not None:
        return _resting(seen, venue, resting, side, holds)
    if side is None:
        return Dealing()
    gap = gap_of(seen)
    quotes = resting_quotes(venue, seen.snapshot.memory)
    least = least_of(venue, side, seen.config, quotes)
    if abs(gap) < least:
        reason = f"a gap of {gap:.6f} is too small to trade, the smallest order is {least:f}"
        return Dealing(carried=gap, below_minimum=True, reason=f"{reason}: carried")
    urgent = pressing(seen)
    if refusals := _refused(seen, side, state):
        return _held_back(refusals, side, gap) if urgent else Dealing()
    if holds:
        return _held_back((), side, gap) if urgent else Dealing()
    found = legs(venue, side, seen.config, quotes)
    most = min(abs(gap), seen.config.hedge.max_order_base)
    leg = first_leg(found, most)
    if leg is None:
        too_small = under_minimum(found, most)
        if not urgent:
            reason = "the exchange has too little to reach the zone"
            return Dealing(carried=gap, below_minimum=too_small, reason=reason)
        why = why_no_leg(venue, side, seen.config, quotes, most)
        held = _held_back((_no_capacity(venue, side, gap, why),), side, gap)
        return replace(held, below_minimum=too_small)
    return _slice_of_hedge(seen, leg, abs(gap), bites)


def _held_back(refusals: tuple[Refusal, ...], side: Side, gap: Decimal) -> Dealing:
    return Dealing(
        refusals=refusals,
        withheld=True,
        trigger=Trigger.BAND,
        reason=f"a hedge of {abs(gap):.6f} ({side}) is held back",
    )


def _refused(seen: Look, side: Side, state: State) -> tuple[Refusal, ...]:
    if side is Side.BUY and state is State.REDUCING:
        detail = "the stop-loss holds: the hedge does not buy"
        return (Refusal(rule="hedge_buying", detail=detail),)
    if any(flight.step == "swap" and not flight.mined for flight in seen.view.in_flight):
        detail = "a swap of ours waits in the pool: what it does to the share must be seen first"
        return (Refusal(rule="hedge_in_flight", detail=detail),)
    return ()


def _no_capacity(venue: VenueView, side: Side, gap: Decimal, why: str) -> Refusal:
    return Refusal(
        rule="hedge_capacity", detail=f"to {side} {abs(gap):.6f} {venue.spot.base}: {why}"
    )


def _resting(
    seen: Look,
    venue: VenueView,
    resting: RestingOrder,
    side: Side | None,
    holds: tuple[Bite, ...],
) -> Dealing:
    """Keep it, or take it out and let its fills be counted before anything else is sent."""
    left = resting.amount - resting.filled
    wanted = side is resting.side and abs(gap_of(seen)) >= left
    if not wanted or _doubtful(holds) or timed_out(resting, venue, seen.config):
        why = "it rested in vain" if wanted else "it is not wanted any more"
        return Dealing(
            correcting=side is not None,
            trigger=_cause(seen) if side is not None else None,
            reason=f"the hedge at {resting.price} is taken out: {why}",
        )
    kept = TargetTrade(
        symbol=resting.symbol,
        side=resting.side,
        amount=left,
        limit=resting.price,
        order=OrderKind.POST_ONLY,
        purpose=Purpose.HEDGE,
        reduce_only=False,
        compared=(),
    )
    return Dealing(
        trades=(kept,), correcting=True, trigger=_cause(seen), reason="the hedge rests in the book"
    )


def _cause(seen: Look) -> Trigger:
    return Trigger.BAND if pressing(seen) else Trigger.ZONE


def _doubtful(holds: tuple[Bite, ...]) -> bool:
    return any(bite.refusal.rule not in OWN_ORDERS for bite in holds)


def _slice_of_hedge(seen: Look, leg: Leg, gap: Decimal, bites: tuple[Bite, ...]) -> Dealing:
    amount, _ = slice_of(
        gap, min(leg.most, seen.config.hedge.max_order_base), leg.instrument, leg.limit
    )
    compared, way, pool_in = _choose(seen, leg, amount, bites)
    side = leg.side
    told = ", ".join(f"{name} {cost:.4f}" for name, cost in compared)
    reason = f"the share {seen.inventory.share:.4f} is hedged: {side} {amount:f} ({told})"
    if way == POOL and pool_in is not None:
        swap = target_swap(seen, side is Side.SELL, pool_in)
        return Dealing(
            swap=replace(swap, compared=compared),
            correcting=True,
            trigger=_cause(seen),
            reason=reason,
        )
    price = resting_price(leg) if way == MAKER else None
    trade = TargetTrade(
        symbol=leg.instrument.symbol,
        side=side,
        amount=amount,
        limit=leg.limit if price is None else price,
        order=OrderKind.IOC if price is None else OrderKind.POST_ONLY,
        purpose=Purpose.HEDGE,
        reduce_only=leg.reduce_only,
        compared=compared,
    )
    return Dealing(trades=(trade,), correcting=True, trigger=_cause(seen), reason=reason)


def _choose(
    seen: Look, leg: Leg, amount: Decimal, bites: tuple[Bite, ...]
) -> tuple[tuple[tuple[str, Decimal], ...], str, Decimal | None]:
    """Each way and its cost, the one to go, and what a pool swap would put in."""
    settings = seen.config.hedge
    ways = [
        Way(TAKER, taker_cost(leg.book, leg.instrument, leg.side, amount, leg.limit, seen.fair))
    ]
    price = resting_price(leg)
    if price is not None and amount >= least_amount(leg.instrument, price):
        waiting = waiting_cost(seen.sigma, settings)
        cost = maker_cost(leg.instrument, leg.side, amount, price, seen.fair, waiting)
        ways.append(Way(MAKER, cost))
    pool = pool_way(seen, leg.side, amount)
    if pool is not None:
        ways.append(Way(POOL, pool[0]))
    compared = tuple((way.name, way.cost) for way in ways)
    allowed = _allowed(seen, leg, ways, bites)
    return compared, min(allowed, key=lambda way: way.cost).name, pool[1] if pool else None


def _allowed(seen: Look, leg: Leg, ways: list[Way], bites: tuple[Bite, ...]) -> list[Way]:
    style = seen.config.hedge.style
    names = {"ioc": {TAKER}, "post_only": {MAKER}, "cheapest": {TAKER, MAKER, POOL}}[style]
    if leg.instrument.contract or not seen.settings.pool_swap or not _pool_open(seen, bites):
        names = names - {POOL}
    if seen.snapshot.memory.maker_failed and style == "cheapest":
        names = names - {MAKER}
    return [way for way in ways if way.name in names] or ways[:1]


def _pool_open(seen: Look, bites: tuple[Bite, ...]) -> bool:
    entry = any(bite.blocks in {Blocks.ENTRY, Blocks.ALL} for bite in bites)
    return not entry and not seen.view.in_flight and not seen.known.reducing


# Stop-loss


def slice_amount(seen: Look) -> Decimal:
    """Base that the stop-loss still sells on the exchange.

    Nothing before the turn that knows the goal as recorded: what is sent in a turn that nobody
    remembers would be sold again.
    """
    if seen.snapshot.memory.stop_loss_goal is None or seen.settings.name == "hold":
        return ZERO
    return left_to_sell(seen.known)


def _slice(seen: Look, venue: VenueView, holds: tuple[Bite, ...]) -> Dealing:
    left = left_to_sell(seen.known)
    if not seen.config.hedge.enabled or not left or seen.settings.name == "hold":
        return Dealing()
    quotes = resting_quotes(venue, seen.snapshot.memory)
    found = legs(venue, Side.SELL, seen.config, quotes)
    most = min(left, seen.config.hedge.max_order_base)
    leg = first_leg(found, most)
    if leg is None:  # too little there: the pool's slice sells instead
        return Dealing(below_minimum=under_minimum(found, most))
    if _doubtful(holds):
        return Dealing(withheld=True, trigger=Trigger.STOP_LOSS)  # nor can it be counted on
    if holds:
        return Dealing(withheld=True, slicing=True, trigger=Trigger.STOP_LOSS)
    amount = slice_amount(seen)
    if not amount:
        reason = f"the stop-loss sells {left:.6f} on {venue.exchange} from the next turn on"
        return Dealing(slicing=True, reason=reason)
    part, _ = slice_of(most, leg.most, leg.instrument, leg.limit)
    trade = TargetTrade(
        symbol=leg.instrument.symbol,
        side=Side.SELL,
        amount=part,
        limit=leg.limit,
        order=OrderKind.IOC,
        purpose=Purpose.SLICE,
        reduce_only=leg.reduce_only,
        compared=(),
    )
    return Dealing(
        trades=(trade,),
        slicing=True,
        trigger=Trigger.STOP_LOSS,
        reason=f"the stop-loss sells {part:f} of {amount:.6f} on {venue.exchange}",
    )


# Quotes


def _quotes(seen: Look, venue: VenueView, state: State, holds: tuple[Bite, ...]) -> Dealing:
    drift, span = _drift(seen)
    found = decide_quotes(
        venue,
        seen.inventory,
        seen.fair,
        seen.sigma,
        seen.now,
        seen.config,
        seen.snapshot.memory,
        tuple(bite.refusal for bite in holds),
        reducing=state is State.REDUCING,
        drift=drift,
        span=span,
    )
    small = any(refusal.rule == "quote_size" for refusal in found.refusals)
    return Dealing(quotes=found.quotes, refusals=found.refusals, below_minimum=small)


def _unquotable(seen: Look, venue: VenueView) -> Dealing:
    """While nothing is quoted anyway: what could not be quoted then is said now."""
    refusal = size_refusal(venue, seen.config)
    return NOTHING if refusal is None else Dealing(refusals=(refusal,), below_minimum=True)


def _drift(seen: Look) -> tuple[Decimal | None, Decimal | None]:
    """Base that quotes have carried away and should bring back, and the share that it may come to.

    Beside ranges it is what was traded here since they were placed, and ``quotes.max_drift`` bounds
    it. Without any, the inventory is the quotes' own: what is beyond its target, up to the band.
    """
    if seen.held:
        return drift_of(seen.known), None
    excess, settings = seen.inventory.excess(seen.working.target), seen.working
    if excess > 0:
        return excess, settings.band_high - settings.target
    return excess, settings.target - settings.band_low
