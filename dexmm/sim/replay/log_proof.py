"""A pool's logs from its opening on, proved by the exact pool, and what it earned by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dexmm.history.event_types import SWAP_DOWN, EventHistory
from dexmm.history.pool_logs import events_of
from dexmm.sim.replay.swap_inputs import proved
from dexmm.uniswap.pool_state import PoolState


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a pool has after its last log, of token0 and token1."""

    fee_growth_x128: tuple[int, int]
    protocol_fees: tuple[int, int]
    first_swap: tuple[int, int] | None  # block and log index


def prove_logs(table: Any, *, fee_pips: int, tick_spacing: int, fee_protocol: int) -> Earned | None:
    """Replay a table of logs, in the columns of ``dexmm fetch swaps``, with one protocol share.

    None when they do not begin with the pool's initialization: the liquidity at each tick is then
    unknown. Raises ``BadInput`` with the ``block`` of the first log that contradicts the pool.
    """
    if not table.num_rows or table["kind"][0].as_py() != "initialize":
        return None
    if table["block_timestamp"].null_count:  # only the oracle needs times, and nobody asks it
        at = table.schema.get_field_index("block_timestamp")
        table = table.set_column(at, table.schema.field(at), table["block_number"])
    events = events_of(table, None, Path("the logs"))
    history = EventHistory(
        source="the logs",
        pool="",
        token0=None,
        token1=None,
        opened_at=events.timestamps[0],
        opening=PoolState(fee_pips, tick_spacing, fee_protocol=fee_protocol),
        events=events,
    )
    pool = proved(history)
    first = next((i for i, kind in enumerate(events.kinds) if kind >= SWAP_DOWN), None)
    return Earned(
        fee_growth_x128=(pool.fee_growth_global0_x128, pool.fee_growth_global1_x128),
        protocol_fees=(pool.protocol_fees0, pool.protocol_fees1),
        first_swap=None if first is None else (events.blocks[first], events.log_indices[first]),
    )
