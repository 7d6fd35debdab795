"""What `dexmm backtest` can be told: a history, costs, and the pool where nobody else says it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dexmm.cli.common import DEFAULT_CONFIG
from dexmm.cli.option_types import Moment, Number, Numbers

if TYPE_CHECKING:
    from dexmm.backtest.scenario_request import Request
    from dexmm.backtest.workers import Workers

STRATEGIES = ("measured", "budget", "avellaneda", "single", "passive", "recentre", "hold")
DECIMALS = click.IntRange(0, 30)
POSITIVE = Number(10**9, above_zero=True)


def history_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--prices",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Candles: a file, folder or archive, repeated to join several. As `dexmm "
                "fetch candles` writes them, Binance's archive, freqtrade's, TradingView's or "
                "another usual layout: .csv, .json, .parquet, .feather, .gz or .zip.",
            ),
            click.option(
                "--events",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A pool's own swaps, mints and burns, as `dexmm fetch swaps` writes them.",
            ),
            click.option(
                "--generate",
                is_flag=True,
                help="Prices from a seed that move as gold does: four weeks unless --turns.",
            ),
            click.option("--seed", type=int, default=1, show_default=True, help="Of all chance."),
            click.option("--turns", type=click.IntRange(min=1), metavar="N", help="Candles."),
            click.option(
                "--interval",
                type=click.IntRange(60, 86_400),
                metavar="SECONDS",
                help="Between generated candles (1800), or between turns over events (300).",
            ),
            click.option("--since", type=Moment(), help="From here on: 2026-01-31, UTC."),
            click.option("--until", type=Moment(), help="Up to and without here."),
        )
    ):
        command = option(command)
    return command


def cost_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--strategy", type=click.Choice(STRATEGIES), help="Instead of its own."),
            click.option(
                "--capital",
                type=POSITIVE,
                metavar="QUOTE",
                help="At the target share. 50000 unless said.",
            ),
            click.option(
                "--start",
                metavar='"N BASE + N QUOTE"',
                help='An inventory of one\'s own instead: "5 PAXG + 20000 USDT".',
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="SECTION.KEY=VALUE",
                help="A setting other than the configuration's, such as strategy.edge_sigmas=1. "
                "Repeatable.",
            ),
            click.option(
                "--flow",
                type=click.Choice(["real", "busy", "none"]),
                help="Other people's trades: as in the thin PAXG/USDT pool (the default), as in "
                "PAXG/USDC with twenty times that, or arbitrage alone.",
            ),
            click.option(
                "--pay-ratio",
                "pay_ratios",
                type=Numbers(10**9),
                multiple=True,
                metavar="RATIO",
                help="Other people's fees over what arbitrage costs liquidity; that of others is "
                "sized to it. 1 unless said: it only just pays. Several (0.7,1,1.4, or the option "
                "repeated) are shown side by side; 1 is the one that decides, or else the first. "
                "A comparison and tune show 0.7, 1 and 1.4 unless said.",
            ),
            click.option(
                "--pace",
                type=click.Choice(["volatility", "steady"]),
                help="When others trade: as much as the price moves, so that the pay ratio holds "
                "at every time (the default), or evenly, so that it holds on average.",
            ),
            click.option(
                "--gas-gwei",
                type=POSITIVE,
                metavar="N",
                help="What a block asks for; 0.05 to 1 around 0.2 unless said, a walk with rare "
                "spikes to 50.",
            ),
            click.option(
                "--eth-price",
                type=POSITIVE,
                metavar="QUOTE",
                help="Of an ether. The configuration's, or 2500.",
            ),
            click.option(
                "--eth-prices",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Candles of an ether in quote over the same time, instead of one price.",
            ),
            click.option(
                "--arbitrage-gas",
                type=click.IntRange(0, 10**9),
                metavar="GAS",
                help="That a transaction of an arbitrageur takes. 150000 unless said.",
            ),
            click.option(
                "--arbitrage-fee-bp",
                type=Number(1000),
                metavar="BP",
                help="That an arbitrageur pays elsewhere on what it trades. 1 unless said.",
            ),
            click.option(
                "--pool-liquidity",
                type=POSITIVE,
                metavar="TIMES",
                help="Of others: a multiple of what --pay-ratio comes to.",
            ),
            click.option(
                "--exchange/--no-exchange",
                default=None,
                help="A simulated exchange beside the pool, to hedge and quote on; it is there "
                "where the configuration has one.",
            ),
            click.option(
                "--every-turn", is_flag=True, help="Take the turns too that can decide nothing."
            ),
        )
    ):
        command = option(command)
    return command


def pool_options(command: Callable[..., None]) -> Callable[..., None]:
    """What a candle file does not say of the pool; PAXG/USDT 0.05 % where nothing is said."""
    for option in reversed(
        (
            click.option("--base", metavar="SYMBOL", help="The inventory's token. PAXG."),
            click.option("--quote", metavar="SYMBOL", help="What it is counted in. USDT."),
            click.option("--base-decimals", type=DECIMALS, metavar="N", help="18 unless said."),
            click.option("--quote-decimals", type=DECIMALS, metavar="N", help="6 unless said."),
            click.option("--base-is-token1", is_flag=True, help="In the pool's order."),
            click.option(
                "--fee",
                "fee_pips",
                type=click.IntRange(1, 999_999),
                metavar="PIPS",
                help="The pool's fee in millionths: 500 is 0.05 %, and what is used unless said.",
            ),
            click.option(
                "--tick-spacing", type=click.IntRange(1, 16_383), help="As goes with the fee."
            ),
            click.option(
                "--fee-protocol",
                type=click.Choice(["0", *map(str, range(4, 11))]),
                help="The protocol takes one in so many of the fees, 0 for nothing. 4, or as "
                "recorded.",
            ),
        )
    ):
        command = option(command)
    return command


def histories_argument(command: Callable[..., None]) -> Callable[..., None]:
    """``FILE ...``, each a history of its own, passed on as ``files``."""
    return click.argument(
        "files", nargs=-1, type=click.Path(path_type=Path), metavar="[HISTORY]..."
    )(command)


def dask_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--dask ADDRESS``, passed on as ``dask``."""
    return click.option(
        "--dask",
        metavar="ADDRESS",
        help="Run on this Dask cluster instead of processes of this machine: its scheduler's "
        "address, such as tcp://10.0.0.7:8786. Its workers need the same dexmm. The result is the "
        "same.",
    )(command)


def workers_of(count: int, dask: str | None) -> int | Workers:
    """Who does the work: processes of this machine, or a cluster."""
    if dask is None:
        return count
    from dexmm.backtest.cluster import DaskCluster

    return DaskCluster(dask)


def requests_of(asked: dict[str, Any]) -> tuple[Request, ...]:
    """One for each history that these options ask for. Raises ``BadInput``."""
    from dexmm.errors import BadInput

    files: tuple[Path, ...] = asked.get("files", ())
    if not files:
        return (request_of(asked),)
    others = {"prices": "--prices", "events": "--events", "generate": "--generate"}
    if told := [name for key, name in others.items() if asked[key]]:
        raise BadInput(
            f"{files[0]} is a history, and {' and '.join(told)} another: give histories of candles "
            "one after the other, or one with an option; files that are parts of one history are "
            "joined by naming their folder, or --prices before each"
        )
    if twice := [file for file in files if files.count(file) > 1]:
        raise BadInput(f"{twice[0]} is named twice, and would count as two histories")
    return tuple(request_of({**asked, "prices": (file,)}) for file in files)


def ratios_of(asked: dict[str, Any]) -> tuple[Decimal, ...]:
    """The pay ratios that were named, each once, in their order."""
    return tuple(dict.fromkeys(ratio for several in asked["pay_ratios"] for ratio in several))


def request_of(asked: dict[str, Any]) -> Request:
    """What these options ask for."""
    from dexmm.backtest.scenario_market import MarketAsked
    from dexmm.backtest.scenario_request import Request

    alike = "prices events strategy capital flow seed turns since until eth_price eth_prices "
    alike += "arbitrage_gas arbitrage_fee_bp gas_gwei exchange settings start pace"
    pool = "base quote base_decimals quote_decimals base_is_token1 fee_pips tick_spacing"
    protocol, ratios = asked["fee_protocol"], ratios_of(asked)
    return Request(
        **{name: asked[name] for name in (*alike.split(), "every_turn")},
        generated=asked["generate"],
        config=asked["config_path"] or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None),
        market_name=asked["market"],
        interval_seconds=asked["interval"],
        pay_ratio=Decimal(1) if 1 in ratios else next(iter(ratios), None),
        pay_ratios=ratios,
        pool_scale=asked["pool_liquidity"],
        fee_protocol=None if protocol is None else int(protocol),
        market=MarketAsked(**{name: asked[name] for name in pool.split()}),
    )
