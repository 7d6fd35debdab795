"""The swaps of several pools over the same days, fetched range by range into a folder.

    scout.json                   which blocks; a scout that was interrupted goes on with the same
    POOL-FIRST-LAST.parquet      the logs of one pool, whole; beside it the parts of one that is not

The blocks of the days that were asked for are found by their times. A folder that holds another
scout is refused rather than mixed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dexmm.errors import BadInput, unusable
from dexmm.fetch.atomic_output import whole
from dexmm.fetch.pool.block_range import Patience, Watch
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.pool_logs import USUAL_PATIENCE, SwapsAsked, fetch_swaps
from dexmm.fetch.pool.resumable_parts import discard
from dexmm.model.market import Market
from dexmm.performance.pool_statistics import Swap

PLAN = "scout.json"
DAY = 86_400
COLUMNS = ["block_number", "block_timestamp", "amount0", "amount1", "sqrt_price_x96", "liquidity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The blocks that are looked at, both included, and when the first and last were made."""

    chain_id: int
    base: str
    days: str
    first: int
    last: int
    start: int
    end: int

    @property
    def blocks(self) -> int:
        return self.last - self.first


def open_folder(folder: Path, node: Node, base: str, days: str, confirmations: int) -> Range:
    """The range begun there, or a new one that ends at the newest final block.

    Raises ``BadInput`` for a folder of another scout, and where the chain is too young.
    """
    plan = folder / PLAN
    try:
        begun = Range(**json.loads(plan.read_text(encoding="utf-8")))
    except FileNotFoundError:
        begun = None
    except (OSError, ValueError, TypeError):
        raise BadInput(f"{plan} cannot be read: remove {folder} and begin anew") from None
    chain_id = node.chain_id()
    if begun is not None:
        if (begun.chain_id, begun.base, begun.days) != (chain_id, base, days):
            raise BadInput(
                f"{folder} holds an unfinished scout of {begun.base} over {begun.days} days: "
                "finish that, remove the folder, or name another --logs"
            )
        return begun
    made = _new(node, chain_id, base, days, confirmations)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(f"cannot make {folder}", error, "choose another --logs") from None
    with whole(plan) as path:
        path.write_text(json.dumps(asdict(made)), encoding="utf-8")
    return made


def finished(folder: Path, span: Range, markets: Sequence[Market]) -> None:
    """Nothing is left to resume: what was fetched is removed, and the folder where that was all
    there is in it."""
    for market in markets:
        file = _file(folder, span, market)
        file.unlink(missing_ok=True)
        discard(file)
    (folder / PLAN).unlink(missing_ok=True)
    with suppress(OSError):  # somebody keeps other things there
        folder.rmdir()


def fetch_all(
    node: Node,
    folder: Path,
    span: Range,
    markets: Sequence[Market],
    watch: Watch,
    confirmations: int,
    patience: Patience = USUAL_PATIENCE,
) -> dict[str, tuple[Swap, ...]]:
    """Every pool's swaps by its address, those that are already there not asked for again.

    Raises ``BadInput`` and ``Transient`` as ``fetch_swaps`` does; what is whole by then stays.
    """
    found = {}
    for at, market in enumerate(markets):
        file = _file(folder, span, market)
        asked = SwapsAsked(
            pool=market.pool,
            from_block=span.first,
            to_block=span.last,
            output=file,
            confirmations=confirmations,
        )
        fetch_swaps(node, asked, _part_of(watch, at, len(markets)), patience)
        found[market.pool] = read_swaps(file, span)
    return found


def _file(folder: Path, span: Range, market: Market) -> Path:
    return folder / f"{market.pool}-{span.first}-{span.last}.parquet"


def _part_of(watch: Watch, at: int, count: int) -> Watch:
    """Blocks of one pool as blocks of all of them."""
    return lambda done, total, rows: watch(at * total + done, count * total, rows)


def read_swaps(file: Path, span: Range) -> tuple[Swap, ...]:
    """Swaps in their order. A block whose time nobody told stands between its neighbours."""
    table = pq.read_table(file, columns=[*COLUMNS, "kind"])
    kept = table.filter(pc.equal(table["kind"].cast(pa.string()), "swap"))
    rows = kept.select(COLUMNS).to_pylist()
    length = max(span.blocks, 1)

    def time_of(block: int, told: int | None) -> int:
        if told is not None:
            return told
        return span.start + (span.end - span.start) * (block - span.first) // length

    return tuple(
        Swap(
            time=time_of(row["block_number"], row["block_timestamp"]),
            amount0=int(row["amount0"]),
            amount1=int(row["amount1"]),
            sqrt_price_x96=int(row["sqrt_price_x96"]),
            liquidity=int(row["liquidity"]),
        )
        for row in rows
    )


def _new(node: Node, chain_id: int, base: str, days: str, confirmations: int) -> Range:
    last = node.head() - confirmations
    if last < 1:
        raise BadInput(f"the chain has no {confirmations} blocks yet: ask for --confirmations 0")
    end = node.headers([last])[0].timestamp
    first, start = _block_at(node, int(end - Decimal(days) * DAY), last, end)
    return Range(
        chain_id=chain_id, base=base, days=days, first=first, last=last, start=start, end=end
    )


def _block_at(node: Node, wanted: int, last: int, end: int) -> tuple[int, int]:
    """The first block at or after a time, and its time: by interpolation, halving where that is
    slow."""
    low, high = 0, last
    low_time, high_time = node.headers([0])[0].timestamp, end
    if low_time >= wanted:
        return low, low_time
    halve = False
    while high - low > 1:
        part = (high - low) * (wanted - low_time) // max(high_time - low_time, 1)
        middle = (low + high) // 2 if halve else min(max(low + part, low + 1), high - 1)
        halve = not halve
        time = node.headers([middle])[0].timestamp
        if time >= wanted:
            high, high_time = middle, time
        else:
            low, low_time = middle, time
    return high, high_time
