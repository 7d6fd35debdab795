"""``measured`` end to end in the exact simulator: what it earns where the rates are known, and what
somebody who pretends to be trade can cost it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from dexmm.backtest.run import (
    Scenario,
    complete,
    costs_of_arbitrage,
    liquidity_of_others,
    open_world,
    run_in,
)
from dexmm.backtest.scenario_config import newcomer
from dexmm.backtest.scenario_market import PAXG_USDT_MARKET
from dexmm.decimal_context import BP
from dexmm.performance.attribution import Source, attribute
from dexmm.performance.track.track import Track
from dexmm.sim.agents.price_process import generate
from dexmm.sim.agents.price_walk import walk_of
from dexmm.sim.candle_world import CandleWorld, Doze, Move
from dexmm.strategy.context import context
from dexmm.strategy.pay.measurement import Pay
from dexmm.strategy.pay.pool_pay import arbitrage_pays_back
from dexmm.strategy.ranges.range_edges import place
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies import STRATEGIES, Definition
from dexmm.strategy.ranges.strategies.budget import fill
from dexmm.strategy.ranges.strategies.measured import sized

DAYS = 45


def scenario(ratio: str, days: int = DAYS, **strategy: Any) -> Scenario:
    path = generate(5, days * 24, interval_seconds=3600)
    config = newcomer(PAXG_USDT_MARKET, path.candles[0].open, 3600)
    own = config.strategy.model_copy(update=strategy)
    return complete(
        Scenario(
            path=path,
            config=config.model_copy(update={"strategy": own}),
            market=PAXG_USDT_MARKET,
            pay_ratio=Decimal(ratio),
            gas_gwei=Decimal("0.2"),
        )
    )


def net(track: Track) -> Decimal:
    """Fees less what arbitrage took and gas, in quote."""
    found = attribute(track.marks)
    liquidity = found.part(Source.FEES).edge + found.loss_versus_rebalancing
    return liquidity + found.part(Source.GAS).total


@cache
def known_rates(ratio: str) -> Pay:
    """What the scenario's people pay and arbitrage takes at the fair price of each of its trades,
    added up over the whole path without us; of which it gives back what the theory says."""
    asked = scenario(ratio)
    world = open_world(asked)
    pool, market, start = world.chain.pool, asked.market, world.chain.timestamp
    taken, s = 0.0, 0.0
    world.take_moves()
    while world.advance():
        moves = [(sqrt / 2**96 * 1e6, fair) for sqrt, fair in world.take_moves()]
        for (before, _), (after, fair) in pairwise(moves):
            taken -= (after - before) + fair * (1 / after - 1 / before)
    seconds = world.chain.timestamp - start
    s = Decimal(pool.sqrt_price_x96) / 2**96
    grown = pool.fee_growth_global0_x128 * s * s + pool.fee_growth_global1_x128
    others, lost = Decimal(pool.liquidity), Decimal(repr(taken))
    # Both in smallest units of quote, of one unit of the pool's liquidity, a second.
    earned, lvr = grown / 2**128 / seconds, lost.scaleb(6 - 12) / seconds
    costs = costs_of_arbitrage(asked)
    back = arbitrage_pays_back(
        Decimal(market.fee_pips) / 1_000_000,
        (4 * lvr / s).sqrt(),
        Decimal(12),
        own_fee=Decimal(costs.exchange_fee_pips) / 1_000_000,
        transaction=costs.transaction.scaleb(6),
        liquidity=others,
        sqrt_price=s,
    ) * Decimal("0.75")
    return Pay(fees=(earned - back * lvr) * others, others=others, cost=lvr * (1 - back))


def fixed(asked: Scenario, part: str, width_bp: int, patch: pytest.MonkeyPatch) -> Decimal:
    """This part of the others' liquidity at this distance, moved where the price leaves it."""
    most = liquidity_of_others(asked, walk_of(asked.path, asked.seed)) * Decimal(part)
    away = width_bp / BP

    def shape(situation: Situation) -> tuple[Range, ...]:
        return sized(fill(situation, *place(situation, away, away)), most)

    strategy = asked.config.strategy.model_copy(
        update={
            "name": "budget",
            "economic_gate": False,
            "max_age_hours": Decimal(24 * 365),
            "regime_ratio": Decimal(1000),
        }
    )
    config = asked.config.model_copy(update={"strategy": strategy})
    patch.setitem(STRATEGIES, "budget", Definition(shape=shape, most_ranges=2, keeps_band=True))
    asked = replace(asked, config=config)
    return net(run_in(open_world(asked), asked).track)


def test_with_the_rates_known_no_fixed_liquidity_and_width_nets_a_tenth_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scenario("2", pay_measure_hours=Decimal(1))
    pay = known_rates("2")
    assert pay.ratio > Decimal("1.3")
    with monkeypatch.context() as patch:
        patch.setattr(context, "pay_of", lambda *_arguments: pay)
        ours = net(run_in(open_world(asked), asked).track)
    tried = {}
    for part in ("0.1", "0.25", "0.5"):
        for width_bp in (300, 800, 1500):
            with monkeypatch.context() as patch:
                tried[part, width_bp] = fixed(asked, part, width_bp, patch)
    best = max(tried.values())
    assert best > 0
    assert ours >= best * Decimal("0.9"), (ours, tried)


class Washed:
    """A world in which a stranger buys and sells the same base for some days, to look like trade.

    He buys exactly what he sells again: what he loses is fees alone.
    """

    def __init__(self, world: CandleWorld, begin: int, end: int, base: Decimal) -> None:
        self.world, self.chain = world, world.chain
        self.begin, self.end, self.base = begin, end, int(base.scaleb(18))
        self.paid = Decimal(0)

    @property
    def fair_price(self) -> Decimal:
        return self.world.fair_price

    @property
    def progress(self) -> tuple[int, int]:
        return self.world.progress

    def take_moves(self) -> list[Move]:
        return self.world.take_moves()

    def advance(self) -> bool:
        return self._washed(self.world.advance())

    def advance_to(self, doze: Doze) -> bool:
        return self._washed(self.world.advance())

    def _washed(self, moved: bool) -> bool:
        if moved and self.begin <= self.chain.timestamp < self.end:
            for _ in range(40):
                bought = self.chain.pool.swap(False, -self.base)
                sold = self.chain.pool.swap(True, self.base)
                assert bought[0] + sold[0] == 0
                self.paid += Decimal(bought[1] + sold[1]).scaleb(-6)
        return moved


def test_spoofed_volume_costs_no_more_than_it_paid_in() -> None:
    """In a pool that does not pay, a stranger's wash trades make it provide, and then they stop."""
    asked = scenario("0.6", 30)
    alone = net(run_in(open_world(asked), asked).track)
    world = open_world(asked)
    start = world.chain.timestamp
    washed = Washed(world, start + 12 * 86_400, start + 15 * 86_400, Decimal("0.2"))
    track = run_in(washed, asked).track
    assert any(action.trigger in ("start", "pay") for action in track.actions)
    assert washed.paid > 50
    assert net(track) - alone >= -washed.paid
