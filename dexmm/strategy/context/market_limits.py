"""What follows from a configuration and a market alone: worked out once, not in every turn."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from dexmm.config.schema import Config
from dexmm.decimal_context import PIPS, once
from dexmm.model.market import Market
from dexmm.strategy.context.trading_hours import event_on, market_closed, next_change
from dexmm.strategy.ranges.range_edges import distance
from dexmm.strategy.ranges.strategies import STRATEGIES, Definition

GWEI = 10**9
ETHER = Decimal(10**18)
MOST_DISTANCES = 64


class Limits:
    """Shared by all turns with this configuration in this market. Gas in wei, rounded down: an
    integer is above one of these when it is above what is configured."""

    def __init__(self, config: Config, market: Market) -> None:
        self.config: Final = config
        self.market: Final = market
        settings, guards, gas = config.strategy, config.guards, config.gas
        self.definition: Final[Definition] = STRATEGIES[settings.name]
        self.fee: Final = market.fee_pips / PIPS
        self.tip: Final = int(gas.tip_gwei * GWEI)
        self.dear_gas: Final = int(min(gas.max_gwei, gas.max_exit_gwei) * GWEI)
        self.gas_budget: Final = int(gas.daily_budget_eth * ETHER)
        self.gas_reserve: Final = int(gas.reserve_eth * ETHER)
        self.twap_max: Final = guards.twap_max(market.fee_pips)
        self.reference_max: Final = guards.reference_max(market.fee_pips)

        self._distances: dict[Decimal, Decimal] = {}
        self._calendar: tuple[int, int | None, str, str] | None = None

    def serve(self, config: Config, market: Market) -> bool:
        return self.config is config and self.market is market

    def distance(self, sigma: Decimal) -> Decimal:
        """From the price to an edge, of log price, at this volatility
        (``strategy/ranges/range_edges.py``)."""
        found = self._distances.get(sigma)
        if found is None:
            if len(self._distances) >= MOST_DISTANCES:
                self._distances.clear()
            found = distance(sigma, self.config.strategy, self.market.fee_pips)
            self._distances[sigma] = found
        return found

    def calendar(self, now: int) -> tuple[str, str]:
        """The window in which the base's own market is closed, and the event that is on; empty
        when there is none. It stays so until the next of them begins or ends."""
        known = self._calendar
        if known is None or now < known[0] or (known[1] is not None and now >= known[1]):
            guards = self.config.guards
            window, event = market_closed(now, guards), event_on(now, guards.closed_events)
            known = self._calendar = now, next_change(now, guards), window, event
        return known[2], known[3]

    @once
    def same_market(self) -> bool:
        """Whether the market is the one that is configured."""
        here, wanted = self.market, self.config.market
        return (here.pool, here.base.address, here.position_manager, here.chain_id) == (
            wanted.pool,
            wanted.base,
            wanted.position_manager,
            self.config.network.chain_id,
        )
