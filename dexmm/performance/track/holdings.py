"""Everything that a snapshot holds, place by place and without rounding: what accounts are made of.

The same places as ``strategy/exposure/inventory.py``, which rounds to 50 digits where a perpetual
position is involved; the sums here are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import NamedTuple

from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.venue import VenueView
from dexmm.units import EXACT

ZERO = Decimal(0)


class Amounts(NamedTuple):
    """Base and quote, whole tokens."""

    base: Decimal = ZERO
    quote: Decimal = ZERO

    def plus(self, other: Amounts) -> Amounts:
        return Amounts(EXACT.add(self.base, other.base), EXACT.add(self.quote, other.quote))

    def less(self, other: Amounts) -> Amounts:
        return Amounts(
            EXACT.subtract(self.base, other.base), EXACT.subtract(self.quote, other.quote)
        )


NOTHING = Amounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """A perpetual of ``base`` counts in full as base; what it owes is on the quote side:

        margin + unrealised - base * price  =  cash + base * (mark - price)

    where ``cash`` moves by trades, fees and funding alone, and the last term is its basis.
    """

    chain: Amounts  # wallet, principal and uncollected fees
    spot: Amounts
    perpetual: Decimal
    cash: Decimal
    basis: Decimal

    @property
    def total(self) -> Amounts:
        with localcontext(EXACT):
            return Amounts(
                self.chain.base + self.spot.base + self.perpetual,
                self.chain.quote + self.spot.quote + self.cash + self.basis,
            )


def holdings(snapshot: Snapshot, fair_price: Decimal) -> Holdings:
    base, cash, basis = _perpetual(snapshot.venue, fair_price)
    return Holdings(
        chain=on_chain(snapshot.chain),
        spot=_spot(snapshot.venue),
        perpetual=base,
        cash=cash,
        basis=basis,
    )


def on_chain(view: ChainView) -> Amounts:
    wallet = view.wallet
    return Amounts(
        *view.market.base_quote(
            wallet.amount0 + sum(p.amount0 + p.fees0 for p in view.positions),
            wallet.amount1 + sum(p.amount1 + p.fees1 for p in view.positions),
        )
    )


def _spot(venue: VenueView | None) -> Amounts:
    if venue is None:
        return NOTHING
    return Amounts(
        venue.balance(venue.spot.base).total,
        venue.balance(venue.spot.quote).total,
    )


def _perpetual(venue: VenueView | None, fair_price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    position = venue.position if venue is not None else None
    if position is None:
        return ZERO, ZERO, ZERO
    with localcontext(EXACT):
        cash = position.margin + position.unrealised - position.base * position.mark_price
        return position.base, cash, position.base * (position.mark_price - fair_price)
