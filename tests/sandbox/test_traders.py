"""The arbitrageur stops exactly at the edge of what pays, on the real bytecode."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dexmm.model.market import Market, Token
from dexmm.sandbox.market_simulation import paxg_usdt
from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sandbox.node.pools import approve, pool_facts
from dexmm.sandbox.node.router import swap_calldata
from dexmm.sim.agents.noise_flow import NoiseTrade
from dexmm.sim.agents.traders import (
    ArbitrageCosts,
    PoolSwap,
    arbitrage,
    no_arbitrage_interval,
    noise,
    reluctance,
)
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import max_usable_tick

GOLD = Token(address="0x45804880De22913dAFE09f4980848ECE6EcbAf78", symbol="PAXG", decimals=18)
DOLLAR = Token(address="0xdAC17F958D2ee523a2206206994597C13D831ec7", symbol="USDT", decimals=6)
MARKET = Market(
    chain_id=1,
    pool="0x7Cb85f75e61226060453a997a7733F76707Df337",
    position_manager="0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    swap_router="0xE592427A0AEce92De3Edee1F18E0157C05861564",
    token0=GOLD,
    token1=DOLLAR,
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)
MIRRORED = replace(MARKET, token0=DOLLAR, token1=GOLD, base_is_token0=False)
FAIR = Decimal(4000)
FEE = Decimal("0.0005")


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
def test_the_interval_is_the_fee_on_both_sides(market: Market) -> None:
    prices = sorted(market.price(sqrt) for sqrt in no_arbitrage_interval(market, FAIR))
    assert prices[0] == pytest.approx(FAIR * (1 - FEE), rel=Decimal("1e-15"))
    assert prices[1] == pytest.approx(FAIR / (1 - FEE), rel=Decimal("1e-15"))


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
def test_inside_the_interval_nothing_pays(market: Market) -> None:
    for offset in (Decimal("-0.0004"), Decimal(0), Decimal("0.0004")):
        assert arbitrage(market, market.sqrt_price_x96(FAIR * (1 + offset)), FAIR) is None


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
@pytest.mark.parametrize("offset", ["-0.05", "-0.0006", "0.0006", "0.05"])
def test_outside_it_the_swap_ends_at_the_nearer_edge(market: Market, offset: str) -> None:
    sqrt_price_x96 = market.sqrt_price_x96(FAIR * (1 + Decimal(offset)))
    swap = arbitrage(market, sqrt_price_x96, FAIR)
    assert swap is not None
    sells_base = Decimal(offset) > 0
    assert swap.zero_for_one == (sells_base == market.base_is_token0)
    edge = FAIR / (1 - FEE) if sells_base else FAIR * (1 - FEE)
    assert market.price(swap.sqrt_price_limit_x96) == pytest.approx(edge, rel=Decimal("1e-15"))
    # the router refuses a limit on the wrong side of the price
    assert (swap.sqrt_price_limit_x96 < sqrt_price_x96) == swap.zero_for_one


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
def test_the_exchange_s_fee_widens_the_interval(market: Market) -> None:
    costs = ArbitrageCosts(exchange_fee_pips=200)
    found = sorted(market.price(sqrt) for sqrt in no_arbitrage_interval(market, FAIR, costs))
    there = Decimal("0.0002")
    assert found[0] == pytest.approx(FAIR * (1 - FEE) * (1 - there), rel=Decimal("1e-15"))
    assert found[1] == pytest.approx(FAIR * (1 + there) / (1 - FEE), rel=Decimal("1e-15"))
    near, far = (market.sqrt_price_x96(FAIR * Decimal(over)) for over in ("1.0006", "1.0008"))
    assert arbitrage(market, near, FAIR, 1, costs) is None
    assert arbitrage(market, far, FAIR, 1, costs)


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
@pytest.mark.parametrize("offset", ["-0.004", "0.004"])
def test_a_swap_that_earns_less_than_its_transaction_waits(market: Market, offset: str) -> None:
    """What it earns is worked out here from the two curves, and once more by the pool."""
    pool = Pool(market.fee_pips, market.tick_spacing, timestamp=1)
    pool.initialize(market.sqrt_price_x96(FAIR * (1 + Decimal(offset))))
    top = max_usable_tick(market.tick_spacing)
    pool.mint("others", -top, top, 10**17)
    price, liquidity = pool.sqrt_price_x96, pool.liquidity
    swap = arbitrage(market, price, FAIR)
    assert swap is not None
    received = pool.swap(swap.zero_for_one, swap.amount_in, swap.sqrt_price_limit_x96)
    base, quote = received if market.base_is_token0 else received[::-1]
    earned = -(Decimal(base).scaleb(-18) * FAIR + Decimal(quote).scaleb(-6))
    assert earned > 1
    for part, goes in (("0.98", True), ("1.02", False)):
        costs = ArbitrageCosts(transaction=earned * Decimal(part))
        assert (arbitrage(market, price, FAIR, liquidity, costs) is not None) == goes
        further = Decimal(repr(reluctance(market, price, liquidity, costs)))
        beyond = abs(Decimal(offset)) - FEE
        assert Decimal("0.85") * beyond < further < beyond


@pytest.mark.parametrize("market", [MARKET, MIRRORED])
def test_noise_pays_with_what_it_sells_and_never_more_than_its_slippage(market: Market) -> None:
    sqrt_price_x96 = market.sqrt_price_x96(FAIR)
    buy = noise(market, NoiseTrade(at=0, base=Decimal("0.5"), buys_base=True), sqrt_price_x96)
    sell = noise(market, NoiseTrade(at=0, base=Decimal("0.5"), buys_base=False), sqrt_price_x96)
    assert buy.amount_in == pytest.approx(2_000_000_000, abs=1)
    assert sell.amount_in == 5 * 10**17
    assert market.price(buy.sqrt_price_limit_x96) == pytest.approx(4080, rel=Decimal("1e-12"))
    assert market.price(sell.sqrt_price_limit_x96) == pytest.approx(3920, rel=Decimal("1e-12"))
    assert (buy.sqrt_price_limit_x96 < sqrt_price_x96) == buy.zero_for_one
    assert (sell.sqrt_price_limit_x96 < sqrt_price_x96) == sell.zero_for_one


def send(mainnet: Deployment, swap: PoolSwap) -> int:
    """Through the real router; the pool's square-root price afterwards."""
    trader = account("test trader")
    mainnet.fund_wallet(trader, eth=Decimal(1), paxg=Decimal(10_000), usdt=Decimal(10**8))
    market = paxg_usdt(mainnet)
    for token in (market.token0.address, market.token1.address):
        approve(mainnet.anvil, trader, token, market.swap_router, 2**200)
    mainnet.anvil.send_as(trader, market.swap_router, swap_calldata(market, swap, trader))
    return pool_facts(mainnet.anvil, mainnet.pool).sqrt_price_x96


@pytest.mark.anvil
@pytest.mark.parametrize("fair", ["3900", "3995", "4005", "4150"])
def test_the_pool_lands_on_the_edge_to_the_unit(mainnet: Deployment, fair: str) -> None:
    market = paxg_usdt(mainnet)
    before = pool_facts(mainnet.anvil, mainnet.pool).sqrt_price_x96
    swap = arbitrage(market, before, Decimal(fair))
    assert swap is not None
    after = send(mainnet, swap)
    assert after == swap.sqrt_price_limit_x96
    assert after in no_arbitrage_interval(market, Decimal(fair))
    assert arbitrage(market, after, Decimal(fair)) is None


@pytest.mark.anvil
def test_noise_moves_the_pool_its_way(mainnet: Deployment) -> None:
    market = paxg_usdt(mainnet)
    before = pool_facts(mainnet.anvil, mainnet.pool).sqrt_price_x96
    bought = send(mainnet, noise(market, NoiseTrade(at=0, base=Decimal(1), buys_base=True), before))
    assert market.price(bought) > market.price(before)
    sold = send(mainnet, noise(market, NoiseTrade(at=0, base=Decimal(2), buys_base=False), bought))
    assert market.price(sold) < market.price(before)
