"""A pool before a backtest begins: other people's liquidity, and an oracle with history.

The same pool as the sandbox's on Anvil, operation for operation: made in one second, then left
alone until its oracle reaches back ``age_seconds``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dexmm.model.market import Market
from dexmm.sim.chain.background_liquidity import (
    Layer,
    Stake,
    amounts_of,
    amounts_worth,
    background,
    layer_ticks,
    stake_ticks,
)
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.uniswap.pool import Pool
from dexmm.units import to_units_down

SETUP_SECONDS = 600  # before the first candle: whoever prepares has that long


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOpening:
    """What a pool looks like when it opens.

    ``fee_protocol`` is the denominator of Uniswap's share of the swap fee, 0 for none.
    """

    price: Decimal  # quote per base
    at: int  # timestamp of the first candle, seconds
    fee_protocol: int = 4
    observation_cardinality: int = 720
    layers: tuple[Layer | Stake, ...] = field(default_factory=background)
    age_seconds: int = 7200


def open_pool(market: Market, opening: PoolOpening) -> tuple[Pool, PositionManager]:
    """The pool at ``opening.at``, and the position manager that holds the layers' NFTs."""
    born = opening.at - opening.age_seconds - SETUP_SECONDS
    pool = Pool(market.fee_pips, market.tick_spacing, timestamp=born)
    pool.initialize(market.sqrt_price_x96(opening.price))
    pool.increase_observation_cardinality_next(opening.observation_cardinality)
    pool.set_fee_protocol(opening.fee_protocol, opening.fee_protocol)
    manager = PositionManager(pool, market.position_manager)
    _add_layers(market, manager, opening.layers, opening.price)
    pool.timestamp = opening.at
    return pool, manager


def _add_layers(
    market: Market, manager: PositionManager, layers: Sequence[Layer | Stake], price: Decimal
) -> None:
    pool = manager.pool
    for layer in layers:
        if isinstance(layer, Stake):
            lower, upper = stake_ticks(pool.sqrt_price_x96, pool.tick_spacing, layer)
            if lower == upper:
                continue
            amounts = amounts_of(pool.sqrt_price_x96, lower, upper, layer.liquidity)
        else:
            lower, upper = layer_ticks(pool.sqrt_price_x96, pool.tick_spacing, layer.width_bp)
            # Layers are counted in quote, amounts below in token1.
            worth = layer.value if market.base_is_token0 else layer.value / price
            units = to_units_down(worth, market.token1.decimals)
            amounts = amounts_worth(pool.sqrt_price_x96, lower, upper, units)
        manager.mint(layer.owner, lower, upper, amounts, (0, 0))
