"""Swaps in dexmm's pool against the deployed bytecode in pyrevm, on one pool with 800 ticks.

Both sides get the same swaps in turn, a block each, and every amount is compared in the same
run; at the end so is the whole state. Fees, fee growth, the protocol fee and the oracle are on.
Ordinary swaps take about 1.1 steps, heavy ones about 8. Only the swaps are timed: calls are
encoded before, answers decoded after.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import gc
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pyrevm
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector as selector

from bench._harness import arguments, finish
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, get_sqrt_ratio_at_tick

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "node_modules" / "@uniswap" / "v3-core" / "artifacts" / "contracts"
DEPLOYER = "0x00000000000000000000000000000000000d3910"
FEE, TICK_SPACING, FEE_PROTOCOL = 500, 10, 4
CENTRE, TICKS = -195_180, 800  # about 3,340 USDT an ounce
LIQUIDITY = 10**16
STEP = LIQUIDITY * get_sqrt_ratio_at_tick(CENTRE) // 2000 >> 96  # token1 from tick to tick
NO_PAYMENT = "(uint256,uint256,uint256,uint256,bool)"
SWAP = selector(f"swap(address,bool,int256,uint160,{NO_PAYMENT})")
TARGETS = {"ordinary": 15.0, "heavy": 12.0}


def creation_code(path: Path) -> bytes:
    return bytes.fromhex(json.loads(path.read_text())["bytecode"].removeprefix("0x"))


class Bytecode:
    """The deployed contracts in an EVM of this process."""

    def __init__(self, timestamp: int) -> None:
        self.evm = pyrevm.EVM(gas_limit=2**63)
        self.evm.set_balance(DEPLOYER, 10**30)
        self.at(timestamp)
        test = ROOT / "contracts" / "test"
        tokens = [self.deploy(creation_code(test / "FreeToken.json")) for _ in range(2)]
        factory = self.deploy(
            creation_code(CORE / "UniswapV3Factory.sol" / "UniswapV3Factory.json")
        )
        self.harness = self.deploy(creation_code(test / "PoolHarness.json"))
        answer = self.call(
            factory,
            selector("createPool(address,address,uint24)")
            + encode(["address", "address", "uint24"], [*tokens, FEE]),
        )
        self.pool: str = decode(["address"], answer)[0]

    def at(self, timestamp: int) -> None:
        self.evm.set_block_env(pyrevm.BlockEnv(timestamp=timestamp, gas_limit=2**63))

    def deploy(self, code: bytes) -> str:
        return str(self.evm.deploy(DEPLOYER, code))

    def call(self, to: str, data: bytes) -> bytes:
        return bytes(self.evm.message_call(DEPLOYER, to, data))

    def initialize(self, sqrt_price_x96: int) -> None:
        self.call(
            self.pool, selector("initialize(uint160)") + encode(["uint160"], [sqrt_price_x96])
        )

    def set_fee_protocol(self, share0: int, share1: int) -> None:
        data = encode(["uint8", "uint8"], [share0, share1])
        self.call(self.pool, selector("setFeeProtocol(uint8,uint8)") + data)

    def grow(self, cardinality: int) -> None:
        data = encode(["uint16"], [cardinality])
        self.call(self.pool, selector("increaseObservationCardinalityNext(uint16)") + data)

    def mint(self, tick_lower: int, tick_upper: int, amount: int) -> None:
        data = encode(
            ["address", "int24", "int24", "uint128", NO_PAYMENT],
            [self.pool, tick_lower, tick_upper, amount, (0, 0, 0, 0, False)],
        )
        self.call(self.harness, selector(f"mint(address,int24,int24,uint128,{NO_PAYMENT})") + data)

    def swap_call(self, zero_for_one: bool, amount: int) -> bytes:
        limit = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
        return SWAP + encode(
            ["address", "bool", "int256", "uint160", NO_PAYMENT],
            [self.pool, zero_for_one, amount, limit, (0, 0, 0, 0, False)],
        )

    def state(self) -> tuple[Any, ...]:
        kind = (
            "((uint160,int24,uint16,uint16,uint16,uint8,bool),uint128,uint256,uint256,"
            "uint128,uint128,uint256,uint256)"
        )
        data = selector("state(address)") + encode(["address"], [self.pool])
        return tuple(decode([kind], self.call(self.harness, data))[0][:6])

    def ticks(self, ticks: list[int]) -> list[tuple[Any, ...]]:
        kind = "(uint128,int128,uint256,uint256,int56,uint160,uint32,bool)[]"
        data = encode(["address", "int24[]"], [self.pool, ticks])
        answer = self.call(self.harness, selector("ticks(address,int24[])") + data)
        return [tuple(row) for row in decode([kind], answer)[0]]


def build(rng: random.Random, timestamp: int) -> tuple[Bytecode, Pool]:
    """The same pool twice: 800 ticks in a row, each the end of a position."""
    bytecode, pool = Bytecode(timestamp), Pool(FEE, TICK_SPACING, timestamp)
    price = get_sqrt_ratio_at_tick(CENTRE) + 12345
    first = CENTRE - TICKS // 2 * TICK_SPACING
    grid = [first + i * TICK_SPACING for i in range(TICKS)]
    for side in (bytecode, pool):
        side.initialize(price)
        side.set_fee_protocol(FEE_PROTOCOL, FEE_PROTOCOL)
    bytecode.grow(100)
    pool.increase_observation_cardinality_next(100)
    halves = [(grid[i], grid[-1 - i]) for i in range(TICKS // 2)]
    for tick_lower, tick_upper in halves:
        amount = LIQUIDITY if tick_lower == grid[0] else rng.randint(10**12, 10**13)
        bytecode.mint(tick_lower, tick_upper, amount)
        pool.mint("harness", tick_lower, tick_upper, amount)
    assert len(pool.ticks) == TICKS
    return bytecode, pool


@dataclass
class Tally:
    """What one kind of swap took on both sides."""

    swaps: int = 0
    steps: int = 0
    differences: int = 0
    bytecode: list[float] = field(default_factory=list)
    dexmm: list[float] = field(default_factory=list)


def swaps_for(rng: random.Random, pool: Pool, count: int, steps: float) -> list[tuple[bool, int]]:
    """Random swaps of about that many steps; one in two gives its output. They cannot drift."""
    trial, orders = pool.copy(), []
    for _ in range(count):
        # Beyond the middle half of the ticks every swap leads back.
        away = trial.tick - CENTRE
        zero_for_one = away > 0 if abs(away) > TICKS * TICK_SPACING // 4 else rng.random() < 0.5
        value = int(STEP * (steps - 1) * rng.uniform(0.1, 1.9)) + 1
        exact_in = rng.random() < 0.5
        if zero_for_one == exact_in:  # the specified token is token0
            value = (value << 192) // trial.sqrt_price_x96**2 + 1
        orders.append((zero_for_one, value if exact_in else -value))
        trial.swap(*orders[-1])
    return orders


def run_chunk(bytecode: Bytecode, pool: Pool, orders: list[tuple[bool, int]], tally: Tally) -> None:
    """Both sides take the same swaps, each in its own block; then each amount is compared."""
    times = [pool.timestamp + 12 * block for block in range(1, len(orders) + 1)]
    calls = [bytecode.swap_call(*order) for order in orders]
    blocks = [pyrevm.BlockEnv(timestamp=time, gas_limit=2**63) for time in times]
    message_call, set_block_env = bytecode.evm.message_call, bytecode.evm.set_block_env
    to = bytecode.harness
    gc.collect()
    gc.disable()
    started = perf_counter()
    answers = []
    for block, data in zip(blocks, calls, strict=True):
        set_block_env(block)
        answers.append(message_call(DEPLOYER, to, data))
    tally.bytecode.append((perf_counter() - started) / len(orders))
    swap = pool.swap
    started = perf_counter()
    amounts = []
    for time, (zero_for_one, amount) in zip(times, orders, strict=True):
        pool.timestamp = time
        amounts.append(swap(zero_for_one, amount))
    tally.dexmm.append((perf_counter() - started) / len(orders))
    gc.enable()
    tally.swaps += len(orders)
    tally.differences += sum(
        decode(["int256", "int256"], bytes(answer)) != amount
        for answer, amount in zip(answers, amounts, strict=True)
    )


def count_steps(pool: Pool, orders: list[tuple[bool, int]]) -> int:
    """Steps, without the stops at the edge of a word: ticks crossed, and the last stretch."""
    trial, steps = pool.copy(), 0
    for order in orders:
        before = trial.ticks.below
        trial.swap(*order)
        steps += abs(trial.ticks.below - before) + 1
    return steps


def states_differ(bytecode: Bytecode, pool: Pool) -> bool:
    slot0 = (
        pool.sqrt_price_x96,
        pool.tick,
        pool.observation_index,
        pool.observation_cardinality,
        pool.observation_cardinality_next,
        pool.fee_protocol,
        True,
    )
    growth = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
    fees = pool.protocol_fees0, pool.protocol_fees1
    rows = [
        (
            info.liquidity_gross,
            info.liquidity_net,
            info.fee_growth_outside0_x128,
            info.fee_growth_outside1_x128,
            info.tick_cumulative_outside,
            info.seconds_per_liquidity_outside_x128,
            info.seconds_outside,
            True,
        )
        for _, info in pool.ticks.items()
    ]
    return (
        bytecode.state() != (slot0, pool.liquidity, *growth, *fees)
        or bytecode.ticks(list(pool.ticks)) != rows
    )


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--swaps", type=int, default=200_000, help="of both kinds together")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    bytecode, pool = build(rng, 1_700_000_000)
    tallies = {"ordinary": Tally(), "heavy": Tally()}
    chunk = 2_000
    for i in range(options.swaps // chunk):
        kind = "heavy" if i % 5 == 4 else "ordinary"
        orders = swaps_for(rng, pool, chunk, 9.0 if kind == "heavy" else 1.1)
        tallies[kind].steps += count_steps(pool, orders)
        run_chunk(bytecode, pool, orders, tallies[kind])
    results: dict[str, Any] = {
        "initialized ticks": len(pool.ticks),
        "swaps compared": sum(tally.swaps for tally in tallies.values()),
        "differences": sum(tally.differences for tally in tallies.values()),
        "state differs": states_differ(bytecode, pool),
    }
    failures = [name for name in ("differences", "state differs") if results[name]]
    for kind, tally in tallies.items():
        if not tally.swaps:
            continue
        ratio = median(b / d for b, d in zip(tally.bytecode, tally.dexmm, strict=True))
        results |= {
            f"{kind}: swaps": tally.swaps,
            f"{kind}: steps per swap": tally.steps / tally.swaps,
            f"{kind}: pyrevm swaps/s (median)": 1 / median(tally.bytecode),
            f"{kind}: dexmm swaps/s (median)": 1 / median(tally.dexmm),
            f"{kind}: ratio (median)": ratio,
        }
        if ratio < TARGETS[kind]:
            failures.append(f"{kind} swaps {ratio:.1f} times, wanted {TARGETS[kind]:.0f}")
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
