"""Reading pool events: JSON of a recorded day, or Parquet as ``dexmm fetch swaps`` writes it."""

from __future__ import annotations

from pathlib import Path

from dexmm.errors import BadInput
from dexmm.history.event_types import EventHistory
from dexmm.history.open_file import suffix_of
from dexmm.history.pool_logs import read_logs
from dexmm.history.recorded_day import FETCH, read_day
from dexmm.sim.replay.swap_inputs import resolved
from dexmm.uniswap.pool_state import PoolState

FORMATS = (".json", ".json.gz", ".parquet")
_TABLES = (".csv", ".csv.gz", ".tsv", ".feather", ".zip")


def read_events(
    path: Path, opening: PoolState | None = None, opened_at: int | None = None
) -> EventHistory:
    """A pool's history, each swap with its inputs, proved event by event against the exact pool.

    Parquet begins with the pool's initialization, or ``opening`` is its state before the first
    event, at ``opened_at`` (timestamp, seconds; the first event's by default). Raises ``BadInput``
    naming the file, the event that is wrong (block, log index) and why.
    """
    if path.name.lower().endswith(_TABLES) and path.exists():
        raise BadInput(
            f"{path} is a table, as Dune and others export rows, and a pool cannot be made again "
            f"from it (candles are for --prices): {FETCH}",
            file=str(path),
        )
    if suffix_of(path, FORMATS, "event file") == ".parquet":
        return resolved(read_logs(path, opening, opened_at))
    if opening is not None:
        raise BadInput(f"{path} holds its own opening state: give no other")
    return resolved(read_day(path), given=True)
