"""A backtest: the live turns in a world in memory, with accounts that close.

The same ``turn`` with the same ``decide``, ``plan`` and guards as on mainnet; only chain, clock,
journal and exchange are in memory. What is assumed of costs and flow is said in the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from dexmm.backtest.exchange_feed import Desk, parts, with_exchange
from dexmm.backtest.exit_world import SimExitWorld
from dexmm.backtest.fast_forward import doze, sleep
from dexmm.backtest.gas_estimates import gas_of
from dexmm.backtest.memory_journal import MemoryJournal
from dexmm.backtest.recorder import Recorder
from dexmm.config.schema import NO_POOL, Config
from dexmm.engine.turn import turn
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath, packed
from dexmm.model.market import Block, Market, Token
from dexmm.model.order import OrderIntent
from dexmm.model.starting_inventory import Start
from dexmm.performance.attribution import Leg, legs
from dexmm.performance.metrics import Figures, figures
from dexmm.performance.rebalanced import market_cost
from dexmm.performance.track.track import Track
from dexmm.sim.agents.base_fee import GWEI, MEAN_GWEI, WALK, base_fee
from dexmm.sim.agents.market_simulator import GOLD_HEARTBEAT_SECONDS, Feed, Street
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.pay_ratio import Pace, Surroundings, activity, others_liquidity, surroundings
from dexmm.sim.agents.price_process import PricePath
from dexmm.sim.agents.price_walk import PriceWalk, walk_of
from dexmm.sim.agents.traders import (
    ARBITRAGE_FEE_PIPS,
    ARBITRAGE_GAS,
    ETHER_PRICE,
    ArbitrageCosts,
    arbitrage_costs,
)
from dexmm.sim.candle_world import CandleWorld, World
from dexmm.sim.chain.background_liquidity import others
from dexmm.sim.chain.chain import SimChain, Terms
from dexmm.sim.chain.dry_run import Purse
from dexmm.sim.chain.pool_setup import PoolOpening, open_pool
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.units import ETHER_DECIMALS, to_units_down
from dexmm.withdraw.halted_exit import Ended, ExitOnHalt

WALLET_ETH = Decimal(1)
NO_FLOW, REAL_FLOW = "none", "real"
WALLET = "0x00000000000000000000000000000000000000AA"
PAXG_USDT = "0x7Cb85f75e61226060453a997a7733F76707Df337"
PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

Watch = Callable[[int, int], None]
"""Told how many turns' times have passed, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is backtested, and in which world."""

    path: PricePath | PackedPath
    config: Config
    market: Market
    source: str = ""  # what the history is, for people
    capital: Decimal = Decimal(50_000)  # quote, at the configuration's target share
    flow: str = "real"  # of ``sim.flow.FLOWS``, or "none"
    seed: int = 1
    pay_ratio: Decimal = Decimal(1)  # that the others' liquidity is sized to (sim/pay_ratio.py)
    pace: Pace = Pace.VOLATILITY  # at which others trade
    pool_scale: Decimal = Decimal(1)  # times that liquidity
    others: int | None = None  # liquidity of others in the pool's units, instead of all this
    fee_protocol: int = 4  # the denominator of the protocol's share of the fee; 0: none
    eth_price: Decimal = ETHER_PRICE
    eth_prices: PackedPath | None = None  # its history over the whole run, instead
    gas_gwei: Decimal | None = None  # what a block asks for; None: a seeded walk
    arbitrage: ArbitrageCosts | None = None  # of those who do it; None: as gas and ether cost, with
    arbitrage_gas: int = ARBITRAGE_GAS
    arbitrage_fee_pips: int = ARBITRAGE_FEE_PIPS  # of what is traded elsewhere, in millionths
    exchange: VenueCosts | None = None  # beside the pool; None: there is none
    start: Start | None = None  # instead of the capital at the target share; it is worth it then
    decided: str = ""  # which configuration decides, for people
    every_turn: bool = False  # False: turns that can decide nothing are slept through


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    track: Track
    figures: Figures
    legs: tuple[Leg, ...]
    turns: int  # taken
    liquidity_share: Decimal = Decimal(0)  # ours of what is in range, mean over time, 0 to 1


def paxg_usdt_market(config: Config) -> Market:
    """The market that a configuration names, as PAXG/USDT 0.05 % where it names none."""
    section = config.market
    named = section.has_pool and section.pool != NO_POOL
    return Market(
        chain_id=config.network.chain_id,
        pool=section.pool if named else PAXG_USDT,
        position_manager=section.position_manager,
        swap_router=section.swap_router,
        token0=Token(address=section.base if named else PAXG, symbol="PAXG", decimals=18),
        token1=Token(address=USDT, symbol="USDT", decimals=6),
        base_is_token0=True,
        fee_pips=500,
        tick_spacing=10,
    )


def run_backtest(scenario: Scenario, watch: Watch | None = None) -> Backtest:
    """Run the scenario's whole history. Raises ``BadInput`` for a history that is too short."""
    scenario = complete(scenario)
    return run_in(open_world(scenario), scenario, watch)


def complete(scenario: Scenario) -> Scenario:
    """With the exchange that is simulated in the configuration, or with none."""
    if scenario.exchange is None:
        config = scenario.config.model_copy(update={"exchange": None})
    else:
        config = with_exchange(scenario.config, scenario.market)
    return replace(scenario, config=config)


def open_world(scenario: Scenario) -> CandleWorld:
    """A pool, a wallet and the other people, before the first candle."""
    candles = packed(scenario.path)
    if len(candles) < 2:
        raise BadInput("the history holds fewer than two candles: there is nothing to backtest")
    first = candles.candle(0)
    market, config = scenario.market, scenario.config
    walk = walk_of(candles, scenario.seed)
    opening = PoolOpening(
        price=first.open,
        at=first.at,
        fee_protocol=scenario.fee_protocol,
        layers=others(liquidity_of_others(scenario, walk)),
    )
    _, manager = open_pool(market, opening)
    street = Street(
        market,
        None if scenario.flow == NO_FLOW else FLOWS[scenario.flow],
        candles.interval_seconds,
        scenario.seed,
        first.open,
        _feeds(config, first.open, first.at),
        walk=walk,
        costs=costs_of_arbitrage(scenario),
        activity=()
        if scenario.flow == NO_FLOW
        else activity(walk, around(scenario, walk), float(scenario.pay_ratio)),
    )
    street.base_fee = base_fee(scenario.seed, scenario.gas_gwei)
    chain = SimChain(
        terms_of(scenario),
        manager,
        purse_of(scenario, first.open),
        Block(number=0, timestamp=first.at, base_fee_wei=street.base_fee.wei),
    )
    for feed in street.feeds:
        chain.hear(feed.name, feed.said)
    every = max(1, config.loop.interval_seconds // candles.interval_seconds)
    return CandleWorld(chain, street, walk, candles, every)


def around(scenario: Scenario, walk: PriceWalk) -> Surroundings:
    """What the others' liquidity follows from. Without flow: as where the thin pool's trades."""
    return surroundings(
        walk,
        FLOWS[REAL_FLOW if scenario.flow == NO_FLOW else scenario.flow],
        fee_pips=scenario.market.fee_pips,
        fee_protocol=scenario.fee_protocol,
        costs=costs_of_arbitrage(scenario),
        pace=scenario.pace,
    )


def costs_of_arbitrage(scenario: Scenario) -> ArbitrageCosts:
    """What it costs at the gas and the ether price that are assumed, the configured tip in it."""
    if scenario.arbitrage is not None:
        return scenario.arbitrage
    history, gwei = scenario.eth_prices, MEAN_GWEI
    ether = scenario.eth_price if history is None else history.candle(len(history) // 2).close
    if scenario.gas_gwei is not None:
        gwei = scenario.gas_gwei + scenario.config.gas.tip_gwei
    return arbitrage_costs(
        ether, gwei, gas=scenario.arbitrage_gas, exchange_fee_pips=scenario.arbitrage_fee_pips
    )


def liquidity_of_others(scenario: Scenario, walk: PriceWalk) -> int:
    """In range at every price, in the pool's units."""
    if scenario.others is not None:
        return scenario.others
    tokens = scenario.market.token0, scenario.market.token1
    decimals = tokens[0].decimals, tokens[1].decimals
    found = others_liquidity(decimals, around(scenario, walk), float(scenario.pay_ratio))
    return max(int(found * scenario.pool_scale), 1)


def terms_of(scenario: Scenario) -> Terms:
    config = scenario.config
    return Terms(
        market=scenario.market,
        wallet=WALLET,
        gas_of=gas_of,
        tip_wei=int(config.gas.tip_gwei * GWEI),
        twap_seconds=config.guards.twap_seconds,
        eth_price=scenario.eth_price,
        eth_prices=scenario.eth_prices,
        confirmations=config.network.confirmations,
        reference_feed=config.market.reference_feed or "",
        reference_heartbeat_seconds=config.market.reference_heartbeat_seconds,
    )


def purse_of(scenario: Scenario, price: Decimal) -> Purse:
    """The capital at the target share, or the start's own, but for what is on the exchange.

    Raises ``BadInput`` for a start with less quote than the exchange's margin.
    """
    market, share, start = scenario.market, scenario.config.strategy.target, scenario.start
    there, margin = parts(scenario.config)
    here = 1 - there
    if start is None:
        base = to_units_down(scenario.capital * share * here / price, market.base.decimals)
        idle = scenario.capital * ((1 - share) * here - margin)
    else:
        base = to_units_down(start.base * here, market.base.decimals)
        idle = start.quote * here - scenario.capital * margin
        if idle < 0:
            raise BadInput(
                f"of {start.quote:f} {market.quote.symbol} to begin with, "
                f"{scenario.capital * margin:.2f} would be margin on the exchange beside its spot "
                "account: begin with more, or with --no-exchange"
            )
    quote = to_units_down(idle, market.quote.decimals)
    amounts = (base, quote) if market.base_is_token0 else (quote, base)
    return Purse(
        amount0=amounts[0], amount1=amounts[1], eth=to_units_down(WALLET_ETH, ETHER_DECIMALS)
    )


def run_in(world: World, scenario: Scenario, watch: Watch | None = None) -> Backtest:
    """Turns in a world until its history is over."""
    config, chain, journal = scenario.config, world.chain, MemoryJournal()
    recorder = Recorder(chain.market)
    desk = None
    if scenario.exchange is not None and isinstance(world, CandleWorld):
        start = scenario.start
        own = None if start is None else (start.base, start.quote)
        desk = Desk(scenario.exchange, scenario.capital, config, world, journal, own)
    advance = world.advance if desk is None else desk.advance
    interval = max(config.loop.interval_seconds, 1)
    taken = 0
    cex = desk.cex if desk is not None else None
    exits = ExitOnHalt(config, lambda reason: SimExitWorld(chain, cex, reason))
    got_out = ""
    moved = advance()
    while moved:
        before, flows = chain.tally, desk.flows() if desk is not None else ()
        moves = world.take_moves()
        entry = turn(chain, journal, config, lambda: chain.timestamp, cex=cex)
        recorder.saw(entry, world.fair_price, before, flows, moves)
        taken += 1
        if (ended := exits.after(entry.memory.halted, entry)) is not None:
            got_out = _got_out(ended)
            entry = replace(entry, snapshot=replace(entry.snapshot, chain=chain.observe()))
        until = None if scenario.every_turn or desk is not None else doze(entry, config, interval)
        if desk is not None:
            desk.turned()
        if until is not None:
            moved = sleep(world, journal, until, config)
        else:
            moved = advance()
        if watch is not None:
            watch(*world.progress)
    if not taken:
        raise BadInput("the history is shorter than the time between two turns")
    venue = desk.cex.observe() if desk is not None else None
    flows = desk.flows() if desk is not None else ()
    moves = world.take_moves()
    recorder.ended(chain.observe(), venue, world.fair_price, chain.tally, flows, moves)
    orders = desk.orders if desk is not None else ()
    halted = journal.memory().halted
    return finish(recorder, scenario, taken, f"{halted}{got_out}", orders)


def _got_out(ended: Ended) -> str:
    """What became of the positions, behind the reason of the halt."""
    if ended.exit_code == 0:
        return "; everything was taken out of the pool (guards.on_halt)"
    return f"; guards.on_halt could not take everything out: {'; '.join(ended.lines)}"


def finish(
    recorder: Recorder,
    scenario: Scenario,
    turns: int,
    halted: str,
    orders: tuple[OrderIntent, ...] = (),
) -> Backtest:
    """Close the accounts. Raises ``Halt`` when they do not close."""
    config, market = scenario.config, scenario.market
    track = Track(
        name=config.strategy.name,
        source=scenario.source,
        base=market.base.symbol,
        quote=market.quote.symbol,
        band_low=config.strategy.band_low,
        band_high=config.strategy.band_high,
        target=config.strategy.target,
        interval_seconds=config.loop.interval_seconds,
        points=tuple(recorder.points),
        marks=tuple(recorder.marks),
        actions=tuple(recorder.actions),
        orders=orders,
        halted=halted,
        rebalancing_cost=market_cost(market.fee_pips),
        liquidity_share=recorder.liquidity_share,
        assumptions=assumptions(scenario),
        facts={
            "turns taken": str(turns),
            "seed": str(scenario.seed),
            "ours of the liquidity in range": f"{recorder.liquidity_share * 100:.2f} %",
        },
    )
    return Backtest(
        track=track,
        figures=figures(track),
        legs=legs(track.marks),
        turns=turns,
        liquidity_share=recorder.liquidity_share,
    )


def assumptions(scenario: Scenario) -> tuple[str, ...]:
    """Of cost and flow, in plain sentences."""
    market, quote = scenario.market, scenario.market.quote.symbol
    fee_bp = Decimal(market.fee_pips) / 100
    costs = costs_of_arbitrage(scenario)
    share = (
        f"the protocol takes 1/{scenario.fee_protocol} of them"
        if scenario.fee_protocol
        else "the protocol takes nothing of them"
    )
    flow = (
        "nobody trades but arbitrageurs"
        if scenario.flow == NO_FLOW
        else f"noise trades arrive and are sized as measured on mainnet ('{scenario.flow}')"
    )
    return (
        f"The pool charges {fee_bp.normalize():f} bp; {share}.",
        "Within a candle the price walks from block to block through its open, high, low and "
        f"close; arbitrageurs bring the pool back to within its fee of it; {flow}.",
        _others_sentence(scenario),
        gas_sentence(scenario),
        f"Arbitrage costs {Decimal(costs.exchange_fee_pips) / 100:f} bp of what it trades "
        f"elsewhere and {costs.transaction.normalize():f} {quote} a transaction.",
        "The fair price is the history's: it does not answer to what we trade.",
        *(scenario.exchange.sentences(triangle=False) if scenario.exchange is not None else ()),
    )


def gas_sentence(scenario: Scenario) -> str:
    """What gas costs, for people."""
    asked = WALK if scenario.gas_gwei is None else f"{scenario.gas_gwei:f} gwei"
    quote, history = scenario.market.quote.symbol, scenario.eth_prices
    ether = (
        f"{scenario.eth_price:f} {quote} per ether"
        if history is None
        else f"the price of an ether in {Path(history.source).name}"
    )
    return (
        f"Gas costs {asked} at {ether}; what is sent is mined a slot later and nobody comes in "
        "between."
    )


def _others_sentence(scenario: Scenario) -> str:
    paid = (
        "is as large as that of a pool with the thin PAXG/USDT pool's trades"
        if scenario.flow == NO_FLOW
        else "is as large as its trades pay"
    )
    if scenario.flow == NO_FLOW:
        when = ""
    elif scenario.pace is Pace.VOLATILITY:
        when = "; they trade as much as the price moves, so that it pays alike at every time"
    else:
        when = "; they trade evenly, so that it pays more than that in calm times"
    times = "" if scenario.pool_scale == 1 else f" times {scenario.pool_scale:f}"
    return (
        f"Others' liquidity {paid} at a pay ratio of {scenario.pay_ratio:f}{times} (other "
        "people's fees over what arbitrage costs liquidity; 1 only just pays), and is in range at "
        f"every price{when}."
    )


def _feeds(config: Config, price: Decimal, at: int) -> list[Feed]:
    name = config.market.reference_feed
    if name is None:
        return []
    heartbeat = GOLD_HEARTBEAT_SECONDS
    return [Feed(name=name, heartbeat_seconds=heartbeat, said=price, said_at=at)]


def with_strategy(scenario: Scenario, name: str) -> Scenario:
    """The same world for another strategy."""
    strategy = scenario.config.strategy.model_copy(update={"name": name})
    config = scenario.config.model_copy(update={"strategy": strategy})
    return replace(scenario, config=config)
