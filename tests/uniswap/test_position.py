"""Positions: keys, fees owed, and what the real position manager would pay an NFT."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector as selector
from eth_utils import keccak, to_checksum_address

from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sandbox.node.pools import POSITION_MANAGER
from dexmm.uniswap.errors import NoPosition
from dexmm.uniswap.position import (
    PositionInfo,
    fees_since,
    pack_position_key,
    uncollected_fees,
    update,
)
from dexmm.uniswap.tick import TickInfo, get_fee_growth_inside

OWNER = account("owner of positions")
MAX_UINT128 = 2**128 - 1


def test_fees_are_right_across_the_wrap_of_fee_growth() -> None:
    before, after = 2**256 - 2**128, 5 * 2**128
    assert fees_since(7, after, before) == 6 * 7
    assert fees_since(7, before, before) == 0


def test_fees_beyond_128_bits_are_cut_as_the_contract_cuts_them() -> None:
    assert fees_since(2**127, 2**128 * 2 + 2**100, 0) == (
        2**128 * 2 + 2**100
    ) * 2**127 // 2**128 % (2**128)
    owed = update(PositionInfo(2**64, tokens_owed0=MAX_UINT128), 0, 2**66, 0)
    assert owed.tokens_owed0 == MAX_UINT128 + (2**66 * 2**64 >> 128) - 2**128


def test_an_empty_position_cannot_be_poked() -> None:
    with pytest.raises(NoPosition) as caught:
        update(PositionInfo(tokens_owed0=5), 0, 1, 1)
    assert caught.value.reason == "NP"


def test_an_nft_without_liquidity_is_owed_what_is_recorded() -> None:
    nft = PositionInfo(0, 0, 0, 11, 22)
    assert uncollected_fees(nft, 2**200, 2**200) == (11, 22)
    assert uncollected_fees(nft, 2**200, 2**200, PositionInfo(9, 0, 0, 10, 30)) == (10, 22)


class Chain:
    """Reads of the real contracts."""

    def __init__(self, mainnet: Deployment) -> None:
        self.mainnet = mainnet

    def ask(self, to: str, signature: str, values: list[Any], returns: list[str]) -> Any:
        kinds = [kind for kind in signature.partition("(")[2][:-1].split(",") if kind]
        data = selector(signature) + encode(kinds, values)
        return decode(returns, self.mainnet.anvil.call(to, data, sender=OWNER))

    def nft(self, token_id: int) -> tuple[int, int, PositionInfo]:
        """Lower tick, upper tick, and the manager's record."""
        kinds = ["uint96", *["address"] * 3, "uint24", "int24", "int24", "uint128"]
        kinds += ["uint256", "uint256", "uint128", "uint128"]
        row = self.ask(POSITION_MANAGER, "positions(uint256)", [token_id], kinds)
        return row[5], row[6], PositionInfo(*row[7:])

    def manager(self, tick_lower: int, tick_upper: int) -> PositionInfo:
        packed = pack_position_key(bytes.fromhex(POSITION_MANAGER[2:]), tick_lower, tick_upper)
        kinds = ["uint128", "uint256", "uint256", "uint128", "uint128"]
        pool = self.mainnet.pool
        return PositionInfo(*self.ask(pool, "positions(bytes32)", [keccak(packed)], kinds))

    def inside(self, tick_lower: int, tick_upper: int) -> tuple[int, int]:
        pool = self.mainnet.pool
        kinds = ["uint128", "int128", "uint256", "uint256", "int56", "uint160", "uint32", "bool"]
        lower, upper = (
            TickInfo(*self.ask(pool, "ticks(int24)", [tick], kinds)[:7])
            for tick in (tick_lower, tick_upper)
        )
        slot0 = ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]
        tick = self.ask(pool, "slot0()", [], slot0)[1]
        growth = [self.ask(pool, f"feeGrowthGlobal{i}X128()", [], ["uint256"])[0] for i in (0, 1)]
        return get_fee_growth_inside(lower, upper, tick_lower, tick_upper, tick, *growth)

    def collectable(self, token_id: int) -> tuple[int, int]:
        """What a static ``collect`` with maximum amounts pays."""
        data = selector("collect((uint256,address,uint128,uint128))") + encode(
            ["(uint256,address,uint128,uint128)"], [(token_id, OWNER, MAX_UINT128, MAX_UINT128)]
        )
        answer = self.mainnet.anvil.call(POSITION_MANAGER, data, sender=OWNER)
        amount0, amount1 = decode(["uint256", "uint256"], answer)
        return amount0, amount1

    def computed(self, token_id: int) -> tuple[int, int]:
        lower, upper, nft = self.nft(token_id)
        return uncollected_fees(nft, *self.inside(lower, upper), self.manager(lower, upper))


@pytest.mark.anvil
def test_uncollected_fees_are_what_a_static_collect_pays(mainnet: Deployment) -> None:
    """In and out of range, two NFTs sharing a range, one partly withdrawn, fees both ways."""
    chain = Chain(mainnet)
    owner = to_checksum_address(OWNER)
    slot0 = ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]
    tick = chain.ask(mainnet.pool, "slot0()", [], slot0)[1] // 10 * 10
    ounce, dollar = 10**18, 10**6
    shared = tick - 500, tick + 500
    nfts = [
        mainnet.mint_position(owner, *shared, 5 * ounce, 20_000 * dollar),
        mainnet.mint_position(owner, *shared, 3 * ounce + 7, 12_345 * dollar + 1),
        mainnet.mint_position(owner, tick + 10, tick + 60, 2 * ounce, 0),
        mainnet.mint_position(owner, tick - 90, tick - 20, 0, 9_000 * dollar),
    ]
    paid: set[tuple[int, int]] = set()
    for turn in range(6):
        mainnet.swap(zero_for_one=turn % 2 == 0, amount_in=(ounce, 4_100 * dollar)[turn % 2])
        if turn == 3:
            liquidity = chain.nft(nfts[0])[2].liquidity
            kind = "(uint256,uint128,uint256,uint256,uint256)"
            data = selector(f"decreaseLiquidity({kind})") + encode(
                [kind], [(nfts[0], liquidity // 3, 0, 0, 2**64)]
            )
            mainnet.anvil.send_as(owner, POSITION_MANAGER, data)
        for token_id in nfts:
            assert chain.computed(token_id) == chain.collectable(token_id)
            paid.add(chain.computed(token_id))
    assert len(paid) > 12
