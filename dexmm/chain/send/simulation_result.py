"""What a step did: as ``eth_call`` of its calldata answers, or as the logs of its receipt tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dexmm.chain.rpc.abi import (
    INCREASE_EVENT,
    POOL_COLLECT_EVENT,
    POOL_MINT_EVENT,
    SWAP_EVENT,
    WORD,
    Answer,
)
from dexmm.chain.rpc.receipts import Log
from dexmm.chain.send.calldata import OneCall
from dexmm.errors import NodeError
from dexmm.model.market import Market
from dexmm.model.steps import Mint, Minted, Rerange, Swap
from dexmm.units import Amount0, Amount1, Liquidity, Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Amounts that came to the wallet, and what was minted, in smallest units."""

    collected0: int = 0
    collected1: int = 0
    minted: tuple[Minted, ...] = ()


def simulated(step: OneCall, answer: bytes) -> Result:
    """The result that ``eth_call`` predicts. Raises ``NodeError`` for an impossible answer."""
    match step:
        case Rerange():
            return _simulated_rerange(step, answer)
        case Swap():
            amount_out = Answer(answer, "a simulated swap").uint(0)
            return Result(
                collected0=0 if step.zero_for_one else amount_out,
                collected1=amount_out if step.zero_for_one else 0,
            )
        case _:
            return Result()


def _simulated_rerange(step: Rerange, answer: bytes) -> Result:
    results = iter(_multicall_results(answer))
    collected0 = collected1 = 0
    for removal in step.removals:
        if removal.liquidity:
            next(results)
        if removal.collect0 or removal.collect1:
            paid = next(results)
            collected0 += paid.uint(0, 128)
            collected1 += paid.uint(1, 128)
        if removal.burn:
            next(results)
    minted = tuple(_simulated_mint(mint, next(results)) for mint in step.mints)
    return Result(collected0=collected0, collected1=collected1, minted=minted)


def _simulated_mint(mint: Mint, answer: Answer) -> Minted:
    """``mint`` answers the new id before what ``increaseLiquidity`` answers as well."""
    new = mint.token_id is None
    return Minted(
        token_id=answer.uint(0) if mint.token_id is None else mint.token_id,
        tick_lower=mint.tick_lower,
        tick_upper=mint.tick_upper,
        liquidity=Liquidity(answer.uint(0 + new, 128)),
        amount0=Amount0(answer.uint(1 + new)),
        amount1=Amount1(answer.uint(2 + new)),
    )


def _multicall_results(raw: bytes) -> Sequence[Answer]:
    answer = Answer(raw, "a simulated multicall")
    at = answer.at(0)
    return [
        Answer(answer.bytes_at(answer.at(at + 1 + i, at + 1)), "a simulated multicall")
        for i in range(answer.count(at, 1))
    ]


def happened(logs: Sequence[Log], market: Market, wallet: str) -> Result:
    """The result that a mined transaction's logs tell.

    Only the pool and the position manager are believed, never a token: PAXG emits a second
    ``Transfer`` each time. Amounts collected are the pool's, which pays a unit less than the
    position manager's own event says when rounding so decides.
    """
    pool, manager, wallet = (
        address.lower() for address in (market.pool, market.position_manager, wallet)
    )
    collected0 = collected1 = 0
    minted: list[Minted] = []
    ticks = (0, 0)
    for log in logs:
        event, answer = log.topics[:1], Answer(log.data, "a log")
        if log.address == pool and event == (POOL_COLLECT_EVENT,):
            collected0 += answer.uint(1, 128)
            collected1 += answer.uint(2, 128)
        elif log.address == pool and event == (SWAP_EVENT,) and _topic_address(log, 2) == wallet:
            collected0 += max(0, -answer.sint(0, 256))
            collected1 += max(0, -answer.sint(1, 256))
        elif log.address == pool and event == (POOL_MINT_EVENT,):
            ticks = (_topic_tick(log, 2), _topic_tick(log, 3))
        elif log.address == manager and event == (INCREASE_EVENT,):
            minted.append(_minted(log, answer, ticks))
    return Result(collected0=collected0, collected1=collected1, minted=tuple(minted))


def _minted(log: Log, answer: Answer, ticks: tuple[int, int]) -> Minted:
    return Minted(
        token_id=int(_topic(log, 1), 16),
        tick_lower=Tick(ticks[0]),
        tick_upper=Tick(ticks[1]),
        liquidity=Liquidity(answer.uint(0, 128)),
        amount0=Amount0(answer.uint(1)),
        amount1=Amount1(answer.uint(2)),
    )


def _topic(log: Log, index: int) -> str:
    if index >= len(log.topics):
        raise NodeError("the node answered with a log that lacks a topic")
    return log.topics[index]


def _topic_tick(log: Log, index: int) -> int:
    return Answer(bytes.fromhex(_topic(log, index)[2:]), "a log").sint(0, 24)


def _topic_address(log: Log, index: int) -> str:
    return Answer(bytes.fromhex(_topic(log, index)[2:].rjust(2 * WORD, "0")), "a log").address(0)
