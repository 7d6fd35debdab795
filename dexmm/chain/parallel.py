"""Several nodes asked at once, so that a slow or dead one does not hold up the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from dexmm.errors import Halt, NodeError, Transient

T = TypeVar("T")
Failure = Transient | Halt


def side_by_side(
    asks: Sequence[Callable[[], T]],
    enough: Callable[[T | Failure], bool] = lambda _: False,
    seconds: float = 0,
) -> list[T | Failure]:
    """What each of ``asks`` answers, or raises: a ``Transient`` or a ``Halt``. The first is asked
    here, the others in threads that do not hold the process when everything else is done.

    They are awaited in order until an answer is ``enough``; from then on the rest have ``seconds``
    more, and are a ``NodeError`` when they have not answered by then.
    """
    others = [_in_background(ask) for ask in asks[1:]]
    found = [_outcome(asks[0])]
    deadline: float | None = None
    for other in others:
        if deadline is None and enough(found[-1]):
            deadline = time.monotonic() + seconds
        found.append(_awaited(other, deadline))
    return found


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


def _awaited(future: Future[T | Failure], deadline: float | None) -> T | Failure:
    try:
        return future.result(None if deadline is None else max(deadline - time.monotonic(), 0))
    except TimeoutError:
        return NodeError("a node has not answered yet")
