"""The vectorised baselines against the exact pool, within the error that they state."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from backtest.vectorised.vectorised_exact import OTHERS, config_of, exact_figures, market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.run import Scenario, run_backtest
from dexmm.backtest.vectorised.baselines import (
    FLOAT_ERROR,
    NOISE_ERROR,
    NOISE_ERROR_MOVED,
    UNITS_PER_SWAP,
    Baseline,
    Rule,
    baseline_figures,
)
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath
from dexmm.performance.metrics import Figures
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.price_process import Candle, PricePath, generate, read_candles
from dexmm.sim.agents.price_walk import slots_of
from dexmm.sim.agents.traders import ETHER_PRICE, NO_COSTS
from dexmm.strategy.rebalance.gas_economics import GAS_APPROVAL, GAS_BASE, GAS_BURN, GAS_MINT

D = Decimal
UNIT = D("0.000001")
RANGES = (Rule.STATIC, Rule.FULL_RANGE, Rule.RECENTRE, Rule.PASSIVE)
MONEY = {"start", "end", "net", "holding", "fees", "divergence", "loss_versus_rebalancing", "gas"}
TEXT = {"name", "halted"}
NOT_RECKONED = {"skill", "rebalanced", "liquidity_share"}  # by a vectorised run


def free(rule: Rule, edge_bp: int = 100) -> Baseline:
    """Gas aside: the exact world of these tests charges none."""
    return Baseline(rule=rule, edge_bp=D(edge_bp), gas_gwei=D(0))


def path_of(*prices: str, interval_seconds: int = 300) -> PricePath:
    """Candles from each price to the next, with nothing beyond."""
    ways = list(pairwise(map(D, prices)))
    return PricePath(
        source="made by hand",
        interval_seconds=interval_seconds,
        candles=tuple(
            Candle(
                at=1_704_067_200 + number * interval_seconds,
                open=one,
                high=max(one, other),
                low=min(one, other),
                close=other,
            )
            for number, (one, other) in enumerate(ways)
        ),
    )


def require_agreement(exact: Figures, found: Figures, swaps: int) -> None:
    rounding, small = swaps * UNITS_PER_SWAP * UNIT, D(str(FLOAT_ERROR))
    assert exact.fees >= found.fees - small * exact.start  # the pool rounds up what it takes
    for name, one in asdict(exact).items():
        other = getattr(found, name)
        if name in TEXT:
            continue
        if name in NOT_RECKONED:
            assert other is None, name
            continue
        if name in MONEY:
            assert abs(one - other) <= rounding + small * exact.start, name
        elif isinstance(one, Decimal):
            assert other == pytest.approx(one, rel=D("1e-5"), abs=D("1e-5")), name
        else:
            assert other == one, name
    for name in ("time_in_band", "time_in_range", "days"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), rel=D("1e-12")), name


@pytest.mark.parametrize("rule", [*RANGES, Rule.HOLD])
@pytest.mark.parametrize("seed", [2, 4])
def test_it_agrees_with_the_exact_pool(rule: Rule, seed: int) -> None:
    path, baseline = generate(seed, 700, interval_seconds=300), free(rule, 60)
    exact, swaps = exact_figures(path, market_of(), baseline)
    found = baseline_figures(path, market_of(), baseline)
    assert swaps > 300
    assert (exact.fees > 0) == (rule is not Rule.HOLD)
    assert (exact.reranges > 0) == (rule in {Rule.RECENTRE, Rule.PASSIVE})
    require_agreement(exact, found, swaps)


@pytest.mark.parametrize("rule", [Rule.STATIC, Rule.PASSIVE])
def test_it_agrees_where_the_base_is_token1(rule: Rule) -> None:
    path, market, baseline = generate(3, 600), market_of(mirrored=True), free(rule, 60)
    exact, swaps = exact_figures(path, market, baseline)
    require_agreement(exact, baseline_figures(path, market, baseline), swaps)


def test_it_agrees_at_another_fee_spacing_and_protocol_share() -> None:
    market = market_of(fee_pips=3000, tick_spacing=60)
    baseline = replace(free(Rule.PASSIVE, 200), fee_protocol=4 + (6 << 4), dwell_seconds=0)
    path = generate(5, 700, interval_seconds=3600)
    exact, swaps = exact_figures(path, market, baseline)
    assert exact.reranges > 2
    require_agreement(exact, baseline_figures(path, market, baseline), swaps)


@pytest.mark.parametrize(("rule", "seed"), [(Rule.RECENTRE, 2), (Rule.PASSIVE, 4)])
def test_it_agrees_with_the_live_strategy_that_nothing_holds_back(rule: Rule, seed: int) -> None:
    """The same turns as on mainnet, with guards and gates too wide to bite."""
    path, market = generate(seed, 700), market_of()
    config = config_of(
        market,
        strategy={
            "name": rule.value,
            "edge_sigmas": "1E-9",
            "edge_min_bp": "60",
            "edge_max_bp": "61",
            "economic_gate": False,
            "max_age_hours": "10000",
            "min_interval_seconds": 1,
        },
        guards={
            "closed_weekly": [],
            "stop_loss_bp": "9000",
            "max_drawdown_hold_bp": "9000",
            "twap_max_ticks": 10_000,
        },
        gas={"daily_budget_eth": "100"},
        loop={"interval_seconds": 300},
    )
    scenario = Scenario(
        path=path,
        config=config,
        market=market,
        flow="none",
        arbitrage=NO_COSTS,
        every_turn=True,
    )
    live, found = run_backtest(scenario).figures, baseline_figures(path, market, free(rule, 60))
    assert live.reranges == found.reranges > 0
    rounding = slots_of(path.interval_seconds) * len(path.candles) * UNITS_PER_SWAP * UNIT
    for name in ("fees", "divergence", "loss_versus_rebalancing", "holding", "start"):
        assert abs(getattr(live, name) - getattr(found, name)) < rounding, name
    assert abs(live.net - live.gas - found.net) < rounding
    assert live.time_in_range == pytest.approx(found.time_in_range, rel=D("1e-12"))


@pytest.fixture(scope="module")
def real_path(shared_data: Path) -> PricePath:
    """Five days of gold, with a fall of 7.4 % in one."""
    whole = read_candles(shared_data / "prices" / "PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz")
    return replace(whole, candles=whole.candles[30_800:32_200])


@pytest.mark.data
@pytest.mark.parametrize("rule", [Rule.STATIC, Rule.RECENTRE, Rule.PASSIVE])
def test_it_agrees_on_real_prices(real_path: PricePath, rule: Rule) -> None:
    exact, swaps = exact_figures(real_path, market_of(), free(rule, 150))
    found = baseline_figures(real_path, market_of(), free(rule, 150))
    assert exact.share_high - exact.share_low > D("0.4")
    require_agreement(exact, found, swaps)


@pytest.mark.parametrize(
    ("rule", "edge_bp", "flow", "error"),
    [
        (Rule.FULL_RANGE, 100, "busy", NOISE_ERROR),
        (Rule.STATIC, 500, "real", NOISE_ERROR),
        (Rule.STATIC, 500, "busy", NOISE_ERROR),
        (Rule.PASSIVE, 100, "real", NOISE_ERROR_MOVED),
        (Rule.PASSIVE, 100, "busy", NOISE_ERROR_MOVED),
        (Rule.RECENTRE, 100, "busy", NOISE_ERROR_MOVED),
    ],
)
def test_with_noise_fees_are_within_the_stated_error(
    rule: Rule, edge_bp: int, flow: str, error: float
) -> None:
    path, baseline = generate(3, 600), free(rule, edge_bp)
    quiet = baseline_figures(path, market_of(), baseline)
    exact, _ = exact_figures(path, market_of(), baseline, flow=FLOWS[flow])
    found = baseline_figures(path, market_of(), baseline, flow=flow, pool_liquidity=OTHERS)
    assert found.fees == pytest.approx(exact.fees, rel=D(str(error)))
    assert abs(exact.fees - quiet.fees) > 2 * abs(exact.fees - found.fees)  # noise is what agrees


def test_gas_is_paid_for_what_is_done() -> None:
    """A first mint, re-ranges, and the exit of a range that left nothing to place."""
    path, mint = generate(2, 900), GAS_BASE + GAS_MINT + 2 * GAS_APPROVAL
    for rule, reranges, gas in (
        (Rule.HOLD, 0, 0),
        (Rule.STATIC, 0, mint),
        (Rule.RECENTRE, 4, mint + 4 * (mint + GAS_BURN) + GAS_BASE + GAS_BURN),
    ):
        baseline = replace(free(rule, 60), gas_gwei=D(5))
        found = baseline_figures(path, market_of(), baseline)
        without = baseline_figures(path, market_of(), free(rule, 60))
        assert found.reranges == reranges
        assert found.gas == pytest.approx(-gas * D(5) * ETHER_PRICE / 10**9, rel=D("1e-12"))
        assert found.net == pytest.approx(without.net + found.gas, abs=D("1e-6"))


def test_holding_has_no_cost_and_no_gain() -> None:
    found = baseline_figures(generate(4, 300), market_of(), Baseline(rule=Rule.HOLD))
    assert (found.net, found.fees, found.gas, found.max_drawdown_hold_bp) == (0, 0, 0, 0)
    assert found.end - found.start == pytest.approx(found.holding, abs=D("1e-6"))


@pytest.mark.parametrize("rule", RANGES)
def test_a_price_that_stands_still_earns_nothing(rule: Rule) -> None:
    found = baseline_figures(path_of(*["4000"] * 40), market_of(), free(rule))
    assert (found.fees, found.divergence, found.net, found.reranges) == (0, 0, 0, 0)
    assert found.deployed > D("0.5")


@given(
    steps=st.lists(st.integers(-80, 80), min_size=5, max_size=60),
    narrow=st.integers(180, 400),  # wide enough for every move
    wider=st.integers(60, 1000),  # beyond what the grid of ticks rounds away
)
@settings(max_examples=40, deadline=None)
def test_a_wider_range_earns_less_of_the_same_moves(
    steps: list[int], narrow: int, wider: int
) -> None:
    path = path_of("4000", *(str(4000 + D(step) * D("0.4")) for step in steps))
    fees = [
        baseline_figures(path, market_of(), free(Rule.STATIC, edge)).fees
        for edge in (narrow, narrow + wider, narrow + 2 * wider)
    ]
    moved = fees[0] > 0
    assert all(one > other if moved else one == other == 0 for one, other in pairwise(fees))


@given(seed=st.integers(0, 10**6), rule=st.sampled_from(Rule), edge_bp=st.integers(20, 400))
@settings(max_examples=25, deadline=None)
def test_mirrored_tokens_mirror_the_result(seed: int, rule: Rule, edge_bp: int) -> None:
    path, baseline = generate(seed, 150, interval_seconds=900), free(rule, edge_bp)
    one, other = (
        asdict(baseline_figures(path, market_of(mirrored=mirrored), baseline))
        for mirrored in (False, True)
    )
    for name in one.keys() - TEXT - NOT_RECKONED:
        assert other[name] == pytest.approx(one[name], rel=D("1e-8"), abs=D("1e-6")), name


@given(
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(Rule),
    edge_bp=st.integers(20, 2000),
    step=st.sampled_from(["0", "0.001", "0.01"]),
)
@settings(max_examples=40, deadline=None)
def test_the_parts_add_up_to_the_change(seed: int, rule: Rule, edge_bp: int, step: str) -> None:
    baseline = Baseline(rule=rule, edge_bp=D(edge_bp), step=D(step), dwell_seconds=0)
    found = baseline_figures(generate(seed, 120, interval_seconds=3600), market_of(), baseline)
    assert found.end - found.start == pytest.approx(found.holding + found.net, abs=D("1e-6"))
    assert found.share_low <= found.share_mean <= found.share_high
    assert 0 <= found.time_in_range <= 1


def rebalanced_by_hand(path: PricePath, baseline: Baseline) -> tuple[D, D, D]:
    """End, turnover and paid costs, a turn at a time in decimals."""
    w, cost = baseline.target, baseline.trade_cost_bp / 10_000
    base, quote = baseline.capital * w / path.candles[0].open, baseline.capital * (1 - w)
    turnover = paid = D(0)
    for candle in path.candles:
        worth = base * candle.close + quote
        over = base * candle.close - w * worth
        if abs(over) < baseline.step * worth:
            continue
        traded = over / (1 - w * cost) if over > 0 else over / (1 + w * cost)
        base, quote = base - traded / candle.close, quote + traded - abs(traded) * cost
        turnover, paid = turnover + abs(traded), paid + abs(traded) * cost
    return base * candle.close + quote, turnover, paid


@pytest.mark.parametrize("step", ["0", "0.002", "0.01"])
def test_rebalanced_holding_is_what_it_says(step: str) -> None:
    path = generate(2, 3000, interval_seconds=3600)
    baseline = Baseline(rule=Rule.REBALANCED, step=D(step), trade_cost_bp=D(6))
    found = baseline_figures(path, market_of(), baseline)
    end, turnover, paid = rebalanced_by_hand(path, baseline)
    assert found.end == pytest.approx(end, rel=D("1e-11"))
    assert found.turnover == pytest.approx(turnover, rel=D("1e-11"))
    assert turnover > paid > 0
    assert abs(found.share_mean - baseline.target) <= D(step) / 2 + D("0.001")
    free_of_cost = baseline_figures(path, market_of(), replace(baseline, trade_cost_bp=D(0)))
    assert found.net < free_of_cost.net


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"capital": D(0)}, "capital 0"),
        ({"target": D(1)}, "target 1"),
        ({"edge_bp": D(-5)}, "edge_bp -5"),
        ({"edge_bp": D(10_000)}, "edge_bp 10000"),
        ({"dwell_seconds": -1}, "dwell_seconds -1"),
        ({"step": D("0.4")}, "step 0.4"),
        ({"trade_cost_bp": D(-1)}, "trade_cost_bp -1"),
        ({"slippage_bp": D(10_000)}, "slippage_bp 10000"),
        ({"gas_gwei": D(-1)}, "gas_gwei -1"),
        ({"eth_price": D(-1)}, "eth_price -1"),
        ({"fee_protocol": 3}, "fee_protocol 3"),
        ({"fee_protocol": 11 << 4}, "fee_protocol 176"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(change: dict[str, D], says: str) -> None:
    with pytest.raises(BadInput, match=f"cannot have {says}"):
        baseline_figures(generate(1, 3), market_of(), replace(free(Rule.STATIC), **change))


def test_a_history_of_one_candle_and_an_unknown_flow_are_refused() -> None:
    for count in (0, 1):
        short = PackedPath.of(path_of("4000", "4001", "4002")).first(count)
        with pytest.raises(BadInput, match="fewer than two candles"):
            baseline_figures(short, market_of(), free(Rule.STATIC))
    with pytest.raises(BadInput, match="no flow 'much': choose none, busy, real"):
        baseline_figures(generate(1, 3), market_of(), free(Rule.STATIC), flow="much")
    with pytest.raises(BadInput, match="needs the liquidity of others"):
        baseline_figures(generate(1, 3), market_of(), free(Rule.STATIC), flow="real")
