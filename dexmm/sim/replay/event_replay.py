"""A pool's history, replayed through the exact pool with whatever liquidity of ours is in it.

Every event is applied as it was asked for (see ``history_resolve``): the same inputs meet a pool
that is deeper by our liquidity, so prices move less, fees are shared, and what others earn is less.
Assumptions, all of them:

* nobody trades or provides differently because we are there, save for one arbitrageur: when after
  a block our presence has left the pool outside the no-arbitrage interval around the recorded
  price (by more than the pool's fee), he brings it back to the edge at the end of that block;
* a swap that ended at a price limit is not made when the pool is beyond that limit already;
* what others collect leaves their own accounts alone, so it is not replayed;
* an event whose block is no later than our own last transaction follows it at that time.

Without liquidity of ours the pool passes through every recorded state, bit for bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain, islice, repeat
from math import isqrt
from operator import ne
from typing import TYPE_CHECKING

from dexmm.errors import BadInput
from dexmm.history.event_types import (
    COLLECT,
    SWAP_DOWN,
    Burned,
    Collected,
    EventHistory,
    Events,
    Initialized,
    Minted,
    PoolEvent,
    Swapped,
)
from dexmm.sim.agents.base_fee import BaseFee
from dexmm.sim.agents.market_simulator import Feed
from dexmm.sim.agents.traders import WHATEVER_IT_TAKES
from dexmm.sim.candle_world import Doze, Move, woken
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.pool import Pool

if TYPE_CHECKING:
    from dexmm.sim.chain.chain import SimChain

_CHUNK = 4096
_WHOLE = 1_000_000  # a pool's fee is in these parts


def apply(pool: Pool, event: PoolEvent) -> tuple[int, int]:
    """Do to the pool what the event did, at its block's time; the amounts, as the log has them.

    Raises ``Revert`` where the pool would.
    """
    pool.timestamp = max(event.timestamp, pool.timestamp)
    match event:
        case Swapped():
            return pool.swap(event.zero_for_one, event.amount_specified, event.sqrt_price_limit_x96)
        case Minted():
            return pool.mint(event.owner, event.tick_lower, event.tick_upper, event.liquidity)
        case Burned():
            return pool.burn(event.owner, event.tick_lower, event.tick_upper, event.liquidity)
        case Collected():
            return pool.collect(
                event.owner, event.tick_lower, event.tick_upper, event.amount0, event.amount1
            )
        case Initialized():
            pool.initialize(event.sqrt_price_x96)
            return 0, 0


def replay(
    pool: Pool,
    history: EventHistory,
    first: int = 0,
    last: int | None = None,
    *,
    arbitrage: bool = False,
) -> None:
    """Apply the events from ``first`` up to and without ``last`` to the pool.

    With ``arbitrage`` the arbitrageur answers at the end of each block. Raises ``BadInput`` naming
    the event that the pool refuses, and why.
    """
    end = len(history.events) if last is None else last
    for start in range(first, end, _CHUNK):
        _replay(pool, history, start, min(start + _CHUNK, end), arbitrage)


def _replay(pool: Pool, history: EventHistory, first: int, last: int, arbitrage: bool) -> None:
    """A stretch of events: a loop over columns, since a million swaps should take seconds."""
    events, swap, down = history.events, pool.swap, SWAP_DOWN
    # As Q64 and rounded up: what is inside by this figure is surely inside.
    kept = isqrt(((_WHOLE - pool.fee) << 128) // _WHOLE) + 1
    i = first
    try:
        for i, kind, at, amount, limit, recorded, ends in _columns(
            events, first, last, pool.timestamp, arbitrage
        ):
            pool.timestamp = at
            if kind >= down:
                if limit is None or _before(pool.sqrt_price_x96, limit, kind == down):
                    swap(kind == down, amount, limit)
            elif kind != COLLECT:
                apply(pool, events[i])
            if ends:
                price = pool.sqrt_price_x96
                high, low = (price, recorded) if price > recorded else (recorded, price)
                if high * kept > low << 64:
                    bring_back(pool, recorded)
    except Revert as error:
        raise events.fault(
            history.source, i, f"contradicts the pool's state: {error.message}"
        ) from None


def _before(price: int, limit: int, zero_for_one: bool) -> bool:
    return limit < price if zero_for_one else price < limit


def _columns(
    events: Events, first: int, last: int, now: int, arbitrage: bool
) -> Iterator[tuple[int, int, int, int, int | None, int, bool]]:
    """For each event: place, kind, time, input, limit, the price after it, whether to look at it.

    The prices are looked at when a block ends, and not at all without arbitrage.
    """
    places = range(first, last)
    timestamps: Sequence[int] = events.timestamps[first:last]
    if timestamps[0] < now:
        timestamps = [max(at, now) for at in timestamps]
    prices: Iterable[int] = repeat(0)
    ends: Iterable[bool] = repeat(False)
    if arbitrage:
        prices = events.sqrt_prices.span(first, last)
        blocks = events.blocks[first : last + 1]
        ends = chain(map(ne, blocks, islice(blocks, 1, None)), (True,))
    return zip(
        places,
        events.kinds[first:last],
        timestamps,
        events.inputs.span(first, last),
        map(events.limits.get, places) if events.limits else repeat(None),
        prices,
        ends,
        strict=False,  # what repeats has no end
    )


def bring_back(pool: Pool, recorded_sqrt_price_x96: int) -> None:
    """Trade to the edge of the no-arbitrage interval around a price, when the pool is outside it.

    The same trade as ``traders.arbitrage``, to within a unit of the square-root price: a fair
    price that is known as a square root need not become a decimal first.
    """
    squared, kept = recorded_sqrt_price_x96 * recorded_sqrt_price_x96, _WHOLE - pool.fee
    if pool.sqrt_price_x96 > recorded_sqrt_price_x96:
        upper = isqrt(squared * _WHOLE // kept)
        if pool.sqrt_price_x96 > upper:
            pool.swap(True, WHATEVER_IT_TAKES, upper)
    else:
        lower = isqrt(squared * kept // _WHOLE)
        if pool.sqrt_price_x96 < lower:
            pool.swap(False, WHATEVER_IT_TAKES, lower)


def cut(history: EventHistory, since: int | None = None, until: int | None = None) -> EventHistory:
    """The history from ``since`` on, up to and with ``until`` (timestamps, seconds).

    What came before is replayed, so that the new opening is the pool's state at ``since``.
    ``BadInput`` when nothing is left.
    """
    timestamps = history.events.timestamps
    opened_at = history.opened_at if since is None else since
    first = 0 if since is None else bisect_right(timestamps, since)
    last = len(timestamps) if until is None else bisect_right(timestamps, until)
    if opened_at < history.opened_at or first >= last:
        raise BadInput(
            f"{history.source} has no event in the period asked for: it holds {history.opened_at} "
            f"to {history.ends_at} (seconds since 1970)",
            since=since,
            until=until,
        )
    pool = history.opened()
    replay(pool, history, 0, first)
    return replace(
        history,
        opened_at=opened_at,
        opening=pool.state(),
        events=history.events[first:last],
    )


class EventWorld:
    """A ``World`` of turns ``interval_seconds`` apart, in which a pool's history happens.

    At a turn's time everything has happened whose block is no later, and nothing else is known:
    the fair price is the one recorded after the last of these events. The chain's pool must be in
    the history's opening state, at its time, but for liquidity of our own. The chain counts a
    block for each that held events, and one for each turn. Price feeds speak at turns' times.
    """

    def __init__(
        self,
        chain: SimChain,
        history: EventHistory,
        interval_seconds: int,
        *,
        arbitrage: bool = True,
        base_fee: BaseFee | None = None,
        feeds: Sequence[Feed] = (),
    ) -> None:
        _refuse_other_pool(chain, history)
        self.chain = chain
        self._history = history
        self._interval = interval_seconds
        self._arbitrage = arbitrage
        self._base_fee = base_fee
        self._feeds = tuple(feeds)
        self._turns = 0
        self._next = 0  # event
        self._recorded = history.opening.sqrt_price_x96

    @property
    def fair_price(self) -> Decimal:
        """Quote per base, as recorded after the last event."""
        return self.chain.market.price(self._recorded)

    def take_moves(self) -> list[Move]:
        """None: what is recorded is not at which fair price each trade was made."""
        return []

    @property
    def progress(self) -> tuple[int, int]:
        """Turns' times passed, and how many there are."""
        lasts = self._history.ends_at - self._history.opened_at
        return self._turns, -(-lasts // self._interval)

    def advance(self) -> bool:
        """To the time of the next turn; the last one is the first at which all has happened."""
        if self._next >= len(self._history.events):
            return False
        self._turns += 1
        at = self._history.opened_at + self._turns * self._interval
        self._pass(max(at, self.chain.timestamp + 1))
        return True

    def advance_to(self, doze: Doze) -> bool:
        """As ``advance``, over as many turns as may be slept through; at least one."""
        if not self.advance():
            return False
        while not woken(self, doze) and self.advance():
            pass
        return True

    def _pass(self, at: int) -> None:
        events, first = self._history.events, self._next
        last = bisect_right(events.timestamps, at, lo=first)
        replay(self.chain.pool, self._history, first, last, arbitrage=self._arbitrage)
        if last > first:
            self._recorded = events.sqrt_prices[last - 1]
        self._next = last
        for _ in range(len(set(events.blocks[first:last]))):
            self.chain.mine(at)
        self.chain.mine(at, self._base_fee.next_wei() if self._base_fee else None)
        for feed in self._feeds:
            price = feed.said if feed.constant else self.fair_price
            if feed.due(price, at):
                feed.said, feed.said_at = price, at
                self.chain.hear(feed.name, price)


def _refuse_other_pool(chain: SimChain, history: EventHistory) -> None:
    market, opening = chain.market, history.opening
    if (market.fee_pips, market.tick_spacing) != (opening.fee, opening.tick_spacing):
        raise BadInput(
            f"{history.source} is of a pool with fee {opening.fee} and tick spacing "
            f"{opening.tick_spacing}, and the market's pool has {market.fee_pips} and "
            f"{market.tick_spacing}: give the history of the market's own pool"
        )
    if opening.sqrt_price_x96 == 0:
        raise BadInput(
            f"{history.source} begins before its pool had a price: begin at a later time"
        )
    if chain.pool.sqrt_price_x96 != opening.sqrt_price_x96:
        raise BadInput(f"{history.source} opens at another price than the chain's pool")
