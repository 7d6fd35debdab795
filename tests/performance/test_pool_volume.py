"""Volume is counted in quote, and fees are what liquidity keeps of them."""

from dataclasses import replace
from decimal import Decimal

import pytest
from fetch.fetch_loopback import node_double

from dexmm.chain.rpc.client import Rpc
from dexmm.errors import NodeError
from dexmm.model.market import Market, Token
from dexmm.performance.pool_volume import Flow, left_to_liquidity, measure_flow, tally
from dexmm.sandbox.market_simulation import paxg_usdt
from dexmm.sandbox.node.deploy import Deployment
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

    def price() -> int:
        return price_of(rpc, market)

    before = growth("0x46141319")
    liquidity = int(rpc.call("eth_call", [{"to": market.pool, "data": "0x1a686502"}, "latest"]), 16)
    # Small enough to stay between two ticks, so that one liquidity earned it all.
    mainnet.swap(zero_for_one=False, amount_in=10 * 10**6)
    flow = measure_flow(rpc, market, 68, head(), price())
    assert flow.swaps == 1
    assert flow.volume == 10
    earned = (growth("0x46141319") - before) * liquidity >> 128
    assert abs(flow.fees - to_decimal(earned, 6)) <= Decimal("0.000002")  # the pool rounds down


def price_of(rpc: Rpc, market: Market) -> int:
    answer = rpc.call("eth_call", [{"to": market.pool, "data": "0x3850c7bd"}, "latest"])
    return int(answer[2:66], 16)


@pytest.fixture
def traded(mainnet: Deployment) -> Deployment:
    """A hundred and thirty swaps of 10 USDT and back, and nothing after them."""
    for number in range(130):
        down = number % 2 == 1
        mainnet.swap(zero_for_one=down, amount_in=25 * 10**14 if down else 10 * 10**6)
    return mainnet


def flow_by(traded: Deployment, *urls: str) -> Flow:
    rpc, market = Rpc([traded.anvil.url]), paxg_usdt(traded)
    head = int(rpc.call("eth_blockNumber"), 16)
    return measure_flow(Rpc(urls), market, 68, head, price_of(rpc, market))


@pytest.mark.anvil
def test_a_node_that_cuts_its_logs_measures_the_same_volume(traded: Deployment) -> None:
    plain = flow_by(traded, traded.anvil.url)
    assert plain.swaps == 130
    with node_double(traded.anvil.url) as node:
        for newest in (False, True):
            node.cuts(100, newest=newest)
            assert flow_by(traded, node.url) == plain
            node.asked.clear()
        node.cuts(20)
        assert flow_by(traded, node.url) == plain
        assert len(node.asked) < 40
        node.asked.clear()
        answers = iter(range(1000))
        node.rewrites(lambda a: {**a, "result": a["result"] if next(answers) % 2 else None})
        assert flow_by(traded, node.url) == plain
        node.rewrites(
            lambda a: {**a, "result": [*a["result"], {**a["result"][0], "removed": True}]}
        )
        assert flow_by(traded, node.url) == plain


@pytest.mark.anvil
def test_swaps_that_are_left_out_are_no_measurement_and_the_next_node_is_asked(
    traded: Deployment,
) -> None:
    plain = flow_by(traded, traded.anvil.url)
    with node_double(traded.anvil.url) as node:
        for lost in (3, 1000):
            node.rewrites(lambda a, lost=lost: {**a, "result": a["result"][:-lost]})
            with pytest.raises(NodeError, match=f"{node.url} left out swaps of blocks 0 to"):
                flow_by(traded, node.url)
            assert flow_by(traded, node.url, traded.anvil.url) == plain
