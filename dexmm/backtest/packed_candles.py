"""A packed path as a world reads it: its own columns, without a copy."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.sim.history import Candle
from dexmm.sim.packed import PackedPath
from dexmm.sim.world import Columns


@dataclass(frozen=True, slots=True)
class PackedCandles:
    path: PackedPath

    @property
    def interval_seconds(self) -> int:
        return self.path.interval_seconds

    def __len__(self) -> int:
        return len(self.path)

    def candle(self, index: int) -> Candle:
        return self.path.candle(index)

    def columns(self) -> Columns:
        """Exact: integers as the path holds them."""
        path = self.path
        return Columns(
            times=range(path.start, path.at(len(path)), path.interval_seconds),
            opens=path.open_units,
            lows=path.low_units,
            highs=path.high_units,
            closes=path.close_units,
            decimals=path.price_decimals,
        )
