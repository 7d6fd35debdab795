"""Whether the market pays, in plain sentences: from what it is like, and from what came out. Pure.

Before a run the judge (``strategy/rebalance/feasibility.py``) says what a range costs a day (gas,
and what arbitrage takes) and what a day's volume would bring it. Income is proportional to volume,
so

    break-even volume = volume * (gas + arbitrage) / income

After a run the best row says how much more its fees would have had to be, everything else the
same: ``-net`` over the days, at the same income for each unit of volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.backtest.compare.columns import Money
from dexmm.backtest.compare.rows import Kind, Row, ranked
from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.strategy.rebalance.feasibility import MarketFacts, judge

ZERO = Decimal(0)
PROBE = Decimal(1_000_000)  # a volume to measure the income of one unit with


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a day costs a range of the configured strategy, and brings it. In quote."""

    strategy: str
    symbol: str
    volume: Decimal | None  # of other people, a day; None when nobody knows
    gas: Decimal
    arbitrage: Decimal
    income: Decimal | None
    income_per_volume: Decimal  # fees for each unit traded in the pool
    break_even_volume: Decimal | None  # None where no liquidity would be deployed

    @property
    def needed(self) -> Decimal:
        return self.gas + self.arbitrage


@precise
def worth(config: Config, facts: MarketFacts) -> Worth:
    """The judge's expectation for ``config`` in this market, and the volume that would pay it."""
    probed = judge(config, replace(facts, volume_per_day=PROBE))
    gas, arbitrage = probed.gas_per_day or ZERO, probed.arbitrage_per_day or ZERO
    each = (probed.income_per_day or ZERO) / PROBE
    volume = facts.volume_per_day
    return Worth(
        strategy=config.strategy.name,
        symbol=facts.market.quote.symbol,
        volume=volume,
        gas=gas,
        arbitrage=arbitrage,
        income=None if volume is None else volume * each,
        income_per_volume=each,
        break_even_volume=(gas + arbitrage) / each if each else None,
    )


@precise
def verdict(rows: Sequence[Row], found: Worth | None) -> tuple[str, ...]:
    """The verdict first, then what it would take."""
    sums = Money.of(found.symbol if found is not None else "")
    told = [_outcome(rows, sums), _luck(rows, sums), _gas(rows), *_halts(rows)]
    if found is not None:
        told += [_expected(found, sums), _missing(rows, found, sums)]
    return tuple(filter(None, (*told, _against_rebalanced(rows, sums))))


def cannot_pay(rows: Sequence[Row]) -> bool:
    """Nobody who put liquidity into the pool got back its gas, or ended above holding."""
    return not any(_paid(row) for row in rows if row.kind is not Kind.HOLDING)


def pays(rows: Sequence[Row], strategy: str) -> bool:
    """Whether the configured strategy got back its gas and ended above holding."""
    return any(_paid(row) for row in rows if row.name == strategy)


def _paid(row: Row) -> bool:
    return row.pays_gas is not False and row.figures.net > 0


def _outcome(rows: Sequence[Row], sums: Money) -> str:
    makers = [row for row in ranked(rows) if row.kind is not Kind.HOLDING]
    if not makers:
        return ""
    above = [row for row in makers if row.figures.net > 0]
    top = makers[0]
    if not above:
        return (
            "This market did not pay: every way of providing liquidity ended at or below plain "
            f"holding. The least bad, {top.name}, made {sums.said(top.figures.net)} against it."
        )
    also = ", after its gas" if top.figures.gas else ""
    return (
        f"{len(above)} of {len(makers)} ways of providing liquidity ended above plain holding; "
        f"the best, {top.name}, by {sums.said(top.figures.net)} "
        f"({top.figures.net_bp:+.1f} bp){also}."
    )


def _against_rebalanced(rows: Sequence[Row], sums: Money) -> str:
    """Beside holding: a trend is no part of this."""
    makers = [row for row in rows if row.kind is not Kind.HOLDING]
    if not makers or all(row.figures.rebalanced is None for row in makers):
        return ""
    above = [row for row in makers if row.figures.against_rebalanced > 0]
    top = max(makers, key=lambda row: row.figures.against_rebalanced).figures
    return (
        f"Against the inventory rebalanced to its target {len(above)} of {len(makers)} ended "
        f"above; the best, {top.name}, made {sums.said(top.against_rebalanced)} "
        f"({top.against_rebalanced_bp:+.1f} bp) against it."
    )


def _luck(rows: Sequence[Row], sums: Money) -> str:
    """What of the best row's net depends on where this history happened to end."""
    makers = [row for row in ranked(rows) if row.kind is not Kind.HOLDING]
    if not makers:
        return ""
    f = makers[0].figures
    steady = f.fees + f.loss_versus_rebalancing + f.gas if f.skill is None else f.skill
    if steady == f.net:
        return ""
    traded = any((f.swap_cost, f.hedge, f.quoting, f.exchange_fees, f.funding))
    costs = "took, gas and trading costs" if traded else "took and gas"
    return (
        f"Of what {f.name} made, {sums.said(steady)} is fees less what arbitrage {costs}; "
        f"the other {sums.said(f.net - steady)} is where the price happened to go."
    )


def _halts(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.name} halted itself: {row.figures.halted}." for row in rows if row.figures.halted
    ]


def _gas(rows: Sequence[Row]) -> str:
    spenders = [row for row in ranked(rows) if row.pays_gas is not None]
    short = [row.name for row in spenders if row.pays_gas is False]
    if not spenders:
        return "Nobody spent any gas."
    if not short:
        return "Every row that spent gas earned more in fees than its gas."
    if len(short) == len(spenders):
        return "This market cannot pay its gas: every row spent more on gas than it earned in fees."
    return f"Gas cost more than the fees brought for {_listed(short)}."


def _expected(found: Worth, sums: Money) -> str:
    cost = (
        f"A range of {found.strategy} is expected to cost {sums.plain(found.needed)} "
        f"{found.symbol} a day ({sums.plain(found.gas)} gas, {sums.plain(found.arbitrage)} taken "
        "by arbitrage)"
    )
    if found.break_even_volume is None:
        return ""
    bar = f"other people must trade {sums.large(found.break_even_volume)} {found.symbol} a day"
    if found.volume is None or found.income is None:
        return f"{cost}; for fees to pay that, {bar}."
    return (
        f"{cost}; for fees to pay that, {bar}, and the flow assumed here is "
        f"{sums.large(found.volume)} a day, worth {sums.plain(found.income)} of fees."
    )


def _missing(rows: Sequence[Row], found: Worth, sums: Money) -> str:
    """What the configured strategy lacked in this run, in volume."""
    own = next((row for row in rows if row.name == found.strategy), None)
    if own is None or own.figures.net >= 0 or not own.figures.days or not found.income_per_volume:
        return ""
    short = -own.figures.net / own.figures.days
    more = short / found.income_per_volume
    return (
        f"In this run {own.name} lacked {sums.plain(short)} {found.symbol} a day to end level "
        f"with holding: about {sums.large(more)} {found.symbol} a day more of others' trades."
    )


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
