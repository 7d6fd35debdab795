"""A pool's logs held against what the pool itself says: price, tick and liquidity at some blocks.

Every swap says where it left the price, the tick and the liquidity in range; mints and burns over
the tick change that liquidity. So the logs of a range of blocks lead from the pool's state before
it to its state at its end. Where they do not, logs are missing, whatever the node says.

The state is asked for before the range, at its end, and at the ends of some parts in one request;
where these disagree, at the ends of all parts between, so that only the wrong ones are fetched
again. A node without the state of an old block (few keep it) proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from dexmm.chain.rpc.abi import LIQUIDITY, SLOT0, Answer
from dexmm.chain.rpc.client import Request, Rpc, RpcError
from dexmm.chain.rpc.parsing import data
from dexmm.fetch.pool.continuity_check import Before, Continuity, rows_of
from dexmm.fetch.pool.event_schema import KINDS
from dexmm.fetch.pool.resumable_parts import Parts, Span

ENDS_ASKED = 24  # ends of parts, spread over the range
BLOCKS_A_REQUEST = 25
_MOVES = [KINDS.index("swap"), KINDS.index("initialize")]


@dataclass(frozen=True, slots=True)
class PoolAt:
    """A pool after a block; all zero before it was opened."""

    sqrt_price_x96: int
    tick: int
    liquidity: int  # in range


UNOPENED = PoolAt(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Blocks whose logs do not lead to the pool's own state."""

    span: Span
    rows: int
    why: str


def mismatches(rpc: Rpc, parts: Parts, tick_spacing: int) -> tuple[list[Mismatch], bool]:
    """Where the logs cannot be all of them, and whether the state at the range's end is known.

    Raises ``NodeError`` when no node answers.
    """
    wanted, spans = parts.wanted, parts.spans()
    known = read_pool_at(rpc, wanted.pool, [wanted.from_block - 1, *_some_ends(spans)])
    found = _compared(parts, known, tick_spacing)
    if found:
        suspects = [s.last for s in spans if any(_within(s, each.span) for each in found)]
        known |= read_pool_at(rpc, wanted.pool, [n for n in suspects if n not in known])
        found = _compared(parts, known, tick_spacing)
    return found, wanted.to_block in known


def read_pool_at(rpc: Rpc, pool: str, blocks: Sequence[int]) -> dict[int, PoolAt]:
    """The pool after each block; blocks whose state no node has are left out.

    Raises ``NodeError`` when no node answers.
    """
    found = {number: UNOPENED for number in blocks if number < 0}
    asked = [number for number in blocks if number >= 0]
    for at in range(0, len(asked), BLOCKS_A_REQUEST):
        page = asked[at : at + BLOCKS_A_REQUEST]
        answers = rpc.batch([call for number in page for call in _calls(pool, number)])
        for number, slot0, liquidity in zip(page, answers[::2], answers[1::2], strict=True):
            if not isinstance(slot0, RpcError) and not isinstance(liquidity, RpcError):
                found[number] = _pool_at(slot0, liquidity)
    return found


def after(state: PoolAt | None, logs: pa.RecordBatch) -> PoolAt | None:
    """Where the logs lead from a state; None when neither that nor they tell."""
    moves = _moves(logs)
    start = 0
    if len(moves):
        start = int(moves[-1]) + 1
        (last,) = rows_of(logs.slice(start - 1, 1))
        state = PoolAt(last.sqrt_price_x96, last.tick, last.liquidity)
    if state is None:
        return None
    liquidity = state.liquidity
    for row in rows_of(logs.slice(start)):
        if row.kind in ("mint", "burn") and row.tick_lower <= state.tick < row.tick_upper:
            liquidity += row.amount if row.kind == "mint" else -row.amount
    return replace(state, liquidity=liquidity)


def _compared(parts: Parts, known: Mapping[int, PoolAt], tick_spacing: int) -> list[Mismatch]:
    found: list[Mismatch] = []
    since, rows, why = parts.wanted.from_block, 0, ""
    state = known.get(since - 1)
    for span, logs in zip(parts.spans(), parts.batches(), strict=True):
        if span.first == since and state is not None:
            why = _first_swap(state, logs, tick_spacing)
        rows += logs.num_rows
        state, actual = after(state, logs), known.get(span.last)
        if actual is None:
            continue
        if state is not None and state != actual:
            why = why or _difference(span.last, state, actual)
        if why:
            found.append(Mismatch(Span(since, span.last), rows, why))
        state, since, rows, why = actual, span.last + 1, 0, ""
    return found


def _first_swap(state: PoolAt, logs: pa.RecordBatch, tick_spacing: int) -> str:
    """Why the first swap, or what is before it, cannot be the first; empty when it can."""
    if not logs.num_rows:
        return ""
    moves = _moves(logs)
    leading = logs.slice(0, int(moves[0]) + 1 if len(moves) else logs.num_rows)
    if state == UNOPENED:
        (first,) = rows_of(logs.slice(0, 1))
        if first.kind == "initialize":
            return ""
        return f"the pool was not open before block {first.block_number}, where no log opens it"
    before = Before(0, state.sqrt_price_x96, state.liquidity, state.tick)
    broken = Continuity(tick_spacing, before).look(leading)
    if broken is None:
        return ""
    return f"log {broken.log_index} of block {broken.block} cannot be the first: {broken.why}"


def _moves(logs: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The rows that say where the price is."""
    if not logs.num_rows:
        return np.empty(0, np.intp)
    return np.flatnonzero(np.isin(logs.column("kind").indices.to_numpy(), _MOVES))


def _difference(block: int, told: PoolAt, actual: PoolAt) -> str:
    for name, what in (
        ("sqrt_price_x96", "square-root price"),
        ("tick", "tick"),
        ("liquidity", "liquidity"),
    ):
        ours, its = getattr(told, name), getattr(actual, name)
        if ours != its:
            return f"after block {block} the pool's {what} is {its}, and {ours} by its logs"
    return ""


def _some_ends(spans: Sequence[Span]) -> list[int]:
    """The ends of parts spread over the range, the last one among them."""
    step = -(-len(spans) // ENDS_ASKED)
    return [span.last for span in reversed(spans[::-1][::step])]


def _within(part: Span, span: Span) -> bool:
    return span.first <= part.first and part.last <= span.last


def _calls(pool: str, number: int) -> list[Request]:
    return [
        ("eth_call", [{"to": pool, "data": "0x" + read().hex()}, hex(number)])
        for read in (SLOT0, LIQUIDITY)
    ]


def _pool_at(slot0: object, liquidity: object) -> PoolAt:
    """A pool that is not there yet answers with nothing."""
    first, second = data(slot0, "a pool's price"), data(liquidity, "a pool's liquidity")
    if not first and not second:
        return UNOPENED
    price = Answer(first, "a pool's price")
    return PoolAt(
        price.uint(0, 160), price.sint(1, 24), Answer(second, "a pool's liquidity").uint(0, 128)
    )
