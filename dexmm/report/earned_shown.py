"""What was earned as people read it: a few lines, and a table of the months and years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from dexmm.performance.earned import Earned, Period, Rate
from dexmm.performance.entry_text import digits
from dexmm.performance.number_format import day, places_of, signed

MOST_MONTHS = 12  # in a terminal; the page and --json have them all
NO_PER_CENT = "–"


def lines(found: Earned, quote: str) -> Iterator[tuple[str, str]]:
    """Each with its name: start, end, gain and its parts, and what that is a month and a year."""
    whole, places = found.whole, places_of(quote)
    yield "start", f"{digits(whole.start, places)} {quote} on {day(whole.began)}"
    yield "end", f"{digits(whole.end, places)} {quote} on {day(whole.ended)}, gas taken off"
    if whole.deposited:
        yield "deposited", f"{signed(whole.deposited, places)} {quote}, no part of the gain"
    yield "gain", f"{signed(whole.gain, places)} {quote}{_in_brackets(whole.gain_percent)}"
    yield "  price", f"{signed(whole.price, places)}: what holding would have gained"
    yield "  making", f"{signed(whole.making, places)}: making the market, after every cost"
    for name, rate in (("a month", found.per_month), ("a year", found.per_year)):
        if rate is not None:
            yield name, _rate(rate)


def headings(quote: str) -> tuple[str, ...]:
    return "", f"start, {quote}", "end", "gain", "per cent", "price", "making"


def rows(found: Earned, quote: str) -> tuple[tuple[str, ...], ...]:
    """Of every month, and below them of every year; none where all is within one month."""
    if len(found.months) < 2:
        return ()
    years = found.years if len(found.years) > 1 else ()
    return tuple(row(period, quote) for period in (*found.months, *years))


def row(period: Period, quote: str) -> tuple[str, ...]:
    places = places_of(quote)
    return (
        period.name,
        digits(period.start, places),
        digits(period.end, places),
        signed(period.gain, places),
        NO_PER_CENT if period.gain_percent is None else signed(period.gain_percent),
        signed(period.price, places),
        signed(period.making, places),
    )


def newest(found: Earned) -> tuple[Sequence[Period], int]:
    """The months that a terminal shows, and how many came before them."""
    left = max(len(found.months) - MOST_MONTHS, 0)
    return found.months[left:], left


def per_cent(value: Decimal | None) -> str:
    return NO_PER_CENT if value is None else f"{signed(value)} %"


def _in_brackets(value: Decimal | None) -> str:
    return "" if value is None else f" ({signed(value)} %)"


def _rate(rate: Rate) -> str:
    return (
        f"{per_cent(rate.gain_percent)} at that pace, of which making "
        f"{per_cent(rate.making_percent)}"
    )
