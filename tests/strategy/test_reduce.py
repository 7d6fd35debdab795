from __future__ import annotations

from decimal import Decimal

import pytest
from strategy.builders import World, a_config

from dexmm.model.decision import State, Trigger
from dexmm.model.steps import Rerange

HOUR = 3600


def fallen(price: str = "3790", **sections: dict[str, object]) -> World:
    """Placed at 4000; the price is then as given."""
    world = World(a_config(**sections))
    world.settle()
    world.turn(600)
    world.price = Decimal(price)
    return world


@pytest.mark.parametrize(("price", "state"), [("3801", State.ACTIVE), ("3798", State.REDUCING)])
def test_it_starts_five_per_cent_below_the_high(price: str, state: State) -> None:
    assert fallen(price).turn(60)[0].state is state


def test_the_high_moves_with_the_price_and_is_forgotten_by_half_in_a_week() -> None:
    world = fallen("4400")
    world.turn(60)
    assert world.memory.reference_price == pytest.approx(Decimal(4400), rel=Decimal("0.0001"))
    world.price = Decimal(4200)
    world.turn(7 * 24 * HOUR)
    assert world.memory.reference_price == pytest.approx(Decimal(4300), rel=Decimal("0.0001"))


def test_cost_is_the_average_price_of_what_came_in() -> None:
    world = World(a_config(guards={"stop_loss_reference": "cost"}))
    world.settle()
    world.turn(60)
    world.price = Decimal(4100)
    had = Decimal(world.idle[0] + sum(p.amount0 for p in world.positions())).scaleb(-18)
    world.idle[0] += 10 * 10**18
    world.turn(60)
    paid = (had * 4000 + 10 * 4100) / (had + 10)
    assert world.memory.reference_price == pytest.approx(paid, rel=Decimal("0.0001"))


def test_what_buys_is_taken_out_at_once_whatever_guard_of_entry_bites() -> None:
    world = fallen("3910", guards={"stop_loss_bp": 200, "stop_loss_release_bp": 100})
    assert all(p.amount1 for p in world.positions())
    world.base_fee_wei = 100 * 10**9  # far over the cap of what earns
    decision, steps = world.turn(60)
    (move,) = [step for step in steps if isinstance(step, Rerange)]
    assert move.mints == ()
    assert decision.trigger is Trigger.STOP_LOSS
    assert decision.withheld  # the slice
    assert world.ranges == {}


def test_selling_goes_in_slices_just_above_the_price() -> None:
    world = fallen()
    base = world.share()
    _, steps = world.turn(60)
    (mint,) = next(step for step in steps if isinstance(step, Rerange)).mints
    tick = world.view().pool.tick
    assert tick < mint.tick_lower <= tick + 10
    assert mint.tick_upper == mint.tick_lower + 10
    assert mint.amount1_desired == 0
    total = world.share() * 1
    assert total == pytest.approx(base, abs=Decimal("0.001"))  # nothing is sold by offering


def test_a_slice_is_a_tenth_of_the_base_and_the_next_one_waits_an_hour() -> None:
    world = fallen()
    positions = world.positions()
    base = world.idle[0] + sum(p.amount0 for p in positions)
    _, steps = world.turn(60)
    (mint,) = next(step for step in steps if isinstance(step, Rerange)).mints
    assert mint.amount0_desired == pytest.approx(base // 10, rel=1e-6)
    assert world.turn(1800)[1] == ()
    world.price = Decimal(3785)
    assert world.turn(1799)[1] == ()
    (move,) = world.turn(2)[1][-1:]
    assert isinstance(move, Rerange)
    assert len(move.removals) == 1


def test_a_filled_slice_is_taken_out_before_it_buys_back() -> None:
    world = fallen()
    world.turn(60)
    world.price = Decimal(3800)
    decision, _ = world.turn(60)
    assert decision.state is State.REDUCING
    assert world.ranges == {}
    assert world.turn(60)[1] == ()


def test_selling_ends_inside_the_band() -> None:
    world = fallen()
    for i in range(80):
        world.price = Decimal(3796 if i % 2 else 3788)
        world.turn(HOUR // 2 + 1)
    assert Decimal("0.27") < world.share() < Decimal("0.28")
    assert world.decisions[-1].state is State.REDUCING


def test_it_is_over_only_when_the_price_is_close_again() -> None:
    world = fallen()
    world.turn(60)
    high = world.memory.reference_price
    assert high is not None
    world.price = high * Decimal("0.9745")
    assert world.turn(60)[0].state is State.REDUCING
    world.price = high * Decimal("0.9755")
    decision, _ = world.turn(60)
    assert decision.state is State.ACTIVE


def test_exposure_never_rises_while_reducing() -> None:
    world = fallen()
    world.turn(60)
    shares = []
    for price in (3780, 3760, 3790, 3700, 3720, 3650, 3640):
        world.price = Decimal(price)
        world.turn(1200)
        base = world.idle[0] + sum(p.amount0 for p in world.positions())
        shares.append(base)
    assert shares == sorted(shares, reverse=True)


def test_holding_does_not_sell() -> None:
    world = fallen(strategy={"name": "hold"})
    decision, steps = world.turn(60)
    assert (decision.state, steps) == (State.REDUCING, ())


def test_the_guard_is_visible_while_it_holds() -> None:
    world = fallen()
    assert "stop_loss" in {refusal.rule for refusal in world.decide().refusals}
