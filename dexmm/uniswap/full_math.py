"""FullMath and SafeCast: products with a 512-bit middle, and casts that revert.

All numbers are unsigned 256-bit integers unless a name says otherwise.
"""

from __future__ import annotations

from dexmm.uniswap.errors import ArithmeticOverflow, DivisionByZero

Q32 = 1 << 32
Q96 = 1 << 96
Q128 = 1 << 128
Q160 = 1 << 160
Q256 = 1 << 256
MAX_UINT128 = Q128 - 1
MAX_UINT160 = Q160 - 1
MAX_UINT256 = Q256 - 1
MAX_INT128 = (1 << 127) - 1


def mul_div(a: int, b: int, denominator: int) -> int:
    """``a * b / denominator`` rounded down. Reverts on zero or beyond 256 bits."""
    if denominator == 0:
        raise DivisionByZero(a=a, b=b)
    result = a * b // denominator
    if not 0 <= result <= MAX_UINT256:
        raise ArithmeticOverflow(a=a, b=b, denominator=denominator)
    return result


def mul_div_rounding_up(a: int, b: int, denominator: int) -> int:
    """``a * b / denominator`` rounded up. Reverts on zero or beyond 256 bits."""
    if denominator == 0:
        raise DivisionByZero(a=a, b=b)
    result = -(-a * b // denominator)
    if not 0 <= result <= MAX_UINT256:
        raise ArithmeticOverflow(a=a, b=b, denominator=denominator)
    return result


def div_rounding_up(x: int, y: int) -> int:
    """``x / y`` rounded up; the EVM's division gives 0 for a zero divisor, and so does this."""
    return -(-x // y) if y else 0


def to_uint128(value: int) -> int:
    """The value itself. Reverts when it does not fit 128 bits."""
    if not 0 <= value <= MAX_UINT128:
        raise ArithmeticOverflow(value=value, bits=128)
    return value


def to_uint160(value: int) -> int:
    """The value itself. Reverts when it does not fit 160 bits."""
    if not 0 <= value <= MAX_UINT160:
        raise ArithmeticOverflow(value=value, bits=160)
    return value


def wrap_signed(value: int, bits: int) -> int:
    """The value an ``int<bits>`` holds after unchecked arithmetic."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half
