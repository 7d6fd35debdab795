"""Who takes part in a comparison: the live strategies, and what others do without one.

    static       a range of ``half_width`` around the first price, minted once and left alone:
                 the wallet's whole balance is offered and the position takes it at the range's
                 ratio, as much as both tokens can pay for; the rest stays idle, so that nobody
                 starts with another exposure than the others
    full range   the same over every price there is, as a constant-product pool (v2) would
    hold         nothing at all
    rebalanced   no liquidity: whenever the share is further than ``step`` from its target, base is
                 traded back to it at the fair price, at ``cost`` of what is traded

Static ranges act on the same simulated chain as the live code does: an approval and a mint, at the
same gas. Nobody sees later than its own turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dexmm.backtest.compare.rows import Kind
from dexmm.config.schema import Config
from dexmm.model.decision import Role
from dexmm.model.market import Market
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Allowance, Approve, ChainStep, Mint, Rerange
from dexmm.performance.rebalanced import STEP, market_cost
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.uniswap.tick_math import get_tick_at_sqrt_ratio, max_usable_tick, min_usable_tick
from dexmm.units import PRICE, Amount0, Amount1, Tick

DEADLINE_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The live code with the configuration as it is, this strategy's name aside.

    ``config`` is another configuration than the scenario's, and ``label`` what it is called.
    """

    strategy: str
    config: Config | None = None
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.strategy

    @property
    def kind(self) -> Kind:
        return Kind.STRATEGY if STRATEGIES[self.strategy].most_ranges else Kind.HOLDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """``half_width`` None is the full range; 0.05 is 5 % each way."""

    half_width: Decimal | None

    @property
    def name(self) -> str:
        if self.half_width is None:
            return "full range"
        return f"static ±{(self.half_width * 100).normalize():f} %"

    @property
    def kind(self) -> Kind:
        return Kind.STATIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The inventory of the start, never touched."""

    @property
    def name(self) -> str:
        return "hold"

    @property
    def kind(self) -> Kind:
        return Kind.HOLDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalanced:
    """``cost`` None: what goes with the pool's fee (``rebalanced.market_cost``)."""

    step: Decimal = STEP
    cost: Decimal | None = None

    @property
    def name(self) -> str:
        return "rebalanced"

    @property
    def kind(self) -> Kind:
        return Kind.HOLDING

    def cost_in(self, market: Market) -> Decimal:
        """Of what is traded."""
        if self.cost is not None:
            return self.cost
        return market_cost(market.fee_pips)


Contestant = Live | Static | Holding | Rebalanced

FIELD: tuple[Contestant, ...] = (
    *(Live(strategy=name) for name in STRATEGIES if name != "hold"),
    *(Static(half_width=Decimal(width)) for width in ("0.02", "0.05", "0.10")),
    Static(half_width=None),
    Holding(),
    Rebalanced(),
)


def ticks_around(market: Market, price: Decimal, half_width: Decimal | None) -> tuple[Tick, Tick]:
    """The range on the pool's grid, each edge moved outward; the least one there is around it."""
    spacing = market.tick_spacing
    if half_width is None:
        return Tick(min_usable_tick(spacing)), Tick(max_usable_tick(spacing))
    with localcontext(PRICE):
        edges = [market.sqrt_price_x96(price * (1 + sign * half_width)) for sign in (-1, 1)]
    lower, upper = (get_tick_at_sqrt_ratio(edge) for edge in sorted(edges))
    return Tick(lower // spacing * spacing), Tick((upper // spacing + 1) * spacing)


def opening_steps(view: ChainView, static: Static) -> Iterator[ChainStep]:
    """An approval of exactly what the wallet has, then one mint of as much of it as fits."""
    market, wallet = view.market, view.wallet
    offered = (wallet.amount0, wallet.amount1)
    yield Approve(
        allowances=tuple(
            Allowance(
                token=token.address, spender=market.position_manager, amount=amount, current=0
            )
            for token, amount in zip((market.token0, market.token1), offered, strict=True)
        )
    )
    price = market.price(view.pool.sqrt_price_x96)
    lower, upper = ticks_around(market, price, static.half_width)
    yield Rerange(
        removals=(),
        mints=(
            Mint(
                tick_lower=lower,
                tick_upper=upper,
                amount0_desired=Amount0(wallet.amount0),
                amount1_desired=Amount1(wallet.amount1),
                amount0_min=Amount0(0),
                amount1_min=Amount1(0),
                role=Role.BASE,
            ),
        ),
        deadline=view.block.timestamp + DEADLINE_SECONDS,
    )
