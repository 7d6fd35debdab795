"""A track's result in plain sentences."""

from __future__ import annotations

from dexmm.performance.attribution import attribute
from dexmm.performance.buy_and_hold import worths
from dexmm.performance.earned import Earned, earned
from dexmm.performance.number_format import duration, money
from dexmm.performance.track.track import Track
from dexmm.report.earned_shown import per_cent
from dexmm.report.waterfall import Step, steps


def headline(track: Track) -> tuple[str, ...]:
    """What happened, what holding would have brought, and what made the difference."""
    found = attribute(track.marks)
    net = found.against_holding
    seconds = track.points[-1].at - track.points[0].at
    held = found.end - net
    verdict = "more" if net > 0 else "less"
    brought = earned(worths(track.marks))
    whole = brought.whole
    deposited = (
        f" with {money(whole.deposited, track, sign=True)} deposited" if whole.deposited else ""
    )
    rate = "" if whole.gain_percent is None else f" ({per_cent(whole.gain_percent)})"
    first = (
        f"In {duration(seconds)} net worth went from {money(found.start, track)} to "
        f"{money(found.end, track)}{deposited}: a gain of {money(whole.gain, track, sign=True)}"
        f"{rate}, {money(whole.price, track, sign=True)} by the price and "
        f"{money(whole.making, track, sign=True)} by making the market. The same inventory "
        f"untouched would be worth {money(held, track)}: making the market brought "
        f"{money(abs(net), track)} {verdict}, after every cost."
    )
    return (first, *_paces(brought), *_made_of(steps(found), track))


def _paces(found: Earned) -> tuple[str, ...]:
    """Nothing where the stretch is too short to extrapolate."""
    if found.per_month is None or found.per_year is None:
        return ()
    month, year = found.per_month, found.per_year
    return (
        f"At that pace it is {per_cent(month.gain_percent)} a month and "
        f"{per_cent(year.gain_percent)} a year, of which making the market "
        f"{per_cent(month.making_percent)} and {per_cent(year.making_percent)}.",
    )


def _made_of(shown: tuple[Step, ...], track: Track) -> tuple[str, ...]:
    gains = sorted((s for s in shown if s.amount > 0), key=lambda s: -s.amount)[:2]
    losses = sorted((s for s in shown if s.amount < 0), key=lambda s: s.amount)[:2]
    said = []
    if gains:
        said.append("Most was earned by " + _listed(gains, track))
    if losses:
        said.append(("most lost to " if said else "Most was lost to ") + _listed(losses, track))
    return (", ".join(said) + ".",) if said else ()


def _listed(shown: list[Step], track: Track) -> str:
    return " and ".join(f"{step.label} ({money(abs(step.amount), track)})" for step in shown)
