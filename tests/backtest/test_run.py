"""Backtests: accounts that close, no look ahead, the same again, and sleep that changes nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from backtest.scenes import a_config, a_scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.recorder import Recorder
from dexmm.backtest.run import Backtest, Scenario, open_world, run_backtest
from dexmm.errors import BadInput, Halt
from dexmm.performance.attribution import Source, attribute
from dexmm.sim.agents.price_process import PricePath, generate, read_candles
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.strategy.ranges.strategies import STRATEGIES

FIVE_MINUTES = "prices/PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz"


def acts(run: Backtest) -> list[tuple[object, ...]]:
    return [(a.at, a.kind, a.status, a.trigger, a.reason) for a in run.track.actions]


def awake(scenario: Scenario) -> Backtest:
    return run_backtest(replace(scenario, every_turn=True))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    flow=st.sampled_from(["busy", "real", "none"]),
    restless=st.booleans(),
)
def test_the_accounts_close(seed: int, strategy: str, flow: str, restless: bool) -> None:
    path = generate(seed, 150, interval_seconds=900)
    run = run_backtest(a_scenario(path, strategy, restless=restless, flow=flow, seed=seed))
    found = attribute(run.track.marks)  # raises where anything came from nowhere
    parts = sum((part.total for part in found.parts.values()), Decimal(0))
    assert found.end - found.start == found.holding + parts
    # Net worth is what the points show, less the gas that was paid.
    last = run.track.points[-1]
    assert found.end == pytest.approx(last.nav + found.part(Source.GAS).total, abs=Decimal("1e-30"))
    assert found.part(Source.FEES).total >= 0
    assert found.part(Source.GAS).total <= 0
    legs = [leg.attribution for leg in run.legs]
    assert sum((leg.end - leg.start for leg in legs), Decimal(0)) == found.end - found.start


def test_what_a_turn_cannot_explain_is_not_booked() -> None:
    """One unit that the tally does not know of, and the run ends with an error."""
    path = generate(1, 20, interval_seconds=900)
    scenario = a_scenario(path)
    run = run_backtest(scenario)
    marks = list(run.track.marks)
    marks[1] = replace(marks[1], quote=marks[1].quote + Decimal("0.000001"))
    with pytest.raises(Halt, match=r"do not close at .*: 0\S* base and 0\.0000010* quote"):
        attribute(marks)


def test_the_same_again() -> None:
    path = generate(3, 400, interval_seconds=900)
    one, other = (run_backtest(a_scenario(path, restless=True, flow="busy")) for _ in range(2))
    assert one == other
    assert one.figures.reranges > 3
    assert run_backtest(a_scenario(path, restless=True, flow="busy", seed=2)) != one


def test_no_decision_depends_on_what_comes_after_it() -> None:
    path = generate(5, 300, interval_seconds=900)
    doubled = tuple(
        replace(c, open=c.open * 2, high=c.high * 2, low=c.low * 2, close=c.close * 2)
        for c in path.candles[200:]
    )
    other_future = replace(path, candles=path.candles[:200] + doubled)
    # How much liquidity others have follows from the whole history: here it is the same.
    one = awake(a_scenario(path, restless=True, flow="busy", others=10**18))
    other = awake(a_scenario(other_future, restless=True, flow="busy", others=10**18))
    then = path.candles[200].at
    for run in (one, other):
        assert len([p for p in run.track.points if p.at <= then]) == 200
        assert any(a.at < then for a in run.track.actions)
    before = [
        (
            [p for p in run.track.points if p.at <= then],
            [m for m in run.track.marks if m.at <= then],
            [a for a in acts(run) if int(str(a[0])) <= then],
        )
        for run in (one, other)
    ]
    assert before[0] == before[1]
    assert one.track.points != other.track.points


@pytest.mark.parametrize("strategy", ["budget", "recentre"])
@pytest.mark.parametrize("restless", [False, True])
def test_sleep_changes_nothing(strategy: str, restless: bool) -> None:
    path = generate(11, 2000, interval_seconds=300)
    scenario = a_scenario(path, strategy, restless=restless, flow="busy")
    asleep, every = run_backtest(scenario), awake(scenario)
    assert acts(asleep) == acts(every)
    assert asleep.figures.end == every.figures.end
    assert asleep.figures.fees == every.figures.fees
    assert asleep.turns < every.turns == 2000


def real_prices(shared_data: Path, since: int, candles: int) -> PricePath:
    path = read_candles(shared_data / FIVE_MINUTES)
    start = next(i for i, c in enumerate(path.candles) if c.at >= since)
    return replace(path, candles=path.candles[start : start + candles])


@pytest.mark.data
def test_sleep_changes_nothing_on_real_prices(shared_data: Path) -> None:
    """Two weeks of November 2025, with a re-range for an edge."""
    scenario = a_scenario(real_prices(shared_data, 1_762_300_800, 4000), flow="real")
    asleep, every = run_backtest(scenario), awake(scenario)
    assert acts(asleep) == acts(every)
    assert asleep.figures.end == every.figures.end
    assert asleep.figures.reranges >= 1
    # What a sleeper may miss of extremes is the stride: half a percent of the price.
    assert abs(asleep.figures.max_drawdown_bp - every.figures.max_drawdown_bp) <= 50
    assert abs(asleep.figures.time_in_band - every.figures.time_in_band) <= Decimal("0.01")
    assert abs(asleep.figures.share_mean - every.figures.share_mean) <= Decimal("0.005")


@pytest.mark.data
def test_a_stop_loss_is_slept_through_by_a_few_turns_at_most(shared_data: Path) -> None:
    """Gold's fall of October 2025: the highs before it are seen to within twenty basis points."""
    config = a_config(300, guards={"stop_loss_in_pool": "range"})
    path = real_prices(shared_data, 1_760_832_000, 2000)
    scenario = replace(a_scenario(path, flow="real"), config=config)
    asleep, every = run_backtest(scenario), awake(scenario)
    stops = [
        [a for a in run.track.actions if a.trigger == "stop_loss" and a.kind != "approve"]
        for run in (asleep, every)
    ]
    assert stops[0]
    assert stops[1]
    assert 0 <= stops[0][0].at - stops[1][0].at <= 1800
    assert abs(asleep.figures.net_bp - every.figures.net_bp) <= 5


def test_more_flow_pays_more_and_the_protocol_takes_its_share() -> None:
    path = generate(2, 600, interval_seconds=900)
    # The liquidity of others follows what pays: here it is the same for all.
    none, real, busy = (
        run_backtest(a_scenario(path, flow=flow, others=10**18)).figures
        for flow in ("none", "real", "busy")
    )
    assert 0 < none.fees < real.fees < busy.fees
    untaxed = run_backtest(a_scenario(path, flow="busy", fee_protocol=0, others=10**18)).figures
    assert untaxed.fees * 3 / 4 == pytest.approx(busy.fees, rel=Decimal("0.02"))


@pytest.mark.parametrize("strategy", ["budget", "passive"])
def test_an_exchange_beside_the_pool_closes_too(strategy: str) -> None:
    path = generate(2, 120, interval_seconds=7200)
    run = run_backtest(a_scenario(path, strategy, flow="busy", exchange=VenueCosts()))
    found = attribute(run.track.marks)
    assert run.turns == 120  # nothing is slept through
    if strategy == "passive":
        hedges = [a for a in run.track.actions if a.kind == "hedge" and a.status == "done"]
        assert hedges
        assert found.part(Source.HEDGE).total != 0
        assert found.part(Source.EXCHANGE_FEE).total < 0
        assert {o.purpose.value for o in run.track.orders} == {"hedge"}
        assert any("exchange" in said or "order" in said for said in run.track.assumptions)


def test_quotes_on_the_exchange_are_filled_and_booked() -> None:
    path = generate(4, 60, interval_seconds=900)
    config = a_config(900, quotes={"enabled": True, "refresh_seconds": 60})
    scenario = replace(a_scenario(path, flow="busy", exchange=VenueCosts()), config=config)
    run = run_backtest(scenario)
    filled = [order for order in run.track.orders if order.filled]
    assert filled
    assert attribute(run.track.marks).part(Source.QUOTE).total != 0


def test_every_wallet_begins_with_the_capital() -> None:
    path = generate(1, 10, interval_seconds=900)
    for exchange in (None, VenueCosts()):
        run = run_backtest(a_scenario(path, capital=Decimal(20_000), exchange=exchange))
        assert run.track.marks[0].net_worth == pytest.approx(20_000, rel=Decimal("0.001"))


def test_a_history_must_hold_turns() -> None:
    path = generate(1, 10, interval_seconds=60)
    with pytest.raises(BadInput, match="fewer than two candles"):
        run_backtest(a_scenario(replace(path, candles=path.candles[:1])))
    hourly = replace(a_scenario(path), config=a_config(3600))
    with pytest.raises(BadInput, match="shorter than the time between two turns"):
        run_backtest(hourly)


def test_it_says_what_it_assumes() -> None:
    path = generate(1, 10, interval_seconds=900)
    said = " ".join(run_backtest(a_scenario(path, flow="none")).track.assumptions)
    for words in ("5 bp", "1/4", "nobody trades but arbitrageurs", "gwei", "fair price"):
        assert words in said


def test_progress_is_told() -> None:
    path = generate(1, 30, interval_seconds=900)
    told: list[tuple[int, int]] = []
    run_backtest(a_scenario(path, every_turn=True), lambda *done: told.append(done))
    assert told[-1] == (30, 30)
    assert told == sorted(told)


def test_a_recorder_needs_no_turns_of_its_own(tmp_path: Path) -> None:
    """The end is a look of its own: what the last turn's actions came to is in it."""
    path: PricePath = generate(1, 3, interval_seconds=900)
    world = open_world(a_scenario(path))
    recorder = Recorder(world.chain.market)
    assert recorder.points == recorder.marks == recorder.actions == []
    run = run_backtest(a_scenario(path))
    assert run.track.marks[-1].at == path.candles[-1].at + 900
    assert len(run.track.points) == len(run.track.marks) == run.turns + 1


def test_a_halted_run_is_slept_through_and_says_why() -> None:
    """A fall of 40 % halts it; from then on only the end is worth a look."""
    path = generate(6, 400, interval_seconds=900)
    fallen = tuple(
        replace(
            c,
            open=c.open * 6 / 10,
            high=c.high * 6 / 10,
            low=c.low * 6 / 10,
            close=c.close * 6 / 10,
        )
        for c in path.candles[200:]
    )
    scenario = a_scenario(
        replace(path, candles=path.candles[:200] + fallen), "passive", flow="busy"
    )
    asleep, every = run_backtest(scenario), awake(scenario)
    assert "peak" in asleep.track.halted
    assert acts(asleep) == acts(every)
    assert asleep.figures.end == every.figures.end
    assert asleep.track.points[-1].state == "HALTED"
    assert len([p for p in asleep.track.points if p.state == "HALTED"]) < 20
