"""A pool's whole state as plain data: what the chain stores, and what a test compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dexmm.uniswap.errors import ImpossibleState
from dexmm.uniswap.oracle import Observation
from dexmm.uniswap.position import PositionInfo
from dexmm.uniswap.tick import TickInfo
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, get_sqrt_ratio_at_tick

PositionKey = tuple[str, int, int]
"""Owner, lower tick, upper tick."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """Everything a pool stores, names as in the contract.

    ``sqrt_price_x96 == 0`` is a pool that has not been initialized. ``observations`` starts at
    slot 0; slots that are not given are paid for but unwritten, so a partial ring is enough for
    swaps as long as it holds the slot at ``observation_index``.
    """

    fee: int
    tick_spacing: int
    sqrt_price_x96: int = 0
    tick: int = 0
    observation_index: int = 0
    observation_cardinality: int = 0
    observation_cardinality_next: int = 0
    fee_protocol: int = 0
    fee_growth_global0_x128: int = 0
    fee_growth_global1_x128: int = 0
    protocol_fees0: int = 0
    protocol_fees1: int = 0
    liquidity: int = 0
    ticks: Mapping[int, TickInfo] = field(default_factory=dict)
    positions: Mapping[PositionKey, PositionInfo] = field(default_factory=dict)
    observations: Sequence[Observation] = ()


def check(state: PoolState) -> None:
    """Raise ImpossibleState for what no pool can store: it was misread, or is made up.

    The ticks may be a part of the pool's, so their sum is not held against the liquidity.
    """
    if not 1 <= state.tick_spacing <= 16383:
        raise ImpossibleState("the tick spacing is not one of 1..16383", **_facts(state))
    if not 0 <= state.fee < 1_000_000:
        raise ImpossibleState("the fee is not a part of the input", **_facts(state))
    for tick, info in state.ticks.items():
        if tick % state.tick_spacing or abs(tick) > MAX_TICK:
            raise ImpossibleState(f"tick {tick} is off the tick spacing's grid", **_facts(state))
        if info.liquidity_gross <= 0:
            raise ImpossibleState(f"tick {tick} is referenced by no liquidity", **_facts(state))
    if state.sqrt_price_x96:
        _check_price(state)


def _check_price(state: PoolState) -> None:
    if not MIN_SQRT_RATIO <= state.sqrt_price_x96 < MAX_SQRT_RATIO:
        raise ImpossibleState("the price is out of bounds", **_facts(state))
    # A price that fell exactly to a tick's has left that tick: both ends of the tick count.
    lowest, highest = (get_sqrt_ratio_at_tick(tick) for tick in (state.tick, state.tick + 1))
    if not lowest <= state.sqrt_price_x96 <= highest:
        raise ImpossibleState("the tick is not the price's", **_facts(state))
    if not 0 <= state.observation_index < state.observation_cardinality:
        raise ImpossibleState("the observation index is beyond the cardinality", **_facts(state))
    known = state.observations[state.observation_index : state.observation_index + 1]
    if not known or not known[0].initialized:
        raise ImpossibleState("the newest observation is missing", **_facts(state))


def _facts(state: PoolState) -> dict[str, int]:
    return {
        "fee": state.fee,
        "tick_spacing": state.tick_spacing,
        "sqrt_price_x96": state.sqrt_price_x96,
        "tick": state.tick,
        "observation_index": state.observation_index,
        "observation_cardinality": state.observation_cardinality,
    }
