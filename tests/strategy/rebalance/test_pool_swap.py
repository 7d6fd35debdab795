from __future__ import annotations

from decimal import Decimal

import pytest
from strategy.builders import World, a_config, a_market

from dexmm.model.decision import Trigger
from dexmm.model.steps import Approve, Swap
from dexmm.strategy.plan import plan

HOUR = 3600


def outside(share: str, *, base_is_token0: bool = True, allowed: bool = True) -> World:
    """A share far outside its band for ``recovery_hours``, everything idle but one range."""
    nav = Decimal(100_000)
    world = World(
        a_config(strategy={"pool_swap": allowed}),
        market=a_market(base_is_token0=base_is_token0),
        base=nav * Decimal(share) / 4000,
        quote=nav * (1 - Decimal(share)),
        pool_liquidity=10**20,
    )
    world.settle()
    world.pass_time(24 * HOUR)
    return world


@pytest.mark.parametrize("base_is_token0", [True, False])
@pytest.mark.parametrize("share", ["0.7", "0.05"])
def test_the_last_resort_trades_towards_the_target_at_a_fair_price(
    share: str, base_is_token0: bool
) -> None:
    world = outside(share, base_is_token0=base_is_token0)
    decision = world.decide()
    assert decision.trigger is Trigger.BAND
    swap = decision.swap
    assert swap is not None
    selling = share == "0.7"
    assert swap.zero_for_one is (selling == base_is_token0)
    amount_in, out = Decimal(swap.amount_in), Decimal(swap.amount_out_minimum)
    if selling:
        assert amount_in / 10**18 * 4000 <= Decimal(35_100)
        ratio = out / 10**6 / (amount_in / 10**18 * 4000)
    else:
        assert amount_in / 10**6 == pytest.approx(Decimal(30_000), rel=Decimal("0.01"))
        ratio = out / 10**18 * 4000 / (amount_in / 10**6)
    assert ratio == pytest.approx(Decimal("0.9995") * Decimal("0.995"), abs=Decimal("0.0002"))
    approve, step = plan(world.snapshot(), decision, world.config)
    assert isinstance(approve, Approve)
    assert isinstance(step, Swap)
    assert approve.allowances[0].amount == step.amount_in


def test_it_waits_for_the_recovery_hours_and_for_permission() -> None:
    early = outside("0.7")
    early.now -= HOUR
    assert early.decide().swap is None
    assert outside("0.7", allowed=False).decide().swap is None


def test_it_goes_no_further_than_the_pools_depth() -> None:
    world = outside("0.7")
    world.pool_liquidity = 10**15
    swap = world.decide().swap
    assert swap is not None
    assert Decimal(swap.amount_in) / 10**18 * 4000 < 200


def test_a_safety_guard_holds_it_back() -> None:
    world = outside("0.7")
    world.mean_price = Decimal(4100)
    decision = world.decide()
    assert decision.swap is None
    assert decision.withheld
