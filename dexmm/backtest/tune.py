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

from dexmm.backtest.study import Search, all_trials, begin, completed, ranked
from dexmm.backtest.study_scores import THOUSAND, Score, missing, score
from dexmm.backtest.study_search import enough, refusals, work
from dexmm.backtest.study_storage import opened
from dexmm.backtest.tune_result import Tuned, read_result
from dexmm.backtest.workers import run_jobs

if TYPE_CHECKING:
    from optuna import Study

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


def tune(search: Search, what: Mapping[str, str], workers: int, screen: Screen) -> Tuned:
    """Run or finish the search that ``what`` identifies.

    Raises ``BadInput`` when its name is taken by another, ``Transient`` when the storage or a
    worker is gone. ``KeyboardInterrupt`` passes through after the workers have ended.
    """
    try:
        with opened(search.storage) as storage:
            studies = begin(search, what, storage)
            _search(search, studies, workers, screen)
            _score(search, missing(search, storage), workers, screen)
            return read_result(search, storage)
    finally:
        screen.closed()


def standing(search: Search, studies: Sequence[Study]) -> Standing:
    """Read from the storage, so other machines' trials count as well."""
    trials = [all_trials(study) for study in studies]
    done = [min(sum(1 for _ in completed(found)), search.planned) for found in trials]
    days = [fold.train.days for fold in search.folds]
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


def _search(search: Search, studies: Sequence[Study], workers: int, screen: Screen) -> None:
    screen.opened(search, standing(search, studies))
    if all(enough(search, all_trials(study)) for study in studies):
        return
    looked_at = time.monotonic()

    def look(_board: object) -> None:
        nonlocal looked_at
        if time.monotonic() - looked_at >= LOOK_SECONDS:
            screen.stands(standing(search, studies))
            looked_at = time.monotonic()

    run_jobs(work, search, range(workers), workers=workers, progress=look)
    screen.stands(standing(search, studies))


def _score(search: Search, wanted: Sequence[Score], workers: int, screen: Screen) -> None:
    if not wanted:
        return

    def look(board: Sequence[tuple[int, int]]) -> None:
        screen.scoring(sum(done for done, _ in board) // THOUSAND, len(wanted))

    shares = [wanted[k::workers] for k in range(min(workers, len(wanted)))]
    run_jobs(score, search, shares, workers=workers, progress=look)
    screen.scoring(len(wanted), len(wanted))
