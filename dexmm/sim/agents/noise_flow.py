"""Who trades in the pool for reasons of their own: seeded swaps of measured size and frequency.

Both sorts come from every PAXG move in and out of PAXG pools over 981 blocks of mainnet
(2026-03-30, blocks 24768676 to 24769672):

* ``real``: the PAXG/USDT 0.05 % pool itself: 34 swaps, mean 0.071, largest 0.148 PAXG.
* ``busy``: what the PAXG/USDC 0.05 % pool saw in the same blocks: 134 swaps, mean 0.356, largest
  1.377 PAXG, twenty times the volume.

Arrivals are Poisson. Sizes are ``largest * Beta(alpha, beta)``, fitted to mean and median; the
direction is a fair coin: what these swaps push, the arbitrageur brings back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from types import MappingProxyType

_MEASURED_SECONDS = 981 * 12
_DUST = Decimal("0.0001")  # of base: smaller swaps tell nothing and cost a transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Statistics of one kind of flow; sizes in base."""

    swaps_per_second: float
    largest: float
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.largest * self.alpha / (self.alpha + self.beta)

    @property
    def mean_square(self) -> float:
        """Of a size."""
        return self.mean * self.largest * (self.alpha + 1) / (self.alpha + self.beta + 1)


FLOWS: Mapping[str, Flow] = MappingProxyType(
    {
        "busy": Flow(swaps_per_second=134 / _MEASURED_SECONDS, largest=1.377, alpha=1.2, beta=3.44),
        "real": Flow(swaps_per_second=34 / _MEASURED_SECONDS, largest=0.148, alpha=1.0, beta=1.08),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseTrade:
    """One swap: ``base`` is what is bought, or sold, for its worth in quote."""

    at: float  # seconds into the interval
    base: Decimal
    buys_base: bool


class NoiseStream:
    """The swaps of one seed, interval after interval, in a stream of their own: prices do not
    depend on it. What is drawn next does not depend on how time is cut into intervals, and people
    who trade twice as much make the same trades in half the time."""

    def __init__(self, flow: Flow, seed: int) -> None:
        self._flow = flow
        self._dice = random.Random(f"noise:{seed}")  # noqa: S311 - a repeatable market, not a secret
        self._next = self._dice.expovariate(flow.swaps_per_second)  # seconds from here

    def pass_quiet(self, length: float) -> bool:
        """As an interval of ``length`` (seconds times activity) in which nobody trades; False,
        with nothing passed, where somebody does."""
        if self._next < length:
            return False
        self._next -= length
        return True

    def pass_many(self, seconds: int, count: int) -> Iterator[tuple[int, tuple[NoiseTrade, ...]]]:
        """So many intervals of ``seconds``: the number of each in which somebody trades, and who.

        The same as ``pass_interval`` for each.
        """
        number = 0
        while number < count:
            until = self._next
            while until >= seconds and number < count:
                until -= seconds
                number += 1
            self._next = until
            if number < count:
                if trades := self.pass_interval(seconds):
                    yield number, trades
                number += 1

    def pass_interval(self, seconds: int, activity: float = 1.0) -> tuple[NoiseTrade, ...]:
        """The swaps of the next ``seconds``, in order of time; ``activity`` times as many."""
        length = seconds * activity
        if self._next >= length:
            self._next -= length
            return ()
        flow, dice, trades = self._flow, self._dice, []
        while self._next < length:
            size = Decimal(repr(flow.largest * dice.betavariate(flow.alpha, flow.beta)))
            buys_base = dice.random() < 0.5
            base = size.quantize(_DUST, ROUND_DOWN)
            if base > 0:
                at = self._next / activity
                trades.append(NoiseTrade(at=at, base=base, buys_base=buys_base))
            self._next += dice.expovariate(flow.swaps_per_second)
        self._next -= length
        return tuple(trades)
