"""What a market has printed: its trades, one-minute candles, and the last 24 hours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from dexmm.paper_exchange.engine.rounding import ZERO

MINUTE_MS = 60_000
KEPT_MINUTES = 7 * 1440
KEPT_TRADES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A public trade."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    value: Decimal
    buyer_is_maker: bool
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Bar:
    """A candle; ``taker_*`` is the part where the buyer took."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    value: Decimal = ZERO
    trades: int = 0
    taker_volume: Decimal = ZERO
    taker_value: Decimal = ZERO

    def absorb(self, other: Bar) -> None:
        """Become the candle over both; ``other`` is the later one."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.value += other.value
        self.trades += other.trades
        self.taker_volume += other.taker_volume
        self.taker_value += other.taker_value


def flat(at_ms: int, price: Decimal) -> Bar:
    return Bar(at_ms=at_ms, open=price, high=price, low=price, close=price)


class Tape:
    def __init__(self) -> None:
        self.prints: deque[Print] = deque(maxlen=KEPT_TRADES)
        self._minutes: deque[Bar] = deque(maxlen=KEPT_MINUTES)
        self.last: Decimal = ZERO

    def trade(self, printed: Print) -> None:
        self.prints.append(printed)
        bar = self.mark(printed.price, printed.at_ms)
        bar.volume += printed.quantity
        bar.value += printed.value
        bar.trades += 1
        if not printed.buyer_is_maker:
            bar.taker_volume += printed.quantity
            bar.taker_value += printed.value

    def mark(self, price: Decimal, at_ms: int) -> Bar:
        """Note a price in its minute. A thin market without a trade shows its middle."""
        self.last = price
        minute = at_ms - at_ms % MINUTE_MS
        if not self._minutes or self._minutes[-1].at_ms < minute:
            self._minutes.append(flat(minute, price))
        bar = self._minutes[-1]
        bar.high, bar.low, bar.close = max(bar.high, price), min(bar.low, price), price
        return bar

    def bars(self, interval_ms: int, start_ms: int, end_ms: int, limit: int) -> list[Bar]:
        """Candles opened in ``start_ms`` to ``end_ms``, oldest first, the newest ``limit``."""
        wanted = (bar for bar in self._minutes if start_ms <= bar.at_ms <= end_ms)
        return list(deque(_merged(wanted, interval_ms), maxlen=limit))

    def day(self, now_ms: int) -> Bar | None:
        """The 24 hours up to now as one candle; None when nothing was ever printed."""
        recent = islice(reversed(self._minutes), 1440)
        since = now_ms - 1440 * MINUTE_MS
        bars = [bar for bar in recent if bar.at_ms > since] or list(self._minutes)[-1:]
        if not bars:
            return None
        return next(_merged(reversed(bars), 1 << 62))


def _merged(bars: Iterable[Bar], interval_ms: int) -> Iterator[Bar]:
    current: Bar | None = None
    for bar in bars:
        opens = bar.at_ms - bar.at_ms % interval_ms
        if current is None or opens > current.at_ms:
            if current is not None:
                yield current
            current = Bar(at_ms=opens, open=bar.open, high=bar.high, low=bar.low, close=bar.close)
            current.volume, current.value, current.trades = bar.volume, bar.value, bar.trades
            current.taker_volume, current.taker_value = bar.taker_volume, bar.taker_value
        else:
            current.absorb(bar)
    if current is not None:
        yield current
