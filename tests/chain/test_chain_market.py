"""The market's facts, and one clear sentence for each way in which they can be wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dexmm.chain.observe.market import read_market
from dexmm.chain.rpc.client import Rpc
from dexmm.errors import BadInput
from dexmm.sandbox.node.deploy import QUOTER, QUOTER_V2
from dexmm.sandbox.node.pools import FACTORY, POSITION_MANAGER, SWAP_ROUTER
from dexmm.units import sqrt_from_price

pytestmark = pytest.mark.anvil


def market(world: Any, **overrides: Any) -> Any:
    return read_market(Rpc([world.mainnet.anvil.url]), world.config(market=overrides))


def test_the_real_market(world: Any) -> None:
    found = market(world)
    assert (found.token0.symbol, found.token0.decimals) == ("PAXG", 18)
    assert (found.token1.symbol, found.token1.decimals) == ("USDT", 6)
    assert (found.fee_pips, found.tick_spacing) == (500, 10)
    assert found.base_is_token0
    assert market(world, base=world.mainnet.token1).base.symbol == "USDT"


def test_it_takes_two_requests(world: Any, proxy: Any) -> None:
    read_market(Rpc([proxy.url]), world.config())
    assert len(proxy.requests) == 2


def test_a_symbol_in_bytes32_or_none_at_all(world: Any) -> None:
    mainnet = world.mainnet
    named = mainnet.create_token("LONG" * 20, 4)
    token = mainnet.create_token("X", 9)
    pool = mainnet.create_pool(named, token, 500, 2**96)
    found = market(world, pool=pool, base=named)
    assert found.base.symbol == ("LONG" * 20)[:32]
    mainnet.anvil.set_code(token, bytes32_symbol_token("MKR", 9))
    assert market(world, pool=pool, base=named).quote.symbol == "MKR"
    mainnet.anvil.set_code(token, bytes32_symbol_token("\x1b[2J", 9))
    assert market(world, pool=pool, base=named).quote.symbol.startswith(token[:6])
    mainnet.anvil.set_code(token, bytes32_symbol_token("MKR", 78))
    with pytest.raises(BadInput, match="78 decimals"):
        market(world, pool=pool, base=named)
    mainnet.anvil.set_code(token, bytes.fromhex("60006000fd"))
    with pytest.raises(BadInput, match="does not tell its decimals"):
        market(world, pool=pool, base=named)


def bytes32_symbol_token(symbol: str, decimals: int) -> bytes:
    """Code that answers ``symbol()`` with a bytes32 and everything else with ``decimals``."""
    answer = "60005260206000f3"  # mstore at 0, return 32 bytes
    ask = "60003560e01c6395d89b41146019"  # is the selector that of symbol()? jump to 0x19
    plain = f"60{decimals:02x}{answer}"
    named = f"5b7f{symbol.encode().ljust(32, bytes(1)).hex()}{answer}"
    code = bytes.fromhex(f"{ask}57{plain}{named}")
    assert code[0x19] == 0x5B
    return code


def test_addresses_without_code(world: Any) -> None:
    for key in ("pool", "position_manager", "swap_router"):
        with pytest.raises(BadInput, match=rf"no contract at market\.{key} {world.owner}"):
            market(world, **{key: world.owner})


def test_a_contract_that_is_no_pool(world: Any) -> None:
    for other in (FACTORY, SWAP_ROUTER, world.mainnet.token0):
        with pytest.raises(BadInput, match="is not a Uniswap v3 pool"):
            market(world, pool=other)


def test_a_position_manager_that_is_none(world: Any) -> None:
    """Some of these name the factory, as the manager does."""
    mainnet = world.mainnet
    for other in (mainnet.token0, mainnet.pool, SWAP_ROUTER, QUOTER, QUOTER_V2, FACTORY):
        with pytest.raises(
            BadInput, match=rf"market\.position_manager {other} is not Uniswap v3's"
        ):
            market(world, position_manager=other)


def test_a_router_that_is_none(world: Any) -> None:
    for other in (world.mainnet.token0, FACTORY):
        with pytest.raises(BadInput, match=rf"market\.swap_router {other} is not a Uniswap v3"):
            market(world, swap_router=other)


def test_a_pool_without_a_price(world: Any) -> None:
    mainnet = world.mainnet
    pool = mainnet.create_pool(mainnet.token0, mainnet.token1, 10_000, 0)
    with pytest.raises(BadInput, match="has no price yet"):
        market(world, pool=pool)


def test_a_base_that_the_pool_does_not_hold(world: Any) -> None:
    with pytest.raises(BadInput, match="is not a token of the pool"):
        market(world, base=POSITION_MANAGER)


def test_a_pool_of_another_factory(world: Any) -> None:
    """The same code at an address that the factory does not know."""
    mainnet = world.mainnet
    price = sqrt_from_price(Decimal(4000), 18, 6, base_is_token0=True)
    real = mainnet.create_pool(mainnet.token0, mainnet.token1, 3000, price)
    twin = "0x" + "5" * 40
    mainnet.anvil.set_code(twin, mainnet.anvil.code(real))
    mainnet.anvil.set_storage(twin, 0, price)
    with pytest.raises(BadInput, match="was not made by the factory"):
        market(world, pool=twin)
