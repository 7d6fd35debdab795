"""A run of the sandbox: the product's own turns in a world that is not real.

Only the chain, the clock and the other traders are made up. The configuration is read from a
file, and chain, journal, intents, lease and turn are those that run on mainnet.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Protocol

from dexmm import protocols
from dexmm.cex.exchange import account_name
from dexmm.chain.send.keys import wallet_address
from dexmm.config.schema import Config, Strategy
from dexmm.engine.loop import Shutdown, World, exit_of, keep_halted, run_once
from dexmm.engine.quote_refresher import Quoting
from dexmm.errors import BadInput, Halt, Transient
from dexmm.model.entry import Entry
from dexmm.model.market import Market
from dexmm.model.order import OrderIntent
from dexmm.model.snapshot import ChainView
from dexmm.model.starting_inventory import Start
from dexmm.model.steps import ChainStep, Outcome
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.protocols import Clock, Verdict
from dexmm.sandbox.chain_audit import fees_received, owned_positions, volumes
from dexmm.sandbox.exchange_feed import MARGIN_PART, PART, desk_of, paper_exchange, pass_candle
from dexmm.sandbox.exchange_fills import Fill, fills_of
from dexmm.sandbox.market_simulation import SETUP_SECONDS, SandboxWorld, paxg_usdt
from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.anvil import Anvil, AnvilOptions
from dexmm.sandbox.node.deploy import (
    ETH_USD_FEED,
    FEE_PIPS,
    PAXG_DECIMALS,
    USDT_DECIMALS,
    Deployment,
    MainnetOptions,
    adopt_fork,
    deploy_mainnet,
    forget_parents,
)
from dexmm.sandbox.node.pools import pool_facts
from dexmm.sandbox.summary import Chain, Run, Summary, TurnPoint, summarise, turn_point
from dexmm.sandbox.workspace import KEPT, Home, throwaway_key
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.pay_ratio import Pace, Surroundings, activity, others_liquidity, surroundings
from dexmm.sim.agents.price_process import PricePath, generate, read_candles
from dexmm.sim.agents.price_walk import PriceWalk, walk_of
from dexmm.sim.agents.traders import ETHER_PRICE, arbitrage_costs
from dexmm.sim.chain.background_liquidity import others
from dexmm.store.database import journal_url, open_database
from dexmm.store.orders import SqlOrderLog
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import to_decimal
from dexmm.wiring.clock import wall_clock
from dexmm.wiring.live import open_world
from dexmm.withdraw.halted_exit import ExitOnHalt

# Four weeks in half-hour turns: enough for several re-ranges, and less than a minute to watch.
DEFAULT_TURNS = 1344
DEFAULT_INTERVAL_SECONDS = 1800
CAPITAL = Decimal(50_000)
LEAST, MOST = Decimal(100), Decimal(10**9)  # that a start is worth, in quote
WALLET_ETH = Decimal(1)
TARGET = Strategy().target
SKIPPED_IN_A_ROW = 10  # turns; a sandbox node that stays silent will not come back
HANGUP = 128 + signal.SIGHUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    turns: int | None = None  # None: DEFAULT_TURNS, or the whole file when it is shorter
    seed: int = 1
    prices: tuple[Path, ...] = ()  # files, folders and archives, joined
    interval_seconds: int | None = None  # between generated turns; None: the default
    flow: str = "busy"
    pay_ratio: Decimal = Decimal(1)  # of the others' liquidity (sim/pay_ratio.py); not of a fork's
    pace: str = Pace.VOLATILITY  # at which others trade, where the prices are known beforehand
    eth_price: Decimal = ETHER_PRICE  # in quote; a fork has its own
    strategy: str = "budget"
    settings: tuple[str, ...] = ()  # further ones, as "strategy.edge_sigmas=1"
    capital: Decimal = CAPITAL  # in quote, at the target share
    start: Start | None = None  # an inventory instead
    fork_url: str | None = field(default=None, repr=False)  # may carry a key
    fork_block: int | None = None
    exchange: bool = True  # a paper one beside the pool
    quotes: bool = False  # on it
    takers: bool = False  # others trade on it though nothing is quoted: to compare with quotes
    keep: bool = False
    state_dir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One turn, for whoever watches."""

    number: int
    planned: int
    entry: Entry
    point: TurnPoint
    first: TurnPoint


class Screen(Protocol):
    """Whoever watches a run."""

    def opened(self, config: Config, path: PricePath, options: Options) -> None: ...

    def turned(self, progress: Progress) -> None: ...

    def skipped(self, number: int, reason: str) -> None: ...

    def closed(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A chain left running, and how to use it."""

    config: Path
    url: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    summary: Summary
    halted: str  # why the product halted itself; empty when it did not
    stopped: str  # why the run ended before its last turn; empty when it did not
    kept: Kept | None
    config: Config  # that the turns were taken with
    path: PricePath  # that the price took
    market: Market
    fork: bool  # of a real pool, whose liquidity nobody sized
    fills: tuple[Fill, ...]  # on the exchange, of every order


class _LongRun(AnvilOptions):
    """The state of old blocks is not read, and not kept."""

    def arguments(self) -> list[str]:
        return [*super().arguments(), "--prune-history", "64"]


def run_sandbox(options: Options, screen: Screen) -> Result:
    """Run to the end, or until SIGINT or SIGTERM; the chain ends with the process unless kept.

    Raises ``BadInput`` for what the user gave, ``Transient`` when the run was stopped before its
    first turn or the node failed.
    """
    began = time.monotonic()
    path = _price_path(options)
    shutdown = Shutdown()
    with ExitStack() as stack:
        stack.enter_context(shutdown.on_signals())
        stack.enter_context(_hangup(shutdown))
        home = _home(options, stack)
        anvil = stack.enter_context(Anvil(_anvil_options(options, path)))
        stage = _open_stage(options, path, anvil, home, stack)
        stack.callback(screen.closed)
        screen.opened(stage.config, stage.path, options)
        points, skipped = _play(stage, options, shutdown, screen)
        screen.closed()
        if not points:
            raise Transient(f"the sandbox was stopped before its first turn: {shutdown.reason()}")
        orders = _orders(stage)
        summary = summarise(
            points,
            _look_back(stage),
            orders,
            Run(
                strategy=options.strategy,
                prices=stage.path.source,
                flow=options.flow,
                seed=options.seed,
                planned_turns=len(stage.path.candles),
                candles_filled=stage.path.filled,
                skipped_turns=skipped,
                band_low=stage.config.strategy.band_low,
                band_high=stage.config.strategy.band_high,
                wall_seconds=Decimal(round((time.monotonic() - began) * 10)) / 10,
            ),
        )
        return Result(
            summary=summary,
            halted=stage.product.journal.halted() or stage.product.journal.memory().halted,
            stopped=shutdown.reason(),
            kept=_keep(stage, home) if options.keep else None,
            config=stage.config,
            path=stage.path,
            market=stage.street.market,
            fork=options.fork_url is not None,
            fills=fills_of(stage.paper, orders) if stage.paper is not None else (),
        )


class _MinedChain:
    """The product's chain; while it sends, the world mines."""

    def __init__(self, chain: protocols.Chain, street: SandboxWorld) -> None:
        self._chain = chain
        self._street = street

    def observe(self) -> ChainView:
        return self._chain.observe()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        with self._street.mining():
            return self._chain.send(step, verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    anvil: Anvil
    paper: PaperExchange | None
    path: PricePath
    config: Config
    street: SandboxWorld
    product: World
    address: str
    opening: ChainView  # funded, and not yet traded with: on a fork the wallet may hold more


def _price_path(options: Options) -> PricePath | None:
    """The file's candles, or None where the generator must first know the chain."""
    if not options.prices:
        return None
    if options.fork_url is not None:
        raise BadInput("--prices and --fork exclude each other: a fork starts at its pool's price")
    if options.interval_seconds is not None:
        raise BadInput("--prices and --interval exclude each other: a turn is one of its candles")
    path = read_candles(*options.prices)
    return path.first(options.turns or min(DEFAULT_TURNS, len(path.candles)))


def _anvil_options(options: Options, path: PricePath | None) -> AnvilOptions:
    if options.fork_url is not None:
        return AnvilOptions(fork_url=options.fork_url, fork_block_number=options.fork_block)
    if options.fork_block is not None:
        raise BadInput("--fork-block needs --fork URL: say which node to fork from")
    first = (path or _generated(options)).candles[0]
    opening = first.at - MainnetOptions().age_seconds - SETUP_SECONDS
    return _LongRun(timestamp=opening, base_fee=10**9)


def _generated(options: Options) -> PricePath:
    return generate(
        options.seed, options.turns or DEFAULT_TURNS, interval_seconds=_interval(options)
    )


def _interval(options: Options) -> int:
    return options.interval_seconds or DEFAULT_INTERVAL_SECONDS


def _home(options: Options, stack: ExitStack) -> Home:
    folder = options.state_dir or (KEPT if options.keep else None)
    if folder is None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dexmm-sandbox-")))
    home = Home(folder=folder.absolute())
    home.prepare()
    return home


def _open_stage(
    options: Options, path: PricePath | None, anvil: Anvil, home: Home, stack: ExitStack
) -> _Stage:
    activities: Sequence[float] = ()  # a fork's flow is its own and no pay ratio's
    if options.fork_url is not None:
        deployment = adopt_fork(anvil)
        path, eth_price = _path_from_fork(options, deployment), _feed_price(anvil, ETH_USD_FEED)
        walk = walk_of(path, options.seed)
    else:
        path = path or _generated(options)
        walk = walk_of(path, options.seed)
        around = _around(options, walk)
        activities = activity(walk, around, float(options.pay_ratio))
        market_day = MainnetOptions(
            price=path.candles[0].open,
            eth_price=options.eth_price,
            layers=others(_others_liquidity(options, around)),
        )
        forget_parents(anvil)
        deployment, eth_price = deploy_mainnet(anvil, market_day), market_day.eth_price
    price = path.candles[0].open
    street = SandboxWorld(
        deployment,
        flow=FLOWS[options.flow],
        interval_seconds=path.interval_seconds,
        seed=options.seed,
        price=price,
        eth_price=eth_price,
        walk=walk,
        costs=arbitrage_costs(eth_price),
        activity=activities,
    )
    capital = capital_of(options, price)
    paper = None
    if options.exchange:
        paper = stack.enter_context(
            paper_exchange(
                capital,
                TARGET,
                price,
                path.candles[0].at * 1000,
                takers=options.quotes or options.takers,
                seed=options.seed,
                start=options.start,
            )
        )
    config = home.write(
        desk=desk_of(paper, price, quotes=options.quotes, interval_seconds=path.interval_seconds)
        if paper is not None
        else None,
        url=anvil.url,
        pid=anvil.pid,
        market=street.market,
        price=price,
        strategy=options.strategy,
        settings=options.settings,
        interval_seconds=path.interval_seconds,
        key=throwaway_key(options.seed),
        fork=deployment.fork,
    )
    address = wallet_address(config)
    whole = options.start or _at_share(capital, config.strategy.target, price)
    in_wallet = 1 - PART if paper is not None else Decimal(1)
    in_margin = MARGIN_PART if paper is not None else Decimal(0)
    deployment.fund_wallet(
        address,
        eth=WALLET_ETH,
        paxg=whole.base * in_wallet,
        usdt=whole.quote * in_wallet - capital * in_margin,
    )
    product = open_world(config, exchange_clock=_clock_of(paper))
    opening = product.chain.observe()
    return _Stage(
        anvil=anvil,
        paper=paper,
        path=path,
        config=config,
        street=street,
        product=replace(product, chain=_MinedChain(product.chain, street)),
        address=address,
        opening=opening,
    )


def capital_of(options: Options, price: Decimal) -> Decimal:
    """What a run begins with is worth, in quote. Raises ``BadInput`` for a start that cannot be."""
    start = options.start
    if start is None:
        return options.capital
    worth = start.worth(price)
    if not LEAST <= worth <= MOST:
        raise BadInput(
            f"what --start begins with is worth {worth:.2f} USDT at {price:.2f}: begin with "
            f"{LEAST} to {MOST}"
        )
    if options.exchange and start.quote * (1 - PART) < worth * MARGIN_PART:
        raise BadInput(
            f"of {start.quote:f} USDT to begin with, {worth * MARGIN_PART:.2f} would be margin on "
            "the exchange beside its spot account: begin with more, or with --no-exchange"
        )
    return worth


def _at_share(capital: Decimal, share: Decimal, price: Decimal) -> Start:
    return Start(base=capital * share / price, quote=capital * (1 - share))


def _around(options: Options, walk: PriceWalk) -> Surroundings:
    """What the others' liquidity follows from."""
    return surroundings(
        walk,
        FLOWS[options.flow],
        fee_pips=FEE_PIPS,
        fee_protocol=MainnetOptions().fee_protocol,
        costs=arbitrage_costs(options.eth_price),
        pace=Pace(options.pace),
    )


def _others_liquidity(options: Options, around: Surroundings) -> int:
    """What other people hold in range, as the flow pays it."""
    decimals = PAXG_DECIMALS, USDT_DECIMALS
    return others_liquidity(decimals, around, float(options.pay_ratio))


def _clock_of(paper: PaperExchange | None) -> Clock:
    """The exchange's own time, in seconds."""
    return wall_clock if paper is None else lambda: paper.exchange.clock.now_ms() // 1000


def _path_from_fork(options: Options, deployment: Deployment) -> PricePath:
    """A generated path that starts where and when the fork's pool is."""
    facts = pool_facts(deployment.anvil, deployment.pool)
    now = int(deployment.anvil.block()["timestamp"], 16)
    return generate(
        options.seed,
        options.turns or DEFAULT_TURNS,
        start_price=paxg_usdt(deployment).price(facts.sqrt_price_x96).quantize(Decimal("0.01")),
        start_at=now + SETUP_SECONDS,
        interval_seconds=_interval(options),
    )


def _feed_price(anvil: Anvil, feed: str) -> Decimal:
    answer = anvil.call(feed, encode_call("latestRoundData()"))
    return to_decimal(decode_answer("uint80,int256", answer[:64])[1], 8)


def _play(
    stage: _Stage, options: Options, shutdown: Shutdown, screen: Screen
) -> tuple[list[TurnPoint], int]:
    """Every turn; what they amount to, and how many could not see the world whole."""
    points: list[TurnPoint] = []
    skipped = in_a_row = 0
    product = stage.product
    quoting = None
    if product.cex is not None and options.quotes:
        quoting = Quoting(
            product.chain, product.cex, product.journal, product.config, product.clock
        )

    # Nothing that is mined here is dropped again: an exit need not wait until it is deep.
    network = product.config.network.model_copy(update={"confirmations": 0})
    final = product.config.model_copy(update={"network": network})
    exits = exit_of(replace(product, config=final), several=False)

    def refresh() -> None:
        if quoting is not None:
            quoting.refresh(shutdown.reason, 0)

    for number, candle in enumerate(stage.path.candles, start=1):
        if shutdown.reason():
            break
        if stage.paper is not None:
            then = refresh if quoting is not None else None
            crowd = options.quotes or options.takers
            prices = stage.street.prices(candle) if crowd else ()
            pass_candle(stage.paper, candle, stage.path.interval_seconds, then, prices)
        stage.street.pass_candle(candle)
        try:
            entry = run_once(stage.product, shutdown)
            _get_out(stage, exits, entry)
            if quoting is not None:
                quoting.turned(product.chain)
        except Halt as error:
            stage.product.flag.set(error.message)
            screen.skipped(number, f"halted: {error.message}")
            break
        except Transient as error:
            skipped, in_a_row = skipped + 1, in_a_row + 1
            screen.skipped(number, error.message)
            if in_a_row >= SKIPPED_IN_A_ROW:
                raise
            continue
        in_a_row = 0
        points.append(turn_point(entry, stage.street.fair_price))
        screen.turned(
            Progress(
                number=number,
                planned=len(stage.path.candles),
                entry=entry,
                point=points[-1],
                first=points[0],
            )
        )
    return points, skipped


def _get_out(stage: _Stage, exits: ExitOnHalt, entry: Entry) -> None:
    """As the loop does after a turn; what is sent is mined, and HALT is set as there."""
    keep_halted(stage.product, entry)
    if entry.memory.halted:
        with stage.street.mining():
            exits.after(entry.memory.halted, entry)


def _look_back(stage: _Stage) -> Chain:
    """What the chain itself says, now that all is over."""
    street, node = stage.street, stage.anvil
    view = stage.product.chain.observe()
    venue = stage.product.cex.observe() if stage.product.cex is not None else None
    held = inventory(view, street.fair_price, venue)
    fees = fees_received(
        node, street.market, stage.address, street.first_block, stage.opening, view
    )
    traded = volumes(node, street.market, street.first_block)
    return Chain(
        fair_price=street.fair_price,
        base=held.base_total,
        quote=held.quote_total,
        eth_spent=to_decimal(stage.opening.wallet.eth - node.balance(stage.address), 18),
        eth_price=street.eth_price,
        transactions=view.wallet.nonce - stage.opening.wallet.nonce,
        fees_base=fees[0],
        fees_quote=fees[1],
        owned=owned_positions(node, street.market, stage.address),
        observed=frozenset(position.token_id for position in view.positions),
        swaps=traded.swaps,
        noise_base=traded.of(street.noise_trader),
        arbitrage_base=traded.of(street.arbitrageur),
    )


def _orders(stage: _Stage) -> tuple[OrderIntent, ...]:
    """Everything the product ever meant to send to the exchange."""
    exchange = stage.config.exchange
    if exchange is None:
        return ()
    log = SqlOrderLog(open_database(journal_url(stage.config), durable=False))
    return log.orders_since(account_name(exchange), 0)


def _keep(stage: _Stage, home: Home) -> Kept:
    stage.street.settle_down()
    stage.anvil.detach()
    return Kept(config=home.config_path, url=stage.anvil.url, pid=stage.anvil.pid)


@contextmanager
def _hangup(shutdown: Shutdown) -> Iterator[None]:
    """A closed terminal ends the run at once and cleans up; nobody is left to read a summary.

    It may interrupt anything, drawing on that terminal among it, so that cleaning up meets what is
    half done: whatever comes of that, the run ends as hung up. Where the caller has chosen to
    ignore the signal (``nohup``), it stays ignored.
    """
    heard = False

    def leave(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            return  # a terminal and its shell may both send it: cleaning up is not interrupted
        heard = True
        shutdown.ask("SIGHUP")  # where the exception ends in something that swallows it
        raise SystemExit(HANGUP)

    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGHUP, leave)
    try:
        yield
    except Exception as error:
        if heard:
            raise SystemExit(HANGUP) from error
        raise
    finally:
        signal.signal(signal.SIGHUP, before)
    if heard:
        raise SystemExit(HANGUP)
