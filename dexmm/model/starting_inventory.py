"""An inventory to begin a simulation or a plan with, as people write it: "5 PAXG + 20000 USDT"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from dexmm.errors import BadInput
from dexmm.units import EXACT

MOST = Decimal(10**12)  # of a token, to begin with


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An inventory to begin with, whatever its share."""

    base: Decimal
    quote: Decimal

    def worth(self, price: Decimal) -> Decimal:
        return EXACT.add(EXACT.multiply(self.base, price), self.quote)


def start_of(text: str, base: str, quote: str) -> Start:
    """``text`` in a market of these symbols; one of the two may be left out.

    Raises ``BadInput`` for what is no inventory of this market, and for nothing at all.
    """
    names = {base.upper(): 0, quote.upper(): 1}
    amounts: dict[int, Decimal] = {}
    for part in text.split("+"):
        words = part.split()
        place = names.get(words[1].upper()) if len(words) == 2 else None
        amount = _amount(words[0]) if place is not None else None
        if place is None or amount is None or place in amounts:
            raise BadInput(
                f'--start {text!r} is no inventory: write it as "5 {base} + 20000 {quote}"'
            )
        amounts[place] = amount
    start = Start(base=amounts.get(0, Decimal(0)), quote=amounts.get(1, Decimal(0)))
    if not start.base and not start.quote:
        raise BadInput(f"--start {text!r} is nothing to begin with")
    return start


def _amount(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found <= MOST else None
