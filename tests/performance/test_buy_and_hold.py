"""Net worth beside holding, with deposits and withdrawals on both sides."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from performance.test_attribution import histories

from dexmm.performance.attribution import Flow, Mark, Source, attribute
from dexmm.performance.buy_and_hold import worths

D = Decimal


@settings(max_examples=60, deadline=None)
@given(histories())
def test_the_last_difference_is_the_attributions(marks: list[Mark]) -> None:
    found = worths(marks)
    assert len(found) == len(marks)
    assert found[0].against_holding == 0
    assert found[-1].against_holding == attribute(marks).against_holding
    assert found[-1].net_worth == marks[-1].net_worth


def test_a_deposit_lifts_both() -> None:
    deposit = (Flow(source=Source.CAPITAL, base=D(1), quote=D(500)),)
    marks = [
        Mark(at=0, fair_price=D(4000), base=D(1), quote=D(0)),
        Mark(at=60, fair_price=D(4000), base=D(2), quote=D(500), flows=deposit),
        Mark(at=120, fair_price=D(4100), base=D(2), quote=D(500)),
    ]
    first, second, third = worths(marks)
    assert (first.holding, second.holding, third.holding) == (4000, 8500, 8700)
    assert (second.capital, third.capital) == (4500, 4600)
    assert third.against_holding == 0
    assert third.undisturbed == 4100


def test_of_nothing_there_is_nothing() -> None:
    assert worths([]) == []
