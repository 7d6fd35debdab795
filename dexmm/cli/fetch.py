"""``dexmm fetch``: histories for a backtest, from an exchange or from a node."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from dexmm.cli.common import DEFAULT_CONFIG, answer, common_options, json_option, load_all
from dexmm.cli.option_types import Moment
from dexmm.errors import BadInput, Transient

if TYPE_CHECKING:
    from dexmm.config.schema import Config, Exchange
    from dexmm.fetch.candles.download import CandlesFetched
    from dexmm.fetch.pool.log_source import Node
    from dexmm.fetch.pool.pool_logs import SwapsFetched

GAPS_SHOWN = 20

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Appears when it is whole; until then its parts lie beside it.",
)


class Address(click.ParamType[str]):
    """Checksummed; a mistyped one is refused."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from pydantic import TypeAdapter, ValidationError

        from dexmm.config.field_types import Address as Checked

        try:
            return TypeAdapter(Checked).validate_python(str(value))
        except ValidationError as error:
            why = error.errors()[0]["msg"].removeprefix("Value error, ")
            self.fail(f"{value} {why}", param, ctx)


class Url(click.ParamType[str]):
    """Hidden from everything that is printed from now on: its path may be a key."""

    name = "url"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from pydantic import TypeAdapter, ValidationError

        from dexmm.config.field_types import Url as Checked
        from dexmm.telemetry.redact import hide

        try:
            url: str = TypeAdapter(Checked).validate_python(str(value)).get_secret_value()
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"].removeprefix("Value error, "), param, ctx)
        parts = urlsplit(url)
        for secret in (parts.username, parts.password, parts.query, parts.path.strip("/")):
            hide(secret or "")
        return url


@click.group()
def fetch() -> None:
    """Fetch a history: candles from an exchange, or a pool's events from a node.

    An interrupted fetch goes on where it ended when the same command is given again.
    """


@fetch.command()
@common_options
@json_option
@click.option("--exchange", metavar="ID", help="Any of ccxt's.  [default: the configuration's]")
@click.option("--symbol", help="Such as PAXG/USDT.  [default: the configuration's]")
@click.option("--timeframe", default="1m", show_default=True, help="Length of a candle.")
@click.option("--since", type=Moment(), required=True, help="The first candle's time, UTC.")
@click.option("--until", type=Moment(), help="The time after the last candle.  [default: now]")
@output_option
def candles(
    config_path: Path,
    as_json: bool,
    exchange: str | None,
    symbol: str | None,
    timeframe: str,
    since: int,
    until: int | None,
    output: Path,
) -> None:
    """Fetch candles into a .csv, .csv.gz or .parquet file. Needs no key.

    A candle that has not closed yet is left out, and what the exchange does not have is listed
    and never filled. With a configuration, [exchange] says where to ask.
    """
    from dexmm.fetch.candles.download import CandlesAsked, fetch_candles

    started = time.monotonic()
    configs = configurations(config_path)
    settings = _exchange(configs, exchange)
    asked = CandlesAsked(
        symbol=symbol or settings.symbol,
        timeframe=timeframe,
        since_ms=since * 1000,
        until_ms=None if until is None else until * 1000,
        output=output,
    )
    with progress("candles", as_json) as watch, resumable():
        fetched = fetch_candles(settings, asked, watch, proxy=_proxy(configs))
    _tell_candles(fetched, _seconds_since(started), as_json)


@fetch.command()
@common_options
@json_option
@click.option("--pool", type=Address(), help="[default: the configuration's]")
@click.option("--from-block", type=click.IntRange(0), required=True)
@click.option("--to-block", type=click.IntRange(0), help="Included.  [default: the last final one]")
@click.option("--rpc", type=Url(), help="A node.  [default: the configuration's]")
@click.option(
    "--confirmations",
    type=click.IntRange(0),
    default=64,
    show_default=True,
    help="Blocks on top of one that is final.",
)
@click.option(
    "--timestamps",
    is_flag=True,
    help="Ask for the times of blocks that the node does not tell beside their logs.",
)
@click.option(
    "--check-prices",
    is_flag=True,
    help="Hold each swap against the one before it to the last unit; from the pool's first block "
    "on, replay them all in the exact pool, fee growth included.",
)
@output_option
def swaps(
    config_path: Path,
    as_json: bool,
    pool: str | None,
    from_block: int,
    to_block: int | None,
    rpc: str | None,
    confirmations: int,
    timestamps: bool,
    check_prices: bool,
    output: Path,
) -> None:
    """Fetch a pool's swaps, mints, burns and collects into a .parquet file.

    Asks for as many blocks at once as the node bears, and for none that may still be reorganised.
    """
    from dexmm.optional_packages import need

    for module in ("numpy", "pyarrow", "msgspec"):
        need(module, "backtest")
    from dexmm.fetch.pool.pool_logs import SwapsAsked, fetch_swaps
    from dexmm.sim.replay.log_proof import prove_logs

    started = time.monotonic()
    config = _about(configurations(config_path), pool)
    asked = SwapsAsked(
        pool=_pool(pool, config),
        from_block=from_block,
        to_block=to_block,
        output=output,
        confirmations=confirmations,
        timestamps=timestamps,
        check_prices=check_prices,
        base=config.market.base if config and config.market.has_pool else None,
    )
    with progress("blocks", as_json) as watch, resumable():
        fetched = fetch_swaps(node_of(rpc, config), asked, watch, prove=prove_logs)
    _tell_swaps(fetched, _seconds_since(started), as_json)


def configurations(path: Path) -> tuple[Config, ...]:
    """The configuration's markets; none where there is no file and none was named."""
    source = click.get_current_context().get_parameter_source("config_path")
    if source is ParameterSource.DEFAULT and not path.exists():
        return ()
    return load_all(path)


def _exchange(configs: tuple[Config, ...], exchange_id: str | None) -> Exchange:
    from dexmm.config.schema import Exchange as Settings

    configured = [config.exchange for config in configs if config.exchange is not None]
    for settings in configured:
        if exchange_id in (None, settings.id):
            return settings
    if exchange_id is None:
        raise BadInput(f"name an --exchange, or one in [exchange] of {DEFAULT_CONFIG}")
    return Settings(id=exchange_id)


def _about(configs: tuple[Config, ...], pool: str | None) -> Config | None:
    """The configuration of the market that has the pool; otherwise any, for its node."""
    mine = [config for config in configs if pool in (None, config.market.pool)]
    if pool is None and len(mine) > 1:
        raise BadInput("the configuration has several markets: say which --pool")
    return next(iter(mine or configs), None)


def _pool(pool: str | None, config: Config | None) -> str:
    if pool is not None:
        return pool
    if config is None or not config.market.has_pool:
        raise BadInput("name a --pool, or give a --config that has one")
    return config.market.pool


def node_of(rpc: str | None, config: Config | None) -> Node:
    from dexmm.fetch.pool.log_source import Node

    if rpc is not None:
        return Node([rpc], proxy=_proxy(() if config is None else (config,)))
    if config is None or not config.network.rpc_urls:
        raise BadInput("name a node with --rpc URL, or give a --config that has one")
    urls = [url.get_secret_value() for url in config.network.rpc_urls]
    return Node(urls, config.network.timeout_seconds, config.network.proxy_url)


def _proxy(configs: tuple[Config, ...]) -> str | None:
    """``network.proxy`` is one for all markets of a configuration."""
    return next((config.network.proxy_url for config in configs), None)


@contextmanager
def resumable() -> Iterator[None]:
    """What may pass says how to go on."""
    try:
        yield
    except Transient as error:
        raise type(error)(f"{error.message}; repeat the command to go on", **error.facts) from None


@contextmanager
def progress(unit: str, as_json: bool) -> Iterator[Callable[[int, int, int], None]]:
    """A bar on a terminal, and nothing anywhere else."""
    if as_json or not sys.stderr.isatty():
        yield lambda done, total, rows: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {unit}", total=None, rows=0)
        fetched = 0

        def watch(done: int, total: int, rows: int) -> None:
            nonlocal fetched
            fetched += rows
            bar.update(task, completed=done, total=total, rows=fetched)

        yield watch


def _seconds_since(started: float) -> Decimal:
    return Decimal(round((time.monotonic() - started) * 1000)).scaleb(-3)


def _tell_candles(fetched: CandlesFetched, seconds: Decimal, as_json: bool) -> None:
    from dexmm.fetch.candles.candle_part import iso

    series, contents = fetched.series, fetched.contents
    if as_json:
        answer(
            {
                "exchange": series.venue,
                "symbol": series.symbol,
                "timeframe": series.timeframe,
                "range": {"since": iso(series.since_ms), "until": iso(fetched.until_ms)},
                "rows": contents.rows,
                "missing": contents.missing,
                "gaps": [{"at": iso(g.at_ms), "candles": g.candles} for g in contents.gaps],
                "file": fetched.file,
                "requests": fetched.requests,
                "seconds": seconds,
            }
        )
        return
    click.echo(
        f"{contents.rows:,} candles of {series.symbol} {series.timeframe} from {series.venue}, "
        f"{iso(series.since_ms)} to {iso(fetched.until_ms)}, in {fetched.file} ({seconds} s)"
    )
    if contents.gaps:
        click.echo(f"{contents.missing:,} candles are missing, in {len(contents.gaps)} gaps:")
    for gap in contents.gaps[:GAPS_SHOWN]:
        click.echo(f"  from {iso(gap.at_ms)}: {gap.candles:,}")
    if len(contents.gaps) > GAPS_SHOWN:
        click.echo(f"  and {len(contents.gaps) - GAPS_SHOWN} more, all in --json")


def _tell_swaps(fetched: SwapsFetched, seconds: Decimal, as_json: bool) -> None:
    if as_json:
        answer(
            {
                "pool": fetched.pool,
                "range": {"from_block": fetched.from_block, "to_block": fetched.to_block},
                "rows": fetched.rows,
                "kinds": fetched.kinds,
                "gaps": [],  # a range that was not covered whole has raised
                "without_timestamp": fetched.untimed,
                "held_against_state": fetched.held,
                "file": fetched.file,
                "requests": fetched.requests,
                "seconds": seconds,
            }
        )
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(fetched.kinds.items()))
    click.echo(
        f"{fetched.rows:,} logs of {fetched.pool} ({kinds or 'nothing happened'}), every block "
        f"from {fetched.from_block} to {fetched.to_block}, in {fetched.file} ({seconds} s)"
    )
    if not fetched.held:
        click.echo(
            f"they were not held against the pool's own state: no node has that of block "
            f"{fetched.to_block}, so a node that leaves out logs would not show"
        )
    if fetched.untimed:
        click.echo(
            f"{fetched.untimed:,} of them without a timestamp, which this node does not tell "
            "beside its logs: --timestamps asks for them"
        )
