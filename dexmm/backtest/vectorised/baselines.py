"""Baselines over a whole history in milliseconds: what others do, without simulating a chain.

    static      a symmetric range around the first turn's price, never moved
    full_range  the same over every price, as a constant-product pool (v2) would
    recentre    a symmetric range, placed anew around the price after ``dwell_seconds`` beyond it
    passive     the same, and what it leaves over waits on its own side (the vaults' rule)
    hold        nothing at all
    rebalanced  no liquidity: base is traded back to the target share at the fair price, at a
                stated cost, whenever the share is more than ``step`` off it; at every turn for 0

A turn is taken at the close of each candle, and one more look at the end. Ranges are those of
``strategy/strategies``, with what a removal is sure to pay in the corridor of ``slippage_bp``.
Triggers are the edge's alone: no guard, no gate, no age, and gas at one price for all actions.
A range that would be dust is not placed; where nothing is placed, nothing is tried again.

What it is worth. The same rules on the exact pool, with arbitrage alone, end with the same
re-ranges, and all money within

- ``FLOAT_ERROR`` of net worth: floats, and liquidity that is not whole, and
- ``UNITS_PER_SWAP`` smallest units for each swap: the pool rounds up what it takes, and down what
  the protocol takes of it, so fees are never less there.

So do the live ``recentre`` and ``passive`` while nothing holds them back, apart from gas (theirs
has a walking price) and until they keep edges that are near or add to a position that stays.

With noise trades the pool's liquidity is taken as constant: that of others around the first
price, and ours as placed at first. Fees are then within ``NOISE_ERROR`` of themselves for ranges
that the price does not leave, and within ``NOISE_ERROR_MOVED`` for others: where our liquidity is
a good part of a thin pool's, its depth changes with what we do, and here it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np

from dexmm.backtest.vectorised.accumulator import Tally, figures_of
from dexmm.backtest.vectorised.noise import NoisyPaths, noise_of, noisy_paths
from dexmm.backtest.vectorised.price_path import Bars, PoolPath, pool_path
from dexmm.backtest.vectorised.ranges import (
    Grid,
    Held,
    Lies,
    Spread,
    beside,
    outer_edges,
    rungs_of,
    waiting,
)
from dexmm.backtest.vectorised.rebalanced import Rebalancer
from dexmm.backtest.vectorised.stretch import Pair, Rates, added, first_beyond, pass_turns
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath, packed
from dexmm.model.market import Market
from dexmm.performance.metrics import Figures
from dexmm.sim.agents.base_fee import MEAN_GWEI
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.price_process import PricePath
from dexmm.sim.agents.traders import ETHER_PRICE
from dexmm.strategy.rebalance.gas_economics import GAS_APPROVAL, GAS_BASE, GAS_BURN, GAS_MINT

FLOAT_ERROR = 1e-10
UNITS_PER_SWAP = 2
NOISE_ERROR = 0.01
NOISE_ERROR_MOVED = 0.25
BP = 10_000


class Rule(StrEnum):
    STATIC = "static"
    FULL_RANGE = "full_range"
    RECENTRE = "recentre"
    PASSIVE = "passive"
    HOLD = "hold"
    REBALANCED = "rebalanced"


MOVING = {Rule.RECENTRE, Rule.PASSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One configuration. Money in quote; ``edge_bp`` is of log price, from price to edge."""

    rule: Rule
    name: str = ""  # empty: the rule's
    edge_bp: Decimal = Decimal(400)
    dwell_seconds: int = 900
    step: Decimal = Decimal(0)  # rebalanced: how far the share may stray
    trade_cost_bp: Decimal = Decimal(6)  # rebalanced: of what is traded
    capital: Decimal = Decimal(50_000)  # at the target share
    target: Decimal = Decimal("0.35")
    band_low: Decimal = Decimal("0.20")
    band_high: Decimal = Decimal("0.50")
    fee_protocol: int = 68  # as the pool stores it: token0's denominator in the low four bits
    gas_gwei: Decimal = MEAN_GWEI  # base fee and tip
    eth_price: Decimal = ETHER_PRICE
    slippage_bp: Decimal = Decimal(50)
    min_position_quote: Decimal = Decimal(20)


def baseline_figures(
    path: PricePath | PackedPath,
    market: Market,
    baseline: Baseline,
    *,
    flow: str = "none",
    seed: int = 1,
    pool_liquidity: int | None = None,
) -> Figures:
    """One baseline over a history; for many, make the ``PoolPath`` once and ``run`` each.

    ``flow`` is one of ``sim.flow.FLOWS`` with the liquidity of others that it meets, or "none".
    Raises ``BadInput`` for a history of fewer than two candles or numbers that mean nothing.
    """
    shared = prepared(path, market, flow, seed, pool_liquidity)
    return run(shared, baseline) if isinstance(shared, PoolPath) else noisy_run(shared, baseline)


def prepared(
    path: PricePath | PackedPath,
    market: Market,
    flow: str,
    seed: int,
    pool_liquidity: int | None,
) -> PoolPath | NoisyPaths:
    """What all baselines over a history share: one path, or one for any liquidity of ours where
    other people trade. Raises ``BadInput``."""
    if flow != "none" and flow not in FLOWS:
        raise BadInput(f"there is no flow {flow!r}: choose none, {', '.join(sorted(FLOWS))}")
    _require_two(len(packed(path)), path.source)
    if flow == "none":
        return pool_path(Bars.of(path, seed), market)
    if not pool_liquidity or pool_liquidity < 0:
        raise BadInput(f"the flow {flow!r} needs the liquidity of others, above 0, that it meets")
    bars = Bars.of(path, seed)
    return noisy_paths(bars, market, noise_of(FLOWS[flow], seed, bars, pool_liquidity))


def noisy_run(paths: NoisyPaths, baseline: Baseline) -> Figures:
    """With trades of other people, which our liquidity, as it is placed at first, dampens."""
    opening = _Player(paths.before, _sound(baseline))
    return run(paths.path(opening.liquidity_placed()), baseline)


def run(path: PoolPath, baseline: Baseline) -> Figures:
    """One baseline over a pool's path. Raises ``BadInput``."""
    _require_two(len(path), path.source)
    player = _Player(path, _sound(baseline))
    if baseline.rule is Rule.REBALANCED:
        player.rebalance()
    else:
        player.play()
    return figures_of(player.tally, path, baseline.name or baseline.rule.value)


def _require_two(candles: int, source: str) -> None:
    if candles < 2:
        raise BadInput(f"{source} holds fewer than two candles: there is nothing to backtest")


def _sound(baseline: Baseline) -> Baseline:
    """Refuse what would divide by zero or mean nothing."""
    wrong = {
        "capital": baseline.capital <= 0,
        "target": not 0 < baseline.target < 1,
        "edge_bp": not 0 < baseline.edge_bp < BP,
        "dwell_seconds": baseline.dwell_seconds < 0,
        "step": not 0 <= baseline.step < min(baseline.target, 1 - baseline.target),
        "trade_cost_bp": not 0 <= baseline.trade_cost_bp < BP,
        "slippage_bp": not 0 <= baseline.slippage_bp < BP,
        "gas_gwei": baseline.gas_gwei < 0,
        "eth_price": baseline.eth_price < 0,
        "fee_protocol": any(
            part and not 4 <= part <= 10 for part in divmod(baseline.fee_protocol, 16)
        ),
    }
    for field, bad in wrong.items():
        if bad:
            raise BadInput(f"a baseline cannot have {field} {getattr(baseline, field)}")
    return baseline


class _Player:
    """Holds the inventory of one baseline while it goes through a path."""

    def __init__(self, path: PoolPath, baseline: Baseline) -> None:
        self.path = path
        self.baseline = baseline
        self.grid = Grid.of(path.market)
        self.rates = Rates.of(path.market, baseline.fee_protocol)
        self.one = 10.0**path.market.quote.decimals
        self.rungs = rungs_of(float(baseline.edge_bp))
        self.running = -(-baseline.dwell_seconds // path.interval_seconds) + 1
        value, share = float(baseline.capital) * self.one, float(baseline.target)
        self.idle = (value * share / path.opening, value * (1 - share))
        self.held: tuple[Held, ...] = ()
        self.fees: list[Pair] = []  # of each of ``held``, not collected yet
        band = (float(baseline.band_low), float(baseline.band_high))
        self.tally = Tally(*self.idle, *band, spans=len(path) - 1)

    def liquidity_placed(self) -> float:
        """Around the price of the first turn."""
        self._place(0)
        return sum(one.liquidity for one in self.held if one.lies is Lies.AROUND)

    def play(self) -> None:
        """Every turn, and the last look."""
        last = len(self.path)
        self._see_idle(0, 1)
        turn = 0
        self._place(turn)
        while (due := self._due(turn + 1)) is not None:
            self._pass(turn + 1, due + 1)
            turn = due
            self._place(turn)
        self._pass(turn + 1, last)
        self._look_again()

    def _due(self, first: int) -> int | None:
        """The next turn at which something is to be done."""
        if self.baseline.rule not in MOVING or not self.held:
            return None
        edges = outer_edges(self.grid, self.held)
        turns = (first, len(self.path))
        return first_beyond(self.path.roots, turns, (edges.low, edges.high), self.running)

    def _pass(self, first: int, last: int) -> None:
        if first >= last:
            return
        turns = (first, last)
        self.fees = pass_turns(self.path, turns, self.held, self.idle, self.rates, self.tally)

    def _look_again(self) -> None:
        """After the last turn's action."""
        last = len(self.path) - 1
        more = added(self._principal(self.path.root(last)), *self.fees)
        self._see_idle(last, last + 1, more)

    def _see_idle(self, first: int, last: int, more: Pair = (0.0, 0.0)) -> None:
        fair = self.path.fair[first:last]
        base, quote = self.idle[0] + more[0], self.idle[1] + more[1]
        self.tally.see(fair, np.full(len(fair), base), np.full(len(fair), quote))

    def _principal(self, s: float) -> Pair:
        base = quote = 0.0
        for held in self.held:
            each = held.spread.amounts(s)
            base, quote = base + each[0] * held.liquidity, quote + each[1] * held.liquidity
        return base, quote

    def _place(self, turn: int) -> None:
        """Take out what is held, collect, and put in what the rule wants now."""
        s, before = self.path.root(turn), self.held
        all_of_it = added(self.idle, self._principal(s), *self.fees)
        self.held = self._wanted(s)
        cost = self._principal(s)
        self.idle = (all_of_it[0] - cost[0], all_of_it[1] - cost[1])
        self.fees = []
        self.tally.gas += self._gas(len(before), len(self.held))
        self.tally.reranges += bool(before and self.held)

    def _wanted(self, s: float) -> tuple[Held, ...]:
        """The rule's ranges for what is deployable, without dust."""
        rule, grid = self.baseline.rule, self.grid
        if rule in {Rule.HOLD, Rule.REBALANCED}:
            return ()
        full = rule is Rule.FULL_RANGE
        around = grid.everything() if full else grid.around(s, self.rungs)
        spare = beside(grid, s, around) if rule is Rule.PASSIVE else ()
        base, quote = self._deployable(s, {around, *(spread for spread, _ in spare)})
        both = around.affordable(s, base, quote)
        found = [Held(around, both, Lies.AROUND)]
        base_each, quote_each = around.amounts(s)
        left = (base - both * base_each, quote - both * quote_each)
        found += [waiting(spread, lies, s, *left) for spread, lies in spare]
        least = float(self.baseline.min_position_quote) * self.one
        return tuple(one for one in found if one.spread.value(s, one.liquidity) >= least)

    def _deployable(self, s: float, staying: set[Spread]) -> Pair:
        """The wallet, and what removals are sure to pay; a range that stays counts in full."""
        slippage = float(self.baseline.slippage_bp) / BP
        found = [self.idle]
        for one, fees in zip(self.held, self.fees, strict=True):
            if one.spread in staying:
                found.append(one.least(s, 0.0))
            else:
                found += [one.least(s, slippage), fees]
        return added(*found)

    def _gas(self, burns: int, mints: int) -> float:
        """In quote, as the economic gate reckons it (``strategy/rebalance/gas_economics.py``)."""
        if not burns and not mints:
            return 0.0
        gas = GAS_BASE + burns * GAS_BURN + mints * GAS_MINT + (2 * GAS_APPROVAL if mints else 0)
        price = float(self.baseline.gas_gwei) * float(self.baseline.eth_price)
        return gas * price * 1e-9 * self.one

    def rebalance(self) -> None:
        """Every turn, and the last look."""
        trader = Rebalancer(
            self.path,
            self.idle,
            self.tally,
            target=float(self.baseline.target),
            cost=float(self.baseline.trade_cost_bp) / BP,
            step=float(self.baseline.step),
        )
        self.idle = trader.play()
        self._look_again()
