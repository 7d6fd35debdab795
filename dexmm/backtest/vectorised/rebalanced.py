"""No liquidity: base is traded back to its target share, at the fair price and a stated cost.

With the share ``w``, the cost ``c`` of what is traded, and base worth ``v`` in a net worth ``N``:

    too much base   sell x = (v - w N) / (1 - w c)
    too little      buy  x = (w N - v) / (1 + w c)

leaves exactly the share ``w`` of N - c x. Traded at every turn, the net worth is a product of
factors of the price's changes; traded beyond ``step``, nothing happens between two prices.
"""

from __future__ import annotations

import numpy as np

from dexmm.backtest.vectorised.accumulator import Tally
from dexmm.backtest.vectorised.price_path import Floats, PoolPath
from dexmm.backtest.vectorised.stretch import SLICE, first_beyond


class Rebalancer:
    """``idle`` is what it begins with: base and quote, smallest units."""

    def __init__(
        self,
        path: PoolPath,
        idle: tuple[float, float],
        tally: Tally,
        *,
        target: float,
        cost: float,
        step: float,
    ) -> None:
        self.path, self.idle, self.tally = path, idle, tally
        self.target, self.cost, self.step = target, cost, step

    def play(self) -> tuple[float, float]:
        """Every turn; what it ends with."""
        self._see(0, 1)
        if self.step:
            self._beyond_step()
        else:
            self._trade(0)
            for begin in range(1, len(self.path), SLICE):
                self._always(begin, min(begin + SLICE, len(self.path)))
        return self.idle

    def _see(self, first: int, last: int) -> None:
        fair = self.path.fair[first:last]
        if len(fair):
            self.tally.see(fair, np.full(len(fair), self.idle[0]), np.full(len(fair), self.idle[1]))

    def _beyond_step(self) -> None:
        turn, last = 0, len(self.path)
        while (due := self._due(turn)) is not None:
            self._see(turn + 1, due + 1)
            self._trade(due)
            turn = due
        self._see(turn + 1, last)

    def _due(self, after: int) -> int | None:
        """The next turn at which the share has strayed; the first may have already."""
        base, quote = self.idle
        low, high = self.target - self.step, self.target + self.step
        prices = [share * quote / ((1 - share) * base) for share in (low, high)]
        first = after + 1 if after else 0
        return first_beyond(self._fair, (first, len(self.path)), (prices[0], prices[1]), 1)

    def _fair(self, first: int, last: int) -> Floats:
        return self.path.fair[first:last]

    def _trade(self, turn: int) -> None:
        base, quote = self.idle
        fair = float(self.path.fair[turn])
        worth = base * fair + quote
        over = base * fair - self.target * worth
        traded = over / (1 - self.target * self.cost * (1 if over > 0 else -1))
        paid = abs(traded) * self.cost
        self.idle = (base - traded / fair, quote + traded - paid)
        self._traded(-traded / fair, traded - paid, abs(traded))

    def _traded(self, base: float, quote: float, turnover: float) -> None:
        self.tally.traded_base += base
        self.tally.traded_quote += quote
        self.tally.turnover += turnover

    def _always(self, begin: int, end: int) -> None:
        """Turns that each trade back what the price has moved since the one before."""
        fair = self.path.fair[begin - 1 : end]
        w, c = self.target, self.cost
        ratio = fair[1:] / fair[:-1]
        grown = w * ratio + (1 - w)
        over = w * ratio - w * grown
        traded = over / np.where(over > 0, 1 - w * c, 1 + w * c)
        first = self.idle[0] * float(fair[0]) + self.idle[1]
        after = first * np.cumprod(grown - c * np.abs(traded))
        before = np.concatenate(([first], after[:-1]))
        self.tally.see(fair[1:], before * w / fair[:-1], before * (1 - w))
        traded *= before
        paid = np.abs(traded)
        self._traded(
            -float((traded / fair[1:]).sum()),
            float(traded.sum() - c * paid.sum()),
            float(paid.sum()),
        )
        self.idle = (float(after[-1]) * w / float(fair[-1]), float(after[-1]) * (1 - w))
