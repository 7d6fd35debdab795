"""What really trades in a pool, and what its liquidity earns from that: from its own events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dexmm.chain.hexes import data, mapping, quantity
from dexmm.chain.rpc import Rpc, RpcError
from dexmm.errors import NodeError
from dexmm.model.market import Market
from dexmm.units import to_decimal

# keccak256("Swap(address,address,int256,int256,uint160,uint128,int24)")
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
# About a week, a day, and what the most frugal public nodes answer.
WINDOWS = (50_400, 7_200, 1_800, 300)
DAY = 86_400
PIPS = 1_000_000
WORD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Swaps in a stretch of blocks. Sums are in quote."""

    blocks: int
    seconds: int
    swaps: int
    volume: Decimal
    fees: Decimal  # to the liquidity that was in range, after the protocol's part

    def per_day(self, number: Decimal | int) -> Decimal:
        """Zero when no time passed: nothing can be said."""
        return Decimal(number) * DAY / self.seconds if self.seconds else Decimal(0)


def measure_flow(rpc: Rpc, market: Market, fee_protocol: int, head: int) -> Flow:
    """The widest window that the node answers. Raises ``NodeError`` when it answers none."""
    for window in WINDOWS:
        first = max(head - window + 1, 0)
        try:
            logs = _logs(rpc, market.pool, first, head)
        except RpcError as error:
            refused = error
            continue
        start, end = (_timestamp(rpc, number) for number in (first, head))
        swaps = [_swap(log) for log in logs]
        return tally(swaps, market, fee_protocol, blocks=head - first + 1, seconds=end - start)
    raise refused


def tally(
    swaps: Iterable[tuple[int, int]],
    market: Market,
    fee_protocol: int,
    *,
    blocks: int,
    seconds: int,
) -> Flow:
    """Sum up swaps given as the pool's signed amounts of token0 and token1.

    The price of a swap is its own: base in it is worth the quote that it was exchanged for.
    """
    count, volume, fees = 0, Decimal(0), Decimal(0)
    for amount0, amount1 in swaps:
        quote = amount1 if market.base_is_token0 else amount0
        worth = to_decimal(abs(quote), market.quote.decimals)
        taken = worth * market.fee_pips / PIPS
        count += 1
        volume += worth
        fees += taken * left_to_liquidity(fee_protocol, zero_for_one=amount0 > 0)
    return Flow(blocks=blocks, seconds=seconds, swaps=count, volume=volume, fees=fees)


def left_to_liquidity(fee_protocol: int, *, zero_for_one: bool) -> Decimal:
    """Of a swap's fee, 0 to 1. ``fee_protocol`` is slot0's byte: low nibble for token0 in."""
    part = fee_protocol & 15 if zero_for_one else fee_protocol >> 4
    return 1 - 1 / Decimal(part) if part else Decimal(1)


def _logs(rpc: Rpc, pool: str, first: int, last: int) -> list[Any]:
    found = rpc.call(
        "eth_getLogs",
        [{"address": pool, "topics": [SWAP], "fromBlock": hex(first), "toBlock": hex(last)}],
    )
    if not isinstance(found, list):
        raise NodeError(f"{rpc.name} answered a search for events with something else")
    return found


def _swap(log: Any) -> tuple[int, int]:
    raw = data(mapping(log, "an event").get("data"), "an event")
    if len(raw) != 5 * WORD:
        raise NodeError("the node answered with an event that is no swap")
    return (
        int.from_bytes(raw[:WORD], "big", signed=True),
        int.from_bytes(raw[WORD : 2 * WORD], "big", signed=True),
    )


def _timestamp(rpc: Rpc, number: int) -> int:
    block = mapping(rpc.call("eth_getBlockByNumber", [hex(number), False]), "a block")
    return quantity(block.get("timestamp"), "a block's time")
