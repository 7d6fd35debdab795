"""Asking several at once: whoever answers first decides how long the others are waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dexmm.chain.parallel import NOT_YET, side_by_side
from dexmm.errors import NodeError

LONG = 60  # seconds that no test may take


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Nobody sets it before the test is over."""
    event = threading.Event()
    yield event
    event.set()


def hangs(event: threading.Event) -> str:
    event.wait(LONG)
    return "at last"


@pytest.mark.parametrize("place", [0, 1])
def test_one_that_hangs_is_not_waited_for_once_another_is_enough(
    never: threading.Event, place: int
) -> None:
    asks = [lambda: "taken", lambda: "taken"]
    asks[place] = lambda: hangs(never)
    found = side_by_side(asks, lambda answer: answer == "taken", 0.05)
    assert found[1 - place] == "taken"
    assert isinstance(found[place], NodeError)
    assert found[place].message == NOT_YET


def test_one_that_is_late_has_not_even_the_rest(never: threading.Event) -> None:
    asks = [lambda: "taken", lambda: hangs(never)]
    found = side_by_side(asks, lambda answer: answer == "taken", LONG, late=[1])
    assert isinstance(found[1], NodeError)


def test_without_enough_all_are_waited_for() -> None:
    def fails() -> str:
        raise NodeError("no")

    found = side_by_side([fails, lambda: "told"], lambda answer: answer == "enough")
    assert isinstance(found[0], NodeError)
    assert found[1] == "told"
