from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.builders import START, World, a_config, a_market

from dexmm.model.steps import Minted, RaiseCardinality, Rerange, Simulation, Swap
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.risk.guards import refuse_simulation

GWEI = 10**9


def simulated(world: World, step: Rerange, **changes: object) -> Simulation:
    """What the chain would answer to ``step`` now, from a copy of the world."""
    copy = World(world.config, market=world.market, price=world.price)
    copy.idle, copy.ranges, copy.fees = list(world.idle), dict(world.ranges), dict(world.fees)
    outcome = copy.apply(step)
    answer = Simulation(
        step=step,
        collected0=outcome.collected0,
        collected1=outcome.collected1,
        minted=outcome.minted,
        gas=700_000,
    )
    return replace(answer, **changes)


def wanted(world: World) -> Rerange:
    snapshot = world.snapshot()
    (step,) = [
        step
        for step in plan(snapshot, decide(snapshot, world.config), world.config)
        if isinstance(step, Rerange)
    ]
    return step


def moved_on(base_is_token0: bool = True) -> World:
    world = World(
        a_config(strategy={"economic_gate": False, "dwell_seconds": 0}),
        market=a_market(base_is_token0=base_is_token0),
    )
    world.settle()
    for token_id in world.ranges:
        world.fees[token_id] = (10**12, 10**6)
    world.price = Decimal(3870)
    world.pass_time(3600)
    return world


@pytest.mark.parametrize("base_is_token0", [True, False])
def test_an_honest_re_range_conserves_nav(base_is_token0: bool) -> None:
    world = moved_on(base_is_token0)
    assert (
        refuse_simulation(world.snapshot(), simulated(world, wanted(world)), world.config) is None
    )


@pytest.mark.parametrize(("bp_of_nav", "refused"), [(21, True), (19, False)])
def test_a_loss_bites_at_its_default(bp_of_nav: int, refused: bool) -> None:
    world = moved_on()
    step = wanted(world)
    honest = simulated(world, step)
    short = int(world.decide().nav * bp_of_nav / 10_000 * 10**6)
    lossy = replace(honest, collected1=honest.collected1 - short)
    refusal = refuse_simulation(world.snapshot(), lossy, world.config)
    assert (refusal is not None) is refused
    if refusal is not None:
        assert refusal.rule == "nav_conserved"


def test_minting_into_a_pushed_pool_shows_as_the_loss_it_is() -> None:
    """Everything as decided, but the price is elsewhere than fair when it is simulated."""
    config = a_config(strategy={"name": "passive", "economic_gate": False})
    world = World(config)
    world.mean_price = Decimal(4000)
    world.price = Decimal(4300)
    mint = Minted(
        token_id=1,
        tick_lower=-193_300,
        tick_upper=-192_100,
        liquidity=5 * 10**16,
        amount0=0,
        amount1=0,
    )
    view = world.view()
    copy = World(config, price=Decimal(4300))
    copy.ranges[1] = (mint.tick_lower, mint.tick_upper, mint.liquidity)
    there = copy.positions()[0]
    answer = Simulation(
        step=Rerange(removals=(), mints=(), deadline=START),
        minted=(replace(mint, amount0=there.amount0, amount1=there.amount1),),
    )
    snapshot = replace(world.snapshot(), chain=view)
    refusal = refuse_simulation(snapshot, answer, config)
    assert refusal is not None
    assert refusal.rule == "nav_conserved"


def test_a_pushed_pool_alone_is_not_a_loss() -> None:
    """Nothing is done: positions are worth at the fair price what they were worth."""
    world = moved_on()
    world.price, world.mean_price = Decimal(4100), Decimal(3870)
    nothing = Simulation(step=Rerange(removals=(), mints=(), deadline=START))
    assert refuse_simulation(world.snapshot(), nothing, world.config) is None


@pytest.mark.parametrize(("gas", "refused"), [(20_000_000, True), (19_000_000, False)])
def test_simulated_gas_over_the_days_budget_bites(gas: int, refused: bool) -> None:
    world = moved_on()
    world.base_fee_wei = 9 * GWEI // 10
    step = wanted(world)
    refusal = refuse_simulation(
        world.snapshot(), simulated(world, step, gas=gas + 10_000), world.config
    )
    assert (refusal is not None) is refused


def test_a_removal_is_not_held_back_by_gas() -> None:
    world = moved_on()
    step = replace(wanted(world), mints=())
    assert (
        refuse_simulation(world.snapshot(), simulated(world, step, gas=10**9), world.config) is None
    )


def test_a_swap_at_a_bad_price_bites_and_at_a_fair_one_passes() -> None:
    world = World(a_config())
    swap = Swap(
        zero_for_one=True,
        amount_in=5 * 10**18,
        amount_out_minimum=0,
        sqrt_price_limit_x96=0,
        deadline=START,
    )
    fair = Simulation(step=swap, collected1=19_990 * 10**6)
    bad = Simulation(step=swap, collected1=19_700 * 10**6)
    assert refuse_simulation(world.snapshot(), fair, world.config) is None
    assert refuse_simulation(world.snapshot(), bad, world.config) is not None


def test_steps_that_move_no_money_pass() -> None:
    world = World(a_config())
    step = Simulation(step=RaiseCardinality(observation_cardinality_next=10), gas=10**9)
    assert refuse_simulation(world.snapshot(), step, world.config) is None
