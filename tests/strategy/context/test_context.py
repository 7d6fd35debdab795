"""What turns share while nothing moves, and that sharing it changes nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import BASE, GWEI, POOL, QUIET, START, World, a_config, a_market

from dexmm.decimal_context import precise
from dexmm.model.market import Reference
from dexmm.model.memory import Memory, evolve
from dexmm.model.snapshot import Snapshot
from dexmm.strategy.context import context as looks
from dexmm.strategy.context.context import look, looked
from dexmm.strategy.context.market_limits import Limits
from dexmm.strategy.context.trading_hours import event_on, market_closed
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember
from dexmm.strategy.risk.guards import GUARDS, biting


def a_deployed_world() -> World:
    world = World(a_config())
    world.turn()
    assert world.ranges
    return world


def alone(snapshot: Snapshot, world: World) -> tuple[object, ...]:
    """What is decided, planned and remembered by who has never seen another snapshot."""
    looks._newest = looks._newest_pay = None
    decision = decide(snapshot, world.config)
    steps = plan(snapshot, decision, world.config)
    return decision, steps, remember(snapshot, decision, (), world.config)


def test_turns_in_which_nothing_moves_share_what_is_held_and_what_is_configured() -> None:
    world = a_deployed_world()
    first = world.snapshot()
    before = look(first, world.config)
    later = replace(
        first, chain=replace(first.chain, block=replace(first.chain.block, number=10**7))
    )
    after = look(later, world.config)
    assert after.holding is before.holding
    assert after.inventory is before.inventory
    assert after.limits is before.limits
    assert looked(later, world.config) is after
    assert looked(first, world.config) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    moves=st.lists(
        st.sampled_from(["nothing", "price", "fees", "idle", "time", "memory", "config"]),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_shared_is_what_would_be_worked_out_afresh(moves: list[str]) -> None:
    world = a_deployed_world()
    snapshot, config = world.snapshot(), world.config
    for move in moves:
        view = snapshot.chain
        if move == "price":
            world.price += 7
            view = replace(world.view(), positions=view.positions, wallet=view.wallet)
        elif move == "fees":
            view = replace(
                view, positions=tuple(replace(p, fees1=p.fees1 + 10**6) for p in view.positions)
            )
        elif move == "idle":
            view = replace(view, wallet=replace(view.wallet, amount1=view.wallet.amount1 + 10**6))
        elif move == "time":
            block = replace(view.block, timestamp=view.block.timestamp + 3600)
            snapshot = replace(snapshot, observed_at=block.timestamp)
            view = replace(view, block=block)
        elif move == "memory":
            snapshot = replace(snapshot, memory=replace(snapshot.memory, seen=()))
        elif move == "config":
            world.config = config = a_config(strategy={"band_high": Decimal("0.45")})
        snapshot = replace(snapshot, chain=view)
        decision = decide(snapshot, config)
        steps = plan(snapshot, decision, config)
        shared = decision, steps, remember(snapshot, decision, (), config)
        assert shared == alone(snapshot, world)
        snapshot = replace(snapshot, memory=shared[2])


def test_nothing_to_do_is_planned_without_a_look_as_with_one() -> None:
    world = a_deployed_world()
    snapshot = world.snapshot()
    decision = decide(snapshot, world.config)
    assert plan(snapshot, decision, world.config) == ()
    looks._newest = None
    assert plan(snapshot, decision, world.config) == ()


LATE = Reference(name="feed", price=Decimal(3000), updated_at=0, heartbeat_seconds=86_400)
FAR = replace(LATE, updated_at=START)
FRESH = replace(FAR, price=Decimal(4000))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_group_of_guards_is_left_out_only_where_none_of_it_bites(data: st.DataObject) -> None:
    draw = data.draw
    odd = replace(
        QUIET,
        paused=draw(st.booleans()),
        frozen=draw(st.sampled_from([(), ("pool",)])),
        transfer_fee=draw(st.sampled_from([0, 3])),
        deprecated=draw(st.booleans()),
        implementation=draw(st.sampled_from([None, POOL])),
    )
    world = World(
        a_config(
            market={
                "price_low": Decimal(3000),
                "price_high": Decimal(5000),
                "reference_feed": draw(st.sampled_from([None, POOL])),
            },
            gas={"reserve_eth": Decimal("0.02"), "daily_budget_eth": Decimal("0.02")},
        ),
        price=draw(st.sampled_from([Decimal(4000), Decimal(2999), Decimal(5001)])),
        market=draw(st.sampled_from([a_market(), replace(a_market(), pool=BASE)])),
        guards0=draw(st.sampled_from([QUIET, odd])),
        guards1=draw(st.sampled_from([QUIET, odd])),
        references=draw(st.sampled_from([(), (LATE,), (FAR,), (FRESH,), (FRESH, FAR)])),
        base_fee_wei=draw(st.sampled_from([GWEI // 10, 17 * GWEI, 100 * GWEI, 600 * GWEI])),
        eth=draw(st.sampled_from([10**18, 10**16, 0])),
        pool_liquidity=draw(st.sampled_from([10**18, 0])),
        oracle=draw(st.booleans()),
        mean_price=draw(st.sampled_from([None, Decimal(4200)])),
        pending=draw(st.sampled_from([0, 1])),
        behind=draw(st.sampled_from([0, 120, 121])),
        halted=draw(st.sampled_from(["", "because"])),
    )
    seen = look(world.snapshot(), world.config)

    @precise
    def one_by_one() -> tuple[object, ...]:
        return tuple(bite for _, guards in GUARDS for guard in guards for bite in guard(seen))

    assert precise(biting)(seen) == one_by_one()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(times=st.lists(st.integers(1_750_000_000, 1_752_000_000), min_size=1, max_size=8))
def test_the_calendar_is_remembered_until_it_changes_whatever_the_clock_does(
    times: list[int],
) -> None:
    config = a_config(
        guards={
            "closed_sessions": ["2025-06-19T00:00/2025-06-20T00:00"],
            "closed_events": ["2025-06-18T18:00/2025-06-18T20:00"],
        }
    )
    limits = Limits(config, a_market())
    for now in times:
        expected = market_closed(now, config.guards), event_on(now, config.guards.closed_events)
        assert limits.calendar(now) == expected


def test_what_the_pool_pays_is_worked_out_anew_when_anything_behind_it_has_moved() -> None:
    """The newest answer is kept: whatever it was worked out from must be part of its key."""
    world = World(a_config(strategy={"name": "measured"}))
    world.turn()
    seconds, sample = 60 * 86_400, 3600
    memory = evolve(
        world.memory,
        fee_growth_at=world.now,
        pool_paid=Decimal(10**10),
        pool_liquidity=Decimal(10**18) * seconds,
        pool_seconds=Decimal(seconds),
        pool_gas=Decimal(20_000) * seconds,
        pool_variance=Decimal("5e-10"),
        pool_variance_error=Decimal("1e-4"),
        pool_variance_seconds=seconds,
        pool_sample_seconds=Decimal(sample),
        recent_paid=Decimal(10**9),
        recent_liquidity=Decimal(10**18) * sample,
        recent_seconds=Decimal(sample),
        recent_variance=Decimal("5e-10"),
        recent_variance_most=Decimal("1e-9"),
    )
    names = [each.name for each in fields(Memory) if each.name.startswith(("pool_", "recent_"))]
    assert len(names) > 12
    moved = 0
    for name in names:
        value = getattr(memory, name)
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            continue
        other = replace(world.snapshot(), memory=evolve(memory, **{name: value * 7}))
        before = look(replace(world.snapshot(), memory=memory), world.config).pay
        kept = look(other, world.config).pay
        looks._newest = looks._newest_pay = None
        assert kept == look(other, world.config).pay, name
        moved += kept != before
    assert moved > 8  # it was about figures that count
