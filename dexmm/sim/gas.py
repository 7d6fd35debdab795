"""What gas costs in a world of its own."""

from __future__ import annotations

import math
import random

GWEI = 10**9
_KNOT_BLOCKS = 8
_SIGMA = 0.35  # of the logarithm, at a knot


class BaseFee:
    """The base fee's walk: log-normal around 0.9 gwei, held between 0.5 and 2.

    Straight in the logarithm from knot to knot. A block's fee depends on the seed and its number
    alone, so that blocks nobody looks at cost nothing to pass.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._block = 0

    def pass_block(self) -> None:
        """To the next block."""
        self._block += 1

    @property
    def wei(self) -> int:
        """The newest block's."""
        knot, after = divmod(self._block, _KNOT_BLOCKS)
        start, end = self._knot(knot), self._knot(knot + 1)
        log = start + (end - start) * after / _KNOT_BLOCKS
        return round(min(max(0.9 * math.exp(log), 0.5), 2.0) * GWEI)

    def next_wei(self) -> int:
        """To the next block, and what it costs there."""
        self.pass_block()
        return self.wei

    def _knot(self, number: int) -> float:
        # The seeding spreads neighbouring numbers apart: it hashes its text.
        dice = random.Random(f"gas:{self._seed}:{number}")  # noqa: S311 - a repeatable market
        return dice.gauss(0, _SIGMA)
