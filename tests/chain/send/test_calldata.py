"""Calldata, decoded again with the contracts' own ABIs by another implementation."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_utils.abi import function_abi_to_4byte_selector
from hypothesis import given
from hypothesis import strategies as st

from dexmm.chain.send.calldata import approvals, call_of, rerange_calls
from dexmm.chain.send.simulation_result import simulated
from dexmm.model.decision import Role
from dexmm.model.market import Market, Token
from dexmm.model.steps import (
    Allowance,
    Mint,
    RaiseCardinality,
    Removal,
    Rerange,
    Swap,
    Transfer,
)

FOLDER = Path(__file__).resolve().parents[3] / "contracts" / "abi"
TOKEN0, TOKEN1, POOL, MANAGER, ROUTER, WALLET = (f"0x{i:02x}" + f"{i:038x}" for i in range(1, 7))
MARKET = Market(
    chain_id=1,
    pool=POOL,
    position_manager=MANAGER,
    swap_router=ROUTER,
    token0=Token(address=TOKEN0, symbol="A", decimals=18),
    token1=Token(address=TOKEN1, symbol="B", decimals=6),
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)
MOST = 2**128 - 1
uint128 = st.integers(0, MOST)
uint256 = st.integers(0, 2**256 - 1)
ticks = st.integers(-887_272, 887_272)
removals = st.builds(
    Removal,
    token_id=uint256,
    liquidity=uint128,
    amount0_min=uint256,
    amount1_min=uint256,
    burn=st.booleans(),
    collect0=st.booleans(),
    collect1=st.booleans(),
)
mints = st.builds(
    Mint,
    tick_lower=ticks,
    tick_upper=ticks,
    amount0_desired=uint256,
    amount1_desired=uint256,
    amount0_min=uint256,
    amount1_min=uint256,
    role=st.just(Role.BASE),
    token_id=st.none() | uint256,
)
reranges = st.builds(
    Rerange,
    removals=st.lists(removals, max_size=4).map(tuple),
    mints=st.lists(mints, max_size=3).map(tuple),
    deadline=uint256,
)


def types(inputs: list[dict[str, Any]]) -> list[str]:
    return [
        f"({','.join(types(each['components']))}){each['type'][5:]}"
        if each["type"].startswith("tuple")
        else each["type"]
        for each in inputs
    ]


@cache
def functions(contract: str) -> dict[bytes, dict[str, Any]]:
    entries = json.loads((FOLDER / f"{contract}.json").read_text())
    return {
        bytes(function_abi_to_4byte_selector(entry)): entry
        for entry in entries
        if entry["type"] == "function"
    }


def read(contract: str, calldata: bytes) -> tuple[str, tuple[Any, ...]]:
    """The function's name and its arguments; a single struct is opened."""
    entry = functions(contract)[calldata[:4]]
    arguments = decode(types(entry["inputs"]), calldata[4:])
    single = len(arguments) == 1 and isinstance(arguments[0], tuple)
    return entry["name"], arguments[0] if single and entry["name"] != "multicall" else arguments


@given(reranges)
def test_a_rerange_is_one_multicall_in_order(step: Rerange) -> None:
    call = call_of(step, MARKET, WALLET)
    assert (call.to, call.value) == (MANAGER, 0)
    name, (inner,) = read("NonfungiblePositionManager", call.data)
    assert name == "multicall"
    assert list(inner) == rerange_calls(step, MARKET, WALLET)
    found = iter([read("NonfungiblePositionManager", each) for each in inner])
    for r in step.removals:
        if r.liquidity:
            arguments = (r.token_id, r.liquidity, r.amount0_min, r.amount1_min, step.deadline)
            assert next(found) == ("decreaseLiquidity", arguments)
        if r.collect0 or r.collect1:
            most = (MOST * r.collect0, MOST * r.collect1)
            assert next(found) == ("collect", (r.token_id, WALLET, *most))
        if r.burn:
            assert next(found) == ("burn", (r.token_id,))
    for m in step.mints:
        amounts = (m.amount0_desired, m.amount1_desired, m.amount0_min, m.amount1_min)
        if m.token_id is None:
            place = (TOKEN0, TOKEN1, 500, m.tick_lower, m.tick_upper)
            assert next(found) == ("mint", (*place, *amounts, WALLET, step.deadline))
        else:
            assert next(found) == ("increaseLiquidity", (m.token_id, *amounts, step.deadline))
    assert next(found, None) is None


@given(reranges, st.data())
def test_what_eth_call_answers_is_read_in_the_same_order(step: Rerange, data: Any) -> None:
    answers: list[bytes] = []
    collected, minted = [0, 0], []
    for r in step.removals:
        if r.liquidity:
            answers.append(encode(["uint256", "uint256"], [7, 7]))
        if r.collect0 or r.collect1:
            paid = data.draw(st.tuples(uint128, uint128))
            collected = [collected[0] + paid[0], collected[1] + paid[1]]
            answers.append(encode(["uint256", "uint256"], paid))
        if r.burn:
            answers.append(b"")
    for m in step.mints:
        token_id, liquidity, amount0, amount1 = data.draw(
            st.tuples(uint256, uint128, uint256, uint256)
        )
        head = [token_id] if m.token_id is None else []
        kinds = ["uint256"] * len(head) + ["uint128", "uint256", "uint256"]
        answers.append(encode(kinds, [*head, liquidity, amount0, amount1]))
        known = token_id if m.token_id is None else m.token_id
        minted.append((known, m.tick_lower, m.tick_upper, liquidity, amount0, amount1))
    result = simulated(step, encode(["bytes[]"], [answers]))
    assert [result.collected0, result.collected1] == collected
    assert [
        (m.token_id, m.tick_lower, m.tick_upper, m.liquidity, m.amount0, m.amount1)
        for m in result.minted
    ] == minted


@given(st.booleans(), uint256, uint256, st.integers(0, 2**160 - 1), uint256)
def test_a_swap_goes_to_the_wallet(
    zero_for_one: bool, amount_in: int, least: int, limit: int, deadline: int
) -> None:
    step = Swap(
        zero_for_one=zero_for_one,
        amount_in=amount_in,
        amount_out_minimum=least,
        sqrt_price_limit_x96=limit,
        deadline=deadline,
    )
    call = call_of(step, MARKET, WALLET)
    tokens = (TOKEN0, TOKEN1) if zero_for_one else (TOKEN1, TOKEN0)
    assert call.to == ROUTER
    assert read("SwapRouter", call.data) == (
        "exactInputSingle",
        (*tokens, 500, WALLET, deadline, amount_in, least, limit),
    )


def test_transfers_and_oracle_slots() -> None:
    token = call_of(Transfer(token=TOKEN1, to=POOL, amount=9), MARKET, WALLET)
    assert (token.to, token.value) == (TOKEN1, 0)
    assert read("ERC20", token.data) == ("transfer", (POOL, 9))
    ether = call_of(Transfer(token=None, to=POOL, amount=9), MARKET, WALLET)
    assert (ether.to, ether.value, ether.data) == (POOL, 9, b"")
    slots = call_of(RaiseCardinality(observation_cardinality_next=300), MARKET, WALLET)
    assert slots.to == POOL
    name, arguments = read("UniswapV3Pool", slots.data)
    assert (name, arguments) == ("increaseObservationCardinalityNext", (300,))


def test_approvals_go_through_zero_only_from_something_to_something() -> None:
    def amounts(current: int, amount: int) -> list[int]:
        allowance = Allowance(token=TOKEN0, spender=MANAGER, amount=amount, current=0)
        calls = approvals(allowance, current)
        assert all(call.to == TOKEN0 for call in calls)
        named = [read("ERC20", call.data) for call in calls]
        assert all(name == "approve" and to == MANAGER for name, (to, _) in named)
        return [given for _, (_, given) in named]

    assert amounts(0, 5) == [5]
    assert amounts(3, 5) == [0, 5]
    assert amounts(5, 5) == []
    assert amounts(5, 0) == [0]
