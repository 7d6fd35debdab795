"""``dexmm backtest``: what a configuration would have earned, why, and what others would have."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    requests_of,
    workers_of,
)
from dexmm.cli.common import (
    answer,
    console,
    finish,
    json_option,
    jsonable,
    market_option,
    set_up_logging,
    tell_read,
)

if TYPE_CHECKING:
    from dexmm.backtest.compare.compare import Comparison
    from dexmm.backtest.compare.contestants import Live
    from dexmm.backtest.run import Backtest, Scenario
    from dexmm.backtest.sensitivity import Sensitivity
    from dexmm.backtest.workers import Workers

HALTED = 4


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration that decides. dexmm.toml where there is one, else the sandbox's "
    "defaults for PAXG/USDT.",
)
@histories_argument
@market_option
@history_options
@cost_options
@pool_options
@click.option(
    "--compare",
    "comparing",
    is_flag=True,
    help="All strategies and baselines, over one history or several, at each pay ratio: three "
    "times the work of one ratio unless --pay-ratio names fewer.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Another configuration in the comparison.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes of --compare, and of long runs at other pay ratios.",
)
@dask_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one self-contained HTML page.",
)
@json_option
@click.option("-v", "--verbose", count=True, help="More on stderr; twice for libraries too.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def backtest(
    comparing: bool,
    beside: tuple[Path, ...],
    workers: int,
    dask: str | None,
    output: Path | None,
    as_json: bool,
    verbose: int,
    debug: bool,
    **asked: Any,
) -> None:
    """Run the live decisions over a history, with every cost, and say where the result came from.

    Nothing leaves this machine unless --dask sends a comparison's work to a cluster, without a
    secret; no node is asked and no key is read. Exit codes: 0 done, 2 bad input, 4 the run halted
    itself, 5 workers or cluster are gone.
    """
    from dexmm.backtest.scenario_config import contestants_of
    from dexmm.backtest.scenario_request import scenarios_of

    set_up_logging(verbose + int(debug) - 1)
    _refuse_unwritable(output)
    requests = requests_of(asked)
    _refuse_alone(comparing, beside, len(requests), dask)
    scenarios = scenarios_of(requests)
    others = contestants_of(beside, asked["market"], scenarios[0])
    for scenario in scenarios:
        tell_read(scenario.path.understood)
    ratios = ratios_of(asked)
    if comparing:
        _compare(scenarios, others, ratios, workers_of(workers, dask), output, as_json)
    else:
        _run(scenarios[0], ratios, workers, output, as_json)


def _refuse_alone(
    comparing: bool, beside: tuple[Path, ...], histories: int, dask: str | None
) -> None:
    from dexmm.errors import BadInput

    if comparing:
        return
    if histories > 1:
        raise BadInput("several histories are run over by --compare or `dexmm tune`: add --compare")
    if beside:
        raise BadInput("--beside is another configuration in a comparison: add --compare")
    if dask is not None:
        raise BadInput("one run needs no cluster: --dask goes with --compare or `dexmm tune`")


def _refuse_unwritable(output: Path | None) -> None:
    """Before a run of minutes, not after it."""
    from dexmm.errors import BadInput

    if output is not None and not output.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {output.parent} to write {output.name} into: make it")


def _run(
    scenario: Scenario,
    ratios: tuple[Decimal, ...],
    workers: int,
    output: Path | None,
    as_json: bool,
) -> None:
    from dexmm.backtest.advice import advise
    from dexmm.backtest.event_world import run_scenario
    from dexmm.backtest.sensitivity import PAY_RATIOS, sensitivity
    from dexmm.performance.refusal_counts import refused

    shown = ratios if len(ratios) > 1 else PAY_RATIOS

    began = time.monotonic()
    with _bar(scenario.config.strategy.name) as moved:
        found = run_scenario(scenario, lambda done, total: moved([(done, total)]))
    seconds = Decimal(round((time.monotonic() - began) * 10)) / 10
    with _bar("other pay ratios") as moved:
        depends = sensitivity(scenario, found, ratios=shown, workers=workers, progress=moved)
    advice = advise(
        found.figures,
        scenario.config,
        refused(found.track.points),
        fee_pips=scenario.market.fee_pips,
    )
    written = _write_report(found, advice, depends, output)
    if as_json:
        facts = _facts(found, advice, depends, seconds, written)
        read = scenario.path.understood or None
        answer({"decided": scenario.decided, "read": read, **facts})
    else:
        from dexmm.backtest.terminal_view import show

        show(console(), found, advice, seconds, depends, scenario.decided)
        _tell_written(written)
    if found.track.halted:
        finish(HALTED)


def _compare(
    scenarios: tuple[Scenario, ...],
    others: tuple[Live, ...],
    ratios: tuple[Decimal, ...],
    workers: int | Workers,
    output: Path | None,
    as_json: bool,
) -> None:
    from dexmm.backtest.compare.compare import compare_all
    from dexmm.backtest.compare.contestants import FIELD
    from dexmm.backtest.compare.histories import across, across_verdict, recommended
    from dexmm.backtest.compare.page import comparisons_page
    from dexmm.backtest.sensitivity import PAY_RATIOS

    field = (*others, *FIELD)
    began = time.monotonic()
    with _bar("everybody") as moved:
        found = compare_all(
            scenarios, field, ratios=ratios or PAY_RATIOS, workers=workers, progress=moved
        )
    seconds = Decimal(round((time.monotonic() - began) * 10)) / 10
    written = ""
    if output is not None:
        written = _written(output, comparisons_page(found).write(output))
    if as_json:
        one = _compared(found[0])
        if len(found) > 1:
            one = {
                "histories": [_compared(comparison) for comparison in found],
                "verdict": across_verdict(found),
            }
        together = {"across": across(found), "recommended": [w.name for w in recommended(found)]}
        answer({**one, **together, "seconds": seconds, "page": written})
        return
    _show_comparisons(found, seconds)
    _tell_written(written)


def _show_comparisons(found: Sequence[Comparison], seconds: Decimal) -> None:
    from rich.text import Text

    from dexmm.backtest.compare.histories import across_verdict
    from dexmm.backtest.compare.table import across_table

    out = console()
    for comparison in found:
        _show_comparison(comparison, seconds if len(found) == 1 else None)
        if len(found) > 1:
            out.print()
    if len(found) > 1:
        out.print(Text(f"All {len(found)} histories, in {seconds} s", "bold"))
    else:
        out.print("\n[bold]Over all pay ratios[/]")
    out.print(across_table(found, out))
    for line in across_verdict(found):
        out.print(Text(f"- {line}"))


def _show_comparison(found: Comparison, seconds: Decimal | None) -> None:
    from rich.text import Text

    from dexmm.backtest.compare.table import comparison, other_assumptions, yardsticks

    out = console()
    took = "" if seconds is None else f" in {seconds} s"
    out.print(Text(f"{found.history}, {len(found.rows)} ways side by side{took}"))
    if found.decided:
        out.print(Text(found.decided))
    out.print()
    out.print(comparison(found.rows, out, found.quote))
    out.print("\n[bold]By other yardsticks[/]")
    out.print(yardsticks(found.rows, out, found.quote))
    out.print("\n[bold]Net at other assumptions, and our part of the pool's liquidity[/]")
    out.print(other_assumptions(found.rows, out, found.quote))
    for title, lines in (
        ("Does this market pay?", found.verdict),
        ("Assumptions", found.assumptions),
    ):
        out.print(f"\n[bold]{title}[/]")
        for line in lines:
            out.print(Text(f"- {line}"))


def _compared(found: Comparison) -> dict[str, object]:
    from dexmm.backtest.compare.verdict import cannot_pay

    return {
        "history": found.history,
        "decided": found.decided,
        "base": found.base,
        "quote": found.quote,
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "pays_gas": row.pays_gas,
                **jsonable(row.figures),
                "against_rebalanced": row.figures.against_rebalanced,
                "against_rebalanced_bp": row.figures.against_rebalanced_bp,
                "skill_bp": row.figures.skill_bp,
                "pay_ratios": row.ratios,
                "gas_prices": row.gas,
                "parts": dict(row.parts),
                "refused": row.refused,
            }
            for row in found.rows
        ],
        "worth": found.worth,
        "cannot_pay": cannot_pay(found.rows),
        "verdict": found.verdict,
        "assumptions": found.assumptions,
    }


def _facts(
    found: Backtest,
    advice: Sequence[str],
    depends: Sensitivity,
    seconds: Decimal,
    written: str,
) -> dict[str, object]:
    """The report's facts, without its curves, and without the uptime of what slept on purpose."""
    from dexmm.report.json_report import report

    facts = report(found.track)
    return {
        **{key: value for key, value in facts.items() if key not in {"series", "uptime"}},
        "liquidity_share": found.liquidity_share,
        "pay_ratios": jsonable(depends.ratios),
        "gas_prices": jsonable(depends.gas),
        "advice": advice,
        "turns_taken": found.turns,
        "seconds": seconds,
        "page": written,
    }


def _write_report(
    found: Backtest, advice: Sequence[str], depends: Sensitivity, output: Path | None
) -> str:
    if output is None:
        return ""
    from dexmm.backtest.html_report import run_page

    return _written(output, run_page(found.track, advice, depends).write(output))


def _written(output: Path, size: int) -> str:
    return f"{output} ({size / 1_000_000:.1f} MB)"


def _tell_written(written: str) -> None:
    if written:
        click.echo(f"\nwrote {written}")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[Sequence[tuple[int, int]]], None]]:
    """Turns passed, turns a second and the time left, on a terminal; nothing anywhere else.

    Yields what is told (done, total) of every run that goes on.
    """
    if not sys.stderr.isatty():
        yield lambda _board: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]} bars/s", style="cyan"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, rate="–")
        began = time.monotonic()

        def moved(board: Sequence[tuple[int, int]]) -> None:
            done = sum(part for part, _ in board)
            total = max(whole for _, whole in board) * len(board)
            passed = max(time.monotonic() - began, 0.001)
            progress.update(task, completed=done, total=total or None, rate=f"{done / passed:,.0f}")

        yield moved
