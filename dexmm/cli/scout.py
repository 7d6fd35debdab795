"""``dexmm scout``: which pool of a token pays, and what one's own capital would earn there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, console, json_option
from dexmm.cli.fetch import Address, Url, configurations, node_of, progress, resumable
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from dexmm.config.schema import Config
    from dexmm.scout.scout import Scout

MOST_DAYS = 365
LOGS = Path(".dexmm-scout")


class TokenName(click.ParamType[str]):
    """PAXG, XAUT, USDT, USDC, WETH or WBTC, or an address."""

    name = "token"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from dexmm.scout.find_pools import NAMED

        text = str(value)
        if known := NAMED.get(text.upper()):
            return known
        if not text.startswith("0x"):
            self.fail(f"{text} is none of {', '.join(NAMED)}: give its address", param, ctx)
        return Address().convert(text, param, ctx)


class Amount(click.ParamType[Decimal]):
    """A decimal above 0."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            found = Decimal(str(value))
        except ArithmeticError:
            self.fail(f"{value} is not a number", param, ctx)
        if not found.is_finite() or found <= 0:
            self.fail(f"{value} must be above 0", param, ctx)
        return found


@click.command()
@common_options
@json_option
@click.option(
    "--base",
    type=TokenName(),
    default="PAXG",
    show_default=True,
    help="PAXG, XAUT, or a token's address.",
)
@click.option(
    "--quote",
    "quotes",
    type=TokenName(),
    multiple=True,
    help="What it is paired with; may be given several times. The first that has a pool is what "
    "amounts are counted in.  [default: USDT, USDC, WETH, WBTC]",
)
@click.option("--days", type=Amount(), default="7", show_default=True, help="How far back.")
@click.option(
    "--capital",
    type=Amount(),
    default="50000",
    show_default=True,
    help="What would be put to work, in the first quote.",
)
@click.option("--rpc", type=Url(), help="A node.  [default: the configuration's]")
@click.option("--eth-price", type=Amount(), help="Of ether, in the first quote.  [default: feed]")
@click.option(
    "--confirmations",
    type=click.IntRange(0),
    default=64,
    show_default=True,
    help="Blocks on top of one that is final.",
)
@click.option(
    "--logs",
    "folder",
    type=click.Path(path_type=Path),
    default=LOGS,
    show_default=True,
    metavar="FOLDER",
    help="Where logs lie until the scout is done; removed then.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write one self-contained HTML page.",
)
def scout(
    config_path: Path,
    as_json: bool,
    base: str,
    quotes: tuple[str, ...],
    days: Decimal,
    capital: Decimal,
    rpc: str | None,
    eth_price: Decimal | None,
    confirmations: int,
    folder: Path,
    page: Path | None,
) -> None:
    """Compare all Uniswap v3 pools of a token: who pays its liquidity, and how much.

    Needs a node and nothing else: neither a wallet nor a configuration. Trade is measured from the
    pools' own logs; an interrupted scout goes on where it ended when it is given again.
    """
    from dexmm.optional_packages import need

    for module in ("numpy", "pyarrow", "msgspec"):
        need(module, "backtest")
    from dexmm.scout.columns import conclusion, facts, lines, title
    from dexmm.scout.find_pools import NAMED, find_pools
    from dexmm.scout.range_logs import fetch_all, finished, open_folder
    from dexmm.scout.scout import assess, measure_depths

    if days > MOST_DAYS:
        raise BadInput(f"--days {days}: at most {MOST_DAYS}")
    _demand_page(page)
    config = next(iter(configurations(config_path)), None)
    node = node_of(rpc, config)
    wanted = quotes or tuple(NAMED[name] for name in ("USDT", "USDC", "WETH", "WBTC"))
    with resumable():
        found = find_pools(node.rpc, base, wanted)
        traded = [pool.market for pool in found.pools if pool.traded]
        span = open_folder(folder, node, base, str(days), confirmations)
        with progress("blocks", as_json) as watch:
            swaps = fetch_all(node, folder, span, traded, watch, confirmations)
        depths = measure_depths(node.rpc, found.pools)
    scouted = assess(found, swaps, span, _settings(config), capital, depths, eth_price=eth_price)
    size = _write(page, scouted) if page is not None else 0
    finished(folder, span, traded)
    if as_json:
        answer(facts(scouted) | {"page": page, "page_bytes": size})
        return
    from dexmm.scout.table import table

    out = console()
    out.print(title(scouted), markup=False)
    out.print()
    if scouted.pools:
        out.print(table(scouted, out))
    for line in lines(scouted):
        out.print(line, markup=False)
    out.print()
    out.print(conclusion(scouted), markup=False)
    if page is not None:
        out.print(f"wrote {page}, {size / 1_000_000:.2f} MB, nothing to load", markup=False)


def _settings(config: Config | None) -> Config:
    """The configuration's strategy; the defaults where there is none."""
    from dexmm.config.schema import parse_config

    if config is not None:
        return config
    everywhere = {
        "network": {"name": "mainnet", "rpc_urls": ["http://127.0.0.1"]},
        "market": {
            "pool": "0x" + "0" * 39 + "1",
            "base": "0x" + "0" * 39 + "2",
            "price_low": Decimal("1e-18"),
            "price_high": Decimal("1e18"),
        },
    }
    return parse_config(everywhere, Path(), "the defaults")


def _demand_page(page: Path | None) -> None:
    if page is not None:
        from dexmm.fetch.atomic_output import demand_writable

        demand_writable(page)


def _write(page: Path, scouted: Scout) -> int:
    from dexmm.scout.page import scout_page

    return scout_page(scouted).write(page)
