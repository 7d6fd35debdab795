"""Scores on what a choice never saw: for each fold, the chosen configuration on the test part.

Beside it stand the runners-up, to show how much of a rank in training survives, and the
configuration as it is, which tuning must beat. Scores change nothing: the choice was made before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dexmm.backtest.space import configured
from dexmm.backtest.study import (
    Run,
    Search,
    all_trials,
    completed,
    place_key,
    place_of,
    ranked,
    resume,
)
from dexmm.backtest.study_storage import opened
from dexmm.backtest.workers import Watch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

TOP = 5  # of a fold's trials that are scored on its test part, the chosen one included
THOUSAND = 1000
TRAIN, TEST = "train", "test"

Place = tuple[tuple[str, int], ...]  # in the space; empty for the configuration as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One backtest: which fold, which part of it, which configuration."""

    fold: int
    part: str  # TRAIN or TEST
    place: Place

    @property
    def key(self) -> str:
        """The attribute of the fold's study that holds it."""
        return f"{self.part}: {place_key(dict(self.place))}"


def as_it_is(search: Search) -> Place:
    """The configuration to be tuned: its place in the space when it has one."""
    return tuple((search.space.place(search.config) or {}).items())


def scored(
    search: Search, study: Study, trials: Sequence[FrozenTrial], part: str, place: Place
) -> Run | None:
    """What is known of a configuration in a part of its fold."""
    key = Score(fold=0, part=part, place=place).key
    if key in (known := study.user_attrs):
        return Run.load(known[key])
    if part != TRAIN or not place:
        return None
    same = (run for t, run in completed(trials) if place_of(t, search.space) == dict(place))
    return next(same, None)


def missing(search: Search, storage: RDBStorage) -> tuple[Score, ...]:
    """The backtests that are still to be made."""
    found: list[Score] = []
    for at, fold in enumerate(search.folds):
        study = resume(search, fold, storage)
        trials = all_trials(study)
        found += [
            wanted
            for wanted in dict.fromkeys(_wanted(search, at, trials))
            if scored(search, study, trials, wanted.part, wanted.place) is None
        ]
    return tuple(found)


def _wanted(search: Search, at: int, trials: Sequence[FrozenTrial]) -> Iterator[Score]:
    now = as_it_is(search)
    yield Score(fold=at, part=TRAIN, place=now)
    if search.folds[at].test is None:
        return
    yield Score(fold=at, part=TEST, place=now)
    for trial, _ in ranked(trials, search.space)[:TOP]:
        place = tuple(place_of(trial, search.space).items())
        yield Score(fold=at, part=TEST, place=place)


def score(search: Search, wanted: Sequence[Score], watch: Watch) -> None:
    """Make them, each kept as soon as it is made. ``watch`` is told in thousandths of one."""
    with opened(search.storage) as storage:
        for number, one in enumerate(wanted):

            def told(done: int, total: int, before: int = THOUSAND * number) -> None:
                watch(before + THOUSAND * done // max(total, 1), THOUSAND * len(wanted))

            study = resume(search, search.folds[one.fold], storage)
            study.set_user_attr(one.key, _run(search, one, told).dump())


def _run(search: Search, one: Score, watch: Watch) -> Run:
    fold, config = search.folds[one.fold], search.config
    part = fold.train if one.part == TRAIN else fold.test
    assert part is not None  # noqa: S101 - nothing is wanted of a test that is not there
    if one.place:
        config = configured(config, search.space.settings(dict(one.place)))
    return Run.of(search.evaluate(config, part, watch))
