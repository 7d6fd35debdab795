"""A pool's whole state as plain data: what the chain stores, and what a test compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dexmm.uniswap.oracle import Observation
from dexmm.uniswap.position import PositionInfo
from dexmm.uniswap.tick import TickInfo

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
