"""What a price history is made of: candles, and a path of them without a hole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from dexmm.errors import BadInput

CANDLE_COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")
LONGEST_GAP_SECONDS = 96 * 3600  # a long weekend; anything longer is a wrong file, not a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """Prices are quote per base; ``at`` is the open time in seconds; ``volume`` is in base."""

    at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    filled: bool = False  # missing in the file: it repeats the last close

    def waypoints(self) -> tuple[Decimal, Decimal, Decimal]:
        """The way from open to close: through the extreme that lies against the body first.

        A candle does not say which extreme came first; this is the usual convention.
        """
        if self.close >= self.open:
            return self.low, self.high, self.close
        return self.high, self.low, self.close


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePath:
    """Candles without a hole, ``interval_seconds`` apart."""

    source: str
    interval_seconds: int
    candles: tuple[Candle, ...]
    understood: str = field(default="", compare=False)  # what was made of its files, for people

    @property
    def filled(self) -> int:
        """How many candles were missing and repeat the last close."""
        return sum(candle.filled for candle in self.candles)

    def first(self, count: int) -> PricePath:
        """The first ``count`` candles; ``BadInput`` when there are fewer."""
        if count > len(self.candles):
            raise too_few(self.source, len(self.candles), count)
        return replace(self, candles=self.candles[:count])


def too_few(source: str, candles: int, turns: int) -> BadInput:
    """A path shorter than what was asked of it."""
    return BadInput(
        f"{source} has {candles} candles, too few for {turns} turns: "
        f"ask for at most --turns {candles}",
        candles=candles,
        turns=turns,
    )
