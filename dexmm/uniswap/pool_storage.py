"""What a Uniswap v3 pool stores, and everything that can be read without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from dexmm.uniswap import errors, oracle
from dexmm.uniswap.full_math import MAX_UINT160, wrap_signed
from dexmm.uniswap.oracle import MAX_UINT32
from dexmm.uniswap.pool_state import PoolState, check
from dexmm.uniswap.position import EMPTY_POSITION, PositionInfo
from dexmm.uniswap.tick import (
    Growth,
    TickInfo,
    get_fee_growth_inside,
    tick_spacing_to_max_liquidity_per_tick,
)
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK
from dexmm.uniswap.tick_table import TickTable
from dexmm.units import Tick


class PoolStorage:
    """What a pool stores. ``copy()`` is cheap and independent; ``state()`` is plain data."""

    __slots__ = (
        "fee",
        "fee_growth_global0_x128",
        "fee_growth_global1_x128",
        "fee_protocol",
        "liquidity",
        "max_liquidity_per_tick",
        "observation_cardinality",
        "observation_cardinality_next",
        "observation_index",
        "observations",
        "positions",
        "protocol_fees0",
        "protocol_fees1",
        "sqrt_price_x96",
        "tick",
        "tick_spacing",
        "ticks",
        "timestamp",
        "unlocked",
    )

    def __init__(self, fee: int, tick_spacing: int, timestamp: int = 0) -> None:
        """A deployed pool without a price; ``fee`` in hundredths of a basis point."""
        state = PoolState(fee, tick_spacing)
        check(state)
        self._load(state, timestamp)

    @classmethod
    def from_state(cls, state: PoolState, timestamp: int) -> Self:
        """A pool in the state that a chain reports, at a block's time.

        Raises ImpossibleState when no pool can be in it.
        """
        check(state)
        pool = cls.__new__(cls)
        pool._load(state, timestamp)
        return pool

    def _load(self, state: PoolState, timestamp: int) -> None:
        self.fee = state.fee
        self.tick_spacing = state.tick_spacing
        self.max_liquidity_per_tick = tick_spacing_to_max_liquidity_per_tick(state.tick_spacing)
        self.timestamp = timestamp
        self.unlocked = state.sqrt_price_x96 != 0
        self.sqrt_price_x96 = state.sqrt_price_x96
        self.tick = state.tick
        self.observation_index = state.observation_index
        self.observation_cardinality = state.observation_cardinality
        self.observation_cardinality_next = state.observation_cardinality_next
        self.fee_protocol = state.fee_protocol
        self.fee_growth_global0_x128 = state.fee_growth_global0_x128
        self.fee_growth_global1_x128 = state.fee_growth_global1_x128
        self.protocol_fees0 = state.protocol_fees0
        self.protocol_fees1 = state.protocol_fees1
        self.liquidity = state.liquidity
        self.positions = dict(state.positions)
        self.observations = list(state.observations)
        missing = state.observation_cardinality_next - len(self.observations)
        self.observations += [oracle.GROWN] * missing
        self.ticks = TickTable(state.tick_spacing, state.ticks)
        self.ticks.seek(state.tick)

    def state(self) -> PoolState:
        """Everything the pool stores."""
        return PoolState(
            fee=self.fee,
            tick_spacing=self.tick_spacing,
            sqrt_price_x96=self.sqrt_price_x96,
            tick=self.tick,
            observation_index=self.observation_index,
            observation_cardinality=self.observation_cardinality,
            observation_cardinality_next=self.observation_cardinality_next,
            fee_protocol=self.fee_protocol,
            fee_growth_global0_x128=self.fee_growth_global0_x128,
            fee_growth_global1_x128=self.fee_growth_global1_x128,
            protocol_fees0=self.protocol_fees0,
            protocol_fees1=self.protocol_fees1,
            liquidity=self.liquidity,
            ticks=dict(self.ticks.items()),
            positions=dict(self.positions),
            observations=tuple(self.observations),
        )

    def copy(self) -> Self:
        """An independent pool in the same state; a few list copies."""
        twin = type(self).__new__(type(self))
        for name in PoolStorage.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.ticks = self.ticks.copy()
        twin.positions = self.positions.copy()
        twin.observations = self.observations.copy()
        return twin

    def position(self, owner: str, tick_lower: int, tick_upper: int) -> PositionInfo:
        """What the contract's ``positions(key)`` returns: zeros for one never made."""
        return self.positions.get((owner, tick_lower, tick_upper), EMPTY_POSITION)

    def fee_growth_inside(self, tick_lower: int, tick_upper: int) -> tuple[int, int]:
        """Fee growth between two ticks as a poke would read it now, Q128.128 modulo 2**256."""
        return get_fee_growth_inside(
            self.ticks[tick_lower],
            self.ticks[tick_upper],
            tick_lower,
            tick_upper,
            self.tick,
            self.fee_growth_global0_x128,
            self.fee_growth_global1_x128,
        )

    def observe(self, seconds_agos: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tick and seconds-per-liquidity accumulators at each time ago. Reverts I, OLD."""
        return oracle.observe(
            self.observations,
            self.timestamp & MAX_UINT32,
            seconds_agos,
            self.tick,
            self.observation_index,
            self.liquidity,
            self.observation_cardinality,
        )

    def mean_tick(self, seconds: int) -> Tick:
        """The arithmetic mean tick of the last ``seconds``. Reverts I, OLD, BP."""
        return oracle.mean_tick_over(
            self.observations,
            self.timestamp & MAX_UINT32,
            seconds,
            self.tick,
            self.observation_index,
            self.liquidity,
            self.observation_cardinality,
        )

    def snapshot_cumulatives_inside(self, tick_lower: int, tick_upper: int) -> tuple[int, int, int]:
        """Tick accumulator, seconds per liquidity and seconds spent inside a range.

        Only differences mean anything. Reverts TLU, TLM, TUM, and without a reason for a tick
        that no position references.
        """
        check_ticks(tick_lower, tick_upper)
        for tick in (tick_lower, tick_upper):
            if tick not in self.ticks:
                raise errors.TickUninitialized(tick=tick)
        lower, upper = self.ticks[tick_lower], self.ticks[tick_upper]
        rest: tuple[TickInfo, ...]
        if self.tick < tick_lower:
            first, rest = lower, (upper,)
        elif self.tick >= tick_upper:
            first, rest = upper, (lower,)
        else:
            now = self.growth()
            first = TickInfo(
                tick_cumulative_outside=now.tick_cumulative,
                seconds_per_liquidity_outside_x128=now.seconds_per_liquidity_cumulative_x128,
                seconds_outside=now.time,
            )
            rest = (lower, upper)
        ticks = first.tick_cumulative_outside - sum(info.tick_cumulative_outside for info in rest)
        liquidity = first.seconds_per_liquidity_outside_x128 - sum(
            info.seconds_per_liquidity_outside_x128 for info in rest
        )
        seconds = first.seconds_outside - sum(info.seconds_outside for info in rest)
        return wrap_signed(ticks, 56), liquidity & MAX_UINT160, seconds & MAX_UINT32

    def growth(self) -> Growth:
        """The pool-wide accumulators as of ``timestamp``."""
        time = self.timestamp & MAX_UINT32
        tick_cumulative, seconds_per_liquidity = oracle.observe_single(
            self.observations,
            time,
            0,
            self.tick,
            self.observation_index,
            self.liquidity,
            self.observation_cardinality,
        )
        return Growth(
            self.fee_growth_global0_x128,
            self.fee_growth_global1_x128,
            tick_cumulative,
            seconds_per_liquidity,
            time,
        )


def check_ticks(tick_lower: int, tick_upper: int) -> None:
    """Reverts TLU, TLM, TUM."""
    if tick_lower >= tick_upper:
        raise errors.TicksMisordered(tick_lower=tick_lower, tick_upper=tick_upper)
    if tick_lower < MIN_TICK:
        raise errors.TickLowerTooLow(tick_lower=tick_lower)
    if tick_upper > MAX_TICK:
        raise errors.TickUpperTooHigh(tick_upper=tick_upper)
