from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import World, a_config

from dexmm.decimal_context import YEAR
from dexmm.model.decision import State, Trigger
from dexmm.model.steps import Rerange, Swap
from dexmm.strategy.rebalance.stop_loss import distance_of, floor_share

HOUR = 3600


def fallen(price: str = "3790", **sections: dict[str, object]) -> World:
    """Placed at 4000; the price is then as given."""
    guards = {
        "stop_loss_in_pool": "range",
        "stop_loss_share": Decimal("0.10"),
        **sections.pop("guards", {}),
    }
    world = World(a_config(guards=guards, **sections))
    world.settle()
    world.turn(600)
    world.price = Decimal(price)
    return world


@pytest.mark.parametrize(("price", "state"), [("3801", State.ACTIVE), ("3798", State.REDUCING)])
def test_it_starts_five_per_cent_below_the_high(price: str, state: State) -> None:
    assert fallen(price).turn(60)[0].state is state


def test_the_high_moves_with_the_price_and_is_forgotten_by_half_in_a_fortnight() -> None:
    world = fallen("4400")
    world.turn(60)
    assert world.memory.reference_price == pytest.approx(Decimal(4400), rel=Decimal("0.0001"))
    world.price = Decimal(4200)
    world.turn(14 * 24 * HOUR)
    assert world.memory.reference_price == pytest.approx(Decimal(4300), rel=Decimal("0.0001"))


def test_where_no_exchange_can_sell_new_ranges_are_made_around_a_lower_band() -> None:
    """Nothing is sent because of the fall, and the next ranges let the share rise to 0.45 only."""
    world = fallen(guards={"stop_loss_in_pool": "band"})
    before = dict(world.ranges)
    decision, steps = world.turn(60)
    assert (decision.state, steps, world.ranges) == (State.ACTIVE, (), before)
    assert world.memory.stop_loss_waits
    world.price = Decimal(3600)
    for _ in range(4):
        world.turn(HOUR)
    assert world.ranges != before
    bought = world.share()
    world.price = Decimal(3200)
    assert world.share() <= max(bought, Decimal("0.4501"))


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


def test_what_buys_goes_where_the_wallet_has_nothing_to_sell_whatever_guard_of_entry_bites() -> (
    None
):
    world = fallen(
        "3910",
        strategy={"name": "passive"},
        guards={"stop_loss_bp": 200, "stop_loss_release_bp": 100, "stop_loss_sigmas": 0},
    )
    assert any(p.amount1 for p in world.positions())
    world.base_fee_wei = 100 * 10**9  # far over the cap of what earns
    decision, steps = world.turn(60)
    (move,) = [step for step in steps if isinstance(step, Rerange)]
    assert move.mints == ()
    assert decision.trigger is Trigger.STOP_LOSS
    assert decision.withheld  # the slice
    assert all(not p.amount1 for p in world.positions())
    left = world.memory.slice_left
    world.base_fee_wei = 10**8
    world.turn(60)
    assert world.memory.slice_left == pytest.approx(left, rel=Decimal("1e-9"))  # nothing is sold


def test_ranges_stay_as_they_are_while_the_part_is_offered_beside_them() -> None:
    world = fallen()
    before = dict(world.ranges)
    _, steps = world.turn(60)
    (move,) = [step for step in steps if isinstance(step, Rerange)]
    assert move.removals == ()
    assert {i: r for i, r in world.ranges.items() if i in before} == before


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


def test_a_range_that_was_not_filled_is_replaced_ever_more_seldom() -> None:
    """Three days of a fall without a bounce."""
    world = fallen()
    moved = []
    for quarter in range(4 * 70):
        world.price -= Decimal("1.5")
        if any(isinstance(step, Rerange) for step in world.turn(HOUR // 4)[1]):
            moved.append(quarter // 4)
    assert [hour - moved[0] for hour in moved] == [0, 1, 3, 7, 15, 31, 63]
    assert world.decisions[-1].state is State.REDUCING


def bounced(**sections: dict[str, object]) -> World:
    """Its part is sold: the slice was offered, filled by a bounce, and taken out."""
    world = fallen(**sections)
    world.turn(60)
    world.price = Decimal(3800)
    world.turn(60)
    assert set(world.ranges) == {1, 2}
    return world


def total(world: World) -> int:
    return world.idle[0] + sum(p.amount0 for p in world.positions())


def free(world: World) -> int:
    """Base outside of the two ranges that were there before the fall."""
    return world.idle[0] + sum(p.amount0 for p in world.positions() if p.token_id > 2)


def test_the_part_is_sold_once_and_then_it_waits_around_a_lower_band() -> None:
    world = fallen()
    had, part = free(world), total(world) // 10
    world.turn(60)
    world.price = Decimal(3800)
    assert world.turn(60)[0].state is State.REDUCING
    assert set(world.ranges) == {1, 2}  # it is out before it could buy back
    assert free(world) == pytest.approx(had - part, rel=1e-6)
    decision, steps = world.turn(HOUR)
    assert decision.state is State.ACTIVE
    assert "stop_loss" in {refusal.rule for refusal in decision.refusals}
    assert world.memory.stop_loss_waits
    assert any(isinstance(step, Rerange) for step in steps)
    high = world.memory.reference_price
    for price in (3600, 3400, 3700, 3300):  # the reference stands still, and nothing sells again
        world.price = Decimal(price)
        assert world.turn(HOUR)[0].state is State.ACTIVE
        assert world.memory.reference_price == high
        # A band's upper edge of 0.50 less a tenth.
        assert world.share() <= Decimal("0.4501")


def test_it_never_sells_below_the_floor() -> None:
    world = fallen(guards={"stop_loss_share": 1, "slice_share": 1})
    for i in range(80):
        world.price = Decimal(3796 if i % 2 else 3788)
        world.turn(HOUR // 2 + 1)
        assert world.share() > Decimal("0.27")
    assert world.memory.stop_loss_waits


def test_it_is_over_only_when_the_price_is_close_again() -> None:
    world = bounced()
    world.turn(60)
    high = world.memory.reference_price
    assert high is not None
    world.price = high * Decimal("0.9845")
    world.turn(60)
    assert world.memory.stop_loss_waits
    world.price = high * Decimal("0.9855")
    decision, _ = world.turn(60)
    assert not world.memory.stop_loss_waits
    assert world.memory.stop_loss_goal is None
    assert "stop_loss" not in {refusal.rule for refusal in decision.refusals}


def test_a_second_fall_sells_again_after_the_first_one_was_released() -> None:
    world = bounced()
    world.turn(60)
    world.price = Decimal(4000)
    world.turn(HOUR)
    world.price = Decimal(3700)
    assert world.turn(HOUR)[0].state is State.REDUCING


def test_exposure_never_rises_while_it_sells() -> None:
    world = fallen()
    world.turn(60)
    held = []
    for price in (3780, 3760, 3750, 3700, 3690, 3650, 3640):
        world.price = Decimal(price)
        assert world.turn(1200)[0].state is State.REDUCING
        held.append(total(world))
    assert held == sorted(held, reverse=True)


def test_the_distance_is_a_multiple_of_volatility_where_that_is_more() -> None:
    config = a_config(strategy={"sigma_annual": Decimal("0.40")})
    sigma = Decimal("0.40") / YEAR.sqrt()
    assert distance_of(sigma, config.guards) == pytest.approx(
        Decimal("1.5") * Decimal("0.40") * (Decimal(168) / 8760).sqrt(), rel=Decimal("1e-9")
    )  # 8.3 %
    assert distance_of(sigma / 4, config.guards) == Decimal("0.05")


def test_a_restless_market_is_given_more_room_and_its_fall_does_not_widen_it() -> None:
    world = World(
        a_config(strategy={"sigma_annual": Decimal("0.40")}, guards={"stop_loss_in_pool": "range"})
    )
    world.settle()
    world.turn(600)
    at_high = world.memory.reference_sigma
    world.price = Decimal(3700)  # 7.5 %
    assert world.turn(1801)[0].state is State.ACTIVE
    world.price = Decimal(3660)  # 8.5 %
    assert world.turn(1801)[0].state is State.REDUCING
    assert world.memory.reference_sigma == at_high
    assert at_high is not None
    assert world.memory.stop_loss_distance == pytest.approx(
        distance_of(at_high, world.config.guards), rel=Decimal("1e-20")
    )


def test_a_journal_of_an_older_version_does_not_sell_again_what_it_sold() -> None:
    """There the stop-loss was one flag; one that has sold a slice waits."""
    world = fallen()
    old = replace(world.memory, reducing=True, reference_price=Decimal(4000), seen_at=world.now)
    world.memory = replace(old, last_slice_at=world.now)
    decision, _ = world.turn(60)
    assert (decision.state, world.memory.stop_loss_waits) == (State.ACTIVE, True)
    world.memory = old
    assert world.turn(60)[0].state is State.REDUCING
    assert world.memory.stop_loss_goal is not None


def test_deposits_and_withdrawals_of_base_move_the_goal_with_them() -> None:
    world = fallen()
    world.turn(60)
    goal = world.memory.stop_loss_goal
    assert goal is not None
    world.turn(60)  # the slice is out: from here on the wallet moves by others' doing alone
    world.idle[0] += 3 * 10**18
    world.turn(60)
    assert world.memory.stop_loss_goal == goal + 3
    world.idle[0] -= 2 * 10**18
    world.turn(60)
    assert world.memory.stop_loss_goal == goal + 1


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    swings=st.lists(
        st.decimals(min_value=Decimal("0.9505"), max_value=1, places=4), min_size=1, max_size=12
    ),
    pause=st.sampled_from([600, 1800, 6 * HOUR]),
)
def test_a_calm_markets_swings_never_sell(swings: list[Decimal], pause: int) -> None:
    """Whatever happens within five per cent of the high."""
    world = World(a_config())
    world.settle()
    for part in swings:
        world.price = 4000 * part
        assert world.turn(pause)[0].state is State.ACTIVE
        assert world.memory.stop_loss_goal is None


MOVES = st.lists(
    st.tuples(
        st.one_of(
            st.decimals(min_value=Decimal("0.85"), max_value=Decimal("0.98"), places=4),
            # inside of a grid step or two, where a range is filled and emptied again
            st.decimals(min_value=Decimal("0.9475"), max_value=Decimal("0.9495"), places=4),
        ),
        st.booleans(),  # a stranger adds a little to a range of ours: ranges have moved
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    moves=MOVES,
    pause=st.sampled_from([120, 1800, 5 * HOUR]),
    way=st.sampled_from(["range", "swap"]),
)
def test_a_fall_never_sells_more_than_its_part(
    moves: list[tuple[Decimal, bool]], pause: int, way: str
) -> None:
    """While it sells no more than a tenth goes, whatever the price does before the release, nor
    below the floor, and however often others move our ranges meanwhile."""
    world = fallen(guards={"stop_loss_in_pool": way})
    floor = floor_share(world.config.strategy)
    least = free(world) - total(world) // 10 - 10**13
    for part, moved in moves:
        world.price = 4000 * part
        if moved and 1 in world.ranges:
            lower, upper, liquidity = world.ranges[1]
            world.ranges[1] = (lower, upper, liquidity + 10**6)
        world.turn(pause)
        if world.memory.stop_loss_waits:
            break
        assert free(world) >= least
        assert world.decide().share >= floor - Decimal("0.005")


def swapping(**sections: dict[str, object]) -> World:
    return fallen(**{**sections, "guards": {"stop_loss_in_pool": "swap"}})


def swaps(steps: tuple[object, ...]) -> list[Swap]:
    return [step for step in steps if isinstance(step, Swap)]


def test_the_wallet_sells_the_part_in_the_pool_from_the_turn_on_that_knows_its_goal() -> None:
    world = swapping()
    had, part, ranges = free(world), total(world) // 10, dict(world.ranges)
    assert swaps(world.turn(60)[1]) == []  # nobody remembers the goal yet
    assert world.memory.stop_loss_goal is not None
    decision, steps = world.turn(60)
    (swap,) = swaps(steps)
    assert decision.trigger is Trigger.STOP_LOSS
    assert swap.zero_for_one
    assert swap.amount_in == min(part, 5 * 10**17)  # hedge.max_order_base
    fair = swap.amount_in * 3790 // 10**12
    assert swap.amount_out_minimum == pytest.approx(fair * 0.9995 * 0.995, rel=1e-4)
    assert world.turn(1800)[1] == ()  # the next slice waits
    for _ in range(2):
        world.turn(HOUR)
    assert world.ranges == ranges
    assert free(world) == pytest.approx(had - part, rel=1e-3)
    world.turn(HOUR)
    assert world.memory.stop_loss_waits


def test_a_swap_is_no_larger_than_what_moves_the_pool_by_half_of_the_slippage() -> None:
    world = swapping()
    world.pool_liquidity = 10**15
    world.turn(60)
    (swap,) = swaps(world.turn(60)[1])
    root = Decimal(3790).sqrt().scaleb(-6)
    moved = Decimal(10**15) / (Decimal(10**15) / root + swap.amount_in)
    assert (moved / root) ** 2 == pytest.approx(Decimal("0.9975"), abs=Decimal("1e-6"))


def test_what_doubts_the_price_holds_the_swap_back_and_it_is_made_up_for() -> None:
    world = swapping()
    world.turn(60)
    world.mean_price = Decimal(3900)  # the pool has been pushed away from its mean
    decision, steps = world.turn(60)
    assert (decision.withheld, swaps(steps)) == (True, [])
    world.mean_price = None
    assert len(swaps(world.turn(60)[1])) == 1


def test_a_swap_that_was_sent_and_is_not_remembered_is_not_sold_again() -> None:
    """The process died after it was mined: the balance says so."""
    world = swapping()
    had, part = free(world), total(world) // 10
    world.turn(60)
    before = world.memory
    world.turn(60)
    world.memory = before
    for _ in range(6):
        world.turn(HOUR)
        assert free(world) >= had - part - 10**13
    assert world.memory.stop_loss_waits


def test_ranges_that_buy_are_taken_out_where_the_wallet_has_nothing_to_swap() -> None:
    world = fallen(
        "3910",
        strategy={"name": "passive"},
        guards={
            "stop_loss_in_pool": "swap",
            "stop_loss_bp": 200,
            "stop_loss_release_bp": 100,
            "stop_loss_sigmas": 0,
        },
    )
    part = total(world) // 10
    (move,) = [step for step in world.turn(60)[1] if isinstance(step, Rerange)]
    assert (move.mints, bool(move.removals)) == ((), True)
    sold = sum(swap.amount_in for _ in range(6) for swap in swaps(world.turn(HOUR)[1]))
    assert sold == pytest.approx(part, rel=1e-3)


def test_holding_does_not_sell() -> None:
    world = fallen(strategy={"name": "hold"})
    decision, steps = world.turn(60)
    assert (decision.state, steps) == (State.REDUCING, ())


def test_the_guard_is_visible_while_it_holds() -> None:
    world = fallen()
    assert "stop_loss" in {refusal.rule for refusal in world.decide().refusals}
