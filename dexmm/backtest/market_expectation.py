"""What a scenario's market is like, as the judge wants to know it before anything runs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from math import log, sqrt

from dexmm.backtest.event_world import EventScenario, world_of
from dexmm.backtest.run import NO_FLOW, Scenario, complete
from dexmm.decimal_context import DAY
from dexmm.history.event_types import SWAP_DOWN
from dexmm.history.packed_candles import packed
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.strategy.rebalance.feasibility import MarketFacts, fee_kept
from dexmm.strategy.rebalance.gas_economics import TYPICAL_GAS, gas_price, in_quote
from dexmm.units import to_decimal


def facts_of(scenario: Scenario) -> MarketFacts:
    """At the history's first price, with the volatility that it turned out to have."""
    world = world_of(complete(replace(scenario, exchange=None)))
    view = world.chain.observe()
    return MarketFacts(
        market=scenario.market,
        sqrt_price_x96=view.pool.sqrt_price_x96,
        fee_kept=fee_kept(view.pool.fee_protocol),
        pool_liquidity=view.pool.liquidity,
        sigma=sigma_of(scenario),
        nav=scenario.capital,
        gas_per_rerange=in_quote(view, TYPICAL_GAS * gas_price(view, scenario.config)),
        volume_per_day=volume_per_day(scenario, world.fair_price),
        arbitraged=isinstance(scenario, EventScenario),
    )


def sigma_of(scenario: Scenario) -> Decimal:
    """Of log price, per square root of a second, sampled as the strategies sample it.

    A statistic, hence floats on the way.
    """
    step = int(scenario.config.strategy.sigma_sample_seconds)
    if isinstance(scenario, EventScenario):
        logs = _recorded(scenario, step)
    else:
        candles = packed(scenario.path)
        every = max(1, step // candles.interval_seconds)
        logs = [log(close) for close in candles.close_units[::every]]
        step = every * candles.interval_seconds
    seconds = max(len(logs) - 1, 1) * step
    return Decimal(repr(sqrt(sum((b - a) ** 2 for a, b in pairwise(logs)) / seconds)))


def _recorded(scenario: EventScenario, step: int) -> list[float]:
    """The logarithm of the recorded price, every ``step`` seconds."""
    history, events = scenario.history, scenario.history.events
    last, place, logs = history.opening.sqrt_price_x96, 0, []
    for at in range(history.opened_at, history.ends_at + 1, step):
        while place < len(events) and events.timestamps[place] <= at:
            last, place = events.sqrt_prices[place], place + 1
        logs.append(2 * log(last))
    return logs


def volume_per_day(scenario: Scenario, price: Decimal) -> Decimal:
    """In quote. Of noise, where the flow is made: what arbitrage trades takes more than it pays."""
    if isinstance(scenario, EventScenario):
        return _traded_per_day(scenario)
    if scenario.flow == NO_FLOW:
        return Decimal(0)
    flow = FLOWS[scenario.flow]
    return Decimal(repr(flow.swaps_per_second * flow.mean * DAY)) * price


def _traded_per_day(scenario: EventScenario) -> Decimal:
    history, events, market = scenario.history, scenario.history.events, scenario.market
    amounts = events.amounts1 if market.base_is_token0 else events.amounts0
    units = sum(abs(amounts[i]) for i, kind in enumerate(events.kinds) if kind >= SWAP_DOWN)
    seconds = max(history.ends_at - history.opened_at, 1)
    return to_decimal(units, market.quote.decimals) * DAY / seconds
