"""What a futures account must set aside, and when it is taken over.

Initial margin of a symbol is the larger of what the position would be if every open buy, or
every open sale, were filled, over the leverage: Binance's rule of the maximum position. An
isolated position answers with its own initial margin, and with no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dexmm.paper_exchange.engine.accounts import Account
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Order, Side
from dexmm.paper_exchange.engine.rounding import ZERO, ceil_unit

DEFAULT_LEVERAGE = 20  # what Binance gives an account that never chose
LIQUIDATION_FEE = Decimal("0.0125")

Perpetuals = Mapping[str, Market]


def leverage_of(account: Account, symbol: str) -> int:
    return account.futures.leverage.get(symbol, DEFAULT_LEVERAGE)


def position_margin(account: Account, market: Market) -> Decimal:
    """Initial margin of the position alone, at the mark price."""
    symbol = market.rules.symbol
    notional = abs(account.futures.position(symbol).amount) * market.fair
    return ceil_unit(notional / leverage_of(account, symbol))


def initial_margin(account: Account, market: Market, extra: Order | None = None) -> Decimal:
    """Of position and open orders; ``extra`` is an order that is about to be one."""
    symbol = market.rules.symbol
    exposure = account.futures.position(symbol).amount * market.fair
    waiting = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in [*market.open_of(account.name), *([extra] if extra else [])]:
        if not order.ask.reduce_only:
            waiting[order.side] += order.remaining * (order.price or market.fair)
    most = max(abs(exposure + waiting[Side.BUY]), abs(exposure - waiting[Side.SELL]))
    return ceil_unit(most / leverage_of(account, symbol))


def profit(account: Account, perpetuals: Perpetuals) -> Decimal:
    """Unrealised, over all positions, at the mark prices."""
    return sum(
        (account.futures.position(m.rules.symbol).profit(m.fair) for m in perpetuals.values()),
        ZERO,
    )


def available(account: Account, perpetuals: Perpetuals) -> Decimal:
    """What may still be used as margin; negative when losses have eaten into it."""
    used = sum((initial_margin(account, m) for m in perpetuals.values()), ZERO)
    return account.futures.wallet + profit(account, perpetuals) - used


def maintenance(account: Account, market: Market) -> Decimal:
    notional = abs(account.futures.position(market.rules.symbol).amount) * market.fair
    return ceil_unit(notional * market.rules.maintenance_rate)


def isolated_margin(account: Account, market: Market) -> Decimal:
    """What an isolated position answers with; zero for a cross one."""
    symbol = market.rules.symbol
    if symbol not in account.futures.isolated:
        return ZERO
    return ceil_unit(abs(account.futures.position(symbol).cost) / leverage_of(account, symbol))


def cross_equity(account: Account, perpetuals: Perpetuals) -> Decimal:
    """What stands behind the cross positions."""
    equity = account.futures.wallet
    for market in perpetuals.values():
        symbol = market.rules.symbol
        if symbol in account.futures.isolated:
            equity -= isolated_margin(account, market)
        else:
            equity += account.futures.position(symbol).profit(market.fair)
    return equity


def to_liquidate(account: Account, perpetuals: Perpetuals) -> list[Market]:
    """The positions whose margin no longer covers their maintenance."""
    held = [m for m in perpetuals.values() if account.futures.position(m.rules.symbol).amount]
    isolated = [m for m in held if m.rules.symbol in account.futures.isolated]
    cross = [m for m in held if m.rules.symbol not in account.futures.isolated]
    lost = [
        m
        for m in isolated
        if isolated_margin(account, m) + account.futures.position(m.rules.symbol).profit(m.fair)
        < maintenance(account, m)
    ]
    needed = sum((maintenance(account, m) for m in cross), ZERO)
    return lost + (cross if cross and cross_equity(account, perpetuals) < needed else [])


def liquidation_price(account: Account, market: Market, perpetuals: Perpetuals) -> Decimal:
    """The mark price at which the position is taken over; zero when there is none above zero."""
    position = account.futures.position(market.rules.symbol)
    if not position.amount:
        return ZERO
    if market.rules.symbol in account.futures.isolated:
        backing = isolated_margin(account, market)
    else:
        others = sum(
            (maintenance(account, m) for m in perpetuals.values() if m is not market), ZERO
        )
        backing = cross_equity(account, perpetuals) - position.profit(market.fair) - others
    # backing + amount * p - cost = rate * |amount| * p, solved for p
    slope = market.rules.maintenance_rate * abs(position.amount) - position.amount
    price = (backing - position.cost) / slope
    return max(ZERO, price)
