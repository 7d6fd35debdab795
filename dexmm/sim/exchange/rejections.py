"""What an exchange answers to an order that it does not take, and what it is never sent.

The words are Binance's as the client of the real exchange stores them, with the exchange's code
behind them; the local refusals are that client's.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.model.decision import Refusal
from dexmm.model.order import OrderIntent
from dexmm.model.steps import PlaceOrder, SetLeverage
from dexmm.model.venue import Instrument
from dexmm.sim.exchange.rounding import plain

INSUFFICIENT_BALANCE = "Account has insufficient balance for requested action. (-2010)"
WOULD_TAKE = "Order would immediately match and take. (-2010)"
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
    """Why an order is not even sent: steps, minimums and maximums are told beforehand."""
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
    most_amount, most_cost = instrument.amount_max, instrument.cost_max
    if most_amount is not None and step.amount > most_amount:
        detail = f"amount {plain(step.amount)} is above the maximum {plain(most_amount)}"
        return _refusal("exchange_maximum", symbol, detail)
    if most_cost is not None and cost > most_cost:
        detail = f"{plain(cost)} {instrument.quote} is above the maximum {plain(most_cost)}"
        return _refusal("exchange_maximum", symbol, detail)
    return None


def refuse_leverage(step: SetLeverage) -> Refusal | None:
    """Why a leverage is not even sent: exchanges know whole ones only."""
    if step.leverage == int(step.leverage):
        return None
    detail = f"leverage {plain(step.leverage)} is not a whole number"
    return _refusal("leverage_step", step.symbol, detail)


def refuse_amend(order: OrderIntent, price: Decimal, instrument: Instrument) -> Refusal | None:
    """Why another price of a resting order is not even sent."""
    same = PlaceOrder(
        symbol=order.symbol,
        side=order.side,
        order=order.kind,
        purpose=order.purpose,
        amount=order.amount,
        price=price,
        reduce_only=order.reduce_only,
    )
    return refuse(same, instrument)


def _on_step(value: Decimal, step: Decimal) -> bool:
    return value > 0 and value % step == 0


def _refusal(rule: str, symbol: str, detail: str) -> Refusal:
    return Refusal(rule=rule, detail=f"{symbol}: {detail}")
