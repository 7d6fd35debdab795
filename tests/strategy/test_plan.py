from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import START, World, a_config, a_market

from dexmm.model.decision import Decision, Role, State, TargetPosition, Trigger
from dexmm.model.intent import InFlight
from dexmm.model.steps import Approve, RaiseCardinality, Rerange, Settle, Step
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import UNLIMITED, plan

LOWER, UPPER = -193_680, -193_080


def target(lower: int, upper: int, liquidity: int) -> TargetPosition:
    return TargetPosition(tick_lower=lower, tick_upper=upper, liquidity=liquidity, role=Role.BASE)


def planned(world: World, *targets: TargetPosition, **changes: object) -> tuple[Step, ...]:
    decision = replace(decide(world.snapshot(), world.config), targets=targets, **changes)
    return plan(world.snapshot(), decision, world.config)


def rerange(steps: tuple[Step, ...]) -> Rerange:
    (step,) = [step for step in steps if isinstance(step, Rerange)]
    return step


def test_a_first_deposit_approves_exactly_and_then_mints_in_one_transaction() -> None:
    world = World(a_config())
    approve, move = plan(world.snapshot(), world.decide(), world.config)
    assert isinstance(approve, Approve)
    assert isinstance(move, Rerange)
    assert move.removals == ()
    assert [a.amount for a in approve.allowances] == [
        sum(m.amount0_desired for m in move.mints),
        sum(m.amount1_desired for m in move.mints),
    ]
    assert move.deadline == START + 600


def test_an_allowance_that_is_enough_is_left_alone() -> None:
    world = World(a_config(), allowances=(10**30, 0))
    approve, move = plan(world.snapshot(), world.decide(), world.config)
    assert isinstance(approve, Approve)
    assert [a.token for a in approve.allowances] == [world.market.token1.address]
    world.allowances = (10**30, sum(m.amount1_desired for m in rerange((move,)).mints))
    assert len(plan(world.snapshot(), world.decide(), world.config)) == 1


def test_an_allowance_may_be_unlimited_by_choice() -> None:
    world = World(a_config(gas={"approvals": "unlimited"}))
    approve, _ = plan(world.snapshot(), world.decide(), world.config)
    assert isinstance(approve, Approve)
    assert {a.amount for a in approve.allowances} == {UNLIMITED}


def test_the_same_ticks_are_served_by_the_same_nft() -> None:
    world = World(a_config())
    world.ranges[3] = (LOWER, UPPER, 10**15)
    more = rerange(planned(world, target(LOWER, UPPER, 2 * 10**15)))
    assert (more.removals, more.mints[0].token_id) == ((), 3)
    less = rerange(planned(world, target(LOWER, UPPER, 4 * 10**14)))
    assert less.mints == ()
    assert (less.removals[0].liquidity, less.removals[0].burn) == (6 * 10**14, False)


@pytest.mark.parametrize(
    ("held", "acts"),
    [(97_000, False), (96_999, True), (100_000, False), (100_001, True), (103_000, True)],
)
def test_lacking_a_little_is_tolerated_and_exceeding_is_not(held: int, acts: bool) -> None:
    world = World(a_config())
    world.ranges[3] = (LOWER, UPPER, held * 10**10)
    assert bool(planned(world, target(LOWER, UPPER, 10**15))) is acts


def test_several_nfts_of_one_range_count_together_and_the_smallest_goes_first() -> None:
    world = World(a_config())
    for token_id, liquidity in ((3, 5 * 10**14), (4, 2 * 10**14), (5, 3 * 10**14)):
        world.ranges[token_id] = (LOWER, UPPER, liquidity)
    assert planned(world, target(LOWER, UPPER, 10**15)) == ()
    less = rerange(planned(world, target(LOWER, UPPER, 6 * 10**14))).removals
    assert [(r.token_id, r.liquidity, r.burn) for r in less] == [
        (4, 2 * 10**14, True),
        (5, 2 * 10**14, False),
    ]


def test_an_empty_nft_that_is_owed_something_is_swept_with_the_rest_and_not_alone() -> None:
    world = World(a_config())
    world.ranges |= {3: (LOWER, UPPER, 0), 4: (LOWER, UPPER, 10**15)}
    world.fees[3] = (5, 5)
    assert planned(world, target(LOWER, UPPER, 10**15)) == ()
    gone = rerange(planned(world)).removals
    assert [(r.token_id, r.burn) for r in gone] == [(4, True), (3, True)]


def test_mints_never_count_on_more_than_removals_are_sure_to_pay() -> None:
    world = World(a_config(), base=Decimal(0), quote=Decimal(0))
    world.ranges[3] = (LOWER, UPPER, 10**15)
    world.fees[3] = (10**12, 10**3)
    step = rerange(planned(world, target(LOWER - 600, UPPER, 10**16)))
    (removal,) = step.removals
    (mint,) = step.mints
    assert mint.amount0_desired == removal.amount0_min + 10**12
    assert mint.amount1_desired == removal.amount1_min + 10**3
    assert 0 < removal.amount0_min < world.positions()[0].amount0


def test_what_is_decided_is_what_can_be_minted() -> None:
    """All of the capital is at work: new ranges count on what is sure to be there, and no more."""
    config = a_config(strategy={"name": "passive", "economic_gate": False, "dwell_seconds": 0})
    world = World(config)
    world.settle()
    world.price = Decimal(3890)
    world.config = a_config(
        strategy={"name": "passive", "economic_gate": False, "max_age_hours": 1}
    )
    decision, _ = world.turn(3700)
    assert decision.trigger is Trigger.AGE
    held = {ranged[:2]: ranged[2] for ranged in world.ranges.values()}
    for wanted in decision.targets:
        got = held[(wanted.tick_lower, wanted.tick_upper)]
        assert got == pytest.approx(wanted.liquidity, rel=1e-6)


def flight(**changes: object) -> InFlight:
    return replace(
        InFlight(
            intent_id="one",
            step="rerange",
            nonce=7,
            is_exit=False,
            blocks_waiting=0,
            cancelling=False,
            mined=False,
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("open_", "action"),
    [
        (flight(blocks_waiting=2), "wait"),
        (flight(blocks_waiting=3), "replace"),
        (flight(blocks_waiting=12), "cancel"),
        (flight(blocks_waiting=12, is_exit=True), "replace"),
        (flight(blocks_waiting=2, cancelling=True), "wait"),
        (flight(blocks_waiting=12, cancelling=True), "replace"),
    ],
)
def test_an_open_transaction_is_waited_for_then_replaced_then_cancelled(
    open_: InFlight, action: str
) -> None:
    world = World(a_config(), in_flight=(open_,), pending=1)
    decision, steps = world.turn()
    assert steps == (Settle(intent_id="one", action=action),)
    assert decision.targets == ()
    assert decision.trigger is None


def test_replacing_does_not_restart_the_wait_for_a_cancel() -> None:
    world = World(a_config(), in_flight=(flight(),), pending=1)
    actions = []
    for _ in range(4):
        _, steps = world.turn(48)  # four blocks; each replacement is a new attempt
        world.in_flight = (flight(blocks_waiting=4),)
        actions += [step.action for step in steps if isinstance(step, Settle)]
    assert actions == ["wait", "replace", "replace", "cancel"]


def test_a_halt_takes_back_what_waits_but_never_an_exit() -> None:
    for is_exit, action in ((False, "cancel"), (True, "wait")):
        world = World(a_config(), in_flight=(flight(is_exit=is_exit),), pending=1, halted="stop")
        _, steps = world.turn()
        assert steps == (Settle(intent_id="one", action=action),)


def test_what_is_mined_and_only_waits_for_depth_holds_nothing_back() -> None:
    world = World(a_config(), in_flight=(flight(mined=True),))
    assert world.decide().trigger is Trigger.START
    assert plan(world.snapshot(), world.decide(), world.config)


def test_transactions_are_settled_in_the_order_of_their_nonces() -> None:
    two = (flight(intent_id="b", nonce=8), flight(intent_id="a", nonce=7))
    _, steps = World(a_config(), in_flight=two, pending=2).turn()
    assert [step.intent_id for step in steps if isinstance(step, Settle)] == ["a", "b"]


def test_oracle_slots_are_paid_for_even_while_their_lack_holds_back_the_rest() -> None:
    config = a_config(guards={"observation_cardinality": 150})
    world = World(config, oracle=False, cardinality=1)
    decision, steps = world.turn()
    assert steps == (RaiseCardinality(observation_cardinality_next=150),)
    assert decision.withheld
    world.cardinality = 150
    assert world.turn(60)[1] == ()


def test_oracle_slots_are_paid_for_as_far_as_the_days_gas_goes() -> None:
    config = a_config(guards={"observation_cardinality": 5000})
    assert World(config, cardinality=1).decide().observation_cardinality == 401
    dear = World(config, cardinality=1, base_fee_wei=10 * 10**9)
    assert dear.decide().observation_cardinality == 1 + 20_000_000 // (22_500 * 101 // 10) // 1
    assert World(config, cardinality=1, halted="x").decide().observation_cardinality == 1


def test_oracle_slots_are_never_paid_for_unasked() -> None:
    world = World(a_config(), oracle=False, cardinality=1)
    assert world.turn()[1] == ()


@given(st.booleans(), st.decimals("0.05", "0.95", places=3), st.integers(-400, 400))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_decision_taken_can_be_carried_out_wherever_in_the_corridor_the_price_is(
    base_is_token0: bool, share: Decimal, hundredths: int
) -> None:
    """The world's mint asserts what the chain would: funds, minimums, liquidity."""
    config = a_config(strategy={"economic_gate": False, "dwell_seconds": 0})
    nav = Decimal(200_000)
    world = World(
        config,
        market=a_market(base_is_token0=base_is_token0),
        base=nav * share / 4000,
        quote=nav * (1 - share),
    )
    world.settle()
    world.price = Decimal(4000) * (1 + Decimal("0.035") * (1 if hundredths > 0 else -1))
    world.pass_time(3600)
    snapshot = world.snapshot()
    steps = plan(snapshot, decide(snapshot, config), config)
    world.price *= 1 + Decimal(hundredths) / 1_000_000 * 12  # within 48 bp of where it was
    for step in steps:
        world.apply(step)


def test_a_halted_decision_plans_nothing() -> None:
    world = World(a_config())
    world.ranges[3] = (LOWER, UPPER, 10**15)
    assert planned(world, state=State.HALTED) == ()
    assert isinstance(world.decide(), Decision)
