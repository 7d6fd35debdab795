from __future__ import annotations

from decimal import Decimal

import pytest
from strategy.builders import START, World, a_config

from dexmm.model.decision import Trigger

HOUR = 3600


def a_world(**strategy: object) -> World:
    """Placed at 4000 on a Monday, edges near 3880 and 4120, free to act again."""
    settings = {"economic_gate": False, "regime_ratio": 1000, **strategy}
    world = World(a_config(strategy=settings))
    world.settle()
    world.turn(1800)
    return world


def trigger(world: World, seconds: int = 60) -> Trigger | None:
    return world.turn(seconds)[0].trigger


def test_nothing_happens_without_a_reason() -> None:
    world = a_world()
    for price in (3950, 4050, 3890, 4000):
        world.price = Decimal(price)
        assert trigger(world, 600) is None
    assert len(world.ranges) == 2


def test_nothing_to_deploy_is_no_reason() -> None:
    world = World(a_config(), base=Decimal(0), quote=Decimal(0))
    decision, steps = world.turn()
    assert (decision.trigger, decision.withheld, steps) == (None, False, ())
    assert "nothing to deploy" in decision.reason


def test_dust_is_not_deployed() -> None:
    for quote, deployed in ((Decimal(30), False), (Decimal(300), True)):
        world = World(a_config(strategy={"economic_gate": False}), base=quote / 8000, quote=quote)
        world.turn()
        assert bool(world.ranges) is deployed


@pytest.mark.parametrize("price", [3870, 4140])
def test_an_edge_must_be_reached_for_the_dwell(price: int) -> None:
    world = a_world()
    world.price = Decimal(price)
    assert trigger(world) is None
    assert trigger(world, 899) is None
    assert trigger(world, 1) is Trigger.EDGE
    assert trigger(world) is None


def test_coming_back_restarts_the_dwell() -> None:
    world = a_world()
    for price in (3870, 4000, 3870):
        world.price = Decimal(price)
        assert trigger(world, 800) is None
    assert trigger(world, 900) is Trigger.EDGE


def test_without_a_dwell_an_edge_acts_at_once() -> None:
    world = a_world(dwell_seconds=0)
    world.price = Decimal(3870)
    assert trigger(world) is Trigger.EDGE


def test_a_passive_limit_is_filled_at_its_own_edge() -> None:
    world = a_world(name="passive")
    assert len(world.ranges) == 2
    limit = max(world.decisions[0].targets, key=lambda t: t.role)
    assert limit.tick_lower == min(t.tick_lower for t in world.decisions[0].targets)
    world.price = Decimal(3870)
    trigger(world)
    assert trigger(world, 900) in (Trigger.FILLED, Trigger.EDGE)


def one_sided(share: str) -> World:
    nav = Decimal(115_000)
    world = World(
        a_config(strategy={"economic_gate": False, "regime_ratio": 1000}),
        base=nav * Decimal(share) / 4000,
        quote=nav * (1 - Decimal(share)),
    )
    world.settle()
    world.turn(1800)
    assert len(world.ranges) == 1
    return world


def test_a_lone_ask_above_the_band_stays_put_and_does_not_flap() -> None:
    world = one_sided("0.6")
    for price in (4000, 3980, 3950, 4010, 4050, 3990):
        world.price = Decimal(price)
        assert trigger(world, 3600) is None, price


def test_a_lone_ask_is_filled_when_the_price_has_gone_through_it() -> None:
    world = one_sided("0.6")
    world.price = Decimal(4140)
    trigger(world)
    assert trigger(world, 900) is Trigger.FILLED


def test_a_lone_ask_follows_a_price_that_left_it_behind() -> None:
    world = one_sided("0.6")
    world.price = Decimal(3870)
    trigger(world)
    assert trigger(world, 900) is Trigger.EDGE


def test_a_lone_bid_is_the_mirror_image() -> None:
    stays, left, filled = one_sided("0.1"), one_sided("0.1"), one_sided("0.1")
    for price in (4020, 4050, 3990, 3950):
        stays.price = Decimal(price)
        assert trigger(stays, 3600) is None, price
    left.price, filled.price = Decimal(4140), Decimal(3870)
    trigger(left)
    trigger(filled)
    assert trigger(left, 900) is Trigger.EDGE
    assert trigger(filled, 900) is Trigger.FILLED


@pytest.mark.parametrize(("share", "there"), [("0.507", 4030), ("0.197", 3970)])
def test_a_share_just_outside_its_band_does_not_flap_with_the_price(share: str, there: int) -> None:
    """Small budgets on both sides: the share leaves and enters the band as the price swings."""
    nav = Decimal(1_150_000)
    world = World(
        a_config(
            strategy={"economic_gate": False, "regime_ratio": 1000, "band_tolerance": "0.001"}
        ),
        base=nav * Decimal(share) / 4000,
        quote=nav * (1 - Decimal(share)),
    )
    world.settle()
    assert len(world.ranges) == 2
    for i in range(8):
        world.price = Decimal(4000 if i % 2 else there)
        assert trigger(world, 3600) is None, i


def test_a_lone_ask_half_converted_is_left_to_work() -> None:
    world = one_sided("0.6")
    world.price = Decimal(4100)
    assert [trigger(world, HOUR) for _ in range(3)] == [None] * 3


def test_a_lone_range_whose_past_is_forgotten_is_made_anew_when_it_might_break_the_band() -> None:
    world = one_sided("0.6")
    world.price = Decimal(4140)
    world.memory = type(world.memory)()  # a filled ask now looks like a bid that waits
    assert trigger(world) is Trigger.STRATEGY


def test_another_regime_of_volatility_is_a_trigger() -> None:
    world = a_world(regime_ratio=2)
    before = set(world.ranges)
    found = []
    for i in range(6):
        world.price = Decimal(4060 if i % 2 else 3960)
        found.append(trigger(world, 1800))
        if found[-1] is not None:
            break
    assert found[-1] is Trigger.REGIME
    assert not before & set(world.ranges)
    assert "wider" in world.decisions[-1].reason


def test_edges_that_are_clamped_know_no_regime() -> None:
    world = a_world(edge_min_bp=290, edge_max_bp=300)
    for i in range(20):
        world.price = Decimal(4060 if i % 2 else 3960)
        assert trigger(world, 1800) is None


def test_age_makes_a_range_anew() -> None:
    world = a_world(max_age_hours=48)
    world.price = Decimal(4080)
    assert trigger(world, 47 * HOUR) is None
    assert trigger(world, HOUR) is Trigger.AGE


def test_a_deposit_is_a_trigger_that_waits_until_it_may_act() -> None:
    world = World(a_config())
    world.settle()
    world.idle[1] += 2_000 * 10**6
    decision, steps = world.turn(60)
    assert (decision.trigger, decision.withheld, steps) == (Trigger.CAPITAL, True, ())
    assert trigger(world, 1800) is Trigger.CAPITAL
    assert not world.decisions[-1].withheld
    assert trigger(world) is None


def test_a_small_deposit_is_not() -> None:
    world = a_world()
    world.idle[1] += 1_100 * 10**6  # under 1 % of 115 000
    assert trigger(world) is None


def test_a_share_outside_its_band_is_a_trigger_once_an_excursion() -> None:
    world = a_world(capital_bp=10_000)
    world.idle[0] += 8 * 10**18  # the share is 0.49 with it
    world.idle[1] -= 7_000 * 10**6
    assert world.share() > Decimal("0.505")
    assert trigger(world) is Trigger.BAND
    assert not world.decisions[-1].withheld
    assert [trigger(world, HOUR) for _ in range(4)] == [None] * 4


def test_nor_does_a_share_below_its_band_wait() -> None:
    world = a_world(capital_bp=10_000)
    world.idle[1] += 95_000 * 10**6
    world.idle[0] -= 10**17
    assert world.share() < Decimal("0.195")
    assert trigger(world) is Trigger.BAND
    assert [trigger(world, HOUR) for _ in range(4)] == [None] * 4


@pytest.mark.parametrize("strategy", ["single", "passive", "recentre"])
def test_a_strategy_that_promises_no_band_is_not_moved_by_it(strategy: str) -> None:
    nav = Decimal(100_000)
    world = World(a_config(strategy={"name": strategy}), base=nav * 7 / 40_000, quote=nav * 3 / 10)
    world.settle()
    assert [trigger(world, HOUR) for _ in range(3)] == [None] * 3


def test_ranges_that_would_break_the_band_are_not_this_strategys() -> None:
    world = World(a_config(strategy={"name": "passive", "economic_gate": False}))
    world.settle()
    world.config = a_config(strategy={"economic_gate": False})
    assert trigger(world, 1800) is Trigger.STRATEGY
    assert trigger(world) is None


def test_too_many_ranges_are_not_this_strategys() -> None:
    world = a_world()
    world.config = a_config(strategy={"name": "single", "economic_gate": False})
    assert trigger(world, 1800) is Trigger.STRATEGY
    assert len(world.ranges) == 1


def test_a_position_added_by_hand_is_part_of_what_is_held() -> None:
    world = a_world()
    world.ranges[77] = (-193_780, -192_980, 10**13)
    world.turn(60)
    assert trigger(world, 1800) is Trigger.STRATEGY
    assert 77 not in world.ranges


def test_held_ticks_are_kept_when_new_ones_would_be_a_few_steps_away() -> None:
    world = a_world(max_age_hours=2)
    before = {ranged[:2] for ranged in world.ranges.values()}
    world.price = Decimal(4006)
    world.idle[1] += 900 * 10**6
    world.turn(2 * HOUR)
    base = max(before, key=lambda ticks: ticks[1] - ticks[0])
    assert base in {ranged[:2] for ranged in world.ranges.values()}
    assert world.memory.last_rerange_at is not None
    assert world.memory.last_rerange_at > START
