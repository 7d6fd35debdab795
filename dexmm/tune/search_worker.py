"""The trials of a search: drawn and kept in one place, backtested wherever there are workers.

What a slot tries follows from the search's seed, the fold, the slot, and what the slots of earlier
batches came to; so a search finds the same with any number of workers, here or on a cluster, and
with any number of machines on one storage. Machines that share a storage see what the others have
in hand, and take the next slot. A machine that stops hearing from another does its slots again.

A configuration that was tried before is not backtested again. One whose settings do not go
together, or that a history's judge finds senseless, costs no backtest and does not count as a
trial.
"""

from __future__ import annotations

import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice, product
from typing import TYPE_CHECKING, Any

from dexmm.backtest.workers import Session, Watch, Workers, undisturbed
from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.performance.metrics import Figures
from dexmm.tune.search_space import TRIED, configured
from dexmm.tune.storage import BEATS_MISSED
from dexmm.tune.study import (
    BATCH,
    REFUSED,
    RUN,
    SLOT,
    Evaluate,
    Past,
    Run,
    Search,
    all_trials,
    completed,
    directions,
    place_key,
    place_of,
    resume,
    settled,
    slot_of,
)
from dexmm.tune.walk_forward import Fold, Stretch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

REFUSED_PER_TRIAL = 5  # beyond, the space is mostly senseless and searching on is a waste
REFUSED_ANYWAY = 100
WAIT_SECONDS = 0.25  # between two looks at what others have in hand
EVOLVING_TRIALS = 100  # NSGA-II needs generations; below, TPE weighs several objectives better
LEAST_RANDOM, MOST_RANDOM = 5, 10  # trials before the first that has learnt
LEAST_POPULATION, MOST_POPULATION = 8, 50
THOUSAND = 1000

Place = tuple[tuple[str, int], ...]  # in the space; empty for the configuration as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A configuration to be backtested on the training parts of a fold."""

    fold: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a configuration was not backtested."""

    why: str


def work(
    search: Search,
    storage: RDBStorage,
    workers: Workers,
    moved: Callable[[], None] = lambda: None,
) -> None:
    """Trials in every fold, until all have as many as planned. ``moved`` is called now and then."""
    studies = [resume(search, fold, storage) for fold in search.folds]
    with workers.session(tried, search.bare, moved) as session, _hearts(storage, search) as hearts:
        coordinator = _Coordinator(search, storage, studies, session, hearts)
        try:
            while not coordinator.done():
                coordinator.step()
                moved()
        finally:
            coordinator.give_back()


def tried(search: Search, trial: Trial, watch: Watch) -> Run | Refused:
    """One backtest of a trial, in whichever process."""
    try:
        configs = configs_at(search, trial.place)
        for past, config in zip(search.pasts, configs, strict=True):
            if problems := past.judge(config, past.folds[trial.fold].train):
                raise BadInput(problems[0])
        return over_all(search, configs, lambda past: past.folds[trial.fold].train, watch)
    except BadInput as error:
        return Refused(why=error.message.splitlines()[0].removeprefix(f"{TRIED}: "))


def configs_at(search: Search, place: Place) -> list[Config]:
    """Each history's, at a place of the space. Raises ``BadInput`` where settings do not fit."""
    if not place:
        return [past.config for past in search.pasts]
    settings = search.space.settings(dict(place))
    return [configured(past.config, settings) for past in search.pasts]


def over_all(
    search: Search,
    configs: Sequence[Config],
    part: Callable[[Past], Stretch],
    watch: Watch,
    evaluate: Callable[[Past], Evaluate] = lambda past: past.evaluate,
) -> Run:
    """A run in one part of each history. ``watch`` is told in thousandths of one."""
    found: list[Figures] = []
    for past, config in zip(search.pasts, configs, strict=True):

        def told(done: int, total: int, before: int = THOUSAND * len(found)) -> None:
            watch(before + THOUSAND * done // max(total, 1), THOUSAND * len(configs))

        found.append(evaluate(past)(config, part(past), told))
    return Run.of(*found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A trial that is under way."""

    fold: int
    slot: int
    trial_id: int
    place: Mapping[str, int]


class _Coordinator:
    """Draws what is to be tried, has it run, and keeps what comes of it."""

    def __init__(
        self,
        search: Search,
        storage: RDBStorage,
        studies: Sequence[Study],
        session: Session,
        hearts: set[int],
    ) -> None:
        self._search, self._storage, self._studies = search, storage, studies
        self._ids = [storage.get_study_id_from_name(study.study_name) for study in studies]
        self._session, self._hearts = session, hearts
        self._numbers = count()
        self._in_hand: dict[int, _Claim] = {}
        self._waited = 0.0
        self._patience = BEATS_MISSED * search.storage.heartbeat_seconds + WAIT_SECONDS

    def done(self) -> bool:
        return not self._in_hand and all(
            enough(self._search, all_trials(study)) for study in self._studies
        )

    def step(self) -> None:
        """Claim what can be claimed, and take in what has finished; or wait for other machines."""
        with undisturbed():
            self._claim_all(impatient=self._waited > self._patience)
        if self._in_hand:
            self._waited = 0.0
            finished = self._session.take()
            with undisturbed():
                for number, found in finished:
                    self._keep(self._in_hand.pop(number), found)
            return
        if not self.done():
            self._waited += WAIT_SECONDS
            for study in self._studies:
                _fail_stale(study)
            time.sleep(WAIT_SECONDS)

    def give_back(self) -> None:
        """What was begun and will not be finished is for anybody to take."""
        claims, self._in_hand = list(self._in_hand.values()), {}
        self._hearts.clear()
        if not claims:
            return
        with undisturbed(), suppress(Exception):  # the storage may be what has gone
            for claim in claims:
                self._storage.set_trial_state_values(claim.trial_id, _state("FAIL"))

    def _claim_all(self, *, impatient: bool) -> None:
        for at, study in enumerate(self._studies):
            while len(self._in_hand) < self._session.room:
                trials = all_trials(study)
                slot = next_slot(self._search, trials, impatient=impatient)
                if slot is None:
                    break
                self._claim(at, trials, slot)
                impatient = False

    def _claim(self, at: int, trials: Sequence[FrozenTrial], slot: int) -> None:
        search = self._search
        place, notes = drawn(search, at, trials, slot)
        same = (run for t, run in completed(trials) if place_of(t, search.space) == place)
        if (run := next(same, None)) is not None:
            self._add(at, slot, place, notes, "COMPLETE", run)
            return
        trial_id = self._add(at, slot, place, notes, "RUNNING")
        self._storage.record_heartbeat(trial_id)
        self._hearts.add(trial_id)
        number = next(self._numbers)
        self._in_hand[number] = _Claim(fold=at, slot=slot, trial_id=trial_id, place=place)
        self._session.submit(number, Trial(fold=at, place=tuple(place.items())))

    def _add(
        self,
        at: int,
        slot: int,
        place: Mapping[str, int],
        notes: Mapping[str, Any],
        state: str,
        run: Run | None = None,
    ) -> int:
        """A trial and all that is known of it, in one transaction."""
        from optuna.trial import create_trial

        attributes: dict[str, Any] = {SLOT: slot}
        if run is not None:
            attributes[RUN] = run.dump()
        template = create_trial(
            state=_state(state),
            values=None if run is None else _values(self._search, run),
            params=_params(self._search, place),
            distributions=distributions(self._search),
            user_attrs=attributes,
            system_attrs=dict(notes),
        )
        return self._storage.create_new_trial(self._ids[at], template)

    def _keep(self, claim: _Claim, found: Run | Refused) -> None:
        from optuna.exceptions import UpdateFinishedTrialError

        self._hearts.discard(claim.trial_id)
        try:
            if isinstance(found, Refused):
                self._storage.set_trial_user_attr(claim.trial_id, REFUSED, found.why)
                self._storage.set_trial_state_values(claim.trial_id, _state("PRUNED"))
                return
            self._storage.set_trial_user_attr(claim.trial_id, RUN, found.dump())
            self._storage.set_trial_state_values(
                claim.trial_id, _state("COMPLETE"), _values(self._search, found)
            )
        except UpdateFinishedTrialError:
            # Others took us for dead, as after the sleep of a machine: they do the slot again.
            if isinstance(found, Run):
                self._add(claim.fold, claim.slot, claim.place, {}, "COMPLETE", found)


@contextmanager
def _hearts(storage: RDBStorage, search: Search) -> Iterator[set[int]]:
    """The trials in this set are said to be alive, however long a backtest takes."""
    beating: set[int] = set()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(search.storage.heartbeat_seconds):
            for trial_id in list(beating):
                # A storage that does not answer is found out by whoever keeps results in it.
                with suppress(Exception):
                    storage.record_heartbeat(trial_id)

    thread = threading.Thread(target=beat, name="heartbeats", daemon=True)
    thread.start()
    try:
        yield beating
    finally:
        ended.set()
        thread.join(timeout=1)  # it may be waiting for a storage that has gone


def _fail_stale(study: Study) -> None:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import fail_stale_trials

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def enough(search: Search, trials: Sequence[FrozenTrial], in_hand: int = 0) -> bool:
    """Whether a fold has its trials, or a space so senseless that it will not get them.

    ``in_hand`` are trials under way that are taken for done.
    """
    if len(refusals(trials)) >= REFUSED_ANYWAY + REFUSED_PER_TRIAL * search.trials:
        return True
    done = settled(trials)
    if search.exhaustive:
        return len(done) + in_hand >= search.space.size
    return sum(t.state.name == "COMPLETE" for t in done.values()) + in_hand >= search.planned


def refusals(trials: Sequence[FrozenTrial]) -> list[str]:
    """Why configurations were not backtested, one for each slot."""
    done = settled(trials).values()
    return [str(t.user_attrs[REFUSED]) for t in done if t.state.name == "PRUNED"]


def next_slot(
    search: Search, trials: Sequence[FrozenTrial], *, impatient: bool = False
) -> int | None:
    """What is to be tried next; None where a fold is done, or waits for what others have in hand.

    ``impatient``: what is in hand is done again, since nothing is heard of it.
    """
    done = settled(trials)
    held = {slot_of(t) for t in trials if t.state.name == "RUNNING"} - done.keys()
    if enough(search, trials, 0 if impatient else len(held)):
        return None
    taken = done.keys() if impatient else done.keys() | held
    slot = next(slot for slot in count() if slot not in taken)
    if search.exhaustive:
        return slot
    before = range(slot - slot % BATCH)
    return slot if all(earlier in done for earlier in before) else None


def drawn(
    search: Search, at: int, trials: Sequence[FrozenTrial], slot: int
) -> tuple[dict[str, int], dict[str, Any]]:
    """What a slot of a fold tries, and what the sampler wants to remember of it.

    First the configuration as it is, so that the choice is never worse where it was made; then all
    of a space small enough for that, or what a sampler makes of the batches before.
    """
    if search.exhaustive or slot == 0:
        found = next(islice(_first_of_all(search), slot, None), None)
        if found is not None:
            return found, {}
    study = replica(search, trials, until=slot - slot % BATCH)
    study.sampler = _sampler(search, at, slot)
    study.ask(distributions(search))
    asked = study.get_trials(deepcopy=False)[-1]
    place = {p.name: int(asked.params[p.name]) - p.log_from for p in search.space.parameters}
    return place, dict(asked.system_attrs)


def replica(search: Search, trials: Sequence[FrozenTrial], until: int | None = None) -> Study:
    """A study in memory that knows these slots and nothing else, in their order."""
    from optuna import create_study
    from optuna.trial import create_trial

    study = create_study(directions=directions(search))
    known = distributions(search)
    for slot, trial in settled(trials).items():
        if until is not None and slot >= until:
            break
        run = Run.load(trial.user_attrs[RUN]) if trial.state.name == "COMPLETE" else None
        violated = {} if run is None else run.violations(search.space)
        study.add_trial(
            create_trial(
                state=trial.state,
                values=None if run is None else _values(search, run),
                params=trial.params,
                distributions=known,
                system_attrs=dict(trial.system_attrs),
                constraints={name: float(beyond) for name, beyond in violated.items()},
            )
        )
    return study


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """A search moves over the numbers of the values."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for p in search.space.parameters:
        last = p.log_from + len(p.values) - 1
        found[p.name] = (
            IntDistribution(p.log_from, last, log=p.log_from > 0)
            if p.ordered
            else CategoricalDistribution(range(len(p.values)))
        )
    return found


def _params(search: Search, place: Mapping[str, int]) -> dict[str, int]:
    return {p.name: place[p.name] + p.log_from for p in search.space.parameters}


def _values(search: Search, run: Run) -> list[float]:
    return [float(run.metrics[o.metric]) for o in search.space.objectives]


def _first_of_all(search: Search) -> Iterator[dict[str, int]]:
    now = search.space.place(search.config)
    if now is not None:
        yield now
    if search.exhaustive:
        names = [p.name for p in search.space.parameters]
        for numbers in product(*(range(len(p.values)) for p in search.space.parameters)):
            place = dict(zip(names, numbers, strict=True))
            if place != now:
                yield place


def _sampler(search: Search, at: int, slot: int) -> BaseSampler:
    from optuna.samplers import NSGAIISampler, TPESampler

    dice = random.Random(f"{search.seed}:{at}:{slot}")  # noqa: S311 - to be repeatable
    seed = dice.getrandbits(32)
    if len(search.space.objectives) > 1 and search.trials >= EVOLVING_TRIALS:
        size = min(max(search.trials // 5, LEAST_POPULATION), MOST_POPULATION)
        return NSGAIISampler(seed=seed, population_size=size)
    return TPESampler(
        seed=seed, n_startup_trials=min(max(search.trials // 3, LEAST_RANDOM), MOST_RANDOM)
    )


def part_of(fold: Fold, part: str) -> Stretch:
    """Its training part, or its test, which it has."""
    found = fold.train if part == "train" else fold.test
    assert found is not None  # noqa: S101 - nothing is wanted of a test that is not there
    return found


def key_of(place: Place) -> str:
    return place_key(dict(place))
