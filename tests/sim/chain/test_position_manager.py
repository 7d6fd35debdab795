"""The position manager in memory and the deployed bytecode, given the same calls, side by side."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dexmm.chain.observe.pool_ticks import read_pool
from dexmm.chain.rpc.client import Rpc
from dexmm.errors import NodeError
from dexmm.sandbox.market_simulation import paxg_usdt
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.deploy import Deployment, account
from dexmm.sandbox.node.pools import NEVER, POSITION_MANAGER, SWAP_ROUTER, approve
from dexmm.sandbox.node.router import swap_calldata
from dexmm.sim.agents.traders import PoolSwap
from dexmm.sim.chain.position_manager import (
    NotCleared,
    NothingAsked,
    PositionManager,
    PriceSlippage,
    UnknownNft,
)
from dexmm.uniswap.errors import Revert
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

OPERATIONS = 200
POSITION = (
    "uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128"
)
MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
INCREASE = "increaseLiquidity((uint256,uint256,uint256,uint256,uint256,uint256))"
DECREASE = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
COLLECT = "collect((uint256,address,uint128,uint128))"
BURN = "burn(uint256)"
ANSWERS = {
    MINT: "uint256,uint128,uint256,uint256",
    INCREASE: "uint128,uint256,uint256",
    DECREASE: "uint256,uint256",
    COLLECT: "uint256,uint256",
    BURN: "",
}


class Both:
    """One owner's calls, made to the contract on Anvil and to the manager in memory."""

    def __init__(self, mainnet: Deployment, owner: str) -> None:
        self.anvil, self.owner = mainnet.anvil, owner
        self.market = paxg_usdt(mainnet)
        rpc = Rpc([mainnet.anvil.url], 10)
        state, at = read_pool(rpc, self.market)
        pool = Pool.from_state(state, at)
        self.manager = PositionManager(pool, POSITION_MANAGER, next_id=7)
        for token in (self.market.token0.address, self.market.token1.address):
            for spender in (POSITION_MANAGER, SWAP_ROUTER):
                approve(self.anvil, owner, token, spender, 2**128)

    def there(self, signature: str, *arguments: Any) -> tuple[Any, ...] | str:
        """What the contract answers, and then it is done; or the reason why it reverts."""
        data = encode_call(signature, *arguments)
        call = {"from": self.owner, "to": POSITION_MANAGER, "data": "0x" + data.hex()}
        try:
            answer = self.anvil.rpc("eth_call", [call, "latest"])
        except NodeError as error:
            return str(error)
        self.anvil.send_as(self.owner, POSITION_MANAGER, data)
        self.manager.pool.timestamp = int(self.anvil.block()["timestamp"], 16)
        types = ANSWERS[signature]
        return decode_answer(types, bytes.fromhex(answer[2:])) if types else ()

    def swap(self, swap: PoolSwap) -> None:
        self.anvil.send_as(self.owner, SWAP_ROUTER, swap_calldata(self.market, swap, self.owner))
        self.manager.pool.timestamp = int(self.anvil.block()["timestamp"], 16)
        self.manager.pool.swap(swap.zero_for_one, swap.amount_in, swap.sqrt_price_limit_x96)

    def stored(self, token_id: int) -> tuple[int, ...]:
        answer = self.anvil.call(POSITION_MANAGER, encode_call("positions(uint256)", token_id))
        return tuple(decode_answer(POSITION, answer)[5:])

    def require_equal(self) -> None:
        count = decode_answer(
            "uint256",
            self.anvil.call(POSITION_MANAGER, encode_call("balanceOf(address)", self.owner)),
        )[0]
        ask = "tokenOfOwnerByIndex(address,uint256)"
        ids = tuple(
            decode_answer(
                "uint256", self.anvil.call(POSITION_MANAGER, encode_call(ask, self.owner, index))
            )[0]
            for index in range(count)
        )
        assert self.manager.owned(self.owner) == ids
        for token_id in ids:
            nft = self.manager.nft(token_id)
            info = nft.info
            assert self.stored(token_id) == (
                nft.tick_lower,
                nft.tick_upper,
                info.liquidity,
                info.fee_growth_inside0_last_x128,
                info.fee_growth_inside1_last_x128,
                info.tokens_owed0,
                info.tokens_owed1,
            )
            most = encode_call(COLLECT, (token_id, self.owner, 2**128 - 1, 2**128 - 1))
            call = {"from": self.owner, "to": POSITION_MANAGER, "data": "0x" + most.hex()}
            paid = decode_answer(
                "uint256,uint256",
                bytes.fromhex(self.anvil.rpc("eth_call", [call, "latest"])[2:]),
            )
            assert self.manager.fees(token_id) == paid


@pytest.mark.anvil
def test_the_same_calls_leave_the_same_records(mainnet: Deployment) -> None:
    owner = account("side by side")
    mainnet.fund_wallet(owner, eth=Decimal(100), paxg=Decimal(10**6), usdt=Decimal(10**9))
    both, dice = Both(mainnet, owner), random.Random(7)  # noqa: S311 - the same calls in every run
    done: dict[str, int] = {}
    for _ in range(OPERATIONS):
        done[name] = done.get(name := operate(both, dice), 0) + 1
    both.require_equal()
    # Every kind of operation was met, and so was what the contract refuses.
    assert {"mint", "increase", "decrease", "collect", "burn", "swap", "refused"} <= set(done)


def operate(both: Both, dice: random.Random) -> str:
    """One random operation on both sides, with equal answers; its name."""
    market, manager, owner = both.market, both.manager, both.owner
    ids = manager.owned(owner)
    kind = dice.choice(["mint", "swap", "swap", "increase", "decrease", "collect", "burn"])
    if kind == "swap":
        down = dice.random() < 0.5
        tick = manager.pool.tick + dice.choice([3, 40, 400]) * (-1 if down else 1)
        limit = get_sqrt_ratio_at_tick(tick)
        both.swap(PoolSwap(zero_for_one=down, amount_in=2**100, sqrt_price_limit_x96=limit))
        both.require_equal()
        return kind
    desired = (dice.randrange(1, 10**19), dice.randrange(1, 4 * 10**10))
    least = (desired[0] if dice.random() < 0.1 else 0, 0)
    if kind == "mint" or not ids:
        # Few ranges, so that several NFTs share one.
        lower = manager.pool.tick // 200 * 200 + dice.choice([-400, 0, 200])
        upper = lower + dice.choice([200, 600])
        arguments = (
            market.token0.address, market.token1.address, market.fee_pips, lower, upper,
            *desired, *least, owner, NEVER,
        )  # fmt: skip
        there = both.there(MINT, arguments)
        return compare(
            both, "mint", there, lambda here: here.mint(owner, lower, upper, desired, least)
        )
    emptied = [each for each in ids if not manager.nft(each).info.liquidity]
    if emptied and dice.random() < 0.5:
        ids, kind = tuple(emptied), dice.choice(["collect", "burn"])
    token_id = dice.choice(ids)
    held = manager.nft(token_id).info.liquidity
    if kind == "increase":
        there = both.there(INCREASE, (token_id, *desired, *least, NEVER))
        return compare(
            both, kind, there, lambda here: here.increase_liquidity(token_id, desired, least)
        )
    if kind == "decrease":
        part = dice.choice([held, held, held, held // 3, held + 1, 0])
        there = both.there(DECREASE, (token_id, part, 0, 0, NEVER))
        return compare(
            both, kind, there, lambda here: here.decrease_liquidity(token_id, part, (0, 0))
        )
    if kind == "collect":
        every = (2**128 - 1, 2**128 - 1)
        most = dice.choice([every, every, every, (2**128 - 1, 0), (5, 7), (0, 0)])
        there = both.there(COLLECT, (token_id, owner, *most))
        return compare(both, kind, there, lambda here: here.collect(token_id, *most))
    return compare(both, kind, both.there(BURN, token_id), lambda here: here.burn(token_id))


def compare(
    both: Both, name: str, there: tuple[Any, ...] | str, call: Callable[[PositionManager], Any]
) -> str:
    """Both answer alike, or both refuse. A call is made on a copy, as a transaction is."""
    twin = both.manager.copy(both.manager.pool.copy())
    if isinstance(there, str):
        with pytest.raises(Revert) as refused:
            call(twin)
        assert refused.value.reason in there
        return "refused"
    answer = call(twin)
    assert (answer if answer is not None else ()) == there
    both.manager = twin
    return name


@pytest.fixture
def manager() -> PositionManager:
    pool = Pool(500, 10, timestamp=1)
    pool.initialize(1 << 96)
    return PositionManager(pool, POSITION_MANAGER)


def test_refusals_name_their_reason(manager: PositionManager) -> None:
    token_id, liquidity, *_ = manager.mint("a", -100, 100, (10**18, 10**18), (0, 0))
    with pytest.raises(PriceSlippage, match="Price slippage check"):
        manager.copy(manager.pool.copy()).mint("a", -10, 10, (1000, 1000), (2000, 0))
    with pytest.raises(NotCleared, match="Not cleared"):
        manager.burn(token_id)
    with pytest.raises(NothingAsked):
        manager.decrease_liquidity(token_id, liquidity + 1, (0, 0))
    with pytest.raises(NothingAsked):
        manager.collect(token_id, 0, 0)
    with pytest.raises(UnknownNft):
        manager.collect(99)


def test_a_copy_is_independent(manager: PositionManager) -> None:
    token_id, liquidity, *_ = manager.mint("a", -100, 100, (10**18, 10**18), (0, 0))
    twin = manager.copy(manager.pool.copy())
    twin.decrease_liquidity(token_id, liquidity, (0, 0))
    twin.collect(token_id)
    twin.burn(token_id)
    assert twin.owned("a") == ()
    assert manager.owned("a") == (token_id,)
    assert manager.pool.liquidity == liquidity
