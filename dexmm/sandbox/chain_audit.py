"""What really happened, read from the chain's own events apart from everything the product says.

Volumes come from the pool's ``Swap`` events, fees from the position manager's: whatever an NFT
paid out beyond the principal taken from it is what it earned, the protocol's share already gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dexmm.model.market import Market
from dexmm.model.snapshot import ChainView
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call, topic
from dexmm.sandbox.node.rpc import Rpc
from dexmm.units import to_decimal

_SWAP = topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
_TRANSFER = topic("Transfer(address,address,uint256)")
_DECREASE = topic("DecreaseLiquidity(uint256,uint128,uint256,uint256)")
_COLLECT = topic("Collect(uint256,address,uint256,uint256)")
_BLOCKS_PER_REQUEST = 2_000
_POSITION = (
    "uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Of the pool; base traded by whom the proceeds went to."""

    swaps: int
    base_by_recipient: Mapping[str, Decimal]

    def of(self, recipient: str) -> Decimal:
        return self.base_by_recipient.get(recipient.lower(), Decimal(0))


def volumes(node: Rpc, market: Market, first_block: int) -> Volumes:
    """Every swap in the pool after ``first_block``."""
    traded: dict[str, int] = {}
    swaps = 0
    for log in _logs(node, market.pool, [_SWAP], first_block):
        amount0, amount1 = decode_answer("int256,int256", _data(log)[:64])
        recipient = "0x" + log["topics"][2][-40:]
        base = amount0 if market.base_is_token0 else amount1
        traded[recipient] = traded.get(recipient, 0) + abs(base)
        swaps += 1
    decimals = market.base.decimals
    return Volumes(
        swaps=swaps,
        base_by_recipient={who: to_decimal(units, decimals) for who, units in traded.items()},
    )


def fees_received(
    node: Rpc, market: Market, wallet: str, first_block: int, then: ChainView, now: ChainView
) -> tuple[Decimal, Decimal]:
    """Base and quote that the wallet's NFTs earned: collected since ``first_block``, or due now.

    What was due ``then``, at the start, was not earned since.
    """
    manager = market.position_manager
    ours = {
        log["topics"][3]
        for log in _logs(node, manager, [_TRANSFER, None, _padded(wallet)], first_block)
    } | {f"0x{position.token_id:064x}" for position in then.positions}
    total0 = sum(p.fees0 for p in now.positions) - sum(p.fees0 for p in then.positions)
    total1 = sum(p.fees1 for p in now.positions) - sum(p.fees1 for p in then.positions)
    for log in _logs(node, manager, [[_COLLECT, _DECREASE]], first_block):
        if log["topics"][1] in ours:
            _, amount0, amount1 = decode_answer("uint256,uint256,uint256", _data(log))
            sign = 1 if log["topics"][0] == _COLLECT else -1
            total0 += sign * amount0
            total1 += sign * amount1
    return market.base_quote(total0, total1)


def owned_positions(node: Rpc, market: Market, wallet: str) -> frozenset[int]:
    """The wallet's NFTs in this market that hold liquidity or are owed something."""
    manager = market.position_manager
    count = _ask(node, manager, "uint256", "balanceOf(address)", wallet)[0]
    ids = [
        _ask(node, manager, "uint256", "tokenOfOwnerByIndex(address,uint256)", wallet, index)[0]
        for index in range(count)
    ]
    return frozenset(token_id for token_id in ids if _alive(node, market, token_id))


def _alive(node: Rpc, market: Market, token_id: int) -> bool:
    position = _ask(node, market.position_manager, _POSITION, "positions(uint256)", token_id)
    here = (market.token0.address.lower(), market.token1.address.lower(), market.fee_pips)
    liquidity, owed0, owed1 = position[7], position[10], position[11]
    return position[2:5] == here and any((liquidity, owed0, owed1))


def _logs(node: Rpc, address: str, topics: list[Any], first_block: int) -> Iterator[dict[str, Any]]:
    newest = int(node.rpc("eth_blockNumber"), 16)
    for start in range(first_block + 1, newest + 1, _BLOCKS_PER_REQUEST):
        until = min(start + _BLOCKS_PER_REQUEST - 1, newest)
        wanted = {
            "address": address,
            "topics": topics,
            "fromBlock": hex(start),
            "toBlock": hex(until),
        }
        yield from node.rpc("eth_getLogs", [wanted])


def _ask(node: Rpc, to: str, types: str, signature: str, *arguments: object) -> tuple[Any, ...]:
    return decode_answer(types, node.call(to, encode_call(signature, *arguments)))


def _data(log: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(log["data"][2:])


def _padded(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")
