"""portion: what one of several markets may count as its own of a shared wallet and account.

Positions belong to the market in whose pool they are. Of a token that only one market trades, all
is that market's. A token T that several trade is divided by their weights w (sum 1):

    wallet     total = wallet + held by all their positions
               due_i = max(w_i total - held_i, 0)
               part_i = wallet * due_i / max(wallet, sum of dues), rounded down

so that minting and taking out moves a market's own part and nobody else's, the parts never add up
to more than the wallet holds, and no unit is promised twice. On the exchange, where each market
trades symbols of its own, net_i is what its orders' fills (fees included) have added to a coin:

    exchange   part_i = w_i (balance - sum of nets) + net_i, held between 0 and the balance

so that a fill moves the part of the market that traded, in full and nobody else's. A perpetual is
its market's own: no two markets have the same symbol.

A ``budget`` (quote) caps what a market counts, at the pool's price: positions first; what is idle
beyond them is scaled down, base and quote alike, until it fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from dexmm.config import Config
from dexmm.model.order import OrderIntent
from dexmm.model.snapshot import ChainView
from dexmm.model.venue import Balance, Side, VenueView
from dexmm.strategy.inventory import inventory
from dexmm.strategy.precise import precise
from dexmm.units import Amount0, Amount1

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One market of those that share a wallet, and the last whole look at it."""

    config: Config
    view: ChainView


@precise
def portion(
    members: Sequence[Member],
    number: int,
    venue: VenueView | None,
    orders: Sequence[OrderIntent],
) -> tuple[ChainView, VenueView | None]:
    """The look of market ``number``, with what is not its own taken out of it."""
    view = _own_wallet(members, number)
    there = None if venue is None else _own_account(members, number, venue, orders)
    return _within_budget(members[number].config, view, there)


def _own_wallet(members: Sequence[Member], number: int) -> ChainView:
    view = members[number].view
    wallet, market = view.wallet, view.market
    amount0 = _part(members, number, market.token0.address, int(wallet.amount0))
    amount1 = _part(members, number, market.token1.address, int(wallet.amount1))
    return replace(view, wallet=replace(wallet, amount0=Amount0(amount0), amount1=Amount1(amount1)))


def _part(members: Sequence[Member], number: int, token: str, wallet: int) -> int:
    held = {n: _held(m.view, token) for n, m in enumerate(members) if _trades(m.view, token)}
    if len(held) == 1:
        return wallet
    weights = {n: members[n].config.market.weight for n in held}
    total = wallet + sum(held.values())
    whole = sum(weights.values(), ZERO)
    dues = {n: max(weights[n] * total / whole - held[n], ZERO) for n in held}
    most = max(Decimal(wallet), sum(dues.values(), ZERO))
    return int(wallet * dues[number] / most) if most else 0


def _trades(view: ChainView, token: str) -> bool:
    return token in (view.market.token0.address, view.market.token1.address)


def _held(view: ChainView, token: str) -> int:
    """In positions, with their fees; smallest units."""
    if token == view.market.token0.address:
        return sum(p.amount0 + p.fees0 for p in view.positions)
    return sum(p.amount1 + p.fees1 for p in view.positions)


def _own_account(
    members: Sequence[Member], number: int, venue: VenueView, orders: Sequence[OrderIntent]
) -> VenueView:
    balances = tuple(_own_coin(members, number, b, orders) for b in venue.balances)
    return replace(venue, balances=balances)


def _own_coin(
    members: Sequence[Member], number: int, balance: Balance, orders: Sequence[OrderIntent]
) -> Balance:
    spot = {
        n: m.config.exchange.symbol
        for n, m in enumerate(members)
        if m.config.exchange is not None and balance.coin in m.config.exchange.symbol.split("/")
    }
    if number not in spot or len(spot) == 1:
        return balance
    nets = {n: net(orders, symbol, balance.coin) for n, symbol in spot.items()}
    weights = {n: members[n].config.market.weight for n in spot}
    common = balance.total - sum(nets.values(), ZERO)
    own = common * weights[number] / sum(weights.values(), ZERO) + nets[number]
    total = min(max(own, ZERO), balance.total)
    locked = balance.total - balance.free
    return Balance(
        coin=balance.coin, free=min(balance.free, max(total - locked, ZERO)), total=total
    )


def net(orders: Sequence[OrderIntent], symbol: str, coin: str) -> Decimal:
    """What the fills of one symbol have added to a coin, fees taken off."""
    base, _, quote = symbol.partition("/")
    found = ZERO
    for order in orders:
        if order.symbol != symbol:
            continue
        sign = 1 if order.side is Side.BUY else -1
        if coin == base:
            found += sign * order.filled - order.fee_base
        elif coin == quote:
            found -= sign * order.cost + order.fee_quote
    return found


def _within_budget(
    config: Config, view: ChainView, venue: VenueView | None
) -> tuple[ChainView, VenueView | None]:
    budget = config.market.budget
    if budget is None:
        return view, venue
    price = view.market.price(view.pool.sqrt_price_x96)
    held = inventory(view, price, venue)
    fixed = held.deployed + held.fees
    idle = held.nav - fixed
    if held.nav <= budget or idle <= 0:
        return view, venue
    part = max(budget - fixed, ZERO) / idle
    wallet = replace(
        view.wallet,
        amount0=Amount0(_scaled(view.wallet.amount0, part)),
        amount1=Amount1(_scaled(view.wallet.amount1, part)),
    )
    there = None
    if venue is not None:
        there = replace(
            venue,
            balances=tuple(
                Balance(coin=b.coin, free=b.free * part, total=b.total * part)
                for b in venue.balances
            ),
        )
    return replace(view, wallet=wallet), there


def _scaled(amount: int, part: Decimal) -> int:
    return int((amount * part).to_integral_value(ROUND_DOWN))
