"""What was earned, in a reader's terms: start, end, gain, and how it came about. Pure.

    gain = end - start - deposits           deposits as they were worth when they came
         = price + making

*Price* is what holding gained: the inventory of the start and every deposit since, never traded.
*Making* is the rest, what making the market brought after every cost (``against_holding``).

A month or a year begins and ends with the last look at or before its first and last moment, UTC; so
the rows of a table add up to the whole. Per cent are of the start with every deposit for the part
of the time that it was there (modified Dietz).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from dexmm.performance.buy_and_hold import Worth
from dexmm.units import EXACT, PRICE

ZERO = Decimal(0)
YEAR = Decimal("365.2425") * 86_400  # seconds
MONTH = YEAR / 12
LEAST_SECONDS = 28 * 86_400  # of a stretch that a rate is told of


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Money in quote; times are timestamps."""

    name: str  # 2026, 2026-11, or "" for the whole
    began: int
    ended: int
    start: Decimal  # net worth, gas taken off
    end: Decimal
    deposited: Decimal  # less what was withdrawn
    gain: Decimal
    gain_percent: Decimal | None  # None: nothing was there to gain with
    price: Decimal
    making: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A gain as if it went on at the same pace, without compounding; per cent as of a period."""

    gain: Decimal
    gain_percent: Decimal | None
    making: Decimal
    making_percent: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    whole: Period
    per_month: Rate | None  # None: of fewer than 28 days nothing is extrapolated
    per_year: Rate | None
    months: tuple[Period, ...]  # every calendar month that was seen, in order
    years: tuple[Period, ...]


def earned(worths: Sequence[Worth]) -> Earned:
    """``worths`` are in order, at least one; their first is the start."""
    whole = _period("", worths)
    return Earned(
        whole=whole,
        per_month=_rate(whole, MONTH, worths),
        per_year=_rate(whole, YEAR, worths),
        months=_split(worths, lambda at: f"{at:%Y-%m}"),
        years=_split(worths, lambda at: f"{at:%Y}"),
    )


def _split(worths: Sequence[Worth], name: Callable[[datetime], str]) -> tuple[Period, ...]:
    """By the name of the period that a look falls into; each begins where the one before ended.

    The first look begins the first period, whatever it fell into.
    """
    found: list[Period] = []
    first = 0
    # A look at midnight closes the day before it; the first look is the start of the first period.
    closing = [name(datetime.fromtimestamp(worth.at - 1, UTC)) for worth in worths[1:]]
    names = [closing[0] if closing else name(datetime.fromtimestamp(worths[0].at, UTC)), *closing]
    for last, (now, later) in enumerate(zip(names, [*names[1:], ""], strict=True)):
        if now != later:
            found.append(_period(now, worths[first : last + 1]))
            first = last
    return tuple(found)


def _period(name: str, worths: Sequence[Worth]) -> Period:
    first, last = worths[0], worths[-1]
    with localcontext(EXACT):
        deposited = last.deposited - first.deposited
        making = last.against_holding - first.against_holding
        gain = last.net_worth - first.net_worth - deposited
        price = gain - making
    capital = _capital(worths)
    return Period(
        name=name,
        began=first.at,
        ended=last.at,
        start=first.net_worth,
        end=last.net_worth,
        deposited=deposited,
        gain=gain,
        gain_percent=_percent(gain, capital),
        price=price,
        making=making,
    )


def _capital(worths: Sequence[Worth]) -> Decimal:
    """The start, and every deposit for the part of the time that it was there."""
    first, last = worths[0], worths[-1]
    seconds = Decimal(last.at - first.at)
    with localcontext(PRICE):
        capital, before = first.net_worth, first
        for worth in worths[1:]:
            if worth.deposited != before.deposited and seconds:
                stayed = Decimal(last.at - worth.at) / seconds
                capital += (worth.deposited - before.deposited) * stayed
            before = worth
        return capital


def _percent(amount: Decimal, capital: Decimal) -> Decimal | None:
    return PRICE.divide(PRICE.multiply(amount, Decimal(100)), capital) if capital > 0 else None


def _rate(whole: Period, span: Decimal, worths: Sequence[Worth]) -> Rate | None:
    seconds = whole.ended - whole.began
    if seconds < LEAST_SECONDS:
        return None
    capital = _capital(worths)
    with localcontext(PRICE):
        times = span / seconds
        gain, making = whole.gain * times, whole.making * times
    return Rate(
        gain=gain,
        gain_percent=_percent(gain, capital),
        making=making,
        making_percent=_percent(making, capital),
    )
