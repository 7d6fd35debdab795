"""Jobs on a Dask cluster that is there already: its scheduler, and workers with the same dexmm.

What all jobs share is sent to every worker once, without a secret in it. A worker that is lost
takes nothing with it: the scheduler gives its jobs to another, and says so when the same job has
lost several. What a worker runs is this very code, which is compared before the first job; results
are those that processes of this machine would come to.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from dexmm.backtest.workers import LOOK_SECONDS, TRIES, Failed, Session, Watch, Work, told_whole
from dexmm.errors import BadInput, Transient
from dexmm.optional_packages import need

CONNECT_SECONDS = 20
WORKER_SECONDS = 10  # for a first worker to be there
ALONE_SECONDS = 60  # without a single worker, before nobody is waited for any more
ASK_SECONDS = 1.0  # between two looks at who is there
ALIKE = ("python", "distributed", "dask")  # that client, scheduler and workers must agree on


class DaskCluster:
    """``address`` is a scheduler's, such as tcp://10.0.0.7:8786."""

    def __init__(self, address: str, alone_seconds: float = ALONE_SECONDS) -> None:
        self.address, self.alone_seconds = address, alone_seconds

    @contextmanager
    def session(
        self, work: Work[Any, Any, Any], shared: Any, moved: Callable[[], None]
    ) -> Iterator[Session]:
        """Raises ``Transient`` when no scheduler or worker answers, ``BadInput`` for a cluster that
        would come to other results, or for an address that is none."""
        client = connected(self.address)
        try:
            agree(client, self.address)
            session = _ClusterSession(client, self.address, work, shared, self.alone_seconds)
            try:
                yield session
            finally:
                session.end()
        finally:
            with suppress(Exception):
                client.close(timeout=CONNECT_SECONDS)


def connected(address: str) -> Any:
    """A client of the scheduler there."""
    distributed = need("distributed", "dask")
    if logging.getLogger().level > logging.DEBUG:
        # It tells of lost connections by tracebacks; what they mean is told here.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"--dask {address} is no address of a Dask scheduler ({error}): expected something "
            "like tcp://10.0.0.7:8786"
        ) from None
    except (OSError, TimeoutError):
        raise Transient(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or correct "
            "--dask"
        ) from None


def agree(client: Any, address: str) -> None:
    """Every worker runs what we run, or there is one clear error."""
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise Transient(
            f"the Dask cluster at {address} has no workers: start some with `dask worker {address} "
            "--nthreads 1`"
        ) from None
    _same_packages(client)
    ours = code_of()
    for worker, found in client.run(code_of, on_error="return").items():
        if isinstance(found, BaseException) and _cannot_import(found):
            raise BadInput(
                f"the Dask worker {worker} has no dexmm that can run this ({found}): install "
                f"a checkout of dexmm {importlib.metadata.version('dexmm')} there, with its extra "
                "backtest"
            )
        if isinstance(found, BaseException):
            raise Transient(f"the Dask worker {worker} does not answer: {found}")
        if found != ours:
            raise BadInput(
                f"the Dask worker {worker} has another version of dexmm, and would come to other "
                f"results: install {importlib.metadata.version('dexmm')} from the same source there"
            )


def _cannot_import(error: BaseException) -> bool:
    """Dask wraps what a worker could not load, and names the error in its text."""
    if isinstance(error, ImportError | AttributeError):
        return True
    return any(name in str(error) for name in ("ModuleNotFound", "ImportError", "AttributeError"))


def _same_packages(client: Any) -> None:
    found: Mapping[str, Any] = client.get_versions(check=False)
    ours = _named(found["client"])
    for where, versions in (("scheduler", found["scheduler"]), *found["workers"].items()):
        theirs = _named(versions)
        for name in ALIKE:
            if theirs.get(name) != ours.get(name):
                raise BadInput(
                    f"the Dask {'' if where == 'scheduler' else 'worker '}{where} has {name} "
                    f"{theirs.get(name)}, and here it is {ours.get(name)}: use the same version "
                    "in the whole cluster"
                )


def _named(versions: Mapping[str, Any]) -> dict[str, str]:
    """By name; of Python its first two numbers, which decide what can be sent."""
    found = {name: str(version) for name, version in versions["packages"].items()}
    return {**found, "python": ".".join(found.get("python", "").split(".")[:2])}


@cache
def code_of() -> str:
    """Names the code of this package: equal files, equal name."""
    root = Path(sys.modules["dexmm"].__path__[0])
    found = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        found.update(f"{file.relative_to(root)}\0".encode())
        found.update(file.read_bytes() + b"\0")
    return found.hexdigest()


class _ClusterSession:
    """As many jobs at once as the cluster has threads; its scheduler knows who does what."""

    def __init__(
        self,
        client: Any,
        address: str,
        work: Work[Any, Any, Any],
        shared: Any,
        alone_seconds: float,
    ) -> None:
        self._client, self._address, self._work = client, address, work
        self._given = shared
        self._shared = self._sent()
        self.room = max(sum(client.nthreads().values()), 1)
        self._under_way: dict[Any, tuple[int, Any]] = {}
        self._done: set[int] = set()
        self._lost: dict[int, int] = {}
        self._alone_seconds = alone_seconds
        self._asked_at = self._seen_at = time.monotonic()

    def _sent(self) -> Any:
        with self._told():
            return self._client.scatter(self._given, broadcast=True, hash=False)

    def submit(self, number: int, job: Any) -> None:
        with self._told():
            future = self._client.submit(_play, self._work, self._shared, job, pure=False)
        self._under_way[future] = number, job

    def take(self) -> list[tuple[int, Any]]:
        distributed = need("distributed", "dask")
        if self._under_way:
            with self._told(), suppress(TimeoutError), self._client.as_current():
                distributed.wait(
                    list(self._under_way), timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED"
                )
        found = []
        for future in [future for future in self._under_way if future.done()]:
            number, job = self._under_way.pop(future)
            if future.status in ("cancelled", "lost"):
                self._again(number, job)
                continue
            found.append((number, self._result(future)))
            self._done.add(number)
        if not found:
            self._require_workers()
        return found

    def progress_of(self, number: int) -> tuple[int, int]:
        return (1, 1) if number in self._done else (0, 1)

    def end(self) -> None:
        """Whatever is under way is told to stop; nobody waits for it."""
        with suppress(Exception):
            self._client.cancel(list(self._under_way))

    def _result(self, future: Any) -> Any:
        distributed = need("distributed", "dask")
        try:
            with self._told():
                return future.result()
        except Failed as failed:
            raise failed.original() from None
        except distributed.KilledWorker as killed:
            raise Transient(
                f"the Dask cluster at {self._address} lost several workers over the same work, "
                f"perhaps for want of memory ({killed.last_worker.address} was the last): give "
                "them more, or take a shorter history"
            ) from None

    def _again(self, number: int, job: Any) -> None:
        """What it needed went with the workers that had it, or the scheduler is gone."""
        self._lost[number] = self._lost.get(number, 0) + 1
        if self._client.status != "running" or self._lost[number] >= TRIES:
            raise Transient(self._gone())
        self._shared = self._sent()
        self.submit(number, job)

    def _require_workers(self) -> None:
        now = time.monotonic()
        if now - self._asked_at < ASK_SECONDS:
            return
        self._asked_at = now
        with self._told():
            threads = sum(self._client.nthreads().values())
        if threads:
            self.room, self._seen_at = threads, now
        elif now - self._seen_at >= self._alone_seconds:
            raise Transient(
                f"the Dask cluster at {self._address} has had no worker for "
                f"{self._alone_seconds:.0f} s: what was finished is kept, so start some and run "
                "the same command again"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A scheduler that does not answer, in our words."""
        try:
            yield
        except OSError:
            raise Transient(self._gone()) from None

    def _gone(self) -> str:
        return (
            f"the Dask scheduler at {self._address} is gone: what was finished is kept, so run the "
            "same command again when it answers"
        )


def _play(work: Work[Any, Any, Any], shared: Any, job: Any) -> Any:
    """In a worker."""
    return told_whole(work, shared, job, _cancelled())


def _cancelled() -> Watch:
    """Ends a job that nobody waits for any more, which a scheduler itself cannot do."""
    inside = need("distributed.worker", "dask")
    worker, key = inside.get_worker(), inside.thread_state.key
    looked_at = 0.0

    def watch(_done: int, _total: int) -> None:
        nonlocal looked_at
        now = time.monotonic()
        if now - looked_at < ASK_SECONDS:
            return
        looked_at = now
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise RuntimeError(f"{key} was cancelled")

    return watch
