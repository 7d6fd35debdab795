"""A study: what is tried, what is refused, what is chosen, and what it refuses to become."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tune.tune_scene import (
    DAY,
    MONDAY,
    Landscape,
    config_for,
    figures_of,
    search_for,
    sqlite,
    what,
)

from dexmm.backtest.workers import Here
from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.tune.search_worker import enough, refusals, work
from dexmm.tune.storage import open_storage
from dexmm.tune.study import (
    Run,
    Search,
    all_trials,
    begin,
    completed,
    identity,
    place_of,
    ranked,
    short_name,
)
from dexmm.tune.walk_forward import Fold, Stretch

D = Decimal
FLAT = Landscape(best=(D("1.5"),))
TINY = '[space]\n"strategy.edge_sigmas" = [1, 1.5, 2]\n"strategy.pool_swap" = [true, false]\n'


def never(_done: int, _total: int) -> None:
    """Nobody watches."""


NAMES = (f"study {number}" for number in count())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all studies here: making its tables takes longer than a search."""
    return sqlite(tmp_path_factory.mktemp("studies"))


def one_fold(search: Search) -> Search:
    """A search of its own, in one fold."""
    part = Stretch(since=MONDAY, until=MONDAY + 10 * DAY)
    return replace(search, name=next(NAMES), folds=(Fold(name="final", train=part, test=None),))


def ran(search: Search) -> list[object]:
    """The trials of a search in one fold, by one worker."""
    storage = open_storage(search.storage)
    (study,) = begin(search, what(search), storage)
    work(search, storage, Here())
    return list(all_trials(study))


def values(search: Search, trials: list[object]) -> list[object]:
    return [
        (t.state.name, place_of(t, search.space), t.values)  # type: ignore[arg-type, attr-defined]
        for t in trials
    ]


def test_the_configuration_as_it_is_is_tried_first(url: str) -> None:
    search = one_fold(search_for(url, FLAT, trials=3))
    first = ran(search)[0]
    assert place_of(first, search.space) == search.space.place(search.config)  # type: ignore[arg-type]


def test_one_worker_finds_the_same_every_time(url: str) -> None:
    searches = [one_fold(search_for(url, FLAT, trials=9)) for _ in range(2)]
    found = [values(search, ran(search)) for search in searches]
    assert found[0] == found[1]
    other = one_fold(search_for(url, FLAT, trials=9, seed=2))
    assert values(other, ran(other)) != found[0]


def test_it_finds_the_best_of_the_space(url: str) -> None:
    search = one_fold(search_for(url, FLAT, trials=24))
    best, run = ranked(ran(search), search.space)[0]  # type: ignore[arg-type]
    assert search.space.settings(place_of(best, search.space))["strategy.edge_sigmas"] == D("1.5")
    assert run.metrics["net_bp_per_day"] == 0


def test_a_space_smaller_than_the_trials_is_tried_out_once_each(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    search = one_fold(search_for(url, replace(FLAT, log=log), trials=50, text=TINY))
    trials = ran(search)
    places = {str(place_of(t, search.space)) for t in trials}  # type: ignore[arg-type]
    assert (len(trials), len(places), len(log.read_text().splitlines())) == (6, 6, 6)


def test_the_same_configuration_is_not_backtested_twice(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = '[space]\n"strategy.edge_sigmas" = [1, 1.5, 2, 2.5, 3, 3.5]\n'
    search = one_fold(search_for(url, replace(FLAT, log=log), trials=5, text=text))
    ran(search)
    tried = log.read_text().splitlines()
    assert len(tried) == len(set(tried)) <= 5


def too_near(config: Config, part: Stretch) -> tuple[str, ...]:
    away = config.strategy.edge_sigmas
    return (f"edges {away} times sigma are too near",) if away < 2 else ()


def test_the_judge_refuses_before_a_backtest_and_it_is_counted(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    search = one_fold(replace(search_for(url, replace(FLAT, log=log), trials=8), judge=too_near))
    trials = ran(search)
    refused = refusals(trials)  # type: ignore[arg-type]
    assert refused
    assert all(reason.endswith("times sigma are too near") for reason in refused)
    assert all(float(line.split()[2]) >= 2 for line in log.read_text().splitlines())
    assert sum(1 for _ in completed(trials)) == 8  # type: ignore[arg-type]


def test_settings_that_contradict_each_other_are_refused_unrun(url: str) -> None:
    text = '[space]\n"strategy.edge_min_bp" = [100, 400]\n"strategy.edge_max_bp" = [300, 1500]\n'
    search = one_fold(search_for(url, FLAT, trials=9, text=text))
    assert refusals(ran(search)) == [  # type: ignore[arg-type]
        "strategy edge_min_bp must be below edge_max_bp"
    ]


def nothing_goes(config: Config, part: Stretch) -> tuple[str, ...]:
    return ("never",)


def test_a_senseless_space_ends_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dexmm.tune.search_worker.REFUSED_ANYWAY", 5)
    search = one_fold(replace(search_for(url, FLAT, trials=2), judge=nothing_goes))
    trials = ran(search)
    assert enough(search, trials)  # type: ignore[arg-type]
    assert len(refusals(trials)) == 15  # type: ignore[arg-type]


def refuses_wide(config: Config, part: Stretch, watch: object) -> object:
    if config.strategy.edge_sigmas > 2:
        raise BadInput("the history is shorter than the time between two turns")
    return FLAT(config, part, never)


def test_bad_input_of_a_backtest_is_a_refusal_and_not_the_end(url: str) -> None:
    search = one_fold(
        replace(search_for(url, FLAT, trials=9, text=TINY.replace("1.5", "3")),
                evaluate=refuses_wide)  # type: ignore[arg-type]
    )  # fmt: skip
    assert len(refusals(ran(search))) == 2  # type: ignore[arg-type]


def breaks(config: Config, part: Stretch, watch: object) -> object:
    raise ValueError("a mistake of ours")


def test_a_mistake_of_ours_is_not_swallowed(url: str) -> None:
    search = one_fold(replace(search_for(url, FLAT), evaluate=breaks))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a mistake of ours"):
        ran(search)


def test_what_violates_a_constraint_or_halts_is_never_chosen(url: str) -> None:
    text = (
        '[space]\n"strategy.edge_sigmas" = [1, 1.5, 2, 3]\n"strategy.dwell_seconds" = [0, 14400]\n'
        '[constraints]\ntime_in_band = ">= 0.9"\nmax_drawdown_hold_bp = "<= 6"\n'
    )
    search = one_fold(search_for(url, replace(FLAT, halts_above=2), trials=9, text=text))
    best = ranked(ran(search), search.space)  # type: ignore[arg-type]
    # 1 and 1.5 fall deeper than 6 bp (10 / sigmas), 3 halts, a dwell of four hours leaves the band.
    chosen = [search.space.settings(place_of(trial, search.space)) for trial, _ in best]
    assert chosen == [{"strategy.edge_sigmas": 2, "strategy.dwell_seconds": 0}]


def test_ties_of_the_first_objective_are_broken_by_the_next(url: str) -> None:
    text = (
        '[space]\n"strategy.edge_sigmas" = [1, 2]\n"strategy.dwell_seconds" = [900, 0]\n'
        '[objectives]\nnet_bp_per_day = "maximise"\ntime_in_band = "maximise"\n'
    )
    search = one_fold(search_for(url, FLAT, trials=9, text=text))
    best = [t for t, _ in ranked(ran(search), search.space)]  # type: ignore[arg-type]
    dwells = [place_of(t, search.space)["strategy.dwell_seconds"] for t in best]
    assert dwells == [1, 1, 0, 0]


def test_many_objectives_evolve(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dexmm.tune.search_worker.EVOLVING_TRIALS", 12)
    text = (
        '[space]\n"strategy.edge_sigmas" = { low = "0.5", high = "4", step = "0.05" }\n'
        '[objectives]\nnet_bp_per_day = "maximise"\nmax_drawdown_hold_bp = "minimise"\n'
    )
    search = one_fold(search_for(url, FLAT, trials=12, text=text))
    trials = ran(search)
    assert any("NSGAIISampler:generation" in t.system_attrs for t in trials)  # type: ignore[attr-defined]
    assert all(len(t.values) == 2 for t in trials)  # type: ignore[attr-defined]


@settings(max_examples=50)
@given(net=st.decimals(-(10**6), 10**6, places=18), halted=st.text(max_size=20))
def test_a_run_is_kept_to_the_last_digit(net: Decimal, halted: str) -> None:
    run = Run.of(figures_of(net=net, halted=halted))
    assert Run.load(run.dump()) == run


def test_a_study_goes_on_as_the_same_and_refuses_to_be_another(url: str) -> None:
    search = search_for(url, FLAT)
    storage = open_storage(search.storage)
    first = begin(search, what(search), storage)
    again = begin(replace(search, trials=99, seed=5), what(search), storage)
    assert [s.study_name for s in again] == [s.study_name for s in first]
    config = config_for(strategy={"risk_aversion": 1})
    others = {
        "history": (search, identity(search, "other prices", "market")),
        "market": (search, identity(search, "prices", "other market")),
        "search space": _identified(search_for(url, FLAT, text=TINY)),
        "configuration": _identified(search_for(url, FLAT, config=config)),
        "folds": _identified(search_for(url, FLAT, days=41)),
        "constraints": _identified(
            search_for(url, FLAT, text='[constraints]\ndeployed = ">= 0.1"\n')
        ),
        "objectives": _identified(
            search_for(url, FLAT, text='[objectives]\ndeployed = "maximise"\n')
        ),
    }
    for name, (other, its) in others.items():
        with pytest.raises(BadInput, match=rf"another .*{name}.*give this one a --study name"):
            begin(other, its, storage)


def _identified(search: Search) -> tuple[Search, dict[str, str]]:
    return search, what(search)


def test_what_is_searched_is_no_part_of_the_configuration(url: str) -> None:
    """A file whose searched value was edited meanwhile is still the same search."""
    searches = [
        search_for(url, FLAT, config=config_for(strategy={"edge_sigmas": sigmas}))
        for sigmas in (1, 3)
    ]
    assert what(searches[0]) == what(searches[1])


def test_a_name_nobody_gave_follows_from_what_is_searched(url: str) -> None:
    search = search_for(url, FLAT)
    assert short_name(what(search)) == short_name(what(search))
    assert short_name(what(search)) != short_name(what(search, "other prices"))
    assert short_name(what(search)).startswith("tune-")


def test_nothing_secret_is_in_what_identifies_a_study(url: str) -> None:
    config = config_for(network={"name": "mainnet", "rpc_urls": ["https://node/KEY1"]})
    other = config_for(network={"name": "mainnet", "rpc_urls": ["https://node/KEY2"]})
    assert what(search_for(url, FLAT, config=config)) == what(search_for(url, FLAT, config=other))
