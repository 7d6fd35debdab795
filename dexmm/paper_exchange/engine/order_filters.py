"""What an order must satisfy before it may trade, in Binance's order and words.

Spot answers ``-1013 Filter failure``, the perpetual has a code for each filter.
"""

from __future__ import annotations

from decimal import Decimal

from dexmm.paper_exchange.engine import error_codes
from dexmm.paper_exchange.engine.error_codes import Refused
from dexmm.paper_exchange.engine.market import Market
from dexmm.paper_exchange.engine.orders import Ask, Side, Type
from dexmm.paper_exchange.engine.rounding import is_multiple, places_of


def check_spot(ask: Ask, market: Market, owner: str) -> None:
    """Raises the first filter that an order fails."""
    rules = market.rules
    if not rules.trading:
        raise Refused(error_codes.MARKET_CLOSED)
    if ask.type is not Type.MARKET:
        _spot_price(ask.price, market)
    if not ask.quote_quantity:
        _spot_lot(ask, market)
    value = ask.quote_quantity or ask.quantity * (ask.price or market.fair)
    if not rules.min_notional <= value <= rules.max_notional:
        raise Refused(error_codes.filter_failure("NOTIONAL"))
    if market.open_by_client_id(owner, ask.client_order_id) is not None:
        raise Refused(error_codes.DUPLICATE_ORDER)
    if market.count_of(owner) >= rules.max_open_orders:
        raise Refused(error_codes.filter_failure("MAX_NUM_ORDERS"))


def _spot_price(price: Decimal, market: Market) -> None:
    rules = market.rules
    if not rules.min_price <= price <= rules.max_price or not is_multiple(price, rules.tick_size):
        raise Refused(error_codes.filter_failure("PRICE_FILTER"))
    if not market.fair * rules.price_down <= price <= market.fair * rules.price_up:
        raise Refused(error_codes.filter_failure("PERCENT_PRICE_BY_SIDE"))


def _spot_lot(ask: Ask, market: Market) -> None:
    rules, quantity = market.rules, ask.quantity
    fits = rules.min_quantity <= quantity <= rules.max_quantity
    if not fits or not is_multiple(quantity, rules.step_size):
        raise Refused(error_codes.filter_failure("LOT_SIZE"))
    if ask.type is Type.MARKET and quantity > rules.max_market_quantity:
        raise Refused(error_codes.filter_failure("MARKET_LOT_SIZE"))


def check_perpetual(ask: Ask, market: Market, owner: str) -> None:
    """Raises the first filter that an order fails."""
    rules = market.rules
    if not rules.trading:
        raise Refused(error_codes.SYMBOL_CLOSED)
    _perpetual_lot(ask, market)
    if ask.type is not Type.MARKET:
        _perpetual_price(ask, market)
    value = ask.quantity * (ask.price or market.fair)
    if value < rules.min_notional and not ask.reduce_only:
        raise Refused(error_codes.min_notional_perpetual(rules.min_notional))
    if market.open_by_client_id(owner, ask.client_order_id) is not None:
        raise Refused(error_codes.DUPLICATE_CLIENT_ID)
    if market.count_of(owner) >= rules.max_open_orders:
        raise Refused(error_codes.MAX_OPEN_ORDERS)


def check_amended(ask: Ask, market: Market) -> None:
    """As for a new order, but for what concerns its name and how many there are."""
    if not market.rules.trading:
        raise Refused(error_codes.SYMBOL_CLOSED)
    _perpetual_lot(ask, market)
    _perpetual_price(ask, market)


def _perpetual_lot(ask: Ask, market: Market) -> None:
    rules, quantity = market.rules, ask.quantity
    if quantity <= 0:
        raise Refused(error_codes.QUANTITY_BELOW_ZERO)
    if places_of(quantity) > places_of(rules.step_size):
        raise Refused(error_codes.TOO_PRECISE)
    if quantity < rules.min_quantity:
        raise Refused(error_codes.QUANTITY_BELOW_MINIMUM)
    most = rules.max_market_quantity if ask.type is Type.MARKET else rules.max_quantity
    if quantity > most:
        raise Refused(error_codes.QUANTITY_ABOVE_MAXIMUM)
    if not is_multiple(quantity, rules.step_size):
        raise Refused(error_codes.QUANTITY_OFF_STEP)


def _perpetual_price(ask: Ask, market: Market) -> None:
    rules, price = market.rules, ask.price
    if price <= 0:
        raise Refused(error_codes.PRICE_BELOW_ZERO)
    if price < rules.min_price:
        raise Refused(error_codes.PRICE_BELOW_MINIMUM)
    if price > rules.max_price:
        raise Refused(error_codes.PRICE_ABOVE_MAXIMUM)
    if not is_multiple(price, rules.tick_size):
        raise Refused(error_codes.PRICE_OFF_TICK)
    highest, lowest = market.fair * rules.price_up, market.fair * rules.price_down
    if ask.side is Side.BUY and price > highest:
        raise Refused(error_codes.price_above(highest))
    if ask.side is Side.SELL and price < lowest:
        raise Refused(error_codes.price_below(lowest))
