"""A column of integers too wide for a machine word, in as few bytes as its widest needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from struct import iter_unpack
from typing import overload

_READ: Callable[[bytes, str], int] = int.from_bytes  # type: ignore[assignment]  # "little" is a str


@dataclass(frozen=True, slots=True)
class Wide:
    """Signed integers, ``width`` bytes each, little-endian."""

    width: int
    data: bytes

    @classmethod
    def of(cls, values: Sequence[int]) -> Wide:
        most = max((abs(value) for value in values), default=0)
        width = most.bit_length() // 8 + 1
        return cls(width, b"".join(v.to_bytes(width, "little", signed=True) for v in values))

    def __len__(self) -> int:
        return len(self.data) // self.width

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Wide: ...
    def __getitem__(self, index: int | slice) -> int | Wide:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                raise IndexError("a column is cut in whole stretches")
            return Wide(self.width, self.data[first * self.width : last * self.width])
        if not 0 <= index < len(self):
            raise IndexError(index)
        at = index * self.width
        return int.from_bytes(self.data[at : at + self.width], "little", signed=True)

    def span(self, first: int, last: int) -> list[int]:
        """The values from ``first`` up to and without ``last``, all at once."""
        part = self[first:last]
        half, whole = 1 << (8 * self.width - 1), 1 << (8 * self.width)
        # Reading a whole stretch without its signs, which seldom are set, takes half the time.
        cells = chain.from_iterable(iter_unpack(f"{self.width}s", part.data))
        unsigned = map(_READ, cells, repeat("little"))
        return [value if value < half else value - whole for value in unsigned]
