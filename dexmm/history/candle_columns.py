"""Candles on their way into columns: what a candle must be, and decimals scaled to integers.

Volumes have at most ``VOLUME_DECIMALS`` places: what is said beyond them is rounded half to even,
since sums of doubles carry digits that nobody traded. Prices are never rounded.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation

from dexmm.errors import BadInput
from dexmm.history.candle import CANDLE_COLUMNS, Candle

VOLUME_DECIMALS = 8
DIGITS = 18  # of what a signed 64-bit integer holds
_EXACTLY = Context(prec=DIGITS, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=DIGITS, traps=[InvalidOperation])


class Column:
    """Numbers of one field or several, as multiples of one power of ten."""

    def __init__(self, columns: Sequence[Sequence[Decimal]], most_decimals: int | None) -> None:
        """Raises Inexact, InvalidOperation, OverflowError, ValueError.

        Beyond ``most_decimals`` digits are rounded away; None: never.
        """
        needed = max((_places(number) for column in columns for number in column), default=0)
        self.decimals = needed if most_decimals is None else min(needed, most_decimals)
        context = _EXACTLY if most_decimals is None else _ROUNDED
        one, places = Decimal(1).scaleb(-self.decimals), self.decimals
        self.units = [
            array("q", [int(context.quantize(n, one).scaleb(places)) for n in column])
            for column in columns
        ]


def columns_of(candles: Sequence[Candle], source: str) -> tuple[Column, Column]:
    """Prices and volumes. Raises ``BadInput`` where they have more digits than a column holds."""
    taken = []
    for names, most in ((CANDLE_COLUMNS[1:5], None), (CANDLE_COLUMNS[5:], VOLUME_DECIMALS)):
        columns = [[getattr(candle, name) for candle in candles] for name in names]
        try:
            taken.append(Column(columns, most))
        except (Inexact, InvalidOperation, OverflowError, ValueError):
            raise _misread(source, names, columns) from None
    return taken[0], taken[1]


def _misread(source: str, names: Sequence[str], columns: Sequence[Sequence[Decimal]]) -> BadInput:
    for number, values in enumerate(zip(*columns, strict=True), 1):
        for name, value in zip(names, values, strict=True):
            if fault := fault_of(value):
                return BadInput(f"{source} row {number} has {str(value)!r} as {name}: {fault}")
    return BadInput(
        f"{source} has numbers as {', '.join(names)} that together need more than "
        f"{DIGITS} digits: round them",
        file=source,
    )


def _places(number: Decimal) -> int:
    """Decimal places without trailing zeros."""
    exponent = number.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def why_impossible(opened: int, high: int, low: int, close: int, volume: int) -> str:
    """Why these were never traded; empty when they may have been."""
    if min(opened, high, low, close) <= 0:
        return "has a price that is not above zero: remove or mend the row"
    if high < max(opened, close, low) or low > min(opened, close):
        return "has a high below or a low above its other prices: mend the row"
    return "has a negative volume: mend the row" if volume < 0 else ""


def fault_of(value: str | Decimal) -> str:
    """Why a number cannot be read; empty when it can."""
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        return "it must be a number"  # Python alone would take it for one
    try:
        number = Decimal(value)
    except InvalidOperation:
        return "it must be a number"
    if not number.is_finite():
        return "it must be a finite number"
    if number.adjusted() + max(_places(number), 0) >= DIGITS:
        return f"it has more than {DIGITS} digits, so round it"
    return ""
