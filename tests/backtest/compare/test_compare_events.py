"""A recorded pool as a backtest's world, and what a request says of the market it is in."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sim.replay.history_scene import METADATA, life, write_logs

from dexmm.backtest.compare.compare import compare
from dexmm.backtest.compare.contestants import Holding, Live, Static
from dexmm.backtest.event_world import (
    EventScenario,
    assumed,
    open_event_world,
    run_scenario,
    with_known_oracle,
)
from dexmm.backtest.market_expectation import facts_of
from dexmm.backtest.run import Scenario
from dexmm.backtest.scenario_market import PAXG_USDT_MARKET, MarketAsked, as_recorded, market_asked
from dexmm.backtest.scenario_request import Request, scenario_of
from dexmm.errors import BadInput
from dexmm.performance.attribution import Source, attribute
from dexmm.sim.agents.traders import USUAL_COSTS
from dexmm.uniswap.oracle import GROWN, Observation
from dexmm.uniswap.pool import Pool

DAY = "wbtc_weth_3000_blocks_16944668_16951788.json.gz"
WBTC_WETH = MarketAsked(base="WBTC", quote="WETH", base_decimals=8, quote_decimals=18)


@pytest.fixture
def day(shared_data: Path) -> Path:
    return shared_data / "univ3" / DAY


def recorded(day: Path, **asked: object) -> EventScenario:
    request = replace(Request(events=day, market=WBTC_WETH), **asked)
    scenario = scenario_of(request)
    assert isinstance(scenario, EventScenario)
    return scenario


@pytest.mark.data
def test_a_day_of_a_real_pool_pays_its_fees(day: Path) -> None:
    found = run_scenario(recorded(day, strategy="budget"))
    assert found.figures.fees > 0 > found.figures.gas
    assert found.track.points[-1].ranges
    assert any(line.startswith("Every recorded swap") for line in found.track.assumptions)


@pytest.mark.data
def test_nobody_in_it_ends_where_the_chain_did(day: Path) -> None:
    scenario = recorded(day, strategy="hold")
    world = open_event_world(scenario)
    while world.advance():
        pass
    history = scenario.history
    assert world.chain.pool.sqrt_price_x96 == history.events.sqrt_prices[len(history.events) - 1]


@pytest.mark.data
def test_everybody_side_by_side_over_events(day: Path) -> None:
    field = (Live(strategy="budget"), Static(half_width=Decimal("0.02")), Holding())
    found = compare(recorded(day), field, workers=1)
    budget, static, hold = found.rows
    assert static.figures.fees > budget.figures.fees > hold.figures.fees == 0
    assert {row.figures.start for row in found.rows} == {hold.figures.start}
    assert found.worth.volume is not None
    assert found.worth.volume > 0


@pytest.mark.data
def test_the_default_capital_and_gas_are_counted_in_ether(day: Path) -> None:
    scenario = recorded(day)
    assert (scenario.capital, scenario.eth_price) == (Decimal(20), 1)
    assert facts_of(scenario).gas_per_rerange < Decimal("0.01")


@pytest.mark.data
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"market": MarketAsked()}, "does not say which tokens"),
        ({"flow": "busy"}, "--flow would be another"),
        ({"exchange": True, "turns": 5}, "--turns and --exchange would be another"),
        ({"since": 4_000_000_000}, "no event in the period"),
        ({"interval_seconds": 86_400}, "one re-range needs"),
        ({"capital": Decimal("0.001")}, "raise --capital"),
    ],
)
def test_what_a_recorded_pool_refuses(day: Path, asked: dict, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        recorded(day, **asked)


def test_a_record_without_its_oracle_begins_one() -> None:
    pool = Pool(500, 10, timestamp=1_000)
    pool.initialize(PAXG_USDT_MARKET.sqrt_price_x96(Decimal(4000)))
    whole = pool.state()
    assert with_known_oracle(whole) is whole
    ring = [GROWN] * 6
    ring[3] = Observation(1_000, 5, 7, True)
    part = replace(
        whole,
        observations=ring,
        observation_index=3,
        observation_cardinality=6,
        observation_cardinality_next=6,
    )
    mended = Pool.from_state(with_known_oracle(part), 1_000)
    mended.timestamp = 3_000
    ticks, _ = mended.observe((1_500, 0))
    assert ticks[1] - ticks[0] == 1_500 * mended.tick


def generated(**asked: object) -> Scenario:
    return scenario_of(replace(Request(generated=True, turns=60), **asked))


def test_gas_that_stands_still_is_paid_and_told() -> None:
    # Arbitrage pays gas too, and trades less where it is dear: here its costs are the same. Who
    # asks what a range would earn after gas places none where it is dear; this one does not ask.
    cheap, dear = (
        replace(generated(gas_gwei=Decimal(gwei), strategy="budget"), arbitrage=USUAL_COSTS)
        for gwei in ("0.4", "4")
    )
    paid = [-attribute(run_scenario(s).track.marks).part(Source.GAS).total for s in (cheap, dear)]
    # The configured tip of 0.1 gwei comes on top.
    assert paid[1] * 5 == paid[0] * 41
    assert any("Gas costs 4 gwei at 2500 USDT per ether" in line for line in assumed(dear))
    assert any("a seeded walk" in line for line in assumed(generated()))


def test_the_asked_market_is_in_its_own_order() -> None:
    asked = MarketAsked(base="ETH", quote="USDC", base_is_token1=True, fee_pips=3000)
    market = market_asked(PAXG_USDT_MARKET, asked)
    assert (market.token0.symbol, market.token1.symbol) == ("USDC", "ETH")
    assert (market.token0.decimals, market.token1.decimals) == (6, 18)
    assert (market.base.symbol, market.fee_pips, market.tick_spacing) == ("ETH", 3000, 60)
    assert abs(market.price(market.sqrt_price_x96(Decimal(3500))) - 3500) < Decimal("1e-9")


def test_a_configuration_of_another_pool_is_refused() -> None:
    other = replace(PAXG_USDT_MARKET, pool="0x" + "ab" * 20)
    with pytest.raises(BadInput, match="give the configuration of the recorded pool"):
        as_recorded(other, generated().config, "a file")


def test_gold_has_its_weekend_and_others_have_none() -> None:
    assert generated().config.guards.closed_weekly
    other = generated(market=MarketAsked(base="WBTC"))
    assert other.config.guards.closed_weekly == ()


def a_life(folder: Path) -> Path:
    """A pool's logs from its first block on, as a node gives them."""
    scribe = life(3, 300)
    tokens = {
        f"dexmm.token{number}": json.dumps(
            {"address": token.address, "symbol": token.symbol, "decimals": token.decimals}
        )
        for number, token in enumerate((PAXG_USDT_MARKET.token0, PAXG_USDT_MARKET.token1))
    }
    return write_logs(folder, scribe.rows, {**METADATA, **tokens})


def test_a_pool_that_is_born_in_its_history_is_entered_at_its_first_trade(tmp_path: Path) -> None:
    request = Request(events=a_life(tmp_path), interval_seconds=60, strategy="budget")
    scenario = scenario_of(request)
    assert isinstance(scenario, EventScenario)
    assert scenario.history.opening.liquidity > 0
    assert scenario.history.opening.fee_protocol == 4 | 4 << 4
    assert (scenario.market.base.symbol, scenario.market.quote.symbol) == ("PAXG", "USDT")
    found = run_scenario(scenario)
    assert found.figures.fees > 0
    free = run_scenario(scenario_of(replace(request, fee_protocol=0)))
    assert free.figures.fees > found.figures.fees * Decimal("1.2")


def test_a_pool_in_which_nobody_traded_is_refused(tmp_path: Path) -> None:
    path = write_logs(tmp_path, life(1, 0).rows)
    with pytest.raises(BadInput, match="holds no swap"):
        scenario_of(Request(events=path))
