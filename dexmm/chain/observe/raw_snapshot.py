"""One look at the chain before it means anything: the words of the lens, checked and named."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.chain.observe.token_probes import Found
from dexmm.uniswap.position import PositionInfo
from dexmm.uniswap.tick import TickInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSeen:
    token0: str  # lower case, as all addresses here
    token1: str
    fee_pips: int
    tick_spacing: int
    sqrt_price_x96: int
    tick: int
    observation_index: int
    observation_cardinality: int
    observation_cardinality_next: int
    fee_protocol: int
    liquidity: int
    fee_growth_global0_x128: int
    fee_growth_global1_x128: int
    oldest_observation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NftSeen:
    """One NFT of the wallet in this pool. ``manager`` is the pool's own record of its range."""

    token_id: int
    tick_lower: int
    tick_upper: int
    nft: PositionInfo
    lower: TickInfo
    upper: TickInfo
    manager: PositionInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything of one block. ``held`` NFTs the wallet has, ``scanned`` of them looked at."""

    number: int
    timestamp: int
    parent_hash: str
    chain_id: int
    wallet_wei: int
    pool: PoolSeen
    tick_cumulatives: tuple[int, ...]  # empty: the oracle does not reach back that far
    held: int
    scanned: int
    of_other_pools: int
    nfts: tuple[NftSeen, ...]
    probes: tuple[Found, ...]
