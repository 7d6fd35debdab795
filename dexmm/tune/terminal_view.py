"""A search in the terminal, and as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dexmm.config.schema import Config
from dexmm.terminal.table_fitting import fitted
from dexmm.tune.objectives import METRICS
from dexmm.tune.result import FoldFound, Tried, Tuned
from dexmm.tune.search_space import setting
from dexmm.tune.study import Run
from dexmm.tune.summary_text import (
    CellShown,
    by_every_score,
    cell_name,
    cells_shown,
    evidence,
    number,
    shown,
    verdict,
    warnings,
    worth_it,
)

WIDEST = 110
CELLS = ("", "tuned", "as it is", "gas a third", "gas three times", "of the pool")  # tuned's


def show(console: Console, tuned: Tuned, config: Config, advice: Sequence[str]) -> None:
    """Everything on stdout."""
    width = min(console.width, WIDEST) if console.is_terminal else None
    console.print()
    console.print(Text(verdict(tuned), "green" if worth_it(tuned) else "yellow"), width=width)
    for title, table in (
        ("Fold by fold", _folds(tuned)),
        ("On unseen history, by every yardstick", _scores(tuned)),
        ("At other assumptions, on unseen history", _cells(tuned)),
        ("Settings", _settings(tuned, config)),
    ):
        console.print(f"\n[bold]{title}[/]")
        console.print(fitted(table, console, width), width=width)
    for title, lines in (
        ("Beware", warnings(tuned)),
        ("Advice for the tuned configuration", advice),
        ("Refused before a backtest", _refused(tuned)),
    ):
        if lines:
            console.print(f"\n[bold]{title}[/]")
            for line in lines:
                console.print(Text(f"- {line}"), width=width)


def facts(tuned: Tuned, advice: Sequence[str]) -> Mapping[str, object]:
    """What ``--json`` answers about the search itself."""
    return {
        "verdict": verdict(tuned),
        "worth_it": worth_it(tuned),
        "settings": tuned.settings,
        "recommended": tuned.settings if worth_it(tuned) else None,
        "evidence": evidence(tuned),
        "histories": list(tuned.histories),
        "cells": list(cells_shown(tuned)),
        "objectives": [str(objective) for objective in tuned.space.objectives],
        "constraints": [str(constraint) for constraint in tuned.space.constraints],
        "scores": list(by_every_score(tuned)),
        "out_of_sample": tuned.out_of_sample,
        "in_sample": tuned.in_sample,
        "as_it_is_out_of_sample": tuned.now_out_of_sample,
        "as_it_is_in_sample": tuned.now_in_sample,
        "folds": [_fold_facts(found) for found in tuned.folds],
        "final": _fold_facts(tuned.final),
        "warnings": list(warnings(tuned)),
        "advice": list(advice),
    }


def _fold_facts(found: FoldFound) -> Mapping[str, object]:
    return {
        "name": found.fold.name,
        "train": found.fold.train,
        "test": found.fold.test,
        "everywhere": [{"train": fold.train, "test": fold.test} for fold in found.everywhere],
        "trials": len(found.tried),
        "refused": [{"why": why, "count": count} for why, count in found.refused],
        "importances": found.importances,
        "chosen": _tried_facts(found.chosen),
        "as_it_is": {"train": found.now_train.metrics, "test": _metrics(found.now_test)},
    }


def _tried_facts(tried: Tried | None) -> Mapping[str, object] | None:
    if tried is None:
        return None
    return {
        "trial": tried.number,
        "settings": tried.settings,
        "train": tried.train.metrics,
        "test": _metrics(tried.test),
    }


def _metrics(run: Run | None) -> Mapping[str, object] | None:
    return run.metrics if run is not None else None


def _folds(tuned: Tuned) -> Table:
    metric = METRICS[tuned.space.objectives[0].metric]
    table = Table(box=None, padding=(0, 2, 0, 0), caption_justify="left")
    for heading in ("", "chosen on", "trials", "where chosen", "unseen", "as it is, unseen"):
        table.add_column(heading, justify="left" if not heading else "right")
    for found in (*tuned.folds, tuned.final):
        chosen = found.chosen
        scores = (chosen and chosen.train, chosen and chosen.test, found.now_test)
        table.add_row(
            Text(found.fold.name),
            f"{found.train_days:.1f} days",
            str(len(found.tried)),
            *(number(run.metrics[metric.name]) if run else "–" for run in scores),
        )
    table.add_row(
        f"together, {metric.unit}",
        "",
        str(tuned.backtests),
        *(
            number(score.metrics[metric.name])
            for score in (tuned.in_sample, tuned.out_of_sample, tuned.now_out_of_sample)
        ),
        style="bold",
    )
    return table


def _scores(tuned: Tuned) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("bp a day", "tuned", "as it is"):
        table.add_column(heading, justify="left" if heading == "bp a day" else "right")
    for found in by_every_score(tuned):
        table.add_row(found.meaning, number(found.tuned), number(found.as_it_is))
    return table


def _cells(tuned: Tuned) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in CELLS:
        table.add_column(heading, justify="right" if heading else "left")
    for cell in cells_shown(tuned):
        table.add_row(*map(Text, cell_row(cell)))  # a history may have brackets in its name
    return table


def cell_row(cell: CellShown) -> tuple[str, ...]:
    """Under ``CELLS``."""
    return (
        cell_name(cell),
        number(cell.tuned.score),
        number(cell.as_it_is.score),
        number(cell.tuned.gas_a_third),
        number(cell.tuned.gas_three_times),
        f"{cell.tuned.liquidity_share * 100:.2f} %",
    )


def _settings(tuned: Tuned, config: Config) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "as it is", "tuned", "decides"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, value in (tuned.settings or {}).items():
        now, weight = setting(config, name), tuned.final.importances.get(name)
        changed = Text(shown(value), "dim" if now == value else "green")
        decides = f"{weight * 100:.0f} %" if weight is not None else "–"
        table.add_row(Text(name), Text(shown(now)), changed, decides)
    return table


def _refused(tuned: Tuned) -> list[str]:
    return [
        f"{count} in {found.fold.name}: {why}"
        for found in (*tuned.folds, tuned.final)
        for why, count in found.refused
    ]
