"""Several markets over one wallet and one exchange account: each sees no more than its part.

Every look of a market is divided as ``strategy.portions`` says. For that the other markets'
positions must be known: they are looked at again whenever anything of ours was sent since.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from dexmm.loop import World
from dexmm.model.order import OrderIntent, OrderLog
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import CexStep, ChainStep, Outcome
from dexmm.model.venue import VenueView
from dexmm.ops.pairing import Pair, PairedCex, PairedChain
from dexmm.strategy.portions import Member, portion
from dexmm.turn import Cex, Chain, Verdict


def shared(worlds: Sequence[World], orders: OrderLog | None, account: str) -> tuple[World, ...]:
    """The worlds with their chains and exchanges divided; one without a budget stays whole."""
    if len(worlds) == 1 and worlds[0].config.market.budget is None:
        return tuple(worlds)
    purse = _Purse(worlds, orders, account)
    return tuple(_divided(purse, number, world) for number, world in enumerate(worlds))


@dataclass(slots=True)
class _Purse:
    """What all markets see of the one wallet."""

    worlds: Sequence[World]
    orders: OrderLog | None
    account: str
    views: dict[int, ChainView] = field(default_factory=dict)
    placed: dict[str, OrderIntent] = field(default_factory=dict)

    def read(self, number: int) -> tuple[ChainView, VenueView | None]:
        world = self.worlds[number]
        with ThreadPoolExecutor(max_workers=1) as beside:
            asked = beside.submit(world.cex.observe) if world.cex is not None else None
            self.views[number] = world.chain.observe()
            for other, its in enumerate(self.worlds):
                if other not in self.views:
                    self.views[other] = its.chain.observe()
            venue = asked.result() if asked is not None else None
        members = tuple(
            Member(config=its.config, view=self.views[n]) for n, its in enumerate(self.worlds)
        )
        return portion(members, number, venue, self._orders())

    def moved(self) -> None:
        """Something was sent: what was seen of the wallet is no longer so."""
        self.views.clear()

    def _orders(self) -> tuple[OrderIntent, ...]:
        """Every order of the account: all of them once, then only what may have changed."""
        if self.orders is None:
            return ()
        unfinished = [o.created_at for o in self.placed.values() if not o.status.final]
        newest = max((o.created_at for o in self.placed.values()), default=0)
        since = min([newest, *unfinished])
        for order in self.orders.orders_since(self.account, since):
            self.placed[order.client_id] = order
        return tuple(self.placed.values())


class _MovingChain:
    def __init__(self, purse: _Purse, chain: Chain) -> None:
        self._purse = purse
        self._chain = chain

    def observe(self) -> ChainView:
        return self._chain.observe()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        try:
            return self._chain.send(step, verdict)
        finally:
            self._purse.moved()


class _MovingCex:
    def __init__(self, purse: _Purse, cex: Cex) -> None:
        self._purse = purse
        self._cex = cex

    def observe(self) -> VenueView:
        return self._cex.observe()

    def send(self, step: CexStep) -> Outcome:
        try:
            return self._cex.send(step)
        finally:
            self._purse.moved()


def _divided(purse: _Purse, number: int, world: World) -> World:
    pair = Pair(lambda: purse.read(number))
    cex = None
    if world.cex is not None:
        cex = PairedCex(pair, _MovingCex(purse, world.cex))
    return replace(world, chain=PairedChain(pair, _MovingChain(purse, world.chain)), cex=cex)
