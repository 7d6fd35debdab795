"""A result at other pay ratios and gas prices, and a long run beside its parts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.backtest.run import (
    Scenario,
    around,
    assumptions,
    costs_of_arbitrage,
    open_world,
    run_backtest,
)
from dexmm.backtest.scenario_request import Request, scenario_of
from dexmm.backtest.sensitivity import (
    PAY_RATIOS,
    AtGas,
    AtRatio,
    Sensitivity,
    at_gas,
    at_ratios,
    sensitivity,
    sentences,
)
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath, packed, read_path
from dexmm.performance.attribution import Source, attribute
from dexmm.sim.agents.price_process import PricePath, generate
from dexmm.sim.agents.price_walk import walk_of
from dexmm.sim.agents.traders import ArbitrageCosts
from tests.backtest.scenes import a_scenario

D = Decimal
HALF_YEAR = "prices/PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz"
DAY = 86_400


def test_what_pays_more_has_fewer_others_and_earns_us_more() -> None:
    path = generate(2, 700, interval_seconds=1800)
    runs = at_ratios(a_scenario(path))
    assert [run.pay_ratio for run in runs] == list(PAY_RATIOS)
    shares, fees = [run.liquidity_share for run in runs], [run.fees for run in runs]
    assert shares == sorted(shares)
    assert fees == sorted(fees)
    assert 0 < shares[0] < shares[-1] < 1
    assert fees[0] < fees[-1]


def test_the_run_itself_is_not_made_again_and_a_ratio_of_ones_own_is_shown_too() -> None:
    scenario = a_scenario(generate(2, 200, interval_seconds=1800), pay_ratio=D(2))
    found = run_backtest(scenario)
    shown = sensitivity(scenario, found).ratios
    assert [run.pay_ratio for run in shown] == [*PAY_RATIOS, D(2)]
    assert (shown[-1].net, shown[-1].fees) == (found.figures.net, found.figures.fees)
    alone = run_backtest(replace(scenario, pay_ratio=D("0.7")))
    assert (shown[0].net, shown[0].liquidity_share) == (alone.figures.net, alone.liquidity_share)


def test_gas_is_scaled_on_the_same_decisions() -> None:
    found = run_backtest(a_scenario(generate(2, 300, interval_seconds=1800), restless=True))
    paid = -attribute(found.track.marks).part(Source.GAS).total
    assert paid > 0
    third, same, three = at_gas(found.figures)
    assert same.net == found.figures.net
    assert three.net == same.net - 2 * paid
    assert third.net == pytest.approx(same.net + paid * 2 / 3)
    assert third.net_bp > same.net_bp > three.net_bp


def test_our_part_of_the_liquidity_in_range_is_told() -> None:
    path = generate(2, 400, interval_seconds=1800)
    found = run_backtest(a_scenario(path))
    assert found.track.facts["ours of the liquidity in range"] == (
        f"{found.liquidity_share * 100:.2f} %"
    )
    twice = run_backtest(a_scenario(path, capital=D(100_000)))
    ours, more = (run.liquidity_share for run in (found, twice))
    # Odds grow as the liquidity does.
    assert more / (1 - more) == pytest.approx(2 * ours / (1 - ours), rel=D("0.1"))
    assert run_backtest(a_scenario(path, "hold")).liquidity_share == 0


def parts_of(scenario: Scenario, days: int) -> list[Scenario]:
    path = packed(scenario.path)
    return [
        replace(scenario, path=path.between(at, at + days * DAY))
        for at in range(path.start, path.at(len(path)), days * DAY)
    ]


def paid_a_unit(scenario: Scenario) -> float:
    """What a unit of liquidity that is always in range earns, without us, in quote."""
    world = open_world(scenario)
    pool = world.chain.pool
    earned, price = 0.0, float(world.fair_price)
    before = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
    while world.advance():
        now = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
        earned += (now[0] - before[0]) / 2**128 * 1e-6 * price
        earned += (now[1] - before[1]) / 2**128 * 1e6
        before, price = now, float(world.fair_price)
    return earned


def test_a_unit_of_liquidity_earns_in_a_long_run_what_it_does_in_its_parts() -> None:
    scenario = a_scenario(PackedPath.of(generate(2, 4 * 7 * 48, interval_seconds=1800)))
    parts = parts_of(scenario, 7)
    assert len(parts) == 4
    whole = paid_a_unit(scenario)
    assert sum(map(paid_a_unit, parts)) == pytest.approx(whole, rel=0.05)


@pytest.mark.data
def test_half_a_year_of_gold_earns_what_its_months_do(shared_data: Path) -> None:
    """Each month with the capital that the whole run has then: gold rises by a quarter in it."""
    scenario = a_scenario(read_path(shared_data / HALF_YEAR))
    whole = run_backtest(scenario)
    fees, parts = D(0), parts_of(scenario, 30)
    assert len(parts) > 5
    for part in parts:
        began = packed(part.path).start
        capital = next(point.nav for point in whole.track.points if point.at >= began)
        fees += run_backtest(replace(part, capital=capital)).figures.fees
    assert fees == pytest.approx(whole.figures.fees, rel=D("0.05"))


def candles(file: Path, path: PricePath, price: Decimal) -> Path:
    """An ether at ``price``, and at twice that from the middle on."""
    half = len(path.candles) // 2
    rows = ["timestamp_ms,open,high,low,close,volume"]
    for number, candle in enumerate(path.candles):
        here = price if number < half else price * 2
        rows.append(f"{candle.at * 1000},{here},{here},{here},{here},1")
    file.write_text("\n".join(rows) + "\n")
    return file


def test_an_ether_costs_what_its_candles_say(tmp_path: Path) -> None:
    path = generate(1, 60, interval_seconds=1800)
    asked = Request(
        generated=True, turns=60, eth_prices=(candles(tmp_path / "e.csv", path, D(2000)),)
    )
    scenario = scenario_of(asked)
    world = open_world(scenario)
    seen = []
    while world.advance():
        seen.append(world.chain.observe().eth_price)
    assert seen == [D(2000)] * 30 + [D(4000)] * 30
    # Arbitrageurs reckon with one price, that of the middle: 150,000 gas at 0.3 gwei.
    assert world.street.costs.transaction == D("0.18")
    assert any("the price of an ether in e.csv" in line for line in assumptions(scenario))
    with pytest.raises(BadInput, match=r"e\.csv has the price of an ether from"):
        scenario_of(replace(asked, turns=61))


def test_what_arbitrage_costs_follows_gas_and_ether() -> None:
    asked = Request(generated=True, turns=60, gas_gwei=D(1), eth_price=D(3000))
    costs = costs_of_arbitrage(scenario_of(asked))
    assert (costs.transaction, costs.exchange_fee_pips) == (D("0.495"), 100)  # the tip is 0.1 gwei
    other = scenario_of(replace(asked, arbitrage_gas=0, arbitrage_fee_bp=D("2.5")))
    assert costs_of_arbitrage(other) == ArbitrageCosts(exchange_fee_pips=250)
    # The liquidity of others is sized with the same costs.
    walk = walk_of(other.path, other.seed)
    assert around(other, walk).costs == costs_of_arbitrage(other)


def test_what_ether_counts_is_told_with_digits_that_count() -> None:
    run = AtRatio(
        pay_ratio=D(1),
        net=D("-0.001577"),
        net_bp=D("-0.8"),
        fees=D("0.022733"),
        liquidity_share=D("0.5"),
        against_rebalanced=D(0),
        skill=D(0),
    )
    gas = AtGas(gas="as assumed", net=D("-0.001577"), net_bp=D("-0.8"))
    told = dict(sentences(Sensitivity(ratios=(run,), gas=(gas,)), "WETH"))
    assert told["pay ratio 1"].startswith("-0.001577 WETH (-0.8 bp), 0.022733 of fees with 50.00 %")
    assert told["gas as assumed"] == "-0.001577 WETH (-0.8 bp)"
    assert sentences(Sensitivity(ratios=(), gas=(gas,)), "USDT")[0][1] == "-0.00 USDT (-0.8 bp)"
