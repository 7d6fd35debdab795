"""Where the fair price of a standalone exchange comes from, second by second."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from dexmm.sim.agents.price_process import Candle, PricePath

CENT = Decimal("0.01")

Feed = Callable[[int], Decimal]  # milliseconds since the start -> quote per base


def fixed(price: Decimal) -> Feed:
    return lambda _: price


def along(path: PricePath, speed: Decimal) -> Feed:
    """Walk a path's candles, ``speed`` seconds of them a second; at its end the price stays.

    Inside a candle the price goes straight from the open through the extremes to the close.
    """
    length = len(path.candles)

    def price(elapsed_ms: int) -> Decimal:
        candles = elapsed_ms * speed / 1000 / path.interval_seconds
        index = int(candles)
        if index >= length:
            return path.candles[-1].close
        return _within(path.candles[index], candles - index)

    return price


def _within(candle: Candle, part: Decimal) -> Decimal:
    points = (candle.open, *candle.waypoints())
    legs = list(pairwise(points))
    leg = min(int(part * len(legs)), len(legs) - 1)
    start, end = legs[leg]
    price = start + (end - start) * (part * len(legs) - leg)
    return price.quantize(CENT, ROUND_HALF_EVEN)
