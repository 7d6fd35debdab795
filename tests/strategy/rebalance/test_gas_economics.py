from __future__ import annotations

from decimal import Decimal

import pytest
from strategy.builders import GWEI, World, a_config

from dexmm.model.decision import Trigger
from dexmm.strategy.context.context import look
from dexmm.strategy.rebalance.gas_economics import life_days, near_rungs

DAY = 86_400
HOUR = 3600


def at_the_edge(*, fees_a_day: float | None, base_fee_wei: int = 4 * GWEI, **strategy) -> World:
    """An edge is reached; in range this much was earned a day. A re-range costs about 14 quote."""
    world = World(a_config(strategy=strategy))
    world.settle()
    if fees_a_day is not None:
        world.remembering(fees_quote=Decimal(10 * fees_a_day), earning_seconds=10 * DAY)
    world.turn(60)
    world.price = Decimal(3870)
    world.turn(60)
    world.base_fee_wei = base_fee_wei
    world.pass_time(1900)
    return world


def gated(world: World) -> bool:
    decision = world.decide()
    assert decision.trigger is not None
    rules = {refusal.rule for refusal in decision.refusals}
    assert decision.withheld is ("economic_gate" in rules)
    return decision.withheld


def test_a_driftless_price_leaves_a_range_after_the_product_of_its_distances() -> None:
    sigma = Decimal("0.01") / Decimal(DAY).sqrt()
    settings = a_config().strategy
    life = life_days(Decimal("0.02"), Decimal("0.03"), sigma, settings)
    assert life == pytest.approx(Decimal(6))
    assert life_days(Decimal("0.02"), Decimal("0.03"), Decimal(0), settings) == 14
    assert life_days(Decimal("0.2"), Decimal("0.3"), sigma, settings) == 14


def test_income_that_pays_for_the_gas_lets_it_pass_and_less_does_not() -> None:
    """Twelve days of it, against 14 of gas."""
    assert not gated(at_the_edge(fees_a_day=1.5))
    assert gated(at_the_edge(fees_a_day=0.5))
    assert gated(at_the_edge(fees_a_day=0))


def test_the_same_income_pays_for_cheap_gas() -> None:
    assert not gated(at_the_edge(fees_a_day=0.5, base_fee_wei=GWEI // 10))


def test_without_a_days_evidence_the_gate_waits_for_it() -> None:
    assert not gated(at_the_edge(fees_a_day=None))


def test_the_gate_can_be_taken_away() -> None:
    assert not gated(at_the_edge(fees_a_day=0, economic_gate=False))


def test_a_range_that_cannot_pay_still_moves_with_age() -> None:
    world = at_the_edge(fees_a_day=0, max_age_hours=48)
    assert gated(world)
    world.pass_time(48 * HOUR)
    assert world.decide().trigger is Trigger.AGE
    assert not gated(world)


def test_a_share_outside_its_band_overrides_the_gate() -> None:
    world = at_the_edge(fees_a_day=0)
    assert gated(world)
    world.idle[1] -= 20_000 * 10**6
    assert world.share() > Decimal("0.505")
    assert not gated(world)


@pytest.mark.parametrize(("nav", "refused"), [(400, True), (450, False)])
def test_a_first_deposit_passes_unless_its_gas_is_absurd(nav: int, refused: bool) -> None:
    """A mint with its approvals is 470k gas: 2.07 quote at 1.1 gwei, 50 bp of 414."""
    world = World(
        a_config(),
        base=Decimal(nav) * 35 / 100 / 4000,
        quote=Decimal(nav) * 65 / 100,
        base_fee_wei=GWEI,
    )
    decision = world.decide()
    assert decision.trigger is Trigger.START
    assert decision.withheld is refused


def test_ticks_are_kept_within_three_steps_and_less_where_income_is_at_stake() -> None:
    world = World(a_config())
    world.settle()
    assert near_rungs(look(world.snapshot(), world.config)) == 30
    world.remembering(fees_quote=Decimal(1_000_000), earning_seconds=10 * DAY)
    assert near_rungs(look(world.snapshot(), world.config)) == 0
    world.remembering(fees_quote=Decimal("0.5"), earning_seconds=10 * DAY)
    assert near_rungs(look(world.snapshot(), world.config)) == 30
