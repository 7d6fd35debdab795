"""Makes pools, and puts other people's liquidity into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.funding import add_token_balance, token_balance
from dexmm.sim.chain.background_liquidity import (
    Layer,
    Stake,
    amounts_of,
    amounts_worth,
    layer_ticks,
    stake_ticks,
)

FACTORY = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
POSITION_MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
SWAP_ROUTER = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
NEVER = 2**64 - 1  # a deadline that no chain reaches
_MOST = 2**256 - 1
_SLOTS_PER_TRANSACTION = 500  # about 22,000 gas each
ETHER = 10**18


@dataclass(frozen=True, kw_only=True)
class PoolFacts:
    """What of a pool never changes, and where its price is."""

    token0: str
    token1: str
    fee_pips: int
    tick_spacing: int
    sqrt_price_x96: int
    tick: int


def pool_facts(anvil: Anvil, pool: str) -> PoolFacts:
    """Read at the latest block."""
    sqrt_price_x96, tick = _ask(anvil, pool, "slot0()", "uint160,int24")
    return PoolFacts(
        token0=_ask(anvil, pool, "token0()", "address")[0],
        token1=_ask(anvil, pool, "token1()", "address")[0],
        fee_pips=_ask(anvil, pool, "fee()", "uint24")[0],
        tick_spacing=_ask(anvil, pool, "tickSpacing()", "int24")[0],
        sqrt_price_x96=sqrt_price_x96,
        tick=tick,
    )


def create_pool(
    anvil: Anvil, maker: str, token_a: str, token_b: str, fee_pips: int, sqrt_price_x96: int
) -> str:
    """Create the pool and, unless ``sqrt_price_x96`` is 0, initialise it; returns its address."""
    anvil.set_balance(maker, 100 * ETHER)
    create = encode_call("createPool(address,address,uint24)", token_a, token_b, fee_pips)
    anvil.send_as(maker, FACTORY, create)
    find = encode_call("getPool(address,address,uint24)", token_a, token_b, fee_pips)
    pool = str(decode_answer("address", anvil.call(FACTORY, find))[0])
    if sqrt_price_x96:
        anvil.send_as(maker, pool, encode_call("initialize(uint160)", sqrt_price_x96))
    return str(to_checksum_address(pool))


def set_fee_protocol(anvil: Anvil, pool: str, denominator: int) -> None:
    """The factory's owner takes ``1/denominator`` of both tokens' swap fees; 0 for nothing."""
    owner = _ask(anvil, FACTORY, "owner()", "address")[0]
    anvil.set_balance(owner, ETHER)
    data = encode_call("setFeeProtocol(uint8,uint8)", denominator, denominator)
    anvil.send_as(owner, pool, data)


def enable_fee(anvil: Anvil, fee_pips: int, tick_spacing: int) -> None:
    """The factory's owner allows another tier, as mainnet's did with 100 and a spacing of 1."""
    owner = _ask(anvil, FACTORY, "owner()", "address")[0]
    anvil.set_balance(owner, ETHER)
    anvil.send_as(
        owner, FACTORY, encode_call("enableFeeAmount(uint24,int24)", fee_pips, tick_spacing)
    )


def grow_observations(anvil: Anvil, maker: str, pool: str, cardinality: int) -> None:
    """Pay for oracle slots up to ``cardinality``; they fill as the pool is used."""
    anvil.set_balance(maker, 100 * ETHER)
    slot0 = "uint160,int24,uint16,uint16,uint16"
    have = _ask(anvil, pool, "slot0()", slot0)[4]
    while have < cardinality:
        have = min(have + _SLOTS_PER_TRANSACTION, cardinality)
        data = encode_call("increaseObservationCardinalityNext(uint16)", have)
        anvil.send_as(maker, pool, data)


def mint_position(
    anvil: Anvil,
    owner: str,
    pool: str,
    tick_lower: int,
    tick_upper: int,
    amount0: int,
    amount1: int,
) -> int:
    """Fund ``owner``, mint a position through the NFT manager, and return its token id."""
    facts = pool_facts(anvil, pool)
    anvil.set_balance(owner, max(anvil.balance(owner), ETHER))
    for token, units in ((facts.token0, amount0), (facts.token1, amount1)):
        missing = units - token_balance(anvil, token, owner)
        if missing > 0:
            add_token_balance(anvil, token, owner, missing)
        approve(anvil, owner, token, POSITION_MANAGER, units)
    parameters = (
        facts.token0, facts.token1, facts.fee_pips, tick_lower, tick_upper,
        amount0, amount1, 0, 0, owner, NEVER,
    )  # fmt: skip
    signature = (
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    )
    receipt = anvil.send_as(owner, POSITION_MANAGER, encode_call(signature, parameters))
    return _minted(receipt)


def swap(
    anvil: Anvil,
    trader: str,
    pool: str,
    *,
    zero_for_one: bool,
    amount_in: int,
    sqrt_price_limit_x96: int = 0,
) -> int:
    """Fund ``trader``, swap exactly ``amount_in`` through the SwapRouter; the amount received."""
    facts = pool_facts(anvil, pool)
    token_in, token_out = facts.token0, facts.token1
    if not zero_for_one:
        token_in, token_out = token_out, token_in
    anvil.set_balance(trader, max(anvil.balance(trader), ETHER))
    missing = amount_in - token_balance(anvil, token_in, trader)
    if missing > 0:
        add_token_balance(anvil, token_in, trader, missing)
    approve(anvil, trader, token_in, SWAP_ROUTER, amount_in)
    before = token_balance(anvil, token_out, trader)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    parameters = (
        token_in, token_out, facts.fee_pips, trader, NEVER, amount_in, 0, sqrt_price_limit_x96,
    )  # fmt: skip
    anvil.send_as(trader, SWAP_ROUTER, encode_call(signature, parameters))
    return token_balance(anvil, token_out, trader) - before


def approve(anvil: Anvil, owner: str, token: str, spender: str, units: int) -> None:
    """Let ``spender`` take at least ``units``; through zero, because USDT insists."""
    ask = encode_call("allowance(address,address)", owner, spender)
    (have,) = decode_answer("uint256", anvil.call(token, ask))
    if have >= units:
        return
    if have > 0:
        anvil.send_as(owner, token, encode_call("approve(address,uint256)", spender, 0))
    anvil.send_as(owner, token, encode_call("approve(address,uint256)", spender, _MOST))


def add_layer(anvil: Anvil, pool: str, layer: Layer, decimals1: int) -> int:
    """Mint one layer of background liquidity around the pool's price; returns its token id."""
    facts = pool_facts(anvil, pool)
    lower, upper = layer_ticks(facts.sqrt_price_x96, facts.tick_spacing, layer.width_bp)
    units = int(layer.value.scaleb(decimals1))
    amount0, amount1 = amounts_worth(facts.sqrt_price_x96, lower, upper, units)
    return mint_position(anvil, layer.owner, pool, lower, upper, amount0, amount1)


def add_stake(anvil: Anvil, pool: str, stake: Stake) -> None:
    """Mint other people's liquidity at the pool's price; nothing where the grid is too coarse."""
    facts = pool_facts(anvil, pool)
    lower, upper = stake_ticks(facts.sqrt_price_x96, facts.tick_spacing, stake)
    if lower < upper:
        amounts = amounts_of(facts.sqrt_price_x96, lower, upper, stake.liquidity)
        mint_position(anvil, stake.owner, pool, lower, upper, *amounts)


def _minted(receipt: dict[str, Any]) -> int:
    """The id in the ERC-721 Transfer: the only log of the manager with four topics."""
    for log in receipt["logs"]:
        if log["address"].lower() == POSITION_MANAGER.lower() and len(log["topics"]) == 4:
            return int(log["topics"][3], 16)
    raise AssertionError("a successful mint emits a Transfer")


def _ask(anvil: Anvil, target: str, signature: str, types: str) -> tuple[Any, ...]:
    return decode_answer(types, anvil.call(target, encode_call(signature)))
