"""What the Uniswap tests share: the reference data and the pools built from it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.uniswap.oracle import GROWN, Observation
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.pool_state import PoolState
from dexmm.uniswap.tick import TickInfo

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "node_modules" / "@uniswap" / "v3-core" / "artifacts" / "contracts"
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
GENESIS = 1_700_000_000


@cache
def creation_code(name: str) -> bytes:
    """Of a contract in contracts/test, or of the factory as Uniswap deployed it."""
    path = ROOT / "contracts" / "test" / f"{name}.json"
    if name == "UniswapV3Factory":
        path = CORE / f"{name}.sol" / f"{name}.json"
    return bytes.fromhex(json.loads(path.read_text())["bytecode"].removeprefix("0x"))


class Revm:
    """The deployed bytecode in this process: fast, and transactions may share one time.

    ``send`` transacts with a harness's ``attempt`` or a setter, and says what ``attempt`` returned.
    """

    def __init__(self, pyrevm: Any) -> None:
        self.block = pyrevm.BlockEnv
        self.evm = pyrevm.EVM(gas_limit=2**63)
        self.evm.set_balance(SENDER, 10**30)
        self.timestamp = GENESIS

    def deploy(self, name: str) -> str:
        return str(self.evm.deploy(SENDER, creation_code(name)))

    def send(self, to: str, data: bytes) -> bytes:
        self.evm.set_block_env(self.block(timestamp=self.timestamp, gas_limit=2**63))
        return bytes(self.evm.message_call(SENDER, to, data, gas=10**9))

    def call(self, to: str, data: bytes) -> bytes:
        return self.send(to, data)


class AnvilEvm:
    """A real node over JSON-RPC, one transaction to a block."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.timestamp = GENESIS

    def transact(self, transaction: dict[str, Any]) -> dict[str, Any]:
        transaction |= {"from": SENDER, "gas": hex(200_000_000)}
        self.anvil.rpc("evm_setNextBlockTimestamp", [self.timestamp])
        receipt = self.anvil.wait_for_receipt(self.anvil.rpc("eth_sendTransaction", [transaction]))
        assert int(receipt["status"], 16) == 1
        return receipt

    def deploy(self, name: str) -> str:
        return str(self.transact({"data": "0x" + creation_code(name).hex()})["contractAddress"])

    def send(self, to: str, data: bytes) -> bytes:
        logs = self.transact({"to": to, "data": "0x" + data.hex()})["logs"]
        # The harness's own event is the last one.
        return bytes.fromhex(logs[-1]["data"][2:]) if logs else b""

    def call(self, to: str, data: bytes) -> bytes:
        request = {"from": SENDER, "to": to, "data": "0x" + data.hex(), "gas": hex(200_000_000)}
        return bytes.fromhex(self.anvil.rpc("eth_call", [request, "latest"])[2:])


@pytest.fixture(scope="session")
def revm() -> Revm:
    return Revm(pytest.importorskip("pyrevm", reason="pyrevm has no build for this platform"))


@pytest.fixture(scope="session")
def anvil_evm() -> Iterator[AnvilEvm]:
    with Anvil(
        AnvilOptions(timestamp=GENESIS - 1, base_fee=0, gas_limit=10**9, transaction_gas_cap=False)
    ) as anvil:
        anvil.set_balance(SENDER, 10**30)
        yield AnvilEvm(anvil)


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
