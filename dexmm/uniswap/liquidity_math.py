"""LiquidityMath: liquidity plus a signed change."""

from __future__ import annotations

from dexmm.uniswap.errors import LiquidityOverflow, LiquidityUnderflow
from dexmm.uniswap.full_math import MAX_UINT128


def add_delta(liquidity: int, delta: int) -> int:
    """``liquidity + delta``. Reverts LS below zero and LA beyond 128 bits."""
    result = liquidity + delta
    if result < 0:
        raise LiquidityUnderflow(liquidity=liquidity, delta=delta)
    if result > MAX_UINT128:
        raise LiquidityOverflow(liquidity=liquidity, delta=delta)
    return result
