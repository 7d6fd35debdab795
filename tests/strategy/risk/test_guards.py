"""Every guard bites at its default, and does not bite just inside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.builders import GWEI, POOL, QUIET, START, World, a_config, a_market

from dexmm.model.decision import State, Trigger
from dexmm.model.intent import InFlight
from dexmm.model.market import Reference, TokenGuards
from dexmm.model.steps import Rerange, Step
from dexmm.strategy.plan import plan

OTHER = "0x00000000000000000000000000000000000000bb"
CODE = "0x74271F2282eD7eE35c166122A60c9830354be42a"
HOUR = 3600


def bites(world: World) -> set[str]:
    return {refusal.rule for refusal in world.decide().refusals}


def feed(price: str | None, *, age: int = 0) -> Reference:
    return Reference(
        name="PAXG/USD",
        price=None if price is None else Decimal(price),
        updated_at=START - age,
        heartbeat_seconds=86_400,
        problem="" if price else "the answer is zero",
    )


def tokens(**switches: object) -> TokenGuards:
    return replace(QUIET, **switches)


Case = tuple[str, Callable[[World], object], Callable[[World], object]]


def sets(**changes: object) -> Callable[[World], object]:
    def change(world: World) -> None:
        for name, value in changes.items():
            setattr(world, name, value)

    return change


def remembers(**changes: object) -> Callable[[World], object]:
    return lambda world: world.remembering(**changes)


def lost(world: World, basis_points: int) -> None:
    """NAV is this far below its peak, and where holding would be."""
    nav = world.decide().nav
    world.remembering(
        peak_nav=nav * 10_000 / (10_000 - basis_points),
        hold_base=Decimal(0),
        hold_quote=nav,
        wallet_amount0=None,
    )


def lags(world: World, basis_points: int) -> None:
    """NAV is at its peak, and this far behind holding."""
    nav = world.decide().nav
    world.remembering(
        peak_nav=nav,
        hold_base=Decimal(0),
        hold_quote=nav * 10_000 / (10_000 - basis_points),
        peak_against_hold=Decimal(1),
        wallet_amount0=None,
    )


# (rule, what makes it bite at its default, what is just inside)
ENTRY: list[Case] = [
    (
        "oracle_history",
        sets(oracle=False),
        sets(oracle=True),
    ),
    (
        "twap",
        sets(mean_price=Decimal(4000) / Decimal("1.0001") ** 102),
        sets(mean_price=Decimal(4000) / Decimal("1.0001") ** 99),
    ),
    (
        "twap",
        sets(mean_price=Decimal(4000) * Decimal("1.0001") ** 102),
        sets(mean_price=Decimal(4000) * Decimal("1.0001") ** 99),
    ),
    (
        "reference",
        sets(references=(feed("4062"),)),
        sets(references=(feed("4060"),)),
    ),
    (
        "reference",
        sets(references=(feed("3940"),)),
        sets(references=(feed("3942"),)),
    ),
    (
        "reference",
        sets(references=(feed("4000", age=86_401),)),
        sets(references=(feed("4000", age=86_400),)),
    ),
    ("reference", sets(references=(feed(None),)), sets(references=(feed("4000"),))),
    (
        "pool_liquidity",
        sets(pool_liquidity=0),
        sets(pool_liquidity=0, references=(feed("4000"),)),
    ),
    (
        "token_frozen",
        sets(guards0=tokens(frozen=("wallet",))),
        sets(guards0=tokens(frozen=())),
    ),
    (
        "token_frozen",
        sets(guards1=tokens(frozen=("position_manager",))),
        sets(guards1=tokens(frozen=())),
    ),
    ("token_fee", sets(guards0=tokens(transfer_fee=1)), sets(guards0=tokens(transfer_fee=0))),
    ("token_fee", sets(guards1=tokens(transfer_fee=10)), sets(guards1=tokens(transfer_fee=None))),
    (
        "token_deprecated",
        sets(guards1=tokens(deprecated=True)),
        sets(guards1=tokens(deprecated=False)),
    ),
    ("gas_cap", sets(base_fee_wei=30 * GWEI), sets(base_fee_wei=29_900_000_000)),
    ("gas_budget", sets(base_fee_wei=19 * GWEI), sets(base_fee_wei=18 * GWEI)),
    (
        "gas_reserve",
        sets(eth=20_000_000 * GWEI + 217_000 * GWEI),
        sets(eth=20_000_000 * GWEI + 219_000 * GWEI),
    ),
    (
        "min_interval",
        lambda world: world.remembering(last_action_at=world.now - 1799),
        lambda world: world.remembering(last_action_at=world.now - 1800),
    ),
]
ALL: list[Case] = [
    ("stale_block", sets(behind=121), sets(behind=120)),
    ("unknown_transaction", sets(pending=1), sets(pending=0)),
    ("token_paused", sets(guards0=tokens(paused=True)), sets(guards0=tokens(paused=None))),
    ("token_paused", sets(guards1=tokens(paused=True)), sets(guards1=tokens(paused=False))),
    ("token_frozen", sets(guards0=tokens(frozen=("pool",))), sets(guards0=tokens(frozen=()))),
    ("gas_cap", sets(base_fee_wei=500 * GWEI), sets(base_fee_wei=1 * GWEI)),
]
HALTS: list[Case] = [
    ("halted", sets(halted="withdraw was run"), sets(halted="")),
    ("halted", remembers(halted="NAV fell"), remembers(halted="")),
    ("drawdown", lambda world: lost(world, 1501), lambda world: lost(world, 1499)),
    ("drawdown_hold", lambda world: lags(world, 801), lambda world: lags(world, 799)),
]


def names(case: object) -> str | None:
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("rule", "bite", "inside"), ENTRY + ALL + HALTS, ids=names)
def test_it_bites_at_its_default_and_not_just_inside(
    rule: str, bite: Callable[[World], object], inside: Callable[[World], object]
) -> None:
    bitten, free = World(a_config()), World(a_config())
    bite(bitten)
    inside(free)
    assert rule in bites(bitten)
    assert rule not in bites(free)
    decision = bitten.decide()
    assert decision.targets == ()
    assert plan(bitten.snapshot(), decision, bitten.config) == ()
    assert all(refusal.detail for refusal in decision.refusals)
    assert free.decide().trigger is Trigger.START
    # at the default cap on gas the day's budget is short already: it is the one that lets go last
    assert bites(free) == ({"gas_budget"} if free.base_fee_wei > 19 * GWEI else set())
    assert bool(free.decide().targets) is (bites(free) == set())


@pytest.mark.parametrize(("rule", "bite", "_inside"), ENTRY + ALL, ids=names)
def test_it_holds_back_a_wanted_action_and_says_so(
    rule: str, bite: Callable[[World], object], _inside: object
) -> None:
    world = World(a_config())
    bite(world)
    decision = world.decide()
    assert decision.withheld
    assert decision.trigger is Trigger.START
    assert decision.state is State.ACTIVE


@pytest.mark.parametrize(("rule", "bite", "_inside"), ENTRY + ALL + HALTS, ids=names)
def test_a_refusal_never_raises_exposure(
    rule: str, bite: Callable[[World], object], _inside: object
) -> None:
    """Whatever is wanted, with this guard biting no range has more than it holds."""
    world = World(a_config(strategy={"dwell_seconds": 0}))
    world.settle()
    world.idle[1] *= 3  # a deposit: more of everything is wanted
    world.memory = replace(world.memory, last_action_at=None)
    bite(world)
    held = {(lower, upper): liquidity for lower, upper, liquidity in world.ranges.values()}
    decision = world.decide()
    assert rule in {refusal.rule for refusal in decision.refusals}
    for target in decision.targets:
        assert target.liquidity <= held.get((target.tick_lower, target.tick_upper), 0)
    assert plan(world.snapshot(), decision, world.config) == ()


@pytest.mark.parametrize(("rule", "bite", "_inside"), HALTS, ids=names)
def test_a_halt_keeps_what_is_held_and_wants_nothing(
    rule: str, bite: Callable[[World], object], _inside: object
) -> None:
    world = World(a_config())
    world.settle()
    bite(world)
    decision = world.decide()
    assert decision.state is State.HALTED
    assert not decision.withheld
    assert len(decision.targets) == 2
    assert plan(world.snapshot(), decision, world.config) == ()


def test_a_drawdown_latches_and_says_how_to_go_on() -> None:
    world = World(a_config()).remembering(
        peak_nav=Decimal(140_000), hold_base=Decimal(0), hold_quote=Decimal(1)
    )
    world.turn()
    assert "below its peak" in world.memory.halted
    world.quote = Decimal(10**6)
    world.__post_init__()  # the loss is made good, and still
    decision, steps = world.turn(60)
    assert decision.state is State.HALTED
    assert steps == ()
    assert any("dexmm resume" in refusal.detail for refusal in decision.refusals)


@pytest.mark.parametrize(
    ("low", "high", "bitten"),
    [("4001", "5000", True), ("3000", "3999", True), ("3999", "4001", False)],
)
def test_the_price_corridor_is_absolute(low: str, high: str, bitten: bool) -> None:
    world = World(a_config(market={"price_low": low, "price_high": high}))
    assert ("price_band" in bites(world)) is bitten
    assert world.decide().withheld is bitten


@pytest.mark.parametrize("part", ["pool", "position_manager", "chain_id"])
def test_another_market_than_configured_is_left_alone(part: str) -> None:
    value = 5 if part == "chain_id" else OTHER
    world = World(a_config(), market=replace(a_market(), **{part: value}))
    assert "market" in bites(world)
    assert world.decide().withheld


def test_the_wrong_side_of_the_pool_as_base_is_another_market() -> None:
    world = World(a_config(), market=replace(a_market(), base_is_token0=False), price=Decimal(1))
    assert "market" in bites(world)


def test_a_configured_feed_that_was_not_read_bites() -> None:
    world = World(a_config(market={"reference_feed": POOL}))
    assert "reference" in bites(world)
    world.references = (feed("4000"),)
    assert "reference" not in bites(world)


@pytest.mark.parametrize(
    ("rule", "outside", "inside"),
    [
        ("reference", sets(references=(feed("4085"),)), sets(references=(feed("4078"),))),
        (
            "twap",
            sets(mean_price=Decimal(4000) / Decimal("1.0001") ** 203),
            sets(mean_price=Decimal(4000) / Decimal("1.0001") ** 198),
        ),
    ],
)
def test_a_dear_pool_may_stray_by_twice_its_fee_unless_it_is_told_otherwise(
    rule: str, outside: Callable[[World], object], inside: Callable[[World], object]
) -> None:
    """At 1 % arbitrage leaves the price anywhere within a hundred basis points of the market's."""
    dear = a_market(fee_pips=10_000, tick_spacing=200)
    for change, bitten in ((outside, True), (inside, False)):
        world = World(a_config(), market=dear)
        change(world)
        assert (rule in bites(world)) == bitten
    told = World(a_config(guards={"reference_max_bp": 150, "twap_max_ticks": 100}), market=dear)
    inside(told)
    assert rule in bites(told)


def test_code_behind_a_token_may_not_change_from_what_was_first_seen() -> None:
    world = World(a_config(), guards0=tokens(implementation=CODE))
    world.settle()
    assert world.memory.implementation0 == CODE
    assert "token_implementation" not in bites(world)
    world.guards0 = tokens(implementation=POOL)
    for _ in range(3):
        assert "token_implementation" in bites(world)
        world.turn(60)  # seeing it again does not make it trusted


def test_code_behind_a_token_must_be_trusted_where_a_list_is_given() -> None:
    config = a_config(guards={"token_implementations": [CODE]})
    assert "token_implementation" not in bites(World(config, guards0=tokens(implementation=CODE)))
    assert "token_implementation" in bites(World(config, guards1=tokens(implementation=POOL)))
    assert "token_implementation" not in bites(World(config))


def test_too_little_oracle_history_says_what_to_set() -> None:
    (refusal,) = World(a_config(), oracle=False, cardinality=1).decide().refusals
    assert "guards.observation_cardinality to 150" in refusal.detail
    paying = World(a_config(guards={"observation_cardinality": 150}), oracle=False, cardinality=150)
    assert "wait" in paying.decide().refusals[0].detail


def test_our_own_waiting_transaction_is_not_unknown() -> None:
    flight = InFlight(
        intent_id="a",
        step="rerange",
        nonce=7,
        is_exit=False,
        blocks_waiting=0,
        cancelling=False,
        mined=False,
    )
    world = World(a_config(), pending=1, in_flight=(flight,))
    assert "unknown_transaction" not in bites(world)
    world.pending = 2
    assert "unknown_transaction" in bites(world)


def test_the_days_gas_is_counted_and_forgotten_at_midnight() -> None:
    spent = 19_900_000 * GWEI
    world = World(a_config()).remembering(gas_day=START // 86_400, gas_spent_today=spent)
    assert "gas_budget" in bites(world)
    world.now += 12 * HOUR
    assert "gas_budget" not in bites(world)


def moved_world(seconds: int = 0) -> World:
    """Ranges held, and the price since well beyond an edge, on the start of a weekend."""
    world = World(a_config(strategy={"economic_gate": False}))
    world.settle()
    world.price = Decimal(3870)
    world.turn(60)
    friday = START + 4 * 86_400 + 9 * HOUR
    world.now = friday - 1 + seconds
    return world


def test_ranges_do_not_follow_a_closed_market() -> None:
    open_, closed = moved_world(0), moved_world(1)
    assert "calendar" not in bites(open_)
    assert open_.decide().trigger is Trigger.EDGE
    assert not open_.decide().withheld
    assert "calendar" in bites(closed)
    assert closed.decide().withheld
    assert plan(closed.snapshot(), closed.decide(), closed.config) == ()


def test_a_first_deposit_does_not_wait_for_a_market_to_open() -> None:
    world = World(a_config(), now=START + 5 * 86_400)
    assert "calendar" in bites(world)
    assert not world.decide().withheld
    assert world.decide().targets


def test_an_event_holds_back_everything_new() -> None:
    config = a_config(guards={"closed_events": ["2025-06-16T11:30/2025-06-16T12:30"]})
    assert World(config).decide().withheld
    assert not World(config, now=START + 1800).decide().withheld


@pytest.mark.parametrize(("ticks", "bitten"), [(2000, False), (1900, True)])
def test_a_range_moves_only_so_far_at_once(ticks: int, bitten: bool) -> None:
    config = a_config(
        guards={"max_move_ticks": ticks, "twap_max_ticks": 10_000},
        strategy={"economic_gate": False, "dwell_seconds": 0},
    )
    world = World(config)
    world.settle()
    world.price = Decimal(4000) * Decimal("1.0001") ** 1950
    world.pass_time(7200)
    decision = world.decide()
    assert decision.withheld is bitten
    assert ("move_cap" in {r.rule for r in decision.refusals}) is bitten


def test_the_default_move_cap_bites_on_a_jump_of_a_quarter() -> None:
    world = World(a_config(strategy={"dwell_seconds": 0}))
    world.settle()
    world.price = Decimal(5000)
    world.pass_time(7200)
    assert "move_cap" in bites(world)


def falling() -> World:
    """The stop-loss sells, and all that could be sold is in a range that buys."""
    world = World(
        a_config(
            strategy={"name": "passive"},
            guards={
                "stop_loss_bp": 200,
                "stop_loss_release_bp": 100,
                "stop_loss_sigmas": 0,
                "stop_loss_in_pool": "range",
            },
        )
    )
    world.settle()
    world.turn(1800)
    world.now, world.price = START, Decimal(3910)
    world.memory = replace(world.memory, seen_at=START, last_action_at=None, edge_since=None)
    return world


def least_exposure(bite: Callable[[World], object]) -> tuple[bool, tuple[Step, ...]]:
    world = falling()
    bite(world)
    decision = world.decide()
    assert decision.state is State.REDUCING
    return decision.withheld, plan(world.snapshot(), decision, world.config)


# At these prices it is the feed or the average that must not be moved: it would end the stop-loss
PRICED = {"twap", "reference", "pool_liquidity", "min_interval"}


@pytest.mark.parametrize(
    ("rule", "bite", "_inside"), [c for c in ENTRY if c[0] not in PRICED], ids=names
)
def test_what_guards_entry_does_not_hold_back_less_exposure(
    rule: str, bite: Callable[[World], object], _inside: object
) -> None:
    withheld, steps = least_exposure(bite)
    assert withheld, rule  # the slice that would be sold
    (move,) = steps
    assert isinstance(move, Rerange)
    assert move.removals
    assert move.mints == ()


@pytest.mark.parametrize(("_rule", "bite", "_inside"), ALL, ids=names)
def test_what_guards_everything_holds_back_that_too(
    _rule: str, bite: Callable[[World], object], _inside: object
) -> None:
    assert least_exposure(bite) == (True, ())


def test_a_moment_since_the_last_action_does_not_hold_back_a_slice() -> None:
    withheld, steps = least_exposure(lambda world: world.remembering(last_action_at=START - 5))
    assert not withheld
    assert any(isinstance(step, Rerange) and step.mints for step in steps)
