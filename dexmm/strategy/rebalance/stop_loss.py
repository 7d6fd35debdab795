"""The stop-loss: a fall sells part of the base, once.

    reference  R    the highest fair price, half of whose lead over the price is forgotten every
                    ``stop_loss_halflife_hours``; with ``cost``, the average price paid
    fall       f  = 1 - P / R
    distance   D  = max(stop_loss_bp, stop_loss_sigmas * sigma * sqrt(stop_loss_horizon_hours))
    release    E  = D * stop_loss_release_bp / stop_loss_bp
    part       q  = min(stop_loss_share * base, what takes the share down to the floor)
    floor         half-way between the target and the band's low edge

``sigma`` is the volatility as it was when the reference was last a new high, so that a fall does
not widen its own distance. A calm market's swings stay inside ``stop_loss_bp``; a restless
market's inside ``D``.

    armed    --f >= D-->              selling   the goal is set: free base - q
    selling  --free base at it-->     waiting   everything works around a band that is lower by
                                                the part sold: no range and no hedge buys it back
    selling, waiting  --f < E-->      armed     the price is back near the reference

While it sells or waits the reference stands still, so that a fall which lasts is not forgotten,
and the part is sold once in it: what a fall can cost is q (D - E) of the price and the trades.
Where no exchange can sell the part, ``stop_loss_in_pool`` decides. ``band``: nothing is sent
because of the fall, and new ranges are made around the lower band: with a share above it they only
sell. Ranges have bought in the fall what they sell again in the rise, and nobody buys it back for
them: to sell the part at once besides costs up to 30 bp of the capital in a half-year of gold
(``docs/stop-loss.md``). ``swap``: the wallet sells it in the pool. ``range``: it is
offered in one range above the price (``stop_loss_target.py`` for both).

The goal is a balance (of all base outside of the pool's ranges, which trade on as they do) and not
an amount to send: it is measured afresh each turn, and nothing is sent to the exchange before a
turn that knows it has been recorded. A process that dies in the middle sells the rest and no more.
Deposits and withdrawals of base, and what ranges that are taken out give back, move the goal. In
the turn in which it is moved by something whose amount is not known, what is left is counted down
by what the offer in the pool, a swap or an order has sold: the part is sold once at most.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from dexmm.config.schema import Guards, Strategy
from dexmm.decimal_context import BP, HOUR, remaining
from dexmm.model.memory import Memory, evolve
from dexmm.strategy.exposure.inventory import Inventory
from dexmm.strategy.ranges.held_ranges import HeldRange
from dexmm.strategy.ranges.price_grid import Ladder

ZERO, ONE = Decimal(0), Decimal(1)


def holds(memory: Memory) -> bool:
    """Whether a fall is on: the part is being sold, or was."""
    return memory.reducing or memory.stop_loss_waits


def fall_of(memory: Memory, price: Decimal) -> Decimal:
    """How far the price is below the reference, as a part of it; negative above it."""
    reference = memory.reference_price
    return ONE - price / reference if reference else ZERO


def distance_of(sigma: Decimal, guards: Guards) -> Decimal:
    """The fall that sells. ``sigma`` is per square root of a second."""
    swing = guards.stop_loss_sigmas * sigma * (guards.stop_loss_horizon_hours * HOUR).sqrt()
    return max(guards.stop_loss_bp / BP, swing)


def release_of(distance: Decimal, guards: Guards) -> Decimal:
    """The fall from which on it is over, for one that began at ``distance``."""
    return distance * guards.stop_loss_release_bp / guards.stop_loss_bp


def floor_share(settings: Strategy) -> Decimal:
    """The share at which the stop-loss ends selling, whatever is left of its part."""
    return (settings.band_low + settings.target) / 2


@lru_cache(maxsize=16)
def lowered(settings: Strategy, sold: Decimal) -> Strategy:
    """The settings to work with while it waits: target and upper edge lower by the part sold.

    The target goes no lower than the floor, and the upper edge by as much as the target.
    """
    target = max(settings.target * (ONE - sold), floor_share(settings))
    high = settings.band_high * target / settings.target
    return settings.model_copy(update={"target": target, "band_high": high})


def left_to_sell(memory: Memory) -> Decimal:
    """Base that this fall still has to sell; zero when it has sold its part."""
    return memory.slice_left if memory.reducing else ZERO


def offered(
    held: tuple[HeldRange, ...], memory: Memory, ladder: Ladder, guards: Guards
) -> HeldRange | None:
    """The range in the pool that offers the part, if there is one.

    Where none is known to have been placed though ranges offer it, one that is a single grid step
    wide: a turn may have died before it could remember it.
    """
    known = memory.stop_loss_ranges
    for found in reversed(held):
        if known:
            if any(position.token_id in known for position in found.positions):
                return found
        elif guards.stop_loss_in_pool == "range" and found.ask - found.bid == ladder.spacing:
            return found
    return None


def followed(
    memory: Memory,
    *,
    held: Inventory,
    now: int,
    bought: Callable[[], Decimal],
    sigma: Callable[[], Decimal],
    free: Callable[[], Decimal],
    offer: Callable[[], Decimal],
    moved: Callable[[], bool],
    offering: Callable[[], bool],
    least: Callable[[], Decimal],
    settings: Strategy,
    guards: Guards,
) -> Memory:
    """The memory once the stop-loss has seen the price of ``held``.

    ``bought`` is base that was deposited since the last look (negative: withdrawn), ``sigma``
    the volatility per square root of a second, ``free`` the base outside of the pool's ranges but
    for the one that offers the part, ``offer`` what is in that one, ``moved`` whether liquidity of
    the others has changed since the last look, ``offering`` whether there is a range that offers
    it: one that was filled must be out before anything waits; ``least`` the base that is worth
    selling. None of them is asked for where it does not matter.
    """
    price = held.price
    memory = _reference(memory, held, now, bought, sigma, guards)
    fallen = fall_of(memory, price)
    if not holds(memory):
        if fallen * BP < guards.stop_loss_bp:
            return memory
        distance = distance_of(memory.reference_sigma or sigma(), guards)
        if fallen < distance:
            return memory
        begun = evolve(memory, **_begin(held, free(), distance, settings, guards))
        return begun if least().is_finite() else sold(begun)
    distance = memory.stop_loss_distance or guards.stop_loss_bp / BP
    if fallen < release_of(distance, guards):
        return evolve(
            memory,
            reducing=False,
            stop_loss_waits=False,
            stop_loss_goal=None,
            stop_loss_distance=None,
            slice_left=ZERO,
        )
    if not memory.reducing:
        return memory
    if memory.stop_loss_goal is None:  # a journal from before there was one
        if memory.last_slice_at is not None:
            return evolve(memory, reducing=False, stop_loss_waits=True)
        return evolve(memory, **_begin(held, free(), distance, settings, guards))
    goal, offer_now = memory.stop_loss_goal + bought(), offer()
    if moved():  # what that has freed or bound is not known: what the offer has sold is
        sold_there = max(memory.stop_loss_offered - offer_now, ZERO)
        goal = free() - max(memory.slice_left - sold_there, ZERO)
    left = max(min(free() - goal, held.excess(floor_share(settings))), ZERO)
    memory = evolve(memory, stop_loss_goal=goal, slice_left=left, stop_loss_offered=offer_now)
    if (left and left >= least()) or offering():
        return memory
    return sold(memory)


def sold(memory: Memory) -> Memory:
    """The part of this fall is sold: from now on it waits."""
    return evolve(memory, reducing=False, stop_loss_waits=True, slice_left=ZERO)


def _begin(
    held: Inventory, free: Decimal, distance: Decimal, settings: Strategy, guards: Guards
) -> dict[str, object]:
    part = min(held.base_total * guards.stop_loss_share, held.excess(floor_share(settings)))
    if settings.name == "hold":
        part = ZERO  # it never touches the inventory, in either direction
    part = max(part, ZERO)
    return {
        "reducing": True,
        "stop_loss_waits": False,
        "stop_loss_goal": free - part,
        "slice_left": part,
        "stop_loss_distance": distance,
        "stop_loss_offers": 0,
        "stop_loss_ranges": (),
        "stop_loss_offered": ZERO,
        "last_slice_at": None,
    }


def _reference(
    memory: Memory,
    held: Inventory,
    now: int,
    bought: Callable[[], Decimal],
    sigma: Callable[[], Decimal],
    guards: Guards,
) -> Memory:
    price, fall = held.price, holds(memory)
    reference = memory.reference_price or price
    if guards.stop_loss_reference == "cost":
        total, came = held.base_total, max(bought(), ZERO)
        reference += (price - reference) * came / total if came and total else ZERO
    elif not fall:
        elapsed = max(now - memory.seen_at, 0) if memory.seen_at is not None else 0
        kept = remaining(elapsed, guards.stop_loss_halflife_hours * HOUR)
        reference = max(price, price + (reference - price) * kept)
    if not fall and (price >= reference or memory.reference_sigma is None):
        return evolve(memory, reference_price=reference, reference_sigma=sigma())
    return evolve(memory, reference_price=reference)
