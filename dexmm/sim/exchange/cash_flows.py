"""What has happened to the account, by kind, so that every change of it is explained."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from dexmm.model.order import Purpose
from dexmm.sim.exchange.rounding import ZERO

Kind = Literal["hedge", "quote", "triangle", "exchange_fee", "funding"]

# Stop-loss slices, exits and what the exchange closes itself are hedges: they change exposure.
KIND_OF: dict[Purpose, Kind] = {
    Purpose.HEDGE: "hedge",
    Purpose.SLICE: "hedge",
    Purpose.EXIT: "hedge",
    Purpose.QUOTE: "quote",
    Purpose.TRIANGLE: "triangle",
    Purpose.UNWIND: "triangle",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFlow:
    """What one kind of event added to base and quote; negative: took. Whole tokens, exact.

    A trade of the perpetual counts as one of spot does: ``base`` bought, ``quote`` owed for it.
    """

    kind: Kind
    base: Decimal = ZERO
    quote: Decimal = ZERO


class Flows:
    """Added up by kind until they are taken."""

    def __init__(self) -> None:
        self._sums: dict[Kind, tuple[Decimal, Decimal]] = {}

    def add(self, kind: Kind, *, base: Decimal = ZERO, quote: Decimal = ZERO) -> None:
        before = self._sums.get(kind, (ZERO, ZERO))
        self._sums[kind] = before[0] + base, before[1] + quote

    def take(self) -> tuple[VenueFlow, ...]:
        """One flow a kind, those that are nothing left out; the next sums begin at zero."""
        taken, self._sums = self._sums, {}
        return tuple(
            VenueFlow(kind=kind, base=base, quote=quote)
            for kind, (base, quote) in taken.items()
            if base or quote
        )
