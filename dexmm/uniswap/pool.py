"""A whole Uniswap v3 pool in memory, equal to the deployed bytecode to the last bit.

Methods are the contract's in snake case. Where the contract knows the caller, the position's
owner is an argument; where it knows the block, ``timestamp`` is an attribute to set. A method
that raises has changed nothing: each one computes everything, takes the payment, then commits.

Tokens are not held here. What a mint, a swap or a flash loan asks for is taken as paid unless
``pay`` is given, which stands for the contract's callback: it is told the amounts owed and says
what arrived (a token with a transfer fee lets less arrive). Calling the pool from within ``pay``
finds it locked, and still in the state before the call. Of the attributes only ``timestamp`` is
for setting: the others are the contract's storage, and change by its operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dexmm.uniswap import errors, oracle
from dexmm.uniswap.full_math import (
    MAX_INT128,
    MAX_UINT128,
    MAX_UINT256,
    mul_div_rounding_up,
)
from dexmm.uniswap.modify_position import Modification, modify_position
from dexmm.uniswap.oracle import MAX_UINT32
from dexmm.uniswap.pool_storage import PoolStorage
from dexmm.uniswap.swap_loop import swap_one_for_zero, swap_zero_for_one
from dexmm.uniswap.swap_math import FEE_DENOMINATOR
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MIN_SQRT_RATIO,
    get_tick_at_sqrt_ratio,
)

Payment = Callable[[int, int], tuple[int, int]]
"""Told the amounts of token0 and token1 owed; says the amounts that arrived."""


class Pool(PoolStorage):
    """One pool, and the contract's operations on it."""

    __slots__ = ()

    def initialize(self, sqrt_price_x96: int) -> None:
        """Set the first price. Reverts AI, R."""
        if self.sqrt_price_x96 != 0:
            raise errors.AlreadyInitialized(sqrt_price_x96=self.sqrt_price_x96)
        self.tick = get_tick_at_sqrt_ratio(sqrt_price_x96)
        self.sqrt_price_x96 = sqrt_price_x96
        self.observations = oracle.initialize(self.timestamp)
        self.observation_index = 0
        self.observation_cardinality = self.observation_cardinality_next = 1
        self.ticks.seek(self.tick)
        self.unlocked = True

    def mint(
        self,
        owner: str,
        tick_lower: int,
        tick_upper: int,
        amount: int,
        pay: Payment | None = None,
    ) -> tuple[int, int]:
        """Add liquidity; the amounts charged, rounded up.

        Reverts LOK, TLU, TLM, TUM, LO, LA, M0, M1, and without a reason for nothing, for more
        than ``int128`` and for ticks off the grid.
        """
        self._require_unlocked()
        if amount == 0:
            raise errors.LiquidityZero(amount=amount)
        change = modify_position(self, owner, tick_lower, tick_upper, _to_int128(amount))
        if pay is not None:
            arrived0, arrived1 = self._take(pay, change.amount0, change.amount1)
            if arrived0 < change.amount0:
                raise errors.Mint0Unpaid(owed=change.amount0, arrived=arrived0)
            if arrived1 < change.amount1:
                raise errors.Mint1Unpaid(owed=change.amount1, arrived=arrived1)
        self._commit(change)
        return change.amount0, change.amount1

    def burn(self, owner: str, tick_lower: int, tick_upper: int, amount: int) -> tuple[int, int]:
        """Remove liquidity; the amounts now owed for it, rounded down. Zero credits fees only.

        Reverts LOK, TLU, TLM, TUM, LS, NP, and without a reason for more than ``int128``.
        """
        self._require_unlocked()
        change = modify_position(self, owner, tick_lower, tick_upper, -_to_int128(amount))
        amount0, amount1 = -change.amount0, -change.amount1
        position = change.position
        owed = replace(
            position,
            tokens_owed0=(position.tokens_owed0 + amount0) & MAX_UINT128,
            tokens_owed1=(position.tokens_owed1 + amount1) & MAX_UINT128,
        )
        self._commit(change._replace(position=owed))
        return amount0, amount1

    def collect(
        self,
        owner: str,
        tick_lower: int,
        tick_upper: int,
        amount0_requested: int = MAX_UINT128,
        amount1_requested: int = MAX_UINT128,
    ) -> tuple[int, int]:
        """Pay out what a position is owed, up to the amounts asked for. Reverts LOK."""
        self._require_unlocked()
        position = self.position(owner, tick_lower, tick_upper)
        amount0 = min(amount0_requested, position.tokens_owed0)
        amount1 = min(amount1_requested, position.tokens_owed1)
        if amount0 or amount1:
            self.positions[owner, tick_lower, tick_upper] = replace(
                position,
                tokens_owed0=position.tokens_owed0 - amount0,
                tokens_owed1=position.tokens_owed1 - amount1,
            )
        return amount0, amount1

    def swap(
        self,
        zero_for_one: bool,
        amount_specified: int,
        sqrt_price_limit_x96: int | None = None,
        pay: Payment | None = None,
    ) -> tuple[int, int]:
        """Swap an exact input (positive) or for an exact output (negative).

        Returns what the pool received of token0 and token1; negative is what it paid. The limit
        defaults to the end of prices, as routers pass it. Reverts AS, LOK, SPL, IIA.
        """
        if amount_specified == 0:
            raise errors.AmountSpecifiedZero
        if not self.unlocked:
            raise errors.Locked
        price = self.sqrt_price_x96
        if sqrt_price_limit_x96 is None:
            sqrt_price_limit_x96 = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
        if not (
            MIN_SQRT_RATIO < sqrt_price_limit_x96 < price
            if zero_for_one
            else price < sqrt_price_limit_x96 < MAX_SQRT_RATIO
        ):
            raise errors.PriceLimitOutOfBounds(
                sqrt_price_x96=price, sqrt_price_limit_x96=sqrt_price_limit_x96
            )
        exact_in = amount_specified > 0
        if zero_for_one:
            end = swap_zero_for_one(
                self.ticks,
                price,
                self.tick,
                self.liquidity,
                self.fee_growth_global0_x128,
                exact_in,
                amount_specified if exact_in else -amount_specified,
                sqrt_price_limit_x96,
                self.fee,
                self.fee_protocol & 0xF,
            )
        else:
            end = swap_one_for_zero(
                self.ticks,
                price,
                self.tick,
                self.liquidity,
                self.fee_growth_global1_x128,
                exact_in,
                amount_specified if exact_in else -amount_specified,
                sqrt_price_limit_x96,
                self.fee,
                self.fee_protocol >> 4,
            )
        price, tick, liquidity, growth, protocol_fee, remaining, calculated, growths, below = end
        if exact_in:
            received, paid = amount_specified - remaining, -calculated
        else:
            received, paid = calculated, amount_specified + remaining
        amounts = (received, paid) if zero_for_one else (paid, received)
        if pay is not None:
            arrived = self._take(pay, *amounts)[0 if zero_for_one else 1]
            if arrived < received:
                raise errors.InputUnpaid(owed=received, arrived=arrived)
        if growth > MAX_UINT256:
            growth &= MAX_UINT256
            growths = [crossed & MAX_UINT256 for crossed in growths]
        if tick != self.tick:
            self._observe_and_cross(zero_for_one, growths, below)
            self.tick = tick
            self.liquidity = liquidity
        self.sqrt_price_x96 = price
        if zero_for_one:
            self.fee_growth_global0_x128 = growth
            self.protocol_fees0 = (self.protocol_fees0 + protocol_fee) & MAX_UINT128
        else:
            self.fee_growth_global1_x128 = growth
            self.protocol_fees1 = (self.protocol_fees1 + protocol_fee) & MAX_UINT128
        return amounts

    def flash(self, amount0: int, amount1: int, pay: Payment | None = None) -> tuple[int, int]:
        """Lend both tokens for the length of a callback; the fees paid, at least the pool's.

        ``pay`` is told the least fees and says everything that came back, loan included.
        Reverts LOK, L, F0, F1.
        """
        self._require_unlocked()
        if self.liquidity == 0:
            raise errors.FlashWithoutLiquidity
        fee0 = mul_div_rounding_up(amount0, self.fee, FEE_DENOMINATOR)
        fee1 = mul_div_rounding_up(amount1, self.fee, FEE_DENOMINATOR)
        paid0, paid1 = fee0, fee1
        if pay is not None:
            arrived0, arrived1 = self._take(pay, fee0, fee1)
            paid0, paid1 = arrived0 - amount0, arrived1 - amount1
            if paid0 < fee0:
                raise errors.Flash0Unpaid(owed=amount0 + fee0, arrived=arrived0)
            if paid1 < fee1:
                raise errors.Flash1Unpaid(owed=amount1 + fee1, arrived=arrived1)
        share0 = paid0 // (self.fee_protocol & 0xF) if self.fee_protocol & 0xF else 0
        share1 = paid1 // (self.fee_protocol >> 4) if self.fee_protocol >> 4 else 0
        growth0 = ((paid0 - share0) << 128) // self.liquidity
        growth1 = ((paid1 - share1) << 128) // self.liquidity
        if max(growth0, growth1) > MAX_UINT256:
            raise errors.ArithmeticOverflow(paid0=paid0, paid1=paid1, liquidity=self.liquidity)
        self.protocol_fees0 = (self.protocol_fees0 + share0) & MAX_UINT128
        self.protocol_fees1 = (self.protocol_fees1 + share1) & MAX_UINT128
        self.fee_growth_global0_x128 = (self.fee_growth_global0_x128 + growth0) & MAX_UINT256
        self.fee_growth_global1_x128 = (self.fee_growth_global1_x128 + growth1) & MAX_UINT256
        return paid0, paid1

    def set_fee_protocol(self, fee_protocol0: int, fee_protocol1: int) -> None:
        """Give the protocol one in ``fee_protocol`` of the fees of each token; 0 is none.

        Reverts LOK, and without a reason for anything but 0 and 4 to 10.
        """
        self._require_unlocked()
        for share in (fee_protocol0, fee_protocol1):
            if share != 0 and not 4 <= share <= 10:
                raise errors.FeeProtocolOutOfBounds(
                    fee_protocol0=fee_protocol0, fee_protocol1=fee_protocol1
                )
        self.fee_protocol = fee_protocol0 + (fee_protocol1 << 4)
        self.ticks.forget()

    def collect_protocol(
        self, amount0_requested: int = MAX_UINT128, amount1_requested: int = MAX_UINT128
    ) -> tuple[int, int]:
        """Pay out protocol fees; the last unit of each stays, as the contract saves gas so."""
        self._require_unlocked()
        amount0 = min(amount0_requested, max(self.protocol_fees0 - 1, 0))
        amount1 = min(amount1_requested, max(self.protocol_fees1 - 1, 0))
        self.protocol_fees0 -= amount0
        self.protocol_fees1 -= amount1
        return amount0, amount1

    def increase_observation_cardinality_next(self, observation_cardinality_next: int) -> None:
        """Make room for more observations. Reverts LOK."""
        self._require_unlocked()
        self.observation_cardinality_next = oracle.grow(
            self.observations, self.observation_cardinality_next, observation_cardinality_next
        )

    def _require_unlocked(self) -> None:
        if not self.unlocked:
            raise errors.Locked

    def _take(self, pay: Payment, amount0: int, amount1: int) -> tuple[int, int]:
        self.unlocked = False
        try:
            return pay(amount0, amount1)
        finally:
            self.unlocked = True

    def _commit(self, change: Modification) -> None:
        _, tick_lower, tick_upper = change.key
        if change.observed:
            self._write_observation()
        if change.lower is not None:
            self.ticks.put(tick_lower, change.lower, self.tick)
        if change.upper is not None:
            self.ticks.put(tick_upper, change.upper, self.tick)
        self.positions[change.key] = change.position
        self.liquidity = change.liquidity

    def _observe_and_cross(self, zero_for_one: bool, growths: list[int], below: int) -> None:
        """What a swap that leaves its tick does; a tick is never crossed without that."""
        ring, index = self.observations, self.observation_index
        now = oracle.latest(ring[index], self.timestamp & MAX_UINT32, self.tick, self.liquidity)
        if growths:
            table = self.ticks
            if zero_for_one:
                places = range(table.below, below, -1)
                other_growth = self.fee_growth_global1_x128
            else:
                places = range(table.below + 1, below + 1)
                other_growth = self.fee_growth_global0_x128
            table.cross(places, zero_for_one, growths, other_growth, now)
            table.below = below
        self.observation_index, self.observation_cardinality = oracle.store(
            ring, index, now, self.observation_cardinality, self.observation_cardinality_next
        )

    def _write_observation(self) -> None:
        self.observation_index, self.observation_cardinality = oracle.write(
            self.observations,
            self.observation_index,
            self.timestamp & MAX_UINT32,
            self.tick,
            self.liquidity,
            self.observation_cardinality,
            self.observation_cardinality_next,
        )


def _to_int128(amount: int) -> int:
    if not 0 <= amount <= MAX_INT128:
        raise errors.ArithmeticOverflow(amount=amount, bits=128)
    return amount
