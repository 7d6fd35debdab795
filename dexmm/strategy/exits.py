"""Everything out: the removals that leave nothing behind, and the sale of the base.

Exits always pass: what they demand is the caller's choice, down to nothing, since being out matters
more than the last per cent.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from dexmm.decimal_context import BP, PIPS, precise
from dexmm.model.holdings import Position
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import Allowance, Approve, Removal, Rerange, Step, Swap
from dexmm.strategy.exposure.fair_price import fair_price
from dexmm.strategy.ranges.slippage_bounds import corridor, removal_minimums
from dexmm.units import Amount0, Amount1

EXIT_DEADLINE_SECONDS = 1800
SWAP_DEADLINE_SECONDS = 600


@precise
def plan_exit(
    view: ChainView,
    *,
    batch: bool = True,
    slippage_bp: Decimal | None = None,
) -> tuple[Step, ...]:
    """Decrease, collect and burn every position of the wallet in the market.

    All of them in one transaction, or one each where ``batch`` is false. Positions without
    liquidity or anything owed are skipped. Without ``slippage_bp`` nothing is demanded.
    """
    removals = tuple(
        _removal(view, position, slippage_bp)
        for position in view.positions
        if position.liquidity or position.fees0 or position.fees1
    )
    groups = (removals,) if batch else tuple((removal,) for removal in removals)
    deadline = view.block.timestamp + EXIT_DEADLINE_SECONDS
    return tuple(Rerange(removals=group, mints=(), deadline=deadline) for group in groups if group)


def _removal(view: ChainView, position: Position, slippage_bp: Decimal | None) -> Removal:
    least = (Amount0(0), Amount1(0))
    if slippage_bp is not None:
        least = removal_minimums(
            view.pool.sqrt_price_x96,
            position.tick_lower,
            position.tick_upper,
            position.liquidity,
            slippage_bp,
        )
    return Removal(
        token_id=position.token_id,
        liquidity=position.liquidity,
        amount0_min=least[0],
        amount1_min=least[1],
        burn=True,
    )


@precise
def plan_sale(view: ChainView, slippages_bp: tuple[Decimal, ...]) -> tuple[tuple[Step, ...], ...]:
    """The whole idle base for quote: for each slippage the steps to try, in turn.

    The price demanded is the fair one less the pool's fee and the slippage. Empty when the
    wallet holds no base.
    """
    market = view.market
    base = view.wallet.amount0 if market.base_is_token0 else view.wallet.amount1
    if not base:
        return ()
    worth = base * fair_price(view).scaleb(market.quote.decimals - market.base.decimals)
    after_fee = worth * (1 - market.fee_pips / PIPS)
    return tuple(
        swap_steps(
            view,
            zero_for_one=market.base_is_token0,
            amount_in=base,
            amount_out_minimum=int(
                (after_fee * (1 - slippage / BP)).to_integral_value(ROUND_FLOOR)
            ),
            slippage_bp=slippage,
        )
        for slippage in slippages_bp
    )


def swap_steps(
    view: ChainView,
    *,
    zero_for_one: bool,
    amount_in: int,
    amount_out_minimum: int,
    slippage_bp: Decimal,
) -> tuple[Step, ...]:
    """Allow the router exactly what it takes, then swap inside the corridor of prices."""
    low, high = corridor(view.pool.sqrt_price_x96, slippage_bp)
    token = view.market.token0 if zero_for_one else view.market.token1
    return (
        Approve(
            allowances=(
                Allowance(
                    token=token.address,
                    spender=view.market.swap_router,
                    amount=amount_in,
                    current=0,  # the router holds no allowance between swaps
                ),
            )
        ),
        Swap(
            zero_for_one=zero_for_one,
            amount_in=amount_in,
            amount_out_minimum=amount_out_minimum,
            sqrt_price_limit_x96=low if zero_for_one else high,
            deadline=view.block.timestamp + SWAP_DEADLINE_SECONDS,
        ),
    )
