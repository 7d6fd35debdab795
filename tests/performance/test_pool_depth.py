"""The depth is what a real swap needs: bring that much, and the price has moved that far."""

from decimal import Decimal

import pytest

from dexmm.model.market import Market, Token
from dexmm.performance.pool_depth import measure_depth
from dexmm.uniswap.pool import Pool
from dexmm.units import to_units_up

ONE = Token(address="0x" + "11" * 20, symbol="AAA", decimals=18)
TWO = Token(address="0x" + "22" * 20, symbol="BBB", decimals=6)


def market(base_is_token0: bool) -> Market:
    return Market(
        chain_id=1,
        pool="0x" + "33" * 20,
        position_manager="0x" + "44" * 20,
        swap_router="0x" + "55" * 20,
        token0=ONE,
        token1=TWO,
        base_is_token0=base_is_token0,
        fee_pips=500,
        tick_spacing=10,
    )


def opened(price: Decimal, here: Market) -> Pool:
    pool = Pool(500, 10, timestamp=1_700_000_000)
    pool.initialize(here.sqrt_price_x96(price))
    middle = pool.tick // 10 * 10
    for width, liquidity in ((20, 10**16), (100, 3 * 10**16), (2000, 10**16)):
        pool.mint("lp", middle - width, middle + width, liquidity)
    return pool


@pytest.mark.parametrize("base_is_token0", [True, False])
@pytest.mark.parametrize("move_bp", [10, 100, 500])
def test_bringing_the_depth_moves_the_price_exactly_so_far(
    base_is_token0: bool, move_bp: int
) -> None:
    here = market(base_is_token0)
    price = Decimal(4000) if base_is_token0 else Decimal(1) / 4000
    pool = opened(price, here)
    price = here.price(pool.sqrt_price_x96)
    depth = measure_depth(pool.state(), here, price, move_bp)
    for brought, token, buying in (
        (depth.quote_up, here.quote, True),
        (depth.base_down, here.base, False),
    ):
        moved = pool.copy()
        moved.swap(
            (token is here.token0),
            to_units_up(brought, token.decimals),
        )
        change = here.price(moved.sqrt_price_x96) / price - 1
        wanted = Decimal(move_bp) / 10_000 * (1 if buying else -1)
        assert abs(change - wanted) < Decimal("0.000001")  # a smallest unit of either token


def test_nothing_for_sale_costs_nothing_to_move() -> None:
    here = market(True)
    pool = Pool(500, 10, timestamp=1_700_000_000)
    pool.initialize(here.sqrt_price_x96(Decimal(4000)))
    depth = measure_depth(pool.state(), here, Decimal(4000), 100)
    assert depth.quote_up == depth.base_down == 0
