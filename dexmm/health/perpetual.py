"""Whether the perpetual's account is as hedging needs it: permission, modes, leverage.

Everything here reads. What an exchange cannot be asked is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dexmm.cex.balances import counted_once, read_perpetual
from dexmm.cex.ccxt_session import Lane
from dexmm.cex.instruments import Markets
from dexmm.cex.order_books import read_book
from dexmm.cex.parsing import listed, maybe, plain, record
from dexmm.cex.permissions import read_permissions
from dexmm.config.schema import Config
from dexmm.errors import DexmmError
from dexmm.health.check import Check, fail, failed_by, ok, warn
from dexmm.units import price_text


def perpetual(
    private: Lane, lane: Lane, markets: Markets, symbol: str, config: Config
) -> Iterator[Check]:
    """The rows of one perpetual; ``private`` is the lane that the key is asked about, and that has
    read the spot balances before.
    """
    asked: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("account", lambda: _account(private, lane, markets, symbol)),
        ("key", lambda: _permission(private, f"{symbol} key")),
        ("position mode", lambda: _position_mode(lane, symbol)),
        ("margin mode", lambda: _margin_mode(lane, symbol)),
        ("leverage", lambda: _leverage(lane, symbol, config)),
    )
    for name, check in asked:
        try:
            yield check()
        except DexmmError as error:
            yield failed_by(f"{symbol} {name}", error)


def _account(private: Lane, lane: Lane, markets: Markets, symbol: str) -> Check:
    """Read as every turn reads it."""
    instrument, size = markets.instrument(symbol), markets.contract_size(symbol)
    book = read_book(lane, symbol, lane.server_ms())
    read = read_perpetual(lane, instrument, size, book, shared=False)
    position = counted_once(private, lane, read)
    money = (
        "the spot account is its margin"
        if position.shared
        else f"{plain(position.margin)} {instrument.quote} of margin"
    )
    side = "short" if position.base < 0 else "long"
    held = f"a {side} of {plain(abs(position.base))}" if position.base else "no position"
    return ok(f"{symbol} account", f"{money}, {held}, mark {price_text(position.mark_price)}")


def _permission(private: Lane, name: str) -> Check:
    may = read_permissions(private)
    if may is None or may.futures is None:
        return warn(
            name,
            "the exchange cannot be asked whether the key may trade futures",
            "make sure on its web page that it may",
        )
    if not may.futures:
        return fail(name, "the key may not trade futures", "allow it on the exchange's page")
    return ok(name, "may trade futures")


def _position_mode(lane: Lane, symbol: str) -> Check:
    name = f"{symbol} position mode"
    if lane.exchange.has.get("fetchPositionMode") is not True:
        return warn(name, "cannot be asked", "make sure that it is one-way, not hedge mode")
    answer = lane.read("read the position mode", "fetch_position_mode", symbol)
    if record(answer, "position mode").get("hedged") is True:
        return fail(
            name,
            "the account is in hedge mode, in which every order of ours is refused",
            "set it to one-way position mode on the exchange",
        )
    return ok(name, "one-way")


def _margin_mode(lane: Lane, symbol: str) -> Check:
    name = f"{symbol} margin mode"
    if lane.exchange.has.get("fetchMarginMode") is not True:
        return warn(name, "cannot be asked", "cross margin is what hedging counts with")
    answer = lane.read("read the margin mode", "fetch_margin_mode", symbol)
    mode = record(answer, "margin mode").get("marginMode")
    if mode == "isolated":
        return warn(
            name,
            "isolated: a short answers with its own margin only and is liquidated earlier",
            "set it to cross margin on the exchange",
        )
    return ok(name, str(mode or "not told"))


def _leverage(lane: Lane, symbol: str, config: Config) -> Check:
    name, wanted = f"{symbol} leverage", config.hedge.whole_leverage
    said = f"shorts at leverage {plain(wanted)}"
    tiers = _tiers(lane, symbol)
    if tiers:
        first = record(tiers[0], "leverage bracket")
        most = maybe(first.get("maxLeverage"), "leverage")
        rate = maybe(first.get("maintenanceMarginRate"), "maintenance rate")
        cap = maybe(first.get("maxNotional"), "bracket")
        if most is not None and most < wanted:
            return fail(name, f"at most {plain(most)} is allowed", "lower hedge.leverage")
        if rate is not None and cap is not None:
            said += f"; maintenance margin {plain(rate * 100)} % up to {plain(cap)} of value"
    if wanted != config.hedge.leverage:
        return warn(
            name,
            f"{said}: exchanges take whole numbers, and {plain(config.hedge.leverage)} counts as "
            f"{plain(wanted)}",
            "set hedge.leverage to 1 or 2",
        )
    return ok(name, said)


def _tiers(lane: Lane, symbol: str) -> list[Mapping[str, Any]]:
    if lane.exchange.has.get("fetchLeverageTiers") is not True:
        return []
    answer = lane.read("read the leverage brackets", "fetch_leverage_tiers", [symbol])
    return listed(record(answer, "leverage brackets").get(symbol) or [], "leverage brackets")
