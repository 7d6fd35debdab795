"""A whole search: the choice knows nothing of its test, and the score is of what it never saw."""

from __future__ import annotations

import pickle
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from rich.console import Console
from tune.tune_scene import (
    DAY,
    MONDAY,
    Landscape,
    Quiet,
    anything_goes,
    config_for,
    figures_of,
    search_for,
    sqlite,
    what,
)

from dexmm.backtest.event_world import EventScenario
from dexmm.backtest.run import Scenario, paxg_usdt_market
from dexmm.backtest.scenario_market import MarketAsked
from dexmm.backtest.scenario_request import Request, scenario_of
from dexmm.cli.common import jsonable
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath
from dexmm.sim.agents.price_process import generate
from dexmm.sim.replay.event_replay import cut
from dexmm.tune.html_report import tune_page
from dexmm.tune.progress_view import PlainScreen
from dexmm.tune.result import Tuned
from dexmm.tune.study import Past, Run, Search
from dexmm.tune.summary_text import (
    cell_name,
    cells_shown,
    evidence,
    number,
    result_of,
    verdict,
    warnings,
    worth_it,
)
from dexmm.tune.terminal_view import facts, show
from dexmm.tune.trial_backtest import Replay
from dexmm.tune.tune import tune
from dexmm.tune.walk_forward import Stretch
from dexmm.tune.walk_forward import fold as folds_of
from dexmm.units import PRICE

D = Decimal
TRIALS, FOLDS = 4, 2
ALL = '[space]\n"strategy.edge_sigmas" = [1, 2, 3, 4]\n'  # no more than there are trials
SOME = """
[space]
"strategy.edge_sigmas" = { low = "0.5", high = "4", step = "0.5" }
"strategy.dwell_seconds" = [0, 900, 14400]
"""
STEADY = Landscape(best=(D(3),))  # every day alike: what is chosen is right for ever
FICKLE = Landscape(best=(D(1),) * 13 + (D(4),) * 13 + (D(2),))


def tuned_by(
    url: str,
    evaluate: Landscape,
    name: str = "gold",
    text: str = ALL,
    screen: Quiet | None = None,
) -> tuple[Search, Tuned]:
    search = search_for(url, evaluate, trials=TRIALS, folds=FOLDS, name=name, text=text)
    return search, tune(search, what(search), 1, screen or Quiet())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all studies here: making its tables takes longer than a search."""
    return sqlite(tmp_path_factory.mktemp("studies"))


@pytest.fixture(scope="module")
def steady(url: str) -> tuple[Search, Tuned]:
    return tuned_by(url, STEADY, "steady")


@pytest.fixture(scope="module")
def fickle(url: str) -> tuple[Search, Tuned]:
    return tuned_by(url, FICKLE, "fickle")


def test_what_lasts_is_worth_it(steady: tuple[Search, Tuned]) -> None:
    _, found = steady
    assert worth_it(found)
    assert verdict(found).startswith("Worth trying: on unseen history tuning brought ")
    assert not any("verfitted" in warning for warning in warnings(found))
    assert found.gain(found.out_of_sample, found.now_out_of_sample) > 0


def test_what_does_not_last_is_called_overfitted(fickle: tuple[Search, Tuned]) -> None:
    _, found = fickle
    assert not worth_it(found)
    assert verdict(found).startswith("Keep what you have: ")
    said = warnings(found)[0]
    assert said.startswith("Overfitted: where settings were chosen they gained ")
    assert "on unseen history they lost" in said


def test_thin_evidence_recommends_nothing(url: str) -> None:
    """Few days, or one part alone, whatever they say; and a part better and another worse."""
    search = search_for(url, STEADY, trials=4, folds=2, days=15, name="few days", text=ALL)
    short = tune(search, what(search), 1, Quiet())
    assert evidence(short).days == 4
    assert evidence(short).speaks_for
    assert not worth_it(short)
    assert verdict(short).startswith(
        "Too little to recommend anything: 2 unseen parts of 4.0 days in all, and at least 2 parts "
        "of 14 days say something; on unseen history tuning brought "
    )
    once = search_for(url, STEADY, trials=4, folds=1, name="one part", text=ALL)
    assert "1 unseen part of 17.0 days" in verdict(tune(once, what(once), 1, Quiet()))

    moody = Landscape(best=(D(3),) * 27 + (D(2),))  # right in the first test, wrong in the second
    search, found = tuned_by(url, moody, "moody")
    assert (evidence(found).parts_better, evidence(found).parts_worse) == (1, 1)
    assert not worth_it(found)
    assert verdict(found).startswith("Keep what you have: ")
    assert "in 1 of 2 unseen parts" in verdict(found)


def test_what_decides_nothing_is_no_verdict_on_the_market(url: str) -> None:
    text = '[space]\n"strategy.edge_sigmas" = [3]\n"strategy.risk_aversion" = [0, 1, 2]\n'
    losing = Landscape(best=(D(1),))
    search = search_for(url, losing, trials=4, folds=2, name="nothing", text=text)
    found = tune(search, what(search), 1, Quiet())
    assert found.out_of_sample.metrics["net_bp_per_day"] < 0
    assert verdict(found).startswith("Nothing to choose: every configuration tried came to the")
    assert not worth_it(found)
    assert not any("Even tuned" in warning for warning in warnings(found))


def several(url: str, name: str, other: Landscape, *, days: int = 40, **more: object) -> Search:
    """STEADY's history, and one more that begins where it ends."""
    search = search_for(url, STEADY, trials=TRIALS, folds=FOLDS, name=name, text=ALL)
    begin = MONDAY + 40 * DAY
    past = Past(
        name="other",
        config=search.config,
        folds=folds_of(Stretch(since=begin, until=begin + days * DAY), 3600, FOLDS, 72 * 3600),
        evaluate=other,
        judge=anything_goes,
    )
    return replace(search, history="first", more=(past,), **more)  # type: ignore[arg-type]


def test_several_histories_choose_together_and_are_scored_apart(url: str) -> None:
    search = several(url, "two histories", Landscape(best=(D(4),)), days=80)
    found = tune(search, what(search), 1, Quiet())
    for one in found.folds:
        assert [len(tried.train.parts) for tried in one.tried] == [2] * 4
        # The second history is twice as long: (e - 3)^2 + 2 (e - 4)^2 is least at 4 of 1, 2, 3, 4.
        assert one.chosen is not None
        assert one.chosen.settings == {"strategy.edge_sigmas": 4}
        assert round(one.train_days / one.fold.train.days, 9) == 3
    assert [cell.history for cell in found.cells] == ["first", "other"]
    for cell, net in zip(found.cells, ("-1", "0"), strict=True):
        assert cell.tuned["net_bp_per_day"] == pytest.approx(D(net), rel=D("0.05"))
    now = [cell.as_it_is["net_bp_per_day"] for cell in found.cells]
    assert now == [pytest.approx(D(-1), rel=D("0.05")), pytest.approx(D(-4), rel=D("0.05"))]
    # Better than the 2 that it was in one of the two, as good in the other: not in most.
    assert (evidence(found).better, evidence(found).of) == (1, 2)
    assert not worth_it(found)
    assert "better in 1 of 2 histories and pay ratios and in 2 of 2 unseen parts" in verdict(found)


def test_a_setting_must_win_at_most_pay_ratios(url: str) -> None:
    at = ((D("0.7"), Landscape(best=(D(2),))), (D("1.4"), STEADY))
    one = search_for(url, STEADY, trials=TRIALS, folds=FOLDS, name="ratios", text=ALL)
    search = replace(one, pay_ratio=D(1), at_ratios=at)
    found = tune(search, what(search), 1, Quiet())
    assert [cell.pay_ratio for cell in found.cells] == [D("0.7"), D(1), D("1.4")]
    assert (evidence(found).better, evidence(found).of) == (2, 3)
    assert worth_it(found)
    assert verdict(found).endswith(
        "; better in 2 of 3 histories and pay ratios and in 2 of 2 unseen parts."
    )
    shown = cells_shown(found)
    assert next(cell_name(cell) for cell in shown) == "pay ratio 0.7"
    worse = replace(search, name="worse", at_ratios=(at[0], (D("1.4"), at[0][1])))
    assert not worth_it(tune(worse, what(worse), 1, Quiet()))


def test_gas_is_shown_at_other_prices() -> None:
    run = Run.of(figures_of(net=D(-30), gas=D(-15), days=D(1), start=D(10_000), rebalanced=D(0)))
    found = result_of(run.metrics, "rebalanced_bp_per_day")
    assert (found.score, found.gas_a_third, found.gas_three_times) == (-30, -20, -60)


def test_histories_of_the_same_days_are_told(url: str) -> None:
    search = several(url, "same days", STEADY)
    again = replace(search, more=(replace(search.more[0], folds=search.folds),), name="same days 2")
    said = [warnings(tune(s, what(s), 1, Quiet())) for s in (search, again)]
    assert not any("days in common" in warning for warning in said[0])
    assert "first and other have 40 days in common: they count as two" in said[1][-1]


def test_several_histories_are_kept_and_go_on(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    search = several(url, "kept", replace(STEADY, log=log, stops_at=3))
    with pytest.raises(KeyboardInterrupt):
        tune(search, what(search), 1, Quiet())
    kept = several(url, "kept", replace(STEADY, log=log))
    screen = Quiet()
    found = tune(kept, what(kept), 1, screen)
    assert screen.seen[0].done == 2  # the third was in its second history
    assert tune(kept, what(kept), 1, Quiet()) == found
    alone = replace(kept, more=())
    with pytest.raises(BadInput, match="was made with another folds and another configuration"):
        tune(alone, what(alone), 1, Quiet())


def test_the_number_of_workers_changes_nothing(url: str) -> None:
    def by(workers: int) -> Tuned:
        uneven = replace(STEADY, seconds=0.05)
        name = f"by {workers} workers"
        search = search_for(url, uneven, trials=9, folds=1, name=name, text=SOME)
        return tune(search, what(search), workers, Quiet())

    assert by(3) == by(1)


def test_a_worker_that_is_killed_changes_nothing_either(url: str, tmp_path: Path) -> None:
    _, alone = tuned_by(url, STEADY, "nobody killed")
    deadly = replace(STEADY, kills=tmp_path / "killed")
    search = search_for(url, deadly, trials=TRIALS, folds=FOLDS, name="killed", text=ALL)
    assert tune(search, what(search), 2, Quiet()) == alone
    assert (tmp_path / "killed").exists()


def test_scores_are_of_the_parts_they_name(fickle: tuple[Search, Tuned]) -> None:
    """Recomputed from what the landscape says each choice comes to."""
    search, found = fickle
    for fold in found.folds:
        assert fold.chosen is not None
        assert fold.chosen.test is not None
        assert fold.fold.test is not None
        config = search.config.model_copy(
            update={
                "strategy": search.config.strategy.model_copy(
                    update={
                        "edge_sigmas": D(fold.chosen.settings["strategy.edge_sigmas"]),
                    }
                )
            }
        )
        for part, run in (
            (fold.fold.train, fold.chosen.train),
            (fold.fold.test, fold.chosen.test),
        ):
            assert run.figures == FICKLE(config, part, lambda _done, _total: None)
    days = [fold.chosen.test.figures.days for fold in found.folds]  # type: ignore[union-attr]
    nets = [fold.chosen.test.metrics["net_bp_per_day"] for fold in found.folds]  # type: ignore[union-attr]
    with localcontext(PRICE):
        mean = sum((d * n for d, n in zip(days, nets, strict=True)), D(0)) / sum(days, D(0))
    assert found.out_of_sample.metrics["net_bp_per_day"] == mean


def test_the_best_of_a_fold_is_the_best_it_tried(steady: tuple[Search, Tuned]) -> None:
    _, found = steady
    for fold in (*found.folds, found.final):
        nets = [t.train.metrics["net_bp_per_day"] for t in fold.tried if not t.violated]
        assert fold.chosen is not None
        assert fold.chosen.train.metrics["net_bp_per_day"] == max(nets)
        assert max(nets) >= fold.now_train.metrics["net_bp_per_day"]


def test_the_test_part_cannot_change_what_was_chosen(url: str) -> None:
    """Another future, the same choices and trials before it; and the check would see a leak."""
    days = 40
    calm = Landscape(best=(D(2),) * days)
    _, one = tuned_by(url, calm, "one", SOME)
    for fold in one.folds:
        assert fold.fold.test is not None
        bound = (fold.fold.test.since - MONDAY) // DAY
        other_future = Landscape(best=(D(2),) * bound + (D("0.5"),) * (days - bound))
        _, other = tuned_by(url, other_future, f"from day {bound}", SOME)
        again = next(f for f in other.folds if f.fold == fold.fold)
        assert [(t.number, t.place, t.train) for t in again.tried] == [
            (t.number, t.place, t.train) for t in fold.tried
        ]
        assert again.chosen is not None
        assert fold.chosen is not None
        assert again.chosen.settings == fold.chosen.settings
        assert again.chosen.test != fold.chosen.test
        later = one.folds[one.folds.index(fold) + 1 :]
        for seen in later:  # what was a test before is training here: the change is noticed
            changed = next(f for f in other.folds if f.fold == seen.fold)
            assert changed.chosen != seen.chosen


def test_no_backtest_reads_beyond_its_part() -> None:
    """Prices of the real simulator: a part's run is the same whatever comes after it."""
    path = PackedPath.of(generate(3, 600, interval_seconds=1800))
    altered = PackedPath.of(
        replace(
            path.unpacked(),
            candles=(
                *path.unpacked().candles[:400],
                *(replace(c, close=c.low) for c in path.unpacked().candles[400:]),
            ),
        )
    )
    config = config_for(loop={"interval_seconds": 1800})
    part = Stretch(since=path.start, until=path.at(400))
    runs, names = [], []
    for whole in (path, altered):
        replay = Replay(
            scenario=Scenario(path=whole, config=config, market=paxg_usdt_market(config))
        )
        assert replay.problems(config, part) == ()
        runs.append(replay.figures(config, part, lambda _done, _total: None))
        names.append((replay.digest(), replay.market()))
    assert runs[0] == runs[1]
    assert names[0][0] != names[1][0]
    assert names[0][1] == names[1][1]
    richer = replace(replay, scenario=replace(replay.scenario, capital=D(1)))
    assert richer.market() != replay.market()


def test_a_search_that_is_done_answers_without_a_backtest(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    screen = Quiet()
    _, first = tuned_by(url, replace(STEADY, log=log), "done")
    count = len(log.read_text().splitlines())
    _, again = tuned_by(url, replace(STEADY, log=log), "done", screen=screen)
    assert again == first
    assert len(log.read_text().splitlines()) == count
    assert screen.was_closed
    assert (screen.seen[0].done, screen.seen[0].share) == (TRIALS * (FOLDS + 1), 1)


def test_more_trials_go_on_with_the_same_study(url: str) -> None:
    search, first = tuned_by(url, STEADY, "more", SOME)
    more = tune(replace(search, trials=6), what(search), 1, Quiet())
    for before, after in zip((*first.folds, first.final), (*more.folds, more.final), strict=True):
        assert [t.number for t in after.tried[:TRIALS]] == [t.number for t in before.tried]
        assert len(after.tried) == 6


def test_ctrl_c_keeps_what_is_done(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    search = search_for(
        url,
        replace(STEADY, log=log, stops_at=6),
        trials=TRIALS,
        folds=FOLDS,
        name="interrupted",
        text=ALL,
    )
    screen = Quiet()
    with pytest.raises(KeyboardInterrupt):
        tune(search, what(search), 1, screen)
    assert screen.was_closed
    whole = replace(search, evaluate=replace(STEADY, log=log))
    resumed = Quiet()
    found = tune(whole, what(whole), 1, resumed)
    assert resumed.seen[0].done == 5  # the sixth was under way
    assert all(len(fold.tried) == TRIALS for fold in (*found.folds, found.final))
    lines = log.read_text().splitlines()
    assert len(lines) - len(set(lines)) <= 1


def test_nothing_within_the_constraints_is_said_and_the_one_as_it_is_stays(url: str) -> None:
    text = ALL + '[constraints]\nmax_drawdown_hold_bp = "<= 1"\n'
    search = search_for(url, STEADY, trials=4, folds=1, name="unmet", text=text)
    found = tune(search, what(search), 1, Quiet())
    assert found.settings is None
    assert not worth_it(found)
    assert verdict(found) == (
        "In final none of 4 configurations met every constraint; the nearest failed "
        "max_drawdown_hold_bp <= 1: relax that or widen the space."
    )
    assert found.out_of_sample == found.now_out_of_sample
    tune_page(found, search.config, "history", (), ())
    show(Console(quiet=True), found, search.config, ())
    assert jsonable(facts(found, ()))["settings"] is None


def test_the_page_says_everything_and_loads_nothing(
    fickle: tuple[Search, Tuned], tmp_path: Path
) -> None:
    search, found = fickle
    out = tmp_path / "page.html"
    tune_page(found, search.config, "a made-up history", ("tighten",), ("gas is free",)).write(out)
    text = out.read_text()
    for said in (
        "Keep what you have",
        "Overfitted",
        "strategy.edge_sigmas",
        "tighten",
        "gas is free",
        "a made-up history",
        "fold 2",
        "Constraint: time_in_band &gt;= 0.95",
    ):
        assert said in text
    assert "sqlite" not in text.split("<script>")[0]


def test_the_answer_is_exact_json(fickle: tuple[Search, Tuned]) -> None:
    _, found = fickle
    answer = jsonable(facts(found, ("tighten",)))
    assert answer["worth_it"] is False
    assert (
        D(answer["out_of_sample"]["metrics"]["net_bp_per_day"])
        == (found.out_of_sample.metrics["net_bp_per_day"])
    )
    assert [fold["name"] for fold in answer["folds"]] == ["fold 1", "fold 2"]
    assert answer["final"]["chosen"]["test"] is None


def test_a_pipe_gets_a_line_now_and_then(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    search = search_for(url, STEADY, trials=2, folds=1, name="a pipe", text=ALL)
    tune(search, what(search), 1, PlainScreen(Console(width=200)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 trials in 2 parts of the history; 4 configurations"
    assert lines[-1].startswith("scoring on unseen history: ")
    assert len(lines) < 8


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0", "0"),
        ("-0.02083", "−0.0208"),
        ("12.34", "12.3"),
        ("-456.7", "−457"),
        ("1e-9", "0.0000"),
    ],
)
def test_numbers_have_three_digits_that_count(value: str, told: str) -> None:
    assert number(D(value)) == told


@pytest.mark.data
def test_recorded_events_are_searched_in_parts_too(shared_data: Path) -> None:
    """The golden day: a half knows nothing of the other, and every process can have it."""
    day = shared_data / "univ3" / "wbtc_weth_3000_blocks_16944668_16951788.json.gz"
    tokens = MarketAsked(base="WBTC", quote="WETH", base_decimals=8, quote_decimals=18)
    scenario = scenario_of(Request(events=day, market=tokens, every_turn=True))
    assert isinstance(scenario, EventScenario)
    whole = Replay(scenario=scenario)
    middle = (whole.whole.since + whole.whole.until) // 2
    half = Stretch(since=whole.whole.since, until=middle)
    first = Replay(scenario=replace(scenario, history=cut(scenario.history, None, middle - 1)))
    for replay in (whole, pickle.loads(pickle.dumps(whole)), first):  # noqa: S301 - our own
        assert replay.problems(scenario.config, half) == ()
        run = replay.figures(scenario.config, half, lambda _done, _total: None)
        assert run == whole.figures(scenario.config, half, lambda _done, _total: None)
    assert first.digest() != whole.digest()
    assert run.turns > 100
