"""A step as the calldata that makes it happen. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.chain.rpc import abi
from dexmm.chain.rpc.abi import MAX_UINT128, WORD, padded, sequence, words
from dexmm.model.market import Market
from dexmm.model.steps import (
    Allowance,
    Mint,
    RaiseCardinality,
    Removal,
    Rerange,
    Swap,
    Transfer,
)

OneCall = Rerange | Swap | RaiseCardinality | Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a transaction does, before it has a nonce and a price."""

    to: str
    data: bytes = b""
    value: int = 0


def call_of(step: OneCall, market: Market, wallet: str) -> Call:
    """The one call that carries out ``step``; everything it collects goes to ``wallet``."""
    match step:
        case Rerange():
            return Call(
                to=market.position_manager, data=multicall(rerange_calls(step, market, wallet))
            )
        case Swap():
            return Call(to=market.swap_router, data=_swap(step, market, wallet))
        case RaiseCardinality():
            data = abi.INCREASE_CARDINALITY(step.observation_cardinality_next)
            return Call(to=market.pool, data=data)
        case Transfer(token=None):
            return Call(to=step.to, value=step.amount)
        case Transfer(token=token):
            return Call(to=str(token), data=abi.TRANSFER(step.to, step.amount))


def rerange_calls(step: Rerange, market: Market, wallet: str) -> list[bytes]:
    """The calls inside the multicall, in order: every removal, then every mint."""
    removed = [call for r in step.removals for call in _removal(r, wallet, step.deadline)]
    return removed + [_mint(mint, market, wallet, step.deadline) for mint in step.mints]


def multicall(calls: list[bytes]) -> bytes:
    """``NonfungiblePositionManager.multicall``: all of it happens, or nothing."""
    return abi.MULTICALL.selector + words(WORD) + sequence([padded(call) for call in calls])


def approvals(allowance: Allowance, current: int) -> list[Call]:
    """What sets an allowance that is ``current`` now: through zero, because USDT insists."""
    if allowance.amount == current:
        return []
    amounts = [0, allowance.amount] if current and allowance.amount else [allowance.amount]
    return [
        Call(to=allowance.token, data=abi.APPROVE(allowance.spender, amount)) for amount in amounts
    ]


def _removal(removal: Removal, wallet: str, deadline: int) -> list[bytes]:
    calls = []
    if removal.liquidity:
        calls.append(
            abi.DECREASE_LIQUIDITY(
                removal.token_id,
                removal.liquidity,
                removal.amount0_min,
                removal.amount1_min,
                deadline,
            )
        )
    if removal.collect0 or removal.collect1:
        most = (MAX_UINT128 * removal.collect0, MAX_UINT128 * removal.collect1)
        calls.append(abi.COLLECT(removal.token_id, wallet, *most))
    if removal.burn:
        calls.append(abi.BURN(removal.token_id))
    return calls


def _mint(mint: Mint, market: Market, wallet: str, deadline: int) -> bytes:
    amounts = (mint.amount0_desired, mint.amount1_desired, mint.amount0_min, mint.amount1_min)
    if mint.token_id is not None:
        return abi.INCREASE_LIQUIDITY(mint.token_id, *amounts, deadline)
    return abi.MINT(
        market.token0.address,
        market.token1.address,
        market.fee_pips,
        mint.tick_lower,
        mint.tick_upper,
        *amounts,
        wallet,
        deadline,
    )


def _swap(step: Swap, market: Market, wallet: str) -> bytes:
    tokens = (market.token0.address, market.token1.address)
    token_in, token_out = tokens if step.zero_for_one else tokens[::-1]
    return abi.EXACT_INPUT_SINGLE(
        token_in,
        token_out,
        market.fee_pips,
        wallet,
        step.deadline,
        step.amount_in,
        step.amount_out_minimum,
        step.sqrt_price_limit_x96,
    )
