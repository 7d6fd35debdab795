"""Rounding as exchanges do it. They count eight decimals; nothing is finer.

Everything here is exact in ``units.EXACT``, which every public verb of the simulated exchange runs
in: Decimal's own context belongs to the thread.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from dexmm.model.venue import Side

ZERO = Decimal(0)
UNIT = Decimal("0.00000001")
BP = Decimal("0.0001")
SIGN = {Side.BUY: 1, Side.SELL: -1}


def floor_unit(amount: Decimal) -> Decimal:
    """To eight decimals, toward zero: a fill never costs more than price times amount."""
    return amount.quantize(UNIT, ROUND_DOWN)


def ceil_unit(amount: Decimal) -> Decimal:
    """To eight decimals, upward: a fee is never below its rate, a lock never below its need."""
    return amount.quantize(UNIT, ROUND_CEILING)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``, which is not negative."""
    return value // step * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value``, which is not negative."""
    below = value // step * step
    return below if below == value else below + step


def plain(value: Decimal) -> str:
    """For people: no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
