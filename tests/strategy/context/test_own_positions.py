"""Whose a position is: what our transactions minted, what was held, and what is worth holding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategy.builders import World, a_config

from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.strategy.context.own_positions import set_aside, worth
from dexmm.strategy.decide import decide
from dexmm.strategy.remember import remember

THEIRS = 900
DUST, GIFT = 10**9, 10**14  # liquidity below the price: a hundredth of a cent, hundreds of USDT


def settled() -> World:
    world = World(a_config())
    world.settle()
    return world


def minted_to_us(world: World, liquidity: int, token_id: int = THEIRS) -> None:
    world.ranges[token_id] = (-194_380, -193_980, liquidity)


def sent_by_us(view: ChainView) -> ChainView:
    """The same with one more transaction of the wallet mined."""
    return replace(view, wallet=replace(view.wallet, nonce=view.wallet.nonce + 1))


def ids(view: ChainView) -> tuple[set[int], set[int]]:
    return {p.token_id for p in view.positions}, {p.token_id for p in view.strangers}


@pytest.mark.parametrize("liquidity", [DUST, GIFT])
def test_what_appears_while_our_nonce_stands_still_is_not_ours(liquidity: int) -> None:
    world = settled()
    ours = set(world.ranges)
    minted_to_us(world, liquidity)
    view = set_aside(world.view(), world.memory, world.config)
    assert ids(view) == (ours, {THEIRS})


def test_it_moves_no_timer_no_figure_and_no_range() -> None:
    world = settled()
    world.pass_time(3600)
    before = world.snapshot()
    quiet = remember(before, decide(before, world.config), (), world.config)
    minted_to_us(world, GIFT)
    after = replace(before, chain=set_aside(world.view(), world.memory, world.config))
    decision = decide(after, world.config)
    assert decision == decide(before, world.config)
    assert decision.trigger is None
    known = remember(after, decision, (), world.config)
    assert known == replace(quiet, strangers=(THEIRS,))


def test_it_stays_set_aside_when_something_of_ours_is_mined_later() -> None:
    world = settled()
    minted_to_us(world, GIFT)
    first = replace(world.snapshot(), chain=set_aside(world.view(), world.memory, world.config))
    memory = remember(first, decide(first, world.config), (), world.config)
    later = set_aside(sent_by_us(world.view()), memory, world.config)
    assert THEIRS in ids(later)[1]


def test_what_our_transaction_minted_is_ours_whatever_it_is_worth() -> None:
    world = settled()
    minted_to_us(world, DUST)
    placed = replace(world.memory, placed=(THEIRS,))
    assert ids(set_aside(world.view(), placed, world.config))[1] == set()


def test_what_was_held_is_ours_whatever_it_is_worth_now() -> None:
    world = settled()
    for token_id, (lower, upper, _) in world.ranges.items():
        world.ranges[token_id] = (lower, upper, 1)
    view = world.view()
    assert set_aside(view, world.memory, world.config) is view


@pytest.mark.parametrize(("liquidity", "is_ours"), [(DUST, False), (GIFT, True)])
def test_where_nobody_can_say_it_is_the_worth_that_counts(liquidity: int, is_ours: bool) -> None:
    """A lost journal, or a turn of ours that died before it could record what it minted."""
    world = settled()
    minted_to_us(world, liquidity)
    lost = set_aside(world.view(), Memory(), world.config)
    assert ids(lost)[0] >= set(world.ranges) - {THEIRS}
    assert (THEIRS in ids(lost)[0]) is is_ours
    died = set_aside(sent_by_us(world.view()), world.memory, world.config)
    assert (THEIRS in ids(died)[0]) is is_ours


def test_the_limit_is_the_configured_one() -> None:
    world = World(a_config())
    minted_to_us(world, GIFT)
    value = worth(world.positions()[0], world.view())
    for least, is_ours in ((value, True), (value + Decimal("0.01"), False)):
        config = a_config(strategy={"min_position_quote": least})
        assert (THEIRS in ids(set_aside(world.view(), Memory(), config))[0]) is is_ours


@given(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)), st.integers(6, 9))
def test_nothing_is_lost_and_nothing_of_ours_is_set_aside(
    held: set[int], placed: set[int], nonce: int
) -> None:
    world = World(a_config())
    for token_id in range(1, 13):
        minted_to_us(world, DUST if token_id % 2 else GIFT, token_id)
    settled_memory = settled().memory
    memory = replace(
        settled_memory,
        nonce=nonce,
        placed=tuple(placed),
        seen=tuple(replace(settled_memory.seen[0], token_id=each) for each in held),
    )
    ours, theirs = ids(set_aside(world.view(), memory, world.config))
    assert ours | theirs == set(range(1, 13))
    assert not ours & theirs
    assert held | placed <= ours
    assert nonce != 7 or ours == held | placed


def test_liquidity_that_others_add_is_ours_and_no_reason_to_pay_gas() -> None:
    """Dust on top of what is wanted; a share outside its band asks again at every turn."""
    world = settled()
    world.memory = replace(world.memory, capital_moved=True)
    world.turn(1800)  # answered: what is held serves it
    for token_id, (lower, upper, liquidity) in world.ranges.items():
        world.ranges[token_id] = (lower, upper, liquidity + liquidity // 20_000)
    world.memory = replace(world.memory, capital_moved=True)
    decision, steps = world.turn(1800)
    assert steps == ()
    assert not decision.withheld


def test_a_deposit_is_seen_although_somebody_adds_dust_to_our_position() -> None:
    world = settled()
    world.turn(60)
    before = world.memory
    world.idle[1] += 10_000 * 10**6
    first = next(iter(world.ranges))
    lower, upper, liquidity = world.ranges[first]
    world.ranges[first] = (lower, upper, liquidity + 5)
    snapshot: Snapshot = replace(world.snapshot(), chain=world.view())
    known = remember(snapshot, decide(snapshot, world.config), (), world.config)
    assert before.hold_quote is not None
    assert known.hold_quote == before.hold_quote + 10_000
