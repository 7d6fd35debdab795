"""Whose an order is, of several markets that trade in one exchange account, and what it brought.

An order names its market. One that names none (stored by an earlier version, or adopted from the
exchange) or none that is configured belongs to the market that trades its symbol: in spot first,
then as its perpetual, then as a leg of its triangle. A leg that several markets have in common
belongs to none of them: what it brought is divided by weight like any other balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.config.schema import Config, Exchange
from dexmm.decimal_context import precise
from dexmm.model.order import OrderIntent
from dexmm.model.venue import Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """One of several markets, and its exchange account: a name without secrets, "" for none."""

    config: Config
    account: str = ""


@dataclass(slots=True)
class Brought:
    """What the fills of one market have added, fees taken off: to coins, and to margin.

    ``margin`` by the coin it is settled in: realised profit less fees; funding is not among it.
    """

    coins: dict[str, Decimal] = field(default_factory=dict)
    margin: dict[str, Decimal] = field(default_factory=dict)


def symbols_of(exchange: Exchange) -> tuple[str, ...]:
    """Everything that a market trades: spot, perpetual, the triangle's legs; in that order."""
    perpetual = (exchange.perpetual_symbol,) if exchange.perpetual_symbol else ()
    return (exchange.symbol, *perpetual, *exchange.triangle)


def coins_of(exchange: Exchange) -> frozenset[str]:
    """The coins of its spot account that a market trades."""
    spot = (exchange.symbol, *exchange.triangle)
    return frozenset(coin for symbol in spot for coin in symbol.split("/"))


def settled_in(symbol: str) -> str:
    """The coin that a perpetual's profit is paid in."""
    return symbol.partition(":")[2] or symbol.partition("/")[2]


class Owners:
    """Finds the market of an order."""

    def __init__(self, traders: Sequence[Trader]) -> None:
        self._named: dict[tuple[str, str], int] = {}
        self._trades: dict[tuple[str, str], int | None] = {}
        for number, trader in enumerate(traders):
            self._named[trader.account, trader.config.market.name] = number
        for role in range(3):
            claims: dict[tuple[str, str], int | None] = {}
            for number, trader in enumerate(traders):
                for symbol in _in_role(trader.config.exchange, role):
                    claim = (trader.account, symbol)
                    claims[claim] = number if claims.get(claim, number) == number else None
            self._trades = claims | self._trades

    def of(self, order: OrderIntent) -> int | None:
        """The market's place among the traders; None where it is nobody's alone."""
        named = self._named.get((order.account, order.market)) if order.market else None
        return self._trades.get((order.account, order.symbol)) if named is None else named


@precise
def brought(traders: Sequence[Trader], orders: Iterable[OrderIntent]) -> Mapping[int, Brought]:
    """By market. ``orders`` in the order in which they were placed."""
    owners = Owners(traders)
    found = {number: Brought() for number in range(len(traders))}
    perpetuals: dict[tuple[int, str], _Position] = {}
    for order in orders:
        number = owners.of(order)
        if number is None:
            continue
        if ":" in order.symbol:
            perpetuals.setdefault((number, order.symbol), _Position()).fill(order)
        else:
            _add(found[number].coins, order)
    for (number, symbol), position in perpetuals.items():
        margin, coin = found[number].margin, settled_in(symbol)
        margin[coin] = margin.get(coin, ZERO) + position.realised
    return found


@dataclass(slots=True)
class _Position:
    """A perpetual position rebuilt from its fills, at its average entry price."""

    base: Decimal = ZERO
    cost: Decimal = ZERO  # quote, at the average entry price; negative when short
    realised: Decimal = ZERO  # quote, less fees

    def fill(self, order: OrderIntent) -> None:
        self.realised -= order.fee_quote
        if not order.filled:
            return
        sign = 1 if order.side is Side.BUY else -1
        base, cost = sign * order.filled, sign * order.cost
        closes = min(abs(base), abs(self.base)) if base * self.base < 0 else ZERO
        if closes:
            entered, left = self.cost * closes / abs(self.base), cost * closes / abs(base)
            self.realised -= entered + left
            self.cost -= entered
            cost -= left
        self.base += base
        self.cost += cost


def _in_role(exchange: Exchange | None, role: int) -> tuple[str, ...]:
    if exchange is None:
        return ()
    if role == 1:
        return (exchange.perpetual_symbol,) if exchange.perpetual_symbol else ()
    return exchange.triangle if role else (exchange.symbol,)


def _add(coins: dict[str, Decimal], order: OrderIntent) -> None:
    sign = 1 if order.side is Side.BUY else -1
    base, _, quote = order.symbol.partition("/")
    for coin, amount in (
        (base, sign * order.filled - order.fee_base),
        (quote, -sign * order.cost - order.fee_quote),
        *((coin, -amount) for coin, amount in order.fee_other),
    ):
        if amount:
            coins[coin] = coins.get(coin, ZERO) + amount
