"""What an exchange answers to an order that it does not take, and what it is never sent.

The words are Binance's as the client of the real exchange stores them, with the code where it says
more than the words; the local refusals are that client's.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.decision import Refusal
from dexmm.model.steps import PlaceOrder
from dexmm.model.venue import Instrument
from dexmm.sim.venue_figures import plain

INSUFFICIENT_BALANCE = "Account has insufficient balance for requested action."
WOULD_TAKE = "Order would immediately match and take."
WOULD_NOT_MAKE = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. The "
    "order will not be recorded in the order history (-5022)"
)
MARGIN_INSUFFICIENT = "Margin is insufficient. (-2019)"
REDUCE_ONLY_REJECTED = "ReduceOnly Order is rejected. (-2022)"

EXPIRED = "expired"
CANCELED = "canceled"  # by the exchange
CANCELLED = "cancelled by us"


def leverage_invalid(leverage: Decimal) -> str:
    return f"Leverage {leverage} is not valid (-4028)"


def refuse(step: PlaceOrder, instrument: Instrument) -> Refusal | None:
    """Why an order is not even sent: steps and minimums are told beforehand."""
    symbol, cost = instrument.symbol, step.amount * step.price
    if not _on_step(step.price, instrument.price_step):
        detail = f"price {plain(step.price)} is not on the step {plain(instrument.price_step)}"
        return _refusal("exchange_step", symbol, detail)
    if not _on_step(step.amount, instrument.amount_step):
        detail = f"amount {plain(step.amount)} is not on the step {plain(instrument.amount_step)}"
        return _refusal("exchange_step", symbol, detail)
    if step.amount < instrument.amount_min:
        least = plain(instrument.amount_min)
        detail = f"amount {plain(step.amount)} is below the minimum {least}"
        return _refusal("exchange_minimum", symbol, detail)
    if cost < instrument.cost_min and not step.reduce_only:
        least = plain(instrument.cost_min)
        detail = f"{plain(cost)} {instrument.quote} is below the minimum {least}"
        return _refusal("exchange_minimum", symbol, detail)
    return None


def _on_step(value: Decimal, step: Decimal) -> bool:
    return value > 0 and value % step == 0


def _refusal(rule: str, symbol: str, detail: str) -> Refusal:
    return Refusal(rule=rule, detail=f"{symbol}: {detail}")
