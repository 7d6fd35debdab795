"""Exposure has one definition: everything the wallet has or is owed in the market.

base  = wallet + principal of every position + uncollected fees      (quote likewise)
NAV   = base * price + quote
share = base * price / NAV
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dexmm.model.snapshot import ChainView
from dexmm.strategy.precise import precise


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Whole tokens, valued at one price; sums of money are in quote."""

    wallet_base: Decimal
    wallet_quote: Decimal
    principal_base: Decimal
    principal_quote: Decimal
    fees_base: Decimal  # uncollected
    fees_quote: Decimal
    price: Decimal  # quote per base

    @property
    def base_total(self) -> Decimal:
        return self.wallet_base + self.principal_base + self.fees_base

    @property
    def quote_total(self) -> Decimal:
        return self.wallet_quote + self.principal_quote + self.fees_quote

    @property
    def nav(self) -> Decimal:
        return self.base_total * self.price + self.quote_total

    @property
    def share(self) -> Decimal:
        """Base value / NAV, 0 to 1; 0 for a wallet with nothing in it."""
        return self.base_total * self.price / self.nav if self.nav else Decimal(0)

    @property
    def deployed(self) -> Decimal:
        """The value of the positions' principal, in quote."""
        return self.principal_base * self.price + self.principal_quote

    @property
    def fees(self) -> Decimal:
        """The value of the uncollected fees, in quote."""
        return self.fees_base * self.price + self.fees_quote


@precise
def inventory(view: ChainView, price: Decimal) -> Inventory:
    """The wallet's whole inventory in this market, valued at ``price`` (quote per base)."""
    convert = view.market.base_quote
    wallet = convert(view.wallet.amount0, view.wallet.amount1)
    principal = convert(
        sum(p.amount0 for p in view.positions), sum(p.amount1 for p in view.positions)
    )
    fees = convert(sum(p.fees0 for p in view.positions), sum(p.fees1 for p in view.positions))
    return Inventory(
        wallet_base=wallet[0],
        wallet_quote=wallet[1],
        principal_base=principal[0],
        principal_quote=principal[1],
        fees_base=fees[0],
        fees_quote=fees[1],
        price=price,
    )
