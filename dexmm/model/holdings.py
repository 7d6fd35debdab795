"""What the wallet holds in the market: tokens, allowances, positions."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.units import Amount0, Amount1, Liquidity, Tick, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    address: str
    amount0: Amount0
    amount1: Amount1
    eth: Wei
    allowance0: int  # to the position manager
    allowance1: int
    nonce: int  # transactions mined
    pending_nonce: int  # transactions mined or waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One NFT of the position manager, in this market, owned by the wallet.

    ``amount0/1`` is the principal a full decrease would pay at the snapshot's price (rounded
    down, as the pool does); ``fees0/1`` is all that ``collect`` would pay beyond it today.
    """

    token_id: int
    tick_lower: Tick
    tick_upper: Tick
    liquidity: Liquidity
    amount0: Amount0
    amount1: Amount1
    fees0: Amount0
    fees1: Amount1

    def in_range(self, tick: int) -> bool:
        return self.tick_lower <= tick < self.tick_upper
