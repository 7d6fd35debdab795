"""A pool's history from its opening on, replayed through the exact pool: the strongest check.

Every swap must end at its recorded price, tick, liquidity and amounts, every mint and burn must
move its recorded amounts, and in the end the pool must have the fee growth and the protocol's
fees that the chain has. Only a history that begins with the pool's initialization can be replayed:
of any other the liquidity at each tick is unknown.

Flash loans pay fees too, and the protocol's share can change: neither is among the logs that a
fetch stores. Where a pool had them, its fees at the end prove nothing, and are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import pyarrow as pa

from dexmm.chain.rpc.abi import FEE_GROWTH_GLOBAL0, FEE_GROWTH_GLOBAL1, PROTOCOL_FEES, SLOT0, Answer
from dexmm.chain.rpc.client import Rpc, RpcError
from dexmm.chain.rpc.parsing import data, mapping, quantity
from dexmm.errors import BadInput, NodeError
from dexmm.fetch.pool.event_schema import SCHEMA
from dexmm.fetch.pool.resumable_parts import Parts, Span
from dexmm.fetch.pool.state_check import Mismatch
from dexmm.model.market import Market

FLASH = "0xbdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633"
SET_FEE_PROTOCOL = "0x973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133"
COLLECT_PROTOCOL = "0x596b573906218d3411850b26a6b437d6c4522fdb43d2d2386263f86d50b8b151"
GROWTH, PROTOCOL = "fee growth", "protocol's fees"


class Earned(Protocol):
    """What a pool has after its last log, of token0 and token1."""

    @property
    def fee_growth_x128(self) -> tuple[int, int]: ...
    @property
    def protocol_fees(self) -> tuple[int, int]: ...
    @property
    def first_swap(self) -> tuple[int, int] | None: ...


class Prove(Protocol):
    """``sim.history_proof.prove_logs``."""

    def __call__(
        self, table: Any, *, fee_pips: int, tick_spacing: int, fee_protocol: int
    ) -> Earned | None: ...


@dataclass(frozen=True, slots=True)
class _Fees:
    growth: tuple[int, int]
    protocol: tuple[int, int]


def replayed(prove: Prove, rpc: Rpc, parts: Parts, market: Market) -> list[Mismatch]:
    """What the replay contradicts: one stretch of blocks, or none; none too where the logs do not
    begin with the pool's initialization. Raises ``NodeError`` when no node answers."""
    span = parts.wanted.span
    chain, fee_protocol = _fees_on_chain(rpc, parts)
    try:
        earned = prove(
            pa.Table.from_batches(list(parts.batches()), SCHEMA),
            fee_pips=market.fee_pips,
            tick_spacing=market.tick_spacing,
            fee_protocol=fee_protocol,
        )
    except BadInput as error:
        until = cast("int", error.facts.get("block", span.last))
        return [Mismatch(Span(span.first, until), 0, error.message)]
    if earned is None or chain is None:
        return []
    pairs = (
        (GROWTH, chain.growth, earned.fee_growth_x128),
        (PROTOCOL, chain.protocol, earned.protocol_fees),
    )
    wrong = {what: (its, ours) for what, its, ours in pairs if its != ours}
    if wrong:
        wrong = {w: each for w, each in wrong.items() if w not in _excused(rpc, parts, earned)}
    return [
        Mismatch(
            span,
            0,
            f"after block {span.last} the pool's {what} is {its[0]} and {its[1]}, and {ours[0]} "
            f"and {ours[1]} by its logs",
        )
        for what, (its, ours) in list(wrong.items())[:1]
    ]


def _fees_on_chain(rpc: Rpc, parts: Parts) -> tuple[_Fees | None, int]:
    """At the end of the range, with the protocol's share; None where no node has them."""
    block = hex(parts.wanted.to_block)
    reads = (FEE_GROWTH_GLOBAL0, FEE_GROWTH_GLOBAL1, PROTOCOL_FEES, SLOT0)
    calls = [{"to": parts.wanted.pool, "data": "0x" + read().hex()} for read in reads]
    answers = rpc.batch([("eth_call", [call, block]) for call in calls])
    if any(isinstance(answer, RpcError) or answer == "0x" for answer in answers):
        return None, 0
    growth0, growth1, owed, slot0 = (
        Answer(data(answer, "a pool's fees"), "a pool's fees") for answer in answers
    )
    fees = _Fees((growth0.uint(0), growth1.uint(0)), (owed.uint(0, 128), owed.uint(1, 128)))
    return fees, slot0.uint(5, 8)


def _excused(rpc: Rpc, parts: Parts, earned: Earned) -> set[str]:
    """Which fees may differ, because of events that a fetch does not store."""
    wanted = parts.wanted
    topics = [[FLASH, SET_FEE_PROTOCOL, COLLECT_PROTOCOL]]
    where = {"fromBlock": hex(wanted.from_block), "toBlock": hex(wanted.to_block)}
    try:
        found = rpc.call("eth_getLogs", [{"address": wanted.pool, "topics": topics, **where}])
    except NodeError:
        found = None  # the range is too large for it
    if not isinstance(found, list):
        return {GROWTH, PROTOCOL}
    excused: set[str] = set()
    for each in found:
        log = mapping(each, "an event")
        topic = (log.get("topics") or [""])[0]
        place = tuple(quantity(log.get(key), "an event") for key in ("blockNumber", "logIndex"))
        if topic == COLLECT_PROTOCOL:
            excused.add(PROTOCOL)
        elif topic == FLASH or (earned.first_swap and place > earned.first_swap):
            return {GROWTH, PROTOCOL}
    return excused
