"""Independent jobs, in processes of their own or elsewhere, watched from one place.

What all jobs share is sent to each process once. Progress comes back through shared memory. A job
ends early when it is told to, and a process when the one that asked for it is no more. A process
that is killed takes nothing with it: its jobs are done again in a new one, unless the same job was
under way each of ``TRIES`` times.

No result depends on who did a job, or on how many there were to do it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, Protocol, TypeVar

from dexmm.errors import DexmmError, Transient

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

Watch = Callable[[int, int], None]  # told (done, total)
Work = Callable[[Shared, Job, Watch], Result]
Progress = Callable[[Sequence[tuple[int, int]]], None]  # told (done, total) of every job

LOOK_SECONDS = 0.1
TRIES = 3  # of a job whose process was killed under it
STOPPED = "the run was stopped"
KILLED = (
    "a worker process was killed {tries} times over the same work, perhaps for want of memory: try "
    "again with --workers 1, or with a shorter history"
)


class Session(Protocol):
    """Jobs of one kind. Numbers are the caller's; each is taken once."""

    @property
    def room(self) -> int:
        """How many jobs are done at the same time; more may be submitted and will wait."""
        ...

    def submit(self, number: int, job: Any) -> None: ...

    def take(self) -> list[tuple[int, Any]]:
        """What has finished since the last time, after waiting ``LOOK_SECONDS`` for it or less.

        Raises the first error of a job, ``Transient`` when it cannot be done.
        """
        ...

    def progress_of(self, number: int) -> tuple[int, int]:
        """(done, total) of a job that was submitted, as far as is known."""
        ...


class Workers(Protocol):
    """Where jobs are done."""

    def session(
        self, work: Work[Any, Any, Any], shared: Any, moved: Callable[[], None]
    ) -> AbstractContextManager[Session]:
        """``moved`` is called now and then while somebody waits; it may raise to end all."""
        ...


def run_jobs(
    work: Work[Shared, Job, Result],
    shared: Shared,
    jobs: Sequence[Job],
    *,
    workers: int | Workers,
    progress: Progress | None = None,
) -> tuple[Result, ...]:
    """``work(shared, job, watch)`` for each job, in their order; its first error ends all.

    ``work`` must be a module's function and everything given to it picklable, unless ``workers``
    is 1: then all happens in this process. Raises ``Transient`` when a job's process dies whenever
    it is tried.
    """
    if not jobs:
        return ()
    found: dict[int, Result] = {}
    asked = of_number(min(workers, len(jobs))) if isinstance(workers, int) else workers
    watched: list[Session] = []

    def moved() -> None:
        if progress is not None and watched:
            progress([watched[0].progress_of(number) for number in range(len(jobs))])

    with asked.session(work, shared, moved) as session:
        watched.append(session)
        for number, job in enumerate(jobs):
            session.submit(number, job)
        while len(found) < len(jobs):
            found |= session.take()
            moved()
    return tuple(found[number] for number in range(len(jobs)))


def of_number(count: int) -> Workers:
    """This process for one, and otherwise so many of their own."""
    return Here() if count == 1 else Processes(count)


class Here:
    """One job after the other, in this process."""

    @contextmanager
    def session(
        self, work: Work[Any, Any, Any], shared: Any, moved: Callable[[], None]
    ) -> Iterator[Session]:
        yield _HereSession(work, shared, moved)


class _HereSession:
    room = 1

    def __init__(self, work: Work[Any, Any, Any], shared: Any, moved: Callable[[], None]) -> None:
        self._work, self._shared, self._moved = work, shared, moved
        self._waiting: deque[tuple[int, Any]] = deque()
        self._board: dict[int, tuple[int, int]] = {}

    def submit(self, number: int, job: Any) -> None:
        self._waiting.append((number, job))

    def take(self) -> list[tuple[int, Any]]:
        if not self._waiting:
            return []
        number, job = self._waiting.popleft()

        def watch(done: int, total: int) -> None:
            self._board[number] = (done, total)
            self._moved()

        return [(number, self._work(self._shared, job, watch))]

    def progress_of(self, number: int) -> tuple[int, int]:
        return self._board.get(number, (0, 0))


class Processes:
    """So many processes of this machine, each started afresh: nothing is inherited."""

    def __init__(self, count: int) -> None:
        self.count = count

    @contextmanager
    def session(
        self, work: Work[Any, Any, Any], shared: Any, moved: Callable[[], None]
    ) -> Iterator[Session]:
        session = _ProcessSession(work, shared, self.count)
        try:
            yield session
        finally:
            session.end()


class _ProcessSession:
    """Each of ``room`` places has at most one job under way, and its progress in the board."""

    def __init__(self, work: Work[Any, Any, Any], shared: Any, count: int) -> None:
        self.room = count
        self._context = multiprocessing.get_context("spawn")
        self._board = self._context.Array("q", 2 * count, lock=False)
        self._stop = self._context.Value("b", 0, lock=False)
        self._given = (work, shared, self._board, self._stop)
        self._pool = self._opened()
        self._waiting: deque[tuple[int, Any]] = deque()
        self._free = list(range(count))
        self._under_way: dict[Future[Any], tuple[int, Any, int]] = {}  # number, job, place
        self._done: dict[int, tuple[int, int]] = {}
        self._deaths: dict[int, int] = {}

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.room, self._context, initializer=_begin, initargs=self._given
        )

    def submit(self, number: int, job: Any) -> None:
        self._waiting.append((number, job))
        self._fill()

    def take(self) -> list[tuple[int, Any]]:
        self._fill()
        done, _ = wait(self._under_way, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        found, died = [], False
        for future in done:
            number, _, place = self._under_way[future]
            try:
                result = _result(future)
            except BrokenProcessPool:
                died = True
                continue
            del self._under_way[future]
            self._done[number] = self._told(place)
            self._free.append(place)
            found.append((number, result))
        if died:
            self._again()
        self._fill()
        return found

    def progress_of(self, number: int) -> tuple[int, int]:
        for known, _, place in self._under_way.values():
            if known == number:
                return self._told(place)
        return self._done.get(number, (0, 0))

    def end(self) -> None:
        """Whatever is under way is told to stop, and waited for."""
        self._stop.value = 1
        self._pool.shutdown(cancel_futures=True)

    def _told(self, place: int) -> tuple[int, int]:
        return self._board[2 * place], self._board[2 * place + 1]

    def _fill(self) -> None:
        while self._free and self._waiting:
            number, job = self._waiting.popleft()
            place = self._free.pop()
            self._board[2 * place], self._board[2 * place + 1] = 0, 0
            try:
                with undisturbed():  # a process may be started by this
                    future = self._pool.submit(_play, place, job)
            except BrokenProcessPool:
                self._waiting.appendleft((number, job))
                self._free.append(place)
                self._again()
                continue
            self._under_way[future] = (number, job, place)

    def _again(self) -> None:
        """Somebody killed a process, and the pool with it: what was under way is done anew."""
        self._pool.shutdown(cancel_futures=True)
        lost = sorted(
            ((number, job) for number, job, _ in self._under_way.values()), key=lambda one: one[0]
        )
        self._under_way.clear()
        self._free = list(range(self.room))
        for number, _ in lost:
            self._deaths[number] = self._deaths.get(number, 0) + 1
            if self._deaths[number] >= TRIES:
                raise Transient(KILLED.format(tries=TRIES))
        self._waiting.extendleft(reversed(lost))
        self._pool = self._opened()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C waits until this is over: a process must not be left half started, nor a storage in
    the middle of a transaction. A process that is started in here never hears of it at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def remember(_number: int, _frame: object) -> None:
        nonlocal pressed
        pressed = True

    masked = hasattr(signal, "pthread_sigmask")  # what a started process inherits
    before = signal.signal(signal.SIGINT, remember)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        yield
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except Failed as failed:
        raise failed.original() from None


class _Stopped(Exception):
    """Told to end; nobody waits for the result."""


class _Process(Generic[Shared, Job, Result]):
    """What a worker process was given when it began."""

    def __init__(
        self, work: Work[Shared, Job, Result], shared: Shared, board: Any, stop: Any
    ) -> None:
        self._work, self._shared, self._board, self._stop = work, shared, board, stop

    def play(self, place: int, job: Job) -> Result:
        told_at = 0.0

        def watch(done: int, total: int) -> None:
            nonlocal told_at
            now = time.monotonic()
            if now - told_at < LOOK_SECONDS and done < total:
                return
            told_at = now
            self._board[2 * place], self._board[2 * place + 1] = done, total
            if self._stop.value:
                raise _Stopped(STOPPED)

        return told_whole(self._work, self._shared, job, watch)


def told_whole(work: Work[Shared, Job, Result], shared: Shared, job: Job, watch: Watch) -> Result:
    """The job's result; an error of ours in a form that any process can read."""
    try:
        return work(shared, job, watch)
    except DexmmError as error:
        raise Failed(type(error), error.message, error.facts) from None


class Failed(Exception):
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


def _play(place: int, job: Any) -> Any:
    assert _process is not None  # noqa: S101 - the initializer has run
    return _process.play(place, job)
