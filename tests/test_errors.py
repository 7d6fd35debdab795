"""Each error says what the runner does next, and what a shell is told."""

import inspect

import pytest

from dexmm import errors
from dexmm.errors import BadInput, Busy, DexmmError, Halt, NodeError, Transient


@pytest.mark.parametrize(
    ("kind", "code"),
    [(DexmmError, 1), (BadInput, 2), (Halt, 4), (Transient, 5), (NodeError, 5), (Busy, 6)],
)
def test_exit_codes(kind: type[DexmmError], code: int) -> None:
    error = kind("what is wrong: what to do", block=7)
    assert error.exit_code == code
    assert str(error) == error.message == "what is wrong: what to do"
    assert error.facts == {"block": 7}


def test_three_is_left_to_refusals_and_no_two_meanings_share_a_code() -> None:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    kinds = [kind for kind in found if issubclass(kind, DexmmError)]
    own = {k: k.exit_code for k in kinds if k is not NodeError}
    assert 3 not in own.values()
    assert len(set(own.values())) == len(own)


def test_a_node_error_is_transient_and_a_halt_is_not() -> None:
    assert issubclass(NodeError, Transient)
    assert not issubclass(Halt, Transient)
