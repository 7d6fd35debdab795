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

    def next_wei(self) -> int:
        """The next block's."""
        self.pass_block()
        gwei = min(max(0.9 * math.exp(self._log), 0.5), 2.0)
        return round(gwei * GWEI)

    def pass_block(self) -> None:
        """A block whose base fee nobody asks for."""
        self._log = 0.9 * self._log + self._dice.gauss(0, 0.15)
