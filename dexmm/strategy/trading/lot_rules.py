"""The steps and minimums an exchange trades in: what it refuses is never sent.

Amounts round down, so that no more is traded than was meant. Prices round to our side: a buyer's
limit down, a seller's up.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from dexmm.model.venue import Instrument, Side


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The highest multiple of ``step`` at or below ``value``."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The lowest multiple of ``step`` at or above ``value``."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def limit_price(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    """``price`` on the grid, no worse for us than it was."""
    rounded = floor_to if side is Side.BUY else ceil_to
    return rounded(price, instrument.price_step)


def least_amount(instrument: Instrument, price: Decimal) -> Decimal:
    """The smallest amount that the exchange takes at ``price``, in base, on its step."""
    least = max(instrument.amount_min, instrument.cost_min / price, instrument.amount_step)
    return ceil_to(least, instrument.amount_step)


def most_amount(instrument: Instrument, price: Decimal) -> Decimal | None:
    """The largest amount that the exchange takes in one order at ``price``, on its step.

    None where it sets no such limit.
    """
    bounds = [instrument.amount_max] if instrument.amount_max is not None else []
    if instrument.cost_max is not None:
        bounds.append(instrument.cost_max / price)
    return floor_to(min(bounds), instrument.amount_step) if bounds else None


def minimums(instrument: Instrument) -> str:
    """What ``least_amount`` comes from, in words."""
    bounds = ((instrument.amount_min, instrument.base), (instrument.cost_min, instrument.quote))
    parts = [f"{short(value)} {coin}" for value, coin in bounds if value]
    least = f"at least {' and '.join(parts)}, " if parts else ""
    return f"{least}in steps of {short(instrument.amount_step)} {instrument.base}"


def short(value: Decimal) -> str:
    """A number for a sentence: no exponent, no zeros at the end that say nothing."""
    return f"{value.normalize():f}"


def slice_of(
    gap: Decimal, most: Decimal, instrument: Instrument, price: Decimal
) -> tuple[Decimal, Decimal]:
    """``(amount, left)``: a tradable part of ``gap``, at most ``most``, and exactly the rest.

    No more than the exchange takes in one order. The amount is 0 where the exchange would refuse
    it, and then all of the gap is left.
    """
    largest = most_amount(instrument, price)
    part = min(gap, most) if largest is None else min(gap, most, largest)
    amount = floor_to(max(part, Decimal(0)), instrument.amount_step)
    if amount < least_amount(instrument, price):
        amount = Decimal(0)
    return amount, gap - amount
