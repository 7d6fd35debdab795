"""A report as plain facts: everything that its page shows, for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from dexmm.performance.acceptance import Verdict
from dexmm.performance.attribution import attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import earned
from dexmm.performance.fills import filled
from dexmm.performance.metrics import figures
from dexmm.performance.order_statistics import trading
from dexmm.performance.quote_presence import presence
from dexmm.performance.refusal_counts import refused
from dexmm.performance.track.track import Track
from dexmm.performance.uptime import uptime
from dexmm.report.downsample import thinned
from dexmm.report.range_spans import stretches
from dexmm.report.rerange_rows import legs_shown
from dexmm.report.waterfall import steps

T = TypeVar("T")
Series = list[tuple[int, Decimal]]


def report(track: Track) -> dict[str, object]:
    """Money in quote, shares 0 to 1, times in seconds since 1970.

    ``series`` are thinned as they are drawn, extremes kept; everything else is of every turn.
    """
    found, seen = attribute(track.marks), uptime(track)
    return {
        "name": track.name,
        "source": track.source,
        "base": track.base,
        "quote": track.quote,
        "facts": track.facts,
        "assumptions": track.assumptions,
        "band": {"low": track.band_low, "high": track.band_high, "target": track.target},
        "earned": earned(worths(track.marks)),
        "figures": figures(track),
        "attribution": {
            "start": found.start,
            "end": found.end,
            "change": found.change,
            "holding": found.holding,
            "against_holding": found.against_holding,
            "parts": {
                source.value: {"timing": part.timing, "edge": part.edge, "total": part.total}
                for source, part in found.parts.items()
            },
            "waterfall": steps(found),
        },
        "legs": legs_shown(track),
        "fills": filled(track),
        "exchange": trading(track.orders),
        "actions": track.actions,
        "liquidation": nearest_liquidation(track),
        "refusals": refused(track.points),
        "uptime": {
            "began": seen.began,
            "ended": seen.ended,
            "turns": seen.turns,
            "scheduled": seen.scheduled,
            "up_seconds": seen.up_seconds,
            "down_seconds": seen.down_seconds,
            "share": seen.share,
            "outages": seen.outages,
        },
        "errors": track.errors,
        "halted": track.halted,
        "ranges": stretches(track),
        "series": _series(track),
    }


def verdict_facts(verdict: Verdict) -> dict[str, object]:
    return {"name": verdict.name, "passed": verdict.passed, "criteria": verdict.criteria}


def evidence_facts(track: Track, verdict: Verdict) -> dict[str, object]:
    """What is said to an exchange, and no word of what is held or earned."""
    seen = uptime(track)
    return {
        **verdict_facts(verdict),
        "market": f"{track.base}/{track.quote}",
        "period": {"began": seen.began, "ended": seen.ended, "seconds": seen.seconds},
        "uptime": {"share": seen.share, "turns": seen.turns, "outages": seen.outages},
        "orders": trading(track.orders),
        "presence": presence(track),
    }


def _series(track: Track) -> Mapping[str, Series]:
    worth = worths(track.marks)
    return {
        "fair_price": _thin(track.points, lambda point: (point.at, point.fair_price)),
        "pool_price": _thin(track.points, lambda point: (point.at, point.pool_price)),
        "share": _thin(track.points, lambda point: (point.at, point.share)),
        "net_worth": _thin(worth, lambda w: (w.at, w.net_worth)),
        "holding": _thin(worth, lambda w: (w.at, w.holding)),
        "against_holding": _thin(worth, lambda w: (w.at, w.against_holding)),
    }


def _thin(of: Sequence[T], value: Callable[[T], tuple[int, Decimal]]) -> Series:
    return [value(item) for item in thinned(of, lambda item: value(item)[1])]


def nearest_liquidation(track: Track) -> dict[str, object] | None:
    """When a perpetual position was nearest to it, and how near, as a fraction of the mark price.

    None where nothing could be liquidated.
    """
    seen = [
        (p.liquidation_distance, p.at) for p in track.points if p.liquidation_distance is not None
    ]
    if not seen:
        return None
    distance, at = min(seen)
    return {"distance": distance, "at": at}
