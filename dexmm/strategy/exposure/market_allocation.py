"""portion: what one of several markets may count as its own of a shared wallet and account.

Positions belong to the market in whose pool they are. Of a token that only one market trades, all
is that market's. A token T that several trade is divided by their weights w (sum 1):

    wallet     total = wallet + held by all their positions
               due_i = max(w_i total - held_i, 0)
               part_i = wallet * due_i / max(wallet, sum of dues), rounded down

so that minting and taking out moves a market's own part and nobody else's, the parts never add up
to more than the wallet holds, and no unit is promised twice. In an exchange account that several
markets trade in, net_i is what the fills of a market's orders (fees included), in whichever symbol
it trades, have added to a coin:

    exchange   due_i = max(w_i (balance - sum of nets) + net_i, 0)
               part_i = due_i balance / max(balance, sum of dues)

so that a fill moves the part of the market that traded, in full and nobody else's. What a market's
own resting orders lock is taken from its own part, and of the others' locks only what is beyond
theirs. A perpetual position is its market's own: no two markets have the same symbol. The margin
of one derivatives account is divided like a coin, net_i being the profit that a market's perpetual
has realised, less fees; funding is shared by weight.

A ``budget`` (quote) caps what a market counts, at the pool's price: positions first; what is idle
beyond them is scaled down, base, quote and margin alike, until it fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import precise
from dexmm.model.order import OrderIntent
from dexmm.model.snapshot import ChainView
from dexmm.model.venue import Balance, Perpetual, RestingOrder, Side, VenueView
from dexmm.strategy.exposure.inventory import inventory
from dexmm.strategy.exposure.order_ownership import Brought, Trader, brought, coins_of, settled_in
from dexmm.units import Amount0, Amount1

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Trader):
    """One market of those that share a wallet, and the last whole look at it.

    Another market without a pool needs none: nothing in the wallet is its own.
    """

    view: ChainView | None


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
    assert view is not None  # noqa: S101 - it is this market's own look
    wallet, market = view.wallet, view.market
    amount0 = _part(members, number, market.token0.address, int(wallet.amount0))
    amount1 = _part(members, number, market.token1.address, int(wallet.amount1))
    return replace(view, wallet=replace(wallet, amount0=Amount0(amount0), amount1=Amount1(amount1)))


def _part(members: Sequence[Member], number: int, token: str, wallet: int) -> int:
    held = {
        n: _held(m.view, token)
        for n, m in enumerate(members)
        if m.view is not None and _trades(m.view, token)
    }
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
    account = members[number].account
    beside = [n for n, m in enumerate(members) if m.account == account and m.config.exchange]
    if beside == [number]:
        return venue
    nets = brought(members, orders)
    balances = tuple(
        _own_coin(members, number, beside, balance, nets, venue.resting)
        for balance in venue.balances
    )
    position = _own_margin(members, number, beside, venue.position, nets)
    return replace(venue, balances=balances, position=position)


def _own_coin(
    members: Sequence[Member],
    number: int,
    beside: Sequence[int],
    balance: Balance,
    nets: Mapping[int, Brought],
    resting: Sequence[RestingOrder],
) -> Balance:
    coin = balance.coin
    sharers = [n for n in beside if coin in _coins(members[n])]
    if number not in sharers or len(sharers) == 1:
        return balance
    its = {n: nets[n].coins.get(coin, ZERO) for n in sharers}
    total = _divided(balance.total, its, members, number)
    locked, own = balance.total - balance.free, _locked(resting, coin)
    theirs, beyond = max(locked - own, ZERO), balance.total - total
    free = total - min(own, locked) - max(theirs - beyond, ZERO)
    return Balance(coin=coin, free=min(balance.free, max(free, ZERO)), total=total)


def _own_margin(
    members: Sequence[Member],
    number: int,
    beside: Sequence[int],
    position: Perpetual | None,
    nets: Mapping[int, Brought],
) -> Perpetual | None:
    own = _margin_account(members[number])
    sharers = [n for n in beside if _margin_account(members[n]) == own]
    if position is None or own is None or len(sharers) == 1:
        return position
    its = {n: nets[n].margin.get(own[1], ZERO) for n in sharers}
    return replace(position, margin=_divided(position.margin, its, members, number))


def _divided(
    amount: Decimal, nets: Mapping[int, Decimal], members: Sequence[Member], number: int
) -> Decimal:
    """By weight, after what each has brought; the parts never add up to more than there is."""
    weights = {n: members[n].config.market.weight for n in nets}
    common = amount - sum(nets.values(), ZERO)
    whole = sum(weights.values(), ZERO)
    dues = {n: max(common * weights[n] / whole + nets[n], ZERO) for n in nets}
    most = sum(dues.values(), ZERO)
    return dues[number] if most <= amount else max(amount, ZERO) * dues[number] / most


def _coins(member: Member) -> frozenset[str]:
    exchange = member.config.exchange
    return coins_of(exchange) if exchange is not None else frozenset()


def _margin_account(member: Member) -> tuple[str, str] | None:
    """The derivatives exchange and the coin of the margin; None without a perpetual."""
    exchange = member.config.exchange
    if exchange is None or exchange.perpetual_id is None or exchange.perpetual_symbol is None:
        return None
    return exchange.perpetual_id, settled_in(exchange.perpetual_symbol)


def _locked(resting: Sequence[RestingOrder], coin: str) -> Decimal:
    """What our own resting orders in view keep of a coin."""
    found = ZERO
    for order in resting:
        base, _, quote = order.symbol.partition("/")
        if not order.ours or ":" in order.symbol:
            continue
        left = order.amount - order.filled
        if order.side is Side.SELL and coin == base:
            found += left
        elif order.side is Side.BUY and coin == quote:
            found += left * order.price
    return found


def _within_budget(
    config: Config, view: ChainView, venue: VenueView | None
) -> tuple[ChainView, VenueView | None]:
    budget = config.market.budget
    if budget is None:
        return view, venue
    price = view.market.price(view.pool.sqrt_price_x96)
    held = inventory(view, price, venue)
    position = None if venue is None else venue.position
    fixed = held.deployed + held.fees + (position.unrealised if position is not None else ZERO)
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
            position=position and replace(position, margin=position.margin * part),
        )
    return replace(view, wallet=wallet), there


def _scaled(amount: int, part: Decimal) -> int:
    return int((amount * part).to_integral_value(ROUND_DOWN))
