from __future__ import annotations

from decimal import Decimal

import pytest
from strategy.builders import World, a_config, a_market

from dexmm.model.steps import Approve, Rerange, Swap
from dexmm.strategy.exits import plan_exit, plan_sale


def a_world(base_is_token0: bool = True) -> World:
    world = World(a_config(), market=a_market(base_is_token0=base_is_token0))
    sign = 1 if base_is_token0 else -1
    for token_id, (bid, ask) in {3: (-193_680, -193_080), 4: (-190_000, -189_000)}.items():
        lower, upper = sorted((sign * bid, sign * ask))
        world.ranges[token_id] = (lower, upper, 10**15)
    lower, upper, _ = world.ranges[3]
    world.ranges |= {5: (lower, upper, 0), 6: (lower, upper, 0)}
    world.fees[5] = (1, 0)
    return world


def test_one_transaction_takes_everything_out_and_skips_what_is_empty() -> None:
    world = a_world()
    (step,) = plan_exit(world.view())
    assert isinstance(step, Rerange)
    assert step.mints == ()
    assert [(r.token_id, r.liquidity, r.burn) for r in step.removals] == [
        (3, 10**15, True),
        (4, 10**15, True),
        (5, 0, True),
    ]


def test_or_one_each() -> None:
    world = a_world()
    steps = plan_exit(world.view(), batch=False)
    assert [len(step.removals) for step in steps if isinstance(step, Rerange)] == [1, 1, 1]


def test_nothing_to_take_out_is_no_step() -> None:
    world = World(a_config())
    assert plan_exit(world.view()) == ()
    assert plan_exit(world.view(), batch=False) == ()


def test_the_ladder_gives_way_until_nothing_is_demanded() -> None:
    world = a_world()
    demands = []
    for slippage in (Decimal(50), Decimal(200), None):
        (step,) = plan_exit(world.view(), slippage_bp=slippage)
        assert isinstance(step, Rerange)
        demands.append(sum(r.amount0_min for r in step.removals))
    assert demands[0] > demands[1] > demands[2] == 0


def test_an_exit_passes_on_a_halted_paused_and_stale_world() -> None:
    """It asks no guard: the same steps whatever bites."""
    world = a_world()
    calm = plan_exit(world.view())
    world.halted, world.behind, world.base_fee_wei = "stop", 10**6, 10**12
    world.mean_price = Decimal(9000)
    assert plan_exit(world.view()) == calm


@pytest.mark.parametrize("base_is_token0", [True, False])
def test_a_sale_demands_the_fair_price_less_fee_and_slippage(base_is_token0: bool) -> None:
    world = a_world(base_is_token0)
    rungs = plan_sale(world.view(), (Decimal(50), Decimal(500)))
    minimums = []
    for approve, swap in rungs:
        assert isinstance(approve, Approve)
        assert isinstance(swap, Swap)
        assert swap.zero_for_one is base_is_token0
        assert approve.allowances[0].amount == swap.amount_in == 10 * 10**18
        assert approve.allowances[0].token == world.market.base.address
        minimums.append(swap.amount_out_minimum)
        limit = world.market.price(swap.sqrt_price_limit_x96)
        assert limit < 4000
    assert minimums[0] == pytest.approx(40_000 * 10**6 * 0.9995 * 0.995, rel=1e-4)
    assert minimums[1] == pytest.approx(40_000 * 10**6 * 0.9995 * 0.95, rel=1e-4)


def test_there_is_no_sale_without_base() -> None:
    assert plan_sale(World(a_config(), base=Decimal(0)).view(), (Decimal(50),)) == ()
