"""Several nodes asked at once, so that a slow or dead one does not hold up the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Thread
from typing import TypeVar

from dexmm.errors import Halt, NodeError, Transient

T = TypeVar("T")

NOT_YET = "it has not answered yet"
Failure = Transient | Halt


def side_by_side(
    asks: Sequence[Callable[[], T]],
    enough: Callable[[T | Failure], bool] = lambda _: False,
    seconds: float = 0,
    late: Collection[int] = (),
) -> list[T | Failure]:
    """What each of ``asks`` answers, or raises: a ``Transient`` or a ``Halt``. One alone is asked
    here, several in threads that do not hold the process when everything else is done.

    As soon as any answer is ``enough``, whichever it is, the rest have ``seconds`` more, and are a
    ``NodeError`` when they have not answered by then. Those in ``late``, places in ``asks``, have
    no more.
    """
    if len(asks) == 1:
        return [_outcome(asks[0])]
    futures = [_in_background(ask) for ask in asks]
    awaited, deadline = set(futures), None
    while awaited:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        ended, awaited = wait(awaited, left, FIRST_COMPLETED)
        if not ended:
            break
        if deadline is None and any(enough(future.result()) for future in ended):
            deadline = time.monotonic() + seconds
            awaited -= {futures[place] for place in late}
    return [f.result() if f.done() else NodeError(NOT_YET) for f in futures]


def _outcome(ask: Callable[[], T]) -> T | Failure:
    try:
        return ask()
    except (Transient, Halt) as error:
        return error


def _in_background(ask: Callable[[], T]) -> Future[T | Failure]:
    future: Future[T | Failure] = Future()

    def run() -> None:
        try:
            future.set_result(_outcome(ask))
        finally:
            if not future.done():  # a fault of ours, whose traceback the thread prints
                future.set_exception(RuntimeError("asking a node failed"))

    Thread(target=run, name="nodes", daemon=True).start()
    return future
