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
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dexmm.backtest.workers import Watch
from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.performance.metrics import Figures
from dexmm.tune.objectives import Metrics, measure, together
from dexmm.tune.search_space import Space
from dexmm.tune.storage import Storage
from dexmm.tune.walk_forward import Fold, Stretch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

# What a configuration does in a part of the history; ``watch`` is called now and then and may
# raise to end it. Given to other processes, so it must be picklable.
Evaluate = Callable[[Config, Stretch, Watch], Figures]
# Why a configuration is not worth a backtest in that part; empty when it is. Fast.
Judge = Callable[[Config, Stretch], tuple[str, ...]]

# Attributes of trials and studies. A slot is a trial's place in the search: what is tried there
# follows from the search and from earlier slots alone, whoever runs it and however often.
RUN, REFUSED, SLOT, IDENTITY = "run", "refused", "slot", "identity"
PARTS = "parts"  # of a run over several histories
ENDS = "runs to its end"  # the constraint that every search has
BATCH = 4  # slots that are drawn from what was known before the first of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a configuration came to: in one part of each history, and in all of them together."""

    parts: tuple[Figures, ...]  # one a history
    metrics: Metrics

    @classmethod
    def of(cls, *found: Figures) -> Run:
        if len(found) == 1:
            return cls(parts=found, metrics=measure(found[0]))
        weighed = [(figures.days, measure(figures)) for figures in found]
        return cls(parts=found, metrics=together(weighed))

    @property
    def figures(self) -> Figures:
        """Of the first history."""
        return self.parts[0]

    @property
    def days(self) -> Decimal:
        return sum((figures.days for figures in self.parts), Decimal(0))

    @property
    def halted(self) -> bool:
        """Whether it stopped itself in any of them."""
        return any(figures.halted for figures in self.parts)

    def dump(self) -> dict[str, Any]:
        """As a database keeps it: exact."""
        found = [_dumped(figures) for figures in self.parts]
        return found[0] if len(found) == 1 else {PARTS: found}

    @classmethod
    def load(cls, kept: Mapping[str, Any]) -> Run:
        return cls.of(*(_loaded(part) for part in kept.get(PARTS, [kept])))

    def violations(self, space: Space) -> dict[str, Decimal]:
        """By constraint; above zero is violated."""
        found = {str(c): c.violation(self.metrics[c.metric]) for c in space.constraints}
        return {**found, ENDS: Decimal(1) if self.halted else Decimal(0)}

    def feasible(self, space: Space) -> bool:
        return all(violation <= 0 for violation in self.violations(space).values())


def _dumped(found: Figures) -> dict[str, str | int | None]:
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(found).items()}


def _loaded(kept: Mapping[str, Any]) -> Figures:
    decimals = {field.name for field in fields(Figures) if "Decimal" in str(field.type)}
    found: dict[str, Any] = {
        k: Decimal(v) if k in decimals and v is not None else v for k, v in kept.items()
    }
    return Figures(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One history: its folds, and what a configuration does in a part of it."""

    name: str  # for people
    config: Config  # as it is now, in this history's market
    folds: tuple[Fold, ...]  # the last one is the final choice
    evaluate: Evaluate
    judge: Judge
    # The same at pay ratios beside the one that settings are chosen at; none where trades are
    # recorded.
    at_ratios: tuple[tuple[Decimal, Evaluate], ...] = ()
    pay_ratio: Decimal | None = None  # that settings are chosen at


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Everything a worker needs, the same in every process.

    Config, folds, evaluate and judge are the first history's; ``more`` are the others, with as
    many folds each. A trial runs over the training parts of all.
    """

    name: str
    storage: Storage
    config: Config  # as it is now: what is not searched, and what tuning must beat
    space: Space
    folds: tuple[Fold, ...]  # the last one is the final choice
    evaluate: Evaluate
    judge: Judge
    trials: int  # backtests in each fold
    seed: int = 1
    history: str = ""  # the first one's name
    at_ratios: tuple[tuple[Decimal, Evaluate], ...] = ()
    pay_ratio: Decimal | None = None
    more: tuple[Past, ...] = ()

    @property
    def pasts(self) -> tuple[Past, ...]:
        first = Past(
            name=self.history,
            config=self.config,
            folds=self.folds,
            evaluate=self.evaluate,
            judge=self.judge,
            at_ratios=self.at_ratios,
            pay_ratio=self.pay_ratio,
        )
        return (first, *self.more)

    @property
    def ratios(self) -> tuple[Decimal, ...]:
        """That every history is scored at, beside the one that settings are chosen at."""
        return tuple(
            ratio
            for ratio, _ in self.at_ratios
            if all(ratio in dict(past.at_ratios) for past in self.more)
        )

    @property
    def bare(self) -> Search:
        """Without the storage, which may hold a password: for processes that only run."""
        return replace(self, storage=Storage(url="sqlite://"))

    def train_days(self, fold: int) -> Decimal:
        """What a trial of this fold runs over, in all histories."""
        return sum((past.folds[fold].train.days for past in self.pasts), Decimal(0))

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
    spans = [
        [f.name, f.train.since, f.train.until, *_span(f.test)]
        for past in search.pasts
        for f in past.folds
    ]
    return {
        "search space": search.space.fingerprint(),
        "objectives": ", ".join(map(str, search.space.objectives)),
        "constraints": ", ".join(map(str, search.space.constraints)) or "none",
        "history": history,
        "folds": _hash(spans),
        "configuration": _hash([_unsearched(past.config, search.space) for past in search.pasts]),
        "market": market,
        "version of dexmm": _hash([BATCH, *(field.name for field in fields(Figures))]),
    }


def short_name(what: Mapping[str, str]) -> str:
    """The name of a study that nobody named: equal searches, equal name."""
    return f"tune-{_hash(sorted(what.items()))[:8]}"


def begin(search: Search, what: Mapping[str, str], storage: RDBStorage) -> tuple[Study, ...]:
    """The studies of all folds, made or taken up again. Raises ``BadInput`` for a study of
    something else."""
    from optuna import create_study

    studies = []
    for fold in search.folds:
        study = create_study(
            storage=storage,
            study_name=study_name(search, fold),
            directions=directions(search),
            load_if_exists=True,
        )
        known = study.user_attrs.get(IDENTITY)
        if known is None:
            study.set_user_attr(IDENTITY, dict(what))
        else:
            _refuse_another(search, known, what)
        studies.append(study)
    return tuple(studies)


def directions(search: Search) -> list[StudyDirection]:
    """Of the objectives, in their order."""
    from optuna.study import StudyDirection

    return [
        StudyDirection.MAXIMIZE if objective.maximise else StudyDirection.MINIMIZE
        for objective in search.space.objectives
    ]


def resume(search: Search, fold: Fold, storage: RDBStorage) -> Study:
    """A study that ``begin`` has made."""
    from optuna import load_study

    return load_study(storage=storage, study_name=study_name(search, fold))


def all_trials(study: Study) -> list[FrozenTrial]:
    """As they are in the storage now; one look costs some milliseconds."""
    return study.get_trials(deepcopy=False)


def completed(trials: Iterable[FrozenTrial]) -> Iterator[tuple[FrozenTrial, Run]]:
    """Every slot's trial that was backtested, in the order of slots."""
    for trial in settled(trials).values():
        if trial.state.name == "COMPLETE":
            yield trial, Run.load(trial.user_attrs[RUN])


def slot_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get(SLOT, trial.number))


def settled(trials: Iterable[FrozenTrial]) -> dict[int, FrozenTrial]:
    """By slot, those that were backtested or refused; of two that were one, the first."""
    found: dict[int, FrozenTrial] = {}
    for trial in trials:
        if trial.state.name in ("COMPLETE", "PRUNED"):
            found.setdefault(slot_of(trial), trial)
    return dict(sorted(found.items()))


def place_of(trial: FrozenTrial, space: Space) -> dict[str, int]:
    """Where a trial stood in the space: the number of each value."""
    return {p.name: int(trial.params[p.name]) - p.log_from for p in space.parameters}


def ranked(trials: Iterable[FrozenTrial], space: Space) -> list[tuple[FrozenTrial, Run]]:
    """Those that meet every constraint, best first, each configuration once.

    The first objective decides, the others break its ties, then the earlier slot.
    """
    best = sorted(
        (pair for pair in completed(trials) if pair[1].feasible(space)),
        key=lambda pair: [
            *(-o.better(pair[1].metrics[o.metric]) for o in space.objectives),
            slot_of(pair[0]),
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


def _unsearched(config: Config, space: Space) -> str:
    """The settings that decide and are not searched; where and with whose key does not matter."""
    sections = json.loads(config.public_json())
    for name in ("network", "wallet"):
        sections.pop(name, None)
    sections["loop"] = {"interval_seconds": sections["loop"]["interval_seconds"]}
    for parameter in space.parameters:
        section, _, key = parameter.name.partition(".")
        sections[section].pop(key, None)
    return _hash(sections)


def _span(part: Stretch | None) -> list[int]:
    return [part.since, part.until] if part is not None else []


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
