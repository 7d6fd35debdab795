"""What a result depends on: what the pool pays its liquidity, and what gas costs.

The pay ratio is other people's fees over what arbitrage costs liquidity
(``sim/agents/pay_ratio.py``). It is assumed, and decides more than any setting, so each result is
shown at three: the same history, seed and decisions' code, in a pool whose other liquidity is sized
to each. These are runs of their own. Gas is scaled instead: the same decisions, with what they paid
for gas times a factor; the runs would decide a little less often where it is dear, so the dear end
is no better than shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from dexmm.backtest.event_world import EventScenario, run_scenario
from dexmm.backtest.run import Backtest, Scenario
from dexmm.backtest.workers import Progress, Watch, run_jobs
from dexmm.history.packed_candles import packed
from dexmm.performance.metrics import Figures
from dexmm.performance.number_format import places_of
from dexmm.units import PRICE, bp

PAY_RATIOS = (Decimal("0.7"), Decimal(1), Decimal("1.4"))
GAS_TIMES = (("a third", Decimal(1) / 3), ("as assumed", Decimal(1)), ("three times", Decimal(3)))
ALONE = 20_000  # candles: for fewer, starting processes takes longer than they save


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRatio:
    """A run at a pay ratio; money in quote."""

    pay_ratio: Decimal
    net: Decimal  # against holding, after every cost
    net_bp: Decimal  # of the start
    fees: Decimal
    liquidity_share: Decimal  # ours of what is in range, mean over time, 0 to 1
    against_rebalanced: Decimal  # net, were it held against the inventory kept at its target
    skill: Decimal  # fees less what arbitrage took, gas and trading costs


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGas:
    """The same decisions with gas at another price."""

    gas: str  # of what was assumed: "a third", ...
    net: Decimal
    net_bp: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """``ratios`` is empty where the flow was recorded: nobody can be asked to trade more."""

    ratios: tuple[AtRatio, ...]
    gas: tuple[AtGas, ...]


def sensitivity(
    scenario: Scenario,
    found: Backtest,
    *,
    ratios: Sequence[Decimal] = PAY_RATIOS,
    workers: int = 1,
    progress: Progress | None = None,
) -> Sensitivity:
    """``found`` is the scenario's own run. Raises ``Transient`` when a process dies."""
    runs: tuple[AtRatio, ...] = ()
    if not isinstance(scenario, EventScenario):
        runs = at_ratios(scenario, found, ratios=ratios, workers=workers, progress=progress)
    return Sensitivity(ratios=runs, gas=at_gas(found.figures))


def at_ratios(
    scenario: Scenario,
    found: Backtest | None = None,
    *,
    ratios: Sequence[Decimal] = PAY_RATIOS,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[AtRatio, ...]:
    """One run for each of ``ratios``, and for the scenario's own; ``found`` is of that one."""
    known = {} if found is None else {scenario.pay_ratio: _at(scenario.pay_ratio, found)}
    asked = sorted({*ratios, scenario.pay_ratio} - known.keys())
    if len(packed(scenario.path)) < ALONE:
        workers = 1
    runs = run_jobs(_play, scenario, asked, workers=workers, progress=progress)
    known |= {run.pay_ratio: run for run in runs}
    return tuple(known[ratio] for ratio in sorted(known))


def at_gas(figures: Figures) -> tuple[AtGas, ...]:
    """Net at each of ``GAS_TIMES``."""
    with localcontext(PRICE):
        nets = [(name, figures.net + figures.gas * (times - 1)) for name, times in GAS_TIMES]
    return tuple(AtGas(gas=name, net=net, net_bp=bp(net, figures.start)) for name, net in nets)


def sentences(found: Sensitivity, quote: str) -> Sequence[tuple[str, str]]:
    """Each as what it is at, and what comes of it, for people."""
    places = places_of(quote)
    return (
        *(
            (
                f"pay ratio {run.pay_ratio:f}",
                f"{run.net:+,.{places}f} {quote} ({run.net_bp:+.1f} bp), "
                f"{run.fees:,.{places}f} of fees with "
                f"{run.liquidity_share * 100:.2f} % of the liquidity in range",
            )
            for run in found.ratios
        ),
        *(
            (f"gas {run.gas}", f"{run.net:+,.{places}f} {quote} ({run.net_bp:+.1f} bp)")
            for run in found.gas
        ),
    )


def _play(scenario: Scenario, ratio: Decimal, watch: Watch) -> AtRatio:
    return _at(ratio, run_scenario(replace(scenario, pay_ratio=ratio), watch))


def _at(ratio: Decimal, found: Backtest) -> AtRatio:
    return at_ratio(ratio, found.figures)


def at_ratio(ratio: Decimal, figures: Figures) -> AtRatio:
    """What a run at this ratio came to."""
    return AtRatio(
        pay_ratio=ratio,
        net=figures.net,
        net_bp=figures.net_bp,
        fees=figures.fees,
        liquidity_share=figures.liquidity_share or Decimal(0),
        against_rebalanced=figures.against_rebalanced,
        skill=figures.skill or Decimal(0),
    )
