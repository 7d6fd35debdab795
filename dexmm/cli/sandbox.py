"""``dexmm sandbox``: the product at work on a local mainnet."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, console, finish, json_option, jsonable, set_up_logging
from dexmm.cli.option_types import Number
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from dexmm.backtest.sensitivity import AtRatio
    from dexmm.sandbox.run import Options, Result, Screen

HALTED = 4
BASE, QUOTE = "PAXG", "USDT"
CAPITAL = 50_000
LEAST_CAPITAL, MOST_CAPITAL = 100, 10**9
STRATEGIES = ("budget", "avellaneda", "single", "passive", "recentre", "hold")


@click.command()
@click.option(
    "--turns",
    type=click.IntRange(min=1),
    help="How many turns: one a candle. 1344 unless said: four generated weeks.",
)
@click.option(
    "--interval",
    type=click.IntRange(60, 86_400),
    metavar="SECONDS",
    help="Between turns, without --prices. 1800 unless said.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same run.")
@click.option(
    "--prices",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Candles, as `dexmm backtest` reads them; without, a generator that moves as gold does.",
)
@click.option(
    "--flow",
    type=click.Choice(["busy", "real"]),
    default="busy",
    show_default=True,
    help="Other people's trades: as in PAXG/USDC, or as in the thin PAXG/USDT pool itself.",
)
@click.option(
    "--pay-ratio",
    type=Number(10**9, above_zero=True),
    default="1",
    show_default=True,
    metavar="RATIO",
    help="Other people's fees over what arbitrage costs liquidity; that of others is sized to it.",
)
@click.option(
    "--pace",
    type=click.Choice(["volatility", "steady"]),
    default="volatility",
    show_default=True,
    help="When others trade: as much as the price moves, or evenly.",
)
@click.option(
    "--eth-price",
    type=Number(10**9, above_zero=True),
    default="2500",
    show_default=True,
    metavar="USDT",
    help="Of an ether; a fork has its own.",
)
@click.option("--strategy", type=click.Choice(STRATEGIES), default="budget", show_default=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting other than its default, such as strategy.edge_sigmas=1. Repeatable.",
)
@click.option(
    "--capital",
    type=Number(MOST_CAPITAL, least=LEAST_CAPITAL),
    metavar="USDT",
    help=f"What it has to work with, at the target share. {CAPITAL} unless said.",
)
@click.option(
    "--start",
    metavar='"N PAXG + N USDT"',
    help='An inventory of one\'s own instead: "5 PAXG + 20000 USDT".',
)
@click.option("--fork", "fork_url", metavar="URL", help="Fork this mainnet node instead.")
@click.option("--fork-block", type=click.IntRange(min=1), metavar="N", help="Fork at this block.")
@click.option(
    "--exchange/--no-exchange",
    default=None,
    help="A paper exchange beside the pool, to hedge on; it is there unless --keep.",
)
@click.option("--quotes", is_flag=True, help="Quote both sides on the paper exchange.")
@click.option("--keep", is_flag=True, help="Leave the chain running, and say how to use it.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep configuration and journal here.",
)
@json_option
@click.option("-v", "--verbose", count=True, help="More on stderr; twice for libraries too.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def sandbox(
    turns: int | None,
    interval: int | None,
    seed: int,
    prices: tuple[Path, ...],
    flow: str,
    pay_ratio: Decimal,
    pace: str,
    eth_price: Decimal,
    strategy: str,
    settings: tuple[str, ...],
    capital: Decimal | None,
    start: str | None,
    fork_url: str | None,
    fork_block: int | None,
    exchange: bool | None,
    quotes: bool,
    keep: bool,
    state_dir: Path | None,
    as_json: bool,
    verbose: int,
    debug: bool,
) -> None:
    """Watch it work on a local mainnet: Uniswap's real bytecode, simulated traders, fast time.

    Needs nothing from outside. Ends with what the run amounts to; Ctrl-C ends it early.
    """
    from dexmm.model.starting_inventory import start_of
    from dexmm.sandbox.run import Options, run_sandbox
    from dexmm.telemetry.redact import hide

    # The frame must not be torn by log lines; warnings are few and worth it.
    set_up_logging(verbose + int(debug) - 1)
    if fork_url is not None:
        hide(fork_url)
    if keep and (exchange or quotes):
        raise BadInput(
            "--keep leaves the chain running, and a paper exchange would end with this process: "
            "keep the pool alone"
        )
    if start is not None and capital is not None:
        raise BadInput("--start and --capital exclude each other: choose one")
    exchange = not keep if exchange is None else exchange
    if quotes and not exchange:
        raise BadInput("--quotes needs the exchange: leave --no-exchange away")
    options = Options(
        turns=turns,
        interval_seconds=interval,
        seed=seed,
        prices=prices,
        flow=flow,
        pay_ratio=pay_ratio,
        pace=pace,
        eth_price=eth_price,
        strategy=strategy,
        settings=settings,
        capital=Decimal(CAPITAL) if capital is None else capital,
        start=start_of(start, BASE, QUOTE) if start is not None else None,
        fork_url=fork_url,
        fork_block=fork_block,
        exchange=exchange,
        quotes=quotes,
        keep=keep,
        state_dir=state_dir,
    )
    result = run_sandbox(options, _screen(as_json))
    _tell(result, options, as_json)
    if result.summary.untracked:
        finish(1)
    if result.halted:
        finish(HALTED)


def _screen(as_json: bool) -> Screen:
    from dexmm.sandbox.live_view import LiveScreen, PlainScreen

    if as_json:
        from rich.console import Console

        return PlainScreen(Console(stderr=True, highlight=False))
    return LiveScreen(console()) if sys.stdout.isatty() else PlainScreen(console())


def _tell(result: Result, options: Options, as_json: bool) -> None:
    ratios = _at_ratios(result, options)
    if not as_json:
        from dexmm.sandbox.closing_view import show

        show(console(), result, [(f"{run.pay_ratio:f}", run.net, run.net_bp) for run in ratios])
        return
    facts = dict(jsonable(result.summary))
    answer(
        {
            **facts,
            "pay_ratios": jsonable(ratios),
            "halted": result.halted,
            "stopped": result.stopped,
            "kept": jsonable(result.kept) if result.kept is not None else None,
        }
    )


def _at_ratios(result: Result, options: Options) -> tuple[AtRatio, ...]:
    """The same turns in memory, without an exchange, with others' liquidity of other sizes.

    None for a run that was stopped, or of one turn, and on a fork: its pool is as it is.
    """
    if result.fork or result.stopped or result.halted or len(result.path.candles) < 2:
        return ()
    from dexmm.backtest.run import Scenario
    from dexmm.backtest.sensitivity import at_ratios
    from dexmm.sandbox.run import capital_of
    from dexmm.sim.agents.pay_ratio import Pace

    return at_ratios(
        Scenario(
            path=result.path,
            config=result.config,
            market=result.market,
            capital=capital_of(options, result.path.candles[0].open),
            start=options.start,
            flow=options.flow,
            pay_ratio=options.pay_ratio,
            pace=Pace(options.pace),
            eth_price=options.eth_price,
            seed=options.seed,
        )
    )
