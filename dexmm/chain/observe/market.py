"""What never changes about the configured pool, read from the pool itself, once."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from dexmm.chain.rpc.abi import (
    DECIMALS,
    FACTORY,
    FEE,
    GET_POOL,
    SLOT0,
    SUPPORTS_INTERFACE,
    SYMBOL,
    TICK_SPACING,
    TOKEN0,
    TOKEN1,
    WORD,
    Answer,
)
from dexmm.chain.rpc.client import Request, Reverted, Rpc, RpcError, expect
from dexmm.chain.rpc.parsing import data
from dexmm.config.schema import Config, MarketSection
from dexmm.errors import BadInput
from dexmm.model.market import Market, Token

LONGEST_SYMBOL = 32  # characters shown: a token may call itself whatever it likes
ENUMERABLE = 0x780E9D63 << 224  # ERC721Enumerable, by which positions are found
MOST_DECIMALS = 77  # 10 ** 78 does not fit a word


def read_market(rpc: Rpc, config: Config, *, pool_only: bool = False) -> Market:
    """Two requests. Raises ``BadInput`` with the one thing that is wrong with the configuration.

    ``pool_only``: neither the position manager nor the router will be used.
    """
    section = config.market
    pool = section.pool
    answers = rpc.batch(
        [
            _code(pool),
            _code(section.position_manager),
            _code(section.swap_router),
            *(_call(pool, read()) for read in (SLOT0, TOKEN0, TOKEN1, FEE, TICK_SPACING)),
            _call(section.position_manager, FACTORY()),
            _call(section.position_manager, SUPPORTS_INTERFACE(ENUMERABLE)),
            _call(section.swap_router, FACTORY()),
        ]
    )
    _require_code(section, answers[:3], config.network.name)
    not_a_pool = f"market.pool {pool} is not a Uniswap v3 pool"
    slot0, token0, token1, fee, spacing = (_words(each, not_a_pool) for each in answers[3:8])
    if slot0.uint(0, 160) == 0:
        raise BadInput(f"market.pool {pool} exists but has no price yet: initialise it first")
    no_manager = (
        f"market.position_manager {section.position_manager} is not Uniswap v3's but another "
        "contract: correct the address"
    )
    factory = _words(answers[8], no_manager).address(0)
    if not pool_only:
        # Routers, quoters and pools name a factory too; only the manager's NFTs can be listed.
        if _words(answers[9], no_manager).uint(0) != 1:
            raise BadInput(no_manager)
        no_router = (
            f"market.swap_router {section.swap_router} is not a Uniswap v3 router of the position "
            "manager's factory but another contract: correct the address"
        )
        if _words(answers[10], no_router).address(0) != factory:
            raise BadInput(no_router)
    addresses = (checksummed(token0.address(0)), checksummed(token1.address(0)))
    if section.base not in addresses:
        raise BadInput(
            f"market.base {section.base} is not a token of the pool: it holds {addresses[0]} and "
            f"{addresses[1]}"
        )
    fee_pips = fee.uint(0, 24)
    tokens = _tokens(rpc, section, addresses, factory, fee_pips)
    return Market(
        chain_id=config.network.chain_id,
        pool=pool,
        position_manager=section.position_manager,
        swap_router=section.swap_router,
        token0=tokens[0],
        token1=tokens[1],
        base_is_token0=section.base == addresses[0],
        fee_pips=fee_pips,
        tick_spacing=spacing.sint(0, 24),
    )


def _tokens(
    rpc: Rpc, section: MarketSection, addresses: tuple[str, str], factory: str, fee_pips: int
) -> tuple[Token, Token]:
    answers = rpc.batch(
        [
            _call(factory, GET_POOL(*addresses, fee_pips)),
            *(_call(token, read()) for token in addresses for read in (SYMBOL, DECIMALS)),
        ]
    )
    foreign = (
        f"market.pool {section.pool} was not made by the factory of market.position_manager: "
        "positions in it cannot be managed"
    )
    if checksummed(_words(answers[0], foreign).address(0)) != section.pool:
        raise BadInput(foreign)
    return (
        _token(addresses[0], answers[1], answers[2]),
        _token(addresses[1], answers[3], answers[4]),
    )


def _token(address: str, symbol: Any, decimals: Any) -> Token:
    problem = f"the pool's token {address} does not tell its decimals"
    count = _words(decimals, problem).uint(0)
    if count > MOST_DECIMALS:
        raise BadInput(f"the pool's token {address} has {count} decimals, which no amount can have")
    return Token(address=address, symbol=_symbol(symbol, address), decimals=count)


def _symbol(answer: Any, address: str) -> str:
    raw = b"" if isinstance(answer, RpcError) else data(answer, "a token's symbol")
    return token_name(raw, address)


def token_name(raw: bytes, address: str) -> str:
    """What ``symbol()`` answered: a ``string``, or the ``bytes32`` of early tokens.

    A token without one goes by its address. Raises ``NodeError`` for a text that is cut off.
    """
    if len(raw) > WORD:
        words = Answer(raw, "a token's symbol")
        raw = words.bytes_at(words.at(0))
    text = raw.rstrip(b"\0").decode("utf-8", "replace")[:LONGEST_SYMBOL]
    return text if text and text.isprintable() else f"{address[:6]}…{address[-4:]}"


def _require_code(section: MarketSection, codes: list[Any], network: str) -> None:
    named = {
        "pool": section.pool,
        "position_manager": section.position_manager,
        "swap_router": section.swap_router,
    }
    for (key, address), code in zip(named.items(), codes, strict=True):
        if not data(expect(code), f"the code of market.{key}"):
            raise BadInput(
                f"there is no contract at market.{key} {address} on this {network}: correct the "
                "address"
            )


def _words(answer: Any, problem: str) -> Answer:
    """A contract's answer of at least one word; one that reverts or says less is ``problem``."""
    if isinstance(answer, Reverted):
        raise BadInput(problem)
    raw = data(expect(answer), "a market read")
    if len(raw) < WORD:
        raise BadInput(problem)
    return Answer(raw, "a market read")


def checksummed(address: str) -> str:
    """An address as EIP-55 writes it."""
    return str(to_checksum_address(address))


def _code(address: str) -> Request:
    return "eth_getCode", [address, "latest"]


def _call(to: str, calldata: bytes) -> Request:
    return "eth_call", [{"to": to, "data": "0x" + calldata.hex()}, "latest"]
