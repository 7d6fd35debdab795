"""A search's result in plain words: what it is worth, and where it must not be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.backtest.space import Parameter
from dexmm.backtest.space_goals import METRICS, SCORES
from dexmm.backtest.tune_result import FoldFound, Together, Tuned
from dexmm.ops.narrate import digits

HALF = Decimal("0.5")
TRIALS_PER_SETTING = 10  # fewer, and a search has hardly looked
WIDE_APART = Decimal("0.5")  # of a setting's values, between what the folds chose

MOST_PLACES = 4


def verdict(tuned: Tuned) -> str:
    """One sentence: what to expect of the tuned configuration on history nobody has seen."""
    if tuned.settings is None:
        return _nothing_met(tuned.final)
    gain = tuned.gain(tuned.out_of_sample, tuned.now_out_of_sample)
    first = METRICS[tuned.space.objectives[0].metric]
    scores = (
        f"on unseen history tuning brought {_score(tuned, tuned.out_of_sample)} {first.unit} "
        f"({first.meaning}), the configuration as it is {_score(tuned, tuned.now_out_of_sample)}"
    )
    if gain > 0:
        return f"Worth trying: {scores}."
    return f"Keep what you have: {scores}."


def worth_it(tuned: Tuned) -> bool:
    """Whether what was chosen beat the configuration as it is where neither had been seen."""
    gain = tuned.gain(tuned.out_of_sample, tuned.now_out_of_sample)
    return tuned.settings is not None and gain > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One yardstick on unseen history: basis points of the capital a day."""

    score: str  # of ``SCORES``
    meaning: str
    tuned: Decimal
    as_it_is: Decimal


def by_every_score(tuned: Tuned) -> tuple[Scored, ...]:
    """Whatever was chosen by, on unseen history: what was tuned and the one as it is."""
    return tuple(
        Scored(
            score=score,
            meaning=METRICS[metric].meaning,
            tuned=tuned.out_of_sample.metrics[metric],
            as_it_is=tuned.now_out_of_sample.metrics[metric],
        )
        for score, metric in SCORES.items()
    )


def warnings(tuned: Tuned) -> tuple[str, ...]:
    """Why the result may not hold, most important first."""
    return (
        *_overfit(tuned),
        *_unmet(tuned),
        *_still_losing(tuned),
        *_disagreeing(tuned),
        *_few_trials(tuned),
    )


def number(value: Decimal) -> str:
    """Three significant digits below a thousand, whole above."""
    places = 0 if abs(value) >= 100 or not value else min(2 - value.adjusted(), MOST_PLACES)
    return ("−" if round(value, places) < 0 else "") + digits(abs(value), places)


def shown(value: object) -> str:
    """A setting's value as a file has it, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _score(tuned: Tuned, of: Together) -> str:
    return number(of.metrics[tuned.space.objectives[0].metric])


def _overfit(tuned: Tuned) -> Iterator[str]:
    trained = tuned.gain(tuned.in_sample, tuned.now_in_sample)
    unseen = tuned.gain(tuned.out_of_sample, tuned.now_out_of_sample)
    unit = METRICS[tuned.space.objectives[0].metric].unit
    gap = (
        f"where settings were chosen they gained {number(trained)} {unit} over the configuration "
        f"as it is"
    )
    if trained <= 0:
        return
    if unseen <= 0:
        yield (
            f"Overfitted: {gap}, and on unseen history they lost {number(-unseen)} {unit} to it; "
            "what was found is chance."
        )
    elif unseen < HALF * trained:
        yield (
            f"Partly overfitted: {gap}, and on unseen history {number(unseen)} {unit}; expect the "
            "latter at most."
        )


def _unmet(tuned: Tuned) -> Iterator[str]:
    for found in (*tuned.folds, tuned.final):
        if found.chosen is None:
            yield _nothing_met(found)


def _nothing_met(found: FoldFound) -> str:
    if not found.tried:
        why = found.refused[0][0] if found.refused else "nothing was tried"
        return f"In {found.fold.name} no configuration was worth a backtest, mostly because {why}."
    fewest = min(found.tried, key=lambda tried: len(tried.violated))
    return (
        f"In {found.fold.name} none of {len(found.tried)} configurations met every constraint; the "
        f"nearest failed {', '.join(fewest.violated)}: relax that or widen the space."
    )


def _still_losing(tuned: Tuned) -> Iterator[str]:
    net = tuned.out_of_sample.metrics["net_bp_per_day"]
    if net < 0:
        yield (
            f"Even tuned, it lost {number(-net)} bp a day against plain holding on unseen history: "
            "in this market, at these costs, holding was better."
        )


def _disagreeing(tuned: Tuned) -> Iterator[str]:
    found = [one.chosen for one in (*tuned.folds, tuned.final) if one.chosen is not None]
    apart = []
    for parameter in tuned.space.parameters:
        chosen = [tried.place[parameter.name] for tried in found]
        if parameter.ordered and _apart(parameter, chosen):
            values = ", ".join(shown(parameter.values[at]) for at in chosen)
            apart.append(f"{parameter.name} ({values})")
    if apart:
        yield (
            f"The folds disagree on {' and '.join(apart)}: it hardly matters, or this history "
            "cannot tell."
        )


def _apart(parameter: Parameter, chosen: list[int]) -> bool:
    if len(chosen) < 2 or len(parameter.values) < 3:
        return False
    return max(chosen) - min(chosen) > WIDE_APART * (len(parameter.values) - 1)


def _few_trials(tuned: Tuned) -> Iterator[str]:
    wanted = min(TRIALS_PER_SETTING * len(tuned.space.parameters), tuned.space.size)
    least = min(len(found.tried) for found in (*tuned.folds, tuned.final))
    if least < wanted:
        yield (
            f"{least} trials a fold are few for {len(tuned.space.parameters)} settings: at least "
            f"{wanted} look around properly (--trials)."
        )
