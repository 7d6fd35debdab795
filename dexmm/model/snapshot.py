"""One whole look at the world, at one block."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.model.holdings import Position, Wallet
from dexmm.model.intent import InFlight
from dexmm.model.market import Block, Market, PoolState, Reference, TokenGuards
from dexmm.model.memory import Memory
from dexmm.model.venue import VenueView


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """What the chain said, all at ``block``."""

    market: Market
    block: Block
    pool: PoolState
    wallet: Wallet
    positions: tuple[Position, ...]
    other_positions: int  # NFTs of the wallet left alone: other pools', or empty
    guards0: TokenGuards
    guards1: TokenGuards
    references: tuple[Reference, ...]
    eth_price: Decimal  # quote per ETH, to put gas beside fees
    in_flight: tuple[InFlight, ...] = ()  # our transactions that are not final yet
    strangers: tuple[Position, ...] = ()  # minted or sent to the wallet by others: left alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one turn saw: the chain, the runner's clock, and what earlier turns remember."""

    observed_at: int  # the runner's clock, seconds
    chain: ChainView
    memory: Memory = field(default_factory=Memory)
    venue: VenueView | None = None  # None: no [exchange] is configured
    halted: str = ""  # the HALT flag's reason; empty is not halted
