"""What somebody asked to be backtested, made into a scenario, or refused in one sentence.

Nothing here reaches out: no node is asked, no secret is kept, and what a pool would say of itself
comes from the history or from what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from pathlib import Path

from dexmm.backtest.event_world import EventScenario, PricedScenario, begun_with, first_price
from dexmm.backtest.market_expectation import facts_of
from dexmm.backtest.run import Scenario, complete, purse_of
from dexmm.backtest.scenario_config import decided_by, given, live, newcomer, without_secrets
from dexmm.backtest.scenario_market import (
    PAXG_USDT_MARKET,
    MarketAsked,
    as_configured,
    as_recorded,
    ether,
    market_asked,
    market_of,
    unit,
)
from dexmm.config.schema import Config
from dexmm.errors import BadInput
from dexmm.history.event_types import SWAP_DOWN, EventHistory
from dexmm.history.packed_candles import PackedPath, packed, read_path
from dexmm.model.market import Market
from dexmm.model.starting_inventory import start_of
from dexmm.performance.number_format import ETHERS
from dexmm.sim.agents.pay_ratio import Pace
from dexmm.sim.agents.price_process import PricePath, generate
from dexmm.sim.agents.traders import ARBITRAGE_FEE_PIPS, ARBITRAGE_GAS
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.sim.replay.event_replay import cut
from dexmm.sim.replay.pool_events import read_events
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.feasibility import judge
from dexmm.units import sum_text

GENERATED_TURNS = 1344  # four weeks of half hours, as in the sandbox
GENERATED_SECONDS = 1800
EVENT_SECONDS = 300  # between turns over recorded events
CAPITAL = Decimal(50_000)  # dollars
PROTOCOL = 4  # takes one in so many of the fees
REAL = "real"
NOWHERE_FILE = Path("dexmm.toml")  # where a configuration would be
ANY_PRICE = Decimal(4000)  # for a newcomer's configuration that nothing is run with


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One history of ``prices``, ``events`` and ``generated``; times are timestamps."""

    prices: tuple[Path, ...] = ()  # files, folders and archives, joined
    events: Path | None = None
    generated: bool = False
    config: Path | None = None
    market_name: str | None = None
    strategy: str | None = None  # None: the configuration's
    capital: Decimal | None = None  # None: CAPITAL, or as much in ether
    flow: str | None = None
    seed: int = 1
    turns: int | None = None
    interval_seconds: int | None = None
    since: int | None = None
    until: int | None = None
    eth_price: Decimal | None = None
    eth_prices: tuple[Path, ...] = ()  # candles over the whole history, instead
    arbitrage_gas: int | None = None
    arbitrage_fee_bp: Decimal | None = None
    gas_gwei: Decimal | None = None  # None: a seeded walk
    pay_ratio: Decimal | None = None  # of others' liquidity; None: 1
    pay_ratios: tuple[Decimal, ...] = ()  # all that were asked for, to be shown side by side
    pace: str | None = None  # at which others trade; None: with volatility
    pool_scale: Decimal | None = None
    fee_protocol: int | None = None
    exchange: bool | None = None  # None: where the configuration has one
    every_turn: bool = False
    settings: tuple[str, ...] = ()  # SECTION.KEY=VALUE, over the configuration and its overrides
    start: str | None = None  # "5 PAXG + 20000 USDT" instead of the capital at the target share
    market: MarketAsked = field(default_factory=MarketAsked)


def scenario_of(request: Request) -> Scenario:
    """Read, checked and ready to run. Raises ``BadInput``."""
    _refuse_contradictions(request)
    scenario = _of_events(request) if request.events is not None else _of_candles(request)
    if request.eth_prices:
        scenario = _with_ether(scenario, request.eth_prices)
    if request.start is not None:
        scenario = _begun(scenario, request.start)
        purse_of(complete(scenario), first_price(scenario))  # refuses what an exchange cannot take
    refuse_pointless(scenario)
    return scenario


def scenarios_of(requests: Sequence[Request]) -> tuple[Scenario, ...]:
    """One for each, told apart by name. Raises ``BadInput``."""
    found = [scenario_of(request) for request in requests]
    names = [scenario.source for scenario in found]
    return tuple(
        replace(scenario, source=str(request.prices[0]))
        if names.count(scenario.source) > 1
        else scenario
        for scenario, request in zip(found, requests, strict=True)
    )


def _begun(scenario: Scenario, start: str) -> Scenario:
    market = scenario.market
    return begun_with(scenario, start_of(start, market.base.symbol, market.quote.symbol))


def _of_candles(request: Request) -> Scenario:
    path = _candles(request)
    market = market_asked(PAXG_USDT_MARKET, request.market)
    config = _decides(request, market, path.candle(0).open, path.interval_seconds)
    exchange = config.exchange is not None if request.exchange is None else request.exchange
    market = as_configured(market, config)
    return PricedScenario(
        path=path,
        config=_with_strategy(config, request.strategy),
        market=market,
        source=path.source if request.generated else Path(path.source).name,
        capital=request.capital or CAPITAL * unit(market),
        flow=request.flow or REAL,
        seed=request.seed,
        pay_ratio=request.pay_ratio or Decimal(1),
        pace=Pace(request.pace or Pace.VOLATILITY),
        pool_scale=request.pool_scale or Decimal(1),
        fee_protocol=PROTOCOL if request.fee_protocol is None else request.fee_protocol,
        eth_price=request.eth_price or ether(config, market),
        arbitrage_gas=ARBITRAGE_GAS if request.arbitrage_gas is None else request.arbitrage_gas,
        arbitrage_fee_pips=ARBITRAGE_FEE_PIPS
        if request.arbitrage_fee_bp is None
        else int(request.arbitrage_fee_bp * 100),
        exchange=VenueCosts() if exchange else None,
        gas_gwei=request.gas_gwei,
        every_turn=request.every_turn,
        decided=decided_by(_with_strategy(config, request.strategy), _source(request)),
    )


def _of_events(request: Request) -> Scenario:
    assert request.events is not None  # noqa: S101 - the caller looked
    history = read_events(request.events)
    if request.since is not None or request.until is not None:
        history = cut(history, request.since, request.until)
    born = not history.opening.sqrt_price_x96
    history = from_first_trade(history)
    # Who sets the protocol's share leaves none of the events read: unless said, it is mainnet's.
    protocol = PROTOCOL if born and request.fee_protocol is None else request.fee_protocol
    if protocol is not None:
        history = history.with_fee_protocol(protocol | protocol << 4)
    interval = request.interval_seconds or EVENT_SECONDS
    market = market_of(history, request.market)
    price = market.price(history.opening.sqrt_price_x96)
    config = _decides(request, market, price, interval)
    market = as_recorded(market, config, history.source)
    return EventScenario(
        path=PricePath(source=history.source, interval_seconds=interval, candles=()),
        history=history,
        config=_with_strategy(config, request.strategy),
        market=market,
        source=request.events.name,
        capital=request.capital or CAPITAL * unit(market),
        seed=request.seed,
        eth_price=request.eth_price or ether(config, market),
        gas_gwei=request.gas_gwei,
        every_turn=request.every_turn,
        decided=decided_by(_with_strategy(config, request.strategy), _source(request)),
    )


def _with_ether(scenario: Scenario, files: tuple[Path, ...]) -> Scenario:
    """With the ether's price as a file has it, which must reach over the whole history."""
    if scenario.market.quote.symbol in ETHERS:
        raise BadInput("an ether costs one where it is the quote: leave --eth-prices away")
    history = read_path(*files)
    if isinstance(scenario, EventScenario):
        began, ended = scenario.history.opened_at, scenario.history.ends_at
    else:
        candles = packed(scenario.path)
        began, ended = candles.at(0), candles.at(len(candles))
    if began < history.at(0) or history.at(len(history)) < ended:
        spans = [
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
            for at in (history.at(0), history.at(len(history)), began, ended)
        ]
        raise BadInput(
            f"{Path(history.source).name} has the price of an ether from {spans[0]} to {spans[1]}, "
            f"and the history goes from {spans[2]} to {spans[3]}: take a longer file, or --since "
            "and --until"
        )
    return replace(scenario, eth_prices=history)


def from_first_trade(history: EventHistory) -> EventHistory:
    """A history that begins with the pool's own birth, from the second before its first swap on.

    Before that there is no price to hold anything at. Raises ``BadInput`` when nobody ever traded.
    """
    if history.opening.sqrt_price_x96:
        return history
    for kind, at in zip(history.events.kinds, history.events.timestamps, strict=True):
        if kind >= SWAP_DOWN:
            return cut(history, since=at - 1)
    raise BadInput(f"{history.source} holds no swap: there is nothing to trade with")


def _refuse_contradictions(request: Request) -> None:
    asked = [name for name, there in _asked(request).items() if there]
    if not asked:
        raise BadInput(
            "say what to run over: --prices FILE, --events FILE, or --generate for prices that "
            "move as gold does"
        )
    if len(asked) > 1:
        raise BadInput(f"{' and '.join(asked)} exclude each other: choose one history")
    if request.prices and request.interval_seconds is not None:
        raise BadInput("--interval belongs to --generate: a turn is one candle of a file")
    if request.generated and (request.since is not None or request.until is not None):
        raise BadInput("--since and --until cut a file: use --turns with --generate")
    if request.start is not None and request.capital is not None:
        raise BadInput("--start and --capital exclude each other: choose one")
    if request.eth_price is not None and request.eth_prices:
        raise BadInput("--eth-price and --eth-prices exclude each other: choose one")
    if request.events is None:
        return
    recorded = {
        "--flow": request.flow,
        "--pay-ratio": request.pay_ratio,
        "--pace": request.pace,
        "--pool-liquidity": request.pool_scale,
        "--arbitrage-gas": request.arbitrage_gas,
        "--arbitrage-fee-bp": request.arbitrage_fee_bp,
        "--turns": request.turns,
        "--fee": request.market.fee_pips,
        "--tick-spacing": request.market.tick_spacing,
        "--exchange": request.exchange or None,
    }
    if told := [name for name, value in recorded.items() if value is not None]:
        raise BadInput(
            f"--events is a pool with all that happened in it, and {' and '.join(told)} would be "
            "another: leave it away"
        )


def _asked(request: Request) -> dict[str, bool]:
    return {
        "--prices": bool(request.prices),
        "--events": request.events is not None,
        "--generate": request.generated,
    }


def _candles(request: Request) -> PackedPath:
    if not request.prices:
        return _generated(request)
    path = read_path(*request.prices, since=request.since, until=request.until)
    if request.since is not None or request.until is not None:
        path = path.between(request.since, request.until)
    return path if request.turns is None else path.first(request.turns)


def _generated(request: Request) -> PackedPath:
    return PackedPath.of(
        generate(
            request.seed,
            request.turns or GENERATED_TURNS,
            interval_seconds=request.interval_seconds or GENERATED_SECONDS,
        )
    )


def configuration_of(request: Request) -> Config:
    """The one that would decide, whatever the history turns out to be."""
    market = market_asked(PAXG_USDT_MARKET, request.market)
    return _with_strategy(_decides(request, market, ANY_PRICE, GENERATED_SECONDS), request.strategy)


def _decides(request: Request, market: Market, price: Decimal, interval_seconds: int) -> Config:
    if request.config is None:
        around = given(NOWHERE_FILE, request.settings)
        return without_secrets(newcomer(market, price, interval_seconds, around))
    return live(request.config, request.market_name, given(request.config, request.settings))


def _source(request: Request) -> str:
    if request.config is None:
        return f"the defaults (there is no {NOWHERE_FILE} here)"
    return str(request.config)


def _with_strategy(config: Config, name: str | None) -> Config:
    if name is None:
        return config
    strategy = config.strategy.model_copy(update={"name": name})
    return config.model_copy(update={"strategy": strategy})


def refuse_pointless(scenario: Scenario) -> None:
    """``BadInput`` for what can only end without a single range."""
    config, symbol = scenario.config, scenario.market.quote.symbol
    _refuse_short(scenario)
    facts = facts_of(scenario)
    price = scenario.market.price(facts.sqrt_price_x96)
    section, settings = config.market, config.strategy
    if not section.price_low <= price <= section.price_high:
        raise BadInput(
            f"the history begins at {price:.6g}, outside market.price_low {section.price_low:f} to "
            f"market.price_high {section.price_high:f}: nothing would ever be minted; choose "
            "another stretch with --since, or another corridor"
        )
    strategy = STRATEGIES[settings.name]
    if not strategy.most_ranges:
        return
    if strategy.needs_pay:  # what pays may come later: the most that it could place then
        most = settings.model_copy(update={"name": "budget"})
        config = config.model_copy(update={"strategy": most})
    deployed = judge(config, facts).deployed or Decimal(0)
    if deployed < settings.min_position_quote:
        raise BadInput(
            f"of {scenario.capital:f} {symbol} only {sum_text(deployed)} would go into ranges, "
            f"less than strategy.min_position_quote of {settings.min_position_quote:f}: raise "
            "--capital"
        )


def _refuse_short(scenario: Scenario) -> None:
    """A first range takes a turn, and moving it waits for the dwell and the least interval."""
    config = scenario.config
    turns, seconds = turns_of(scenario)
    wait = max(config.strategy.dwell_seconds, config.strategy.min_interval_seconds)
    least = 2 + ceil(wait / seconds)
    if turns < least:
        raise BadInput(
            f"{scenario.source} holds {turns} turns of {seconds} s, and one re-range needs "
            f"{least}: take a longer history"
        )


def turns_of(scenario: Scenario) -> tuple[int, int]:
    """How many turns a history is long, and the seconds between two."""
    interval = scenario.config.loop.interval_seconds
    if isinstance(scenario, EventScenario):
        history = scenario.history
        return (history.ends_at - history.opened_at) // interval, interval
    candles = packed(scenario.path)
    every = max(1, interval // candles.interval_seconds)
    return len(candles) // every, every * candles.interval_seconds
