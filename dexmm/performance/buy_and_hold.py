"""Net worth beside what holding would be worth, mark by mark. Pure.

Holding is the inventory of the start and every deposit since, never traded; a withdrawal is taken
off it. So the difference at the last mark is ``Attribution.against_holding``, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.performance.attribution import Mark, Source
from dexmm.units import EXACT

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """In quote at the mark's fair price, gas taken off."""

    at: int
    net_worth: Decimal
    holding: Decimal
    capital: Decimal  # deposits less withdrawals since the start, at this price
    deposited: Decimal = ZERO  # the same, each at the price of its moment

    @property
    def against_holding(self) -> Decimal:
        return EXACT.subtract(self.net_worth, self.holding)

    @property
    def undisturbed(self) -> Decimal:
        """Net worth as if nothing had been deposited or withdrawn."""
        return EXACT.subtract(self.net_worth, self.capital)


def worths(marks: Sequence[Mark]) -> list[Worth]:
    """One for each mark, in order."""
    found: list[Worth] = []
    if not marks:
        return found
    base, quote = marks[0].base, marks[0].quote
    brought_base = brought_quote = capital = deposited = ZERO
    with localcontext(EXACT):
        for mark in marks:
            for flow in mark.flows:
                if flow.source is Source.CAPITAL:
                    brought_base += flow.base
                    brought_quote += flow.quote
                    deposited += flow.base * mark.fair_price + flow.quote
            if brought_base or brought_quote:
                capital = brought_base * mark.fair_price + brought_quote
            found.append(
                Worth(
                    at=mark.at,
                    net_worth=mark.base * mark.fair_price + mark.quote,
                    holding=base * mark.fair_price + quote + capital,
                    capital=capital,
                    deposited=deposited,
                )
            )
    return found
