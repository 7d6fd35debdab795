"""Several markets over one wallet and one exchange account: each sees no more than its part.

Every command that counts (``run``, ``status``, ``doctor``) looks through a ``SharedWallet``, which
divides each look of a market as ``strategy.portions`` says: so all of them count alike. For that
the other markets' positions must be known: they are looked at again whenever anything of ours was
sent since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dexmm.cex.exchange import account_name
from dexmm.config.schema import Config
from dexmm.engine.loop import World
from dexmm.errors import BadInput
from dexmm.model.order import OrderIntent, OrderLog
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import CexStep, ChainStep, Outcome
from dexmm.model.venue import VenueView
from dexmm.protocols import Cex, Chain, KeepsRules, Verdict
from dexmm.strategy.exposure.market_allocation import Member, portion
from dexmm.strategy.exposure.order_ownership import Owners, Trader
from dexmm.wiring.paired_observation import Pair, PairedCex, PairedChain


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat(Trader):
    """One market, and how it is looked at: whole, as if it were alone."""

    chain: Callable[[], ChainView]
    venue: Callable[[], VenueView | None] | None = None  # None: without an exchange


class SharedWallet:
    """What the markets of one configuration see of the one wallet, each its part."""

    def __init__(self, seats: Sequence[Seat], orders: OrderLog | None) -> None:
        """``orders``: every order of their accounts; None where nobody has an exchange."""
        self._seats = tuple(seats)
        self._orders = orders
        self._views: dict[int, ChainView] = {}
        self._placed: dict[str, OrderIntent] = {}  # what has filled, or may yet
        self._since: dict[str, int] = {}  # by account: what is older has ended and is known

    def look(self, number: int) -> tuple[ChainView, VenueView | None]:
        """Chain and exchange side by side, and of both what market ``number`` may count."""
        seat = self._seats[number]
        with ThreadPoolExecutor(max_workers=1) as beside:
            asked = beside.submit(seat.venue) if seat.venue is not None else None
            self._views[number] = seat.chain()
            for other, its in enumerate(self._seats):
                if other not in self._views and its.config.market.has_pool:
                    self._views[other] = its.chain()
            venue = asked.result() if asked is not None else None
        return self._portion(number, venue)

    def moved(self) -> None:
        """Something was sent: what was seen of the wallet is no longer so."""
        self._views.clear()

    def _portion(self, number: int, venue: VenueView | None) -> tuple[ChainView, VenueView | None]:
        if not is_divided([seat.config for seat in self._seats]):
            return self._views[number], venue
        members = tuple(
            Member(config=seat.config, account=seat.account, view=self._views.get(n))
            for n, seat in enumerate(self._seats)
        )
        return portion(members, number, venue, self._fills() if venue is not None else ())

    def _fills(self) -> tuple[OrderIntent, ...]:
        """Every order that may have filled: all of them once, then only what may have changed."""
        if self._orders is None:
            return ()
        for account in dict.fromkeys(seat.account for seat in self._seats if seat.account):
            since = self._since.get(account, 0)
            open_since = None
            for order in self._orders.orders_since(account, since):
                since = max(since, order.created_at)
                if not order.status.final and open_since is None:
                    open_since = order.created_at
                if order.filled or not order.status.final:
                    self._placed[order.client_id] = order
                else:
                    self._placed.pop(order.client_id, None)
            self._since[account] = since if open_since is None else min(since, open_since)
        return tuple(self._placed.values())


def is_divided(configs: Sequence[Config]) -> bool:
    """Whether anything must be divided or capped at all: several markets, or one with a budget."""
    return len(configs) > 1 or configs[0].market.budget is not None


def account_of_market(config: Config) -> str:
    """Its exchange account, as a name without secrets; "" without an exchange."""
    return account_name(config.exchange) if config.exchange is not None else ""


def orders_of(
    config: Config, configs: Sequence[Config], orders: Iterable[OrderIntent]
) -> tuple[OrderIntent, ...]:
    """Those that belong to one of several markets: what its books are made of. One has all."""
    if len(configs) == 1:
        return tuple(orders)
    owners = Owners([Trader(config=c, account=account_of_market(c)) for c in configs])
    number = [c.market.name for c in configs].index(config.market.name)
    return tuple(order for order in orders if owners.of(order) == number)


def refuse_unified_accounts(configs: Sequence[Config]) -> None:
    """Raises ``BadInput`` where what markets share cannot be told apart.

    An exchange that keeps spot balances and the margin in one account (OKX) books a perpetual's
    profit into the very balance that the other markets count their part of.
    """
    traders = [(c, c.exchange) for c in configs if c.exchange is not None]
    for config, exchange in traders:
        if exchange.perpetual_symbol is None or exchange.perpetual_id != exchange.id:
            continue
        account = account_name(exchange)
        others = [c for c, e in traders if c is not config and account_name(e) == account]
        if others and _unified(config):
            raise BadInput(
                f"{exchange.id} keeps spot and perpetuals in one account, which "
                f"{config.market.name} and {others[0].market.name} share: the profit of "
                f"{exchange.perpetual_symbol} cannot be told from the other's money. Give each "
                "market the key of a sub-account of its own, or remove perpetual_symbol"
            )


def shared(worlds: Sequence[World], orders: OrderLog | None) -> tuple[World, ...]:
    """The worlds with their chains and exchanges divided; one without a budget stays whole."""
    if not is_divided([world.config for world in worlds]):
        return tuple(worlds)
    seats = [
        Seat(
            config=world.config,
            account=account_of_market(world.config),
            chain=world.chain.observe,
            venue=world.cex.observe if world.cex is not None else None,
        )
        for world in worlds
    ]
    wallet = SharedWallet(seats, orders)
    return tuple(_divided(wallet, number, world) for number, world in enumerate(worlds))


class _MovingChain:
    def __init__(self, wallet: SharedWallet, chain: Chain) -> None:
        self._wallet = wallet
        self._chain = chain

    def observe(self) -> ChainView:
        return self._chain.observe()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        try:
            return self._chain.send(step, verdict)
        finally:
            self._wallet.moved()


class _MovingCex:
    def __init__(self, wallet: SharedWallet, cex: Cex) -> None:
        self._wallet = wallet
        self._cex = cex

    def observe(self) -> VenueView:
        return self._cex.observe()

    def send(self, step: CexStep) -> Outcome:
        try:
            return self._cex.send(step)
        finally:
            self._wallet.moved()

    def doubt_rules(self) -> None:
        if isinstance(self._cex, KeepsRules):
            self._cex.doubt_rules()


def _divided(wallet: SharedWallet, number: int, world: World) -> World:
    pair = Pair(lambda: wallet.look(number))
    cex = None
    if world.cex is not None:
        cex = PairedCex(pair, _MovingCex(wallet, world.cex))
    chain = PairedChain(pair, _MovingChain(wallet, world.chain))
    return replace(world, chain=chain, cex=cex, moved=wallet.moved)


def _unified(config: Config) -> bool:
    from dexmm.cex.exchange import connect_exchange

    assert config.exchange is not None  # noqa: S101 - asked of those that have one
    can = connect_exchange(config.exchange).perpetual_can
    return can is not None and can.shared_account
