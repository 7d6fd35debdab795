"""What really trades in a pool, and what its liquidity earns from that: from its own events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.chain.rpc.client import Rpc
from dexmm.chain.rpc.parsing import mapping, quantity
from dexmm.errors import Halt, NodeError
from dexmm.fetch.pool.swap_logs import SwapLogs, TooMany, amounts
from dexmm.model.market import Market
from dexmm.performance import pool_statistics
from dexmm.performance.pool_statistics import Trade
from dexmm.units import to_decimal

# About a week, a day, and what the most frugal public nodes answer.
WINDOWS = (50_400, 7_200, 1_800, 300)
DAY = 86_400
PIPS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Swaps in a stretch of blocks. Sums are in quote."""

    blocks: int
    seconds: int
    swaps: int
    volume: Decimal
    fees: Decimal  # to the liquidity that was in range, after the protocol's part
    trade: Trade | None = None  # what a unit of liquidity had of it; None where no time passed

    def per_day(self, number: Decimal | int) -> Decimal:
        """Zero when no time passed: nothing can be said."""
        return Decimal(number) * DAY / self.seconds if self.seconds else Decimal(0)


def measure_flow(
    rpc: Rpc, market: Market, fee_protocol: int, head: int, sqrt_price_x96: int
) -> Flow:
    """The widest window that a node answers whole; ``sqrt_price_x96`` is the price after ``head``.

    Nodes are asked in turn. Raises ``NodeError`` when none answers any window, or all leave out
    swaps.
    """
    failed: list[str] = []
    for node in rpc.nodes(current_first=True):
        try:
            return _flow_from(node, market, fee_protocol, head, sqrt_price_x96)
        except (NodeError, Halt) as error:
            failed.append(error.message)
    raise NodeError("; ".join(dict.fromkeys(failed)))


def _flow_from(
    node: Rpc, market: Market, fee_protocol: int, head: int, sqrt_price_x96: int
) -> Flow:
    logs = SwapLogs(node, market.pool)
    for window in WINDOWS:
        first = max(head - window + 1, 0)
        try:
            swaps = logs.between(first, head, sqrt_price_x96)
        except TooMany as error:
            refused = error
            continue
        start, end = (_timestamp(node, number) for number in (first, head))
        found = tally(
            amounts(swaps), market, fee_protocol, blocks=head - first + 1, seconds=end - start
        )
        if head <= first or end <= start:
            return found
        seen = [
            pool_statistics.Swap(
                time=start + (end - start) * (swap.block - first) // (head - first),
                amount0=swap.amount0,
                amount1=swap.amount1,
                sqrt_price_x96=swap.sqrt_price_x96,
                liquidity=swap.liquidity,
            )
            for swap in swaps
        ]
        trade = pool_statistics.measure_trade(
            seen, market, fee_protocol, start=start, end=end, blocks=head - first
        )
        return replace(found, trade=trade)
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


def _timestamp(rpc: Rpc, number: int) -> int:
    block = mapping(rpc.call("eth_getBlockByNumber", [hex(number), False]), "a block")
    return quantity(block.get("timestamp"), "a block's time")
