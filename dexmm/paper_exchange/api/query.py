"""A request's parameters, read as Binance reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.error_codes import Refused

FINEST = 8
AMOUNT = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ORDER_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
WHOLE = r"^[0-9]{1,20}$"

E = TypeVar("E", bound=StrEnum)


class Query:
    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        return bool(self.values.get(name))

    def text(self, name: str, default: str | None = None) -> str:
        """Raises ``-1102`` when it is absent and has no default."""
        value = self.values.get(name) or default
        if value is None:
            raise Refused(error_codes.mandatory(name))
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        if not self.has(name) and default is not None:
            return default
        value = self.text(name)
        if not re.match(WHOLE, value):
            raise Refused(error_codes.illegal_characters(name, WHOLE))
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """How many answers; more than there can be means as many as there can be."""
        return max(1, min(self.integer("limit", default), most))

    def amount(self, name: str) -> Decimal:
        """A number without sign or exponent, of at most eight decimals."""
        value = self.text(name)
        if not re.match(AMOUNT, value):
            raise Refused(error_codes.illegal_characters(name, AMOUNT))
        try:
            amount = Decimal(value)
        except InvalidOperation:
            raise Refused(error_codes.illegal_characters(name, AMOUNT)) from None
        if amount.normalize().as_tuple().exponent < -FINEST:  # type: ignore[operator]  # finite
            raise Refused(error_codes.too_precise(name))
        return amount

    def choice(
        self, name: str, kind: type[E], wrong: error_codes.Problem, default: E | None = None
    ) -> E:
        if not self.has(name) and default is not None:
            return default
        try:
            return kind(self.text(name))
        except ValueError:
            raise Refused(wrong) from None

    def flag(self, name: str) -> bool:
        return self.values.get(name, "").lower() == "true"

    def client_order_id(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not re.match(CLIENT_ORDER_ID, value):
            raise Refused(error_codes.illegal_characters(name, CLIENT_ORDER_ID))
        return value
