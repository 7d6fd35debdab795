"""Does every swap begin where the one before it ended? A log that a node left out shows here.

A log says where a swap ended and what was paid, not where it began. But while a swap stays between
two ticks of the pool's grid no liquidity can join or leave on its way: then the liquidity must be
that of the swap before it, with what was minted and burned over the price since, and the amount
paid out is what that liquidity holds between the two prices:

    out = amount_delta(before, after, L) rounded down, less at most a price unit's worth
    in >= amount_delta(before, after, L) rounded up

The price's unit: an exact output is reached by the first price that pays it, which may pay a
little more than was asked for. For a swap across the grid only the direction is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from dexmm.ops.fetch_words import integers
from dexmm.uniswap.sqrt_price_math import get_amount0_delta, get_amount1_delta
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio


class LogRow(NamedTuple):
    """The columns that the check needs; an absent number is 0."""

    block_number: int
    log_index: int
    kind: str
    tick_lower: int
    tick_upper: int
    amount: int
    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Between these two blocks a log is missing, or one of them is not true."""

    after_block: int
    block: int
    log_index: int
    why: str


@dataclass(slots=True)
class Before:
    """The pool as it was before a log."""

    block: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


class Continuity:
    """Feed it every log in the order of the chain; ``look`` returns the first break it meets."""

    def __init__(self, tick_spacing: int, before: Before | None = None) -> None:
        """``before`` is the pool before the first log, where that is known."""
        self._spacing = tick_spacing
        self._before = before

    def look(self, logs: pa.RecordBatch) -> Break | None:
        for row in rows_of(logs):
            if why := _off_its_tick(row) or self._wrong(row):
                return Break(
                    after_block=self._before.block if self._before else row.block_number,
                    block=row.block_number,
                    log_index=row.log_index,
                    why=why,
                )
            self._follow(row)
        return None

    def _wrong(self, row: LogRow) -> str:
        before = self._before
        if row.kind != "swap" or before is None:
            return ""
        moved = row.sqrt_price_x96 - before.sqrt_price_x96
        if (row.amount0 > 0 and moved > 0) or (row.amount1 > 0 and moved < 0):
            return "the price moved against the swap"
        if row.tick // self._spacing != before.tick // self._spacing:
            return ""
        if row.liquidity != before.liquidity:
            return f"the liquidity is {row.liquidity} and not {before.liquidity}"
        return _paid_wrongly(row, before)

    def _follow(self, row: LogRow) -> None:
        if row.kind in ("swap", "initialize"):
            self._before = Before(row.block_number, row.sqrt_price_x96, row.liquidity, row.tick)
        elif row.kind in ("mint", "burn") and self._before is not None:
            before = self._before
            if row.tick_lower <= before.tick < row.tick_upper:
                before.liquidity += row.amount if row.kind == "mint" else -row.amount


def _off_its_tick(row: LogRow) -> str:
    """A price on a tick's edge may count as the tick below: a swap downwards has crossed it."""
    if row.kind not in ("swap", "initialize"):
        return ""
    tick = get_tick_at_sqrt_ratio(row.sqrt_price_x96)
    edge = row.sqrt_price_x96 == get_sqrt_ratio_at_tick(tick)
    if row.tick == tick or (edge and row.tick == tick - 1):
        return ""
    return f"the tick is {row.tick} where the price is in {tick}"


def _paid_wrongly(row: LogRow, before: Before) -> str:
    falls = row.amount0 > 0
    prices = sorted((before.sqrt_price_x96, row.sqrt_price_x96))
    deltas = (get_amount0_delta, get_amount1_delta)
    delta_in, delta_out = deltas if falls else deltas[::-1]
    paid, got = (row.amount0, row.amount1) if falls else (row.amount1, row.amount0)
    most = delta_out(prices[0], prices[1], row.liquidity, False)
    unit = delta_out(prices[0], prices[0] + 1, row.liquidity, True)
    if paid < delta_in(prices[0], prices[1], row.liquidity, True):
        return f"{paid} paid for less than the price moved"
    if not most - unit <= -got <= most:
        return f"{-got} received where the price's move pays {most}"
    return ""


def rows_of(logs: pa.RecordBatch) -> Iterator[LogRow]:
    names = LogRow._fields
    return map(LogRow._make, zip(*(_values(logs.column(name)) for name in names), strict=True))


def _values(array: pa.Array) -> list[int]:
    if pa.types.is_decimal(array.type):
        return integers(array)
    values: list[int] = array.fill_null(0).to_pylist() if array.null_count else array.to_pylist()
    return values
