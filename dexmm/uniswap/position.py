"""Position: liquidity one owner holds over one range, and the fees it is owed.

The position manager keeps its own record for every NFT on top of the pool's record for the
manager; what an NFT can collect depends on both.
"""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.uniswap.errors import NoPosition
from dexmm.uniswap.full_math import MAX_UINT128, MAX_UINT256
from dexmm.uniswap.liquidity_math import add_delta
from dexmm.units import Amount0, Amount1


@dataclass(frozen=True, slots=True)
class PositionInfo:
    """A position as the pool, or the position manager, stores it."""

    liquidity: int = 0
    fee_growth_inside0_last_x128: int = 0
    fee_growth_inside1_last_x128: int = 0
    tokens_owed0: int = 0
    tokens_owed1: int = 0


EMPTY_POSITION = PositionInfo()


def pack_position_key(owner: bytes, tick_lower: int, tick_upper: int) -> bytes:
    """``abi.encodePacked(owner, tickLower, tickUpper)``: its keccak-256 is the pool's key."""
    return (
        owner
        + tick_lower.to_bytes(3, "big", signed=True)
        + tick_upper.to_bytes(3, "big", signed=True)
    )


def fees_since(
    liquidity: int, fee_growth_inside_x128: int, fee_growth_inside_last_x128: int
) -> int:
    """Fees earned between two readings of fee growth, in smallest units, rounded down.

    As the contract: the difference wraps at 2**256 and the fee is cut to 128 bits.
    """
    growth = (fee_growth_inside_x128 - fee_growth_inside_last_x128) & MAX_UINT256
    return (growth * liquidity >> 128) & MAX_UINT128


def update(
    position: PositionInfo,
    liquidity_delta: int,
    fee_growth_inside0_x128: int,
    fee_growth_inside1_x128: int,
) -> PositionInfo:
    """The position with its fees credited and its liquidity changed. Reverts NP, LS, LA."""
    if liquidity_delta == 0 and position.liquidity == 0:
        raise NoPosition
    return PositionInfo(
        add_delta(position.liquidity, liquidity_delta),
        fee_growth_inside0_x128,
        fee_growth_inside1_x128,
        *_owed(position, fee_growth_inside0_x128, fee_growth_inside1_x128),
    )


def uncollected_fees(
    nft: PositionInfo,
    fee_growth_inside0_x128: int,
    fee_growth_inside1_x128: int,
    manager: PositionInfo | None = None,
) -> tuple[Amount0, Amount1]:
    """What a ``collect`` with maximum amounts would pay the NFT now, to the last unit.

    ``nft`` is the position manager's record, ``manager`` the pool's record for the manager over
    the same range (every NFT of that range shares it). The pool pays no more than it owes the
    manager, which can be a few units less than the sum of its NFTs since each rounds by itself.
    Without ``manager`` the answer is what the NFT is owed, and may exceed what is paid by those
    few units.
    """
    owed0, owed1 = nft.tokens_owed0, nft.tokens_owed1
    if nft.liquidity > 0:
        owed0, owed1 = _owed(nft, fee_growth_inside0_x128, fee_growth_inside1_x128)
    if manager is not None:
        due0, due1 = manager.tokens_owed0, manager.tokens_owed1
        # An NFT without liquidity collects without poking the pool first.
        if nft.liquidity > 0:
            due0, due1 = _owed(manager, fee_growth_inside0_x128, fee_growth_inside1_x128)
        owed0, owed1 = min(owed0, due0), min(owed1, due1)
    return Amount0(owed0), Amount1(owed1)


def _owed(
    position: PositionInfo, fee_growth_inside0_x128: int, fee_growth_inside1_x128: int
) -> tuple[int, int]:
    earned0 = fees_since(
        position.liquidity, fee_growth_inside0_x128, position.fee_growth_inside0_last_x128
    )
    earned1 = fees_since(
        position.liquidity, fee_growth_inside1_x128, position.fee_growth_inside1_last_x128
    )
    return (
        (position.tokens_owed0 + earned0) & MAX_UINT128,
        (position.tokens_owed1 + earned1) & MAX_UINT128,
    )
