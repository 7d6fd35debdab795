"""ccxt's answers to ``Decimal``: no float is ever in a money path.

ccxt is told to leave numbers as text (``lane.Lane``). A float that arrives here all the same is an
answer that cannot be trusted to the last digit, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from typing import Any

from dexmm.errors import Transient

ZERO = Decimal(0)
EXACT = Context(prec=60)  # far beyond any product of two numbers that an exchange writes


def number(value: object, what: str) -> Decimal:
    """A number that must be there. ``Transient`` when it is absent or is none."""
    found = maybe(value, what)
    if found is None:
        raise Transient(f"the exchange's answer has no {what}")
    return found


def maybe(value: object, what: str) -> Decimal | None:
    """A number that may be absent: ccxt says ``None`` or an empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Transient(f"the exchange's {what} came as {type(value).__name__}, not as text")
    try:
        found = Decimal(value)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Transient(f"the exchange's {what} is not a number")
    return found


def or_zero(value: object, what: str) -> Decimal:
    """A number whose absence means none of it."""
    found = maybe(value, what)
    return ZERO if found is None else found


def whole(value: object, what: str) -> int:
    """A timestamp or a count that must be there, toward zero."""
    return int(number(value, what))


def record(value: object, what: str) -> Mapping[str, Any]:
    """An object that must be there: a truncated answer arrives as text."""
    if not isinstance(value, Mapping):
        raise Transient(f"the exchange's {what} came as {type(value).__name__}, not as an object")
    return value


def listed(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Transient(f"the exchange's {what} came as {type(value).__name__}, not as a list")
    return value


def on_step(value: Decimal, step: Decimal) -> bool:
    """Whether it is a whole number of steps."""
    return EXACT.remainder(value, step) == 0


def down_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The next whole number of steps toward zero: never more than was asked for."""
    steps = EXACT.divide(value, step).to_integral_value(ROUND_DOWN)
    return EXACT.multiply(steps, step)


def plain(value: Decimal) -> str:
    """As ccxt wants it: no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
