"""One worker at its trials: ask for a configuration, refuse it cheaply or backtest it, tell.

Every trial has a sampler of its own, seeded by the search's seed, the fold and how many trials
there were before: with one worker the same search finds the same, and workers that share a storage
differ without knowing of each other.

A configuration that was tried before is not backtested again. One whose settings do not go
together, or that ``judge`` finds senseless, costs no backtest and does not count as a trial.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from dexmm.backtest.space import TRIED, configured
from dexmm.backtest.study import (
    REFUSED,
    RUN,
    Run,
    Search,
    all_trials,
    completed,
    place_key,
    place_of,
    resume,
)
from dexmm.backtest.study_storage import BEATS_MISSED, opened
from dexmm.backtest.walk_forward import Fold
from dexmm.backtest.workers import Watch
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

REFUSED_PER_TRIAL = 5  # beyond, the space is mostly senseless and searching on is a waste
REFUSED_ANYWAY = 100
WAIT_SECONDS = 0.25  # between two looks at what others have in hand
EVOLVING_TRIALS = 100  # NSGA-II needs generations; below, TPE weighs several objectives better
LEAST_RANDOM, MOST_RANDOM = 5, 10  # trials before the first that has learnt
LEAST_POPULATION, MOST_POPULATION = 8, 50


def work(search: Search, number: int, watch: Watch) -> None:
    """Trials in every fold, until all have as many as planned. ``number`` tells workers apart.

    Trials that others have in hand are left to them; at the end they are waited for, and done
    again when their worker has died.
    """
    with opened(search.storage) as storage:
        for patient in (False, True):
            for at, fold in enumerate(search.folds):
                _fill(search, at, resume(search, fold, storage), watch, patient=patient)


def _fill(search: Search, at: int, study: Study, watch: Watch, *, patient: bool) -> None:
    waits = BEATS_MISSED * search.storage.heartbeat_seconds / WAIT_SECONDS if patient else 0
    while not enough(search, trials := all_trials(study)):
        watch(0, 1)
        if not enough(search, trials, sum(t.state.name == "RUNNING" for t in trials)):
            one_trial(search, at, study, trials, watch)
        elif waits > 0:
            waits -= 1
            _fail_stale(study)
            time.sleep(WAIT_SECONDS)
        elif patient:  # somebody slow, or killed before the first beat of its heart
            one_trial(search, at, study, trials, watch)
        else:
            return


def _fail_stale(study: Study) -> None:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import fail_stale_trials

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)


def enough(search: Search, trials: Sequence[FrozenTrial], in_hand: int = 0) -> bool:
    """Whether a fold has its trials, or a space so senseless that it will not get them.

    ``in_hand`` are trials under way that are taken for done.
    """
    if len(refusals(trials)) >= REFUSED_ANYWAY + REFUSED_PER_TRIAL * search.trials:
        return True
    if search.exhaustive:
        return len(_finished(search, trials)) + in_hand >= search.space.size
    return sum(t.state.name == "COMPLETE" for t in trials) + in_hand >= search.planned


def refusals(trials: Sequence[FrozenTrial]) -> list[str]:
    """Why configurations were not backtested, one for each."""
    return [str(t.user_attrs[REFUSED]) for t in trials if t.state.name == "PRUNED"]


def one_trial(
    search: Search, at: int, study: Study, trials: Sequence[FrozenTrial], watch: Watch
) -> None:
    """``trials`` are those before it."""
    from optuna.exceptions import ExperimentalWarning

    done: list[int] = []

    def objective(trial: Trial) -> list[float]:
        values = _try(search, search.folds[at], trials, trial, watch)
        done.append(trial.number)
        return values

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.sampler = _sampler(search, at, len(trials), _wanted(search, trials))
        try:
            study.optimize(objective, n_trials=1)
        except ValueError:
            if not _given_up(study, done):
                raise


def _given_up(study: Study, done: Sequence[int]) -> bool:
    """Whether others took this worker for dead, as after the sleep of a machine."""
    return any(t.number in done and t.state.name == "FAIL" for t in all_trials(study))


def _try(
    search: Search, fold: Fold, before: Sequence[FrozenTrial], trial: Trial, watch: Watch
) -> list[float]:
    from optuna import TrialPruned

    place = _suggested(search, trial)
    same = (r for t, r in completed(before) if place_of(t, search.space) == place)
    run = next(same, None)
    if run is None:
        try:
            run = _run(search, fold, place, watch)
        except BadInput as error:
            refused = error.message.splitlines()[0].removeprefix(f"{TRIED}: ")
            trial.set_user_attr(REFUSED, refused)
            raise TrialPruned(refused) from None
    trial.set_user_attr(RUN, run.dump())
    for name, violation in run.violations(search.space).items():
        trial.set_constraint(name, float(violation))
    return [float(run.metrics[o.metric]) for o in search.space.objectives]


def _suggested(search: Search, trial: Trial) -> dict[str, int]:
    found = {}
    for p in search.space.parameters:
        last = p.log_from + len(p.values) - 1
        if p.ordered:
            drawn = trial.suggest_int(p.name, p.log_from, last, log=p.log_from > 0)
        else:
            drawn = trial.suggest_categorical(p.name, range(len(p.values)))
        found[p.name] = drawn - p.log_from
    return found


def _run(search: Search, fold: Fold, place: Mapping[str, int], watch: Watch) -> Run:
    """Raises ``BadInput`` for a configuration that makes no sense, before it is backtested."""
    config = configured(search.config, search.space.settings(place))
    if problems := search.judge(config, fold.train):
        raise BadInput(problems[0])
    return Run.of(search.evaluate(config, fold.train, watch))


def _finished(search: Search, trials: Sequence[FrozenTrial]) -> set[str]:
    """Every configuration that was backtested or refused."""
    done = (t for t in trials if t.state.name in ("COMPLETE", "PRUNED"))
    return {place_key(place_of(trial, search.space)) for trial in done}


def _wanted(search: Search, trials: Sequence[FrozenTrial]) -> dict[str, int] | None:
    """What is to be tried next whatever a sampler thinks: the configuration as it is, so that the
    choice is never worse where it was made; and all of a space small enough for that."""
    done = _finished(search, trials)
    running = {
        place_key(place_of(trial, search.space))
        for trial in trials
        if trial.state.name == "RUNNING" and len(trial.params) == len(search.space.parameters)
    }
    # When all that is left of a small space is being tried by others, they may have died over it.
    for taken in (done | running, done) if search.exhaustive else (done | running,):
        for place in _first_of_all(search):
            if place_key(place) not in taken:
                return {p.name: place[p.name] + p.log_from for p in search.space.parameters}
    return None


def _first_of_all(search: Search) -> Iterator[dict[str, int]]:
    if (now := search.space.place(search.config)) is not None:
        yield now
    if search.exhaustive:
        names = [p.name for p in search.space.parameters]
        for numbers in product(*(range(len(p.values)) for p in search.space.parameters)):
            yield dict(zip(names, numbers, strict=True))


def _sampler(search: Search, at: int, before: int, wanted: Mapping[str, int] | None) -> BaseSampler:
    """Not by optuna's queue: on SQLite two workers can take the same trial out of it."""
    from optuna.samplers import PartialFixedSampler

    free = _free_sampler(search, at, before)
    return free if wanted is None else PartialFixedSampler(dict(wanted), free)


def _free_sampler(search: Search, at: int, before: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler, TPESampler

    dice = random.Random(f"{search.seed}:{at}:{before}")  # noqa: S311 - to be repeatable
    seed = dice.getrandbits(32)
    if len(search.space.objectives) > 1 and search.trials >= EVOLVING_TRIALS:
        size = min(max(search.trials // 5, LEAST_POPULATION), MOST_POPULATION)
        return NSGAIISampler(seed=seed, population_size=size)
    return TPESampler(
        seed=seed, n_startup_trials=min(max(search.trials // 3, LEAST_RANDOM), MOST_RANDOM)
    )
