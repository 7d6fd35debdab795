"""What was refused, rule by rule. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from dexmm.model.decision import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One rule over the whole track."""

    rule: str
    turns: int  # in which it bit
    withheld: int  # of those, turns in which a wanted action was held back
    explanation: str  # the facts, when it first bit


class Looked(Protocol):
    """A turn, as far as this asks."""

    @property
    def refusals(self) -> tuple[Refusal, ...]: ...

    @property
    def withheld(self) -> bool: ...


def refused(points: Iterable[Looked]) -> tuple[Refused, ...]:
    """Every rule that bit, the most frequent first."""
    turns: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    first: dict[str, str] = {}
    for point in points:
        for refusal in point.refusals:
            first.setdefault(refusal.rule, refusal.detail)
        rules = {refusal.rule for refusal in point.refusals}
        turns.update(rules)
        withheld.update(rules if point.withheld else ())
    return tuple(
        Refused(rule=rule, turns=count, withheld=withheld[rule], explanation=first[rule])
        for rule, count in sorted(turns.items(), key=lambda item: (-item[1], item[0]))
    )
