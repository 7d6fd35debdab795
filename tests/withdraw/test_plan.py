"""The ladder out of a position, with plain data."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dexmm.model.holdings import Position
from dexmm.units import Amount0, Amount1, Liquidity, Tick
from dexmm.withdraw.plan import RUNGS, WHOLE, Ladder, Rung


def _position(token_id: int, liquidity: int = 1, owed0: int = 1, owed1: int = 1) -> Position:
    return Position(
        token_id=token_id,
        tick_lower=Tick(-10),
        tick_upper=Tick(10),
        liquidity=Liquidity(liquidity),
        amount0=Amount0(0),
        amount1=Amount1(0),
        fees0=Amount0(owed0),
        fees1=Amount1(owed1),
    )


def test_all_together_first_then_each_alone() -> None:
    ladder = Ladder()
    positions = (_position(1), _position(2))
    assert ladder.next(positions) == (WHOLE, positions)
    ladder.failed(WHOLE, positions, "reverted")
    assert ladder.next(positions) == (WHOLE, positions[:1])
    ladder.passed(WHOLE, positions[:1])
    assert ladder.next(positions[1:]) == (WHOLE, positions[1:])


def test_more_positions_than_fit_a_transaction_go_in_several() -> None:
    ladder = Ladder()
    positions = tuple(_position(i) for i in range(100))
    assert ladder.next(positions) == (WHOLE, positions)
    ladder.too_much(positions, 55)
    first = ladder.next(positions)
    assert first == (WHOLE, positions[:55])
    ladder.passed(*first)
    assert ladder.next(positions[55:]) == (WHOLE, positions[55:])


def test_too_little_ether_first_costs_the_burn_then_the_company_and_then_the_last() -> None:
    ladder = Ladder()
    kept = WHOLE._replace(burn=False)
    positions = tuple(_position(i) for i in range(4))
    ladder.too_dear(positions, 2, 1000)
    assert ladder.next(positions) == (kept, positions)
    ladder.too_dear(positions, 3, 800)
    assert ladder.next(positions) == (kept, positions[:3])
    ladder.too_dear(positions[:3], 0, 600)
    assert ladder.next(positions) == (kept, positions[:1])
    ladder.too_dear(positions[:1], 0, 200)
    assert ladder.next(positions) == (kept, positions[1:2])
    for position in positions[1:]:
        ladder.too_dear((position,), 0, 200)
    assert ladder.next(positions) is None
    assert ladder.unpaid == dict.fromkeys(range(4), 200)


def test_a_postponed_position_does_not_hold_up_the_others() -> None:
    ladder = Ladder(together=False)
    positions = (_position(1), _position(2))
    ladder.postpone(positions[:1])
    assert ladder.next(positions) == (WHOLE, positions[1:])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=5
    ),
    st.data(),
)
def test_it_ends_whatever_the_chain_does(
    facts: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Every answer of the chain, even one that changes nothing, uses a rung up."""
    positions = tuple(_position(i, *fact) for i, fact in enumerate(facts))
    ladder = Ladder()
    # Each rung of each position, each smaller batch, and the one time that the burn is given up.
    for _ in range(2 * len(positions) * (len(RUNGS) + 2) + 2):
        choice = ladder.next(positions)
        if choice is None:
            return
        _answered(ladder, *choice, data)
    raise AssertionError("the ladder does not end")


def _answered(
    ladder: Ladder, rung: Rung, chosen: tuple[Position, ...], data: st.DataObject
) -> None:
    match data.draw(st.sampled_from(["passed", "failed", "too much", "too dear"])):
        case "passed":
            ladder.passed(rung, chosen)
        case "too much" if len(chosen) > 1:
            ladder.too_much(chosen, data.draw(st.integers(0, 9)))
        case "too dear":
            ladder.too_dear(chosen, data.draw(st.integers(0, 9)), 1)
        case _:
            ladder.failed(rung, chosen, "reverted")


@given(st.integers(0, 1), st.integers(0, 1))
def test_a_rung_that_would_move_nothing_is_left_out(owed0: int, owed1: int) -> None:
    """An emptied NFT that is owed one token is never asked for the other alone."""
    position = _position(7, liquidity=0, owed0=owed0, owed1=owed1)
    ladder = Ladder()
    while choice := ladder.next((position,)):
        rung, _ = choice
        assert (rung.collect0 and owed0) or (rung.collect1 and owed1)
        ladder.failed(rung, (position,), "reverted")
