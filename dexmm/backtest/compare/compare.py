"""Ways of making a market side by side: the same histories, the same costs and the same flow.

Every contestant has a world of its own, made from the same scenario, so that no result depends on
who else takes part or on how many processes share the work. Who provides liquidity is run at every
pay ratio; who only holds meets no pool, and is run once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.backtest.compare.contestants import FIELD, Contestant
from dexmm.backtest.compare.play import Entrant, play_entrant, sentences
from dexmm.backtest.compare.rows import Kind, Row
from dexmm.backtest.compare.verdict import Worth, verdict, worth
from dexmm.backtest.event_world import EventScenario, assumed
from dexmm.backtest.market_expectation import facts_of
from dexmm.backtest.run import Scenario
from dexmm.backtest.sensitivity import AtRatio, at_ratio
from dexmm.backtest.workers import Progress, Workers, run_jobs

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One history's. ``verdict`` and ``assumptions`` are sentences for people."""

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
    decided: str = ""  # which configuration decides


def compare(
    scenario: Scenario,
    contestants: Sequence[Contestant] = FIELD,
    *,
    ratios: Sequence[Decimal] = (),
    workers: int | Workers = WORKERS,
    progress: Progress | None = None,
) -> Comparison:
    """As ``compare_all`` over one history."""
    found = compare_all((scenario,), contestants, ratios=ratios, workers=workers, progress=progress)
    return found[0]


def compare_all(
    scenarios: Sequence[Scenario],
    contestants: Sequence[Contestant] = FIELD,
    *,
    ratios: Sequence[Decimal] = (),
    workers: int | Workers = WORKERS,
    progress: Progress | None = None,
) -> tuple[Comparison, ...]:
    """Everybody's row in every history, at the scenario's pay ratio and beside it at ``ratios``.

    Recorded histories have no pay ratio but their own. Raises ``BadInput`` for a history that is
    too short for anybody.
    """
    entrants = [
        Entrant(history=at, who=who, ratio=ratio)
        for at, scenario in enumerate(scenarios)
        for who in contestants
        for ratio in (None, *_others(scenario, who, ratios))
    ]
    results = run_jobs(play_entrant, tuple(scenarios), entrants, workers=workers, progress=progress)
    runs = list(zip(entrants, results, strict=True))
    return tuple(
        _comparison(scenario, contestants, [run for run in runs if run[0].history == at])
        for at, scenario in enumerate(scenarios)
    )


def _others(scenario: Scenario, who: Contestant, ratios: Sequence[Decimal]) -> tuple[Decimal, ...]:
    if isinstance(scenario, EventScenario) or who.kind is Kind.HOLDING:
        return ()
    return tuple(ratio for ratio in ratios if ratio != scenario.pay_ratio)


def _comparison(
    scenario: Scenario,
    contestants: Sequence[Contestant],
    runs: Sequence[tuple[Entrant, Row | AtRatio]],
) -> Comparison:
    rows = tuple(_row(scenario, who, runs) for who in contestants)
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
        decided=scenario.decided,
        assumptions=(
            f"Everybody starts with {_start(scenario)}, in a world of its own.",
            *assumed(scenario),
            *sentences(contestants, scenario),
        ),
    )


def _start(scenario: Scenario) -> str:
    market, start = scenario.market, scenario.start
    if start is not None:
        return f"{start.base:f} {market.base.symbol} and {start.quote:f} {market.quote.symbol}"
    return (
        f"{scenario.capital:f} {market.quote.symbol}, "
        f"{(scenario.config.strategy.target * 100).normalize():f} % of it in {market.base.symbol}"
    )


def _row(scenario: Scenario, who: Contestant, runs: Sequence[tuple[Entrant, Row | AtRatio]]) -> Row:
    own = [found for entrant, found in runs if entrant.who == who]
    row = next(found for found in own if isinstance(found, Row))
    if isinstance(scenario, EventScenario) or who.kind is Kind.HOLDING:
        return row
    beside = [found for found in own if isinstance(found, AtRatio)]
    at = [at_ratio(scenario.pay_ratio, row.figures), *beside]
    return replace(row, ratios=tuple(sorted(at, key=lambda found: found.pay_ratio)))


def _history(scenario: Scenario, rows: Sequence[Row]) -> str:
    days = rows[0].figures.days
    return f"{scenario.source}, {days:.1f} days"
