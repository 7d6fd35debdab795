"""How much liquidity others keep: what is asked for is what the simulated pool then pays."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.backtest.run import Scenario, around, open_world
from dexmm.sim.background import others
from dexmm.sim.flow import FLOWS
from dexmm.sim.pay_ratio import Surroundings, others_liquidity
from dexmm.sim.price_walk import walk_of
from dexmm.sim.prices import generate
from dexmm.sim.traders import NO_COSTS, USUAL_COSTS
from tests.backtest.scenes import a_scenario

YEAR = 365 * 86_400
GOLD = Surroundings(
    flow=FLOWS["real"],
    variance=0.2**2 / YEAR,
    price=4000.0,
    sqrt_price=math.sqrt(4000),
    slot_seconds=12.0,
    fee=0.0005,
    protocol=0.25,
    costs=USUAL_COSTS,
)


def measured(scenario: Scenario) -> float:
    """The pay ratio of a run without us: from the pool's own fee growth, and the price's moves."""
    world = open_world(scenario)
    pool, found = world.chain.pool, around(scenario, walk_of(scenario.path, scenario.seed))
    then0, then1 = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
    liquidity, began = pool.liquidity, world.chain.timestamp
    while world.advance():
        assert pool.liquidity == pytest.approx(liquidity, rel=1e-9)  # wherever the price goes
    seconds = world.chain.timestamp - began
    grown0 = (pool.fee_growth_global0_x128 - then0) / 2**128 * 1e-6
    grown1 = (pool.fee_growth_global1_x128 - then1) / 2**128 * 1e6
    earned = (grown0 * found.price + grown1) / seconds
    fees = found.fees / (liquidity / 1e12)
    return fees / (found.loss - (earned - fees))


@pytest.mark.parametrize("flow", ["real", "busy"])
@pytest.mark.parametrize("asked", ["0.7", "1.4"])
def test_the_ratio_asked_for_is_the_one_a_run_without_us_measures(flow: str, asked: str) -> None:
    path = generate(3, 10_000, interval_seconds=60)
    found = measured(a_scenario(path, flow=flow, pay_ratio=Decimal(asked)))
    assert found == pytest.approx(float(asked), rel=0.1)


@given(ratio=st.floats(0.05, 20), flow=st.sampled_from(["real", "busy"]))
def test_the_liquidity_found_is_paid_that_ratio(ratio: float, flow: str) -> None:
    around_it = replace(GOLD, flow=FLOWS[flow])
    assert around_it.pay_ratio(around_it.liquidity(ratio)) == pytest.approx(ratio, rel=1e-6)


@given(
    low=st.floats(0.1, 5),
    more=st.floats(1.05, 4),
    fee=st.sampled_from([100, 500, 3000, 10_000]),
    sigma=st.floats(0.1, 0.8),
)
def test_a_higher_ratio_is_less_liquidity(low: float, more: float, fee: int, sigma: float) -> None:
    here = replace(GOLD, fee=fee / 1e6, variance=sigma**2 / YEAR)
    assert here.liquidity(low * more) < here.liquidity(low)
    assert replace(here, flow=FLOWS["busy"]).liquidity(low) > here.liquidity(low)


def test_without_costs_it_is_the_known_formula() -> None:
    """Arbitrage keeps 0.126 of its gain at 5 bp, 20 % a year and 12 s; the rest comes back."""
    free = replace(GOLD, costs=NO_COSTS)
    much = 1e12  # so much that noise moves nothing
    assert free.arbitrage_cost(much) / free.loss == pytest.approx(1 - 0.874 * 0.75, abs=0.002)
    assert GOLD.arbitrage_cost(much) > free.arbitrage_cost(much)


def test_one_integer_of_six_digits() -> None:
    found = others_liquidity((18, 6), GOLD, 1.0)
    assert str(found)[6:].strip("0") == ""
    assert found == pytest.approx(GOLD.liquidity(1.0) * 1e12, rel=1e-5)


def test_a_price_that_stands_still_has_no_endless_liquidity() -> None:
    path = generate(1, 50)
    still = replace(
        path,
        candles=tuple(replace(c, open=D, high=D, low=D, close=D) for c in path.candles),
    )
    assert 0 < open_world(a_scenario(still)).chain.pool.liquidity < 10**19


D = Decimal(4000)


@given(liquidity=st.integers(2, 10**20))
def test_all_prices_have_the_same_liquidity(liquidity: int) -> None:
    stakes = others(liquidity)
    whole, parts = stakes[0], stakes[1:]
    assert whole.liquidity + parts[0].liquidity == liquidity
    assert len({part.liquidity for part in parts}) == 1
    edges = [(part.lower_bp, part.upper_bp) for part in parts]
    assert edges[0][0] is None
    assert edges[-1][1] is None
    assert all(one[1] == other[0] for one, other in pairwise(edges))
