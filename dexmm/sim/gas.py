"""What gas costs in a world of its own."""

from __future__ import annotations

import math
import random

GWEI = 10**9


class BaseFee:
    """The base fee's walk: log-normal around 0.9 gwei, held between 0.5 and 2."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"gas:{seed}")  # noqa: S311 - a repeatable market, not a secret
        self._log = 0.0
        self.pass_block()

    def pass_block(self) -> None:
        """To the next block."""
        self._log = 0.9 * self._log + self._dice.gauss(0, 0.15)

    @property
    def wei(self) -> int:
        """The newest block's."""
        gwei = min(max(0.9 * math.exp(self._log), 0.5), 2.0)
        return round(gwei * GWEI)

    def next_wei(self) -> int:
        """To the next block, and what it costs there."""
        self.pass_block()
        return self.wei
