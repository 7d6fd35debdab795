"""Ranges in floats against the strategies' own in decimals."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from backtest.vectorised.vectorised_exact import market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.vectorised.ranges import (
    Grid,
    Held,
    Lies,
    Spread,
    beside,
    outer_edges,
    rungs_of,
    waiting,
)
from dexmm.config.schema import Strategy
from dexmm.strategy.ranges.held_ranges import HeldRange, Side, edges_of
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.strategy.ranges.range_edges import around, distance, in_rungs
from dexmm.strategy.ranges.range_input import Situation
from dexmm.strategy.ranges.strategies.passive import passive
from dexmm.units import PRICE, Liquidity

SIDES = {Lies.BELOW: Side.BID, Lies.ABOVE: Side.ASK, Lies.AROUND: Side.BOTH}


def situation_at(price: Decimal, edge_bp: int, base: int, quote: int, mirrored: bool) -> Situation:
    market = market_of(mirrored=mirrored)
    ladder, sqrt = Ladder.of(market), market.sqrt_price_x96(price)
    return Situation(
        ladder=ladder,
        settings=Strategy(
            edge_sigmas=Decimal("1E-9"), edge_min_bp=Decimal(edge_bp), edge_max_bp=edge_bp + 1
        ),
        s=ladder.root(sqrt),
        floor=ladder.floor(sqrt),
        ceiling=ladder.ceiling(sqrt),
        base=Decimal(0),
        quote=Decimal(0),
        sigma=Decimal("1E-9"),
        fee=Decimal("0.0005"),
        wallet_base=Decimal(base),
        wallet_quote=Decimal(quote),
    )


prices = st.decimals(min_value=100, max_value=90_000, places=2)
amounts = st.integers(1, 10**9)


@given(price=prices, edge_bp=st.integers(5, 3000), mirrored=st.booleans())
@settings(max_examples=40, deadline=None)
def test_edges_are_those_of_the_strategies(price: Decimal, edge_bp: int, mirrored: bool) -> None:
    with localcontext(PRICE):
        here = situation_at(price, edge_bp, 1, 1, mirrored)
        wanted = around(here)
        assert rungs_of(edge_bp) == in_rungs(distance(here.sigma, here.settings, here.fee_pips))
    found = Grid(here.ladder).around(float(here.s), rungs_of(edge_bp))
    assert (found.bid, found.ask) == wanted
    assert found.low == pytest.approx(float(here.ladder.root_at(found.bid)), rel=1e-15)


@given(
    price=prices,
    edge_bp=st.integers(15, 3000),
    base=amounts,
    quote=amounts,
    mirrored=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_vaults_rule_is_that_of_passive(
    price: Decimal, edge_bp: int, base: int, quote: int, mirrored: bool
) -> None:
    """Thousandths of base, and of quote."""
    with localcontext(PRICE):
        here = situation_at(price, edge_bp, base * 10**15, quote * 10**3, mirrored)
        wanted = passive(here)
    grid, s = Grid(here.ladder), float(here.s)
    spread = grid.around(s, rungs_of(edge_bp))
    held = (float(here.wallet_base), float(here.wallet_quote))
    both = spread.affordable(s, *held)
    left = [have - both * each for have, each in zip(held, spread.amounts(s), strict=True)]
    found = [Held(spread, both, Lies.AROUND)]
    found += [waiting(one, lies, s, *left) for one, lies in beside(grid, s, spread)]
    expected = {(r.bid, r.ask): float(r.liquidity) for r in wanted}
    most = max(expected.values())
    for one in found:
        liquidity = expected.get((one.spread.bid, one.spread.ask), 0.0)
        assert one.liquidity == pytest.approx(liquidity, rel=1e-9, abs=most * 1e-9)


@given(
    price=prices,
    bid=st.integers(-300, 300),
    width=st.integers(1, 400),
    mirrored=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_outer_edges_are_those_of_what_is_held(
    price: Decimal, bid: int, width: int, mirrored: bool
) -> None:
    here = situation_at(price, 100, 1, 1, mirrored)
    grid, spacing = Grid(here.ladder), here.ladder.spacing
    low = here.ladder.down(here.floor) + bid * spacing
    spread = grid.spread(low, low + width * spacing)
    lies = Lies.AROUND
    if here.floor >= spread.ask:
        lies = Lies.BELOW
    elif here.ceiling <= spread.bid:
        lies = Lies.ABOVE
    held = HeldRange(
        bid=spread.bid, ask=spread.ask, liquidity=Liquidity(1), positions=(), side=SIDES[lies]
    )
    found = outer_edges(grid, (Held(spread, 1.0, lies),))
    assert (found.bid, found.ask) == edges_of((held,), here.ladder)


def test_a_removal_is_sure_of_less_the_wider_the_corridor() -> None:
    held = Held(Spread(0, 2, 0.9, 1.1), 1.0, Lies.AROUND)
    all_of_it = held.spread.amounts(1.0)
    assert held.least(1.0, 0.0) == all_of_it
    for one, other in zip(held.least(1.0, 0.01), all_of_it, strict=True):
        assert 0 < one < other
    assert held.least(1.0, 0.5) == (0.0, 0.0)
