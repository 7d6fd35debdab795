"""A swap in the pool, the last resort for a share that ranges could not bring back.

Only with ``pool_swap``, only after the share has been outside its band for ``recovery_hours``.
It trades towards the target share, as far as the pool's liquidity at its price goes within
``slippage_bp`` (a price move x moves L (1/s' - 1/s) base or L (s' - s) quote), and demands what
the fair price less the pool's fee and the slippage is worth.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from dexmm.decimal_context import BP, HOUR, ONE, PIPS
from dexmm.model.decision import TargetSwap
from dexmm.strategy.context.context import Look
from dexmm.strategy.ranges.strategies import STRATEGIES


def last_resort(seen: Look) -> TargetSwap | None:
    """The swap that is due now, if any."""
    since, settings = seen.known.band_since, seen.settings
    if not settings.pool_swap or not STRATEGIES[settings.name].keeps_band or since is None:
        return None
    if seen.now - since < settings.recovery_hours * HOUR:
        return None
    selling = seen.inventory.share > settings.target
    amount_in = _amount_in(seen, selling)
    market = seen.view.market
    worth = amount_in * market_value(seen) if selling else amount_in
    dust = settings.min_position_quote.scaleb(market.quote.decimals)
    if worth < dust:
        return None
    return target_swap(seen, selling, amount_in)


def target_swap(seen: Look, selling: bool, amount_in: Decimal) -> TargetSwap:
    """A swap of ``amount_in`` smallest units that demands what the fair price makes of it."""
    market = seen.view.market
    kept = (1 - market.fee_pips / PIPS) * (1 - seen.config.guards.slippage_bp / BP)
    out = amount_in * (market_value(seen) if selling else ONE / market_value(seen)) * kept
    return TargetSwap(
        zero_for_one=selling == market.base_is_token0,
        amount_in=_floor(amount_in),
        amount_out_minimum=_floor(out),
    )


def market_value(seen: Look) -> Decimal:
    """The fair price in smallest units: quote per base."""
    market = seen.view.market
    return seen.fair.scaleb(market.quote.decimals - market.base.decimals)


def _amount_in(seen: Look, selling: bool) -> Decimal:
    market, wallet = seen.view.market, seen.view.wallet
    off = abs(seen.inventory.share - seen.settings.target) * seen.inventory.nav
    idle = seen.ladder.base_quote(wallet.amount0, wallet.amount1)
    depth = depth_within(seen, seen.config.guards.slippage_bp)
    if selling:
        wanted = (off / seen.fair).scaleb(market.base.decimals)
        return min(wanted, Decimal(idle[0]), depth[0])
    wanted = off.scaleb(market.quote.decimals)
    return min(wanted, Decimal(idle[1]), depth[1])


def depth_within(seen: Look, move_bp: Decimal) -> tuple[Decimal, Decimal]:
    """Base and quote, smallest units, that move the pool by ``move_bp`` at its liquidity of now."""
    liquidity = Decimal(seen.view.pool.liquidity)
    step = (1 - move_bp / BP).sqrt()
    return liquidity * (1 / (seen.s * step) - 1 / seen.s), liquidity * (seen.s / step - seen.s)


def _floor(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_FLOOR))
