"""A study: one search in one training part, with everything that its trials were.

Each fold has an optuna study of its own in the shared storage, so that nothing a test part holds
can reach the choice made on its training part. What a trial was is kept as exact decimals beside
the floats that optuna compares. A study remembers what it is a study of, and refuses to go on as
another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dexmm.backtest.space import Space
from dexmm.backtest.space_goals import Metrics, measure
from dexmm.backtest.study_storage import Storage
from dexmm.backtest.walk_forward import Fold, Stretch
from dexmm.backtest.workers import Watch
from dexmm.config import Config
from dexmm.errors import BadInput
from dexmm.ops.figures import Figures

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# What a configuration does in a part of the history; ``watch`` is called now and then and may
# raise to end it. Given to other processes, so it must be picklable.
Evaluate = Callable[[Config, Stretch, Watch], Figures]
# Why a configuration is not worth a backtest in that part; empty when it is. Fast.
Judge = Callable[[Config, Stretch], tuple[str, ...]]

RUN, REFUSED, IDENTITY = "run", "refused", "identity"  # attributes of trials and studies
ENDS = "runs to its end"  # the constraint that every search has


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a configuration came to in one part of the history."""

    figures: Figures
    metrics: Metrics

    @classmethod
    def of(cls, found: Figures) -> Run:
        return cls(figures=found, metrics=measure(found))

    def dump(self) -> dict[str, str | int | None]:
        """As a database keeps it: exact."""
        found = asdict(self.figures)
        return {key: str(v) if isinstance(v, Decimal) else v for key, v in found.items()}

    @classmethod
    def load(cls, kept: Mapping[str, Any]) -> Run:
        decimals = {field.name for field in fields(Figures) if "Decimal" in str(field.type)}
        found: dict[str, Any] = {
            k: Decimal(v) if k in decimals and v is not None else v for k, v in kept.items()
        }
        return cls.of(Figures(**found))

    def violations(self, space: Space) -> dict[str, Decimal]:
        """By constraint; above zero is violated."""
        found = {str(c): c.violation(self.metrics[c.metric]) for c in space.constraints}
        return {**found, ENDS: Decimal(1) if self.figures.halted else Decimal(0)}

    def feasible(self, space: Space) -> bool:
        return all(violation <= 0 for violation in self.violations(space).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Everything a worker needs, the same in every process."""

    name: str
    storage: Storage
    config: Config  # as it is now: what is not searched, and what tuning must beat
    space: Space
    folds: tuple[Fold, ...]  # the last one is the final choice
    evaluate: Evaluate
    judge: Judge
    trials: int  # backtests in each fold
    seed: int = 1

    @property
    def planned(self) -> int:
        """A space with fewer configurations than trials is tried out as a whole."""
        return min(self.trials, self.space.size)

    @property
    def exhaustive(self) -> bool:
        return self.space.size <= self.trials


def study_name(search: Search, fold: Fold) -> str:
    return f"{search.name} / {fold.name}"


def identity(search: Search, history: str, market: str) -> dict[str, str]:
    """What a study is a study of, each part named as in the sentence that refuses another.

    ``history`` and ``market`` name the data and the assumptions of cost and flow exactly.
    """
    spans = [[f.name, f.train.since, f.train.until, *_span(f.test)] for f in search.folds]
    return {
        "search space": search.space.fingerprint(),
        "objectives": ", ".join(map(str, search.space.objectives)),
        "constraints": ", ".join(map(str, search.space.constraints)) or "none",
        "history": history,
        "folds": _hash(spans),
        "configuration": _unsearched(search),
        "market": market,
        "version of dexmm": _hash([field.name for field in fields(Figures)]),
    }


def short_name(what: Mapping[str, str]) -> str:
    """The name of a study that nobody named: equal searches, equal name."""
    return f"tune-{_hash(sorted(what.items()))[:8]}"


def begin(search: Search, what: Mapping[str, str], storage: RDBStorage) -> tuple[Study, ...]:
    """The studies of all folds, made or taken up again. Raises ``BadInput`` for a study of
    something else."""
    from optuna import create_study
    from optuna.study import StudyDirection

    directions = [
        StudyDirection.MAXIMIZE if objective.maximise else StudyDirection.MINIMIZE
        for objective in search.space.objectives
    ]
    studies = []
    for fold in search.folds:
        study = create_study(
            storage=storage,
            study_name=study_name(search, fold),
            directions=directions,
            load_if_exists=True,
        )
        known = study.user_attrs.get(IDENTITY)
        if known is None:
            study.set_user_attr(IDENTITY, dict(what))
        else:
            _refuse_another(search, known, what)
        studies.append(study)
    return tuple(studies)


def resume(search: Search, fold: Fold, storage: RDBStorage) -> Study:
    """A study that ``begin`` has made."""
    from optuna import load_study

    return load_study(storage=storage, study_name=study_name(search, fold))


def all_trials(study: Study) -> list[FrozenTrial]:
    """As they are in the storage now; one look costs some milliseconds."""
    return study.get_trials(deepcopy=False)


def completed(trials: Iterable[FrozenTrial]) -> Iterator[tuple[FrozenTrial, Run]]:
    """Every trial that was backtested, in the order they were begun."""
    for trial in trials:
        if trial.state.name == "COMPLETE":
            yield trial, Run.load(trial.user_attrs[RUN])


def place_of(trial: FrozenTrial, space: Space) -> dict[str, int]:
    """Where a trial stood in the space: the number of each value."""
    return {p.name: int(trial.params[p.name]) - p.log_from for p in space.parameters}


def ranked(trials: Iterable[FrozenTrial], space: Space) -> list[tuple[FrozenTrial, Run]]:
    """Those that meet every constraint, best first, each configuration once.

    The first objective decides, the others break its ties, then the earlier trial.
    """
    best = sorted(
        (pair for pair in completed(trials) if pair[1].feasible(space)),
        key=lambda pair: [
            *(-o.better(pair[1].metrics[o.metric]) for o in space.objectives),
            pair[0].number,
        ],
    )
    once: dict[str, tuple[FrozenTrial, Run]] = {}
    for trial, run in best:
        once.setdefault(place_key(place_of(trial, space)), (trial, run))
    return list(once.values())


def place_key(place: Mapping[str, int]) -> str:
    """One name for one configuration of a space."""
    return json.dumps(place, sort_keys=True)


def _refuse_another(search: Search, known: Mapping[str, str], what: Mapping[str, str]) -> None:
    other = [name for name, value in what.items() if known.get(name) != value]
    if other:
        raise BadInput(
            f"the study {search.name} in {search.storage} was made with another "
            f"{' and another '.join(other)}: give this one a --study name of its own, or repeat "
            "the command that began it"
        )


def _unsearched(search: Search) -> str:
    """The settings that decide and are not searched; where and with whose key does not matter."""
    sections = json.loads(search.config.public_json())
    for name in ("network", "wallet"):
        sections.pop(name, None)
    sections["loop"] = {"interval_seconds": sections["loop"]["interval_seconds"]}
    for parameter in search.space.parameters:
        section, _, key = parameter.name.partition(".")
        sections[section].pop(key, None)
    return _hash(sections)


def _span(part: Stretch | None) -> list[int]:
    return [part.since, part.until] if part is not None else []


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
