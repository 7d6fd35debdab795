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
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dexmm.fetch.pool.abi_words import integers
from dexmm.fetch.pool.event_schema import KINDS
from dexmm.uniswap.sqrt_price_math import get_amount0_delta, get_amount1_delta
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio

SWAP, INITIALIZE = KINDS.index("swap"), KINDS.index("initialize")
CHANGES = [KINDS.index("mint"), KINDS.index("burn")]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Places = np.ndarray[tuple[int], np.dtype[np.intp]]
Limbs = np.ndarray[tuple[int, int], np.dtype[np.uint64]]  # of 256 bits, the lowest first
_SCALE = np.array([2.0 ** (64 * limb) for limb in range(4)])
_Q96 = 2.0**96
_LOOSE = 1e-9  # relative: far more than floats lose, far less than any swap moves
_UNITS = 3  # smallest units by which roundings may differ


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


class QuickContinuity:
    """The same question, some fifty times as fast: all swaps at once in floats, and only those
    that look wrong in exact integers. What it finds is exact; a difference below a billionth is
    not looked at. Nor are ticks held against their prices."""

    def __init__(self, tick_spacing: int) -> None:
        self._spacing = tick_spacing
        self._tail: pa.RecordBatch | None = None  # from the last swap on

    def look(self, logs: pa.RecordBatch) -> Break | None:
        """The first break, from the last swap of the batch before this one on."""
        if self._tail is not None:
            joined = pa.Table.from_batches([self._tail, logs]).combine_chunks()
            logs = joined.to_batches()[0] if joined.num_rows else logs
        kinds = logs.column("kind").indices.to_numpy()
        moves = np.flatnonzero(np.isin(kinds, (SWAP, INITIALIZE)))
        if not len(moves):
            return None
        self._tail = logs.slice(int(moves[-1]))
        for before, at in _doubtful(logs, kinds, moves, self._spacing):
            exact = Continuity(self._spacing).look(logs.slice(before, at - before + 1))
            if exact is not None:
                return exact
        return None


def _doubtful(
    logs: pa.RecordBatch, kinds: np.ndarray[Any, Any], moves: Places, spacing: int
) -> list[tuple[int, int]]:
    """(row of the swap before, row) of every swap that may not begin where that one ended."""
    swaps = kinds[moves[1:]] == SWAP
    before, at = moves[:-1][swaps], moves[1:][swaps]
    ticks = logs.column("tick").fill_null(0).to_numpy()
    prices = _limbs(logs.column("sqrt_price_x96"))
    rises, moved = _difference(prices[at], prices[before])
    amount0, amount1 = (_limbs(logs.column(name))[at] for name in ("amount0", "amount1"))
    (paid0, out0), (paid1, out1) = _magnitudes(amount0), _magnitudes(amount1)
    falls = ~out0 & (paid0 > 0)
    against = (falls & rises) | (~out1 & (paid1 > 0) & ~rises & (moved > 0))

    liquidities = _limbs(logs.column("liquidity"))
    changes = np.cumsum(np.isin(kinds, CHANGES))
    differs = (kinds[before] != SWAP) | (changes[at] != changes[before])  # counted exactly
    differs |= (liquidities[at] != liquidities[before]).any(axis=1)

    liquidity, price = liquidities[at] @ _SCALE, prices[at] @ _SCALE
    other = np.maximum(prices[before] @ _SCALE, 1.0)
    delta1 = liquidity * moved / _Q96
    delta0 = liquidity * (moved / other) * (_Q96 / np.maximum(price, 1.0))
    unit = np.where(falls, liquidity / _Q96, liquidity / other * (_Q96 / np.maximum(price, 1.0)))
    due, paid = np.where(falls, delta0, delta1), np.where(falls, paid0, paid1)
    most, got = np.where(falls, delta1, delta0), np.where(falls, paid1, paid0)
    wrong = paid < due * (1 - _LOOSE) - _UNITS
    wrong |= np.abs(most - got) > most * _LOOSE + unit + _UNITS
    same = ticks[at] // spacing == ticks[before] // spacing
    found = np.flatnonzero(against | (same & (differs | wrong)))
    return [(int(before[each]), int(at[each])) for each in found]


def _limbs(array: pa.Array) -> Limbs:
    """A column of 256-bit decimals; what a null holds is not defined."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros((len(array), 4), np.uint64)
    words = np.frombuffer(buffer, "<u8").reshape(-1, 4)
    return words[array.offset : array.offset + len(array)]


def _magnitudes(limbs: Limbs) -> tuple[Floats, Flags]:
    """How large each number is, and whether it is negative."""
    negative = limbs[:, 3] >> 63 == 1
    flipped = np.where(negative[:, None], ~limbs, limbs)  # one less than the magnitude
    return flipped @ _SCALE + negative, negative


def _difference(these: Limbs, those: Limbs) -> tuple[Flags, Floats]:
    """Whether the first is larger, and by how much; exact before it becomes a float."""
    larger = np.zeros(len(these), np.bool_)
    for limb in range(4):  # the highest decides last
        more, equal = these[:, limb] > those[:, limb], these[:, limb] == those[:, limb]
        larger = more | (equal & larger)
    high = np.where(larger[:, None], these, those)
    low = np.where(larger[:, None], those, these)
    total, borrow = np.zeros(len(these)), np.zeros(len(these), np.uint64)
    for limb in range(4):
        taken = high[:, limb] - low[:, limb] - borrow
        short = (high[:, limb] < low[:, limb]) | ((high[:, limb] == low[:, limb]) & (borrow == 1))
        borrow = short.astype(np.uint64)
        total += taken * _SCALE[limb]
    return larger, total


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
