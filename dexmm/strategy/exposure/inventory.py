"""Exposure has one definition: everything that is ours in the market, wherever it is.

base  = wallet + principal of every position + uncollected fees + exchange spot + perpetual
quote = likewise, with what a perpetual position owes (``exchange_inventory.py``)
NAV   = base * price + quote
share = base * price / NAV
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.decimal_context import once, precise, record
from dexmm.model.snapshot import ChainView
from dexmm.model.venue import VenueView
from dexmm.strategy.exposure.exchange_inventory import held_there

ZERO = Decimal(0)


@record
class Inventory:
    """Whole tokens, valued at one price; sums of money are in quote."""

    price: Decimal  # quote per base
    wallet_base: Decimal = ZERO
    wallet_quote: Decimal = ZERO
    principal_base: Decimal = ZERO
    principal_quote: Decimal = ZERO
    fees_base: Decimal = ZERO  # uncollected
    fees_quote: Decimal = ZERO
    spot_base: Decimal = ZERO  # on the exchange
    spot_quote: Decimal = ZERO
    perpetual_base: Decimal = ZERO  # negative is short
    perpetual_quote: Decimal = ZERO  # margin + unrealised - perpetual_base * price
    pending_buy: Decimal = ZERO  # base that orders of unknown fate may still trade
    pending_sell: Decimal = ZERO

    @property
    def base_total(self) -> Decimal:
        return self.wallet_base + self.principal_base + self.fees_base + self.venue_base

    @property
    def quote_total(self) -> Decimal:
        return self.wallet_quote + self.principal_quote + self.fees_quote + self.venue_quote

    @property
    def venue_base(self) -> Decimal:
        return self.spot_base + self.perpetual_base

    @property
    def venue_quote(self) -> Decimal:
        return self.spot_quote + self.perpetual_quote

    @once
    def value(self) -> Decimal:
        """Of the base, in quote."""
        return self.base_total * self.price

    @once
    def nav(self) -> Decimal:
        return self.value + self.quote_total

    @once
    def share(self) -> Decimal:
        """Base value / NAV; 0 for a wallet with nothing in it."""
        return self.value / self.nav if self.nav else ZERO

    @property
    def share_between(self) -> tuple[Decimal, Decimal]:
        """The lowest and highest share that orders of unknown fate may have left."""
        return (
            self.share_after(-self.pending_sell),
            self.share_after(self.pending_buy),
        )

    @property
    def deployed(self) -> Decimal:
        """The value of the positions' principal, in quote."""
        return self.principal_base * self.price + self.principal_quote

    @property
    def fees(self) -> Decimal:
        """The value of the uncollected fees, in quote."""
        return self.fees_base * self.price + self.fees_quote

    def share_after(self, bought: Decimal) -> Decimal:
        """The share once ``bought`` (negative: sold) has been traded at the price."""
        return (self.base_total + bought) * self.price / self.nav if self.nav else ZERO

    def excess(self, share: Decimal) -> Decimal:
        """Base to sell (negative: to buy) at the price so that the share is ``share``."""
        return self.base_total - share * self.nav / self.price


@precise
def inventory(view: ChainView | None, price: Decimal, venue: VenueView | None = None) -> Inventory:
    """The whole inventory in this market, valued at ``price`` (quote per base)."""
    there = _there(venue, price)
    if view is None:
        return Inventory(price=price, **there)
    amount0 = amount1 = fees0 = fees1 = 0
    for position in view.positions:
        amount0, amount1 = amount0 + position.amount0, amount1 + position.amount1
        fees0, fees1 = fees0 + position.fees0, fees1 + position.fees1
    convert = view.market.base_quote
    wallet = convert(view.wallet.amount0, view.wallet.amount1)
    principal, fees = convert(amount0, amount1), convert(fees0, fees1)
    return Inventory(
        wallet_base=wallet[0],
        wallet_quote=wallet[1],
        principal_base=principal[0],
        principal_quote=principal[1],
        fees_base=fees[0],
        fees_quote=fees[1],
        price=price,
        **there,
    )


def _there(venue: VenueView | None, price: Decimal) -> dict[str, Decimal]:
    if venue is None:
        return {}
    held = held_there(venue, price)
    return {
        "spot_base": held.spot_base,
        "spot_quote": held.spot_quote,
        "perpetual_base": held.perpetual_base,
        "perpetual_quote": held.perpetual_quote,
        "pending_buy": held.pending_buy,
        "pending_sell": held.pending_sell,
    }
