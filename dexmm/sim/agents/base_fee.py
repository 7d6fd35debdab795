"""What gas costs in a world of its own."""

from __future__ import annotations

import math
import random
from decimal import Decimal

GWEI = 10**9
MEAN_GWEI = Decimal("0.3")  # of the walk with a usual tip: for whoever plans with one number
WALK = "0.05 to 1 gwei around 0.2, with rare spikes to 50 (a seeded walk)"
_MIDDLE, _LOWEST, _HIGHEST = 0.2, 0.05, 1.0  # gwei, spikes aside
_KNOT_BLOCKS = 8
_SIGMA = 0.6  # of the logarithm, at a knot
_SPELL_BLOCKS = 1024  # in so many there is one spike at most
_SPIKES = 0.25  # of spells have one
_SMALLEST, _LARGEST = 2.0, 50.0  # gwei, at the peak of a spike
_STEP = 1.125  # what the protocol lets a base fee change by from block to block
_EDGE = 64  # blocks: further from its peak a spike is within the walk


class BaseFee:
    """The base fee's walk: log-normal around 0.2 gwei, held between 0.05 and 1, and rare spikes.

    Straight in the logarithm from knot to knot, as mainnet's base fee has been since late 2025. A
    spike of 2 to 50 gwei comes about every 4,000 blocks, and rises and falls as fast as the
    protocol allows. A block's fee depends on the seed and its number alone, so that blocks nobody
    looks at cost nothing to pass.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._block = 0
        self._spell, self._peak_at, self._peak = -1, 0, 0.0
        self._knots: dict[int, float] = {}  # the two around the block that was asked for last

    def pass_block(self, count: int = 1) -> None:
        """To the next block, or so many further."""
        self._block += count

    @property
    def wei(self) -> int:
        """The newest block's."""
        knot, after = divmod(self._block, _KNOT_BLOCKS)
        if knot not in self._knots or knot + 1 not in self._knots:
            self._knots = {number: self._knot(number) for number in (knot, knot + 1)}
        start, end = self._knots[knot], self._knots[knot + 1]
        log = start + (end - start) * after / _KNOT_BLOCKS
        calm = min(max(_MIDDLE * math.exp(log), _LOWEST), _HIGHEST)
        return round(max(calm, self._spike()) * GWEI)

    def next_wei(self) -> int:
        """To the next block, and what it costs there."""
        self.pass_block()
        return self.wei

    def _knot(self, number: int) -> float:
        # The seeding spreads neighbouring numbers apart: it hashes its text.
        dice = random.Random(f"gas:{self._seed}:{number}")  # noqa: S311 - a repeatable market
        return dice.gauss(0, _SIGMA)

    def _spike(self) -> float:
        """In gwei; 0 where there is none."""
        spell, after = divmod(self._block, _SPELL_BLOCKS)
        if spell != self._spell:
            dice = random.Random(f"spike:{self._seed}:{spell}")  # noqa: S311 - a repeatable market
            there = dice.random() < _SPIKES
            height = math.exp(dice.uniform(math.log(_SMALLEST), math.log(_LARGEST)))
            self._spell, self._peak = spell, height if there else 0.0
            self._peak_at = dice.randrange(_EDGE, _SPELL_BLOCKS - _EDGE)
        away = abs(after - self._peak_at)
        return self._peak / _STEP**away if self._peak and away < _EDGE else 0.0


class Steady(BaseFee):
    """A base fee that stands still."""

    def __init__(self, gwei: Decimal) -> None:
        self._wei = int(gwei * GWEI)

    def pass_block(self, count: int = 1) -> None:
        """Nothing changes."""

    @property
    def wei(self) -> int:
        return self._wei


def base_fee(seed: int, gwei: Decimal | None = None) -> BaseFee:
    """The walk of a seed, or what stands still at ``gwei``."""
    return BaseFee(seed) if gwei is None else Steady(gwei)
