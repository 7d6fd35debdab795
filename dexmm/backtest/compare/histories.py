"""Several histories and pay ratios together: which way of making a market wins in most. Pure.

A history at a pay ratio is one cell. A way wins a cell where it ends above the rebalanced inventory
(its target kept at market cost), so that a trend makes nobody a winner. A way is recommended only
where it wins in most cells of enough days, and has skill in most as well: the price went the same
way at every pay ratio, and who was lucky with it in one was so in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.backtest.compare.compare import Comparison
from dexmm.backtest.compare.rows import Kind, Row
from dexmm.performance.metrics import Figures
from dexmm.units import PRICE, bp

LEAST_DAYS = 14  # of history in all: less says nothing about a market maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """One way over all cells; the means are of basis points of the start, each cell alike."""

    name: str
    cells: int
    above_rebalanced: int
    above_holding: int
    skilled: int  # cells with skill above zero
    against_rebalanced_bp: Decimal
    against_holding_bp: Decimal
    skill_bp: Decimal
    liquidity_share: Decimal  # ours of what is in range, 0 to 1

    @property
    def wins_in_most(self) -> bool:
        return 2 * self.above_rebalanced > self.cells and 2 * self.skilled > self.cells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    against_rebalanced: Decimal
    net: Decimal
    skill: Decimal
    start: Decimal
    share: Decimal


def across(found: Sequence[Comparison]) -> tuple[Across, ...]:
    """Who provides liquidity, the highest mean against the rebalanced inventory first."""
    ways: dict[str, list[_Cell]] = {}
    for comparison in found:
        for row in comparison.rows:
            if row.kind is not Kind.HOLDING:
                ways.setdefault(row.name, []).extend(_cells(row))
    all_of_them = [_across(name, cells) for name, cells in ways.items()]
    return tuple(sorted(all_of_them, key=lambda way: -way.against_rebalanced_bp))


def _cells(row: Row) -> Iterator[_Cell]:
    start = row.figures.start
    if not row.ratios:
        yield _of(row.figures)
    for at in row.ratios:
        yield _Cell(
            against_rebalanced=at.against_rebalanced,
            net=at.net,
            skill=at.skill,
            start=start,
            share=at.liquidity_share,
        )


def _of(figures: Figures) -> _Cell:
    return _Cell(
        against_rebalanced=figures.against_rebalanced,
        net=figures.net,
        skill=figures.skill or Decimal(0),
        start=figures.start,
        share=figures.liquidity_share or Decimal(0),
    )


def _across(name: str, cells: Sequence[_Cell]) -> Across:
    def mean(values: Sequence[Decimal]) -> Decimal:
        with localcontext(PRICE):
            return sum(values, Decimal(0)) / len(values)

    return Across(
        name=name,
        cells=len(cells),
        above_rebalanced=sum(cell.against_rebalanced > 0 for cell in cells),
        above_holding=sum(cell.net > 0 for cell in cells),
        skilled=sum(cell.skill > 0 for cell in cells),
        against_rebalanced_bp=mean([bp(cell.against_rebalanced, cell.start) for cell in cells]),
        against_holding_bp=mean([bp(cell.net, cell.start) for cell in cells]),
        skill_bp=mean([bp(cell.skill, cell.start) for cell in cells]),
        liquidity_share=mean([cell.share for cell in cells]),
    )


def recommended(found: Sequence[Comparison]) -> tuple[Across, ...]:
    """Those that win in most cells, the best first; none on too little evidence."""
    return () if _thin(found) else tuple(way for way in across(found) if way.wins_in_most)


def across_verdict(found: Sequence[Comparison]) -> tuple[str, ...]:
    """What may be concluded from all of them, in plain sentences."""
    ways = across(found)
    if not ways:
        return ("Nobody provided liquidity.",)
    if thin := _thin(found):
        return (thin,)
    winners = recommended(found)
    best = (winners or ways)[0]
    said = (
        f"{best.name} ended above the rebalanced inventory in {best.above_rebalanced} of "
        f"{best.cells} histories and pay ratios ({best.against_rebalanced_bp:+.1f} bp in the "
        f"mean) and above holding in {best.above_holding}, with skill above zero in {best.skilled}"
    )
    if winners:
        more = [way.name for way in winners[1:]]
        also = f"; in most won also {', '.join(more)}" if more else ""
        return (f"Worth trying: {said}{also}.",)
    return (
        "Nothing to recommend: no way of providing liquidity ended above the rebalanced inventory "
        "and had skill in most histories and pay ratios (without skill it was the price). The "
        f"nearest, {said}.",
    )


def _thin(found: Sequence[Comparison]) -> str:
    # A history of whole days lacks the turn before its first: it counts as it is told.
    days = round(sum((c.rows[0].figures.days for c in found), Decimal(0)), 1)
    if days >= LEAST_DAYS:
        return ""
    return (
        f"Too little to recommend anything: {days:.1f} days of history in all, and at least "
        f"{LEAST_DAYS} say something."
    )
