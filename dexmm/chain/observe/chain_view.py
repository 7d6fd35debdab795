"""From what was seen to what it means: amounts, fees due, mean tick, guards. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.chain.observe.raw_snapshot import NftSeen, Seen
from dexmm.chain.observe.token_probes import TokenFound, answers
from dexmm.config.schema import Config
from dexmm.errors import NodeError
from dexmm.model.holdings import Position, Wallet
from dexmm.model.intent import InFlight
from dexmm.model.market import Block, Market, PoolState
from dexmm.model.snapshot import ChainView
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity
from dexmm.uniswap.position import uncollected_fees
from dexmm.uniswap.tick import get_fee_growth_inside
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
)
from dexmm.units import Amount0, Amount1, Liquidity, SqrtPriceX96, Tick, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block as ``eth_getBlockByNumber`` tells it."""

    number: int
    timestamp: int
    base_fee_wei: int
    hash: str
    parent_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One whole answer: the lens's words, and what only the node itself can tell."""

    header: Header
    seen: Seen
    nonce: int
    pending_nonce: int
    implementation0: str | None
    implementation1: str | None


def chain_view(
    look: Look, market: Market, config: Config, wallet: str, in_flight: tuple[InFlight, ...]
) -> ChainView:
    """The snapshot's chain half. Raises ``NodeError`` when the words contradict each other."""
    seen = look.seen
    _require_market(seen, market)
    _require_price(seen)
    probed = answers(seen.probes, config.market, market)
    positions = tuple(_position(nft, seen) for nft in seen.nfts)
    live = tuple(p for p in positions if p.liquidity or p.fees0 or p.fees1)
    return ChainView(
        market=market,
        block=Block(
            number=look.header.number,
            timestamp=look.header.timestamp,
            base_fee_wei=look.header.base_fee_wei,
        ),
        pool=_pool_state(seen, config.guards.twap_seconds),
        wallet=_wallet(look, wallet, probed.token0, probed.token1),
        positions=live,
        other_positions=seen.held - len(live),
        guards0=probed.token0.guards(look.implementation0),
        guards1=probed.token1.guards(look.implementation1),
        references=probed.references,
        eth_price=probed.eth_price,
        in_flight=in_flight,
    )


def _require_market(seen: Seen, market: Market) -> None:
    pool = seen.pool
    same = (
        pool.token0 == market.token0.address.lower()
        and pool.token1 == market.token1.address.lower()
        and pool.fee_pips == market.fee_pips
        and pool.tick_spacing == market.tick_spacing
    )
    if not same:
        raise NodeError("the node answered with another pool than ours")


def _require_price(seen: Seen) -> None:
    """A pool at the lower end of a tick may still say the tick below, as the contract does."""
    price, tick = seen.pool.sqrt_price_x96, seen.pool.tick
    possible = MIN_SQRT_RATIO <= price < MAX_SQRT_RATIO and MIN_TICK <= tick < MAX_TICK
    if not possible or not (
        get_sqrt_ratio_at_tick(tick) <= price <= get_sqrt_ratio_at_tick(tick + 1)
    ):
        raise NodeError("the node answered with a price and a tick that contradict each other")


def _pool_state(seen: Seen, twap_seconds: int) -> PoolState:
    pool = seen.pool
    return PoolState(
        sqrt_price_x96=SqrtPriceX96(pool.sqrt_price_x96),
        tick=Tick(pool.tick),
        liquidity=Liquidity(pool.liquidity),
        fee_protocol=pool.fee_protocol,
        fee_growth_global0_x128=pool.fee_growth_global0_x128,
        fee_growth_global1_x128=pool.fee_growth_global1_x128,
        observation_cardinality=pool.observation_cardinality,
        observation_cardinality_next=pool.observation_cardinality_next,
        oldest_observation=pool.oldest_observation,
        twap_seconds=twap_seconds,
        mean_tick=mean_tick(seen.tick_cumulatives, twap_seconds),
    )


def mean_tick(tick_cumulatives: tuple[int, ...], seconds: int) -> Tick | None:
    """The arithmetic mean tick over the window, rounded toward minus infinity.

    Accumulators wrap at 56 bits. None when the oracle did not answer.
    """
    if len(tick_cumulatives) != 2:
        return None
    earlier, now = tick_cumulatives
    difference = (now - earlier + (1 << 55)) % (1 << 56) - (1 << 55)
    return Tick(difference // seconds)


def _wallet(look: Look, address: str, token0: TokenFound, token1: TokenFound) -> Wallet:
    return Wallet(
        address=address,
        amount0=Amount0(token0.balance),
        amount1=Amount1(token1.balance),
        eth=Wei(look.seen.wallet_wei),
        allowance0=token0.allowance,
        allowance1=token1.allowance,
        nonce=look.nonce,
        pending_nonce=max(look.nonce, look.pending_nonce),
    )


def _position(found: NftSeen, seen: Seen) -> Position:
    if not MIN_TICK <= found.tick_lower < found.tick_upper <= MAX_TICK:
        raise NodeError(f"the node answered with an impossible range for NFT {found.token_id}")
    amount0, amount1 = get_amounts_for_liquidity(
        seen.pool.sqrt_price_x96,
        get_sqrt_ratio_at_tick(found.tick_lower),
        get_sqrt_ratio_at_tick(found.tick_upper),
        found.nft.liquidity,
    )
    inside = get_fee_growth_inside(
        found.lower,
        found.upper,
        found.tick_lower,
        found.tick_upper,
        seen.pool.tick,
        seen.pool.fee_growth_global0_x128,
        seen.pool.fee_growth_global1_x128,
    )
    fees0, fees1 = uncollected_fees(found.nft, *inside, found.manager)
    return Position(
        token_id=found.token_id,
        tick_lower=Tick(found.tick_lower),
        tick_upper=Tick(found.tick_upper),
        liquidity=Liquidity(found.nft.liquidity),
        amount0=amount0,
        amount1=amount1,
        fees0=fees0,
        fees1=fees1,
    )
