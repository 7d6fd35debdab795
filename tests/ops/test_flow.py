"""Volume is counted in quote, and fees are what liquidity keeps of them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from dexmm.chain.rpc import Rpc
from dexmm.model.market import Market, Token
from dexmm.ops.flow import Flow, left_to_liquidity, measure_flow, tally
from dexmm.sandbox.mainnet import Deployment
from dexmm.sandbox.world import paxg_usdt
from dexmm.units import to_decimal

MARKET = Market(
    chain_id=1,
    pool="0x" + "33" * 20,
    position_manager="0x" + "44" * 20,
    swap_router="0x" + "55" * 20,
    token0=Token(address="0x" + "11" * 20, symbol="PAXG", decimals=18),
    token1=Token(address="0x" + "22" * 20, symbol="USDT", decimals=6),
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)


def test_a_day_of_swaps() -> None:
    swaps = [(10**18, -4000 * 10**6), (-(10**18), 4000 * 10**6)]
    flow = tally(swaps, MARKET, 68, blocks=100, seconds=43_200)
    assert (flow.swaps, flow.volume, flow.fees) == (2, 8000, 3)  # 0.05 % less a quarter
    assert flow.per_day(flow.fees) == 6


def test_the_quote_may_be_token0() -> None:
    mirrored = replace(MARKET, token0=MARKET.token1, token1=MARKET.token0, base_is_token0=False)
    flow = tally([(-4000 * 10**6, 10**18)], mirrored, 0, blocks=1, seconds=1)
    assert (flow.volume, flow.fees) == (4000, 2)


@pytest.mark.parametrize(
    ("fee_protocol", "token0_in", "token1_in"),
    [
        (0, "1", "1"),
        (68, "0.75", "0.75"),
        (4, "0.75", "1"),
        (4 << 4, "1", "0.75"),
        (165, "0.8", "0.9"),
    ],
)
def test_what_liquidity_keeps(fee_protocol: int, token0_in: str, token1_in: str) -> None:
    assert left_to_liquidity(fee_protocol, zero_for_one=True) == Decimal(token0_in)
    assert left_to_liquidity(fee_protocol, zero_for_one=False) == Decimal(token1_in)


def test_no_time_says_nothing() -> None:
    flow = Flow(blocks=1, seconds=0, swaps=1, volume=Decimal(1), fees=Decimal(1))
    assert flow.per_day(flow.volume) == 0


@pytest.mark.anvil
def test_the_chain_s_own_events_give_the_fee_growth_of_the_pool(mainnet: Deployment) -> None:
    rpc = Rpc([mainnet.anvil.url])
    market = paxg_usdt(mainnet)

    def head() -> int:
        return int(rpc.call("eth_blockNumber"), 16)

    def growth(selector: str) -> int:
        return int(rpc.call("eth_call", [{"to": market.pool, "data": selector}, "latest"]), 16)

    before = growth("0x46141319")
    liquidity = int(rpc.call("eth_call", [{"to": market.pool, "data": "0x1a686502"}, "latest"]), 16)
    # Small enough to stay between two ticks, so that one liquidity earned it all.
    mainnet.swap(zero_for_one=False, amount_in=10 * 10**6)
    flow = measure_flow(rpc, market, 68, head())
    assert flow.swaps == 1
    assert flow.volume == 10
    earned = (growth("0x46141319") - before) * liquidity >> 128
    assert abs(flow.fees - to_decimal(earned, 6)) <= Decimal("0.000002")  # the pool rounds down
