"""The ladder out of a position, with plain data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexmm.model.holdings import Position
from dexmm.units import Amount0, Amount1, Liquidity, Tick
from dexmm.withdraw_plan import MOST_TOGETHER, RUNGS, WHOLE, Ladder


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
    positions = tuple(_position(i) for i in range(MOST_TOGETHER + 5))
    first = ladder.next(positions)
    assert first == (WHOLE, positions[:MOST_TOGETHER])
    ladder.passed(*first)
    assert ladder.next(positions[MOST_TOGETHER:]) == (WHOLE, positions[MOST_TOGETHER:])


def test_a_postponed_position_does_not_hold_up_the_others() -> None:
    ladder = Ladder(together=False)
    positions = (_position(1), _position(2))
    ladder.postpone(positions[:1])
    assert ladder.next(positions) == (WHOLE, positions[1:])


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
    for _ in range(len(positions) * len(RUNGS) + 2):
        choice = ladder.next(positions)
        if choice is None:
            return
        rung, chosen = choice
        if data.draw(st.booleans()):
            ladder.passed(rung, chosen)
        else:
            ladder.failed(rung, chosen, "reverted")
    raise AssertionError("the ladder does not end")


@given(st.integers(0, 1), st.integers(0, 1))
def test_a_rung_that_would_move_nothing_is_left_out(owed0: int, owed1: int) -> None:
    """An emptied NFT that is owed one token is never asked for the other alone."""
    position = _position(7, liquidity=0, owed0=owed0, owed1=owed1)
    ladder = Ladder()
    while choice := ladder.next((position,)):
        rung, _ = choice
        assert (rung.collect0 and owed0) or (rung.collect1 and owed1)
        ladder.failed(rung, (position,), "reverted")
