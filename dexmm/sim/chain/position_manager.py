"""Uniswap's NonfungiblePositionManager over one pool, equal to the deployed bytecode.

Every NFT has a record of its own on top of the pool's record for the manager, which all NFTs of a
range share. Amounts are smallest units. A method that raises may have changed the pool: make calls
on a ``copy`` that takes the place of this one when all of them have passed, as a transaction does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from dexmm.uniswap.errors import Revert
from dexmm.uniswap.full_math import MAX_UINT128
from dexmm.uniswap.liquidity_amounts import get_liquidity_for_amounts
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.position import PositionInfo, fees_since, uncollected_fees
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick


class PriceSlippage(Revert):
    reason = "Price slippage check"
    rule = "less would be moved than the minimum asked for"


class NotCleared(Revert):
    reason = "Not cleared"
    rule = "an NFT with liquidity, or that is owed something, cannot be burnt"


class UnknownNft(Revert):
    reason = "Invalid token ID"
    rule = "there is no such NFT"


class NothingAsked(Revert):
    rule = "no liquidity, or nothing to collect, was asked for"


@dataclass(frozen=True, slots=True)
class Nft:
    """One position as the manager stores it."""

    owner: str
    tick_lower: int
    tick_upper: int
    info: PositionInfo


class PositionManager:
    """``address`` is what the pool knows the manager by."""

    def __init__(self, pool: Pool, address: str, next_id: int = 1) -> None:
        self.pool = pool
        self.address = address
        self.next_id = next_id
        self._nfts: dict[int, Nft] = {}
        self._owned: dict[str, list[int]] = {}

    def copy(self, pool: Pool) -> Self:
        """Independent of this one, over ``pool``, a copy of the pool."""
        twin = type(self)(pool, self.address, self.next_id)
        twin._nfts = self._nfts.copy()
        twin._owned = {owner: ids.copy() for owner, ids in self._owned.items()}
        return twin

    def owned(self, owner: str) -> tuple[int, ...]:
        """The owner's NFTs as ``tokenOfOwnerByIndex`` lists them."""
        return tuple(self._owned.get(owner, ()))

    def nft(self, token_id: int) -> Nft:
        found = self._nfts.get(token_id)
        if found is None:
            raise UnknownNft(token_id=token_id)
        return found

    def fees(self, token_id: int) -> tuple[int, int]:
        """What ``collect`` with maximum amounts would pay now beyond principal not yet taken."""
        nft = self.nft(token_id)
        inside = self.pool.fee_growth_inside(nft.tick_lower, nft.tick_upper)
        manager = self.pool.position(self.address, nft.tick_lower, nft.tick_upper)
        return uncollected_fees(nft.info, *inside, manager)

    def mint(
        self,
        owner: str,
        tick_lower: int,
        tick_upper: int,
        desired: tuple[int, int],
        least: tuple[int, int],
    ) -> tuple[int, int, int, int]:
        """A new NFT: its id, its liquidity, and the amounts charged."""
        liquidity, amount0, amount1 = self._add(tick_lower, tick_upper, desired, least)
        now = self._pool_record(tick_lower, tick_upper)
        token_id, self.next_id = self.next_id, self.next_id + 1
        self._nfts[token_id] = Nft(
            owner,
            tick_lower,
            tick_upper,
            PositionInfo(
                liquidity, now.fee_growth_inside0_last_x128, now.fee_growth_inside1_last_x128
            ),
        )
        self._owned.setdefault(owner, []).append(token_id)
        return token_id, liquidity, amount0, amount1

    def increase_liquidity(
        self, token_id: int, desired: tuple[int, int], least: tuple[int, int]
    ) -> tuple[int, int, int]:
        """More liquidity in an NFT's range: what was added, and the amounts charged."""
        nft = self.nft(token_id)
        added, amount0, amount1 = self._add(nft.tick_lower, nft.tick_upper, desired, least)
        info = self._credited(nft, 0, 0)
        self._store(token_id, nft, replace(info, liquidity=info.liquidity + added))
        return added, amount0, amount1

    def decrease_liquidity(
        self, token_id: int, liquidity: int, least: tuple[int, int]
    ) -> tuple[int, int]:
        """Principal that the NFT is now owed, rounded down."""
        nft = self.nft(token_id)
        if not 0 < liquidity <= nft.info.liquidity:
            raise NothingAsked(token_id=token_id, liquidity=liquidity, held=nft.info.liquidity)
        amounts = self.pool.burn(self.address, nft.tick_lower, nft.tick_upper, liquidity)
        if amounts[0] < least[0] or amounts[1] < least[1]:
            raise PriceSlippage(amounts=amounts, least=least)
        info = self._credited(nft, *amounts)
        self._store(token_id, nft, replace(info, liquidity=info.liquidity - liquidity))
        return amounts

    def collect(
        self, token_id: int, most0: int = MAX_UINT128, most1: int = MAX_UINT128
    ) -> tuple[int, int]:
        """What was paid: sometimes a few units less than is written off, as in the contract."""
        nft = self.nft(token_id)
        if not most0 and not most1:
            raise NothingAsked(token_id=token_id)
        info = nft.info
        if info.liquidity:
            self.pool.burn(self.address, nft.tick_lower, nft.tick_upper, 0)
            info = self._credited(nft, 0, 0)
        taken0, taken1 = min(most0, info.tokens_owed0), min(most1, info.tokens_owed1)
        paid = self.pool.collect(self.address, nft.tick_lower, nft.tick_upper, taken0, taken1)
        left = replace(
            info,
            tokens_owed0=info.tokens_owed0 - taken0,
            tokens_owed1=info.tokens_owed1 - taken1,
        )
        self._store(token_id, nft, left)
        return paid

    def burn(self, token_id: int) -> None:
        nft = self.nft(token_id)
        info = nft.info
        if info.liquidity or info.tokens_owed0 or info.tokens_owed1:
            raise NotCleared(token_id=token_id)
        del self._nfts[token_id]
        # As ERC721Enumerable: the owner's last NFT takes the place of the one that goes.
        ids = self._owned[nft.owner]
        ids[ids.index(token_id)] = ids[-1]
        ids.pop()

    def _add(
        self, tick_lower: int, tick_upper: int, desired: tuple[int, int], least: tuple[int, int]
    ) -> tuple[int, int, int]:
        liquidity = get_liquidity_for_amounts(
            self.pool.sqrt_price_x96,
            get_sqrt_ratio_at_tick(tick_lower),
            get_sqrt_ratio_at_tick(tick_upper),
            *desired,
        )
        amounts = self.pool.mint(self.address, tick_lower, tick_upper, liquidity)
        if amounts[0] < least[0] or amounts[1] < least[1]:
            raise PriceSlippage(amounts=amounts, least=least)
        return liquidity, *amounts

    def _credited(self, nft: Nft, amount0: int, amount1: int) -> PositionInfo:
        """The NFT's record brought up to the pool's record for the manager."""
        now, info = self._pool_record(nft.tick_lower, nft.tick_upper), nft.info
        growth0, growth1 = now.fee_growth_inside0_last_x128, now.fee_growth_inside1_last_x128
        earned0 = fees_since(info.liquidity, growth0, info.fee_growth_inside0_last_x128)
        earned1 = fees_since(info.liquidity, growth1, info.fee_growth_inside1_last_x128)
        return PositionInfo(
            info.liquidity,
            growth0,
            growth1,
            (info.tokens_owed0 + amount0 + earned0) & MAX_UINT128,
            (info.tokens_owed1 + amount1 + earned1) & MAX_UINT128,
        )

    def _pool_record(self, tick_lower: int, tick_upper: int) -> PositionInfo:
        return self.pool.position(self.address, tick_lower, tick_upper)

    def _store(self, token_id: int, nft: Nft, info: PositionInfo) -> None:
        self._nfts[token_id] = Nft(nft.owner, nft.tick_lower, nft.tick_upper, info)
