"""A journal entry in words: one line a turn, and one for every thing done or refused."""

from __future__ import annotations

from decimal import Decimal

from dexmm.cex.parsing import plain
from dexmm.engine.turn import HALT_WAS_SET
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent, Purpose
from dexmm.model.steps import Outcome
from dexmm.strategy.risk.liquidation import liquidation_distance
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick
from dexmm.units import price_places, price_text, sum_places, to_decimal

SUMMARIES = {
    "approve": "allowances set",
    "rerange": "liquidity moved",
    "swap": "swapped in the pool",
    "raise_cardinality": "oracle slots paid for",
    "transfer": "sent",
    "settle": "settled an open transaction",
    "place_order": "order",
    "cancel_order": "order cancelled",
    "amend_order": "order moved",
    "cancel_all": "all orders cancelled",
    "set_leverage": "leverage set",
}


def headline(entry: Entry) -> str:
    """Where things stand: block, price, share, value, and the state if it is not ACTIVE."""
    chain, decision = entry.snapshot.chain, entry.decision
    price = chain.market.price(chain.pool.sqrt_price_x96)
    parts = [
        f"block {chain.block.number}",
        f"price {price_digits(price)}",
        f"share {decision.share * 100:.1f} %",
        f"value {sum_digits(decision.nav)} {chain.market.quote.symbol}",
        f"{len(chain.positions)} position{'' if len(chain.positions) == 1 else 's'}",
    ]
    if entry.snapshot.venue is not None and entry.snapshot.venue.position is not None:
        short = entry.snapshot.venue.position.base
        if short:
            parts.append(f"perpetual {digits(short, 4)}")
        if (distance := liquidation_distance(entry.snapshot.venue)) is not None:
            parts.append(f"liquidation {distance * 100:.1f} % away")
    if decision.state != "ACTIVE":
        parts.append(decision.state)
    return "  ".join(parts)


def events(entry: Entry) -> list[str]:
    """What the turn did, wanted and could not; empty when nothing happened."""
    return [line for line, _ in graded_events(entry)]


def graded_events(entry: Entry) -> list[tuple[str, bool]]:
    """As ``events``, each line with whether a person should look at it: a step that was refused or
    did not happen, a refusal of what was wanted that no ordinary day brings."""
    decision = entry.decision
    told = [outcome for outcome in entry.outcomes if not is_routine(outcome)]
    market = entry.snapshot.chain.market
    lines = [(outcome_words(outcome, market), _serious(outcome)) for outcome in told]
    if decision.trigger is not None and (lines or decision.withheld):
        lines.insert(0, (f"{decision.trigger}: {decision.reason}", False))
    if decision.withheld:
        lines += [(f"refused by {r.rule}: {r.detail}", not r.routine) for r in decision.refusals]
    return lines


def _serious(outcome: Outcome) -> bool:
    if outcome.refusal is not None:
        return not outcome.refusal.routine
    if outcome.status == "skipped":  # by a signal in good order, or by HALT
        return outcome.detail.startswith(HALT_WAS_SET)
    return outcome.status in {"failed", "reverted", "refused"}


def digits(number: Decimal, places: int) -> str:
    return f"{number:,.{places}f}".replace(",", " ")


def price_digits(price: Decimal) -> str:
    """As ``units.price_text``, with its thousands apart."""
    return digits(price, price_places(price))


def sum_digits(amount: Decimal) -> str:
    """As ``units.sum_text``, with its thousands apart."""
    return digits(amount, sum_places(amount))


def price_range(market: Market, tick_lower: int, tick_upper: int) -> tuple[Decimal, Decimal]:
    """A tick range as prices, low first, quote per base."""
    one, other = (market.price(get_sqrt_ratio_at_tick(tick)) for tick in (tick_lower, tick_upper))
    return min(one, other), max(one, other)


def outcome_words(outcome: Outcome, market: Market, *, short: bool = False) -> str:
    """What became of a step, with the gas and the transaction; ``short`` leaves out those two."""
    if outcome.order is not None:
        return _order(outcome, outcome.order)
    if outcome.status == "mined":
        done = _mined(outcome, market)
        gas = to_decimal(outcome.gas_used * outcome.gas_price, 18)
        paid = f": {outcome.gas_used:,} gas, {gas:.6f} ETH, {outcome.tx_hash}"
        return done if short else f"{done}{paid}"
    if outcome.refusal is not None:
        return f"{outcome.step} refused by {outcome.refusal.rule}: {outcome.refusal.detail}"
    detail = f": {outcome.detail}" if outcome.detail else ""
    transaction = "" if short else outcome.tx_hash
    return f"{outcome.step} {outcome.status}{detail} {transaction}".rstrip()


def is_routine(outcome: Outcome) -> bool:
    """A quote that was placed or moved, as happens every few seconds: only its fills are told."""
    order = outcome.order
    quote = order is not None and order.purpose is Purpose.QUOTE and not order.filled
    return quote and outcome.status == "done"


def order_filled(order: OrderIntent) -> str:
    """How much of an order was filled, at which average price and what fee."""
    fees = [f"{plain(order.fee_base)} base" if order.fee_base else ""]
    fees += [f"{plain(order.fee_quote)} quote" if order.fee_quote else ""]
    worth = {coin: f" (worth {value:.4f})" for coin, _, value in order.fee_valued}
    fees += [f"{plain(amount)} {coin}{worth.get(coin, '')}" for coin, amount in order.fee_other]
    paid = f", fee {', '.join(filter(None, fees))}" if any(fees) or order.fee_other else ""
    average = price_text(order.cost / order.filled)
    return f"filled {plain(order.filled)} at {average}{paid}"


def _mined(outcome: Outcome, market: Market) -> str:
    what = SUMMARIES[outcome.step]
    ranges = ", ".join(
        "{}..{}".format(*(price_digits(p) for p in price_range(market, m.tick_lower, m.tick_upper)))
        for m in outcome.minted
    )
    return f"{what} into {ranges}" if ranges else what


def _order(outcome: Outcome, order: OrderIntent) -> str:
    """An exchange step as it then stood: what was asked, and what came of it."""
    amount, price = plain(order.amount), plain(order.price)
    what = f"{order.purpose} {order.side} {amount} {order.symbol} at {price}"
    if outcome.step == "cancel_order":
        what = f"cancelled {what}"
    elif outcome.step == "amend_order":
        what = f"moved {what}"
    if order.filled:
        return f"{what}: {order_filled(order)}"
    if outcome.refusal is not None:
        return f"{what} refused by {outcome.refusal.rule}: {outcome.refusal.detail}"
    detail = outcome.detail or order.detail
    return f"{what}: {order.status}{f', {detail}' if detail else ''}"
