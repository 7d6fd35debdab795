"""What a strategy is told, and what it answers. All in rungs, base and quote
(``price_grid.py``)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Strategy as Settings
from dexmm.decimal_context import PIPS
from dexmm.model.decision import Role
from dexmm.strategy.pay.measurement import Pay
from dexmm.strategy.ranges.price_grid import Ladder, affordable, amounts_per_liquidity, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Liquidity wanted between two rungs."""

    bid: int
    ask: int
    liquidity: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """A range held now, and what it is worth to a new one. Smallest units."""

    bid: int
    ask: int
    base: Decimal  # what it holds at this price: free to stay where it is
    quote: Decimal
    sure_base: Decimal  # the least that taking it out pays, with its fees: free to go elsewhere
    sure_quote: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One moment of one market, seen along the ladder."""

    ladder: Ladder
    settings: Settings
    s: Decimal  # square root of the pool's price
    floor: int  # rungs around that price; equal when it stands on one
    ceiling: int
    base: Decimal  # the whole inventory, wherever it is, smallest units
    quote: Decimal
    sigma: Decimal  # per square root of a second
    fee: Decimal  # of a swap, gross: how far the pool strays from the fair price
    wallet_base: Decimal  # idle in the wallet
    wallet_quote: Decimal
    stakes: tuple[Stake, ...] = ()
    near: int = 0  # rungs; a held edge this close to a new one is kept
    kept: tuple[int, int] | None = None  # the held edges that could be kept
    pay: Pay | None = None  # what the pool pays; None where nobody has measured it
    gas_quote: Decimal = Decimal(0)  # of a re-range, smallest units of quote
    bring_back: bool = False  # the share is outside its band, and nothing but ranges can help

    @property
    def fee_pips(self) -> int:
        return int(self.fee * PIPS)

    @property
    def share(self) -> Decimal:
        """Of the base in the whole inventory at the pool's price."""
        value = self.base * self.s * self.s
        total = value + self.quote
        return value / total if total else Decimal(0)

    def deployable(self, staying: Collection[tuple[int, int]]) -> tuple[Decimal, Decimal]:
        """Base and quote that new ranges can count on, when ``staying`` keep their ticks."""
        base, quote = self.wallet_base, self.wallet_quote
        for stake in self.stakes:
            stays = (stake.bid, stake.ask) in staying
            base += stake.base if stays else stake.sure_base
            quote += stake.quote if stays else stake.sure_quote
        return base, quote

    def below(self, bid: int) -> tuple[int, int]:
        """The range under the price, down to ``bid``; empty when the grid has no room for it."""
        return bid, self.ladder.down(self.floor)

    def above(self, ask: int) -> tuple[int, int]:
        """The range over the price, up to ``ask``; empty when the grid has no room for it."""
        return self.ladder.up(self.ceiling), ask

    def most(self, bid: int, ask: int, base: Decimal, quote: Decimal) -> Decimal:
        """The most liquidity these amounts can pay for over a range."""
        return affordable(self.s, self.ladder.root_at(bid), self.ladder.root_at(ask), base, quote)

    def cost(self, bid: int, ask: int, liquidity: Decimal) -> tuple[Decimal, Decimal]:
        """Base and quote that liquidity over a range takes at this price."""
        base, quote = amounts_per_liquidity(
            self.s, self.ladder.root_at(bid), self.ladder.root_at(ask)
        )
        return base * liquidity, quote * liquidity

    def value(self, bid: int, ask: int, liquidity: Decimal) -> Decimal:
        """What that is worth, in quote."""
        base, quote = self.cost(bid, ask, liquidity)
        return base * self.s * self.s + quote


Shape = Callable[[Situation], tuple[Range, ...]]


def ranges(*wanted: tuple[tuple[int, int], Decimal, Role]) -> tuple[Range, ...]:
    """The wanted ranges that have any width and any liquidity."""
    return tuple(
        Range(bid=bid, ask=ask, liquidity=whole(liquidity), role=role)
        for (bid, ask), liquidity, role in wanted
        if bid < ask and whole(liquidity) > 0
    )
