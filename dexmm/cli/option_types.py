"""What an option's value may be, where click has no type for it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import click


class Number(click.ParamType[Decimal]):
    """A decimal number from ``least`` to ``most``; with ``above_zero`` zero itself is refused."""

    name = "number"

    def __init__(self, most: Decimal | int, *, least: int = 0, above_zero: bool = False) -> None:
        self.least = least
        self.most = most
        self.above_zero = above_zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        inside = number.is_finite() and self.least <= number <= self.most
        if not inside or (self.above_zero and not number):
            self.fail(f"must be {self._span()}", param, ctx)
        return number

    def _span(self) -> str:
        if self.above_zero:
            return f"above 0 and at most {self.most}"
        return f"from {self.least} to {self.most}"


class Numbers(click.ParamType[tuple[Decimal, ...]]):
    """Decimal numbers above zero and at most ``most``, with commas between them."""

    name = "numbers"

    def __init__(self, most: Decimal | int) -> None:
        self._one = Number(most, above_zero=True)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Decimal, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(self._one.convert(part.strip(), param, ctx) for part in str(value).split(","))


class Moment(click.ParamType[int]):
    """A date or a time, UTC unless it says otherwise; in seconds since 1970, which pass as well."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no date: write 2026-01-31 or 2026-01-31T12:00", param, ctx)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
