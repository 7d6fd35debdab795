"""Many candles at once are walked as one by one, to the last digit."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.sim.agents.candle_block import draws_block, walk_block
from dexmm.sim.agents.candle_walk import draws_of, walk
from dexmm.sim.agents.price_process import generate
from dexmm.sim.agents.price_walk import PriceWalk, walk_of

corner = st.integers(10**7, 10**7 + 10**5)
still = corner.flatmap(lambda price: st.tuples(*[st.just(price)] * 4))
candles = st.lists(
    st.tuples(st.one_of(st.tuples(*[corner] * 4), still), st.floats(1e-12, 1e12)),
    min_size=1,
    max_size=40,
)


def dice_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a repeatable walk


@given(rows=candles, slots=st.sampled_from([1, 2, 3, 5, 10, 11, 25, 75, 300]), seed=st.integers(0))
@settings(max_examples=150, deadline=None)
def test_a_block_is_its_candles(
    rows: list[tuple[tuple[int, ...], float]], slots: int, seed: int
) -> None:
    seen = [(four[0], max(four), min(four), four[3]) for four, _ in rows]
    variances = [variance for _, variance in rows]
    each = draws_of(dice_of(seed), slots, len(rows))
    one_by_one = [
        walk(*corners, variance, slots, draws)
        for corners, variance, draws in zip(seen, variances, each, strict=True)
    ]
    columns = [np.array(column, dtype=np.int64) for column in zip(*seen, strict=True)]
    opened, high, low, close = columns
    together = walk_block(
        opened,
        high,
        low,
        close,
        np.array(variances),
        slots,
        draws_block(dice_of(seed), slots, len(rows)),
    )
    assert together.tolist() == one_by_one


@pytest.mark.parametrize("slots", [5, 25])
def test_both_draw_the_same_numbers(slots: int) -> None:
    each = draws_of(dice_of(7), slots, 50)
    even, normal = draws_block(dice_of(7), slots, 50)
    assert [list(one.even) for one in each] == even.tolist()
    assert [list(one.normal) for one in each] == normal.tolist()


@pytest.mark.parametrize("interval", [60, 300, 3600])
def test_a_history_is_walked_alike_with_and_without_arrays(
    interval: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without numpy, which only backtests need, the sandbox walks the same way."""
    path = generate(3, 3000, interval_seconds=interval)
    whole = walk_of(path, 3)
    monkeypatch.setattr("dexmm.sim.agents.price_walk.find_spec", lambda _name: None)
    plain = walk_of(path, 3)
    walked = [row for block in whole.blocks() for row in block.tolist()]
    assert len(walked) == 3000
    for number in (0, 1, 700, 1500, 2998, 2999):
        assert whole.prices(number) == plain.prices(number) == walked[number]


def test_a_part_of_a_history_is_walked_as_the_whole() -> None:
    """Blocks begin at the same times wherever a history begins."""
    path = generate(4, 900)
    walk_whole = walk_of(path, 4)
    columns = [
        [round(getattr(candle, name) * 10**walk_whole.price_decimals) for candle in path.candles]
        for name in ("open", "high", "low", "close")
    ]

    def part(first: int, last: int) -> PriceWalk:
        found = PriceWalk(
            *(column[first:last] for column in columns),
            interval_seconds=path.interval_seconds,
            price_decimals=walk_whole.price_decimals,
            start=path.candles[first].at,
            seed=4,
        )
        seen = walk_whole.candles
        found.candles = type(found.candles)(
            *(
                getattr(walk_whole.candles, name)[first:last]
                for name in ("own", "walked", "insets")
            ),
            {k - first: v for k, v in seen.nearer.items() if first <= k < last},
        )
        return found

    for first, last in ((0, 900), (1, 800), (333, 340), (899, 900)):
        here = part(first, last)
        assert here.finer == walk_whole.finer
        for index in range(first, last, 7):
            assert here.prices(index - first) == walk_whole.prices(index)
