"""TickBitmap: where a tick's bit lives, and the search for the next set one.

The contract looks at one 256-bit word at a time, so a swap also stops at the edge of a word
that holds no further tick. Those stops round amounts like any other and must be reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping

from dexmm.units import Tick

MAX_UINT256 = (1 << 256) - 1


def compress(tick: int, tick_spacing: int) -> int:
    """The tick's place on the grid; an off-grid tick belongs to the grid point below it."""
    return tick // tick_spacing


def position(compressed: int) -> tuple[int, int]:
    """The word, and the bit in it, of a grid point."""
    return compressed >> 8, compressed & 0xFF


def next_initialized_tick_within_one_word(
    words: Mapping[int, int], tick: int, tick_spacing: int, lte: bool
) -> tuple[Tick, bool]:
    """The next set tick in one word, or the word's last tick and False.

    ``lte`` searches downward from ``tick`` itself; otherwise upward from the grid point above.
    """
    if lte:
        compressed = compress(tick, tick_spacing)
        word, bit = position(compressed)
        masked = words.get(word, 0) & ((2 << bit) - 1)
        found = masked.bit_length() - 1 if masked else 0
    else:
        compressed = compress(tick, tick_spacing) + 1
        word, bit = position(compressed)
        masked = words.get(word, 0) & (MAX_UINT256 ^ ((1 << bit) - 1))
        found = (masked & -masked).bit_length() - 1 if masked else 0xFF
    return Tick((compressed - bit + found) * tick_spacing), masked != 0
