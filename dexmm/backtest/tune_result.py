"""What a search found, read back from its studies: the same whether it ran just now or long ago."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from dexmm.backtest.space import Space, Value
from dexmm.backtest.space_goals import Metrics, together
from dexmm.backtest.study import Run, Search, all_trials, completed, place_of, ranked, resume
from dexmm.backtest.study_scores import TEST, TRAIN, Score, as_it_is, scored
from dexmm.backtest.study_search import refusals
from dexmm.backtest.walk_forward import Fold

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

LEAST_TO_WEIGH = 10  # trials

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A configuration that was backtested in a fold's training part."""

    number: int
    place: Mapping[str, int]
    settings: Mapping[str, Value]
    train: Run
    test: Run | None  # of the best few only
    violated: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFound:
    """``tried`` is in order of trial; ``best`` those within the constraints, best first."""

    fold: Fold
    tried: tuple[Tried, ...]
    best: tuple[Tried, ...]
    refused: tuple[tuple[str, int], ...]  # reason and how often, commonest first
    now_train: Run  # the configuration as it is
    now_test: Run | None
    importances: Mapping[str, Decimal]  # 0 to 1; empty when there is too little to tell

    @property
    def chosen(self) -> Tried | None:
        return self.best[0] if self.best else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The runs of several folds as one."""

    days: Decimal
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """``folds`` have a test; ``final`` is the choice to go live with, made on the newest part.

    The four scores are of the folds together, each fold weighing as much as the days of its test:
    what was chosen, where it was chosen and on what it never saw, and the configuration as it is.
    """

    space: Space
    folds: tuple[FoldFound, ...]
    final: FoldFound
    in_sample: Together
    out_of_sample: Together
    now_in_sample: Together
    now_out_of_sample: Together

    @property
    def settings(self) -> Mapping[str, Value] | None:
        """What to change; None when nothing met the constraints."""
        return self.final.chosen.settings if self.final.chosen else None

    @property
    def backtests(self) -> int:
        return sum(len(found.tried) for found in (*self.folds, self.final))

    def gain(self, of: Together, now: Together) -> Decimal:
        """By the first objective; above zero is better than the configuration as it is."""
        first = self.space.objectives[0]
        return first.better(of.metrics[first.metric]) - first.better(now.metrics[first.metric])


def read_result(search: Search, storage: RDBStorage) -> Tuned:
    """After every trial and score was made."""
    found = [_fold(search, fold, resume(search, fold, storage)) for fold in search.folds]
    *folds, final = found
    return Tuned(
        space=search.space,
        folds=tuple(folds),
        final=final,
        in_sample=_weighed(folds, [f.chosen.train if f.chosen else f.now_train for f in folds]),
        out_of_sample=_weighed(folds, [_test(f) for f in folds]),
        now_in_sample=_weighed(folds, [f.now_train for f in folds]),
        now_out_of_sample=_weighed(folds, [_now_test(f) for f in folds]),
    )


def _fold(search: Search, fold: Fold, study: Study) -> FoldFound:
    now, trials = as_it_is(search), all_trials(study)
    tests = {key: Run.load(kept) for key, kept in study.user_attrs.items() if key.startswith(TEST)}
    tried = {trial.number: _tried(search, tests, trial, run) for trial, run in completed(trials)}
    best = [trial.number for trial, _ in ranked(trials, search.space)]
    train = scored(search, study, trials, TRAIN, now)
    assert train is not None  # noqa: S101 - it was scored before anything is read
    return FoldFound(
        fold=fold,
        tried=tuple(tried.values()),
        best=tuple(tried[number] for number in best),
        refused=_counted(refusals(trials)),
        now_train=train,
        now_test=scored(search, study, trials, TEST, now),
        importances=importances(study, len(tried)),
    )


def _tried(search: Search, tests: Mapping[str, Run], trial: FrozenTrial, run: Run) -> Tried:
    place = place_of(trial, search.space)
    score = Score(fold=0, part=TEST, place=tuple(place.items()))
    violations = run.violations(search.space)
    return Tried(
        number=trial.number,
        place=place,
        settings=search.space.settings(place),
        train=run,
        test=tests.get(score.key),
        violated=tuple(name for name, beyond in violations.items() if beyond > 0),
    )


def _counted(reasons: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Alike but for their numbers, refusals count as one, told by the first of them."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for reason in reasons:
        kind = _NUMBER.sub("0", reason)
        first.setdefault(kind, reason)
        counts[kind] += 1
    return tuple((first[kind], count) for kind, count in counts.most_common())


def importances(study: Study, tried: int) -> dict[str, Decimal]:
    """How much each setting decides about reaching the best tenth by the first objective.

    PED-ANOVA, which compares where the best trials lie with where all do. Statistics of a sample:
    rough below fifty trials, and empty below ten.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if tried < LEAST_TO_WEIGH:
        return {}
    sign = -1 if study.directions[0].name == "MAXIMIZE" else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "lower is better", which is what the sign is for
        found = get_param_importances(
            study,
            evaluator=PedAnovaImportanceEvaluator(target_quantile=max(0.1, 2 / tried)),
            target=lambda trial: sign * trial.values[0],
        )
    return {name: Decimal(repr(value)).quantize(Decimal("0.001")) for name, value in found.items()}


def _test(found: FoldFound) -> Run:
    """Where nothing met the constraints, the configuration stays as it is."""
    run = found.chosen.test if found.chosen else found.now_test
    assert run is not None  # noqa: S101 - the best are scored, and so is the one as it is
    return run


def _now_test(found: FoldFound) -> Run:
    assert found.now_test is not None  # noqa: S101 - a fold has a test
    return found.now_test


def _weighed(folds: Sequence[FoldFound], runs: Sequence[Run]) -> Together:
    days = [_now_test(found).figures.days for found in folds]
    parts = [(weight, run.metrics) for weight, run in zip(days, runs, strict=True)]
    return Together(days=sum((r.figures.days for r in runs), Decimal(0)), metrics=together(parts))
