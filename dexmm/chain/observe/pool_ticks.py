"""The whole pool in one request, on demand: what ``uniswap.pool`` needs to go on from here, and
what a liquidity profile is drawn from. Positions are not in it: nobody can list them."""

from __future__ import annotations

from collections.abc import Sequence

from dexmm.chain.observe.lens import POOL_INITIALISED, by_override
from dexmm.chain.rpc.abi import LENS_OBSERVATIONS, LENS_TICKS, Answer
from dexmm.chain.rpc.client import Request, Rpc, expect
from dexmm.chain.rpc.parsing import data
from dexmm.errors import NodeError, Transient
from dexmm.model.market import Market
from dexmm.uniswap.oracle import Observation
from dexmm.uniswap.pool_state import PoolState
from dexmm.uniswap.tick import TickInfo
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK

WORDS_A_CALL = 1024  # of the tick bitmap: about 5 million gas when they are empty
TICK_WORDS = 8
OBSERVATION_WORDS = 4
OBSERVATION_SLOTS = 1024  # read at first; a longer ring costs a second request

_BLOCK = 1
_POOL = 8
_TICKS = 27


def read_pool(rpc: Rpc, market: Market) -> tuple[PoolState, int]:
    """The pool's whole state at the newest block, but for positions, and that block's time.

    Raises ``Transient`` when the chain moved on while it was read, ``NodeError`` when the node
    refuses state overrides: no other way fits into one answer.
    """
    slots = OBSERVATION_SLOTS
    for _ in range(3):
        answers = _ask(rpc, market, slots)
        maps = [Answer(raw, "the tick map") for raw in answers[1:]]
        cardinality = _require_one_block(maps)
        if cardinality <= slots:
            ring = Answer(answers[0], "the oracle's ring")
            return _pool_state(maps, ring, cardinality), maps[0].uint(_BLOCK + 1, 64)
        slots = cardinality
    raise Transient("the oracle's ring grew while it was read: try again")


def _ask(rpc: Rpc, market: Market, slots: int) -> list[bytes]:
    requests: list[Request] = [by_override(call) for call in _calls(market, slots)]
    raw = [data(expect(answer), "the tick map") for answer in rpc.batch(requests)]
    if not all(raw):
        raise NodeError(f"{rpc.name} ignores state overrides: the tick map cannot be read there")
    return raw


def _calls(market: Market, slots: int) -> list[bytes]:
    spacing = market.tick_spacing
    first, last = (MIN_TICK // spacing) >> 8, (MAX_TICK // spacing) >> 8
    return [
        LENS_OBSERVATIONS(market.pool, 0, slots),
        *(
            LENS_TICKS(market.pool, low, min(low + WORDS_A_CALL - 1, last))
            for low in range(first, last + 1, WORDS_A_CALL)
        ),
    ]


def _require_one_block(maps: Sequence[Answer]) -> int:
    """The ring's cardinality, once every part says that it is of the same block."""
    if not maps[0].uint(0) & POOL_INITIALISED:
        raise NodeError("the node no longer knows the pool: it may be behind or on another chain")
    places = {(part.uint(_BLOCK, 64), part.hash32(_BLOCK + 2)) for part in maps}
    if len(places) != 1:
        raise Transient("the chain moved on while the tick map was read: try again")
    return maps[0].uint(_POOL + 8, 16)


def _pool_state(maps: Sequence[Answer], ring: Answer, cardinality: int) -> PoolState:
    pool = maps[0]
    at = _POOL
    return PoolState(
        fee=pool.uint(at + 2, 24),
        tick_spacing=pool.sint(at + 3, 24),
        sqrt_price_x96=pool.uint(at + 5, 160),
        tick=pool.sint(at + 6, 24),
        observation_index=pool.uint(at + 7, 16),
        observation_cardinality=cardinality,
        observation_cardinality_next=pool.uint(at + 9, 16),
        fee_protocol=pool.uint(at + 10, 8),
        fee_growth_global0_x128=pool.uint(at + 13),
        fee_growth_global1_x128=pool.uint(at + 14),
        protocol_fees0=pool.uint(at + 15, 128),
        protocol_fees1=pool.uint(at + 16, 128),
        liquidity=pool.uint(at + 12, 128),
        ticks={tick: info for part in maps for tick, info in _ticks(part)},
        observations=_observations(ring, cardinality),
    )


def _ticks(part: Answer) -> list[tuple[int, TickInfo]]:
    at = part.at(_TICKS)
    count = part.count(at, TICK_WORDS)
    return [_tick(part, at + 1 + i * TICK_WORDS) for i in range(count)]


def _tick(part: Answer, at: int) -> tuple[int, TickInfo]:
    return part.sint(at, 24), TickInfo(
        liquidity_gross=part.uint(at + 1, 128),
        liquidity_net=part.sint(at + 2, 128),
        fee_growth_outside0_x128=part.uint(at + 3),
        fee_growth_outside1_x128=part.uint(at + 4),
        tick_cumulative_outside=part.sint(at + 5, 56),
        seconds_per_liquidity_outside_x128=part.uint(at + 6, 160),
        seconds_outside=part.uint(at + 7, 32),
    )


def _observations(ring: Answer, cardinality: int) -> tuple[Observation, ...]:
    at = ring.at(0)
    ring.count(at, OBSERVATION_WORDS)
    return tuple(
        Observation(
            ring.uint(slot, 32), ring.sint(slot + 1, 56), ring.uint(slot + 2, 160),
            ring.flag(slot + 3),
        )
        for slot in range(at + 1, at + 1 + cardinality * OBSERVATION_WORDS, OBSERVATION_WORDS)
    )  # fmt: skip
