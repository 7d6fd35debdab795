"""What every command shares: its options, its logging, its answers."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, ParamSpec, cast

import click

from dexmm.errors import BadInput
from dexmm.telemetry.redact import hide_config, redact

if TYPE_CHECKING:
    from rich.console import Console

    from dexmm.config.schema import Config

DEFAULT_CONFIG = Path("dexmm.toml")
UNBOUNDED = 100_000  # columns of what has none
LOG_LINE, LOG_TIME = "%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"
LARGEST_SAFE_INTEGER = (1 << 53) - 1  # beyond it a JSON reader may round
# What the chain counts in smallest units or in fixed point: text, however small it is today.
CHAIN_INTEGERS = frozenset(
    (
        *("liquidity", "liquidity_net", "liquidity_gross", "pool_liquidity"),
        *("amount", "amount0", "amount1", "amount0_desired", "amount1_desired", "amount0_min"),
        *("amount1_min", "amount_in", "amount_out_minimum", "amount_specified"),
        *("collected0", "collected1", "fees0", "fees1", "tokens_owed0", "tokens_owed1"),
        *("protocol_fees0", "protocol_fees1", "wallet_amount0", "wallet_amount1"),
        *("allowance", "allowance0", "allowance1", "router_allowance"),
        *("eth", "eth_wei", "gas_wei", "gas_spent", "gas_spent_today", "wallet_wei"),
        *("rehearsed_wei", "base_fee_wei", "tip_wei", "gas_price"),
        *("max_fee_per_gas", "max_priority_fee_per_gas", "sqrt_price_x96", "sqrt_price_limit_x96"),
        *("fee_growth", "fee_growth_x128", "fee_growth_global0_x128", "fee_growth_global1_x128"),
        *("fee_growth_inside0_last_x128", "fee_growth_inside1_last_x128"),
        *("tick_cumulative", "tick_cumulatives", "seconds_per_liquidity_cumulative_x128"),
    )
)

log = logging.getLogger("dexmm.cli")

P = ParamSpec("P")


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--config``, ``-v``, ``-q`` and ``--debug``. Passes on ``config_path``; sets up logging."""

    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=DEFAULT_CONFIG,
        show_default=True,
        metavar="FILE",
        help="The configuration.",
    )
    @click.option("-v", "--verbose", count=True, help="More on stderr; twice for libraries too.")
    @click.option("-q", "--quiet", count=True, help="Warnings only; twice for errors only.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(command)
    def with_common(*args: Any, verbose: int, quiet: int, debug: bool, **kwargs: Any) -> None:
        set_up_logging(verbose + int(debug) - quiet)
        command(*args, **kwargs)

    return with_common


def is_quiet() -> bool:
    """Whether the running command was given ``--quiet``."""
    return bool(click.get_current_context().params.get("quiet"))


def json_option(command: Callable[P, None]) -> Callable[P, None]:
    """``--json``, passed on as ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Answer with one JSON object on stdout."
    )(command)


class _RedactingFormatter(logging.Formatter):
    """Masks secrets in the finished line, so that a library's traceback is covered as well.

    Times are UTC with their date, as in the journal and in every report.
    """

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def set_up_logging(verbosity: int) -> None:
    """Logs go to stderr. 0 shows what happened, 1 why, 2 what libraries say; below 0, less."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter(LOG_LINE, LOG_TIME))
    own = {-1: logging.WARNING, 0: logging.INFO}.get(
        verbosity, logging.DEBUG if verbosity > 0 else logging.ERROR
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbosity > 1 else max(own, logging.WARNING))
    logging.getLogger("dexmm").setLevel(own)
    logging.captureWarnings(True)


def market_option(command: Callable[P, None]) -> Callable[P, None]:
    """``--market``, for those that look at one of several."""
    return click.option("--market", metavar="NAME", help="Which of several [[market]].")(command)


def load(config_path: Path, market: str | None = None) -> Config:
    """One market's configuration, its secrets hidden from everything printed from now on."""
    from dexmm.config.multi_market import choose

    return choose(load_all(config_path), market, config_path)


def load_beside(config_path: Path, market: str | None) -> tuple[tuple[Config, ...], Config]:
    """Every market, which the one wallet is divided between, and the one that is asked about."""
    from dexmm.config.multi_market import choose

    configs = load_all(config_path)
    return configs, choose(configs, market, config_path)


def load_all(config_path: Path) -> tuple[Config, ...]:
    """Every market of the configuration, its secrets hidden as by ``load``."""
    from dexmm.config.multi_market import load_markets

    configs = load_markets(config_path)
    for config in configs:
        hide_config(config)
    return configs


def load_judged(config_path: Path) -> tuple[Config, ...]:
    """As ``load_all``, for what will act: refuses settings that cannot make sense in any market.

    What only looks or gets out must work with such settings too, and uses ``load``.
    """
    from dexmm.strategy.rebalance.feasibility import judge

    configs = load_all(config_path)
    problems = [problem for c in configs if c.market.has_pool for problem in judge(c).problems]
    if problems:
        raise BadInput("\n".join(f"{config_path}: {problem}" for problem in problems))
    return configs


def answer(facts: Mapping[str, object]) -> None:
    """One JSON object on stdout: decimals and what the chain counts are text, as ``jsonable``."""
    click.echo(json.dumps(jsonable(facts)))


def jsonable(value: object, name: str = "") -> Any:
    """``value`` as what ``json`` can write without loss; ``name`` is the field that holds it.

    A field has one type whatever its size: integers of ``CHAIN_INTEGERS`` are always text, all
    others are numbers. Raises ``TypeError`` for a binary float and for anything that has no
    obvious meaning: an answer is never approximated by accident.
    """
    if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return jsonable(value.value, name)
    if isinstance(value, int):
        as_text = name in CHAIN_INTEGERS or abs(value) > LARGEST_SAFE_INTEGER
        return str(value) if as_text else value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): jsonable(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, name) for item in value]
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {each: jsonable(getattr(value, each), each) for each in names}
    raise TypeError(f"{type(value).__name__} has no exact JSON form")


def tell_read(understood: str) -> None:
    """On stderr, what was made of candle files; nothing where prices come from elsewhere."""
    if understood:
        click.echo(f"read {understood}", err=True)


def console() -> Console:
    """Where people read: colours on a terminal, plain text elsewhere.

    A pipe or a file has no width: lines are as long as what they say, and nothing is padded.
    ``COLUMNS`` gives it one, as it gives a terminal another one.
    """
    from dexmm.terminal.table_fitting import NumbersWhole

    if sys.stdout.isatty():
        return NumbersWhole(file=sys.stdout, highlight=False)
    given = os.environ.get("COLUMNS", "")
    width = None if given.isdecimal() and int(given) > 0 else UNBOUNDED
    return NumbersWhole(
        file=cast("IO[str]", _Unpadded()), highlight=False, width=width, soft_wrap=width is not None
    )


class _Unpadded:
    """Standard output without the spaces that end a table's lines. A write holds whole lines."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        lines = text.split("\n")
        return sys.stdout.write("\n".join([*(line.rstrip(" ") for line in lines[:-1]), lines[-1]]))

    def flush(self) -> None:
        sys.stdout.flush()

    def isatty(self) -> bool:
        return False


def conclude(exit_code: int, tell: Callable[[], None]) -> NoReturn:
    """Tell what was done, and end with ``exit_code`` whatever becomes of the telling.

    For what must not be repeated because its last words failed: the work is done by now.
    """
    try:
        tell()
    except Exception as error:  # noqa: BLE001 - a mistake in the words is no failure of the work
        what = f"{type(error).__name__}: {error}"
        log.error("done, with exit code %d, but it could not be told: %s", exit_code, what)
    finish(exit_code)


def finish(exit_code: int) -> NoReturn:
    """End the command with an exit code that is not an error: the answer is already printed."""
    raise click.exceptions.Exit(exit_code)
