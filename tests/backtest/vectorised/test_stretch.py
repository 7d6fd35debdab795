"""The search for the turn at which something is due."""

from __future__ import annotations

import numpy as np
from backtest.vectorised.vectorised_exact import market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.vectorised.stretch import Rates, first_beyond


def in_a_row(values: list[int], first: int, running: int) -> int | None:
    run = 0
    for turn in range(first, len(values)):
        run = run + 1 if values[turn] <= -2 or values[turn] >= 2 else 0
        if run == running:
            return turn
    return None


@given(
    values=st.lists(st.integers(-3, 3), min_size=1, max_size=40),
    repeated=st.integers(1, 40),
    first=st.integers(0, 300),
    running=st.integers(1, 9),
)
@settings(max_examples=100, deadline=None)
def test_the_first_run_beyond_an_edge_is_found(
    values: list[int], repeated: int, first: int, running: int
) -> None:
    """Across the borders of what is looked at together, too."""
    calm = [0] * 250
    history = (calm + values * repeated + calm)[: max(first + 1, 250 + len(values) * repeated)]
    column = np.array(history, dtype=float)
    found = first_beyond(
        lambda begin, end: column[begin:end], (first, len(history)), (-2.0, 2.0), running
    )
    assert found == in_a_row(history, first, running)


def test_the_protocol_keeps_its_part_of_each_token() -> None:
    gross = 500 / 999_500
    for mirrored in (False, True):
        rates = Rates.of(market_of(mirrored=mirrored), 4 + (10 << 4))
        token0, token1 = (rates.quote, rates.base) if mirrored else (rates.base, rates.quote)
        assert (token0, token1) == (gross * 0.75, gross * 0.9)
    assert Rates.of(market_of(), 0) == Rates(gross, gross)
