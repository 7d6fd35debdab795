"""What happened in a pool: swaps, mints, burns and collects, with what the chain recorded.

An event says what was asked of the pool (a swap's specified amount and limit, a mint's liquidity)
and what the chain recorded after it. A million events are held in columns, and an event becomes an
object when somebody looks at it.

Flash loans and changes of the protocol's share are not among the events. They move no price: a
history with them replays with a fee growth that differs by what they paid or took.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import overload

from dexmm.errors import BadInput
from dexmm.history.wide_ints import Wide
from dexmm.model.market import Token
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState

INITIALIZE, MINT, BURN, COLLECT, SWAP_DOWN, SWAP_UP = range(6)
"""Kinds of event in a column; a swap down sells token0, one up sells token1."""

KIND_NAMES = ("initialize", "mint", "burn", "collect", "swap", "swap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Where in the chain an event stands."""

    block: int
    timestamp: int  # of the block, seconds
    log_index: int  # in the block


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized(Logged):
    sqrt_price_x96: int
    tick: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged(Logged):
    """Something done to a position; amounts in smallest units, never negative."""

    owner: str
    tick_lower: int
    tick_upper: int
    amount0: int
    amount1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted(Ranged):
    liquidity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Burned(Ranged):
    liquidity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(Ranged):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped(Logged):
    """A swap's inputs, as ``Pool.swap`` takes them, and the pool after it."""

    zero_for_one: bool
    amount_specified: int  # positive: an exact input; negative: an exact output
    sqrt_price_limit_x96: int | None
    amount0: int  # what the pool received; negative: paid
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


PoolEvent = Initialized | Minted | Burned | Collected | Swapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Sequence[PoolEvent]):
    """Events in columns, in the chain's order. A field that a kind has not is 0."""

    kinds: bytes
    blocks: array[int]
    timestamps: array[int]
    log_indices: array[int]
    inputs: Wide  # a swap's specified amount; the liquidity of a mint or burn
    limits: dict[int, int]  # by place: the few swaps that end at a price
    amounts0: Wide
    amounts1: Wide
    sqrt_prices: Wide  # the pool's recorded price after each event, of whatever kind
    liquidities: Wide  # in range, after a swap
    ticks: array[int]  # after a swap
    owners: array[int]  # places in ``names``
    ticks_lower: array[int]
    ticks_upper: array[int]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    @overload
    def __getitem__(self, index: int) -> PoolEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Events: ...
    def __getitem__(self, index: int | slice) -> PoolEvent | Events:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                raise IndexError("events are cut in whole stretches")
            return self._part(first, max(first, last))
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._event(index)

    def where(self, index: int) -> str:
        """An event's name for people."""
        kind = KIND_NAMES[self.kinds[index]]
        return f"the {kind} in block {self.blocks[index]}, log {self.log_indices[index]},"

    def fault(self, source: str, index: int, what: str) -> BadInput:
        """An event that contradicts the pool, or the events before it."""
        return BadInput(
            f"{source}: {self.where(index)} {what}",
            block=self.blocks[index],
            log_index=self.log_indices[index],
        )

    def refuse_disorder(self, source: str) -> None:
        """``BadInput`` naming the first event that is not after the one before it."""
        for i in range(1, len(self)):
            block, before = self.blocks[i], self.blocks[i - 1]
            if block < before or (
                block == before and self.log_indices[i] <= self.log_indices[i - 1]
            ):
                raise self.fault(
                    source, i, f"comes after {self.where(i - 1)} sort the file, each event once"
                )
            late = self.timestamps[i] - self.timestamps[i - 1]
            if late < 0 or (late and block == before):
                raise self.fault(source, i, "has a time that is not its block's: fetch it again")

    def _event(self, i: int) -> PoolEvent:
        kind, at = self.kinds[i], (self.blocks[i], self.timestamps[i], self.log_indices[i])
        block, timestamp, log_index = at
        if kind >= SWAP_DOWN:
            return Swapped(
                block=block,
                timestamp=timestamp,
                log_index=log_index,
                zero_for_one=kind == SWAP_DOWN,
                amount_specified=self.inputs[i],
                sqrt_price_limit_x96=self.limits.get(i),
                amount0=self.amounts0[i],
                amount1=self.amounts1[i],
                sqrt_price_x96=self.sqrt_prices[i],
                liquidity=self.liquidities[i],
                tick=self.ticks[i],
            )
        if kind == INITIALIZE:
            return Initialized(
                block=block,
                timestamp=timestamp,
                log_index=log_index,
                sqrt_price_x96=self.sqrt_prices[i],
                tick=self.ticks[i],
            )
        return self._ranged(i)

    def _ranged(self, i: int) -> Minted | Burned | Collected:
        event = Collected(
            block=self.blocks[i],
            timestamp=self.timestamps[i],
            log_index=self.log_indices[i],
            owner=self.names[self.owners[i]],
            tick_lower=self.ticks_lower[i],
            tick_upper=self.ticks_upper[i],
            amount0=self.amounts0[i],
            amount1=self.amounts1[i],
        )
        if self.kinds[i] == COLLECT:
            return event
        cls = Minted if self.kinds[i] == MINT else Burned
        shared = {field.name: getattr(event, field.name) for field in fields(event)}
        return cls(**shared, liquidity=self.inputs[i])

    def _part(self, first: int, last: int) -> Events:
        limits = {i - first: limit for i, limit in self.limits.items() if first <= i < last}
        columns = {name: getattr(self, name)[first:last] for name in _COLUMNS}
        return replace(self, **columns, limits=limits)


_COLUMNS = tuple(f.name for f in fields(Events) if f.name not in ("limits", "names"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHistory:
    """A pool at one moment, and everything that happened in it from then on."""

    source: str
    pool: str  # its address
    token0: Token | None  # None: the file does not say
    token1: Token | None
    opened_at: int  # timestamp, seconds: the time of ``opening``
    opening: PoolState
    events: Events

    def opened(self) -> Pool:
        """The pool as it was before the first event."""
        return Pool.from_state(self.opening, self.opened_at)

    @property
    def ends_at(self) -> int:
        """The time of the last event."""
        return self.events.timestamps[-1] if len(self.events) else self.opened_at

    def with_fee_protocol(self, fee_protocol: int) -> EventHistory:
        """The same flow in a pool that gives the protocol this share (``slot0.feeProtocol``)."""
        return replace(self, opening=replace(self.opening, fee_protocol=fee_protocol))
