"""Our quotes in the exchange's book over time: spread, depth, and on how many sides. Pure.

Each look at the book counts for the time until the next one, and for no more than two intervals:
nobody knows what rested while nobody looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from statistics import median

from dexmm.performance.track.track import Quoted, Track
from dexmm.units import PRICE

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Shares are of the time looked at, 0 to 1; depths are means over it, per side."""

    looks: int
    seconds: int
    two_sided: Decimal
    one_sided: Decimal
    spread_median_bp: Decimal | None  # of the looks that found both sides; None: there was none
    spread_mean_bp: Decimal | None  # weighted by time
    spread_low_bp: Decimal | None
    spread_high_bp: Decimal | None
    bid_base: Decimal
    ask_base: Decimal
    bid_quote: Decimal
    ask_quote: Decimal


def presence(track: Track) -> Presence:
    looks = track.quoted
    spent = seconds_each(looks, track.interval_seconds)
    both = [(look.spread_bp, s) for look, s in zip(looks, spent, strict=True)]
    spreads = [(spread, s) for spread, s in both if spread is not None]
    with localcontext(PRICE):
        total = Decimal(sum(spent))
        twice = Decimal(sum(s for _, s in spreads))
        once = Decimal(
            sum(s for q, s in zip(looks, spent, strict=True) if (q.bid is None) != (q.ask is None))
        )
        return Presence(
            looks=len(looks),
            seconds=sum(spent),
            two_sided=twice / total if total else ZERO,
            one_sided=once / total if total else ZERO,
            spread_median_bp=median(spread for spread, _ in spreads) if spreads else None,
            spread_mean_bp=_mean(spreads, twice),
            spread_low_bp=min((spread for spread, _ in spreads), default=None),
            spread_high_bp=max((spread for spread, _ in spreads), default=None),
            bid_base=_depth([(q.bid_base, s) for q, s in zip(looks, spent, strict=True)], total),
            ask_base=_depth([(q.ask_base, s) for q, s in zip(looks, spent, strict=True)], total),
            bid_quote=_depth([(q.bid_quote, s) for q, s in zip(looks, spent, strict=True)], total),
            ask_quote=_depth([(q.ask_quote, s) for q, s in zip(looks, spent, strict=True)], total),
        )


def seconds_each(looks: tuple[Quoted, ...], interval_seconds: int) -> list[int]:
    """The time that each look stands for; the last one, an interval."""
    ends = [look.at for look in looks[1:]]
    gaps = [end - look.at for look, end in zip(looks, ends, strict=False)]
    return [min(gap, 2 * interval_seconds) for gap in gaps] + [interval_seconds] * bool(looks)


def _mean(values: list[tuple[Decimal, int]], total: Decimal) -> Decimal | None:
    return sum((value * s for value, s in values), ZERO) / total if total else None


def _depth(values: list[tuple[Decimal, int]], total: Decimal) -> Decimal:
    return _mean(values, total) or ZERO
