"""How much liquidity others keep: what is asked for is what the simulated pool then pays.

What it pays is measured by nothing of the module's: each trade in the exact pool, valued at the
fair price of its slot. A tiny passive position of ours then has the skill that the ratio says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexmm.backtest.compare.contestants import Static
from dexmm.backtest.compare.play import play
from dexmm.backtest.run import Scenario, around, open_world
from dexmm.history.packed_candles import PackedPath, read_path
from dexmm.performance.metrics import figures
from dexmm.sim.agents.base_fee import BaseFee
from dexmm.sim.agents.market_simulator import NOISE, Deed, Trade
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.pay_ratio import (
    USUAL_SIGMA,
    YEAR_SECONDS,
    Pace,
    Surroundings,
    activity,
    others_liquidity,
)
from dexmm.sim.agents.price_process import Candle, generate
from dexmm.sim.agents.price_walk import walk_of
from dexmm.sim.agents.traders import NO_COSTS, USUAL_COSTS
from dexmm.sim.chain.background_liquidity import others
from tests.backtest.scenes import a_scenario

YEAR = 365 * 86_400
PRICES = "prices/PAXGUSDT_"
HOURS, MINUTES = "spot_1h_2021-04_2023-12.csv.gz", "perp_5m_2025-07_2025-12.csv.gz"
HALF_YEARS = [
    (HOURS, 2021, 1),
    (HOURS, 2021, 7),
    (HOURS, 2022, 1),
    (HOURS, 2022, 7),
    (HOURS, 2023, 1),
    (HOURS, 2023, 7),
    (MINUTES, 2025, 7),
]
GOLD = Surroundings(
    flow=FLOWS["real"],
    variances=((USUAL_SIGMA**2 / YEAR_SECONDS, 1.0),),
    price=4000.0,
    sqrt_price=math.sqrt(4000),
    slot_seconds=12.0,
    fee=0.0005,
    protocol=0.25,
    costs=USUAL_COSTS,
)


@dataclass(slots=True)
class Paid:
    """Of all liquidity in range, in quote: the protocol's part is not in the fees."""

    others: float = 0.0
    arbitrage: float = 0.0
    lost: float = 0.0  # to everybody, at the fair price of the moment

    @property
    def ratio(self) -> float:
        return self.others / (self.lost - self.arbitrage)

    @property
    def skill(self) -> float:
        return self.others + self.arbitrage - self.lost


def watched(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> list[Paid]:
    """A run without us, by quarters of its time."""
    world = open_world(scenario)
    chain, street, market = world.chain, world.street, scenario.market
    kept = 1 - (1 / scenario.fee_protocol if scenario.fee_protocol else 0)
    found = [Paid()]
    trader, fair = [""], [0.0]
    swap, answer = chain.swap, world._answer

    def swapped(asked):  # type: ignore[no-untyped-def]
        received = swap(asked)
        base, quote = received[0] / 1e18, received[1] / 1e6
        fee = (max(base, 0) * fair[0] + max(quote, 0)) * market.fee_pips / 1e6
        here = found[-1]
        here.lost -= base * fair[0] + quote - fee
        if trader[0] == NOISE:
            here.others += fee * kept
        else:
            here.arbitrage += fee * kept
        return received

    def mined(at: int, base_fee: BaseFee, deeds: list[Deed]) -> None:
        fair[0] = float(street.fair_price)
        chain.skip(at, base_fee)
        for deed in deeds:
            if isinstance(deed, Trade):
                trader[0] = deed.trader
                swapped(deed.swap)
            else:
                chain.hear(deed.feed, deed.price)
        trader[0] = ""

    def answered(price: Decimal, at: int) -> None:
        fair[0] = float(price)
        answer(price, at)

    monkeypatch.setattr(chain, "swap", swapped)
    monkeypatch.setattr(chain, "mine_deeds", mined)
    monkeypatch.setattr(world, "_answer", answered)
    liquidity, turns = chain.pool.liquidity, 0
    _, count = world.progress
    while world.advance():
        assert chain.pool.liquidity == pytest.approx(liquidity, rel=1e-9)  # wherever the price goes
        turns += 1
        if turns * 4 > len(found) * count:
            found.append(Paid())
    return found


def whole(parts: list[Paid]) -> Paid:
    return Paid(*(sum(getattr(p, name) for p in parts) for name in ("others", "arbitrage", "lost")))


@pytest.mark.parametrize(("flow", "asked"), [("real", "1.4"), ("busy", "0.7")])
@pytest.mark.parametrize("pace", Pace)
def test_the_ratio_asked_for_is_the_one_a_run_without_us_measures(
    flow: str, asked: str, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = generate(3, 1_500, interval_seconds=1800)
    scenario = a_scenario(path, flow=flow, pay_ratio=Decimal(asked), pace=pace)
    found = whole(watched(scenario, monkeypatch))
    assert found.ratio == pytest.approx(float(asked), rel=0.08)


def half_year(shared_data: Path, file: str, year: int, month: int) -> PackedPath:
    first = datetime(year, month, 1, tzinfo=UTC)
    last = datetime(year + (month == 7), 7 if month == 1 else 1, 1, tzinfo=UTC)
    path = read_path(shared_data / f"{PRICES}{file}")
    return path.between(int(first.timestamp()), int(last.timestamp()))


@pytest.mark.data
@pytest.mark.parametrize(("file", "year", "month"), HALF_YEARS)
def test_and_over_every_half_year_of_gold(
    shared_data: Path, file: str, year: int, month: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk within candles alone moves what one run measures by 3 %: here are three walks."""
    path, found = half_year(shared_data, file, year, month), []
    for seed, asked in enumerate(("0.7", "1.0", "1.4"), start=1):
        scenario = a_scenario(path, pay_ratio=Decimal(asked), seed=seed)
        quarters = watched(scenario, monkeypatch)
        found.append(whole(quarters).ratio / float(asked))
        assert found[-1] == pytest.approx(1, rel=0.12)
        # And at every time: no stretch pays those who wait for it.
        assert all(part.ratio == pytest.approx(float(asked), rel=0.3) for part in quarters)
    assert sum(found) / len(found) == pytest.approx(1, rel=0.08)


def scaled(candle: Candle, about: Decimal, by: Decimal) -> Candle:
    prices = {
        n: about + (getattr(candle, n) - about) * by for n in ("open", "high", "low", "close")
    }
    return replace(candle, **prices)


def test_evenly_traded_a_calm_time_pays_more_than_the_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why flow follows volatility unless told otherwise: here half the time moves a third."""
    path = generate(3, 1_200, interval_seconds=1800)
    first = path.candles[0].open
    calm = tuple(scaled(candle, first, Decimal("0.3")) for candle in path.candles[:600])
    both = replace(path, candles=(*calm, *path.candles[600:]))
    even = watched(a_scenario(both, pace=Pace.STEADY), monkeypatch)
    assert whole(even[:2]).ratio > 2
    assert whole(even[2:]).ratio < 0.8
    following = watched(a_scenario(both), monkeypatch)
    for half in (following[:2], following[2:]):  # a hundred trades in the calm one
        assert whole(half).ratio == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("half_width", [None, Decimal("0.3")])
@pytest.mark.parametrize("asked", ["0.7", "1.0", "1.4"])
def test_a_passive_position_has_the_skill_that_the_ratio_says(
    asked: str, half_width: Decimal | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fees less what was lost, of our own accounts at rare looks, as of all liquidity's."""
    path = generate(3, 1_000, interval_seconds=1800)
    tiny = a_scenario(path, pay_ratio=Decimal(asked), capital=Decimal(2_000))
    ours = figures(play(tiny, Static(half_width=half_width), lambda _done, _of: None))
    lost = -float(ours.loss_versus_rebalancing)
    skill = (float(ours.fees) - lost) / lost
    everybody = whole(watched(tiny, monkeypatch))
    assert skill == pytest.approx(everybody.skill / everybody.lost, abs=0.03)
    cost = (everybody.lost - everybody.arbitrage) / everybody.lost
    assert skill == pytest.approx((float(asked) - 1) * cost, abs=0.06)


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
    here = replace(GOLD, fee=fee / 1e6, variances=((sigma**2 / YEAR, 1.0),))
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


def test_a_long_history_is_as_active_as_each_of_its_candles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With arrays as without, to the last digit."""
    path = generate(6, 4500, interval_seconds=60)
    scenario = a_scenario(path)
    walk = walk_of(path, 1)
    liked = activity(walk, around(scenario, walk), 1.0)
    monkeypatch.setattr("dexmm.sim.agents.pay_ratio.find_spec", lambda _name: None)
    assert list(activity(walk, around(scenario, walk), 1.0)) == list(liked)
    assert 0 < min(x for x in liked if x) < max(liked)
