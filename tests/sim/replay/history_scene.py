"""A small pool with a life of its own, and its logs as `dexmm fetch swaps` writes them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet

from dexmm.fetch.pool.event_schema import SCHEMA
from dexmm.history.event_types import EventHistory
from dexmm.model.market import Block, Market, Token
from dexmm.sim.chain.chain import SimChain, Terms
from dexmm.sim.chain.dry_run import Purse
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

GENESIS = 1_700_000_000
OWNER = "0x" + "11" * 20
FEE, SPACING, CENTRE = 500, 10, -195_180

Row = dict[str, Any]

METADATA: Mapping[str, str] = {
    "dexmm.pool": "0x" + "ab" * 20,
    "dexmm.fee_pips": str(FEE),
    "dexmm.tick_spacing": str(SPACING),
    "dexmm.token0": json.dumps({"address": "0x0", "symbol": "PAXG", "decimals": 18}),
    "dexmm.token1": json.dumps({"address": "0x1", "symbol": "USDT", "decimals": 6}),
}


class Scribe:
    """Acts on a pool, a block each, and keeps the log of it."""

    def __init__(self) -> None:
        self.pool = Pool(FEE, SPACING, GENESIS)
        self.rows: list[Row] = []
        self.asked: list[tuple[int, int | None]] = []  # of each swap
        self.block, self.log_index = 100, 0

    def next_block(self, seconds: int = 12) -> None:
        self.block, self.log_index = self.block + 1, 0
        self.pool.timestamp += seconds

    def initialize(self, tick: int = CENTRE) -> None:
        self.pool.initialize(get_sqrt_ratio_at_tick(tick) + 12345)
        self._log("initialize", sqrt_price_x96=self.pool.sqrt_price_x96, tick=self.pool.tick)

    def mint(self, lower: int, upper: int, liquidity: int) -> None:
        amounts = self.pool.mint(OWNER, lower, upper, liquidity)
        self._ranged("mint", lower, upper, amounts, liquidity)

    def burn(self, lower: int, upper: int, liquidity: int) -> None:
        amounts = self.pool.burn(OWNER, lower, upper, liquidity)
        self._ranged("burn", lower, upper, amounts, liquidity)

    def collect(self, lower: int, upper: int) -> None:
        amounts = self.pool.collect(OWNER, lower, upper)
        self._ranged("collect", lower, upper, amounts, None)

    def swap(self, down: bool, specified: int, limit: int | None = None) -> None:
        amount0, amount1 = self.pool.swap(down, specified, limit)
        self.asked.append((specified, limit))
        self._log(
            "swap",
            amount0=amount0,
            amount1=amount1,
            sqrt_price_x96=self.pool.sqrt_price_x96,
            liquidity=self.pool.liquidity,
            tick=self.pool.tick,
        )

    def _ranged(
        self, kind: str, lower: int, upper: int, amounts: tuple[int, int], liquidity: int | None
    ) -> None:
        self._log(
            kind,
            owner=bytes.fromhex(OWNER[2:]),
            tick_lower=lower,
            tick_upper=upper,
            amount=liquidity,
            amount0=amounts[0],
            amount1=amounts[1],
        )

    def _log(self, kind: str, **values: Any) -> None:
        self.rows.append(
            {
                "block_number": self.block,
                "block_timestamp": self.pool.timestamp,
                "tx_hash": bytes(32),
                "log_index": self.log_index,
                "kind": kind,
                **values,
            }
        )
        self.log_index += 3


def life(seed: int, swaps: int) -> Scribe:
    """A pool from its first block on: mints, swaps of every kind, some burns and collects."""
    dice, scribe = random.Random(seed), Scribe()  # noqa: S311 - a repeatable life
    scribe.initialize()
    for width in (10, 40, 200, 1000):
        scribe.mint(CENTRE - width * SPACING, CENTRE + width * SPACING, 10**15 * width)
    for number in range(swaps):
        if dice.random() < 0.8:
            scribe.next_block(dice.choice((12, 12, 24, 60)))
        random_swap(dice, scribe)
        if number % 25 == 24:
            width = dice.choice((10, 40, 200)) * SPACING
            scribe.burn(CENTRE - width, CENTRE + width, 10**12 * number)
            scribe.collect(CENTRE - width, CENTRE + width)
    return scribe


def random_swap(dice: random.Random, scribe: Scribe) -> None:
    pool = scribe.pool
    away = pool.tick - CENTRE
    down = away > 0 if abs(away) > 300 else dice.random() < 0.5
    value1 = int(dice.uniform(0.1, 3) * 10**18 * pool.sqrt_price_x96 / 2000 / 2**96) + 1
    value = value1 if dice.random() < 0.5 else -value1
    if down == (value > 0):
        value = value * 2**192 // pool.sqrt_price_x96**2
    limit = None
    if dice.random() < 0.2:  # ends at a price, unless the amount ends it before
        near = get_sqrt_ratio_at_tick(pool.tick + (-2 if down else 3))
        limit = near + (17 if down else -17)
    scribe.swap(down, value, limit)


def write_logs(
    folder: Path,
    rows: Sequence[Row],
    metadata: Mapping[str, str] = METADATA,
    schema: arrow.Schema = SCHEMA,
    name: str = "logs.parquet",
) -> Path:
    whole = [{column: row.get(column) for column in SCHEMA.names} for row in rows]
    numbers = ("amount", "amount0", "amount1", "sqrt_price_x96", "liquidity")
    for row in whole:
        row |= {name: Decimal(row[name]) for name in numbers if row[name] is not None}
    facts = {key.encode(): value.encode() for key, value in metadata.items()}
    table = arrow.Table.from_pylist(whole, schema=SCHEMA)
    if schema is not SCHEMA:
        table = table.select(schema.names).cast(schema)
    path = folder / name
    parquet.write_table(table.replace_schema_metadata(facts), path, row_group_size=37)
    return path


def market_of(history: EventHistory, *, base_is_token0: bool = True) -> Market:
    token0 = history.token0 or Token(address="0x0", symbol="ZERO", decimals=8)
    token1 = history.token1 or Token(address="0x1", symbol="ONE", decimals=18)
    return Market(
        chain_id=1,
        pool=history.pool,
        position_manager="manager",
        swap_router="router",
        token0=token0,
        token1=token1,
        base_is_token0=base_is_token0,
        fee_pips=history.opening.fee,
        tick_spacing=history.opening.tick_spacing,
    )


def chain_of(history: EventHistory, reference_feed: str = "") -> SimChain:
    """A wallet without anything, in the history's pool as it opened."""
    terms = Terms(
        market=market_of(history),
        wallet="wallet",
        gas_of=lambda step: 100_000,
        tip_wei=0,
        twap_seconds=60,
        eth_price=Decimal(4000),
        reference_feed=reference_feed,
    )
    pool = history.opened()
    return SimChain(
        terms,
        PositionManager(pool, "manager"),
        Purse(amount0=10**30, amount1=10**30, eth=10**20),
        Block(number=1, timestamp=history.opened_at, base_fee_wei=10**9),
    )
