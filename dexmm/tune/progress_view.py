"""A search as somebody at a terminal sees it, or a line now and then where nobody looks."""

from __future__ import annotations

import time
from decimal import Decimal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dexmm.tune.objectives import METRICS
from dexmm.tune.study import Search
from dexmm.tune.summary_text import number
from dexmm.tune.tune import Standing

SAY_SECONDS = 30


class LiveScreen:
    """One bar that moves."""

    def __init__(self, console: Console) -> None:
        self._clock = _Clock()
        self._metric = ""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("tuning", total=1, told="")

    def opened(self, search: Search, standing: Standing) -> None:
        self._metric = search.space.objectives[0].metric
        self._clock.begin(standing.share)
        self._progress.start()
        self.stands(standing)

    def stands(self, standing: Standing) -> None:
        told = _told(standing, self._metric, self._clock.left(standing.share))
        self._progress.update(
            self._task,
            description=standing.fold,
            completed=standing.done,
            total=standing.planned,
            told=told,
        )

    def scoring(self, done: int, planned: int) -> None:
        self._progress.update(
            self._task, description="unseen history", completed=done, total=planned, told=""
        )

    def closed(self) -> None:
        self._progress.stop()


class PlainScreen:
    """A line at the start, one now and then, one for each phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = _Clock()
        self._metric = ""
        self._said_at = 0.0
        self._fold = ""
        self._scoring = False

    def opened(self, search: Search, standing: Standing) -> None:
        self._metric = search.space.objectives[0].metric
        self._clock.begin(standing.share)
        kept = f", {standing.done} kept from before" if standing.done else ""
        self._say(
            f"{standing.planned} trials in {len(search.folds)} parts of the history{kept}; "
            f"{search.space.size:,} configurations"
        )

    def stands(self, standing: Standing) -> None:
        if standing.fold == self._fold and time.monotonic() - self._said_at < SAY_SECONDS:
            return
        self._fold = standing.fold
        told = _told(standing, self._metric, self._clock.left(standing.share))
        self._say(f"{standing.fold}: {standing.done} of {standing.planned} trials, {told}")

    def scoring(self, done: int, planned: int) -> None:
        if not self._scoring:
            self._scoring = True
            self._say(f"scoring on unseen history: {planned} backtests")

    def closed(self) -> None:
        """Nothing to take away."""

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        self._console.print(text, markup=False, soft_wrap=True)


class _Clock:
    """How long is left, from how long the share done since the start has taken."""

    def begin(self, share: Decimal) -> None:
        self._began, self._share = time.monotonic(), share

    def left(self, share: Decimal) -> str:
        if share <= self._share or share >= 1:
            return ""
        passed = Decimal(str(time.monotonic() - self._began))
        seconds = int(passed * (1 - share) / (share - self._share))
        return f"about {_duration(seconds)} left"


def _duration(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _told(standing: Standing, metric: str, left: str) -> str:
    best = "none within the constraints yet"
    if standing.best is not None:
        best = f"best {number(standing.best)} {METRICS[metric].unit}"
    refused = f"{standing.refused} refused unrun" if standing.refused else ""
    return ", ".join(filter(None, (best, refused, left)))
