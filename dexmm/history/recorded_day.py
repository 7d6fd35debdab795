"""The JSON record of a pool over some blocks: its state before, and every event with its inputs.

Its keys are those of the contract and of Uniswap-Simulator's records: ``before``, ``events`` (each
a SWAP, MINT or BURN), ``blockBefore``. The record has no log indices: an event's is its place in
its block. It has no oracle either: the ring begins empty, at the time of the first event less a
slot of 12 seconds for each block between. Of the positions only those that events name are read,
since a key joins the owner and both ticks without a separator.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dexmm.errors import BadInput
from dexmm.history.event_types import BURN, MINT, SWAP_DOWN, SWAP_UP, EventHistory, Events
from dexmm.history.open_file import opened_text
from dexmm.history.wide_ints import Wide
from dexmm.uniswap.oracle import GROWN, Observation
from dexmm.uniswap.pool_state import PoolState, PositionKey
from dexmm.uniswap.position import PositionInfo
from dexmm.uniswap.tick import TickInfo

FETCH = (
    "make the file with `dexmm fetch swaps --pool ADDRESS --from-block N -o swaps.parquet`, which "
    "needs nothing but a node"
)
_ROUNDED = (
    "a page of events with amounts rounded to decimals, and the exact pool cannot be made again "
    "from it"
)
_ROWS = "rows of a table without the pool's state before them"
_RAW_LOGS = "a node's or an explorer's undecoded logs, without the pool's state before them"
_SLOT_SECONDS = 12
_METHODS = ("SWAP", "MINT", "BURN")

Record = Mapping[str, Any]


def read_day(path: Path) -> EventHistory:
    """The record as it stands; nothing is proved yet. Raises ``BadInput``."""
    try:
        with opened_text(path) as text:
            record = json.load(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is not JSON, or is cut short: {error}", file=str(path)) from None
    if what := _something_else(record):
        raise BadInput(f"{path} {what}: {FETCH}", file=str(path))
    try:
        return _history(record, str(path))
    except KeyError as error:
        raise BadInput(
            f"{path} is not a whole record of pool events: it lacks {error}; {FETCH}",
            file=str(path),
        ) from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(
            f"{path} is not a record of pool events: {error}; {FETCH}", file=str(path)
        ) from None


def _something_else(record: Any) -> str:
    """What JSON it is that is no record, as people have it; empty where it may be one."""
    if isinstance(record, list):
        if record and isinstance(record[0], list):
            return "holds candles, which --prices reads, and no pool events"
        if record and isinstance(record[0], Mapping) and "topics" in record[0]:
            return f"holds {_RAW_LOGS}"
        return "is a list, and not a pool's state with the events after it"
    if not isinstance(record, Mapping):
        return "is not a pool's state with the events after it"
    if "before" in record or "events" in record:
        return ""
    if "errors" in record and not record.get("data"):
        return "is a subgraph's error, and holds no event"
    inner = record.get("data")
    if isinstance(inner, Mapping) and {"swaps", "mints", "burns"} & set(inner):
        return f"is a subgraph's answer, {_ROUNDED}"
    if "execution_id" in record or "query_id" in record:
        return f"is an answer of Dune, {_ROWS}"
    if "result" in record and ("jsonrpc" in record or "status" in record):
        return f"holds {_RAW_LOGS}"
    return "is not a pool's state (before) with the events after it (events)"


def _history(record: Record, source: str) -> EventHistory:
    rows = record["events"]
    if not rows:
        raise BadInput(f"{source} holds no event: choose another file", file=source)
    kinds = bytes(map(_kind, rows))
    blocks = int(rows[0]["blockNo"]) - int(record["blockBefore"])
    opened_at = int(rows[0]["timestamp"]) - blocks * _SLOT_SECONDS
    opening = _state(record["before"], rows, opened_at)
    return EventHistory(
        source=source,
        pool=str(record["pool"]),
        token0=None,
        token1=None,
        opened_at=opened_at,
        opening=opening,
        events=_events(rows, kinds, opening.sqrt_price_x96),
    )


def _state(before: Record, rows: Iterable[Record], at: int) -> PoolState:
    slot0 = before["slot0"]
    ring = [GROWN] * int(slot0["observationCardinality"])
    ring[int(slot0["observationIndex"])] = Observation(at, 0, 0, True)
    return PoolState(
        fee=int(before["fee"]),
        tick_spacing=int(before["tickSpacing"]),
        sqrt_price_x96=int(slot0["sqrtPriceX96"]),
        tick=int(slot0["tick"]),
        observation_index=int(slot0["observationIndex"]),
        observation_cardinality=len(ring),
        observation_cardinality_next=len(ring),
        fee_growth_global0_x128=int(before["feeGrowthGlobal0X128"]),
        fee_growth_global1_x128=int(before["feeGrowthGlobal1X128"]),
        liquidity=int(before["liquidity"]),
        ticks={
            int(tick): _tick(info) for tick, info in before["ticks"].items() if info["initialized"]
        },
        positions=_positions(before["positions"], rows),
        observations=ring,
    )


def _tick(info: Record) -> TickInfo:
    return TickInfo(
        int(info["liquidityGross"]),
        int(info["liquidityNet"]),
        int(info["feeGrowthOutside0X128"]),
        int(info["feeGrowthOutside1X128"]),
        int(info["tickCumulativeOutside"]),
        int(info["secondsPerLiquidityOutsideX128"]),
        int(info["secondsOutside"]),
    )


def _positions(held: Record, rows: Iterable[Record]) -> dict[PositionKey, PositionInfo]:
    named = {
        (str(row["owner"]), int(row["tickLower"]), int(row["tickUpper"]))
        for row in rows
        if row["method"] != "SWAP"
    }
    joined = {key: "".join(map(str, key)) for key in named}
    return {
        key: PositionInfo(
            int(held[name]["liquidity"]),
            int(held[name]["feeGrowthInside0LastX128"]),
            int(held[name]["feeGrowthInside1LastX128"]),
            int(held[name]["tokensOwed0"]),
            int(held[name]["tokensOwed1"]),
        )
        for key, name in joined.items()
        if name in held
    }


def _events(rows: list[Record], kinds: bytes, opening_sqrt_price_x96: int) -> Events:
    owners = {row["owner"]: None for row in rows if row["method"] != "SWAP"}
    places = {owner: i for i, owner in enumerate(owners)}
    prices, logs = [], array("q")
    price, block = opening_sqrt_price_x96, -1
    for row in rows:
        price = int(row["sqrtPriceX96"]) if row["method"] == "SWAP" else price
        prices.append(price)
        logs.append(logs[-1] + 1 if int(row["blockNo"]) == block else 0)
        block = int(row["blockNo"])
    return Events(
        kinds=kinds,
        blocks=array("q", [int(row["blockNo"]) for row in rows]),
        timestamps=array("q", [int(row["timestamp"]) for row in rows]),
        log_indices=logs,
        inputs=Wide.of(
            [int(row["amountSpecified" if row["method"] == "SWAP" else "amount"]) for row in rows]
        ),
        limits={
            i: int(row["sqrtPriceLimitX96"])
            for i, row in enumerate(rows)
            if row.get("sqrtPriceLimitX96")
        },
        amounts0=Wide.of([int(row["amount0"]) for row in rows]),
        amounts1=Wide.of([int(row["amount1"]) for row in rows]),
        sqrt_prices=Wide.of(prices),
        liquidities=Wide.of([int(row.get("liquidity", 0)) for row in rows]),
        ticks=array("q", [int(row.get("tick", 0)) for row in rows]),
        owners=array("q", [places.get(row.get("owner"), 0) for row in rows]),
        ticks_lower=array("q", [int(row.get("tickLower", 0)) for row in rows]),
        ticks_upper=array("q", [int(row.get("tickUpper", 0)) for row in rows]),
        names=tuple(owners),
    )


def _kind(row: Record) -> int:
    if row["method"] not in _METHODS:
        raise ValueError(f"an event of the unknown kind {row['method']!r}")
    if row["method"] == "SWAP":
        return SWAP_DOWN if row["zeroForOne"] else SWAP_UP
    return MINT if row["method"] == "MINT" else BURN
