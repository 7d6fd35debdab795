"""What each swap asked for, found from what its log recorded.

A log says what a swap did to the pool, not what was asked of it. Each swap is tried on the pool in
the state before it, in this order, and the first way that leaves exactly the recorded amounts,
price, tick and liquidity is taken:

1. an exact input of the recorded input, without a price limit: what routers send;
2. an exact output of the recorded output, without a price limit;
3. an exact input of the recorded input that ends at the recorded price: what a swap that met its
   own price limit did. How much more it would have spent beyond the limit nobody knows, so with
   other liquidity in the pool it still spends no more than it did.

In a pool without our liquidity all three end at the recorded price by construction. A swap that
none of them explains contradicts the pool's state, and so does a mint or burn whose amounts are
not the recorded ones: the history lacks an event, or its opening state is not the chain's. What a
collect paid is not held against the pool: flash loans pay into positions too, and have no event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dexmm.errors import BadInput
from dexmm.history.event_types import COLLECT, INITIALIZE, MINT, SWAP_DOWN, SWAP_UP, EventHistory
from dexmm.history.wide_ints import Wide
from dexmm.sim.replay.event_replay import apply
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.swap_loop import swap_one_for_zero, swap_zero_for_one
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO

_CHUNK = 4096
Inputs = tuple[int, int | None]
"""The amount specified and the price limit, as ``Pool.swap`` takes them."""


def resolved(history: EventHistory, *, given: bool = False) -> EventHistory:
    """The history with every swap's inputs, each event having been held against the pool.

    ``given`` says that the events carry their inputs already, so that they are only proved.
    Raises ``BadInput`` naming the first event that contradicts the pool's state, and why.
    """
    history.events.refuse_disorder(history.source)
    proof = _Proof(history, given)
    proof.run()
    kinds, inputs = bytes(proof.kinds), Wide.of(proof.inputs)
    return replace(
        history, events=replace(history.events, kinds=kinds, inputs=inputs, limits=proof.limits)
    )


def proved(history: EventHistory) -> Pool:
    """The pool after the last event, each of them having been held against it. Raises as
    ``resolved``."""
    history.events.refuse_disorder(history.source)
    proof = _Proof(history, given=False)
    proof.run()
    return proof.pool


class _Recorded(NamedTuple):
    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


class _Proof:
    """A replay that finds the inputs as it goes."""

    def __init__(self, history: EventHistory, given: bool) -> None:
        self.history = history
        self.pool = history.opened()
        self.given = given
        self.kinds = bytearray(history.events.kinds)
        self.inputs: list[int] = []
        self.limits: dict[int, int] = {}

    def run(self) -> None:
        events = self.history.events
        for first in range(0, len(events), _CHUNK):
            last = min(first + _CHUNK, len(events))
            self.inputs += events.inputs.span(first, last)
            columns = zip(
                range(first, last),
                events.kinds[first:last],
                events.timestamps[first:last],
                events.amounts0.span(first, last),
                events.amounts1.span(first, last),
                events.sqrt_prices.span(first, last),
                events.liquidities.span(first, last),
                events.ticks[first:last],
                strict=True,
            )
            for i, kind, timestamp, *recorded in columns:
                self.pool.timestamp = timestamp
                if kind >= SWAP_DOWN:
                    self._swap(i, _Recorded(*recorded))
                else:
                    self._other(i, kind)

    def _swap(self, i: int, recorded: _Recorded) -> None:
        down = self._goes_down(i, recorded)
        self.kinds[i] = SWAP_DOWN if down else SWAP_UP
        ways = [(self.inputs[i], self.history.events.limits.get(i))]
        if not self.given:
            ways = _ways(down, recorded)
        for specified, limit in ways:
            if _lands(self.pool, down, specified, limit, recorded):
                self.pool.swap(down, specified, limit)
                self.inputs[i] = specified
                if limit is not None:
                    self.limits[i] = limit
                return
        raise self._fault(
            i,
            f"ends at the recorded square-root price {recorded.sqrt_price_x96}, which the pool "
            f"does not reach from {self.pool.sqrt_price_x96} with the recorded amounts: an event "
            "before it is missing, or the opening state is not the chain's",
        )

    def _goes_down(self, i: int, recorded: _Recorded) -> bool:
        """Whether token0 came in. A swap that moved nothing tells by the price alone."""
        if (recorded.amount0 > 0 and recorded.amount1 > 0) or min(
            recorded.amount0, recorded.amount1
        ) < max(recorded.amount0, recorded.amount1) <= 0:
            raise self._fault(i, "has no input: the pool must receive one token, and pay the other")
        if recorded.amount0 == recorded.amount1 == 0:
            return recorded.sqrt_price_x96 < self.pool.sqrt_price_x96
        return recorded.amount0 > 0

    def _other(self, i: int, kind: int) -> None:
        event = self.history.events[i]
        try:
            amounts = apply(self.pool, event)
        except Revert as error:
            raise self._fault(i, f"contradicts the pool's state: {error.message}") from None
        if kind == INITIALIZE:
            if self.pool.tick != self.history.events.ticks[i]:
                raise self._fault(i, "has a tick that is not its price's: fetch it again")
            return
        recorded = (self.history.events.amounts0[i], self.history.events.amounts1[i])
        if kind != COLLECT and amounts != recorded:
            what = "took" if kind == MINT else "freed"
            raise self._fault(
                i,
                f"{what} {recorded[0]} and {recorded[1]} on the chain, and would "
                f"{amounts[0]} and {amounts[1]} in this pool: an event before it is missing",
            )

    def _fault(self, i: int, what: str) -> BadInput:
        return self.history.events.fault(self.history.source, i, what)


def _ways(down: bool, recorded: _Recorded) -> list[Inputs]:
    received, paid = recorded.amount0, recorded.amount1
    if not down:
        received, paid = paid, received
    ways: list[Inputs] = [(received, None)] if received else []
    if paid:
        ways.append((paid, None))
    return [*ways, (max(received, 1), recorded.sqrt_price_x96)]


def _lands(pool: Pool, down: bool, specified: int, limit: int | None, recorded: _Recorded) -> bool:
    """Whether such a swap would leave the pool as recorded. Nothing is committed."""
    walk, growth, share = (
        (swap_zero_for_one, pool.fee_growth_global0_x128, pool.fee_protocol & 0xF)
        if down
        else (swap_one_for_zero, pool.fee_growth_global1_x128, pool.fee_protocol >> 4)
    )
    if limit is None:
        limit = MIN_SQRT_RATIO + 1 if down else MAX_SQRT_RATIO - 1
    start = pool.sqrt_price_x96
    if not (limit < start if down else start < limit):
        return False
    try:
        price, tick, liquidity, _, _, remaining, calculated, _, _ = walk(
            pool.ticks,
            start,
            pool.tick,
            pool.liquidity,
            growth,
            specified > 0,
            abs(specified),
            limit,
            pool.fee,
            share,
        )
    except Revert:
        return False
    if (price, tick, liquidity) != (recorded.sqrt_price_x96, recorded.tick, recorded.liquidity):
        return False
    if specified > 0:
        received, paid = specified - remaining, -calculated
    else:
        received, paid = calculated, specified + remaining
    amounts = (received, paid) if down else (paid, received)
    return amounts == (recorded.amount0, recorded.amount1)
