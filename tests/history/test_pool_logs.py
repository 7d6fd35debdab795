"""Parquet of pool logs, as `dexmm fetch swaps` writes it, read back to the integer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from sim.replay.history_scene import GENESIS, METADATA, OWNER, Scribe, life, write_logs

from dexmm.errors import BadInput
from dexmm.fetch.pool.event_schema import KINDS, SCHEMA
from dexmm.history.event_types import Burned, Collected, Initialized, Minted, Swapped
from dexmm.model.market import Token
from dexmm.sim.replay.event_replay import replay
from dexmm.sim.replay.pool_events import read_events
from dexmm.uniswap.pool_state import PoolState


@pytest.fixture(scope="module")
def lived() -> Scribe:
    return life(3, 60)


CLASSES = {
    "swap": Swapped,
    "mint": Minted,
    "burn": Burned,
    "collect": Collected,
    "initialize": Initialized,
}


def test_every_value_comes_back(lived: Scribe, tmp_path: Path) -> None:
    history = read_events(write_logs(tmp_path, lived.rows))
    assert {row["kind"] for row in lived.rows} == set(KINDS) == set(CLASSES)
    assert len(history.events) == len(lived.rows)
    renamed = {"block_number": "block", "block_timestamp": "timestamp", "amount": "liquidity"}
    for event, row in zip(history.events, lived.rows, strict=True):
        assert type(event) is CLASSES[row["kind"]]
        wanted = row | ({"owner": OWNER} if "owner" in row else {})
        for name, value in wanted.items():
            if name not in ("kind", "tx_hash") and value is not None:
                assert getattr(event, renamed.get(name, name)) == value
    assert history.token0 == Token(address="0x0", symbol="PAXG", decimals=18)
    assert (history.pool, history.opened_at) == (METADATA["dexmm.pool"], GENESIS)
    assert history.opening == PoolState(500, 10)


def test_a_file_that_begins_later_needs_the_state_it_begins_in(
    lived: Scribe, tmp_path: Path
) -> None:
    whole = read_events(write_logs(tmp_path, lived.rows))
    later = write_logs(tmp_path, lived.rows[20:], name="later.parquet")
    with pytest.raises(BadInput, match="fetch from the pool's first block"):
        read_events(later)
    pool = whole.opened()
    for i in range(20):
        replay(pool, whole, i, i + 1)
    pool.positions = {k: v for k, v in pool.positions.items() if v.liquidity}
    history = read_events(later, pool.state(), pool.timestamp)
    assert list(history.events) == list(whole.events)[20:]
    begun = whole.opened()
    replay(begun, whole, 0, 1)
    history = read_events(
        write_logs(tmp_path, lived.rows[1:], name="begun.parquet"), begun.state(), begun.timestamp
    )
    assert history.events.sqrt_prices[0] == begun.sqrt_price_x96  # a mint moves no price
    assert list(history.events) == list(whole.events)[1:]
    with pytest.raises(BadInput, match="another pool"):
        read_events(later, PoolState(3000, 60))


def test_a_file_without_an_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no event"):
        read_events(write_logs(tmp_path, []))


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("dexmm.pool", "does not say which pool"),
        ("dexmm.fee_pips", "does not say which pool"),
        ("dexmm.tick_spacing", "does not say which pool"),
    ],
)
def test_a_file_that_does_not_name_its_pool_is_refused(
    lived: Scribe, tmp_path: Path, missing: str, says: str
) -> None:
    metadata = {key: value for key, value in METADATA.items() if key != missing}
    with pytest.raises(BadInput, match=says):
        read_events(write_logs(tmp_path, lived.rows, metadata))


def test_a_file_that_does_not_name_its_tokens_is_read(lived: Scribe, tmp_path: Path) -> None:
    metadata = {key: value for key, value in METADATA.items() if "token" not in key}
    history = read_events(write_logs(tmp_path, lived.rows, metadata))
    assert (history.token0, history.token1) == (None, None)


def test_other_columns_and_types_are_refused(lived: Scribe, tmp_path: Path) -> None:
    at = SCHEMA.get_field_index("liquidity")
    with pytest.raises(BadInput, match="lacks the columns liquidity"):
        read_events(write_logs(tmp_path, lived.rows, schema=SCHEMA.remove(at)))
    for name, kind in (
        ("liquidity", arrow.string()),
        ("tick", arrow.float64()),
        ("amount0", arrow.decimal256(76, 2)),
    ):
        place = SCHEMA.get_field_index(name)
        other = SCHEMA.set(place, arrow.field(name, kind))
        rows = [row for row in lived.rows if row["kind"] != "swap" or name == "tick"][:3]
        with pytest.raises(BadInput, match=f"has {name} of type"):
            read_events(write_logs(tmp_path, rows, schema=other))


@pytest.mark.parametrize(
    ("kind", "column", "says"),
    [
        ("swap", "sqrt_price_x96", "has no sqrt_price_x96"),
        ("swap", "amount1", "has no amount1"),
        ("mint", "amount", "has no amount"),
        ("burn", "owner", "has no owner"),
        ("collect", "tick_upper", "has no tick_upper"),
        ("swap", "block_timestamp", "no block times: .* --timestamps"),
    ],
)
def test_a_value_that_is_missing_is_named(
    lived: Scribe, tmp_path: Path, kind: str, column: str, says: str
) -> None:
    rows: list[dict[str, Any]] = [dict(row) for row in lived.rows]
    row = next(row for row in rows if row["kind"] == kind)
    row[column] = None
    with pytest.raises(BadInput, match=says) as caught:
        read_events(write_logs(tmp_path, rows))
    if column != "block_timestamp":
        where = f"the {kind} in block {row['block_number']}, log {row['log_index']},"
        assert where in caught.value.message


def test_an_unknown_kind_is_refused(lived: Scribe, tmp_path: Path) -> None:
    rows = [dict(row) for row in lived.rows]
    rows[4]["kind"] = "flash"
    with pytest.raises(BadInput, match="log 5 is of the unknown kind 'flash'"):
        read_events(write_logs(tmp_path, rows))


def test_a_truncated_file_is_refused(lived: Scribe, tmp_path: Path) -> None:
    file = write_logs(tmp_path, lived.rows)
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-5], b""):
        file.write_bytes(content)
        with pytest.raises(BadInput, match="truncated or damaged Parquet file"):
            read_events(file)
    parquet.write_table(arrow.table({"x": [1]}), file)
    with pytest.raises(BadInput, match="lacks the columns"):
        read_events(file)
