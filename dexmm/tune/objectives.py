"""What a search looks for: figures of a run as metrics, objectives and constraints over them. Pure.

A metric is a figure made comparable between runs of different length: what adds up with time is
given a day, what is an extreme stays one. So the score of two weeks that nobody searched can stand
beside that of the two months that were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Literal

from dexmm.performance.metrics import Figures
from dexmm.units import PRICE, bp

ZERO, ONE = Decimal(0), Decimal(1)

Together = Literal["mean", "highest", "lowest"]
Metrics = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a run. ``least`` and ``most`` are what it can be at all."""

    name: str
    meaning: str
    unit: str
    higher_is_better: bool
    of: Callable[[Figures], Decimal]
    together: Together = "mean"  # several stretches as one: by days, or the extreme
    least: Decimal | None = ZERO
    most: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    metric: str
    maximise: bool

    def better(self, value: Decimal) -> Decimal:
        """The value with its sign turned so that more is better."""
        return value if self.maximise else -value

    def __str__(self) -> str:
        return f"{'maximise' if self.maximise else 'minimise'} {self.metric}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A metric bounded on one side, the bound included."""

    metric: str
    at_least: bool
    bound: Decimal

    def violation(self, value: Decimal) -> Decimal:
        """How far ``value`` is beyond the bound, in parts of the bound; zero or less is within."""
        beyond = self.bound - value if self.at_least else value - self.bound
        return PRICE.divide(beyond, abs(self.bound) or ONE)

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.bound:f}"


def _a_day(amount: Decimal, days: Decimal) -> Decimal:
    return amount / days if days else ZERO


def _bp_a_day(amount: Decimal, run: Figures) -> Decimal:
    return _a_day(bp(amount, run.start), run.days) if run.start else ZERO


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="net_bp_per_day",
            meaning="net against holding, after every cost",
            unit="bp a day",
            higher_is_better=True,
            of=lambda run: _bp_a_day(run.net, run),
            least=None,
        ),
        Metric(
            name="rebalanced_bp_per_day",
            meaning="net against the inventory rebalanced to its target, after every cost",
            unit="bp a day",
            higher_is_better=True,
            of=lambda run: _bp_a_day(run.against_rebalanced, run),
            least=None,
        ),
        Metric(
            name="skill_bp_per_day",
            meaning="fees less what arbitrage took, gas and trading costs",
            unit="bp a day",
            higher_is_better=True,
            of=lambda run: _bp_a_day(run.skill or ZERO, run),
            least=None,
        ),
        Metric(
            name="fees_bp_per_day",
            meaning="fees earned in the pool",
            unit="bp a day",
            higher_is_better=True,
            of=lambda run: _bp_a_day(run.fees, run),
        ),
        Metric(
            name="lvr_bp_per_day",
            meaning="what arbitrage took",
            unit="bp a day",
            higher_is_better=False,
            of=lambda run: _bp_a_day(-run.loss_versus_rebalancing, run),
            least=None,
        ),
        Metric(
            name="gas_bp_per_day",
            meaning="gas paid",
            unit="bp a day",
            higher_is_better=False,
            of=lambda run: _bp_a_day(-run.gas, run),
        ),
        Metric(
            name="max_drawdown_bp",
            meaning="deepest fall of net worth below its peak",
            unit="bp",
            higher_is_better=False,
            of=lambda run: run.max_drawdown_bp,
            together="highest",
        ),
        Metric(
            name="max_drawdown_hold_bp",
            meaning="deepest fall of net worth against holding below its best",
            unit="bp",
            higher_is_better=False,
            of=lambda run: run.max_drawdown_hold_bp,
            together="highest",
        ),
        Metric(
            name="time_in_band",
            meaning="share of the time with the inventory in its band",
            unit="0 to 1",
            higher_is_better=True,
            of=lambda run: run.time_in_band,
            most=ONE,
        ),
        Metric(
            name="time_in_range",
            meaning="share of the time with a range around the price",
            unit="0 to 1",
            higher_is_better=True,
            of=lambda run: run.time_in_range,
            most=ONE,
        ),
        Metric(
            name="deployed",
            meaning="mean share of net worth in ranges",
            unit="0 to 1",
            higher_is_better=True,
            of=lambda run: run.deployed,
        ),
        Metric(
            name="liquidity_share",
            meaning="mean share of the pool's liquidity in range that was ours",
            unit="0 to 1",
            higher_is_better=False,
            of=lambda run: run.liquidity_share or ZERO,
            most=ONE,
        ),
        Metric(
            name="share_high",
            meaning="highest share of base",
            unit="0 to 1",
            higher_is_better=False,
            of=lambda run: run.share_high,
            together="highest",
            most=ONE,
        ),
        Metric(
            name="share_low",
            meaning="lowest share of base",
            unit="0 to 1",
            higher_is_better=True,
            of=lambda run: run.share_low,
            together="lowest",
            most=ONE,
        ),
        Metric(
            name="reranges_per_day",
            meaning="how often ranges were moved",
            unit="a day",
            higher_is_better=False,
            of=lambda run: _a_day(Decimal(run.reranges), run.days),
        ),
        Metric(
            name="turnover_per_day",
            meaning="traded by our own actions, in parts of the capital",
            unit="a day",
            higher_is_better=False,
            of=lambda run: _a_day(run.turnover / run.start, run.days) if run.start else ZERO,
        ),
        Metric(
            name="capital_efficiency_bp",
            meaning="fees a day per quote deployed",
            unit="bp a day",
            higher_is_better=True,
            of=lambda run: run.capital_efficiency_bp,
        ),
    )
}


# What a search is scored by, in plain names; the first is what it is unless said.
SCORES = {
    "rebalanced": "rebalanced_bp_per_day",
    "holding": "net_bp_per_day",
    "skill": "skill_bp_per_day",
}


def measure(run: Figures) -> dict[str, Decimal]:
    """Every metric of one run, to 50 significant digits."""
    with localcontext(PRICE):
        return {name: +metric.of(run) for name, metric in METRICS.items()}


def together(parts: Sequence[tuple[Decimal, Metrics]]) -> dict[str, Decimal]:
    """Several runs as one, each given with its days: rates by days, extremes as they are.

    ``parts`` is not empty.
    """
    with localcontext(PRICE):
        return {name: _joined(metric, parts) for name, metric in METRICS.items()}


def _joined(metric: Metric, parts: Sequence[tuple[Decimal, Metrics]]) -> Decimal:
    values = [values[metric.name] for _, values in parts]
    if metric.together != "mean":
        return max(values) if metric.together == "highest" else min(values)
    days = sum((days for days, _ in parts), ZERO)
    weighted = sum((days * values[metric.name] for days, values in parts), ZERO)
    return weighted / days if days else sum(values, ZERO) / len(values)
