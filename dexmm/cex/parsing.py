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
ONES = 24  # digits after the point: more than any exchange counts
EXACT = Context(prec=60)  # far beyond any product of two numbers that an exchange writes


class Numeral(str):
    """A number as text that compares with numbers as one, exactly; equal only to the same text.

    For ccxt, which takes text wherever it takes a number, but compares some of it.
    """

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return Decimal(self) < _comparable(other)

    def __le__(self, other: object) -> bool:
        return Decimal(self) <= _comparable(other)

    def __gt__(self, other: object) -> bool:
        return Decimal(self) > _comparable(other)

    def __ge__(self, other: object) -> bool:
        return Decimal(self) >= _comparable(other)


def _comparable(value: object) -> Decimal:
    if isinstance(value, str | int | float):
        return Decimal(value)
    raise TypeError(f"no number to compare with: {type(value).__name__}")


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


def step_of_rounding(rounded: str) -> Decimal:
    """The step of what rounds a number of ones (1111.1111) to ``rounded`` (1111.1: 0.1)."""
    digits = Decimal(rounded).normalize().as_tuple()
    return Decimal(1).scaleb(int(digits.exponent))


def ones_like(value: Decimal) -> str:
    """A number of ones with its first digit where a tenth more than ``value`` has it.

    Where digits are counted the step grows at each power of ten; the margin has it right for a
    price that is about to pass one, since the wider step is legal on both sides.
    """
    first = EXACT.multiply(value, Decimal("1.1")).adjusted()
    if first < 0:
        return f"0.{'0' * (-first - 1)}{'1' * ONES}"
    return f"{'1' * (first + 1)}.{'1' * ONES}"


def plain(value: Decimal) -> str:
    """As ccxt wants it: no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
