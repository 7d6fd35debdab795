"""``dexmm paper``: a paper exchange that speaks Binance's protocol, on this machine alone."""

from __future__ import annotations

import signal
import threading
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, json_option, set_up_logging, tell_read
from dexmm.cli.option_types import Number
from dexmm.errors import BadInput

if TYPE_CHECKING:
    from types import FrameType

    from dexmm.paper_exchange.engine.price_feed import Feed
    from dexmm.paper_exchange.paper_exchange import PaperExchange

MOST = 10**9
PORT = 8710
STATE = Path(".dexmm") / "paper.sqlite"
A_MONTH_OF_MINUTES = 30 * 24 * 60


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    default=STATE,
    show_default=True,
    metavar="FILE",
    help="Balances, orders and trades; they are there again after a restart.",
)
@click.option("--price", type=Number(MOST, above_zero=True), help="PAXG/USDT stands at this price.")
@click.option(
    "--prices",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PAXG/USDT follows these candles, as `dexmm backtest` reads them.",
)
@click.option(
    "--balance",
    "balances",
    multiple=True,
    metavar="COIN=AMOUNT",
    help="What is free of a coin on spot at the start; as often as there are coins.",
)
@click.option("--margin", type=Number(MOST), help="USDT in the futures wallet at the start.")
@click.option(
    "--position-mode",
    type=click.Choice(["one-way", "hedge"]),
    help="Of the futures account; in hedge mode every order there is refused.",
)
@click.option(
    "--margin-mode",
    type=click.Choice(["cross", "isolated"]),
    help="Of the PAXG/USDT perpetual.",
)
@click.option(
    "--funding-rate",
    metavar="RATE",
    help="Charged every four hours, of the position's value; above zero longs pay shorts.",
)
@click.option(
    "--perpetual-price",
    type=Number(MOST, above_zero=True),
    help="The perpetual's mark price stands here, whatever spot does.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the price and the flow.")
@click.option(
    "--speed",
    type=Number(MOST, above_zero=True),
    default="1",
    show_default=True,
    help="Seconds of candles that pass in a second.",
)
@click.option(
    "--fees-in-bnb",
    is_flag=True,
    help="The account pays its spot fees in BNB, of which a new one has 10.",
)
@json_option
@click.option("-v", "--verbose", count=True, help="More on stderr; twice for libraries too.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def paper(
    port: int,
    state: Path,
    price: Decimal | None,
    prices: tuple[Path, ...],
    balances: tuple[str, ...],
    margin: Decimal | None,
    position_mode: str | None,
    margin_mode: str | None,
    funding_rate: str | None,
    perpetual_price: Decimal | None,
    seed: int,
    speed: Decimal,
    fees_in_bnb: bool,
    as_json: bool,
    verbose: int,
    debug: bool,
) -> None:
    """Run a paper exchange: Binance's spot and USD-M protocol, no real money, loopback only.

    Without --price or --prices, a generator moves PAXG/USDT as gold moves. Ctrl-C ends it.

    What is given of balances, margin and modes holds over a state file too. While it runs, the
    same is set over loopback with JSON: POST /paper/account {"spot": {"USDT": "1000"}, "margin":
    "500", "position_mode": "one-way", "margin_mode": {"PAXGUSDT": "cross"}}, POST /paper/funding
    {"symbol": "PAXGUSDT", "rate": "0.0001", "in_seconds": 5}, and POST /paper/price {"symbol":
    "PAXGUSDT", "market": "perpetual", "price": "4100"} (null: it follows spot again).
    """
    from dataclasses import replace

    from dexmm.paper_exchange.engine.settings import PaperSettings
    from dexmm.paper_exchange.paper_exchange import PaperExchange

    set_up_logging(verbose + int(debug))
    if price is not None and prices:
        raise BadInput("--price and --prices exclude each other: give one of them")
    feed = _feed(price, prices, seed, speed)
    settings = replace(PaperSettings(), seed=seed)
    spot, rate = _balances(balances), _rate(funding_rate)
    if fees_in_bnb:
        opening = settings.accounts[0]
        spot = {**opening.spot, "BNB": Decimal(10)}
        paying = replace(opening, spot=spot, pays_fees_in_bnb=True)
        settings = replace(settings, accounts=(paying,))
    ends = _ends_on_signals()
    with PaperExchange(settings, port=port, state=state) as exchange:
        started = time.monotonic_ns()
        exchange.set_fair_price("PAXGUSDT", feed(0))
        exchange.exchange.set_account(
            settings.accounts[0].name,
            spot=spot,
            margin=margin,
            hedge_mode=None if position_mode is None else position_mode == "hedge",
            isolated={} if margin_mode is None else {"PAXGUSDT": margin_mode == "isolated"},
        )
        if rate is not None:
            exchange.exchange.set_funding("PAXGUSDT", rate)
        if perpetual_price is not None:
            exchange.exchange.set_perpetual_price("PAXGUSDT", perpetual_price)
        _introduce(exchange, state, as_json)
        while not ends.wait(1):
            elapsed_ms = (time.monotonic_ns() - started) // 1_000_000
            exchange.set_fair_price("PAXGUSDT", feed(elapsed_ms))


def _balances(given: tuple[str, ...]) -> dict[str, Decimal]:
    found = {}
    for each in given:
        coin, equals, amount = each.partition("=")
        try:
            found[coin.strip().upper()] = Decimal(amount)
        except InvalidOperation:
            equals = ""
        if not equals or not coin.strip():
            raise BadInput(f"--balance {each} is no COIN=AMOUNT, such as USDT=1000")
    return found


def _rate(given: str | None) -> Decimal | None:
    try:
        return None if given is None else Decimal(given)
    except InvalidOperation:
        raise BadInput(f"--funding-rate {given} is no number, such as 0.0001") from None


def _feed(price: Decimal | None, prices: tuple[Path, ...], seed: int, speed: Decimal) -> Feed:
    from dexmm.paper_exchange.engine.price_feed import along, fixed
    from dexmm.sim.agents.price_process import generate, read_candles

    if price is not None:
        return fixed(price)
    if prices:
        path = read_candles(*prices)
        tell_read(path.understood)
        return along(path, speed)
    return along(generate(seed, A_MONTH_OF_MINUTES, interval_seconds=60), speed)


def _ends_on_signals() -> threading.Event:
    """Set by Ctrl-C, SIGTERM and a lost terminal: all end the exchange in good order."""
    from dexmm.engine.loop import stopping_signals

    ends = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ends.set()

    for number in stopping_signals():
        signal.signal(number, end)
    return ends


def _introduce(exchange: PaperExchange, state: Path, as_json: bool) -> None:
    opening = exchange.settings.accounts[0]
    if as_json:
        answer(
            {
                "url": exchange.url,
                "api_key": opening.api_key,
                "secret": opening.secret,
                "state": state,
                "urls": exchange.ccxt_config()["urls"],
            }
        )
        return
    click.echo(f"paper exchange on {exchange.url}, state in {state}; Ctrl-C ends it")
    click.echo(f"  key    {opening.api_key}  (public: it opens nothing)")
    click.echo(f"  secret {opening.secret}")
    click.echo(f"  account, margin and modes POST {exchange.url}/paper/account")
    click.echo(f"  funding POST {exchange.url}/paper/funding")
    click.echo(f"  faults POST {exchange.url}/paper/faults, prices POST {exchange.url}/paper/price")
