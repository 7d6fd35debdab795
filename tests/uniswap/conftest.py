"""What the Uniswap tests share: the reference data and the pools built from it."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dexmm.uniswap.oracle import GROWN, Observation
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState
from dexmm.uniswap.tick import TickInfo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("DEXMM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}; set DEXMM_SHARED_DATA")
    return folder


def read_json(path: Path) -> Any:
    if path.suffix == ".gz":
        return json.loads(gzip.decompress(path.read_bytes()))
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def golden_day(shared_data: Path) -> dict[str, Any]:
    """A mainnet pool's state before and after one day, and the 379 events between."""
    return read_json(shared_data / "univ3" / "wbtc_weth_3000_blocks_16944668_16951788.json.gz")


@pytest.fixture(scope="session")
def range_fees(shared_data: Path) -> list[dict[str, Any]]:
    """What seven ranges held and earned over the golden day."""
    return read_json(shared_data / "univ3" / "wbtc_weth_range_fees.json")


@pytest.fixture(scope="session")
def swap_cases(shared_data: Path) -> list[dict[str, Any]]:
    """The 240 swaps of the v3-core specification, 50 of which revert."""
    return read_json(shared_data / "vectors" / "v3core_swaps_240.json.gz")


@pytest.fixture(scope="session")
def tick_math_values(shared_data: Path) -> dict[str, dict[str, Any]]:
    """The exact values of the TickMath specification."""
    return read_json(shared_data / "vectors" / "v3core_tickmath.json")


@pytest.fixture(scope="session")
def pool_of() -> Callable[[dict[str, Any], int], Pool]:
    return golden_pool


def golden_pool(record: dict[str, Any], timestamp: int) -> Pool:
    """The pool a golden record describes. It has no observations: the ring starts empty."""
    slot0 = record["slot0"]
    ring = [GROWN] * slot0["observationCardinality"]
    ring[slot0["observationIndex"]] = Observation(timestamp, 0, 0, True)
    return Pool.from_state(
        PoolState(
            fee=record["fee"],
            tick_spacing=record["tickSpacing"],
            sqrt_price_x96=int(slot0["sqrtPriceX96"]),
            tick=slot0["tick"],
            observation_index=slot0["observationIndex"],
            observation_cardinality=slot0["observationCardinality"],
            observation_cardinality_next=slot0["observationCardinality"],
            fee_growth_global0_x128=int(record["feeGrowthGlobal0X128"]),
            fee_growth_global1_x128=int(record["feeGrowthGlobal1X128"]),
            liquidity=int(record["liquidity"]),
            ticks={
                int(tick): tick_of(info)
                for tick, info in record["ticks"].items()
                if info["initialized"]
            },
            observations=ring,
        ),
        timestamp,
    )


def tick_of(info: dict[str, Any]) -> TickInfo:
    return TickInfo(
        int(info["liquidityGross"]),
        int(info["liquidityNet"]),
        int(info["feeGrowthOutside0X128"]),
        int(info["feeGrowthOutside1X128"]),
        int(info["tickCumulativeOutside"]),
        int(info["secondsPerLiquidityOutsideX128"]),
        int(info["secondsOutside"]),
    )
