"""What a search found, read back from its studies: the same whether it ran just now or long ago."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from dexmm.tune.objectives import Metrics, measure, together
from dexmm.tune.out_of_sample import TEST, TRAIN, Score, as_it_is, scored
from dexmm.tune.search_space import Space, Value
from dexmm.tune.search_worker import Place, refusals, replica
from dexmm.tune.study import (
    Run,
    Search,
    all_trials,
    completed,
    place_of,
    ranked,
    resume,
    slot_of,
)
from dexmm.tune.walk_forward import Fold

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

LEAST_TO_WEIGH = 10  # trials

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A configuration that was backtested in a fold's training part."""

    number: int  # the slot
    place: Mapping[str, int]
    settings: Mapping[str, Value]
    train: Run
    test: Run | None  # of the best few only
    violated: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFound:
    """``tried`` is in order of slots; ``best`` those within the constraints, best first."""

    fold: Fold
    tried: tuple[Tried, ...]
    best: tuple[Tried, ...]
    refused: tuple[tuple[str, int], ...]  # reason and how often, commonest first
    now_train: Run  # the configuration as it is
    now_test: Run | None
    importances: Mapping[str, Decimal]  # 0 to 1; empty when there is too little to tell
    # On the test parts at other pay ratios: what was chosen (the one as it is where nothing met
    # the constraints), and the configuration as it is.
    at_ratios: Mapping[Decimal, tuple[Run, Run]]
    everywhere: tuple[Fold, ...]  # the same fold in each history, the first's included

    @property
    def train_days(self) -> Decimal:
        """In all histories."""
        return sum((fold.train.days for fold in self.everywhere), Decimal(0))

    @property
    def chosen(self) -> Tried | None:
        return self.best[0] if self.best else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The runs of several folds as one."""

    days: Decimal
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All that was unseen of one history at one pay ratio: the tuned against the one as it is."""

    history: str
    pay_ratio: Decimal | None  # None: its trades were recorded
    days: Decimal
    tuned: Metrics
    as_it_is: Metrics


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
    cells: tuple[Cell, ...] = ()  # history by history, in each by pay ratio
    histories: tuple[str, ...] = ("",)

    @property
    def settings(self) -> Mapping[str, Value] | None:
        """What to change; None when nothing met the constraints."""
        return self.final.chosen.settings if self.final.chosen else None

    @property
    def backtests(self) -> int:
        return sum(len(found.tried) for found in (*self.folds, self.final))

    def gain(self, of: Together, now: Together) -> Decimal:
        """By the first objective; above zero is better than the configuration as it is."""
        return self.gained(of.metrics, now.metrics)

    def gained(self, of: Metrics, now: Metrics) -> Decimal:
        """``gain`` of what was measured."""
        first = self.space.objectives[0]
        return first.better(of[first.metric]) - first.better(now[first.metric])


def read_result(search: Search, storage: RDBStorage) -> Tuned:
    """After every trial and score was made."""
    found = [_fold(search, at, storage) for at in range(len(search.folds))]
    *folds, final = found
    return Tuned(
        space=search.space,
        folds=tuple(folds),
        final=final,
        in_sample=_weighed(folds, [f.chosen.train if f.chosen else f.now_train for f in folds]),
        out_of_sample=_weighed(folds, [_test(f) for f in folds]),
        now_in_sample=_weighed(folds, [f.now_train for f in folds]),
        now_out_of_sample=_weighed(folds, [_now_test(f) for f in folds]),
        cells=tuple(_cells(search, folds)),
        histories=tuple(past.name for past in search.pasts),
    )


def _cells(search: Search, folds: Sequence[FoldFound]) -> Iterator[Cell]:
    for at, past in enumerate(search.pasts):
        runs: dict[Decimal | None, list[tuple[Run, Run]]]
        runs = {past.pay_ratio: [(_test(f), _now_test(f)) for f in folds]}
        for ratio in search.ratios:
            runs[ratio] = [found.at_ratios[ratio] for found in folds]
        for at_ratio in sorted(runs, key=lambda ratio: ratio or Decimal(0)):
            pairs = [(one.parts[at], now.parts[at]) for one, now in runs[at_ratio]]
            yield Cell(
                history=past.name,
                pay_ratio=at_ratio,
                days=sum((now.days for _, now in pairs), Decimal(0)),
                tuned=together([(now.days, measure(one)) for one, now in pairs]),
                as_it_is=together([(now.days, measure(now)) for _, now in pairs]),
            )


def _fold(search: Search, at: int, storage: RDBStorage) -> FoldFound:
    fold = search.folds[at]
    study = resume(search, fold, storage)
    now, trials = as_it_is(search), all_trials(study)
    tests = {key: Run.load(kept) for key, kept in study.user_attrs.items() if key.startswith(TEST)}
    tried = {slot_of(trial): _tried(search, tests, trial, r) for trial, r in completed(trials)}
    best = [slot_of(trial) for trial, _ in ranked(trials, search.space)]

    def run(part: str, place: Place, ratio: Decimal | None = None) -> Run | None:
        return scored(search, study, trials, Score(fold=0, part=part, place=place, ratio=ratio))

    train = run(TRAIN, now)
    assert train is not None  # noqa: S101 - it was scored before anything is read
    chosen = tuple(tried[best[0]].place.items()) if best else now
    ratios = {}
    for ratio in search.ratios if fold.test is not None else ():
        both = run(TEST, chosen, ratio), run(TEST, now, ratio)
        assert both[0] is not None and both[1] is not None  # noqa: PT018, S101 - as above
        ratios[ratio] = both[0], both[1]
    return FoldFound(
        fold=fold,
        tried=tuple(tried.values()),
        best=tuple(tried[number] for number in best),
        refused=_counted(refusals(trials)),
        now_train=train,
        now_test=run(TEST, now),
        importances=importances(replica(search, trials), len(tried)),
        at_ratios=ratios,
        everywhere=tuple(past.folds[at] for past in search.pasts),
    )


def _tried(search: Search, tests: Mapping[str, Run], trial: FrozenTrial, run: Run) -> Tried:
    place = place_of(trial, search.space)
    score = Score(fold=0, part=TEST, place=tuple(place.items()))
    violations = run.violations(search.space)
    return Tried(
        number=slot_of(trial),
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
    days = [_now_test(found).days for found in folds]
    parts = [(weight, run.metrics) for weight, run in zip(days, runs, strict=True)]
    return Together(days=sum((run.days for run in runs), Decimal(0)), metrics=together(parts))
