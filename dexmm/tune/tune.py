"""A search from beginning to end: trials in every fold, scores on what no fold saw, the result.

Everything that is finished is in the storage at once. A search that was killed goes on where it
was, on this machine or another, when the same command is given again; a search that is done
answers from the storage.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from dexmm.backtest.workers import Workers, of_number
from dexmm.tune.out_of_sample import Score, make, missing
from dexmm.tune.result import Tuned, read_result
from dexmm.tune.search_worker import enough, refusals, work
from dexmm.tune.storage import opened
from dexmm.tune.study import Search, all_trials, begin, completed, ranked

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

ZERO = Decimal(0)
LOOK_SECONDS = 1.0  # between two looks into the storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a search is. ``share`` weighs each trial by the history that it runs over."""

    fold: str  # the first that is not done
    done: int  # trials, over all folds and all machines
    planned: int
    refused: int
    best: Decimal | None  # by the first objective, in the newest fold that has one
    share: Decimal  # 0 to 1


class Screen(Protocol):
    """Where somebody looks on."""

    def opened(self, search: Search, standing: Standing) -> None: ...

    def stands(self, standing: Standing) -> None: ...

    def scoring(self, done: int, planned: int) -> None: ...

    def closed(self) -> None: ...


def tune(search: Search, what: Mapping[str, str], workers: int | Workers, screen: Screen) -> Tuned:
    """Run or finish the search that ``what`` identifies; the same whoever the workers are.

    Raises ``BadInput`` when its name is taken by another, ``Transient`` when the storage or a
    worker is gone. ``KeyboardInterrupt`` passes through after the workers have ended.
    """
    hands = of_number(workers) if isinstance(workers, int) else workers
    try:
        with opened(search.storage) as storage:
            studies = begin(search, what, storage)
            _search(search, storage, studies, hands, screen)
            _score(search, missing(search, storage), storage, hands, screen)
            return read_result(search, storage)
    finally:
        screen.closed()


def standing(search: Search, studies: Sequence[Study]) -> Standing:
    """Read from the storage, so other machines' trials count as well."""
    trials = [all_trials(study) for study in studies]
    done = [min(sum(1 for _ in completed(found)), search.planned) for found in trials]
    days = [search.train_days(at) for at in range(len(search.folds))]
    left = [f.name for f, t in zip(search.folds, trials, strict=True) if not enough(search, t)]
    best = [top[0][1] for found in trials if (top := ranked(found, search.space))]
    first = search.space.objectives[0].metric
    return Standing(
        fold=left[0] if left else "all folds",
        done=sum(done),
        planned=search.planned * len(search.folds),
        refused=sum(len(refusals(found)) for found in trials),
        best=best[-1].metrics[first] if best else None,
        share=sum((n * d for n, d in zip(done, days, strict=True)), ZERO)
        / (search.planned * sum(days, ZERO)),
    )


def _search(
    search: Search,
    storage: RDBStorage,
    studies: Sequence[Study],
    workers: Workers,
    screen: Screen,
) -> None:
    screen.opened(search, standing(search, studies))
    if all(enough(search, all_trials(study)) for study in studies):
        return
    looked_at = time.monotonic()

    def look() -> None:
        nonlocal looked_at
        if time.monotonic() - looked_at >= LOOK_SECONDS:
            screen.stands(standing(search, studies))
            looked_at = time.monotonic()

    work(search, storage, workers, look)
    screen.stands(standing(search, studies))


def _score(
    search: Search,
    wanted: Sequence[Score],
    storage: RDBStorage,
    workers: Workers,
    screen: Screen,
) -> None:
    if not wanted:
        return
    make(search, wanted, storage, workers, lambda done: screen.scoring(done, len(wanted)))
