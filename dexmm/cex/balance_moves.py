"""What known fills must have done to balances since the last look."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.cex.parsing import ZERO
from dexmm.model.order import OrderIntent
from dexmm.model.venue import Instrument, Side


@dataclass(slots=True)
class Moves:
    """What fills since the last look must have done to balances, by coin or perpetual symbol."""

    by_name: dict[str, Decimal] = field(default_factory=dict)

    def add(self, before: OrderIntent, after: OrderIntent, instrument: Instrument) -> None:
        if after.filled == before.filled:
            return  # fees that are told late are in the balances long since
        sign = 1 if after.side is Side.BUY else -1
        base = (after.filled - before.filled) * sign
        if instrument.contract:
            self._move(instrument.symbol, base)
            return
        self._move(instrument.base, base - (after.fee_base - before.fee_base))
        cost = (after.cost - before.cost) * sign
        self._move(instrument.quote, -cost - (after.fee_quote - before.fee_quote))

    def _move(self, name: str, amount: Decimal) -> None:
        if amount:
            self.by_name[name] = self.by_name.get(name, ZERO) + amount
