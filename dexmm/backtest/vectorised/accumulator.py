"""What a vectorised run adds up to: the figures of ``performance/metrics.py``.

Money is in smallest units of quote until it becomes a figure. Everything a turn can be asked for
is reduced at once, so that no column of a whole history is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dexmm.backtest.vectorised.price_path import Floats, PoolPath
from dexmm.performance.metrics import Figures


@dataclass(slots=True)
class Tally:
    """``hold_*`` is what the run began with; ``gas`` what has been paid so far.

    A turn counts in a mean for the time until the next one. They are all alike but the last, which
    is followed by nothing: ``spans`` of them count.
    """

    hold_base: float
    hold_quote: float
    band_low: float
    band_high: float
    spans: int
    gas: float = 0.0
    turns: int = 0
    in_band: int = 0
    in_range: int = 0
    share_sum: float = 0.0
    share_low: float = np.inf
    share_high: float = -np.inf
    worth_sum: float = 0.0
    deployed_sum: float = 0.0
    peak: float = 0.0
    deepest: float = 0.0
    peak_against: float = 0.0
    deepest_against: float = 0.0
    end: float = 0.0
    fees_base: float = 0.0
    fees_quote: float = 0.0
    moved_base: float = 0.0  # what swaps of others turned our principal into
    moved_quote: float = 0.0
    rebalancing: float = 0.0  # the same, each at the fair price when it happened
    traded_base: float = 0.0  # by ourselves
    traded_quote: float = 0.0
    turnover: float = 0.0
    reranges: int = 0

    def see(self, fair: Floats, base: Floats, quote: Floats) -> None:
        """Turns that hold ``base`` and ``quote`` in all places."""
        value = base * fair
        worth = value + quote
        share = np.divide(value, worth, out=value)
        counted = self.counted(len(fair))
        self.turns += len(fair)
        self.share_sum += float(share[:counted].sum())
        low, high = float(share.min()), float(share.max())
        self.share_low, self.share_high = min(self.share_low, low), max(self.share_high, high)
        self.in_band += self._in_band(share[:counted], low, high)
        worth -= self.gas
        self.end = float(worth[-1])
        self.worth_sum += float(worth[:counted].sum())
        self.peak, self.deepest = _deeper(worth, self.peak, self.deepest)
        holding = np.multiply(fair, self.hold_base)
        holding += self.hold_quote
        np.divide(worth, holding, out=worth)
        self.peak_against, self.deepest_against = _deeper(
            worth, self.peak_against, self.deepest_against
        )

    def counted(self, following: int) -> int:
        """How many of the turns that follow count in means."""
        return min(following, max(self.spans - self.turns, 0))

    def _in_band(self, share: Floats, low: float, high: float) -> int:
        if self.band_low <= low and high <= self.band_high:
            return len(share)
        if high < self.band_low or low > self.band_high:
            return 0
        return int(np.count_nonzero((share >= self.band_low) & (share <= self.band_high)))


def _deeper(values: Floats, peak: float, deepest: float) -> tuple[float, float]:
    """The peak after these, and the deepest fall below it so far; no peak is sought in vain."""
    highest = max(peak, float(values.max()))
    if highest > 0 and 1 - float(values.min()) / highest > deepest:
        peaks = np.maximum.accumulate(values)
        np.maximum(peaks, peak, out=peaks)
        deepest = max(deepest, 1 - float((values / peaks).min()))
    return highest, deepest


def figures_of(tally: Tally, path: PoolPath, name: str) -> Figures:
    """Floats become the decimals that print them; no digit beyond the stated error is meant."""
    one = float(10**path.market.quote.decimals)
    first, last = float(path.fair[0]), float(path.fair[-1])
    days = (len(path) - 1) * path.interval_seconds / 86_400
    start = tally.hold_base * first + tally.hold_quote
    holding = tally.hold_base * (last - first)
    fees = tally.fees_base * last + tally.fees_quote
    divergence = tally.moved_base * last + tally.moved_quote
    swapped = tally.traded_base * last + tally.traded_quote
    net = fees + divergence + swapped - tally.gas
    deployed = tally.deployed_sum / tally.spans
    return Figures(
        name=name,
        days=_decimal(days),
        turns=tally.turns,
        start=_decimal(start / one),
        end=_decimal(tally.end / one),
        net=_decimal(net / one),
        net_bp=_decimal(net / start * 10_000),
        holding=_decimal(holding / one),
        fees=_decimal(fees / one),
        divergence=_decimal(divergence / one),
        loss_versus_rebalancing=_decimal(tally.rebalancing / one),
        gas=_decimal(-tally.gas / one),
        swap_cost=_decimal(swapped / one),
        hedge=Decimal(0),
        quoting=Decimal(0),
        exchange_fees=Decimal(0),
        funding=Decimal(0),
        turnover=_decimal(tally.turnover / one),
        time_in_band=_decimal(tally.in_band / tally.spans),
        time_in_range=_decimal(tally.in_range / tally.spans),
        share_low=_decimal(tally.share_low),
        share_mean=_decimal(tally.share_sum / tally.spans),
        share_high=_decimal(tally.share_high),
        max_drawdown_bp=_decimal(tally.deepest * 10_000),
        max_drawdown_hold_bp=_decimal(tally.deepest_against * 10_000),
        reranges=tally.reranges,
        deployed=_decimal(tally.deployed_sum / tally.worth_sum),
        capital_efficiency_bp=_decimal(fees / days / deployed * 10_000 if deployed else 0.0),
        halted="",
    )


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(value))) if value else Decimal(0)
