"""A snapshot, looked at once: what every guard, trigger and strategy works from."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from dexmm.config.schema import Config, Strategy
from dexmm.decimal_context import PIPS, once
from dexmm.model.memory import Memory
from dexmm.model.snapshot import Snapshot
from dexmm.strategy.context.market_limits import Limits
from dexmm.strategy.context.memory_update import Observation, advance, sigma_of
from dexmm.strategy.exposure.fair_price import Source, median_price, sources
from dexmm.strategy.exposure.inventory import Inventory, inventory
from dexmm.strategy.pay.measurement import ARBITRAGE_GAS, Pay, pay_of
from dexmm.strategy.ranges.held_ranges import Holding
from dexmm.strategy.ranges.range_edges import edges_to_keep
from dexmm.strategy.ranges.range_input import Situation, Stake
from dexmm.strategy.ranges.slippage_bounds import removal_minimums
from dexmm.strategy.rebalance.stop_loss import lowered

ETHER_DECIMALS = 18


class Look(Observation):
    """What follows from a snapshot alone; each part is worked out once, when it is asked for."""

    def __init__(
        self,
        snapshot: Snapshot,
        config: Config,
        inventory: Inventory,
        holding: Holding,
        sources: tuple[Source, ...],
        limits: Limits,
    ) -> None:
        super().__init__(snapshot, config, inventory, holding)
        self.sources: Final = sources  # of the fair price
        self.limits: Final = limits

    @once
    def known(self) -> Memory:
        """What is remembered, with this observation included."""
        return advance(self)

    @once
    def sigma(self) -> Decimal:
        return sigma_of(self.known, self.settings)

    @once
    def pool_price(self) -> Decimal:
        """Quote per base."""
        return self.view.market.price(self.view.pool.sqrt_price_x96)

    @once
    def gas_price(self) -> int:
        """What a unit of gas is expected to cost now, in wei."""
        return self.view.block.base_fee_wei + self.limits.tip

    @once
    def pay(self) -> Pay:
        """What the pool is believed to pay now; the newest look's, where nothing has moved."""
        global _newest_pay
        pool, known, ether = self.view.pool, self.known, self.view.eth_price
        ours = sum([int(p.liquidity) for p in self.view.positions if p.in_range(pool.tick)])
        asked = (
            known.fee_growth_at,
            known.pool_variance_seconds,
            known.pool_seconds,
            known.pool_paid,
            known.pool_liquidity,
            known.pool_variance,
            known.pool_variance_error,
            known.pool_sample_seconds,
            known.pool_gas,
            known.recent_paid,
            known.recent_liquidity,
            known.recent_seconds,
            known.recent_variance,
            known.recent_variance_most,
            known.pool_price_there,
            pool.liquidity,
            pool.fee_protocol,
            self.limits,
            self.s,
            self.sigma,
            ours,
            ether,
        )
        newest = _newest_pay
        if newest is not None and newest[0] == asked:
            return newest[1]
        each = ARBITRAGE_GAS * ether.scaleb(self.view.market.quote.decimals - ETHER_DECIMALS)
        fee = self.limits.fee
        found = pay_of(known, pool, fee, self.s, self.sigma, ours, self.settings, each)
        _newest_pay = asked, found
        return found

    @once
    def elsewhere(self) -> tuple[Decimal, Decimal]:
        """Base and quote on the exchange, in the pool's smallest units: they count, and cannot
        be deployed."""
        market, held = self.view.market, self.inventory
        return (
            held.venue_base.scaleb(market.base.decimals),
            held.venue_quote.scaleb(market.quote.decimals),
        )

    @once
    def working(self) -> Strategy:
        """The settings that targets are made with: a lower band while a stop-loss waits."""
        if not self.known.stop_loss_waits or self.settings.name == "hold":
            return self.settings
        return lowered(self.settings, self.config.guards.stop_loss_share)


_newest: tuple[Snapshot, Config, Look] | None = None
_newest_pay: tuple[tuple[object, ...], Pay] | None = None


def look(snapshot: Snapshot, config: Config) -> Look:
    """Everything that follows from a snapshot before anything is decided.

    ``decide`` and ``remember`` look at the same snapshot: the newest look is kept for the second.
    """
    global _newest
    newest = _newest
    if newest is not None and newest[0] is snapshot and newest[1] is config:
        return newest[2]
    found = _look(snapshot, config, None if newest is None else newest[2])
    _newest = (snapshot, config, found)
    return found


def looked(snapshot: Snapshot, config: Config) -> Look | None:
    """The look at this very snapshot, if it was the newest."""
    newest = _newest
    same = newest is not None and newest[0] is snapshot and newest[1] is config
    return newest[2] if newest is not None and same else None


def _look(snapshot: Snapshot, config: Config, before: Look | None = None) -> Look:
    """What has not moved since ``before`` is shared with it."""
    view, venue = snapshot.chain, snapshot.venue
    found = sources(view, venue, config.exchange)
    price = median_price(found, view, venue)
    if before is None or not before.limits.serve(config, view.market):
        limits = Limits(config, view.market)
    else:
        limits = before.limits
    if before is not None and before.holding.serves(view):
        holding, held = before.holding, before.inventory
        seen = snapshot.memory.seen
        if seen is not holding.recorded and seen is not before.snapshot.memory.seen:
            holding = Holding.of(view, snapshot.memory)
        if price is not held.price or venue is not before.snapshot.venue:
            held = inventory(view, price, venue)
        return Look(snapshot, config, held, holding, found, limits)
    holding = Holding.of(view, snapshot.memory)
    return Look(snapshot, config, inventory(view, price, venue), holding, found, limits)


def situation(seen: Look, near: int) -> Situation:
    """What a strategy is told. Held edges within ``near`` rungs of new ones are kept."""
    view, ladder = seen.view, seen.ladder
    wallet = ladder.base_quote(view.wallet.amount0, view.wallet.amount1)
    fees = ladder.base_quote(
        sum(p.fees0 for p in view.positions), sum(p.fees1 for p in view.positions)
    )
    principal = ladder.base_quote(
        sum(p.amount0 for p in view.positions), sum(p.amount1 for p in view.positions)
    )
    elsewhere = seen.elsewhere
    return Situation(
        ladder=ladder,
        settings=seen.working,
        s=seen.s,
        floor=ladder.floor(view.pool.sqrt_price_x96),
        ceiling=ladder.ceiling(view.pool.sqrt_price_x96),
        base=wallet[0] + fees[0] + principal[0] + elsewhere[0],
        quote=wallet[1] + fees[1] + principal[1] + elsewhere[1],
        sigma=seen.sigma,
        fee=view.market.fee_pips / PIPS,
        wallet_base=Decimal(wallet[0]),
        wallet_quote=Decimal(wallet[1]),
        stakes=tuple(_stakes(seen)),
        near=near,
        kept=edges_to_keep(seen.held),
        pay=seen.pay,
    )


def _stakes(seen: Look) -> list[Stake]:
    stakes = []
    sqrt_price = seen.view.pool.sqrt_price_x96
    slippage = seen.config.guards.slippage_bp
    for held in seen.held:
        sure = [
            removal_minimums(sqrt_price, p.tick_lower, p.tick_upper, p.liquidity, slippage)
            for p in held.positions
        ]
        there = seen.ladder.base_quote(
            sum(p.amount0 for p in held.positions), sum(p.amount1 for p in held.positions)
        )
        fees0, fees1 = sum(p.fees0 for p in held.positions), sum(p.fees1 for p in held.positions)
        least = seen.ladder.base_quote(
            sum(a for a, _ in sure) + fees0, sum(b for _, b in sure) + fees1
        )
        stakes.append(
            Stake(
                bid=held.bid,
                ask=held.ask,
                base=Decimal(there[0]),
                quote=Decimal(there[1]),
                sure_base=Decimal(least[0]),
                sure_quote=Decimal(least[1]),
            )
        )
    return stakes
