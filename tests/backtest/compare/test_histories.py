"""Several histories and pay ratios together: who wins in most, and when nothing can be said."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from backtest.compare.test_page import FOUND
from backtest.compare_tracks import track_of
from backtest.scenes import a_scenario

from dexmm.backtest.compare.compare import Comparison, compare, compare_all
from dexmm.backtest.compare.contestants import Holding, Live, Rebalanced, Static
from dexmm.backtest.compare.histories import across, across_verdict, recommended
from dexmm.backtest.compare.page import comparisons_page
from dexmm.backtest.compare.rows import Kind, Row, row_of
from dexmm.backtest.run import run_backtest
from dexmm.backtest.sensitivity import AtRatio
from dexmm.sim.agents.price_process import generate

D = Decimal
FIELD = (Live(strategy="budget"), Static(half_width=D("0.05")), Holding(), Rebalanced())


def at(ratio: str, against: int, skill: int) -> AtRatio:
    return AtRatio(
        pay_ratio=D(ratio),
        net=D(against) - 1,
        net_bp=D(0),
        fees=D(0),
        liquidity_share=D("0.1"),
        against_rebalanced=D(against),
        skill=D(skill),
    )


def a_row(name: str, *cells: tuple[int, int], days: int = 20) -> Row:
    row = row_of(track_of(name, fees=("1",) * days), Kind.STATIC)
    ratios = [at(str(n + 1), *cell) for n, cell in enumerate(cells)]
    return replace(row, ratios=tuple(ratios))


def history(*rows: Row) -> Comparison:
    return replace(FOUND, rows=rows)


def test_who_wins_in_most_with_skill_is_recommended() -> None:
    first = history(
        a_row("wide", (5, 1), (5, 1), (-5, 1)), a_row("lucky", (9, -1), (9, -1), (9, 1))
    )
    second = history(
        a_row("wide", (1, 1), (1, -1), (-1, 1)), a_row("lucky", (9, 1), (9, -1), (9, -1))
    )
    wide, lucky = sorted(across([first, second]), key=lambda way: way.name, reverse=True)
    assert (wide.cells, wide.above_rebalanced, wide.above_holding, wide.skilled) == (6, 4, 2, 5)
    assert wide.liquidity_share == D("0.1")
    assert (lucky.above_rebalanced, lucky.skilled) == (6, 2)
    assert lucky.against_rebalanced_bp == D("0.9")  # 9 of 100 000
    assert [way.name for way in recommended([first, second])] == ["wide"]
    (said,) = across_verdict([first, second])
    assert said.startswith("Worth trying: wide ended above the rebalanced inventory in 4 of 6 ")


def test_nobody_is_recommended_for_where_the_price_went() -> None:
    found = [history(a_row("lucky", (9, -1), (9, -1), (9, -1)))]
    assert recommended(found) == ()
    assert across_verdict(found)[0].startswith("Nothing to recommend: ")
    assert (
        "The nearest, lucky ended above the rebalanced inventory in 3 of 3"
        in (across_verdict(found)[0])
    )


def test_few_days_say_nothing() -> None:
    found = [history(a_row("wide", (5, 1), days=13))]
    assert recommended(found) == ()
    assert across_verdict(found) == (
        "Too little to recommend anything: 13.0 days of history in all, and at least 14 say "
        "something.",
    )


def test_each_history_and_ratio_is_a_run_of_its_own(tmp_path: Path) -> None:
    scenarios = [a_scenario(generate(seed, 300, interval_seconds=1800)) for seed in (2, 4)]
    scenarios[1] = replace(scenarios[1], source="second")
    together = compare_all(scenarios, FIELD, ratios=(D("0.7"), D(1)), workers=1)
    alone = compare(scenarios[1], FIELD, ratios=(D("0.7"), D(1)), workers=1)
    assert together[1] == alone
    budget, static, hold, rebalanced = alone.rows
    assert [found.pay_ratio for found in budget.ratios] == [D("0.7"), D(1)]
    assert [len(row.ratios) for row in (static, hold, rebalanced)] == [2, 0, 0]
    run = run_backtest(replace(scenarios[1], pay_ratio=D("0.7")))
    assert budget.ratios[0].net == run.figures.net
    assert budget.ratios[0].liquidity_share == run.liquidity_share > 0
    assert budget.ratios[1].net == budget.figures.net
    assert rebalanced.figures.against_rebalanced == 0
    # The yardstick hardly depends on when who is measured looks.
    brought = rebalanced.figures.net
    assert budget.figures.rebalanced == pytest.approx(brought, abs=D(1))
    html = comparisons_page(together).html()
    for said in ("Over all histories", "Comparison: second", "pay 0.7", "gas three times"):
        assert said in html


def test_two_configurations_stand_side_by_side() -> None:
    scenario = a_scenario(generate(2, 200, interval_seconds=1800))
    other = a_scenario(generate(2, 200, interval_seconds=1800), restless=True).config
    field = (*FIELD, Live(strategy="budget", config=other, label="budget (other.toml)"))
    found = {row.name: row.figures for row in compare(scenario, field, workers=1).rows}
    mine = run_backtest(replace(scenario, config=other)).figures
    assert found["budget (other.toml)"] == replace(mine, name="budget (other.toml)")
    assert found["budget"].reranges < mine.reranges
