"""The 240 swaps of the v3-core specification."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest

from dexmm.uniswap.errors import PriceLimitOutOfBounds
from dexmm.uniswap.pool import Pool
from dexmm.units import price_from_sqrt

pytestmark = pytest.mark.data


def pool_for(case: dict[str, Any]) -> tuple[Pool, int, int]:
    """The case's pool, and the balances its mints gave it."""
    pool = Pool(case["fee"], case["tickSpacing"], timestamp=1_601_906_400)
    pool.initialize(int(case["sqrtPriceX96"]))
    minted = [
        pool.mint("minter", at["tickLower"], at["tickUpper"], int(at["liquidity"]))
        for at in case["positions"]
    ]
    return pool, sum(amount0 for amount0, _ in minted), sum(amount1 for _, amount1 in minted)


def shown(pool: Pool) -> Decimal:
    """The pool's price to the five digits the specification prints."""
    price = price_from_sqrt(pool.sqrt_price_x96, 0, 0, base_is_token0=True)
    return Context(prec=5, rounding=ROUND_HALF_UP).plus(price)


def test_each_case_gives_the_specified_integers(swap_cases: list[dict[str, Any]]) -> None:
    swapped = reverted = 0
    for case in swap_cases:
        pool, balance0, balance1 = pool_for(case)
        expected = case["expected"]
        assert pool.tick == expected["tickBefore"]
        growth = pool.fee_growth_global0_x128, pool.fee_growth_global1_x128
        limit = int(case["sqrtPriceLimitX96"]) if case["sqrtPriceLimitX96"] else None
        order = bool(case["zeroForOne"]), int(case["amountSpecified"]), limit
        assert shown(pool) == Decimal(expected["poolPriceBefore"])
        if "swapError" in expected:
            before = pool.state()
            assert expected["swapError"].endswith("revert SPL")
            with pytest.raises(PriceLimitOutOfBounds):
                pool.swap(*order)
            assert pool.state() == before
            assert (balance0, balance1) == (
                int(expected["poolBalance0"]),
                int(expected["poolBalance1"]),
            )
            reverted += 1
            continue
        assert pool.swap(*order) == (int(expected["amount0Delta"]), int(expected["amount1Delta"]))
        assert (balance0, balance1) == (
            int(expected["amount0Before"]),
            int(expected["amount1Before"]),
        )
        assert pool.tick == expected["tickAfter"]
        assert shown(pool) == Decimal(expected["poolPriceAfter"])
        assert (
            pool.fee_growth_global0_x128 - growth[0],
            pool.fee_growth_global1_x128 - growth[1],
        ) == (
            int(expected["feeGrowthGlobal0X128Delta"]),
            int(expected["feeGrowthGlobal1X128Delta"]),
        )
        swapped += 1
    assert (swapped, reverted) == (190, 50)
