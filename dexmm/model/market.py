"""A market: one v3 pool, its base (what we hold a share of) and its quote (what we count in)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dexmm.units import (
    Liquidity,
    SqrtPriceX96,
    Tick,
    price_from_sqrt,
    sqrt_from_price,
    to_decimal,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    address: str  # EIP-55 checksummed
    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What never changes about a pool, read from the pool itself."""

    chain_id: int
    pool: str
    position_manager: str
    swap_router: str
    token0: Token
    token1: Token
    base_is_token0: bool
    fee_pips: int
    tick_spacing: int

    @property
    def base(self) -> Token:
        return self.token0 if self.base_is_token0 else self.token1

    @property
    def quote(self) -> Token:
        return self.token1 if self.base_is_token0 else self.token0

    def price(self, sqrt_price_x96: int) -> Decimal:
        """Quote per base."""
        return price_from_sqrt(
            sqrt_price_x96,
            self.token0.decimals,
            self.token1.decimals,
            base_is_token0=self.base_is_token0,
        )

    def sqrt_price_x96(self, price: Decimal) -> SqrtPriceX96:
        """The pool's own square-root price for a quote-per-base price; rounds down."""
        return sqrt_from_price(
            price,
            self.token0.decimals,
            self.token1.decimals,
            base_is_token0=self.base_is_token0,
        )

    def base_quote(self, amount0: int, amount1: int) -> tuple[Decimal, Decimal]:
        """Amounts in smallest units, by token, as whole ``(base, quote)``. Exact."""
        decimals = self.token0.decimals, self.token1.decimals
        return _base_quote(amount0, amount1, *decimals, self.base_is_token0)


@lru_cache(maxsize=256)  # the same amounts are asked for several times in a turn
def _base_quote(
    amount0: int, amount1: int, decimals0: int, decimals1: int, base_is_token0: bool
) -> tuple[Decimal, Decimal]:
    whole0, whole1 = to_decimal(amount0, decimals0), to_decimal(amount1, decimals1)
    return (whole0, whole1) if base_is_token0 else (whole1, whole0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What the pool said at the snapshot's block."""

    sqrt_price_x96: SqrtPriceX96
    tick: Tick
    liquidity: Liquidity
    fee_protocol: int  # slot0's byte: low nibble for token0, high nibble for token1; 0 is off
    fee_growth_global0_x128: int
    fee_growth_global1_x128: int
    observation_cardinality: int
    observation_cardinality_next: int
    oldest_observation: int  # timestamp, seconds
    twap_seconds: int  # the window asked for
    mean_tick: Tick | None  # None when the oracle's history is shorter than the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A price that does not come from this pool, such as a Chainlink feed."""

    name: str
    price: Decimal | None  # quote per base; None when the source answered with nonsense
    updated_at: int  # timestamp, seconds
    heartbeat_seconds: int  # older than this, the source is stale
    problem: str = ""  # why there is no price


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGuards:
    """Which of a token's emergency switches are on. ``None``: the token has no such switch.

    Understands PAXG V1 and V2, USDT, USDC and XAUt; a plain ERC-20 answers ``None`` to everything.
    """

    paused: bool | None
    frozen: tuple[str, ...]  # of "wallet", "pool", "position_manager": those barred from sending
    transfer_fee: int | None  # in the token's own unit (PAXG: 1e-6, USDT: basis points); 0 is off
    deprecated: bool | None
    implementation: str | None  # address behind the proxy, where a known slot holds one
    freeze_known: bool = True  # a function that tells who is frozen answered; else none was seen

    @property
    def unknown(self) -> bool:
        """Whether it answered none of the questions that its issuer's powers are known by."""
        switches = (self.paused, self.transfer_fee, self.deprecated)
        return not self.freeze_known and all(switch is None for switch in switches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    number: int
    timestamp: int
    base_fee_wei: int
