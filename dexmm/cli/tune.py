"""``dexmm tune``: better settings, scored on history that the search never saw."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dexmm.cli.backtest_options import (
    cost_options,
    dask_option,
    histories_argument,
    history_options,
    pool_options,
    ratios_of,
    request_of,
    requests_of,
    workers_of,
)
from dexmm.cli.common import (
    answer,
    console,
    finish,
    json_option,
    market_option,
    set_up_logging,
    tell_read,
)
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dexmm.backtest.run import Scenario
    from dexmm.backtest.scenario_request import Request
    from dexmm.backtest.workers import Workers
    from dexmm.tune.result import Tuned
    from dexmm.tune.search_space import Space
    from dexmm.tune.storage import Storage
    from dexmm.tune.study import Past, Search
    from dexmm.tune.tune import Screen
    from dexmm.tune.walk_forward import Stretch

NOTHING_MET = 3
INTERRUPTED = 130
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What is tuned. dexmm.toml where there is one, else the sandbox's defaults.",
)
@histories_argument
@market_option
@history_options
@click.option(
    "--space", type=FILE, metavar="FILE", help="What may be searched, in TOML; see --show-space."
)
@click.option(
    "--score",
    type=click.Choice(["rebalanced", "holding", "skill"]),
    help="What settings are chosen by: net against the inventory rebalanced to its target (the "
    "default), net against holding, or fees less what arbitrage took, gas and trading costs. The "
    "answer tells all three.",
)
@click.option("--show-space", is_flag=True, help="Print the default space as a file, and end.")
@click.option(
    "--trials",
    type=click.IntRange(2, 100_000),
    default=40,
    show_default=True,
    metavar="N",
    help="Backtests in each fold. More than before goes on with the same study.",
)
@click.option(
    "--folds",
    type=int,
    default=4,
    show_default=True,
    metavar="N",
    help="Parts of the history that choices made before them are scored on.",
)
@click.option(
    "--rolling", is_flag=True, help="Choose on the block before each test, not on all before it."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes on this machine. The same is found with any number of them.",
)
@dask_option
@click.option(
    "--storage",
    metavar="URL",
    help="postgresql://user@host/database, which several machines may share (its password from "
    "PGPASSWORD or ~/.pgpass), or sqlite:///file. tune.sqlite in the state folder unless said.",
)
@click.option("--study", metavar="NAME", help="Its name there. Made from what is searched.")
@cost_options
@pool_options
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the tuned configuration.")
@click.option("--page", type=FILE, metavar="FILE", help="Write one self-contained HTML page.")
@json_option
@click.option("-v", "--verbose", count=True, help="More on stderr; twice for libraries too.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def tune(
    show_space: bool,
    workers: int,
    dask: str | None,
    output: Path | None,
    page: Path | None,
    as_json: bool,
    verbose: int,
    debug: bool,
    **asked: Any,
) -> None:
    """Search for better settings, walking forward: each is chosen on one part of the history and
    scored on the next. Ends with the scores on what was never seen, which is what to expect.

    Killed or stopped, the same command goes on where it was. Exit codes: 0 done, 2 bad input,
    3 nothing met the constraints, 5 the storage, the workers or the cluster are gone.
    """
    set_up_logging(verbose + int(debug) - 1)
    if show_space:
        click.echo(_space_text(asked), nl=False)
        return
    task = _task(asked, output, page)
    began = time.monotonic()
    try:
        tuned = _run(task, workers_of(workers, dask), as_json)
    except KeyboardInterrupt:
        _tell_stopped(task)
        finish(INTERRUPTED)
    seconds = Decimal(round((time.monotonic() - began) * 10)) / 10
    _end(task, tuned, seconds, as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one command does."""

    search: Search
    identity: Mapping[str, str]
    scenarios: tuple[Scenario, ...]
    history: str  # for people
    config_path: Path | None
    output: Path | None
    page: Path | None


def _space_text(asked: dict[str, Any]) -> str:
    """The default space of the configuration that would be tuned."""
    from dexmm.backtest.scenario_request import configuration_of
    from dexmm.tune.default_space import default_text

    request = request_of(asked)
    config = configuration_of(request)
    there = config.exchange is not None if request.exchange is None else request.exchange
    return default_text(config, exchange=there)


def _task(asked: dict[str, Any], output: Path | None, page: Path | None) -> Task:
    """Everything is read and checked before the first of many backtests. Raises ``BadInput``."""
    from dexmm.backtest.scenario_request import scenarios_of
    from dexmm.tune.space_file import default_space, read_space
    from dexmm.tune.study import Search, identity, short_name
    from dexmm.tune.trial_backtest import Replay
    from dexmm.tune.tuned_config import check_editable

    _refuse_unwritable(output, page)
    requests = requests_of(asked)
    request = requests[0]
    storage = _storage(asked["storage"], request)
    scenarios = scenarios_of(requests)
    for scenario in scenarios:
        tell_read(scenario.path.understood)
    config = scenarios[0].config
    score, there = asked["score"], scenarios[0].exchange is not None
    if asked["space"]:
        space = read_space(asked["space"], config, score, exchange=there)
    else:
        space = default_space(config, score, exchange=there)
    if output is not None:
        if request.config is None:
            raise BadInput("--output edits a configuration: write one with `dexmm init` first")
        check_editable(request.config, config, [p.name for p in space.parameters])
    first, *more = (_past(scenario, space, asked) for scenario in scenarios)
    search = Search(
        name=asked["study"] or "",
        storage=storage,
        config=config,
        space=space,
        folds=first.folds,
        evaluate=first.evaluate,
        judge=first.judge,
        trials=asked["trials"],
        seed=asked["seed"],
        history=first.name,
        at_ratios=first.at_ratios,
        pay_ratio=first.pay_ratio,
        more=tuple(more),
    )
    replays = [Replay(scenario=scenario) for scenario in scenarios]
    what = identity(
        search,
        " ".join(replay.digest() for replay in replays),
        " ".join(replay.market() for replay in replays),
    )
    return Task(
        search=search if search.name else replace(search, name=short_name(what)),
        identity=what,
        scenarios=scenarios,
        history="; ".join(_told(r.scenario.source, r.whole) for r in replays),
        config_path=request.config,
        output=output,
        page=page,
    )


def _past(scenario: Scenario, space: Space, asked: dict[str, Any]) -> Past:
    """One history, walked forward, at every pay ratio where it has no own."""
    from dexmm.backtest.event_world import EventScenario
    from dexmm.backtest.sensitivity import PAY_RATIOS
    from dexmm.tune.study import Past
    from dexmm.tune.trial_backtest import Replay
    from dexmm.tune.walk_forward import embargo_seconds, fold

    replay = Replay(scenario=scenario)
    recorded = isinstance(scenario, EventScenario)
    try:
        folds = fold(
            replay.whole,
            replay.step_seconds,
            asked["folds"],
            embargo_seconds(scenario.config, space),
            rolling=asked["rolling"],
        )
    except BadInput as error:
        raise BadInput(f"{scenario.source}: {error.message}") from None
    ratios = () if recorded else ratios_of(asked) or PAY_RATIOS
    return Past(
        name=scenario.source,
        config=scenario.config,
        folds=folds,
        evaluate=replay.figures,
        judge=replay.problems,
        at_ratios=tuple(
            (ratio, Replay(scenario=replace(scenario, pay_ratio=ratio)).figures)
            for ratio in ratios
            if ratio != scenario.pay_ratio
        ),
        pay_ratio=None if recorded else scenario.pay_ratio,
    )


def _storage(url: str | None, request: Request) -> Storage:
    from dexmm.config.schema import Loop
    from dexmm.config.sources import read_settings
    from dexmm.telemetry.redact import hide
    from dexmm.tune.storage import parse_storage, password_of, sqlite_storage

    if url is None:
        state = Loop().state_dir
        if request.config is not None:
            settings = read_settings(request.config, None, ("loop",)).values.get("loop", {})
            state = request.config.parent / Path(settings.get("state_dir", state)).expanduser()
        return sqlite_storage(state)
    storage = parse_storage(url)
    if (password := password_of(storage)) is not None:
        hide(password)
    return storage


def _refuse_unwritable(*outputs: Path | None) -> None:
    for output in outputs:
        if output is not None and not output.absolute().parent.is_dir():
            raise BadInput(
                f"there is no folder {output.parent} to write {output.name} into: make it"
            )


def _run(task: Task, workers: int | Workers, as_json: bool) -> Tuned:
    from dexmm.tune.tune import tune as run_tune

    return run_tune(task.search, task.identity, workers, _screen(as_json))


def _screen(as_json: bool) -> Screen:
    from rich.console import Console

    from dexmm.tune.progress_view import LiveScreen, PlainScreen

    if sys.stderr.isatty():
        return LiveScreen(Console(stderr=True))
    return PlainScreen(Console(stderr=True, highlight=False) if as_json else console())


def _end(task: Task, tuned: Tuned, seconds: Decimal, as_json: bool) -> None:
    from dexmm.backtest.advice import advise
    from dexmm.backtest.event_world import assumed
    from dexmm.tune.html_report import tune_page
    from dexmm.tune.search_space import configured
    from dexmm.tune.terminal_view import facts, show

    advice: tuple[str, ...] = ()
    if (chosen := tuned.final.chosen) is not None:
        config = configured(task.search.config, chosen.settings)
        fee_pips = max(scenario.market.fee_pips for scenario in task.scenarios)
        advice = advise(chosen.train.figures, config, fee_pips=fee_pips)
    written = _write_config(task, tuned)
    if task.page is not None:
        said = tuple(dict.fromkeys(line for s in task.scenarios for line in assumed(s)))
        tune_page(tuned, task.search.config, task.history, advice, said).write(task.page)
        written["page"] = task.page
    if as_json:
        study = {"study": task.search.name, "storage": str(task.search.storage)}
        study["decided"] = task.scenarios[0].decided
        answer({**study, "history": task.history, **facts(tuned, advice), **written,
                "seconds": seconds})  # fmt: skip
    else:
        console().print(f"\n{task.scenarios[0].decided}", markup=False)
        show(console(), tuned, task.search.config, advice)
        ended = f"\n{tuned.backtests} trials of the study {task.search.name} in {seconds} s"
        console().print(ended, markup=False)
        for path in written.values():
            click.echo(f"wrote {path}")
    if tuned.settings is None:
        finish(NOTHING_MET)


def _write_config(task: Task, tuned: Tuned) -> dict[str, Path]:
    from dexmm.tune.tuned_config import write_tuned

    if task.output is None or task.config_path is None or tuned.settings is None:
        return {}
    write_tuned(task.config_path, task.search.config, tuned.settings, task.output)
    return {"output": task.output}


def _tell_stopped(task: Task) -> None:
    again = shlex.join(["dexmm", *sys.argv[1:]])
    click.echo(
        f"\nStopped. What was finished is kept in the study {task.search.name}; go on with\n"
        f"  {again}",
        err=True,
    )


def _told(source: str, whole: Stretch) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (whole.since, whole.until))
    return f"{source}: {first:%Y-%m-%d} to {last:%Y-%m-%d}, {whole.days:.1f} days"
