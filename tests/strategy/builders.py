"""Plain data for the strategy's tests: a market, a pool, a wallet, and a small exact world.

``World`` holds one wallet's positions in a pool whose price is simply set: what arbitrage alone
would make of it. Amounts are the pool's own integers; there are no fees unless a test pays them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from dexmm.config.schema import Config, parse_config
from dexmm.model.decision import Decision
from dexmm.model.holdings import Position, Wallet
from dexmm.model.intent import InFlight
from dexmm.model.market import Block, Market, PoolState, Reference, Token, TokenGuards
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import Mint, Minted, Outcome, Rerange, Step, Swap
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember
from dexmm.uniswap.liquidity_amounts import (
    get_amounts_for_liquidity,
    get_amounts_for_liquidity_rounding_up,
    get_liquidity_for_amounts,
)
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio
from dexmm.units import to_units_down

BASE = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
QUOTE = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
ROUTER = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
WALLET = "0x00000000000000000000000000000000000000AA"
QUIET = TokenGuards(paused=False, frozen=(), transfer_fee=0, deprecated=None, implementation=None)
START = 1_750_075_200  # 2025-06-16 12:00 UTC, a Monday
GWEI = 10**9


def a_market(
    *,
    base_is_token0: bool = True,
    base_decimals: int = 18,
    quote_decimals: int = 6,
    fee_pips: int = 500,
    tick_spacing: int = 10,
) -> Market:
    base = Token(address=BASE, symbol="PAXG", decimals=base_decimals)
    quote = Token(address=QUOTE, symbol="USDT", decimals=quote_decimals)
    return Market(
        chain_id=1,
        pool=POOL,
        position_manager=MANAGER,
        swap_router=ROUTER,
        token0=base if base_is_token0 else quote,
        token1=quote if base_is_token0 else base,
        base_is_token0=base_is_token0,
        fee_pips=fee_pips,
        tick_spacing=tick_spacing,
    )


def a_config(**sections: dict[str, object]) -> Config:
    """The defaults, with the settings that a test is about."""
    settings: dict[str, dict[str, object]] = {
        "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:8545"},
        "market": {
            "pool": POOL,
            "base": BASE,
            "price_low": Decimal("0.000000000001"),
            "price_high": Decimal(1000000000000),
        },
    }
    for name, values in sections.items():
        settings[name] = {**settings.get(name, {}), **values}
    return parse_config(settings, Path(), source="test")


@dataclass
class World:
    """One wallet in one pool. ``price`` is quote per base, the pool's own."""

    config: Config
    market: Market = field(default_factory=a_market)
    price: Decimal = Decimal(4000)
    base: Decimal = Decimal(10)
    quote: Decimal = Decimal(75_000)
    now: int = START
    block: int = 1_000_000
    eth: int = 10**18
    base_fee_wei: int = GWEI // 10
    allowances: tuple[int, int] = (0, 0)
    mean_price: Decimal | None = None  # the TWAP; the price itself unless set
    oracle: bool = True
    cardinality: int = 500
    pool_liquidity: int = 10**18
    references: tuple[Reference, ...] = ()
    guards0: TokenGuards = QUIET
    guards1: TokenGuards = QUIET
    in_flight: tuple[InFlight, ...] = ()
    nonce: int = 7
    pending: int = 0
    behind: int = 0  # seconds that the node lags
    halted: str = ""
    memory: Memory = field(default_factory=Memory)
    ranges: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    fees: dict[int, tuple[int, int]] = field(default_factory=dict)
    next_id: int = 1
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = to_units_down(self.base, self.market.base.decimals)
        quote = to_units_down(self.quote, self.market.quote.decimals)
        self.idle = [base, quote] if self.market.base_is_token0 else [quote, base]

    @property
    def sqrt_price_x96(self) -> int:
        return self.market.sqrt_price_x96(self.price)

    def positions(self) -> tuple[Position, ...]:
        return tuple(self._position(token_id, *ranged) for token_id, ranged in self.ranges.items())

    def _position(self, token_id: int, lower: int, upper: int, liquidity: int) -> Position:
        amount0, amount1 = get_amounts_for_liquidity(
            self.sqrt_price_x96,
            get_sqrt_ratio_at_tick(lower),
            get_sqrt_ratio_at_tick(upper),
            liquidity,
        )
        fees0, fees1 = self.fees.get(token_id, (0, 0))
        return Position(
            token_id=token_id,
            tick_lower=lower,
            tick_upper=upper,
            liquidity=liquidity,
            amount0=amount0,
            amount1=amount1,
            fees0=fees0,
            fees1=fees1,
        )

    def view(self) -> ChainView:
        sqrt_price = self.sqrt_price_x96
        mean = self.market.sqrt_price_x96(self.mean_price or self.price)
        return ChainView(
            market=self.market,
            block=Block(number=self.block, timestamp=self.now, base_fee_wei=self.base_fee_wei),
            pool=PoolState(
                sqrt_price_x96=sqrt_price,
                tick=get_tick_at_sqrt_ratio(sqrt_price),
                liquidity=self.pool_liquidity,
                fee_protocol=68,
                fee_growth_global0_x128=0,
                fee_growth_global1_x128=0,
                observation_cardinality=self.cardinality,
                observation_cardinality_next=self.cardinality,
                oldest_observation=self.now - 100_000 if self.oracle else self.now,
                twap_seconds=1800,
                mean_tick=get_tick_at_sqrt_ratio(mean) if self.oracle else None,
            ),
            wallet=Wallet(
                address=WALLET,
                amount0=self.idle[0],
                amount1=self.idle[1],
                eth=self.eth,
                allowance0=self.allowances[0],
                allowance1=self.allowances[1],
                nonce=self.nonce,
                pending_nonce=self.nonce + self.pending,
            ),
            positions=self.positions(),
            other_positions=0,
            guards0=self.guards0,
            guards1=self.guards1,
            references=self.references,
            eth_price=Decimal(4000),
            in_flight=self.in_flight,
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(
            observed_at=self.now + self.behind,
            chain=self.view(),
            memory=self.memory,
            halted=self.halted,
        )

    def decide(self) -> Decision:
        return decide(self.snapshot(), self.config)

    def turn(self, seconds: int = 0) -> tuple[Decision, tuple[Step, ...]]:
        """Let time pass, then one whole turn; every step is mined at the observed price."""
        self.pass_time(seconds)
        snapshot = self.snapshot()
        decision = decide(snapshot, self.config)
        steps = plan(snapshot, decision, self.config)
        outcomes = tuple(self.apply(step) for step in steps)
        self.memory = remember(snapshot, decision, outcomes, self.config)
        self.decisions.append(decision)
        return decision, steps

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.block += seconds // 12

    def settle(self) -> tuple[Decision, tuple[Step, ...]]:
        """A turn that starts, and one that sees what it made."""
        self.turn()
        return self.turn(60)

    def apply(self, step: Step) -> Outcome:
        if isinstance(step, Swap):
            return self._swap(step)
        if not isinstance(step, Rerange):
            return Outcome(step=step.kind, status="mined")
        before = list(self.idle)
        for removal in step.removals:
            self._remove(removal.token_id, removal.liquidity, removal.burn)
        collected = (self.idle[0] - before[0], self.idle[1] - before[1])
        minted = tuple(self._mint(mint) for mint in step.mints)
        return Outcome(
            step="rerange",
            status="mined",
            collected0=collected[0],
            collected1=collected[1],
            minted=minted,
        )

    def _swap(self, step: Swap) -> Outcome:
        """At the price, less the fee: arbitrage brings the pool back before the next turn."""
        gives, takes = (0, 1) if step.zero_for_one else (1, 0)
        price = Fraction(self.sqrt_price_x96, 2**96) ** 2
        kept = Fraction(10**6 - self.market.fee_pips, 10**6)
        out = int(step.amount_in * kept * (price if step.zero_for_one else 1 / price))
        assert out >= step.amount_out_minimum
        self.nonce += 2  # it is allowed first
        self.idle[gives] -= step.amount_in
        self.idle[takes] += out
        assert self.idle[gives] >= 0
        received = (0, out) if step.zero_for_one else (out, 0)
        return Outcome(step="swap", status="mined", collected0=received[0], collected1=received[1])

    def _remove(self, token_id: int, liquidity: int, burn: bool) -> None:
        lower, upper, held = self.ranges[token_id]
        part = self._position(token_id, lower, upper, liquidity)
        self.idle[0] += part.amount0 + part.fees0
        self.idle[1] += part.amount1 + part.fees1
        self.fees.pop(token_id, None)
        self.ranges[token_id] = (lower, upper, held - liquidity)
        if burn:
            assert held == liquidity
            del self.ranges[token_id]

    def _mint(self, mint: Mint) -> Minted:
        lower, upper = (
            get_sqrt_ratio_at_tick(mint.tick_lower),
            get_sqrt_ratio_at_tick(mint.tick_upper),
        )
        desired = (mint.amount0_desired, mint.amount1_desired)
        assert desired[0] <= self.idle[0]
        assert desired[1] <= self.idle[1]
        liquidity = get_liquidity_for_amounts(self.sqrt_price_x96, lower, upper, *desired)
        amount0, amount1 = get_amounts_for_liquidity_rounding_up(
            self.sqrt_price_x96, lower, upper, liquidity
        )
        assert liquidity > 0
        assert amount0 >= mint.amount0_min
        assert amount1 >= mint.amount1_min
        self.idle[0] -= amount0
        self.idle[1] -= amount1
        token_id = mint.token_id
        if token_id is None:
            token_id, self.next_id = self.next_id, self.next_id + 1
        held = self.ranges.get(token_id, (0, 0, 0))[2]
        self.ranges[token_id] = (mint.tick_lower, mint.tick_upper, held + liquidity)
        return Minted(
            token_id=token_id,
            tick_lower=mint.tick_lower,
            tick_upper=mint.tick_upper,
            liquidity=liquidity,
            amount0=amount0,
            amount1=amount1,
        )

    def share(self) -> Decimal:
        positions = self.positions()
        base, quote = self.market.base_quote(
            self.idle[0] + sum(p.amount0 + p.fees0 for p in positions),
            self.idle[1] + sum(p.amount1 + p.fees1 for p in positions),
        )
        return base * self.price / (base * self.price + quote)

    def remembering(self, **changes: object) -> World:
        self.memory = replace(self.memory, **changes)
        return self
