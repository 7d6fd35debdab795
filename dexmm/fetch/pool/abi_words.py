"""Words of 32 bytes, thousands at once: from hexadecimal text to the memory of Arrow columns.

A word is big-endian on chain and little-endian in Arrow's 256-bit decimals, which are otherwise
the same two's complement: a column of them is the words with their four 64-bit limbs turned
round. No integer is made of a value on the way. Whatever a word cannot hold is ``Malformed``.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_hex
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dexmm.fetch.pool.event_schema import Word
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]  # four big-endian limbs a row, the highest first
Column = NDArray[Any]

WORD = 32
_OPENS, _CLOSES, _OPENS_LIST = np.frombuffer(b'"0x', np.uint8), ord('"'), ord("[")
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[list(b"0123456789abcdef")] = range(16)
_DIGITS[list(b"ABCDEF")] = range(10, 16)
_A_WORD = re.compile(r"0x[0-9a-fA-F]{64}")
_NUMBER_LIMIT = 1 << 59  # of the highest limb: 2 ** 251 has 76 digits, as many as a column holds


class Malformed(ValueError):
    """Not what it must be; the message says which and how, as "a data of another length"."""


def unhex(quoted: Sequence[Any], size: int) -> Bytes:
    """JSON texts ``"0x..."`` of ``size`` bytes each, as rows of bytes."""
    text = b"".join(quoted)
    count, width = len(quoted), 2 * size + 4
    if len(text) != count * width:
        raise Malformed(f"{len(text) - count * width:+} characters in values of {size} bytes")
    rows = np.frombuffer(text, np.uint8).reshape(count, width)
    if (rows[:, :3] != _OPENS).any() or (rows[:, -1] != _CLOSES).any():
        raise Malformed(f"a value that is not 0x and {size} bytes")
    return _bytes_of(rows[:, 3:-1].tobytes(), size)


def _bytes_of(digits: bytes, size: int) -> Bytes:
    try:
        return np.frombuffer(a2b_hex(digits), np.uint8).reshape(-1, size)
    except ValueError:
        raise Malformed(f"a value of {size} bytes that is not hexadecimal") from None


def unhex_digits(rows: Bytes) -> Column | None:
    """The values of the digits in rows of ``"0x..."``; None when a row is anything else."""
    digits = _DIGITS[rows[:, 3:-1]]
    framed = (rows[:, :3] == _OPENS).all() and (rows[:, -1] == _CLOSES).all()
    return digits if framed and digits.max() < 16 else None


def unhex_lists(texts: Sequence[Any]) -> Iterator[tuple[Column, Words]]:
    """JSON lists of words, grouped by how many there are: which rows, and their words.

    Lists of as many words look alike but for the digits, whatever spaces a node puts between.
    """
    joined = np.frombuffer(b"".join(texts), np.uint8)
    starts = np.flatnonzero(joined == _OPENS_LIST)
    if len(starts) != len(texts) or starts[0] != 0:
        raise Malformed("a log whose topics are not a list")
    lengths = np.diff(starts, append=len(joined))
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        alike = (
            joined
            if len(rows) == len(texts)
            else np.frombuffer(b"".join(picked(texts, rows)), np.uint8)
        )
        yield rows, _unhex_alike(alike.reshape(len(rows), length))


def _unhex_alike(rows: Bytes) -> Words:
    """Rows that are one list in all but the digits: what stands between them is compared."""
    first = rows[0].tobytes()
    count, quotes = _count_words(first), np.flatnonzero(rows[0] == _CLOSES)
    if len(quotes) != 2 * count:
        raise Malformed("a topic that is not 0x and 32 bytes")
    digits = [slice(start + 3, start + 3 + 2 * WORD) for start in quotes[::2].tolist()]
    frame = np.ones(len(first), bool)
    for each in digits:
        frame[each] = False
    if (rows[:, frame] != rows[0, frame]).any():
        raise Malformed("a topic that is not 0x and 32 bytes")
    if not digits:
        return np.zeros((len(rows), 0, 4), ">u8")
    text = np.concatenate([rows[:, each] for each in digits], axis=1).tobytes()
    return limbs(_bytes_of(text, WORD).reshape(len(rows), -1))


def _count_words(text: bytes) -> int:
    listed = json.loads(text)
    if not all(isinstance(each, str) and _A_WORD.fullmatch(each) for each in listed):
        raise Malformed("a topic that is not 0x and 32 bytes")
    return len(listed)


def picked(texts: Sequence[Any], rows: Column) -> Sequence[Any]:
    """Those of the rows; the sequence itself when that is all of them."""
    if len(rows) == len(texts):
        return texts
    found: Sequence[Any] = itemgetter(0, *rows.tolist())(texts)[1:]  # of one it makes no tuple
    return found


def limbs(rows: Bytes) -> Words:
    """Rows of whole words as ``(row, word, limb)``."""
    return rows.view(">u8").reshape(len(rows), -1, 4)


def read(kind: Word, words: Words) -> Column:
    """One word a row, as the rows of its column. Raises ``Malformed``."""
    return _READERS[kind](words)


def _number(words: Words) -> Column:
    return words[:, ::-1].astype("<u8")


def _unsigned(bits: int) -> Callable[[Words], Column]:
    def unsigned(words: Words) -> Column:
        spare = 256 - bits
        empty, part = divmod(spare, 64)
        if words[:, :empty].any() or (part and (words[:, empty] >> (64 - part)).any()):
            raise Malformed(f"a number beyond {bits} bits")
        return _number(words)

    return unsigned


def _storable(words: Words) -> Column:
    if (words[:, 0] >= _NUMBER_LIMIT).any():
        raise Malformed("an amount of more than 76 digits")
    return _number(words)


def _signed(words: Words) -> Column:
    highest = words[:, 0].astype(np.int64)
    if ((highest >= _NUMBER_LIMIT) | (highest < -_NUMBER_LIMIT)).any():
        raise Malformed("an amount of more than 76 digits")
    return _number(words)


def _tick(words: Words) -> Column:
    value = words[:, 3].astype(np.int64)
    extended = (words[:, :3].astype(np.int64) == (value >> 63)[:, None]).all()
    if not extended or ((value < MIN_TICK) | (value > MAX_TICK)).any():
        raise Malformed("a tick that no pool has")
    return value.astype(np.int32)


def _address(words: Words) -> Column:
    if words[:, 0].any() or (words[:, 1] >> 32).any():
        raise Malformed("an address of more than 20 bytes")
    return np.ascontiguousarray(words).view(np.uint8).reshape(-1, WORD)[:, 12:]


_READERS: dict[Word, Callable[[Words], Column]] = {
    Word.ADDRESS: _address,
    Word.TICK: _tick,
    Word.SIGNED: _signed,
    Word.UINT256: _storable,
    Word.UINT160: _unsigned(160),
    Word.UINT128: _unsigned(128),
}


class Builder:
    """One column of ``count`` rows, filled piece by piece; rows that nobody fills are null."""

    def __init__(self, kind: pa.DataType, count: int) -> None:
        self._kind, self._count = kind, count
        self._values: Column | None = None
        self._filled = np.zeros(count, bool)

    def fill(self, rows: Column, values: Column) -> None:
        """``rows`` are the indices that the values are for, in order."""
        self._filled[rows] = True
        if len(rows) == self._count:
            self._values = values
            return
        if self._values is None:
            self._values = np.zeros((self._count, *values.shape[1:]), values.dtype)
        self._values[rows] = values

    def finish(self) -> pa.Array:
        if self._values is None:
            return pa.nulls(self._count, self._kind)
        return column(self._kind, self._values, self._filled)


def column(kind: pa.DataType, values: Column, filled: Column | None = None) -> pa.Array:
    """An Arrow array over the memory of ``values``; null where not ``filled``."""
    mask = None
    if filled is not None and not filled.all():
        mask = pa.py_buffer(np.packbits(filled, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [mask, data])


def integers(array: pa.Array) -> list[int]:
    """A column of 256-bit decimals as integers; null is 0."""
    raw = array.buffers()[1].to_pybytes() if array.buffers()[1] else bytes(WORD * len(array))
    start = array.offset * WORD
    places = range(start, start + WORD * len(array), WORD)
    values = [int.from_bytes(raw[at : at + WORD], "little", signed=True) for at in places]
    if array.null_count:
        return [v if valid else 0 for v, valid in zip(values, array.is_valid(), strict=True)]
    return values
