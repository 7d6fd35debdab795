"""The worlds that can be asked for: candles, or a recorded pool with our wallet beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dexmm.backtest.run import (
    Backtest,
    Scenario,
    Watch,
    assumptions,
    complete,
    gas_sentence,
    open_world,
    purse_of,
    run_in,
    terms_of,
)
from dexmm.history.event_types import EventHistory
from dexmm.history.packed_candles import packed
from dexmm.model.market import Block
from dexmm.model.starting_inventory import Start
from dexmm.sim.agents.base_fee import base_fee
from dexmm.sim.agents.market_simulator import GOLD_HEARTBEAT_SECONDS, Feed
from dexmm.sim.candle_world import CandleWorld
from dexmm.sim.chain.chain import SimChain
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.sim.replay.event_replay import EventWorld
from dexmm.uniswap.oracle import GROWN
from dexmm.uniswap.pool_state import PoolState

OBSERVATIONS = 720  # slots, as in the sandbox's pool


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedScenario(Scenario):
    """Candles, as somebody asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventScenario(PricedScenario):
    """``history`` is what happens; of path, flow, exchange and the pool's scale nothing is used."""

    history: EventHistory


def run_scenario(scenario: Scenario, watch: Watch | None = None) -> Backtest:
    """As ``run_backtest``, over either kind of history."""
    whole = complete(scenario)
    found = run_in(world_of(whole), whole, watch)
    return replace(found, track=replace(found.track, assumptions=assumed(scenario)))


def world_of(scenario: Scenario) -> CandleWorld | EventWorld:
    """A world of its own, before anything has happened. ``scenario`` is ``complete``."""
    if isinstance(scenario, EventScenario):
        return open_event_world(scenario)
    return open_world(scenario)


def first_price(scenario: Scenario) -> Decimal:
    """Quote per base, where the history begins."""
    if isinstance(scenario, EventScenario):
        return scenario.market.price(scenario.history.opening.sqrt_price_x96)
    return packed(scenario.path).candle(0).open


def begun_with(scenario: Scenario, start: Start | None) -> Scenario:
    """Begins with ``start``, the capital being what that is worth at the first price."""
    if start is None:
        return scenario
    return replace(scenario, start=start, capital=start.worth(first_price(scenario)))


def open_event_world(scenario: EventScenario) -> EventWorld:
    """The pool as the history opens it, with the capital in a wallet of its own."""
    history, market, config = scenario.history, scenario.market, scenario.config
    pool = replace(history, opening=with_known_oracle(history.opening)).opened()
    pool.increase_observation_cardinality_next(OBSERVATIONS)
    price = market.price(history.opening.sqrt_price_x96)
    fee = base_fee(scenario.seed, scenario.gas_gwei)
    chain = SimChain(
        terms_of(scenario),
        PositionManager(pool, market.position_manager),
        purse_of(scenario, price),
        Block(number=0, timestamp=history.opened_at, base_fee_wei=fee.next_wei()),
    )
    feeds = []
    if (name := config.market.reference_feed) is not None:
        heartbeat, at = GOLD_HEARTBEAT_SECONDS, history.opened_at
        feeds.append(Feed(name=name, heartbeat_seconds=heartbeat, said=price, said_at=at))
        chain.hear(name, price)
    interval = config.loop.interval_seconds
    return EventWorld(chain, history, interval, base_fee=fee, feeds=feeds)


def with_known_oracle(state: PoolState) -> PoolState:
    """A record that knows only its newest observation, with an oracle that begins there.

    Slots are written in order, so the ones before the newest must be there: searching through a
    ring without them would never end. Prices, amounts and fees do not depend on it.
    """
    ring = state.observations
    if all(seen.initialized for seen in ring[: state.observation_index + 1]):
        return state
    newest, room = ring[state.observation_index], max(state.observation_cardinality_next, 1)
    return replace(
        state,
        observation_index=0,
        observation_cardinality=1,
        observations=(newest, *[GROWN] * (room - 1)),
    )


def assumed(scenario: Scenario) -> tuple[str, ...]:
    """Who decides, and what is assumed of cost and flow; for either kind of history."""
    told = _recorded(scenario) if isinstance(scenario, EventScenario) else assumptions(scenario)
    return (scenario.decided, *told) if scenario.decided else told


def _recorded(scenario: EventScenario) -> tuple[str, ...]:
    market, protocol = scenario.market, scenario.history.opening.fee_protocol
    shares = " and ".join(f"1/{part}" for part in {protocol & 15, protocol >> 4} if part)
    taken = f"the protocol takes {shares} of them" if shares else "the protocol takes none of them"
    return (
        f"The pool charges {(Decimal(market.fee_pips) / 100).normalize():f} bp; {taken}.",
        "Every recorded swap, mint and burn is made again, as it was asked for, in the recorded "
        "pool with our liquidity in it; nobody else does anything because we are there.",
        "Where our liquidity leaves the pool further than its fee from the recorded price, an "
        "arbitrageur brings it back at the end of the block.",
        gas_sentence(scenario),
        "The fair price is the recorded one.",
        f"The pool's oracle has room for {OBSERVATIONS} observations or more from the start: who "
        "paid for that is not recorded.",
    )
