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


def minimums(instrument: Instrument) -> str:
    """What ``least_amount`` comes from, in words."""
    parts = [
        f"{value:f} {coin}"
        for value, coin in (
            (instrument.amount_min, instrument.base),
            (instrument.cost_min, instrument.quote),
        )
        if value
    ]
    least = f"at least {' and '.join(parts)}, " if parts else ""
    return f"{least}in steps of {instrument.amount_step:f} {instrument.base}"


def slice_of(
    gap: Decimal, most: Decimal, instrument: Instrument, price: Decimal
) -> tuple[Decimal, Decimal]:
    """``(amount, left)``: a tradable part of ``gap``, at most ``most``, and exactly the rest.

    The amount is 0 where the exchange would refuse it, and then all of the gap is left.
    """
    amount = floor_to(max(min(gap, most), Decimal(0)), instrument.amount_step)
    if amount < least_amount(instrument, price):
        amount = Decimal(0)
    return amount, gap - amount
