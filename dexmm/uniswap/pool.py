"""A whole Uniswap v3 pool in memory, equal to the deployed bytecode to the last bit.

Methods are the contract's in snake case. Where the contract knows the caller, the position's
owner is an argument; where it knows the block, ``timestamp`` is an attribute to set. A method
that raises has changed nothing: each one computes everything, takes the payment, then commits.

Tokens are not held here. What a mint, a swap or a flash loan asks for is taken as paid unless
``pay`` is given, which stands for the contract's callback: it is told the amounts owed and says
what arrived (a token with a transfer fee lets less arrive). Calling the pool from within ``pay``
finds it locked, and still in the state before the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dexmm.uniswap import errors, oracle
from dexmm.uniswap.full_math import (
    MAX_INT128,
    MAX_UINT128,
    MAX_UINT160,
    MAX_UINT256,
    mul_div_rounding_up,
    wrap_signed,
)
from dexmm.uniswap.liquidity_math import add_delta
from dexmm.uniswap.oracle import MAX_UINT32
from dexmm.uniswap.pool_state import PoolState, PositionKey
from dexmm.uniswap.position import EMPTY_POSITION, PositionInfo
from dexmm.uniswap.position import update as update_position
from dexmm.uniswap.sqrt_price_math import get_amount0_delta_signed, get_amount1_delta_signed
from dexmm.uniswap.swap_loop import swap_one_for_zero, swap_zero_for_one
from dexmm.uniswap.swap_math import FEE_DENOMINATOR
from dexmm.uniswap.tick import (
    Growth,
    TickInfo,
    get_fee_growth_inside,
    tick_spacing_to_max_liquidity_per_tick,
)
from dexmm.uniswap.tick import update as update_tick
from dexmm.uniswap.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)
from dexmm.uniswap.tick_table import TickTable

Payment = Callable[[int, int], tuple[int, int]]
"""Told the amounts of token0 and token1 owed; says the amounts that arrived."""


class _Modification(NamedTuple):
    """A changed position, not yet committed."""

    key: PositionKey
    position: PositionInfo
    lower: TickInfo | None
    upper: TickInfo | None
    amount0: int
    amount1: int
    liquidity: int
    observed: bool


class Pool:
    """One pool. ``copy()`` is cheap and independent; ``state()`` is everything as plain data."""

    __slots__ = (
        "fee",
        "fee_growth_global0_x128",
        "fee_growth_global1_x128",
        "fee_protocol",
        "liquidity",
        "max_liquidity_per_tick",
        "observation_cardinality",
        "observation_cardinality_next",
        "observation_index",
        "observations",
        "positions",
        "protocol_fees0",
        "protocol_fees1",
        "sqrt_price_x96",
        "tick",
        "tick_spacing",
        "ticks",
        "timestamp",
        "unlocked",
    )

    def __init__(self, fee: int, tick_spacing: int, timestamp: int = 0) -> None:
        """A deployed pool without a price; ``fee`` in hundredths of a basis point."""
        self._load(PoolState(fee, tick_spacing), timestamp)

    @classmethod
    def from_state(cls, state: PoolState, timestamp: int) -> Pool:
        """A pool in the state that a chain reports, at a block's time."""
        pool = cls.__new__(cls)
        pool._load(state, timestamp)
        return pool

    def _load(self, state: PoolState, timestamp: int) -> None:
        self.fee = state.fee
        self.tick_spacing = state.tick_spacing
        self.max_liquidity_per_tick = tick_spacing_to_max_liquidity_per_tick(state.tick_spacing)
        self.timestamp = timestamp
        self.unlocked = state.sqrt_price_x96 != 0
        self.sqrt_price_x96 = state.sqrt_price_x96
        self.tick = state.tick
        self.observation_index = state.observation_index
        self.observation_cardinality = state.observation_cardinality
        self.observation_cardinality_next = state.observation_cardinality_next
        self.fee_protocol = state.fee_protocol
        self.fee_growth_global0_x128 = state.fee_growth_global0_x128
        self.fee_growth_global1_x128 = state.fee_growth_global1_x128
        self.protocol_fees0 = state.protocol_fees0
        self.protocol_fees1 = state.protocol_fees1
        self.liquidity = state.liquidity
        self.positions = dict(state.positions)
        self.observations = list(state.observations)
        missing = state.observation_cardinality_next - len(self.observations)
        self.observations += [oracle.GROWN] * missing
        self.ticks = TickTable(state.tick_spacing, state.ticks)
        self.ticks.seek(state.tick)

    def state(self) -> PoolState:
        """Everything the pool stores."""
        return PoolState(
            fee=self.fee,
            tick_spacing=self.tick_spacing,
            sqrt_price_x96=self.sqrt_price_x96,
            tick=self.tick,
            observation_index=self.observation_index,
            observation_cardinality=self.observation_cardinality,
            observation_cardinality_next=self.observation_cardinality_next,
            fee_protocol=self.fee_protocol,
            fee_growth_global0_x128=self.fee_growth_global0_x128,
            fee_growth_global1_x128=self.fee_growth_global1_x128,
            protocol_fees0=self.protocol_fees0,
            protocol_fees1=self.protocol_fees1,
            liquidity=self.liquidity,
            ticks=dict(self.ticks.items()),
            positions=dict(self.positions),
            observations=tuple(self.observations),
        )

    def copy(self) -> Pool:
        """An independent pool in the same state; a few list copies."""
        twin = Pool.__new__(Pool)
        for name in Pool.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.ticks = self.ticks.copy()
        twin.positions = self.positions.copy()
        twin.observations = self.observations.copy()
        return twin

    def position(self, owner: str, tick_lower: int, tick_upper: int) -> PositionInfo:
        """What the contract's ``positions(key)`` returns: zeros for one never made."""
        return self.positions.get((owner, tick_lower, tick_upper), EMPTY_POSITION)

    def fee_growth_inside(self, tick_lower: int, tick_upper: int) -> tuple[int, int]:
        """Fee growth between two ticks as a poke would read it now, Q128.128 modulo 2**256."""
        return get_fee_growth_inside(
            self.ticks[tick_lower],
            self.ticks[tick_upper],
            tick_lower,
            tick_upper,
            self.tick,
            self.fee_growth_global0_x128,
            self.fee_growth_global1_x128,
        )

    # -- operations ---------------------------------------------------------------------------

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
        change = self._modify_position(owner, tick_lower, tick_upper, _to_int128(amount))
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
        change = self._modify_position(owner, tick_lower, tick_upper, -_to_int128(amount))
        amount0, amount1 = -change.amount0, -change.amount1
        position = change.position
        owed = PositionInfo(
            position.liquidity,
            position.fee_growth_inside0_last_x128,
            position.fee_growth_inside1_last_x128,
            (position.tokens_owed0 + amount0) & MAX_UINT128,
            (position.tokens_owed1 + amount1) & MAX_UINT128,
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
            self.positions[owner, tick_lower, tick_upper] = PositionInfo(
                position.liquidity,
                position.fee_growth_inside0_last_x128,
                position.fee_growth_inside1_last_x128,
                position.tokens_owed0 - amount0,
                position.tokens_owed1 - amount1,
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

    # -- the oracle ---------------------------------------------------------------------------

    def observe(self, seconds_agos: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tick and seconds-per-liquidity accumulators at each time ago. Reverts I, OLD."""
        return oracle.observe(
            self.observations,
            self.timestamp & MAX_UINT32,
            seconds_agos,
            self.tick,
            self.observation_index,
            self.liquidity,
            self.observation_cardinality,
        )

    def snapshot_cumulatives_inside(self, tick_lower: int, tick_upper: int) -> tuple[int, int, int]:
        """Tick accumulator, seconds per liquidity and seconds spent inside a range.

        Only differences mean anything. Reverts TLU, TLM, TUM, and without a reason for a tick
        that no position references.
        """
        _check_ticks(tick_lower, tick_upper)
        for tick in (tick_lower, tick_upper):
            if tick not in self.ticks:
                raise errors.TickUninitialized(tick=tick)
        lower, upper = self.ticks[tick_lower], self.ticks[tick_upper]
        rest: tuple[TickInfo, ...]
        if self.tick < tick_lower:
            first, rest = lower, (upper,)
        elif self.tick >= tick_upper:
            first, rest = upper, (lower,)
        else:
            now = self._growth()
            first = TickInfo(
                tick_cumulative_outside=now.tick_cumulative,
                seconds_per_liquidity_outside_x128=now.seconds_per_liquidity_cumulative_x128,
                seconds_outside=now.time,
            )
            rest = (lower, upper)
        ticks = first.tick_cumulative_outside - sum(info.tick_cumulative_outside for info in rest)
        liquidity = first.seconds_per_liquidity_outside_x128 - sum(
            info.seconds_per_liquidity_outside_x128 for info in rest
        )
        seconds = first.seconds_outside - sum(info.seconds_outside for info in rest)
        return wrap_signed(ticks, 56), liquidity & MAX_UINT160, seconds & MAX_UINT32

    # -- parts --------------------------------------------------------------------------------

    def _require_unlocked(self) -> None:
        if not self.unlocked:
            raise errors.Locked

    def _take(self, pay: Payment, amount0: int, amount1: int) -> tuple[int, int]:
        self.unlocked = False
        try:
            return pay(amount0, amount1)
        finally:
            self.unlocked = True

    def _growth(self) -> Growth:
        time = self.timestamp & MAX_UINT32
        tick_cumulative, seconds_per_liquidity = oracle.observe_single(
            self.observations,
            time,
            0,
            self.tick,
            self.observation_index,
            self.liquidity,
            self.observation_cardinality,
        )
        return Growth(
            self.fee_growth_global0_x128,
            self.fee_growth_global1_x128,
            tick_cumulative,
            seconds_per_liquidity,
            time,
        )

    def _modify_position(
        self, owner: str, tick_lower: int, tick_upper: int, liquidity_delta: int
    ) -> _Modification:
        _check_ticks(tick_lower, tick_upper)
        key = (owner, tick_lower, tick_upper)
        lower, upper = self.ticks[tick_lower], self.ticks[tick_upper]
        if liquidity_delta != 0:
            lower, upper = self._updated_ticks(key, lower, upper, liquidity_delta)
        position = update_position(
            self.positions.get(key, EMPTY_POSITION),
            liquidity_delta,
            *get_fee_growth_inside(
                lower,
                upper,
                tick_lower,
                tick_upper,
                self.tick,
                self.fee_growth_global0_x128,
                self.fee_growth_global1_x128,
            ),
        )
        if liquidity_delta == 0:
            return _Modification(key, position, None, None, 0, 0, self.liquidity, observed=False)
        price_lower = get_sqrt_ratio_at_tick(tick_lower)
        price_upper = get_sqrt_ratio_at_tick(tick_upper)
        amount0 = amount1 = 0
        liquidity = self.liquidity
        in_range = tick_lower <= self.tick < tick_upper
        if self.tick < tick_lower:
            amount0 = get_amount0_delta_signed(price_lower, price_upper, liquidity_delta)
        elif in_range:
            price = self.sqrt_price_x96
            amount0 = get_amount0_delta_signed(price, price_upper, liquidity_delta)
            amount1 = get_amount1_delta_signed(price_lower, price, liquidity_delta)
            liquidity = add_delta(liquidity, liquidity_delta)
        else:
            amount1 = get_amount1_delta_signed(price_lower, price_upper, liquidity_delta)
        return _Modification(key, position, lower, upper, amount0, amount1, liquidity, in_range)

    def _updated_ticks(
        self, key: PositionKey, lower: TickInfo, upper: TickInfo, liquidity_delta: int
    ) -> tuple[TickInfo, TickInfo]:
        _, tick_lower, tick_upper = key
        growth = self._growth()
        most = self.max_liquidity_per_tick
        updated_lower = update_tick(
            lower, tick_lower, self.tick, liquidity_delta, growth, False, most
        )
        updated_upper = update_tick(
            upper, tick_upper, self.tick, liquidity_delta, growth, True, most
        )
        for tick in (tick_lower, tick_upper):
            if tick % self.tick_spacing:
                raise errors.TickOffGrid(tick=tick, tick_spacing=self.tick_spacing)
        return updated_lower, updated_upper

    def _commit(self, change: _Modification) -> None:
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


def _check_ticks(tick_lower: int, tick_upper: int) -> None:
    if tick_lower >= tick_upper:
        raise errors.TicksMisordered(tick_lower=tick_lower, tick_upper=tick_upper)
    if tick_lower < MIN_TICK:
        raise errors.TickLowerTooLow(tick_lower=tick_lower)
    if tick_upper > MAX_TICK:
        raise errors.TickUpperTooHigh(tick_upper=tick_upper)


def _to_int128(amount: int) -> int:
    if not 0 <= amount <= MAX_INT128:
        raise errors.ArithmeticOverflow(amount=amount, bits=128)
    return amount
