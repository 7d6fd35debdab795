"""NAV is conserved across an action, at one price.

What a simulated action would leave is compared with what is there now, everything valued at the
fair price and every position at the amounts it would hold *at that price*. A manipulated pool
changes what a position holds but not what it is worth there, so taking liquidity out of a pushed
pool, or putting it in, shows as the loss that it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import BP, DAY, precise
from dexmm.model.decision import Refusal
from dexmm.model.snapshot import ChainView, Snapshot
from dexmm.model.steps import Rerange, Simulation, Swap
from dexmm.strategy.exposure.fair_price import fair_price
from dexmm.uniswap.liquidity_amounts import get_amounts_for_liquidity
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

ETHER = Decimal(10**18)

Liquid = tuple[int, int, int]  # tick_lower, tick_upper, liquidity


@precise
def refuse_simulation(snapshot: Snapshot, simulation: Simulation, config: Config) -> Refusal | None:
    """Judge what ``eth_call`` of the exact calldata answered; None lets it be sent.

    Steps that move no money of ours (approvals, oracle slots, settling) always pass.
    """
    step = simulation.step
    if not isinstance(step, Rerange | Swap):
        return None
    earns = isinstance(step, Swap) or bool(step.mints)
    return _nav_conserved(snapshot, simulation, config) or (
        _gas_within_budget(snapshot, simulation, config) if earns else None
    )


def _nav_conserved(snapshot: Snapshot, simulation: Simulation, config: Config) -> Refusal | None:
    view = snapshot.chain
    fair = fair_price(view, snapshot.venue, config.exchange)
    before = _worth(
        view, fair, (view.wallet.amount0, view.wallet.amount1), _positions(view), fees=True
    )
    after = _worth_after(view, fair, simulation)
    lost = before - after
    if lost * BP <= config.guards.max_loss_bp * before:
        return None
    return Refusal(
        rule="nav_conserved",
        detail=f"the {simulation.step.kind} would take NAV from {before:.4f} to {after:.4f} at the "
        f"fair price {fair:.4f}: more than {config.guards.max_loss_bp} bp (guards.max_loss_bp)",
    )


def _worth_after(view: ChainView, fair: Decimal, simulation: Simulation) -> Decimal:
    step = simulation.step
    left = {p.token_id: int(p.liquidity) for p in view.positions}
    uncollected = {p.token_id: (int(p.fees0), int(p.fees1)) for p in view.positions}
    idle0 = view.wallet.amount0 + simulation.collected0
    idle1 = view.wallet.amount1 + simulation.collected1
    if isinstance(step, Swap):
        idle0 -= step.amount_in if step.zero_for_one else 0
        idle1 -= 0 if step.zero_for_one else step.amount_in
    if isinstance(step, Rerange):
        for removal in step.removals:
            left[removal.token_id] -= removal.liquidity
            uncollected[removal.token_id] = (0, 0)
    positions = [(p.tick_lower, p.tick_upper, left[p.token_id]) for p in view.positions]
    for minted in simulation.minted:
        idle0, idle1 = idle0 - minted.amount0, idle1 - minted.amount1
        positions.append((minted.tick_lower, minted.tick_upper, minted.liquidity))
    idle0 += sum(fees0 for fees0, _ in uncollected.values())
    idle1 += sum(fees1 for _, fees1 in uncollected.values())
    return _worth(view, fair, (idle0, idle1), positions, fees=False)


def _positions(view: ChainView) -> list[Liquid]:
    return [(p.tick_lower, p.tick_upper, p.liquidity) for p in view.positions]


def _worth(
    view: ChainView,
    fair: Decimal,
    idle: tuple[int, int],
    positions: Iterable[Liquid],
    *,
    fees: bool,
) -> Decimal:
    """In quote, every position at the amounts it would hold at the fair price."""
    at_fair = view.market.sqrt_price_x96(fair)
    total0, total1 = idle
    for tick_lower, tick_upper, liquidity in positions:
        amount0, amount1 = get_amounts_for_liquidity(
            at_fair,
            get_sqrt_ratio_at_tick(tick_lower),
            get_sqrt_ratio_at_tick(tick_upper),
            liquidity,
        )
        total0, total1 = total0 + amount0, total1 + amount1
    if fees:
        total0 += sum(p.fees0 for p in view.positions)
        total1 += sum(p.fees1 for p in view.positions)
    base, quote = view.market.base_quote(total0, total1)
    return base * fair + quote


def _gas_within_budget(
    snapshot: Snapshot, simulation: Simulation, config: Config
) -> Refusal | None:
    view, memory = snapshot.chain, snapshot.memory
    spent = memory.gas_spent_today if memory.gas_day == view.block.timestamp // DAY else 0
    price = view.block.base_fee_wei + int(config.gas.tip_gwei * 10**9)
    total = (spent + simulation.gas * price) / ETHER
    if total <= config.gas.daily_budget_eth:
        return None
    return Refusal(
        rule="gas_budget",
        detail=f"with this {simulation.step.kind} the day's gas would be {total:.5f} ETH, over "
        f"{config.gas.daily_budget_eth} ETH (gas.daily_budget_eth)",
    )
