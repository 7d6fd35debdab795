"""A pool's events into one Parquet file: range by range, resumable, each block covered once.

Blocks that a reorganisation may still take back are not asked for. The hash of the last block is
noted at the beginning and must be the same at the end, and whenever the fetch is resumed: it
stands for every block before it, so a chain that was reorganised in between, or another chain,
is found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dexmm.chain.rpc.client import Rpc
from dexmm.errors import BadInput, NodeError, Transient
from dexmm.fetch.atomic_output import demand_writable
from dexmm.fetch.pool.block_range import Patience, RangeFiller, Watch
from dexmm.fetch.pool.continuity_check import Continuity, QuickContinuity
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_header import pool_metadata, read_pool
from dexmm.fetch.pool.replay_check import Prove, replayed
from dexmm.fetch.pool.resumable_parts import Parts, Span, Wanted, discard, read_wanted
from dexmm.fetch.pool.state_check import Mismatch, mismatches
from dexmm.model.market import Market

FINAL_AFTER = 64  # blocks: two epochs, when mainnet calls a block final
SMALLER = 2  # times that a node is asked again, for smaller ranges
USUAL_PATIENCE = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapsAsked:
    """``to_block`` None is the newest final block; ``base`` is the inventory's token, if known."""

    pool: str
    from_block: int
    to_block: int | None
    output: Path
    confirmations: int = FINAL_AFTER
    timestamps: bool = False
    check_prices: bool = False
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapsFetched:
    file: Path
    pool: str
    from_block: int
    to_block: int
    rows: int
    kinds: Mapping[str, int]
    untimed: int  # rows without a timestamp
    requests: int  # for logs; 0 when the file was there already
    held: bool  # against the pool's own state at the end; False: no node had it


def fetch_swaps(
    node: Node,
    asked: SwapsAsked,
    watch: Watch,
    patience: Patience = USUAL_PATIENCE,
    prove: Prove | None = None,
) -> SwapsFetched:
    """Fetch what is missing of the range, and write the file when nothing is.

    Each swap is held against the one before it, with ``check_prices`` to the last unit; with
    ``prove`` that replays a history which begins with the pool's opening.

    Raises ``BadInput`` for what a person must correct, ``Transient`` for what may pass: the same
    call then goes on where it ended.
    """
    _demand_possible(asked)
    if asked.output.exists():
        return _there_already(asked)
    wanted = _wanted(node, asked)
    market = read_pool(node.rpc, asked.pool, wanted.chain_id)
    with Parts.of(asked.output, wanted) as parts:
        filler = RangeFiller(node, parts, patience, watch)
        hold = _Hold(node.rpc, parts, market, asked.check_prices, prove)
        held = _fill(node, parts, filler, hold)
        told = {**pool_metadata(market, asked.base), **_range_metadata(wanted)}
        parts.merge({**told, "dexmm.held": json.dumps(held)})
    return _described(asked.output, node.requests)


@dataclass(frozen=True, slots=True)
class _Hold:
    """What fetched logs are held against."""

    rpc: Rpc
    parts: Parts
    market: Market
    check_prices: bool
    prove: Prove | None

    def wrong(self) -> tuple[list[Mismatch], bool]:
        """Where logs must be missing, and whether the pool's state at the end is known."""
        found, held = mismatches(self.rpc, self.parts, self.market.tick_spacing)
        if found:
            return found, held
        found = _broken(self.parts, self.market.tick_spacing, exact=self.check_prices)
        if self.check_prices and self.prove is not None and not found:
            found = replayed(self.prove, self.rpc, self.parts, self.market)
        return found, held


def _fill(node: Node, parts: Parts, filler: RangeFiller, hold: _Hold) -> bool:
    """Fetch what is missing until it leads to the pool's own state; False when no node has that.

    Raises ``NodeError`` when logs are missing again and again, from every node.
    """
    wrong: list[Mismatch] = []
    asked: list[str] = []
    for _ in range(node.count + SMALLER):
        filler.fill()
        _demand_same_chain(node, parts.wanted)
        wrong, held = hold.wrong()
        if not wrong:
            return held
        asked.append(node.logs_name)
        _forget(node, parts, filler, wrong)
    raise NodeError(
        f"{' and '.join(dict.fromkeys(asked))} left out logs of blocks {wrong[0].span.first} to "
        f"{wrong[0].span.last}: {wrong[0].why}; nothing was written, so name another node"
    )


def _forget(node: Node, parts: Parts, filler: RangeFiller, wrong: list[Mismatch]) -> None:
    """Make what is wrong missing again, to be asked of the next node, and in smaller ranges."""
    rows = parts.rows()
    for each in wrong:
        parts.drop(each.span.first, each.span.last)
    node.doubt(max((rows.get(each.span, 0) for each in wrong), default=0))
    filler.smaller(max(len(span) for span in rows if span not in parts.rows()))


def _demand_possible(asked: SwapsAsked) -> None:
    demand_writable(asked.output)
    if asked.output.suffix != ".parquet":
        raise BadInput(f"{asked.output} must end in .parquet: swaps are stored as Parquet")
    if asked.to_block is not None and asked.to_block < asked.from_block:
        raise BadInput(
            f"--from-block {asked.from_block} comes after --to-block {asked.to_block}: "
            "exchange them"
        )


def _wanted(node: Node, asked: SwapsAsked) -> Wanted:
    """The range as it is about to be fetched, with the hash that its last block has now."""
    chain_id, final = node.chain_id(), node.head() - asked.confirmations
    begun = read_wanted(asked.output)
    to_block = asked.to_block
    if to_block is None:
        to_block = begun.to_block if begun else final
    last = max(to_block, asked.from_block)
    if last > final:
        raise BadInput(
            f"block {last} is not final yet: with {asked.confirmations} confirmations the newest "
            f"that is, is {max(final, 0)}; ask up to that, or for fewer --confirmations"
        )
    return Wanted(
        chain_id=chain_id,
        pool=asked.pool,
        from_block=asked.from_block,
        to_block=to_block,
        anchor=node.headers([to_block])[0].hash,
        timestamps=asked.timestamps,
    )


def _demand_same_chain(node: Node, wanted: Wanted) -> None:
    if node.headers([wanted.to_block])[0].hash != wanted.anchor:
        raise Transient(
            f"the chain was reorganised below block {wanted.to_block} during the fetch: remove "
            "what was fetched, and repeat with more --confirmations"
        )


def _broken(parts: Parts, tick_spacing: int, *, exact: bool) -> list[Mismatch]:
    """The first swap that does not follow from the one before it."""
    continuity = Continuity(tick_spacing) if exact else QuickContinuity(tick_spacing)
    for logs in parts.batches():
        if broken := continuity.look(logs):
            why = (
                f"log {broken.log_index} of block {broken.block} does not follow from the swap "
                f"before it, in block {broken.after_block}: {broken.why}"
            )
            return [Mismatch(Span(broken.after_block, broken.block), 0, why)]
    return []


def _range_metadata(wanted: Wanted) -> dict[str, str]:
    return {
        "dexmm.from_block": str(wanted.from_block),
        "dexmm.to_block": str(wanted.to_block),
        "dexmm.to_block_hash": wanted.anchor,
    }


def _there_already(asked: SwapsAsked) -> SwapsFetched:
    """What the file says of itself, when it is what was asked for; no node is asked."""
    try:
        told = _described(asked.output, 0)
    except (pa.ArrowInvalid, KeyError, ValueError):
        raise BadInput(
            f"{asked.output} exists and is no file of `dexmm fetch swaps`: remove it, or name "
            "another --output"
        ) from None
    ours = (asked.pool, asked.from_block, asked.to_block)
    if (told.pool, told.from_block, told.to_block) != ours:
        raise BadInput(
            f"{asked.output} exists and holds {told.pool}, blocks {told.from_block} to "
            f"{told.to_block}: remove it, or name another --output"
        )
    if asked.timestamps and told.untimed:
        raise BadInput(
            f"{asked.output} exists and lacks {told.untimed} timestamps: remove it, or name "
            "another --output"
        )
    discard(asked.output)
    return told


def _described(output: Path, requests: int) -> SwapsFetched:
    with pq.ParquetFile(output) as file:
        metadata = file.schema_arrow.metadata or {}
        columns = file.read(["kind", "block_timestamp"])
    facts = {key.decode(): value.decode() for key, value in metadata.items()}
    counts = pc.value_counts(columns["kind"].cast(pa.string())).to_pylist()
    return SwapsFetched(
        file=output,
        pool=facts["dexmm.pool"],
        from_block=int(facts["dexmm.from_block"]),
        to_block=int(facts["dexmm.to_block"]),
        rows=columns.num_rows,
        kinds={each["values"]: each["counts"] for each in counts},
        untimed=columns["block_timestamp"].null_count,
        requests=requests,
        held=facts.get("dexmm.held") == "true",
    )
