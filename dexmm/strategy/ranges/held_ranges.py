"""The wallet's positions in the market, as ranges: NFTs with the same ticks count together.

A position that nobody here planned, added by hand for instance, is held like any other.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from functools import lru_cache

from dexmm.decimal_context import once, record
from dexmm.model.decision import Role, TargetPosition
from dexmm.model.holdings import Position
from dexmm.model.memory import Memory, SeenPosition
from dexmm.model.snapshot import ChainView
from dexmm.strategy.ranges.price_grid import Ladder
from dexmm.units import Liquidity, Tick

ZERO = Decimal(0)


class Side(Enum):
    """Where a range lay when its NFT was first seen."""

    BID = "below the price: it buys"
    ASK = "above the price: it sells"
    BOTH = "around the price"


@record
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


@record
class Holding:
    """What is held in ranges and in the wallet, and where the pool's price stands to it.

    Neither time nor the fair price is in it: as long as nothing of it moves, turn after turn can
    share one, and all that follows from it.
    """

    view: ChainView
    ladder: Ladder
    s: Decimal  # square root of the pool's price, see ladder.py
    ranges: tuple[HeldRange, ...]
    recorded: tuple[SeenPosition, ...] | None = None  # that which says just these positions

    @classmethod
    def of(cls, view: ChainView, memory: Memory) -> Holding:
        ladder = Ladder.of(view.market)
        return cls(
            view=view,
            ladder=ladder,
            s=ladder.root(view.pool.sqrt_price_x96),
            ranges=held_ranges(view, memory, ladder),
        )

    def serves(self, view: ChainView) -> bool:
        """Whether these are the very positions, wallet and price of another look."""
        mine = self.view
        return (
            mine.positions is view.positions
            and mine.wallet is view.wallet
            and mine.market is view.market
            and mine.pool.sqrt_price_x96 == view.pool.sqrt_price_x96
            and mine.pool.tick == view.pool.tick
        )

    def remembered(self, seen: tuple[SeenPosition, ...]) -> tuple[SeenPosition, ...]:
        """``seen`` says just these positions: whose memory has it need not compare them again."""
        self.__dict__["recorded"] = seen
        return seen

    @once
    def earning(self) -> bool:
        """Whether any of our liquidity is in range."""
        tick = self.view.pool.tick
        return any(p.liquidity and p.in_range(tick) for p in self.view.positions)

    @once
    def targets(self) -> tuple[TargetPosition, ...]:
        """What is held, as something to want."""
        return tuple([held.target(self.ladder) for held in self.ranges])

    @once
    def beyond_edge(self) -> bool:
        """Whether the price stands at or beyond an edge of what is held."""
        if not self.ranges:
            return False
        bid, ask = edges_of(self.ranges, self.ladder)
        return self.s <= self.ladder.root_at(bid) or self.s >= self.ladder.root_at(ask)

    @once
    def filled(self) -> HeldRange | None:
        """A limit position that the price has gone all the way through."""
        for held in self.ranges:
            if held.side is Side.BOTH:
                continue
            bought = held.side is Side.BID and self.s <= self.ladder.root_at(held.bid)
            sold = held.side is Side.ASK and self.s >= self.ladder.root_at(held.ask)
            if bought or sold:
                return held
        return None

    @once
    def idle(self) -> tuple[Decimal, Decimal]:
        """Base and quote outside of ranges, with the fees they are owed; smallest units."""
        wallet, fees0, fees1 = self.view.wallet, 0, 0
        for position in self.view.positions:
            fees0, fees1 = fees0 + position.fees0, fees1 + position.fees1
        base, quote = self.ladder.base_quote(wallet.amount0 + fees0, wallet.amount1 + fees1)
        return Decimal(base), Decimal(quote)

    @once
    def farthest(self) -> tuple[Decimal | None, Decimal | None]:
        """Roots of the lowest price to which ranges buy, and of the highest to which they sell."""
        bids = [held.bid for held in self.ranges if held.side is not Side.ASK]
        asks = [held.ask for held in self.ranges if held.side is not Side.BID]
        low = self.ladder.root_at(min(bids)) if bids else None
        return low, self.ladder.root_at(max(asks)) if asks else None

    @once
    def converted(self) -> tuple[Decimal | None, Decimal | None]:
        """The share of the base once the price has gone there, by arbitrage alone, of what is in
        the pool and in the wallet."""
        low, high = self.farthest
        return (
            None if low is None else self.share_at(min(low, self.s), *self.idle),
            None if high is None else self.share_at(max(high, self.s), *self.idle),
        )

    def share_at(self, s: Decimal, base: Decimal, quote: Decimal) -> Decimal:
        """The share of the base were ``s`` the square root of the price, by arbitrage alone, with
        so much of both (smallest units) outside of ranges."""
        for held in self.ranges:
            more = self.ladder.amounts(s, held.bid, held.ask, held.liquidity)
            base, quote = base + more[0], quote + more[1]
        value = base * s * s
        total = value + quote
        return value / total if total else ZERO


def held_ranges(view: ChainView, memory: Memory, ladder: Ladder) -> tuple[HeldRange, ...]:
    """Ranges with liquidity, lowest first."""
    if not view.positions:
        return ()
    opened = {seen.token_id: seen.sqrt_price_x96 for seen in memory.seen}
    grouped: dict[tuple[int, int], list[Position]] = {}
    for position in view.positions:
        if position.liquidity > 0:
            ticks = ladder.rungs(position.tick_lower, position.tick_upper)
            grouped.setdefault(ticks, []).append(position)
    ranges = []
    for bid, ask in sorted(grouped) if len(grouped) > 1 else grouped:
        positions = grouped[bid, ask]
        liquidity = positions[0].liquidity
        if len(positions) > 1:
            positions.sort(key=lambda p: (-p.liquidity, p.token_id))
            liquidity = Liquidity(sum([p.liquidity for p in positions]))
        price = opened.get(positions[0].token_id, view.pool.sqrt_price_x96)
        ranges.append(
            HeldRange(
                bid=bid,
                ask=ask,
                liquidity=liquidity,
                positions=tuple(positions),
                side=_side(ladder.sign, bid, ask, price),
            )
        )
    return tuple(ranges)


@lru_cache(maxsize=256)  # where a range was placed does not change
def _side(sign: int, bid: int, ask: int, sqrt_price_x96: int) -> Side:
    ladder = Ladder(sign, 1)
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
    widest = None
    for each in held:
        if each.side is Side.BOTH and (widest is None or each.liquidity > widest.liquidity):
            widest = each
    if widest is not None:
        return widest.bid, widest.ask
    low, high = min(r.bid for r in held), max(r.ask for r in held)
    width = high - low
    if all(r.side is Side.BID for r in held):
        return low, min(high + width, ladder.top)
    if all(r.side is Side.ASK for r in held):
        return max(low - width, -ladder.top), high
    return low, high
