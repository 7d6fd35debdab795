from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategy.builders import GWEI, START, World, a_config

from dexmm.model.intent import InFlight
from dexmm.model.memory import Memory, draft, evolve, settled
from dexmm.model.steps import Outcome
from dexmm.strategy.decide import decide
from dexmm.strategy.remember import CLOCKS, remember, rewound

DAY = 86_400


def a_world() -> World:
    world = World(a_config())
    world.settle()
    return world


def after(world: World, *outcomes: Outcome) -> Memory:
    snapshot = world.snapshot()
    return remember(snapshot, decide(snapshot, world.config), outcomes, world.config)


def outcome(step: str = "rerange", status: str = "mined", **changes: object) -> Outcome:
    return replace(Outcome(step=step, status=status), **changes)  # type: ignore[arg-type]


def test_a_deposit_moves_the_peak_and_the_holding() -> None:
    world = a_world()
    world.turn(60)
    before = world.memory
    world.idle[1] += 10_000 * 10**6
    world.turn(60)
    now = world.memory
    assert now.hold_quote == before.hold_quote + 10_000
    assert now.hold_base == before.hold_base
    assert now.peak_nav == pytest.approx(before.peak_nav + 10_000)


def test_a_withdrawal_never_looks_like_a_loss() -> None:
    world = a_world()
    world.turn(60)
    world.remembering(peak_nav=world.decide().nav * Decimal("1.1"))
    world.idle[1] -= 50_000 * 10**6
    decision, _ = world.turn(60)
    assert decision.state == "ACTIVE"
    assert world.memory.peak_nav / decision.nav == pytest.approx(Decimal("1.1"))
    assert world.memory.peak_against_hold == pytest.approx(1, abs=Decimal("0.0001"))


def test_our_own_re_range_is_no_deposit() -> None:
    world = World(a_config(strategy={"economic_gate": False, "dwell_seconds": 0}))
    world.settle()
    world.turn(60)
    before = world.memory
    world.price = Decimal(3870)
    world.turn(3600)
    assert world.memory.wallet_amount0 is None
    world.turn(60)
    world.turn(60)
    assert (world.memory.hold_base, world.memory.hold_quote) == (
        before.hold_base,
        before.hold_quote,
    )


def test_what_a_waiting_transaction_changes_is_no_deposit() -> None:
    world = a_world()
    world.turn(60)
    before = world.memory.hold_quote
    world.in_flight = (
        InFlight(
            intent_id="a",
            step="swap",
            nonce=7,
            is_exit=False,
            blocks_waiting=1,
            cancelling=False,
            mined=False,
        ),
    )
    world.turn(60)
    world.in_flight = ()
    world.idle[1] += 10_000 * 10**6
    world.turn(60)
    assert world.memory.hold_quote == before
    assert not world.memory.capital_moved


def test_balances_seen_while_a_transaction_waits_are_not_compared_with() -> None:
    world = a_world()
    flight = InFlight(
        intent_id="a",
        step="rerange",
        nonce=7,
        is_exit=False,
        blocks_waiting=1,
        cancelling=False,
        mined=False,
    )
    assert after(world).wallet_amount0 is not None
    world.in_flight = (flight,)
    assert after(world, outcome("settle", "skipped")).wallet_amount0 is None
    world.in_flight = (replace(flight, mined=True),)
    assert after(world).wallet_amount0 is not None


def test_a_price_far_from_its_average_is_no_sample_of_volatility() -> None:
    world = a_world()
    before = world.memory.last_price
    world.pass_time(3600)
    world.price, world.mean_price = Decimal(4100), Decimal(4000)
    assert after(world).last_price == before
    world.mean_price = Decimal(4095)
    assert after(world).last_price == world.market.price(world.sqrt_price_x96)


def test_a_closed_market_says_nothing_about_volatility() -> None:
    """Friday's estimate is Sunday's; the gap at the open counts in the first hours of trading."""
    friday = 1_750_450_800  # 2025-06-20 20:20 UTC
    world = a_world()
    world.now = friday
    world.memory = replace(after(world), variance_seconds=86_400)
    before = world.memory
    for _ in range(50):
        world.pass_time(3600)
        world.memory = after(world)
    assert world.memory.variance_per_second == before.variance_per_second
    assert world.memory.variance_seconds - before.variance_seconds <= 3600
    world.price *= Decimal("1.01")
    for _ in range(2):
        world.pass_time(3600)
        world.memory = after(world)
    assert world.memory.variance_per_second > before.variance_per_second


def test_liquidity_taken_out_by_another_hand_is_no_deposit() -> None:
    world = a_world()
    world.turn(60)
    peak = world.memory.peak_nav
    for position in world.positions():
        world._remove(position.token_id, position.liquidity, burn=True)
    world.turn(60)
    assert world.memory.peak_nav == pytest.approx(peak)


def test_income_is_what_uncollected_fees_grew_by() -> None:
    world = a_world()
    world.turn(60)
    first, second = world.ranges
    world.fees = {first: (10**15, 2 * 10**6), second: (0, 10**6)}
    world.turn(60)
    assert (world.memory.fees_base, world.memory.fees_quote) == (Decimal("0.001"), 3)
    world.fees = {first: (10**14, 0), second: (0, 4 * 10**6)}  # the first was collected
    world.turn(60)
    assert (world.memory.fees_base, world.memory.fees_quote) == (Decimal("0.0011"), 6)
    assert world.memory.open_fees_quote == 4
    assert world.memory.fees_since == START


def test_only_time_around_the_price_earns() -> None:
    world = a_world()
    before = world.memory.earning_seconds
    world.turn(600)
    assert world.memory.earning_seconds == before + 600
    world.price = Decimal(4500)
    world.turn(600)
    assert world.memory.earning_seconds == before + 600


def test_gas_is_counted_by_day_and_for_ever() -> None:
    world = a_world()
    spent = outcome(gas_used=500_000, gas_price=2 * GWEI)
    world.memory = after(world, spent, outcome("approve", gas_used=50_000, gas_price=GWEI))
    assert world.memory.gas_spent_today == 1_050_000 * GWEI
    world.now += DAY
    world.memory = after(world, spent)
    assert world.memory.gas_spent_today == 1_000_000 * GWEI
    assert world.memory.gas_spent == 2_050_000 * GWEI


@pytest.mark.parametrize(
    ("status", "acted", "ranged"),
    [
        ("mined", True, True),
        ("pending", True, False),
        ("reverted", True, False),
        ("failed", False, False),
        ("refused", False, False),
        ("skipped", False, False),
    ],
)
def test_what_counts_as_an_action(status: str, acted: bool, ranged: bool) -> None:
    world = a_world()
    world.remembering(last_action_at=None, last_rerange_at=None)
    world.pass_time(60)
    memory = after(world, outcome(status=status))
    assert (memory.last_action_at == world.now) is acted
    assert (memory.last_rerange_at == world.now) is ranged
    assert (memory.wallet_amount0 is None) is (status not in {"refused", "skipped"})


def test_a_re_range_starts_the_dwell_anew() -> None:
    world = a_world()
    world.price = Decimal(3870)
    assert after(world).edge_since == world.now
    assert after(world, outcome()).edge_since is None


def test_an_approval_is_no_action() -> None:
    world = a_world().remembering(last_action_at=None)
    assert after(world, outcome("approve")).last_action_at is None


def test_a_mint_that_was_only_found_later_is_still_a_re_range() -> None:
    """The process died after sending; the next one sees a new NFT."""
    world = World(a_config())
    world.turn()
    world.memory = Memory(seen_at=START, sigma_at_rerange=Decimal(1))
    world.turn(60)
    assert world.memory.last_action_at == world.now
    assert world.memory.last_rerange_at == world.now
    assert world.memory.sigma_at_rerange == world.decisions[-1].sigma


def test_a_mint_that_was_told_is_not_found_once_more() -> None:
    world = a_world()
    world.memory = Memory()
    world.ranges.clear()
    world.turn()
    acted = world.now
    world.turn(300)
    assert world.memory.last_action_at == acted
    assert world.memory.last_rerange_at == acted


def test_what_is_decided_is_decided_again_from_the_same_snapshot() -> None:
    world = a_world()
    for price in (3900, 3870, 3860, 4100, 4140):
        world.price = Decimal(price)
        snapshot = world.snapshot()
        first = decide(snapshot, world.config)
        world.turn(1200)
        assert decide(snapshot, world.config) == first


def test_a_lost_memory_costs_no_action() -> None:
    world = a_world()
    world.turn(60)
    world.memory = Memory()
    assert world.turn(60)[1] == ()
    assert world.turn(60)[1] == ()


def test_a_clock_that_went_back_a_little_keeps_every_timer() -> None:
    """A reorganisation: the last action is still the last action."""
    known = Memory(seen_at=1_000, last_action_at=1_000, last_rerange_at=990, edge_since=900)
    back = rewound(known, 995)
    assert (back.seen_at, back.last_action_at) == (995, 995)
    assert (back.last_rerange_at, back.edge_since) == (990, 900)


def test_a_clock_that_went_back_far_leaves_no_timer_in_the_future() -> None:
    """A sandbox that was taken back: what it did then did not happen."""
    then = 10_000
    known = Memory(
        seen_at=then, last_time=then, edge_since=then, band_since=then - 1, last_action_at=then,
        last_rerange_at=then, last_slice_at=then, fees_since=1, unsettled_at=then,
        last_hedge_at=then, order_refused_at=then, peak_nav=Decimal(5),
    )  # fmt: skip
    back = rewound(known, 2_800)
    assert back.last_action_at is None
    assert back.peak_nav == 5
    assert back.fees_since == 1
    assert {getattr(back, name) for name in CLOCKS} == {2_800, None, 1}


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_clock_that_goes_forward_changes_nothing(seen_at: int, later: int) -> None:
    known = Memory(seen_at=seen_at, last_action_at=seen_at + 5)
    assert rewound(known, seen_at + later) is known
    assert rewound(Memory(), later) == Memory()


def test_every_timestamp_of_the_memory_is_known_to_be_one() -> None:
    named = {f.name for f in fields(Memory) if f.name.endswith(("_at", "_since", "_time"))}
    assert named == set(CLOCKS)


def test_a_draft_is_changed_in_place_until_it_is_settled() -> None:
    before = Memory(nonce=1)
    made = draft(before)
    assert evolve(made, nonce=2) is made
    done = settled(made)
    assert type(done) is Memory
    assert done == replace(before, nonce=2)
    assert before.nonce == 1
    after = evolve(done, nonce=3)  # from now on it never changes again
    assert (done.nonce, after.nonce) == (2, 3)
    with pytest.raises(TypeError, match="no_such_field"):
        evolve(draft(before), no_such_field=1)
