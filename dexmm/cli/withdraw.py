"""``dexmm withdraw``: the emergency exit."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, conclude, console, json_option, load_all
from dexmm.errors import BadInput, DexmmError

if TYPE_CHECKING:
    from dexmm.config.schema import Config
    from dexmm.model.market import Market
    from dexmm.withdraw.report import Leg, Report
    from dexmm.withdraw.withdraw import Request

SAFE = "safe"
# Of several markets: what another try may finish, then what a person must mend or look at.
WORST_FIRST = (5, 1, 4, 2, 3, 0)
CUT_SHORT = (
    "dexmm: not finished: what was sent may still be mined, and HALT is not lifted; run "
    "`dexmm withdraw` again, it goes on where the chain is"
)
NOTHING_DONE = "NOT TAKEN OUT, nothing is known of what is in this pool"


class Gwei(click.ParamType[Decimal]):
    name = "gwei"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            gwei = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number of gwei", param, ctx)
        if not (gwei.is_finite() and 0 < gwei <= 10**6):
            self.fail("must be above 0 and at most 1000000 gwei", param, ctx)
        return gwei


@click.command()
@common_options
@json_option
@click.option("--dry-run", is_flag=True, help="Simulate everything, send nothing, set no HALT.")
@click.option("--convert", is_flag=True, help="Then sell the base for quote, never far below fair.")
@click.option(
    "--to",
    metavar="ADDRESS|safe",
    help="Then send both tokens there; `safe` is wallet.safe_address.",
)
@click.option(
    "--confirm-to",
    metavar="ADDRESS",
    help="The address once more, where --to is not wallet.safe_address and nobody can be asked.",
)
@click.option("--all", "everything", is_flag=True, help="Also positions not worth their gas.")
@click.option("--max-gwei", type=Gwei(), help="Pay up to this for gas, above gas.max_exit_gwei.")
@click.option("--yes", is_flag=True, help="Do not ask on mainnet.")
def withdraw(
    config_path: Path,
    as_json: bool,
    dry_run: bool,
    convert: bool,
    to: str | None,
    confirm_to: str | None,
    everything: bool,
    max_gwei: Decimal | None,
    yes: bool,
) -> None:
    """Get everything out of the pool, now, whatever else is broken.

    Sets HALT first, so that a running loop yields; finds the positions on chain; ends with a
    table of what is where. Killed or failed half-way, run it again; a terminal that is closed does
    not end it. Exit codes: 0 all out, 2 bad usage or configuration, 3 something is trapped or was
    not sold, 5 try again.
    """
    configs = load_all(config_path)
    config = configs[0]
    request = replace(_request(config, dry_run, convert, to, confirm_to), everything=everything)
    if config.network.name == "mainnet" and not dry_run:
        _confirm_mainnet(yes)
    with nullcontext() if dry_run else _uncut():
        ends = [_end(_capped(each, max_gwei), request) for each in configs]
        failed = [end for end in ends if isinstance(end, Exception)]
        if len(failed) == len(ends):
            raise failed[0]
        code = next(code for code in WORST_FIRST if code in {_code(end) for end in ends})
        conclude(code, lambda: _tell(configs, ends, code, as_json, config_path))


@contextmanager
def _uncut() -> Iterator[None]:
    """A terminal that is lost does not end it; a person who does is told what remains."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\n{CUT_SHORT}", err=True)
        raise
    finally:
        signal.signal(signal.SIGHUP, before)


def _end(config: Config, request: Request) -> Report | Exception:
    """One market's exit, or why there was none: nothing of it may keep another market in."""
    try:
        return _run(config, request)
    except Exception as error:  # noqa: BLE001 - a defect, too, is told when all are done
        return error


def _code(end: Report | Exception) -> int:
    if isinstance(end, Exception):
        return end.exit_code if isinstance(end, DexmmError) else DexmmError.exit_code
    return end.exit_code


def _why(error: Exception) -> str:
    if isinstance(error, DexmmError):
        return error.message
    return f"unexpected {type(error).__name__}: {error}"


def _tell(
    configs: Sequence[Config],
    ends: Sequence[Report | Exception],
    code: int,
    as_json: bool,
    config_path: Path,
) -> None:
    from dexmm.withdraw.report import Report

    ended = list(zip((config.market.name for config in configs), ends, strict=True))
    if as_json:
        told = [{"market": name, **_market_facts(end)} for name, end in ended]
        # Nobody may add up the wallets: every market shows the whole of the one that they share.
        several = {"markets": told, "exit_code": code, "shared_wallet": True}
        answer(told[0] if len(told) == 1 else several)
        return
    if len(configs) > 1:  # before the tables: the last words are of the halt
        console().print(
            "The wallet and the exchange account are one for all markets: each table shows the "
            "whole of them as it was when that market was done. Do not add them up."
        )
    for name, end in sorted(ended, key=lambda pair: isinstance(pair[1], Report)):
        if len(configs) > 1:
            console().print(name, style="bold", markup=False)
        if isinstance(end, Report):
            _show(end, config_path)
        else:
            console().print(f"{NOTHING_DONE}: {_why(end)}", markup=False)


def _market_facts(end: Report | Exception) -> dict[str, object]:
    if isinstance(end, Exception):
        return {"error": _why(end), "exit_code": _code(end), "proved": False}
    return _facts(end)


def _capped(config: Config, max_gwei: Decimal | None) -> Config:
    if max_gwei is None:
        return config
    gas = config.gas.model_copy(update={"max_exit_gwei": max_gwei})
    return config.model_copy(update={"gas": gas})


def _run(config: Config, request: Request) -> Report:
    from dexmm.wiring.exit import ExitWorld
    from dexmm.withdraw.withdraw import withdraw as get_out

    return get_out(ExitWorld(config, dry_run=request.dry_run), request, config)


def _request(
    config: Config, dry_run: bool, convert: bool, to: str | None, confirm_to: str | None
) -> Request:
    from dexmm.withdraw.withdraw import Request

    if confirm_to is not None and to is None:
        raise BadInput("--confirm-to repeats the address of --to; say --to ADDRESS as well")
    address = None if to is None else _destination(config, to, confirm_to, dry_run)
    return Request(dry_run=dry_run, convert=convert, to=address)


def _destination(config: Config, to: str, confirm_to: str | None, dry_run: bool) -> str:
    """The address to send to, checked and meant."""
    safe = config.wallet.safe_address
    if to == SAFE:
        if safe is None:
            raise BadInput("wallet.safe_address is not configured: set it, or say --to ADDRESS")
        return safe
    address = _address(to, "--to")
    market = config.market
    if address in {market.pool, market.base, market.position_manager, market.swap_router}:
        raise BadInput(f"--to {address} is a contract of the market: what is sent there is lost")
    if address == config.wallet.address:
        raise BadInput("--to is the wallet itself: everything is there already")
    if address == safe or dry_run:
        return address
    if confirm_to is not None:
        if _address(confirm_to, "--confirm-to") != address:
            raise BadInput("--confirm-to is another address than --to")
        return address
    _confirm_destination(address)
    return address


def _address(text: str, option: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from dexmm.config.field_types import Address

    try:
        checked: str = TypeAdapter(Address).validate_python(text)
    except ValidationError as error:
        what = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise BadInput(f"{option} {what}") from None
    return checked


def _confirm_destination(address: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput(
            f"{address} is not wallet.safe_address: repeat it with --confirm-to {address}"
        )
    click.echo(f"{address} is not wallet.safe_address.", err=True)
    typed = click.prompt("Type its last six characters to send everything there", err=True)
    if typed.strip().lower() != address[-6:].lower():
        raise BadInput("those are not its last six characters: nothing was sent")


def _confirm_mainnet(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("this is mainnet and nobody can be asked: repeat with --yes")
    if not click.confirm("This is mainnet. Halt, and take everything out of the pool?", err=True):
        raise BadInput("nothing was done")


def _facts(report: Report) -> dict[str, object]:
    view = report.view
    wallet = None
    if view is not None:
        base, quote = view.market.base_quote(view.wallet.amount0, view.wallet.amount1)
        wallet = {"address": view.wallet.address, "base": base, "quote": quote}
        wallet |= {"eth_wei": view.wallet.eth}
    return {
        "dry_run": report.dry_run,
        "exit_code": report.exit_code,
        "proved": report.proved,
        "block": None if view is None else view.block.number,
        "proof": report.proof,
        "wallet": wallet,
        "positions": () if view is None else view.positions,
        "in_flight": () if view is None else view.in_flight,
        "trapped": report.trapped,
        "left": report.left,
        "read_back": report.read_back,
        "withheld": report.withheld,
        "unfinished": report.unfinished,
        "warnings": report.warnings,
        "exchange": {"flat": report.flat, "places": report.elsewhere, "seen": report.seen_there},
        "legs": report.legs,
        "halted": report.halted.reason or None,
        "halt_places": report.halted.places,
    }


def _show(report: Report, config_path: Path) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    from dexmm.terminal.table_fitting import fitted

    out = console()
    market = None if report.view is None else report.view.market
    for leg in report.legs:
        out.print(_leg_line(leg, market), markup=False)
    if report.view is not None:
        out.print(f"wallet {report.view.wallet.address}, block {report.view.block.number}")
    if places := report.places():
        symbols = (market.base.symbol, market.quote.symbol) if market else ("base", "quote")
        table = Table("where", *(Column(symbol, no_wrap=True) for symbol in symbols), "")
        for place in places:
            amounts = (f"{place.base:f}", f"{place.quote:f}")
            table.add_row(Text(place.where), *amounts, Text(place.note))
        out.print(fitted(table, out))
    for line in report.summary():
        out.print(line, markup=False)
    if words := report.last_words(config_path):
        out.print(words, markup=False)


def _leg_line(leg: Leg, market: Market | None) -> str:
    outcome = leg.outcome
    rehearsed = outcome.refusal is not None and outcome.refusal.rule == "dry_run"
    words = [outcome.detail if rehearsed else outcome.status]
    if market is not None and (leg.collected_base or leg.collected_quote):
        words.append(
            f"{leg.collected_base:f} {market.base.symbol} "
            f"and {leg.collected_quote:f} {market.quote.symbol}"
        )
    if outcome.detail and not rehearsed:
        words.append(outcome.detail)
    return f"{leg.what}: {', '.join(words)} {outcome.tx_hash}".rstrip()
