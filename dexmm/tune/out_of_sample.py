"""Scores on what a choice never saw: for each fold, the chosen configuration on the test parts.

Beside it stand the runners-up, to show how much of a rank in training survives, and the
configuration as it is, which tuning must beat. The chosen one and the one as it is are scored at
the other pay ratios too. Scores change nothing: the choice was made before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from dexmm.backtest.workers import Watch, Workers, undisturbed
from dexmm.tune.search_worker import (
    Place,
    configs_at,
    key_of,
    over_all,
    part_of,
)
from dexmm.tune.study import (
    Evaluate,
    Past,
    Run,
    Search,
    all_trials,
    completed,
    place_of,
    ranked,
    resume,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

TOP = 5  # of a fold's trials that are scored on its test part, the chosen one included
TRAIN, TEST = "train", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One backtest in each history: which fold, which part of it, which configuration."""

    fold: int
    part: str  # TRAIN or TEST
    place: Place
    ratio: Decimal | None = None  # None: the pay ratio that settings are chosen at

    @property
    def key(self) -> str:
        """The attribute of the fold's study that holds it."""
        at = "" if self.ratio is None else f" at {self.ratio:f}"
        return f"{self.part}{at}: {key_of(self.place)}"


def as_it_is(search: Search) -> Place:
    """The configuration to be tuned: its place in the space when it has one."""
    return tuple((search.space.place(search.config) or {}).items())


def scored(
    search: Search, study: Study, trials: Sequence[FrozenTrial], wanted: Score
) -> Run | None:
    """What is known of a configuration in a part of its fold."""
    if wanted.key in (known := study.user_attrs):
        return Run.load(known[wanted.key])
    if wanted.part != TRAIN or not wanted.place or wanted.ratio is not None:
        return None
    place = dict(wanted.place)
    same = (run for t, run in completed(trials) if place_of(t, search.space) == place)
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
            if scored(search, study, trials, wanted) is None
        ]
    return tuple(found)


def _wanted(search: Search, at: int, trials: Sequence[FrozenTrial]) -> Iterator[Score]:
    now = as_it_is(search)
    yield Score(fold=at, part=TRAIN, place=now)
    if search.folds[at].test is None:
        return
    best = [tuple(place_of(t, search.space).items()) for t, _ in ranked(trials, search.space)]
    for place in (now, *best[:TOP]):
        yield Score(fold=at, part=TEST, place=place)
    for ratio in search.ratios:
        for place in (now, *best[:1]):
            yield Score(fold=at, part=TEST, place=place, ratio=ratio)


def make(
    search: Search,
    wanted: Sequence[Score],
    storage: RDBStorage,
    workers: Workers,
    told: Callable[[int], None],
) -> None:
    """Make them, each kept as soon as it is made. ``told`` hears how many are done."""
    studies = [resume(search, fold, storage) for fold in search.folds]
    done: set[int] = set()

    def moved() -> None:
        told(len(done))

    with workers.session(score, search.bare, moved) as session:
        for number, one in enumerate(wanted):
            session.submit(number, one)
        while len(done) < len(wanted):
            finished = session.take()
            with undisturbed():
                for number, run in finished:
                    one = wanted[number]
                    studies[one.fold].set_user_attr(one.key, run.dump())
                    done.add(number)
            moved()


def score(search: Search, one: Score, watch: Watch) -> Run:
    """One of them, in whichever process."""

    def evaluate(past: Past) -> Evaluate:
        return past.evaluate if one.ratio is None else dict(past.at_ratios)[one.ratio]

    return over_all(
        search,
        configs_at(search, one.place),
        lambda past: part_of(past.folds[one.fold], one.part),
        watch,
        evaluate,
    )
