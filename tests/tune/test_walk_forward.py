"""Folds: what a choice was made on never touches what it is scored on."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tune.tune_scene import DAY, MONDAY, config_for, space_for

from dexmm.errors import BadInput
from dexmm.tune.space_file import parse_space
from dexmm.tune.walk_forward import LEAST_STEPS, Stretch, embargo_seconds, fold

HOUR = 3600
YEAR = Stretch(since=MONDAY, until=MONDAY + 360 * DAY)


def test_train_grows_and_tests_tile_the_rest() -> None:
    folds = fold(YEAR, 300, 3, 2 * DAY)
    assert [f.name for f in folds] == ["fold 1", "fold 2", "fold 3", "final"]
    assert [f.train.days for f in folds] == [90, 180, 270, 360]
    assert {f.train.since for f in folds} == {MONDAY}
    assert [f.test.days for f in folds if f.test] == [88, 88, 88]
    assert folds[-1].test is None


def test_rolling_trains_on_one_block() -> None:
    folds = fold(YEAR, 300, 3, 2 * DAY, rolling=True)
    assert [f.train.days for f in folds] == [90, 90, 90, 90]
    assert [f.train.until for f in folds] == [MONDAY + 90 * k * DAY for k in (1, 2, 3, 4)]


@settings(max_examples=100, deadline=None)
@given(
    steps=st.integers(100, 200_000),
    step=st.sampled_from([60, 300, 3600]),
    count=st.integers(1, 12),
    embargo=st.integers(0, 40 * DAY),
    rolling=st.booleans(),
)
def test_the_embargo_lies_between_every_train_and_its_test(
    steps: int, step: int, count: int, embargo: int, rolling: bool
) -> None:
    whole = Stretch(since=MONDAY, until=MONDAY + steps * step)
    try:
        folds = fold(whole, step, count, embargo, rolling=rolling)
    except BadInput:
        assume(False)
        return
    for found in folds[:-1]:
        assert found.test is not None
        assert found.test.since - found.train.until >= embargo
        assert found.test.until - found.test.since >= LEAST_STEPS * step
        for bound in (found.train.since, found.train.until, found.test.since, found.test.until):
            assert (bound - MONDAY) % step == 0
    for before, after in pairwise(folds):
        assert before.test is not None
        assert before.test.until <= after.train.until
    assert folds[-1].train.until == whole.until


@pytest.mark.parametrize(("days", "count", "embargo_days"), [(10, 4, 3), (1, 1, 0), (360, 20, 30)])
def test_too_little_history_says_what_to_do(days: int, count: int, embargo_days: int) -> None:
    whole = Stretch(since=MONDAY, until=MONDAY + days * DAY)
    with pytest.raises(BadInput, match="take a longer history, fewer --folds") as error:
        fold(whole, HOUR, count, embargo_days * DAY)
    assert "\n" not in error.value.message


@pytest.mark.parametrize("count", [0, -1, 51])
def test_a_senseless_number_of_folds(count: int) -> None:
    with pytest.raises(BadInput, match="1 to 50 folds"):
        fold(YEAR, 300, count, 0)


def test_the_embargo_is_the_longest_memory_the_space_can_choose() -> None:
    config = config_for(strategy={"horizon_hours": 30, "sigma_halflife_hours": "20.5"})
    assert embargo_seconds(config, space_for(config)) == 30 * HOUR
    text = '[space]\n"strategy.sigma_halflife_hours" = [6, 36.5]\n'
    assert embargo_seconds(config, parse_space(text, config, "s")) == 37 * HOUR
    text = '[space]\n"strategy.horizon_hours" = [6, 12]\n'
    assert embargo_seconds(config, parse_space(text, config, "s")) == 21 * HOUR


def test_days_of_a_stretch() -> None:
    assert Stretch(since=0, until=DAY // 2).days == Decimal("0.5")


def test_weeks_of_a_pools_pay_leave_room_to_test() -> None:
    """Every part is a run of its own that begins without a memory."""
    text = '[space]\n"strategy.pay_halflife_hours" = [24, 336]\n'
    config = config_for(strategy={"name": "measured"})
    assert embargo_seconds(config, parse_space(text, config, "s")) == 72 * HOUR
