"""Ways of making a market side by side: one history, the same costs and the same flow.

Every contestant has a world of its own, made from the same scenario, so that no result depends on
who else takes part or on how many processes share the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dexmm.backtest.compare_play import play_row, sentences
from dexmm.backtest.compare_rows import Row
from dexmm.backtest.compare_verdict import Worth, verdict, worth
from dexmm.backtest.contestants import FIELD, Contestant
from dexmm.backtest.event_world import assumed
from dexmm.backtest.expectation import facts_of
from dexmm.backtest.run import Scenario
from dexmm.backtest.workers import Progress, run_jobs

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``verdict`` and ``assumptions`` are sentences for people."""

    rows: tuple[Row, ...]
    worth: Worth
    verdict: tuple[str, ...]
    history: str  # what it ran over
    base: str  # symbols
    quote: str
    band_low: Decimal
    band_high: Decimal
    target: Decimal
    assumptions: tuple[str, ...]


def compare(
    scenario: Scenario,
    contestants: Sequence[Contestant] = FIELD,
    *,
    workers: int = WORKERS,
    progress: Progress | None = None,
) -> Comparison:
    """Everybody's row. Raises ``BadInput`` for a history that is too short for anybody."""
    rows = run_jobs(play_row, scenario, contestants, workers=workers, progress=progress)
    expected = worth(scenario.config, facts_of(scenario))
    strategy, market = scenario.config.strategy, scenario.market
    return Comparison(
        rows=rows,
        worth=expected,
        verdict=verdict(rows, expected),
        history=_history(scenario, rows),
        base=market.base.symbol,
        quote=market.quote.symbol,
        band_low=strategy.band_low,
        band_high=strategy.band_high,
        target=strategy.target,
        assumptions=(
            f"Everybody starts with {scenario.capital:f} {market.quote.symbol}, "
            f"{(strategy.target * 100).normalize():f} % of it in {market.base.symbol}, in a world "
            "of its own.",
            *assumed(scenario),
            *sentences(contestants, scenario),
        ),
    )


def _history(scenario: Scenario, rows: Sequence[Row]) -> str:
    days = rows[0].figures.days
    return f"{scenario.source}, {days:.1f} days"
