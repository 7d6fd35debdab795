"""Rounding and printing of amounts. An exchange counts eight decimals; nothing is finer."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

ZERO = Decimal(0)
UNIT = Decimal("0.00000001")


def floor_unit(amount: Decimal) -> Decimal:
    """To eight decimals, toward zero: what a fill moves never exceeds price times quantity."""
    return amount.quantize(UNIT, ROUND_DOWN)


def ceil_unit(amount: Decimal) -> Decimal:
    """To eight decimals, upward: what is locked always covers what a fill may take."""
    return amount.quantize(UNIT, ROUND_CEILING)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value``."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return value % step == 0


def text(value: Decimal, places: int = 8) -> str:
    """As Binance prints amounts: a fixed number of decimals, never an exponent."""
    return f"{value:.{places}f}"


def places_of(step: Decimal) -> int:
    """How many decimals a tick or a lot step has: 0.0100 has two."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
