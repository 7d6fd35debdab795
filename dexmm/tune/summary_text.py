"""A search's result in plain words: what it is worth, and where it must not be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.decimal_context import DAY
from dexmm.performance.entry_text import digits
from dexmm.tune.objectives import METRICS, SCORES, Metrics
from dexmm.tune.result import Cell, FoldFound, Together, Tried, Tuned
from dexmm.tune.search_space import Parameter
from dexmm.units import PRICE

ZERO = Decimal(0)
HALF = Decimal("0.5")
LEAST_PARTS, LEAST_DAYS = 2, 14  # of unseen history: less says nothing about a market maker
TRIALS_PER_SETTING = 10  # fewer, and a search has hardly looked
WIDE_APART = Decimal("0.5")  # of a setting's values, between what the folds chose

MOST_PLACES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for the tuned settings, all of it on unseen history."""

    better: int  # histories and pay ratios in which they beat the configuration as it is
    of: int
    less_skill: int  # histories and pay ratios in which they have less of it than the one as it is
    parts_better: int  # folds, all histories together
    parts_worse: int
    parts: int
    days: Decimal  # unseen, in all histories
    thin: str  # why it is too little to say anything; empty when it is enough

    @property
    def speaks_for(self) -> bool:
        """In most histories and pay ratios, and in at least half of the parts and most of those
        that differ; and not because of where the price went."""
        most = 2 * self.better > self.of and 2 * self.less_skill <= self.of
        return most and 2 * self.parts_better >= self.parts and self.parts_better > self.parts_worse

    def __str__(self) -> str:
        return (
            f"better in {self.better} of {self.of} histories and pay ratios and in "
            f"{self.parts_better} of {self.parts} unseen parts"
        )


def evidence(tuned: Tuned) -> Evidence:
    """Counted by the first objective."""
    parts = [
        tuned.gained(found.chosen.test.metrics, found.now_test.metrics)
        if found.chosen and found.chosen.test and found.now_test
        else ZERO
        for found in tuned.folds
    ]
    days = tuned.now_out_of_sample.days
    skill = "skill_bp_per_day"
    return Evidence(
        less_skill=sum(cell.tuned[skill] < cell.as_it_is[skill] for cell in tuned.cells),
        better=sum(tuned.gained(cell.tuned, cell.as_it_is) > 0 for cell in tuned.cells),
        of=len(tuned.cells),
        parts_better=sum(gain > 0 for gain in parts),
        parts_worse=sum(gain < 0 for gain in parts),
        parts=len(parts),
        days=days,
        thin=""
        if len(parts) >= LEAST_PARTS and days >= LEAST_DAYS
        else f"{len(parts)} unseen part{'' if len(parts) == 1 else 's'} of {days:.1f} days in all, "
        f"and at least {LEAST_PARTS} parts of {LEAST_DAYS} days say something",
    )


def decides_nothing(tuned: Tuned) -> bool:
    """Whether every configuration tried came to the same wherever it was tried."""
    searched = [found for found in (*tuned.folds, tuned.final) if found.tried]
    return bool(searched) and all(
        len({place_of(tried) for tried in found.tried}) > 1
        and all(tried.train.metrics == found.tried[0].train.metrics for tried in found.tried)
        for found in searched
    )


def place_of(tried: Tried) -> tuple[tuple[str, int], ...]:
    return tuple(tried.place.items())


def verdict(tuned: Tuned) -> str:
    """One sentence: what to expect of the tuned configuration on history nobody has seen."""
    if tuned.settings is None:
        return _nothing_met(tuned.final)
    if decides_nothing(tuned):
        return (
            "Nothing to choose: every configuration tried came to the same, so what was searched "
            "decides nothing here (another --space, or a history in which the strategy acts)."
        )
    seen = evidence(tuned)
    first = METRICS[tuned.space.objectives[0].metric]
    scores = (
        f"on unseen history tuning brought {_score(tuned, tuned.out_of_sample)} {first.unit} "
        f"({first.meaning}), the configuration as it is {_score(tuned, tuned.now_out_of_sample)}"
    )
    if seen.thin:
        return f"Too little to recommend anything: {seen.thin}; {scores}."
    if worth_it(tuned):
        return f"Worth trying: {scores}; {seen}."
    return f"Keep what you have: {scores}; {seen}."


def worth_it(tuned: Tuned) -> bool:
    """Whether what was chosen beat the configuration as it is where neither had been seen: in sum,
    and in most histories, pay ratios and parts; never on too little evidence."""
    if tuned.settings is None or decides_nothing(tuned):
        return False
    seen = evidence(tuned)
    gain = tuned.gain(tuned.out_of_sample, tuned.now_out_of_sample)
    return gain > 0 and not seen.thin and seen.speaks_for


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """By the first objective on unseen history, its gas at other prices, and our share."""

    score: Decimal
    gas_a_third: Decimal
    gas_three_times: Decimal
    liquidity_share: Decimal  # ours of what was in range, mean over time; 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CellShown:
    history: str
    pay_ratio: Decimal | None
    days: Decimal
    tuned: Result
    as_it_is: Result


def cells_shown(tuned: Tuned) -> tuple[CellShown, ...]:
    """Every history at every pay ratio. Gas is scaled on the same decisions."""
    metric = tuned.space.objectives[0].metric
    return tuple(
        CellShown(
            history=cell.history,
            pay_ratio=cell.pay_ratio,
            days=cell.days,
            tuned=result_of(cell.tuned, metric),
            as_it_is=result_of(cell.as_it_is, metric),
        )
        for cell in tuned.cells
    )


def result_of(found: Metrics, metric: str) -> Result:
    """Of what was measured, scored by ``metric``."""
    score = found[metric]
    gas = found["gas_bp_per_day"] if metric in SCORES.values() else ZERO
    with localcontext(PRICE):
        return Result(
            score=score,
            gas_a_third=score + gas * 2 / 3,
            gas_three_times=score - 2 * gas,
            liquidity_share=found["liquidity_share"],
        )


def cell_name(cell: CellShown | Cell) -> str:
    """For people."""
    ratio = "recorded" if cell.pay_ratio is None else f"pay ratio {cell.pay_ratio:f}"
    return f"{cell.history}, {ratio}" if cell.history else ratio


def warnings(tuned: Tuned) -> tuple[str, ...]:
    """Why the result may not hold, most important first."""
    return (
        *_overfit(tuned),
        *_unmet(tuned),
        *_still_losing(tuned),
        *_lucky(tuned),
        *_disagreeing(tuned),
        *_same_days(tuned),
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
    seen = evidence(tuned)
    if net >= 0 or seen.thin or decides_nothing(tuned):
        return
    skill = tuned.out_of_sample.metrics["skill_bp_per_day"]
    yield (
        f"Even tuned, it lost {number(-net)} bp a day against plain holding in {seen.days:.0f} "
        f"unseen days, of which its own work (fees less what arbitrage took, gas and trading "
        f"costs) is {number(skill)}: in this market, at these costs, holding was better."
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


def _lucky(tuned: Tuned) -> Iterator[str]:
    seen = evidence(tuned)
    if seen.better and seen.less_skill:
        yield (
            f"In {seen.less_skill} of {seen.of} histories and pay ratios it had less skill (fees "
            "less what arbitrage took, gas and trading costs) than the configuration as it is: "
            "what it gained there is where the price went."
        )


def _same_days(tuned: Tuned) -> Iterator[str]:
    """Histories of the same time are not as much evidence as they are many."""
    whole = [
        (name, fold.train.since, fold.train.until)
        for name, fold in zip(tuned.histories, tuned.final.everywhere, strict=True)
    ]
    for at, (name, since, until) in enumerate(whole):
        for other, began, ended in whole[at + 1 :]:
            if since < ended and began < until:
                days = Decimal(min(until, ended) - max(since, began)) / DAY
                yield (
                    f"{name} and {other} have {days:.0f} days in common: they count as two, and "
                    "what one is scored on may have been chosen by in the other."
                )


def _few_trials(tuned: Tuned) -> Iterator[str]:
    wanted = min(TRIALS_PER_SETTING * len(tuned.space.parameters), tuned.space.size)
    least = min(len(found.tried) for found in (*tuned.folds, tuned.final))
    if least < wanted:
        yield (
            f"{least} trials a fold are few for {len(tuned.space.parameters)} settings: at least "
            f"{wanted} look around properly (--trials)."
        )
