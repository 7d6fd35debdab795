"""The wallet's positions in the market, as ranges: NFTs with the same ticks count together.

A position that nobody here planned, added by hand for instance, is held like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from dexmm.model.decision import Role, TargetPosition
from dexmm.model.holdings import Position
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView
from dexmm.strategy.ladder import Ladder
from dexmm.units import Liquidity, Tick


class Side(Enum):
    """Where a range lay when its NFT was first seen."""

    BID = "below the price: it buys"
    ASK = "above the price: it sells"
    BOTH = "around the price"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRange:
    bid: int  # rungs
    ask: int
    liquidity: int
    positions: tuple[Position, ...]  # most liquidity first
    side: Side

    def target(self, ladder: Ladder) -> TargetPosition:
        """This range as it is, as something to want."""
        role = Role.BASE if self.side is Side.BOTH else Role.LIMIT
        return _target(*ladder.ticks(self.bid, self.ask), self.liquidity, role)


@lru_cache(maxsize=256)  # turn after turn the same
def _target(lower: Tick, upper: Tick, liquidity: int, role: Role) -> TargetPosition:
    return TargetPosition(
        tick_lower=lower, tick_upper=upper, liquidity=Liquidity(liquidity), role=role
    )


def held_ranges(view: ChainView, memory: Memory, ladder: Ladder) -> tuple[HeldRange, ...]:
    """Ranges with liquidity, lowest first."""
    if not view.positions:
        return ()
    opened = {seen.token_id: seen.sqrt_price_x96 for seen in memory.seen}
    grouped: dict[tuple[int, int], list[Position]] = {}
    for position in view.positions:
        if position.liquidity > 0:
            grouped.setdefault(ladder.range_of(position), []).append(position)
    ranges = []
    for bid, ask in sorted(grouped):
        positions = grouped[bid, ask]
        if len(positions) > 1:
            positions.sort(key=lambda p: (-p.liquidity, p.token_id))
        price = opened.get(positions[0].token_id, view.pool.sqrt_price_x96)
        ranges.append(
            HeldRange(
                bid=bid,
                ask=ask,
                liquidity=sum([p.liquidity for p in positions]),
                positions=tuple(positions),
                side=_side(ladder, bid, ask, price),
            )
        )
    return tuple(ranges)


@lru_cache(maxsize=256)  # where a range was placed does not change
def _side(ladder: Ladder, bid: int, ask: int, sqrt_price_x96: int) -> Side:
    if ladder.floor(sqrt_price_x96) >= ask:
        return Side.BID
    if ladder.ceiling(sqrt_price_x96) <= bid:
        return Side.ASK
    return Side.BOTH


def edges_of(held: tuple[HeldRange, ...], ladder: Ladder) -> tuple[int, int]:
    """The rungs at which these ranges have done all they can. ``held`` is not empty.

    A range around the price has its own edges. Where everything lies on one side, the missing
    edge is the mirror image of the one that is there: a price that ran away from a lone ask by
    the ask's own width has left it behind.
    """
    around = [r for r in held if r.side is Side.BOTH]
    if around:
        widest = max(around, key=lambda r: r.liquidity)
        return widest.bid, widest.ask
    low, high = min(r.bid for r in held), max(r.ask for r in held)
    width = high - low
    if all(r.side is Side.BID for r in held):
        return low, min(high + width, ladder.top)
    if all(r.side is Side.ASK for r in held):
        return max(low - width, -ladder.top), high
    return low, high
