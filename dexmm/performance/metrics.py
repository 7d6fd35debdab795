"""What a track amounts to: the row it has in a comparison. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from dexmm.performance.attribution import Attribution, Source, attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.rebalanced import Rebalancing, rebalanced_net
from dexmm.performance.track.track import Track, TrackPoint
from dexmm.units import EXACT, PRICE, bp

ZERO = Decimal(0)
_NO_SKILL = (Source.CAPITAL, Source.UNEXPLAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Money in quote; shares of time and of value 0 to 1; losses negative."""

    name: str
    days: Decimal
    turns: int
    start: Decimal  # net worth
    end: Decimal
    net: Decimal  # against holding, after every cost
    net_bp: Decimal  # of the start
    holding: Decimal  # what holding gained
    fees: Decimal
    divergence: Decimal
    loss_versus_rebalancing: Decimal
    gas: Decimal
    swap_cost: Decimal
    hedge: Decimal  # profit and cost together
    quoting: Decimal
    exchange_fees: Decimal
    funding: Decimal
    turnover: Decimal  # traded by our own actions, swaps of others in our liquidity aside
    time_in_band: Decimal
    time_in_range: Decimal
    share_low: Decimal
    share_mean: Decimal
    share_high: Decimal
    max_drawdown_bp: Decimal  # of net worth below its peak
    max_drawdown_hold_bp: Decimal  # of net worth over holding, below its best
    reranges: int
    deployed: Decimal  # mean share of net worth in ranges
    capital_efficiency_bp: Decimal  # fees a day per quote deployed; 0 where nothing was
    halted: str
    # Fees less what arbitrage took, gas and what trading cost, each against the fair price of its
    # moment: where the price went is no part of it. None: not reckoned.
    skill: Decimal | None = None
    rebalanced: Decimal | None = None  # what the target share kept at market cost brought, as net
    liquidity_share: Decimal | None = None  # ours of what is in range, mean over time

    @property
    def against_rebalanced(self) -> Decimal:
        """Net, were it held against the rebalanced inventory; against holding where unknown."""
        return EXACT.subtract(self.net, self.rebalanced or ZERO)

    @property
    def against_rebalanced_bp(self) -> Decimal:
        return bp(self.against_rebalanced, self.start) if self.start else ZERO

    @property
    def skill_bp(self) -> Decimal:
        """Of the start; 0 where it was not reckoned."""
        return bp(self.skill or ZERO, self.start) if self.start else ZERO


def figures(track: Track) -> Figures:
    """``track`` holds at least one point."""
    with localcontext(PRICE):
        return _figures(track, attribute(track.marks))


def _figures(track: Track, found: Attribution) -> Figures:
    points = track.points
    spans = time_spans([point.at for point in points])
    days = Decimal(points[-1].at - points[0].at) / 86_400
    worth, holding = _undisturbed(track)
    against = [now / held for now, held in zip(worth, holding, strict=True) if held > 0]
    deployed = _mean([_deployed(point) for point in points], spans)
    fees = found.part(Source.FEES).total
    done = [action for action in track.actions if action.status == "mined"]
    return Figures(
        name=track.name,
        days=days,
        turns=len(points),
        start=found.start,
        end=found.end,
        net=found.against_holding,
        net_bp=bp(found.against_holding, found.start) if found.start else ZERO,
        holding=found.holding,
        fees=fees,
        divergence=found.divergence,
        loss_versus_rebalancing=found.loss_versus_rebalancing,
        gas=found.part(Source.GAS).total,
        swap_cost=found.part(Source.SWAP).total,
        hedge=found.part(Source.HEDGE).total + found.part(Source.TRIANGLE).total,
        quoting=found.part(Source.QUOTE).total,
        exchange_fees=found.part(Source.EXCHANGE_FEE).total,
        funding=found.part(Source.FUNDING).total,
        turnover=sum((action.turnover_quote for action in track.actions), ZERO),
        time_in_band=_mean(
            [Decimal(track.band_low <= p.share <= track.band_high) for p in points], spans
        ),
        time_in_range=_mean([Decimal(p.in_range) for p in points], spans),
        share_low=min(p.share for p in points),
        share_mean=_mean([p.share for p in points], spans),
        share_high=max(p.share for p in points),
        max_drawdown_bp=drawdown_bp(worth),
        max_drawdown_hold_bp=drawdown_bp(against),
        reranges=sum(action.kind == "rerange" for action in done),
        deployed=deployed / _mean(worth, spans) if any(worth) else ZERO,
        capital_efficiency_bp=bp(fees / days, deployed) if deployed and days else ZERO,
        halted=track.halted,
        skill=skill_of(found),
        rebalanced=rebalanced_net(
            track.marks, Rebalancing(target=track.target, cost=track.rebalancing_cost)
        ),
        liquidity_share=track.liquidity_share,
    )


def skill_of(found: Attribution) -> Decimal:
    """Every source's trades against the fair price of their moment, in quote; no deposits."""
    with localcontext(EXACT):
        return sum((part.edge for s, part in found.parts.items() if s not in _NO_SKILL), ZERO)


def time_spans(times: Sequence[int]) -> list[Decimal]:
    """How long each look counts: until the next one; the last as long as the one before it.

    A backtest looks when something may happen, and a loop that was down did not look at all.
    """
    spans = [Decimal(later - earlier) for earlier, later in pairwise(times)]
    spans.append(spans[-1] if spans else ZERO)
    return spans if any(spans) else [Decimal(1)] * len(times)


def _mean(values: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal:
    weighted = (value * weight for value, weight in zip(values, weights, strict=True))
    return sum(weighted, ZERO) / sum(weights, ZERO)


def drawdown_bp(values: Sequence[Decimal]) -> Decimal:
    """The deepest fall below the highest value before it, in basis points of that value."""
    deepest, peak = ZERO, None
    for value in values:
        peak = value if peak is None or value > peak else peak
        if peak > 0 and value < peak:
            deepest = max(deepest, bp(peak - value, peak))
    return deepest


def _undisturbed(track: Track) -> tuple[list[Decimal], list[Decimal]]:
    """Net worth and holding at every mark, deposits and withdrawals left aside in both.

    A withdrawal is no drawdown, and a deposit no recovery.
    """
    found = worths(track.marks)
    return [w.undisturbed for w in found], [w.holding - w.capital for w in found]


def _deployed(point: TrackPoint) -> Decimal:
    return sum((shown.value for shown in point.ranges), ZERO)
