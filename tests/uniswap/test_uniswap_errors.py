"""A revert carries the contract's reason, a sentence and its facts."""

from __future__ import annotations

from dexmm.errors import DexmmError
from dexmm.uniswap import errors
from dexmm.uniswap.errors import Revert


def every(kind: type[Revert]) -> list[type[Revert]]:
    return [kind, *(found for below in kind.__subclasses__() for found in every(below))]


def test_each_reason_has_one_error() -> None:
    reasons = [kind.reason for kind in every(Revert) if kind.reason]
    assert len(reasons) == len(set(reasons))
    assert {"LOK", "AI", "TLU", "TLM", "TUM", "LO", "LS", "LA", "NP", "M0", "M1"} <= set(reasons)
    assert {"AS", "SPL", "IIA", "OLD", "T", "R", "L", "F0", "F1", "I", "BP"} <= set(reasons)
    assert all(kind.reason == "" for kind in every(errors.BareRevert))


def test_an_error_says_what_broke_and_with_what() -> None:
    revert = errors.TicksMisordered(tick_lower=60, tick_upper=-60)
    assert isinstance(revert, DexmmError)
    assert revert.reason == "TLU"
    assert revert.facts == {"tick_lower": 60, "tick_upper": -60}
    assert str(revert) == (
        "TLU: the lower tick must be below the upper tick (tick_lower=60, tick_upper=-60)"
    )


def test_every_error_has_a_rule_of_its_own() -> None:
    rules = [kind.rule for kind in every(Revert) if kind not in (Revert, errors.BareRevert)]
    assert len(rules) == len(set(rules))
