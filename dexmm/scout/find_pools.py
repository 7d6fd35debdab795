"""Every v3 pool of a token against a list of quotes, over all fee tiers, and what each says now.

One request to Multicall3 asks the factory for every pair and tier, and the tokens for their names;
a second one, at the same block, asks the pools that exist for their state, the tokens for their
issuer's powers and the feed for ether's price; a third one asks each oracle how far it reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dexmm.chain.observe.market import MOST_DECIMALS, checksummed, token_name
from dexmm.chain.observe.multicall import aggregate, decode_aggregate
from dexmm.chain.observe.token_probes import BARRED, Found, Probe
from dexmm.chain.rpc import abi
from dexmm.chain.rpc.abi import WORD, Answer
from dexmm.chain.rpc.client import Rpc
from dexmm.chain.rpc.parsing import data, mapping, quantity
from dexmm.config.schema import CHAINLINK_ETH_USD, MULTICALL3
from dexmm.errors import BadInput, NodeError
from dexmm.model.market import Market, Token
from dexmm.units import to_decimal

FACTORY = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
POSITION_MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
SWAP_ROUTER = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
FEE_TIERS = (100, 500, 3000, 10_000)
NAMED = {
    "PAXG": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
    "XAUT": "0x68749665FF8D2d112Fa859AA293F07A622782F38",
    "USDT": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
    "USDC": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    "WETH": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    "WBTC": "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599",
}
SWITCHES = (abi.PAUSED, abi.FEE_RATE, abi.BASIS_POINTS_RATE, abi.DEPRECATED)
FEED_ANSWER = 2  # words of a round until its answer ends
PER_POOL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSeen:
    """What is known of an issuer's powers; ``None`` where no function tells."""

    token: Token
    paused: bool | None
    transfer_fee: int | None
    deprecated: bool | None
    freeze_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFound:
    market: Market
    sqrt_price_x96: int  # 0: never opened
    liquidity: int  # in range now
    fee_protocol: int  # slot0's byte
    traded: bool  # fees were ever paid
    oracle_seconds: int  # how far its oracle reaches back
    oracle_slots: int
    frozen: tuple[str, ...]  # symbols of tokens whose issuer has barred the pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Market3:
    """What was found, all at one block."""

    chain_id: int
    block: int
    timestamp: int
    base_fee_wei: int
    eth_price: Decimal | None  # dollars, where the feed told
    tokens: tuple[TokenSeen, ...]  # the base first
    pools: tuple[PoolFound, ...]


def find_pools(rpc: Rpc, base: str, quotes: Sequence[str], factory: str = FACTORY) -> Market3:
    """Raises ``BadInput`` when the base is no token or the chain has no Multicall3."""
    others = [quote for quote in dict.fromkeys(quotes) if quote != base]
    if not others:
        raise BadInput("there is nothing to pair the base with: name another --quote")
    pairs = [(quote, fee) for quote in others for fee in FEE_TIERS]
    told = iter(
        _ask(
            rpc,
            [
                Probe(MULTICALL3, abi.GET_BLOCK_NUMBER()),
                Probe(MULTICALL3, abi.GET_CHAIN_ID()),
                *(
                    Probe(token, ask())
                    for token in (base, *others)
                    for ask in (abi.SYMBOL, abi.DECIMALS)
                ),
                *(Probe(factory, abi.GET_POOL(base, quote, fee)) for quote, fee in pairs),
            ],
        )
    )
    block, chain_id = (_number(next(told)) or 0 for _ in range(2))
    tokens = {token: _token(token, next(told), next(told)) for token in (base, *others)}
    if (ours := tokens[base]) is None:
        raise BadInput(f"{base} is no token on chain {chain_id}: check --base and the node")
    markets = [
        _market(chain_id, pool, ours, other, fee)
        for (quote, fee), answer in zip(pairs, told, strict=True)
        if (pool := _address(answer)) and (other := tokens[quote]) is not None
    ]
    return _looked_at(rpc, block, chain_id, tuple(t for t in tokens.values() if t), markets)


def _looked_at(
    rpc: Rpc, block: int, chain_id: int, tokens: tuple[Token, ...], markets: Sequence[Market]
) -> Market3:
    at = hex(block)
    header = mapping(rpc.call("eth_getBlockByNumber", [at, False]), "a block")
    told = iter(
        _ask(
            rpc,
            [
                Probe(CHAINLINK_ETH_USD, abi.LATEST_ROUND_DATA()),
                Probe(CHAINLINK_ETH_USD, abi.DECIMALS()),
                *(Probe(token.address, ask()) for token in tokens for ask in SWITCHES),
                *(p for market in markets for p in _pool_probes(market)),
            ],
            at,
        )
    )
    eth_price = _feed(next(told), next(told))
    switches = {token.address: [next(told) for _ in SWITCHES] for token in tokens}
    states = [_pool_told(market, told) for market in markets]
    ages = _oracles(rpc, at, [state[0] for state in states])
    timestamp = quantity(header.get("timestamp"), "a block's time")
    pools = [
        _pool(state, max(timestamp - oldest, 0) if oldest else 0)
        for state, oldest in zip(states, ages, strict=True)
    ]
    known = {
        token.address: any(
            each is not None for _, _, barred in states for each in barred.get(token.address, ())
        )
        for token in tokens
    }
    return Market3(
        chain_id=chain_id,
        block=block,
        timestamp=timestamp,
        base_fee_wei=quantity(header.get("baseFeePerGas", "0x0"), "a block's base fee"),
        eth_price=eth_price,
        tokens=tuple(_seen(t, switches[t.address], freeze_known=known[t.address]) for t in tokens),
        pools=tuple(pools),
    )


@dataclass(frozen=True, slots=True)
class _State:
    market: Market
    slot0: Answer | None
    liquidity: int
    traded: bool
    spacing: int


Told = tuple[_State, tuple[str, ...], dict[str, tuple[bool | None, ...]]]


def _pool_probes(market: Market) -> Iterator[Probe]:
    pool = market.pool
    for ask in (
        abi.SLOT0,
        abi.LIQUIDITY,
        abi.FEE_GROWTH_GLOBAL0,
        abi.FEE_GROWTH_GLOBAL1,
        abi.TICK_SPACING,
    ):
        yield Probe(pool, ask())
    for token in (market.token0, market.token1):
        yield from (Probe(token.address, barred(pool)) for barred in BARRED)


def _pool_told(market: Market, told: Iterator[Found]) -> Told:
    slot0, liquidity, growth0, growth1, spacing = (next(told) for _ in range(PER_POOL))
    barred = {
        token.address: tuple(_flag(next(told)) for _ in BARRED)
        for token in (market.token0, market.token1)
    }
    frozen = tuple(
        token.symbol for token in (market.token0, market.token1) if any(barred[token.address])
    )
    state = _State(
        market,
        Answer(slot0, "a pool") if slot0 is not None else None,
        _number(liquidity) or 0,
        bool(_number(growth0) or _number(growth1)),
        _number(spacing) or 0,
    )
    return state, frozen, barred


def _oracles(rpc: Rpc, block: str, states: Sequence[_State]) -> list[int]:
    """When each pool's oldest observation was written; 0 for a pool that was never opened."""
    asked = []
    for state in states:
        if state.slot0 is not None:
            after = (state.slot0.uint(2, 16) + 1) % max(state.slot0.uint(3, 16), 1)
            asked += [Probe(state.market.pool, abi.OBSERVATIONS(i)) for i in (after, 0)]
    told = iter(_ask(rpc, asked, block)) if asked else iter(())
    ages = []
    for state in states:
        if state.slot0 is None:
            ages.append(0)
            continue
        newer, first = (
            Answer(raw, "an oracle") if raw else None for raw in (next(told), next(told))
        )
        oldest = newer if newer is not None and newer.flag(3) else first
        ages.append(oldest.uint(0, 32) if oldest is not None else 0)
    return ages


def _pool(told: Told, oracle_seconds: int) -> PoolFound:
    state, frozen, _ = told
    slot0, market = state.slot0, state.market
    return PoolFound(
        market=Market(
            chain_id=market.chain_id,
            pool=market.pool,
            position_manager=market.position_manager,
            swap_router=market.swap_router,
            token0=market.token0,
            token1=market.token1,
            base_is_token0=market.base_is_token0,
            fee_pips=market.fee_pips,
            tick_spacing=state.spacing,
        ),
        sqrt_price_x96=slot0.uint(0, 160) if slot0 is not None else 0,
        liquidity=state.liquidity,
        fee_protocol=slot0.uint(5, 8) if slot0 is not None else 0,
        traded=state.traded,
        oracle_seconds=oracle_seconds,
        oracle_slots=slot0.uint(3, 16) if slot0 is not None else 0,
        frozen=frozen,
    )


def _market(chain_id: int, pool: str, base: Token, quote: Token, fee: int) -> Market:
    first = int(base.address, 16) < int(quote.address, 16)
    return Market(
        chain_id=chain_id,
        pool=pool,
        position_manager=POSITION_MANAGER,
        swap_router=SWAP_ROUTER,
        token0=base if first else quote,
        token1=quote if first else base,
        base_is_token0=first,
        fee_pips=fee,
        tick_spacing=1,
    )


def _seen(token: Token, switches: Sequence[Found], *, freeze_known: bool) -> TokenSeen:
    paused, fee_rate, basis_points, deprecated = switches
    fee = _number(fee_rate)
    return TokenSeen(
        token=token,
        paused=_flag(paused),
        transfer_fee=fee if fee is not None else _number(basis_points),
        deprecated=_flag(deprecated),
        freeze_known=freeze_known,
    )


def _token(address: str, symbol: Found, decimals: Found) -> Token | None:
    """None where there is no token."""
    places = _number(decimals)
    if places is None or places > MOST_DECIMALS:
        return None
    return Token(address=address, symbol=token_name(symbol or b"", address), decimals=places)


def _feed(round_data: Found, decimals: Found) -> Decimal | None:
    places = _number(decimals)
    if round_data is None or len(round_data) < FEED_ANSWER * WORD or places is None:
        return None
    told = int.from_bytes(round_data[WORD : FEED_ANSWER * WORD], "big", signed=True)
    return to_decimal(told, places) if told > 0 and places <= MOST_DECIMALS else None


def _ask(rpc: Rpc, probes: Sequence[Probe], block: str = "latest") -> tuple[Found, ...]:
    method, params = aggregate(probes, block)
    raw = data(rpc.call(method, params), "Multicall3")
    if not raw:
        raise BadInput(f"there is no Multicall3 at {MULTICALL3} on this chain: name another node")
    found = decode_aggregate(raw, len(probes))
    if probes and probes[0].target == MULTICALL3 and found[0] is None:
        raise NodeError(f"{rpc.name} does not run Multicall3 as it is")
    return found


def _number(found: Found) -> int | None:
    return int.from_bytes(found[:WORD], "big") if found is not None and len(found) >= WORD else None


def _flag(found: Found) -> bool | None:
    value = _number(found)
    return bool(value) if value in (0, 1) else None


def _address(found: Found) -> str | None:
    value = _number(found)
    return checksummed(f"0x{value:040x}") if value and value >> 160 == 0 else None
