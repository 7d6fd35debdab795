"""TickMath: ``sqrt(1.0001 ** tick)`` as Q64.96, and back, to the contract's last bit.

Forward, the contract multiplies one constant for each set bit of ``|tick|``, lowest bit first,
cutting to 128 bits after each. The products of the twelve lowest bits are therefore a prefix of
that computation and can be kept in a table without changing a bit; the eight bits above them
are multiplied as the contract does.

Backward, the contract takes a 14-bit binary logarithm and settles doubt by one forward
computation, so its answer is *the greatest tick whose ratio is at most the price*. A float
logarithm finds the same tick: its error is below 1e-8 ticks, and the grid of representable
prices is at its coarsest (at MIN_TICK) 5e-6 ticks wide. Within ``DOUBT`` of a whole tick the
forward computation decides; elsewhere there is nothing to decide.
"""

from __future__ import annotations

from math import floor, log2

from dexmm.uniswap.errors import SqrtPriceOutOfBounds, TickOutOfBounds
from dexmm.units import SqrtPriceX96, Tick

MIN_TICK = -887272
MAX_TICK = 887272
MIN_SQRT_RATIO = 4295128739
MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342

# sqrt(1.0001 ** -(2 ** i)) as Q128.128, from the contract.
_FACTORS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
_LOW_BITS = 12
_LOW_MASK = (1 << _LOW_BITS) - 1
_MAX_UINT256 = (1 << 256) - 1


def _low_ratios() -> list[int]:
    ratios = [1 << 128]
    # Bit after bit, so that each entry is its own lower bits times one more factor.
    for factor in _FACTORS[:_LOW_BITS]:
        ratios += [(ratio * factor) >> 128 for ratio in ratios]
    return ratios


def _high_factors(high: int) -> tuple[int, ...]:
    return tuple(factor for i, factor in enumerate(_FACTORS[_LOW_BITS:]) if high >> i & 1)


_LOW = _low_ratios()
_HIGH = tuple(_high_factors(high) for high in range((MAX_TICK >> _LOW_BITS) + 1))

_TICKS_PER_OCTAVE = 13863.63674682759  # of the square-root price: 2 / log2(1.0001)
_TICKS_AT_ONE = 96 * _TICKS_PER_OCTAVE
_DOUBT = 1e-5
_CERTAIN = 1 - _DOUBT


def get_sqrt_ratio_at_tick(tick: int) -> SqrtPriceX96:
    """``sqrt(1.0001 ** tick) * 2 ** 96``, rounded as the contract rounds. Reverts T."""
    distance = -tick if tick < 0 else tick
    if distance > MAX_TICK:
        raise TickOutOfBounds(tick=tick)
    ratio = _LOW[distance & _LOW_MASK]
    for factor in _HIGH[distance >> _LOW_BITS]:
        ratio = ratio * factor >> 128
    if tick > 0:
        ratio = _MAX_UINT256 // ratio
    return (ratio + 0xFFFFFFFF) >> 32  # type: ignore[return-value]  # a NewType call costs 40 ns


def get_tick_at_sqrt_ratio(sqrt_price_x96: int) -> Tick:
    """The greatest tick whose ratio is at most the price. Reverts R."""
    if not MIN_SQRT_RATIO <= sqrt_price_x96 < MAX_SQRT_RATIO:
        raise SqrtPriceOutOfBounds(sqrt_price_x96=sqrt_price_x96)
    real = log2(sqrt_price_x96) * _TICKS_PER_OCTAVE - _TICKS_AT_ONE
    tick = floor(real)
    if _DOUBT < real - tick < _CERTAIN:
        return tick  # type: ignore[return-value]  # as above
    nearest = round(real)
    above = get_sqrt_ratio_at_tick(nearest) <= sqrt_price_x96
    return nearest if above else nearest - 1  # type: ignore[return-value]


def min_usable_tick(tick_spacing: int) -> Tick:
    """The lowest tick on the pool's grid."""
    return Tick(-(MAX_TICK // tick_spacing) * tick_spacing)


def max_usable_tick(tick_spacing: int) -> Tick:
    """The highest tick on the pool's grid."""
    return Tick(MAX_TICK // tick_spacing * tick_spacing)
