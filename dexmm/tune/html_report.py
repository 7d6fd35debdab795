"""A search as one page: whether to believe it, what to change, and how it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dexmm.config.schema import Config
from dexmm.report.html_page import Page, Part
from dexmm.report.html_parts import Banner, Bullets, Cell, Chart, Table, Tile, Tiles
from dexmm.tune.charts import (
    folds_chart,
    frontier_chart,
    importance_chart,
    scores_chart,
    slices_chart,
    survival_chart,
)
from dexmm.tune.objectives import METRICS
from dexmm.tune.result import FoldFound, Tried, Tuned
from dexmm.tune.search_space import setting
from dexmm.tune.summary_text import (
    by_every_score,
    cells_shown,
    number,
    shown,
    verdict,
    warnings,
    worth_it,
)
from dexmm.tune.terminal_view import CELLS, cell_row
from dexmm.tune.walk_forward import Stretch

MOST_ROWS = 20
MOST_VALUES = 12  # named one by one
ROUGH = 50  # trials, below which importances are hardly more than noise
NOTHING = "–"

SHORT = {
    "net_bp_per_day": "net",
    "rebalanced_bp_per_day": "vs rebalanced",
    "skill_bp_per_day": "skill",
    "fees_bp_per_day": "fees",
    "lvr_bp_per_day": "LVR",
    "gas_bp_per_day": "gas",
    "max_drawdown_hold_bp": "drawdown",
    "time_in_band": "in band",
    "time_in_range": "in range",
    "reranges_per_day": "re-ranges",
}
COLUMNS = tuple(SHORT)


def tune_page(
    tuned: Tuned,
    config: Config,
    history: str,
    advice: Sequence[str],
    assumptions: Sequence[str],
) -> Page:
    """``config`` is the configuration as it is. Raises ``BadInput`` without plotly."""
    page = Page("Tuning, scored on history it never saw", history)
    page.section("Is it worth it?", *_worth(tuned))
    page.section("At other assumptions", _cells(tuned))
    page.section("What to change", _changes(tuned, config), _advice(advice))
    page.section("Fold by fold", *_folds(tuned))
    page.section("What matters", *_importances(tuned.final))
    page.section("Return and risk", *_frontier(tuned))
    page.section("Does a good rank last?", *_survival(tuned))
    page.section("Setting by setting", *_slices(tuned, config))
    page.section("Best trials", *_trials(tuned.final))
    page.section("Refused before a backtest", _refusals(tuned))
    page.section("What was searched", _space(tuned), Bullets(tuple(_rules(tuned))))
    return page.section("Assumptions", Bullets(assumptions))


def _worth(tuned: Tuned) -> list[Part]:
    metric = METRICS[tuned.space.objectives[0].metric]

    def tile(label: str, found: str, note: str) -> Tile:
        return Tile(label=label, value=f"{found} {metric.unit}", note=note)

    gain = tuned.gain(tuned.out_of_sample, tuned.now_out_of_sample)
    trained = tuned.gain(tuned.in_sample, tuned.now_in_sample)
    tiles = (
        tile("tuned, unseen", number(tuned.out_of_sample.metrics[metric.name]), metric.meaning),
        tile("as it is, unseen", number(tuned.now_out_of_sample.metrics[metric.name]), "the same"),
        tile("gained, unseen", number(gain), "what to expect of tuning"),
        tile("gained where chosen", number(trained), "what tuning seemed to bring"),
        tile("gap", number(trained - gain), "of that gain, what did not last"),
    )
    good = worth_it(tuned)
    scores = Table(
        headings=("on unseen history, bp a day", "tuned", "as it is"),
        rows=[(s.meaning, number(s.tuned), number(s.as_it_is)) for s in by_every_score(tuned)],
    )
    return [
        Banner(text=verdict(tuned), tone="good" if good else "bad"),
        Tiles(tiles),
        scores,
        Bullets(warnings(tuned)) if warnings(tuned) else "",
    ]


def _cells(tuned: Tuned) -> Table:
    return Table(
        headings=CELLS,
        rows=[cell_row(cell) for cell in cells_shown(tuned)],
        caption="On unseen history. Each pay ratio (other people's fees over what arbitrage costs "
        "liquidity) is a run of its own; gas is scaled on the tuned one's decisions; the last is "
        "our mean share of the pool's liquidity in range. Settings are recommended only where "
        "they win in most of these.",
    )


def _changes(tuned: Tuned, config: Config) -> Table:
    rows = []
    for name, value in (tuned.settings or {}).items():
        now = setting(config, name)
        changed = Cell(text=shown(value), tone="dim" if now == value else "good")
        rows.append((name, shown(now), changed))
    return Table(
        headings=("setting", "as it is", "tuned"),
        rows=rows,
        caption="Chosen on the newest part of the history.",
        empty="Nothing met the constraints, so there is nothing to change.",
    )


def _advice(advice: Sequence[str]) -> Part:
    return ["What its run there advises:", Bullets(advice)] if advice else ""


def _folds(tuned: Tuned) -> list[Part]:
    metric = METRICS[tuned.space.objectives[0].metric]
    rows = [_fold_row(found, metric.name) for found in (*tuned.folds, tuned.final)]
    return [
        Chart(
            figure=folds_chart(tuned),
            says="Settings are chosen on the blue part and scored on the green one, which they "
            "never saw; between them lies what the strategy still remembers.",
        ),
        Chart(
            figure=scores_chart(tuned),
            says=f"{metric.meaning.capitalize()} in each fold, {metric.unit}.",
        ),
        Table(
            headings=(
                "",
                "chosen on",
                "scored on",
                "where chosen",
                "unseen",
                "as it is, unseen",
                "trials",
                "refused",
            ),
            rows=rows,
            left=3,
            caption=f"Scores are of {metric.name}, {metric.unit}.",
        ),
    ]


def _fold_row(found: FoldFound, metric: str) -> tuple[str, ...]:
    chosen, test = found.chosen, found.fold.test
    scored = chosen.test if chosen else None
    return (
        found.fold.name,
        _spans([fold.train for fold in found.everywhere]),
        _spans([fold.test for fold in found.everywhere if fold.test]) if test else "the future",
        number(chosen.train.metrics[metric]) if chosen else "nothing chosen",
        number(scored.metrics[metric]) if scored else NOTHING,
        number(found.now_test.metrics[metric]) if found.now_test else NOTHING,
        str(len(found.tried)),
        str(sum(count for _, count in found.refused)),
    )


def _importances(found: FoldFound) -> list[Part]:
    if not found.importances:
        return ["Too few trials to tell which settings matter."]
    return [
        Chart(
            figure=importance_chart(found),
            says="How much each setting decides about being among the best tenth of the trials "
            "(PED-ANOVA, newest part of the history).",
        ),
        *(["Rough: fewer than fifty trials."] if len(found.tried) < ROUGH else []),
    ]


def _frontier(tuned: Tuned) -> Iterator[Part]:
    yield Chart(
        figure=frontier_chart(tuned.final),
        says="Each trial by what it earned against holding and how deep it fell against holding. "
        "Nothing tried beats the line in both.",
    )


def _survival(tuned: Tuned) -> Iterator[Part]:
    yield Chart(
        figure=survival_chart(tuned),
        says="The best few of each fold, the chosen one largest: the further below the dotted "
        "line, the less of its score lasted.",
    )


def _slices(tuned: Tuned, config: Config) -> Iterator[Part]:
    metric = METRICS[tuned.space.objectives[0].metric]
    yield Chart(
        figure=slices_chart(tuned, config),
        says=f"{metric.meaning.capitalize()} ({metric.unit}) of every trial over each setting by "
        "itself; grey failed a constraint, the dotted line is the configuration as it is.",
    )


def _trials(found: FoldFound) -> list[Part]:
    names = list(found.tried[0].settings) if found.tried else []
    return [
        f"On the newest part of the history, best first; {len(found.tried)} were tried.",
        Table(
            headings=("trial", *_short(names), *(SHORT[name] for name in COLUMNS)),
            rows=[_trial(tried) for tried in found.best[:MOST_ROWS]],
            empty="No trial met every constraint.",
        ),
        Bullets([f"{SHORT[n]}: {METRICS[n].meaning}, {METRICS[n].unit}" for n in COLUMNS]),
    ]


def _short(names: Sequence[str]) -> list[str]:
    """Without their section, where that leaves no two alike."""
    keys = [name.partition(".")[2] for name in names]
    return keys if len(set(keys)) == len(keys) else list(names)


def _trial(tried: Tried) -> tuple[str, ...]:
    return (
        str(tried.number),
        *(shown(value) for value in tried.settings.values()),
        *(number(tried.train.metrics[name]) for name in COLUMNS),
    )


def _refusals(tuned: Tuned) -> Table:
    return Table(
        headings=("", "why", "configurations"),
        left=2,
        rows=[
            (found.fold.name, reason, str(count))
            for found in (*tuned.folds, tuned.final)
            for reason, count in found.refused
        ],
        empty="None: every configuration that was drawn made sense.",
    )


def _space(tuned: Tuned) -> Table:
    return Table(
        headings=("setting", "values", "how many"),
        words=(1,),
        rows=[
            (
                parameter.name,
                ", ".join(map(shown, parameter.values))
                if len(parameter.values) <= MOST_VALUES
                else f"{shown(parameter.values[0])}, {shown(parameter.values[1])}, ... "
                f"{shown(parameter.values[-1])}",
                str(len(parameter.values)),
            )
            for parameter in tuned.space.parameters
        ],
        caption=f"{tuned.space.source}: {tuned.space.size:,} configurations".replace(",", " "),
    )


def _rules(tuned: Tuned) -> Iterator[str]:
    for objective in tuned.space.objectives:
        yield f"Objective: {objective} ({METRICS[objective.metric].meaning})."
    for constraint in tuned.space.constraints:
        yield f"Constraint: {constraint} ({METRICS[constraint.metric].meaning})."
    yield "Constraint: it runs to its end without halting itself."


def _spans(parts: Sequence[Stretch]) -> str:
    """One a history."""
    return "; ".join(_span(part) for part in parts)


def _span(part: Stretch) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (part.since, part.until))
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
