"""One orientation for all of the mathematics: a ladder whose rungs rise with the price.

Price to people is quote per base. Where the base is token0 that is the pool's own price and a
rung is a tick; where it is token1 it is the inverse and a rung is the tick's negative. Everything
above this file is written once, in rungs, base and quote, and is therefore the same decision in a
market and in its mirror image.

    s      square root of the price, quote per base, both in smallest units
    rung   floor of log(price) / log(1.0001); a range is (bid, ask) with bid < ask
    L      liquidity: base = L (1/s - 1/s_ask), quote = L (s - s_bid)
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache

from dexmm.decimal_context import precise
from dexmm.model.holdings import Position
from dexmm.model.market import Market
from dexmm.uniswap.tick_math import (
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
    max_usable_tick,
)
from dexmm.units import PRICE, Q96, Tick

Q96_DECIMAL = Decimal(Q96)


@dataclass(frozen=True, slots=True)
class Ladder:
    sign: int  # 1 where the base is token0, -1 where it is token1
    spacing: int  # rungs between the ones a range may end on

    @classmethod
    def of(cls, market: Market) -> Ladder:
        return _ladder(1 if market.base_is_token0 else -1, market.tick_spacing)

    @property
    def top(self) -> int:
        """The highest rung a range may end on; the lowest is its negative."""
        return max_usable_tick(self.spacing)

    def root(self, sqrt_price_x96: int) -> Decimal:
        """``s`` of a pool's price; 50 significant digits."""
        return _root(self.sign, sqrt_price_x96)

    def root_at(self, rung: int) -> Decimal:
        """``s`` at a rung; 50 significant digits."""
        return _root_at(self.sign, rung)

    def amounts(self, s: Decimal, bid: int, ask: int, liquidity: int) -> tuple[Decimal, Decimal]:
        """Base and quote of so much liquidity over a range; 50 significant digits."""
        return _amounts(self.sign, s, bid, ask, liquidity)

    def floor(self, sqrt_price_x96: int) -> int:
        """The highest rung at or below the price."""
        tick = get_tick_at_sqrt_ratio(sqrt_price_x96)
        return tick if self.sign > 0 else -_tick_above(sqrt_price_x96, tick)

    def ceiling(self, sqrt_price_x96: int) -> int:
        """The lowest rung at or above the price."""
        tick = get_tick_at_sqrt_ratio(sqrt_price_x96)
        return _tick_above(sqrt_price_x96, tick) if self.sign > 0 else -tick

    def down(self, rung: int) -> int:
        """The highest usable rung at or below ``rung``."""
        return max(rung // self.spacing * self.spacing, -self.top)

    def up(self, rung: int) -> int:
        """The lowest usable rung at or above ``rung``; the mirror image of ``down``."""
        return -self.down(-rung)

    def ticks(self, bid: int, ask: int) -> tuple[Tick, Tick]:
        """A range as the pool wants it: ``(tick_lower, tick_upper)``."""
        return (Tick(bid), Tick(ask)) if self.sign > 0 else (Tick(-ask), Tick(-bid))

    def rungs(self, tick_lower: int, tick_upper: int) -> tuple[int, int]:
        """``(bid, ask)`` of a range of the pool."""
        return (tick_lower, tick_upper) if self.sign > 0 else (-tick_upper, -tick_lower)

    def range_of(self, position: Position) -> tuple[int, int]:
        return self.rungs(position.tick_lower, position.tick_upper)

    def base_quote(self, amount0: int, amount1: int) -> tuple[int, int]:
        """Amounts by token as ``(base, quote)``, smallest units."""
        return (amount0, amount1) if self.sign > 0 else (amount1, amount0)


@lru_cache(maxsize=256)
def _ladder(sign: int, spacing: int) -> Ladder:
    return Ladder(sign, spacing)


@lru_cache(maxsize=256)
def _root(sign: int, sqrt_price_x96: int) -> Decimal:
    ratio = Decimal(sqrt_price_x96)
    return PRICE.divide(ratio, Q96_DECIMAL) if sign > 0 else PRICE.divide(Q96_DECIMAL, ratio)


@lru_cache(maxsize=4096)  # a turn asks for the same few rungs over and over
def _root_at(sign: int, rung: int) -> Decimal:
    return _root(sign, get_sqrt_ratio_at_tick(sign * rung))


def _tick_above(sqrt_price_x96: int, tick: int) -> int:
    return tick if get_sqrt_ratio_at_tick(tick) == sqrt_price_x96 else tick + 1


def amounts_per_liquidity(s: Decimal, s_bid: Decimal, s_ask: Decimal) -> tuple[Decimal, Decimal]:
    """Base and quote that one unit of liquidity over a range holds at the price ``s``."""
    inside = min(max(s, s_bid), s_ask)
    return 1 / inside - 1 / s_ask, inside - s_bid


@lru_cache(maxsize=1024)  # at the edges of what is held they are the same in every turn
@precise
def _amounts(sign: int, s: Decimal, bid: int, ask: int, liquidity: int) -> tuple[Decimal, Decimal]:
    base, quote = amounts_per_liquidity(s, _root_at(sign, bid), _root_at(sign, ask))
    return base * liquidity, quote * liquidity


def affordable(
    s: Decimal, s_bid: Decimal, s_ask: Decimal, base: Decimal, quote: Decimal
) -> Decimal:
    """The most liquidity that both amounts can pay for at ``s``. Never negative."""
    base_each, quote_each = amounts_per_liquidity(s, s_bid, s_ask)
    limits = [base / base_each] if base_each > 0 else []
    limits += [quote / quote_each] if quote_each > 0 else []
    return max(min(limits), Decimal(0))


def whole(liquidity: Decimal) -> int:
    """Liquidity as the pool counts it, rounded so that no budget is exceeded."""
    return int(liquidity.to_integral_value(ROUND_FLOOR))
