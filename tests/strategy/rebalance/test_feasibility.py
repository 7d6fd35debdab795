from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.builders import GWEI, World, a_config, a_market

from dexmm.strategy.pay.pool_pay import arbitrage_keeps
from dexmm.strategy.rebalance.feasibility import Judgement, fee_kept, judge, market_facts


def judged(world: World, volume: int | None = 100_000) -> Judgement:
    facts = market_facts(
        world.snapshot(), world.config, None if volume is None else Decimal(volume)
    )
    return judge(world.config, facts)


def problems(world: World) -> str:
    return " ".join(judged(world).problems)


def test_the_defaults_make_sense() -> None:
    assert judge(a_config()).problems == ()
    assert judged(World(a_config())).problems == ()


def test_edge_hits_are_those_of_a_driftless_price() -> None:
    """Two sigmas over three days are reached once in twelve days; a tick's rounding aside."""
    assert judge(a_config()).hits_per_day == pytest.approx(Decimal(1) / 12)
    assert judged(World(a_config())).hits_per_day == pytest.approx(
        Decimal(1) / 12, rel=Decimal("0.1")
    )


def test_gas_a_day_is_hits_times_gas() -> None:
    found = judged(World(a_config(), base_fee_wei=10 * GWEI))
    each = Decimal(1_090_000) * Decimal("10.1") / 10**9 * 4000
    assert found.gas_per_day == pytest.approx(found.hits_per_day * each)
    assert found.break_even_per_day == pytest.approx(found.gas_per_day + found.arbitrage_per_day)


def test_arbitrage_takes_an_eighth_of_the_variance_times_the_concentration() -> None:
    """A symmetric range of log distance d holds 1 - exp(-d / 2) of what a full one would; what
    arbitrage pays in fees comes back, but for the protocol's quarter."""
    world = World(a_config(strategy={"name": "recentre"}))
    found = judged(world)
    concentration = 1 / (1 - (-found.to_bid_bp / 20_000).exp())
    sigma = Decimal("0.16") / Decimal(365 * 86_400).sqrt()
    kept = arbitrage_keeps(Decimal("0.0005"), sigma, Decimal(12))
    daily = Decimal("0.16") ** 2 / 365 / 8 * (1 - (1 - kept) * Decimal("0.75"))
    assert found.arbitrage_per_day == pytest.approx(
        found.deployed * daily * concentration, rel=Decimal("0.01")
    )


def test_what_arbitrage_trades_is_not_taken_for_others_trade() -> None:
    """A chain's volume holds both, and arbitrage's own fees come back by the unit of liquidity."""
    world = World(a_config(strategy={"name": "recentre"}))
    seen = market_facts(world.snapshot(), world.config, Decimal(10_000_000))
    alone = judge(world.config, replace(seen, arbitraged=False))
    both = judge(world.config, seen)
    assert both.income_per_day is not None
    assert alone.income_per_day is not None
    assert 0 < both.income_per_day < alone.income_per_day
    quiet = judge(world.config, market_facts(world.snapshot(), world.config, Decimal(1000)))
    assert quiet.income_per_day == 0


def test_whether_the_market_pays_depends_on_its_volume() -> None:
    world = World(a_config())
    poor, rich, unknown = judged(world, 100_000), judged(world, 10**8), judged(world, None)
    assert (poor.pays, rich.pays, unknown.pays) == (False, True, None)
    assert any("does not pay" in note for note in poor.notes)
    assert not any("pay" in note for note in unknown.notes)  # what nobody measured warns of nothing
    assert rich.notes == ()


def test_liquidity_keeps_what_the_protocol_leaves() -> None:
    assert fee_kept(0) == 1
    assert fee_kept(68) == Decimal("0.75")
    assert fee_kept(4) == Decimal("0.875")


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (World(a_config(market={"price_low": 1, "price_high": 3999})), "outside market.price_low"),
        (
            World(
                a_config(strategy={"edge_min_bp": 100}),
                market=a_market(fee_pips=10_000, tick_spacing=200),
            ),
            "strategy.edge_min_bp is within the pool's fee of 100 bp",
        ),
        (
            World(
                a_config(strategy={"edge_max_bp": 80}),
                market=a_market(fee_pips=10_000, tick_spacing=200),
            ),
            "strategy.edge_max_bp is within the pool's fee of 100 bp",
        ),
        (
            World(
                a_config(strategy={"edge_min_bp": 5, "edge_max_bp": 50}),
                market=a_market(fee_pips=3000, tick_spacing=60),
            ),
            "nearer than one step",
        ),
        (World(a_config(), base=Decimal("0.001"), quote=Decimal(5)), "add capital"),
        (
            World(a_config(), base=Decimal("0.1"), quote=Decimal(700), base_fee_wei=29 * GWEI),
            "a day, more than",
        ),
        (World(a_config(guards={"max_move_ticks": 200})), "every re-range would be refused"),
        (World(a_config(strategy={"horizon_hours": "0.5"})), "horizon_hours"),
        (World(a_config(strategy={"horizon_hours": 5000})), "horizon_hours"),
        (World(a_config(strategy={"dwell_seconds": 300_000})), "dwell_seconds"),
        (World(a_config(strategy={"max_age_hours": "0.1"})), "max_age_hours"),
    ],
)
def test_what_cannot_make_sense_is_a_problem(world: World, words: str) -> None:
    assert words in problems(world)


@pytest.mark.parametrize(
    ("fee", "spacing", "nearest"),
    [(100, 1, 100), (500, 10, 100), (3000, 60, 100), (10_000, 200, 200)],
)
def test_the_defaults_make_sense_in_every_fee_tier(fee: int, spacing: int, nearest: int) -> None:
    world = World(a_config(), market=a_market(fee_pips=fee, tick_spacing=spacing))
    assert judged(world).problems == ()
    assert world.config.strategy.edge_min(fee) == nearest


def test_a_clamp_that_always_holds_is_worth_knowing() -> None:
    near = judge(a_config(strategy={"edge_min_bp": 500}))
    far = judge(a_config(strategy={"edge_max_bp": 200}))
    assert any("within strategy.edge_min_bp" in note for note in near.notes)
    assert any("beyond strategy.edge_max_bp" in note for note in far.notes)


def test_holding_needs_nothing() -> None:
    found = judged(World(a_config(strategy={"name": "hold"})))
    assert (found.problems, found.break_even_per_day, found.break_even_bp) == ((), 0, None)
