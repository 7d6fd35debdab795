"""A pool's swaps in a stretch of blocks, from a node that may cut its answer without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dexmm.chain.rpc.abi import FEE_GROWTH_GLOBAL0, FEE_GROWTH_GLOBAL1
from dexmm.chain.rpc.client import Rpc, RpcError
from dexmm.chain.rpc.parsing import data, mapping, quantity
from dexmm.errors import NodeError
from dexmm.fetch.pool.log_limit import FEWEST, LogLimit

# keccak256("Swap(address,address,int256,int256,uint160,uint128,int24)")
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
MOST_REQUESTS = 40  # for one stretch of blocks
WORD = 32


class TooMany(NodeError):
    """A shorter stretch of blocks may be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One swap's log: the pool's signed amounts, the price and the liquidity that it left."""

    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int = 0
    block: int = 0


class SwapLogs:
    """The swaps of one pool as one node tells them; what it shows of its limit is remembered."""

    def __init__(self, rpc: Rpc, pool: str) -> None:
        self._rpc, self._pool = rpc, pool
        self._limit = LogLimit()
        self._left = 0

    def between(self, first: int, last: int, sqrt_price_x96: int) -> list[Swap]:
        """The swaps of blocks ``first`` to ``last``, after which the pool's price is
        ``sqrt_price_x96``.

        Raises ``TooMany`` when a shorter stretch may be answered, ``NodeError`` when the answers
        cannot be all swaps.
        """
        self._left = MOST_REQUESTS
        for _ in range(2):
            swaps = [_swap(log) for log in self._whole(first, last)]
            wrong = self._wrong(swaps, first, last, sqrt_price_x96)
            if not wrong:
                return swaps
            if len(swaps) < FEWEST:
                break
            self._limit.learn(len(swaps))  # a limit that is not round, for all that is known
        raise NodeError(f"{self._rpc.name} left out swaps of blocks {first} to {last}: {wrong}")

    def _whole(self, first: int, last: int) -> list[Any]:
        """An answer that may have been cut is replaced by those to the halves of its range."""
        logs = self._answer(first, last)
        if not (self._limit.reached(len(logs)) or self._limit.doubts(len(logs), (first, last))):
            return logs
        if first == last:
            return logs
        middle = (first + last) // 2
        halves = [*self._whole(first, middle), *self._whole(middle + 1, last)]
        if len(halves) > len(logs):
            self._limit.learn(len(logs))
        return halves

    def _answer(self, first: int, last: int) -> list[Any]:
        where = {"fromBlock": hex(first), "toBlock": hex(last)}
        wanted = {"address": self._pool, "topics": [SWAP], **where}
        for _ in range(2):  # of some nodes every other answer is null
            if not self._left:
                raise TooMany(f"{self._rpc.name} answers with too few logs at once")
            self._left -= 1
            try:
                found = self._rpc.call("eth_getLogs", [wanted])
            except RpcError as error:
                raise TooMany(error.message) from None
            if isinstance(found, list):
                return [log for log in found if not mapping(log, "an event").get("removed")]
        raise NodeError(f"{self._rpc.name} answered a search for events with something else")

    def _wrong(self, swaps: Sequence[Swap], first: int, last: int, sqrt_price_x96: int) -> str:
        """Why these cannot be all swaps; empty when they can."""
        if swaps:
            told = swaps[-1].sqrt_price_x96
            if told == sqrt_price_x96:
                return ""
            return f"after them the pool's square-root price is {sqrt_price_x96}, not {told}"
        before, after = self._fee_growth(first - 1), self._fee_growth(last)
        if before is None or after is None or before == after:
            return ""
        return "there is none among its logs, and the pool earned fees"

    def _fee_growth(self, block: int) -> tuple[int, ...] | None:
        """Both tokens', 0 before the pool was there; None where the node does not have it."""
        if block < 0:
            return 0, 0
        reads = (FEE_GROWTH_GLOBAL0, FEE_GROWTH_GLOBAL1)
        calls = [{"to": self._pool, "data": "0x" + read().hex()} for read in reads]
        answers = self._rpc.batch([("eth_call", [call, hex(block)]) for call in calls])
        if any(isinstance(answer, RpcError) for answer in answers):
            return None
        return tuple(int.from_bytes(data(each, "a pool's fees"), "big") for each in answers)


def amounts(swaps: Sequence[Swap]) -> list[tuple[int, int]]:
    """The pool's signed amounts of token0 and token1 of each swap."""
    return [(swap.amount0, swap.amount1) for swap in swaps]


def _swap(log: Any) -> Swap:
    raw = data(mapping(log, "an event").get("data"), "an event")
    if len(raw) != 5 * WORD:
        raise NodeError("the node answered with an event that is no swap")
    words = [raw[at : at + WORD] for at in range(0, 4 * WORD, WORD)]
    return Swap(
        amount0=int.from_bytes(words[0], "big", signed=True),
        amount1=int.from_bytes(words[1], "big", signed=True),
        sqrt_price_x96=int.from_bytes(words[2], "big"),
        liquidity=int.from_bytes(words[3], "big"),
        block=quantity(log.get("blockNumber"), "an event's block"),
    )
