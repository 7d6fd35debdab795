"""What a turn's orders leave for the next one; ``strategy/remember.py`` does the chain's part.

Amounts are taken from fills, fees included: a buyer whose fee is paid in the base has received
less than was filled.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.decision import Decision, State, TargetTrade
from dexmm.model.memory import Memory, evolve
from dexmm.model.order import OrderIntent, OrderKind, OrderStatus, Purpose
from dexmm.model.steps import Outcome
from dexmm.model.venue import Side, VenueView
from dexmm.strategy.context.context import Look
from dexmm.strategy.exposure.exchange_inventory import lags
from dexmm.strategy.rebalance.stop_loss import sold
from dexmm.strategy.risk.exchange_guards import SETTLE_SECONDS
from dexmm.strategy.risk.liquidation import excess
from dexmm.strategy.trading.decide_trades import slice_amount
from dexmm.strategy.trading.hedge import gap_of, least_of, resting_hedge, timed_out, under_way
from dexmm.strategy.trading.quotes import resting_quotes
from dexmm.strategy.trading.triangular_arbitrage import leftovers, net_of, triangle_orders

ZERO = Decimal(0)
EXCHANGE_STEPS = {"place_order", "cancel_order", "amend_order", "cancel_all", "set_leverage"}
REFUSED = {"refused", "failed"}


def remember_orders(
    seen: Look, decision: Decision, outcomes: tuple[Outcome, ...], memory: Memory
) -> Memory:
    """The memory with what became of this turn's exchange steps."""
    venue = seen.snapshot.venue
    if venue is None:
        return memory
    placed = tuple(o.order for o in outcomes if o.step == "place_order" and o.order is not None)
    memory = _fees_outside(venue, placed, memory)
    memory = _unsettled(seen, venue, placed, memory)
    memory = _refusals(seen, outcomes, memory)
    memory = _hedge(seen, venue, decision, outcomes, memory)
    memory = _slice(seen, venue, decision, placed, memory)
    if seen.config.exchange is None:
        return memory
    base, coin = leftovers(tuple(triangle_orders(outcomes)), seen.config.exchange)
    return evolve(
        memory,
        triangle_base=memory.triangle_base + base,
        triangle_coin=memory.triangle_coin + coin,
    )


def _fees_outside(venue: VenueView, placed: tuple[OrderIntent, ...], memory: Memory) -> Memory:
    """What this turn's own orders paid in other coins: known now, and for the next look counted,
    since the process may end before it."""
    coins = (venue.spot.base, venue.spot.quote)
    paid = sum((order.fees_outside(coins) for order in placed), ZERO)
    if not paid:
        return memory
    return evolve(
        memory,
        fees_outside=memory.fees_outside + paid,
        fees_told=memory.fees_told + paid,
    )


def _unsettled(
    seen: Look, venue: VenueView, placed: tuple[OrderIntent, ...], memory: Memory
) -> Memory:
    """What the next look's balances must show; kept for as long as they lag."""
    before = seen.snapshot.memory
    since = before.unsettled_at
    waits = since is not None and seen.now - since < SETTLE_SECONDS and lags(venue, before)
    net = before.unsettled_base if waits else ZERO
    own = f"{venue.spot.base}/"
    fresh = sum((net_of(o)[0] for o in placed if o.symbol.startswith(own)), ZERO)
    total = net + fresh
    at = since if waits and not fresh else seen.now
    return evolve(memory, unsettled_base=total, unsettled_at=at if total else None)


def _refusals(seen: Look, outcomes: tuple[Outcome, ...], memory: Memory) -> Memory:
    there = [o for o in outcomes if o.step in EXCHANGE_STEPS and o.status != "skipped"]
    if any(o.status in REFUSED for o in there):
        return evolve(memory, orders_refused=memory.orders_refused + 1, order_refused_at=seen.now)
    return evolve(memory, orders_refused=0, order_refused_at=None) if there else memory


def _hedge(
    seen: Look,
    venue: VenueView,
    decision: Decision,
    outcomes: tuple[Outcome, ...],
    memory: Memory,
) -> Memory:
    side = under_way(seen)
    resting = resting_quotes(venue, seen.snapshot.memory)
    goes_on = side is not None and abs(gap_of(seen)) >= least_of(venue, side, seen.config, resting)
    trades = [trade for trade in decision.trades if trade.purpose is Purpose.HEDGE]
    orders = [o for o in outcomes if o.order is not None and o.order.purpose is Purpose.HEDGE]
    placed = [o for o in orders if o.step == "place_order"]
    carried = decision.carried_base or (ZERO if trades else memory.carried_base)
    return evolve(
        memory,
        hedging=side if goes_on else None,
        hedge_order=_hedge_order(seen, venue, decision, placed),
        maker_failed=bool(goes_on and _maker_failed(seen, venue, trades, placed, memory)),
        last_hedge_at=seen.now if placed else memory.last_hedge_at,
        carried_base=carried,
        deleveraging=excess(venue, seen.config.hedge, under_way=seen.snapshot.memory.deleveraging)
        is not None,
    )


def _hedge_order(seen: Look, venue: VenueView, decision: Decision, placed: list[Outcome]) -> str:
    """The one that rests now, or whose fate is not known yet."""
    for outcome in placed:
        order = outcome.order
        if order is not None and order.kind is OrderKind.POST_ONLY and not order.status.final:
            return order.client_id
    known = seen.snapshot.memory.hedge_order
    resting = resting_hedge(venue, seen.snapshot.memory)
    if resting is not None:
        stays = any(
            trade.order is OrderKind.POST_ONLY and trade.limit == resting.price
            for trade in decision.trades
        )
        return known if stays else ""
    return known if any(order.client_id == known for order in venue.pending) else ""


def _maker_failed(
    seen: Look,
    venue: VenueView,
    trades: list[TargetTrade],
    placed: list[Outcome],
    memory: Memory,
) -> bool:
    """A patient order was refused, or rested until its time-out; the next order takes."""
    resting = resting_hedge(venue, seen.snapshot.memory)
    if resting is not None:
        return not trades and timed_out(resting, venue, seen.config)
    for outcome in placed:
        order = outcome.order
        if order is not None and order.kind is OrderKind.POST_ONLY:
            return outcome.status in REFUSED or order.status is OrderStatus.REJECTED
        return False
    return memory.maker_failed


def _slice(
    seen: Look,
    venue: VenueView,
    decision: Decision,
    placed: tuple[OrderIntent, ...],
    memory: Memory,
) -> Memory:
    """How much of the stop-loss's part is still to be sold; less than an order ends it."""
    if decision.state is not State.REDUCING:
        return memory if not memory.slice_left else evolve(memory, slice_left=ZERO)
    if not any(trade.purpose is Purpose.SLICE for trade in decision.trades):
        return memory
    net = sum((-net_of(o)[0] for o in placed if o.purpose is Purpose.SLICE), ZERO)
    left = max(slice_amount(seen) - net, ZERO)
    quotes = resting_quotes(venue, seen.snapshot.memory)
    if left < least_of(venue, Side.SELL, seen.config, quotes):
        return sold(memory)
    return evolve(memory, slice_left=left)
