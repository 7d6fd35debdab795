"""Candle rows on their way into columns: checked, scaled to integers, holes filled.

A history file is somebody else's work, so it is read strictly: text in a number, a row twice or
out of order, a price that is not positive, a high below a low are each one clear line. Missing
candles are the one fault that real exchanges leave in honest files (maintenance hours): up to
``LONGEST_GAP_SECONDS`` they are filled with the last close, at no volume, and counted.

Volumes have at most ``VOLUME_DECIMALS`` places: what a file says beyond them is rounded half to
even, since sums of doubles carry digits that nobody traded. Prices are never rounded.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import pairwise

from dexmm.errors import BadInput
from dexmm.sim.history import CANDLE_COLUMNS, LONGEST_GAP_SECONDS
from dexmm.sim.history_files import row_fault
from dexmm.sim.history_rows import Batch, Number

VOLUME_DECIMALS = 8
_DIGITS = 18  # of what a signed 64-bit integer holds
_EXACTLY = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=_DIGITS, traps=[InvalidOperation])
_NEGATIVE = "has a negative volume: mend the row"


class Column:
    """Numbers of one field or several, as multiples of one power of ten that grows with need."""

    def __init__(self, names: tuple[str, ...], most_decimals: int | None) -> None:
        self.names = names
        self.decimals = 0
        self.units = [array("q") for _ in names]
        self._most = most_decimals  # beyond which digits are rounded away; None: never

    def take(self, columns: Sequence[Sequence[Number]]) -> None:
        """Raises Inexact, InvalidOperation, OverflowError."""
        try:
            taken = [self._scaled(column) for column in columns]
        except Inexact:
            self._widen(columns)
            taken = [self._scaled(column) for column in columns]
        for units, more in zip(self.units, taken, strict=True):
            units.extend(more)

    def _scaled(self, column: Sequence[Number]) -> array[int]:
        context = _ROUNDED if self.decimals == self._most else _EXACTLY
        one, places, quantize = Decimal(1).scaleb(-self.decimals), self.decimals, context.quantize
        return array("q", [int(quantize(Decimal(n), one).scaleb(places)) for n in column])

    def _widen(self, columns: Sequence[Sequence[Number]]) -> None:
        needed = max(_places(Decimal(number)) for column in columns for number in column)
        if self._most is not None:
            needed = min(needed, self._most)
        factor = 10 ** (needed - self.decimals)
        self.units = [array("q", [value * factor for value in units]) for units in self.units]
        self.decimals = needed


def _places(number: Decimal) -> int:
    """Decimal places without trailing zeros."""
    exponent = number.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


class Packing:
    """Rows as they come, checked and kept in columns."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._numbers = array("q")
        self.times = array("q")
        self.prices = Column(CANDLE_COLUMNS[1:5], None)
        self.volumes = Column(CANDLE_COLUMNS[5:], VOLUME_DECIMALS)

    def take(self, batch: Batch) -> None:
        done = len(self.times)
        for column, numbers in (
            (self.prices, batch.columns[:4]),
            (self.volumes, batch.columns[4:]),
        ):
            try:
                column.take(numbers)
            except (InvalidOperation, OverflowError, ValueError):
                raise self._misread(batch, column.names, numbers) from None
        self._numbers.extend(batch.numbers)
        self.times.extend([at // 1000 for at in batch.times_ms])
        self._refuse_prices(done)
        self._refuse_disorder(max(done, 1))

    def _misread(
        self, batch: Batch, names: Sequence[str], columns: Sequence[Sequence[Number]]
    ) -> BadInput:
        for row, values in zip(batch.numbers, zip(*columns, strict=True), strict=True):
            for name, value in zip(names, values, strict=True):
                if fault := _fault(value):
                    return row_fault(self._source, row, f"has {str(value)!r} as {name}: {fault}")
        return BadInput(
            f"{self._source} has numbers as {', '.join(names)} that together need more than "
            f"{_DIGITS} digits: round them",
            file=self._source,
        )

    def _refuse_prices(self, done: int) -> None:
        columns = (units[done:] for units in (*self.prices.units, *self.volumes.units))
        for i, (opened, high, low, close, volume) in enumerate(zip(*columns, strict=True), done):
            if not (0 < low <= opened <= high and low <= close <= high and volume >= 0):
                raise row_fault(
                    self._source, self._numbers[i], _wrong(opened, high, low, close) or _NEGATIVE
                )

    def _refuse_disorder(self, start: int) -> None:
        times = self.times
        before = times[start - 1]
        for i in range(start, len(times)):
            at = times[i]
            if at <= before:
                what = (
                    "repeats the timestamp of the row before: remove one of them"
                    if at == before
                    else "is older than the row before: sort the file by timestamp_ms"
                )
                raise row_fault(self._source, self._numbers[i], what)
            before = at

    def fill_holes(self) -> tuple[int, bytes]:
        """The interval between candles, and a mark for each that was missing and is filled."""
        times = self.times
        if len(times) < 2:
            raise BadInput(
                f"{self._source} needs at least two candles and holds {len(times)}: "
                "choose another file",
                file=self._source,
            )
        steps = [after - before for before, after in pairwise(times)]
        interval = min(steps)
        holes = [i for i, step in enumerate(steps) if step != interval]
        for i in holes:
            self._refuse_gap(self._numbers[i + 1], steps[i], interval)
        return interval, self._fill(holes, [steps[i] // interval - 1 for i in holes])

    def _refuse_gap(self, number: int, step: int, interval: int) -> None:
        if step % interval:
            raise row_fault(
                self._source,
                number,
                f"comes {step} s after the row before, in a file of {interval} s candles: "
                "remove it or resample the file",
            )
        if step > LONGEST_GAP_SECONDS:
            raise row_fault(
                self._source,
                number,
                f"follows a gap of {step // 3600} hours: fill it, or cut the file there",
            )

    def _fill(self, holes: list[int], missing: list[int]) -> bytes:
        """Repeat the close before each hole; the marks of what was filled."""
        closes = self.prices.units[3]
        ends = [*holes, len(closes) - 1]
        fillers = [[closes[i]] for i in holes]
        self.prices.units = [_joined(units, ends, fillers, missing) for units in self.prices.units]
        nothing = [[0] for _ in holes]
        self.volumes.units = [
            _joined(units, ends, nothing, missing) for units in self.volumes.units
        ]
        present = array("b", bytes(len(closes)))
        return bytes(_joined(present, ends, [[1] for _ in holes], missing))


def _joined(
    units: array[int], ends: list[int], fillers: list[list[int]], missing: list[int]
) -> array[int]:
    """The column with each hole, which comes after the row ``ends`` names, filled."""
    if not fillers:
        return units
    whole, start = array(units.typecode), 0
    for end, filler, count in zip(ends, [*fillers, [0]], [*missing, 0], strict=True):
        whole.extend(units[start : end + 1])
        whole.extend(array(units.typecode, filler * count))
        start = end + 1
    return whole


def _wrong(opened: int, high: int, low: int, close: int) -> str:
    if min(opened, high, low, close) <= 0:
        return "has a price that is not above zero: remove or mend the row"
    if high < max(opened, close, low) or low > min(opened, close):
        return "has a high below or a low above its other prices: mend the row"
    return ""


def _fault(value: Number) -> str:
    """Why a number cannot be read; empty when it can."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return "it must be a number"
    if not number.is_finite():
        return "it must be a finite number"
    if number.adjusted() + max(_places(number), 0) >= _DIGITS:
        return f"it has more than {_DIGITS} digits, so round it"
    return ""
