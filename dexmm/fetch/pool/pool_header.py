"""What a file of a pool's events says about the pool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from dexmm.chain.observe.market import read_market
from dexmm.chain.rpc.abi import TOKEN0, Answer
from dexmm.chain.rpc.client import Reverted, Rpc, expect
from dexmm.chain.rpc.parsing import data
from dexmm.config.schema import Config, MarketSection, Network
from dexmm.errors import BadInput
from dexmm.model.market import Market, Token


def read_pool(rpc: Rpc, pool: str, chain_id: int) -> Market:
    """The pool and its tokens, vouched for by the factory that the pool names itself.

    Raises ``BadInput`` when it is no Uniswap v3 pool.
    """
    no_pool = f"{pool} is not a Uniswap v3 pool on chain {chain_id}: check --pool and the node"
    call = {"to": pool, "data": "0x" + TOKEN0().hex()}
    (answer,) = rpc.batch([("eth_call", [call, "latest"])])
    raw = b"" if isinstance(answer, Reverted) else data(expect(answer), "a pool's token")
    if not raw:
        raise BadInput(no_pool)
    section = MarketSection(
        pool=pool,
        base=Answer(raw, "a pool's token").address(0),
        price_low=Decimal(1),
        price_high=Decimal(2),
        # Neither is needed for reading, and a pool knows its factory as the manager does.
        position_manager=pool,
        swap_router=pool,
    )
    network = Network.model_construct(name="mainnet", chain_id=chain_id)
    try:
        config = Config.model_construct(network=network, market=section)
        return read_market(rpc, config, pool_only=True)
    except BadInput:
        raise BadInput(no_pool) from None


def pool_metadata(market: Market, base: str | None) -> dict[str, str]:
    """``base`` is the address of the token that the inventory is held in, where that is known."""
    found = {
        "dexmm.chain_id": str(market.chain_id),
        "dexmm.pool": market.pool,
        "dexmm.fee_pips": str(market.fee_pips),
        "dexmm.tick_spacing": str(market.tick_spacing),
        "dexmm.token0": _token(market.token0),
        "dexmm.token1": _token(market.token1),
    }
    if base in (market.token0.address, market.token1.address):
        found["dexmm.base_is_token0"] = json.dumps(base == market.token0.address)
    return found


def _token(token: Token) -> str:
    facts: Mapping[str, object] = {
        "address": token.address,
        "symbol": token.symbol,
        "decimals": token.decimals,
    }
    return json.dumps(facts)
