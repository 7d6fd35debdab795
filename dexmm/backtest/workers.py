"""Independent jobs in processes of their own, watched from one place.

What all jobs share is sent to each process once. Progress comes back through shared memory. A job
ends early when it is told to, and a process when the one that asked for it is no more.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from dexmm.errors import DexmmError, Transient

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

Watch = Callable[[int, int], None]  # told (done, total)
Work = Callable[[Shared, Job, Watch], Result]
Progress = Callable[[Sequence[tuple[int, int]]], None]  # told (done, total) of every job

LOOK_SECONDS = 0.1
STOPPED = "the run was stopped"


def run_jobs(
    work: Work[Shared, Job, Result],
    shared: Shared,
    jobs: Sequence[Job],
    *,
    workers: int,
    progress: Progress | None = None,
) -> tuple[Result, ...]:
    """``work(shared, job, watch)`` for each job, in their order; its first error ends all.

    ``work`` must be a module's function and everything given to it picklable, unless ``workers``
    is 1: then all happens in this process. Raises ``Transient`` when a process dies.
    """
    if workers == 1:
        return _one_by_one(work, shared, jobs, progress)
    context = multiprocessing.get_context("spawn")
    board = context.Array("q", 2 * len(jobs), lock=False)
    stop = context.Value("b", 0, lock=False)
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), context, initializer=_begin, initargs=(work, shared, board, stop)
    )
    try:
        futures = [pool.submit(_play, number, job) for number, job in enumerate(jobs)]
        _await(futures, board, progress)
        return tuple(_result(future) for future in futures)
    except BrokenProcessPool:
        raise Transient(
            "a worker process was killed, perhaps for want of memory: try again with "
            "--workers 1, or with a shorter history"
        ) from None
    finally:
        stop.value = 1
        pool.shutdown(cancel_futures=True)


def _one_by_one(
    work: Work[Shared, Job, Result],
    shared: Shared,
    jobs: Sequence[Job],
    progress: Progress | None,
) -> tuple[Result, ...]:
    board = [(0, 0)] * len(jobs)
    found = []
    for number, job in enumerate(jobs):

        def watch(done: int, total: int, number: int = number) -> None:
            board[number] = (done, total)
            if progress is not None:
                progress(board)

        found.append(work(shared, job, watch))
    return tuple(found)


def _await(futures: Sequence[Future[Any]], board: Any, progress: Progress | None) -> None:
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            _result(future)
        if progress is not None:
            progress([(board[i], board[i + 1]) for i in range(0, len(board), 2)])


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except _Failed as failed:
        raise failed.original() from None


class _Stopped(Exception):
    """Told to end; nobody waits for the result."""


class _Process(Generic[Shared, Job, Result]):
    """What a worker process was given when it began."""

    def __init__(
        self, work: Work[Shared, Job, Result], shared: Shared, board: Any, stop: Any
    ) -> None:
        self._work, self._shared, self._board, self._stop = work, shared, board, stop

    def play(self, number: int, job: Job) -> Result:
        told_at = 0.0

        def watch(done: int, total: int) -> None:
            nonlocal told_at
            now = time.monotonic()
            if now - told_at < LOOK_SECONDS and done < total:
                return
            told_at = now
            self._board[2 * number], self._board[2 * number + 1] = done, total
            if self._stop.value:
                raise _Stopped(STOPPED)

        try:
            return self._work(self._shared, job, watch)
        except DexmmError as error:
            raise _Failed(type(error), error.message, error.facts) from None


class _Failed(Exception):
    """An error between processes, as its facts: not every class is made from a message."""

    def __init__(self, kind: type[DexmmError], message: str, facts: dict[str, object]) -> None:
        super().__init__(kind, message, facts)
        self.kind, self.message, self.facts = kind, message, facts

    def original(self) -> DexmmError:
        error = self.kind.__new__(self.kind)
        DexmmError.__init__(error, self.message, **self.facts)
        return error


_process: _Process[Any, Any, Any] | None = None


def _begin(work: Work[Any, Any, Any], shared: Any, board: Any, stop: Any) -> None:
    global _process
    # Ctrl-C reaches the whole group: the process that was asked tells the others to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    _process = _Process(work, shared, board, stop)


def _end_with_parent() -> None:
    """A process that was killed tells nobody: whoever waits for its jobs would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this runs in a child
    parent.join()
    os._exit(1)


def _play(number: int, job: Any) -> Any:
    assert _process is not None  # noqa: S101 - the initializer has run
    return _process.play(number, job)
