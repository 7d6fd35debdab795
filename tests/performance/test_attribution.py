"""Accounts that close: for any flows whatever, to the last unit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.errors import Halt
from dexmm.performance.attribution import (
    Attribution,
    Flow,
    Mark,
    Part,
    Source,
    attribute,
    legs,
    merged,
)
from dexmm.units import EXACT, to_decimal

D = Decimal
EXAMPLES = settings(max_examples=60, deadline=None)

bases = st.integers(-(10**24), 10**24).map(lambda units: to_decimal(units, 18))
quotes = st.integers(-(10**15), 10**15).map(lambda units: to_decimal(units, 6))
# As a pool's price is: fifty digits.
prices = st.integers(1, 10**50).map(lambda number: to_decimal(number, 45))
flows = st.lists(
    st.builds(Flow, source=st.sampled_from(Source), base=bases, quote=quotes), max_size=5
).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> list[Mark]:
    """Marks whose inventories are what their flows make of the first."""
    base, quote = draw(bases), draw(quotes)
    marks = [Mark(at=0, fair_price=draw(prices), base=base, quote=quote)]
    leg = 0
    for at, brought in enumerate(draw(st.lists(flows, min_size=1, max_size=8)), start=1):
        leg += draw(st.booleans())
        with localcontext(EXACT):
            base += sum((flow.base for flow in brought), D(0))
            quote += sum((flow.quote for flow in brought), D(0))
        marks.append(
            Mark(at=at, fair_price=draw(prices), base=base, quote=quote, flows=brought, leg=leg)
        )
    return marks


def exact_sum(values: list[Decimal]) -> Decimal:
    with localcontext(EXACT):
        return sum(values, D(0))


@EXAMPLES
@given(histories())
def test_any_history_closes_exactly(marks: list[Mark]) -> None:
    found = attribute(marks)
    with localcontext(EXACT):
        assert found.end - found.start == found.change
        assert found.change == found.holding + exact_sum([p.total for p in found.parts.values()])


@EXAMPLES
@given(histories())
def test_a_source_is_worth_what_it_brought_at_the_last_price(marks: list[Mark]) -> None:
    found, price = attribute(marks), marks[-1].fair_price
    for source in Source:
        brought = [flow for mark in marks for flow in mark.flows if flow.source is source]
        with localcontext(EXACT):
            worth = sum((flow.base * price + flow.quote for flow in brought), D(0))
        assert found.part(source).total == worth


@EXAMPLES
@given(histories())
def test_edge_is_taken_at_the_price_of_its_moment(marks: list[Mark]) -> None:
    found = attribute(marks)
    with localcontext(EXACT):
        lost = sum(
            (
                flow.base * mark.fair_price + flow.quote
                for mark in marks
                for flow in mark.flows
                if flow.source is Source.LIQUIDITY
            ),
            D(0),
        )
    assert found.loss_versus_rebalancing == lost


@EXAMPLES
@given(histories(), st.data())
def test_a_unit_from_nowhere_is_found(marks: list[Mark], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(marks) - 1))
    side = data.draw(st.sampled_from(["base", "quote"]))
    unit = {"base": D("1e-18"), "quote": D("1e-6")}[side]
    broken = marks[:]
    with localcontext(EXACT):
        broken[at] = replace(marks[at], **{side: getattr(marks[at], side) + unit})
    with pytest.raises(Halt, match=f"do not close at {at}:"):
        attribute(broken)


@EXAMPLES
@given(histories())
def test_legs_tile_the_whole(marks: list[Mark]) -> None:
    """Each begins where the one before it ended; their changes and sources' edges add up."""
    stretches, found = legs(marks), attribute(marks)
    assert stretches[0].began == marks[0].at
    assert stretches[-1].ended == marks[-1].at
    for one, other in pairwise(stretches):
        assert one.ended == other.began
        assert one.number < other.number
    assert exact_sum([leg.attribution.change for leg in stretches]) == found.change
    for source in Source:
        edges = [leg.attribution.part(source).edge for leg in stretches]
        assert exact_sum(edges) == found.part(source).edge


@EXAMPLES
@given(histories())
def test_against_holding_is_every_part_but_capital(marks: list[Mark]) -> None:
    found = attribute(marks)
    parts = [part.total for source, part in found.parts.items() if source is not Source.CAPITAL]
    assert found.against_holding == exact_sum(parts)


@EXAMPLES
@given(flows)
def test_merged_flows_are_one_a_source_and_the_same_in_sum(brought: tuple[Flow, ...]) -> None:
    found = merged(brought)
    assert len({flow.source for flow in found}) == len(found)
    assert all(flow.base or flow.quote for flow in found)
    for name in ("base", "quote"):
        before = exact_sum([getattr(flow, name) for flow in brought])
        assert exact_sum([getattr(flow, name) for flow in found]) == before


@EXAMPLES
@given(histories(), st.lists(quotes, min_size=8, max_size=8))
def test_an_edge_that_is_known_moves_nothing_but_timing(
    marks: list[Mark], edges: list[Decimal]
) -> None:
    known = [
        replace(mark, flows=tuple(replace(flow, edge=edge) for flow in mark.flows))
        for mark, edge in zip(marks, [D(0), *edges], strict=False)
    ]
    before, after = attribute(marks), attribute(known)
    assert (before.change, before.holding) == (after.change, after.holding)
    for source in Source:
        assert after.part(source).total == before.part(source).total
        with localcontext(EXACT):
            told = [flow.edge or D(0) for m in known for flow in m.flows if flow.source is source]
        assert after.part(source).edge == exact_sum(told)


def test_merged_edges_are_known_where_all_are() -> None:
    one, other = (
        Flow(source=Source.FEES, quote=D(1), edge=D(2)),
        Flow(source=Source.FEES, base=D(1)),
    )
    assert merged((one, one)) == (Flow(source=Source.FEES, quote=D(2), edge=D(4)),)
    assert merged((one, other))[0].edge is None
    assert merged((replace(one, quote=D(0)),)) == (replace(one, quote=D(0)),)


def test_by_hand() -> None:
    """One PAXG bought at 3990 while fair was 4000, a dollar of fees, and the price then rose."""
    marks = [
        Mark(at=0, fair_price=D(3980), base=D(1), quote=D(8000)),
        Mark(
            at=60,
            fair_price=D(4000),
            base=D(2),
            quote=D(4009),
            flows=(
                Flow(source=Source.LIQUIDITY, base=D(1), quote=D(-3990)),
                Flow(source=Source.FEES, quote=D(1)),
                Flow(source=Source.GAS, quote=D(-2)),
            ),
            leg=1,
        ),
        Mark(at=120, fair_price=D(4050), base=D(2), quote=D(4009), leg=1),
    ]
    found = attribute(marks)
    assert (found.start, found.end) == (11_980, 12_109)
    assert found.holding == 70
    assert found.part(Source.LIQUIDITY) == Part(timing=D(50), edge=D(10))
    assert (found.loss_versus_rebalancing, found.divergence) == (10, 60)
    assert found.part(Source.FEES) == Part(edge=D(1))
    assert found.part(Source.GAS) == Part(edge=D(-2))
    assert found.part(Source.HEDGE) == Part()
    assert found.against_holding == 59
    assert [(leg.number, leg.began, leg.ended) for leg in legs(marks)] == [(1, 0, 120)]


def test_one_mark_is_no_change() -> None:
    mark = Mark(at=0, fair_price=D(4000), base=D(1), quote=D(1))
    assert attribute([mark]) == Attribution(start=D(4001), end=D(4001), holding=D(0))
    assert legs([mark]) == ()


def test_a_sum_that_would_round_raises() -> None:
    endless = Mark(at=0, fair_price=EXACT.divide(D(1), D(3)), base=D("0.7"), quote=D(0))
    with pytest.raises(ArithmeticError):
        attribute([endless, replace(endless, at=60)])
