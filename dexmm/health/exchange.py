"""Whether the exchange side can work: keys, permissions, symbols, fees, clocks, volume.

Everything here reads; nothing is ordered. What ccxt cannot ask of an exchange is said, not guessed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dexmm.cex.balances import read_balances
from dexmm.cex.capabilities import Capabilities
from dexmm.cex.ccxt_session import Lane
from dexmm.cex.errors.classify import CallFailed
from dexmm.cex.exchange import Connection, connect_exchange
from dexmm.cex.instruments import Markets
from dexmm.cex.parsing import maybe, plain, record
from dexmm.cex.permissions import read_permissions
from dexmm.config.schema import Config, Exchange
from dexmm.decimal_context import YEAR
from dexmm.errors import DexmmError
from dexmm.health.check import Check, fail, failed_by, ok, skip, warn
from dexmm.health.order_sizes import check_sizes
from dexmm.health.perpetual import perpetual
from dexmm.model.venue import Instrument
from dexmm.strategy.trading.quote_profitability import ADVICE, in_words, quote_worth

Known = dict[str, tuple[Instrument, Decimal | None]]  # by symbol, with its price

THIN = 100  # slices of a hedge that a day's volume should have at least


def exchange(config: Config) -> Iterator[Check]:
    """Nothing at all without an ``[exchange]`` section."""
    settings = config.exchange
    if settings is None:
        return
    try:
        connection = connect_exchange(settings, proxy=config.network.proxy_url)
        yield from _abilities(connection, quotes=config.quotes.enabled)
        if connection.missing(quotes=config.quotes.enabled):
            return
        yield _clock(connection, settings)
        if settings.api_key is None:
            yield from _without_key(connection, config, settings)
            return
        yield _account(connection)
        yield _permissions(connection.private)
        yield from _symbols(connection, config, settings)
    except DexmmError as error:
        yield failed_by("exchange", error)
        yield skip("exchange market", "account, symbols and sizes: it must answer first")


def _without_key(connection: Connection, config: Config, settings: Exchange) -> Iterator[Check]:
    """What everybody may ask: whether the symbols are there, and what is traded of them."""
    yield warn(
        "exchange key",
        "none is configured: symbols can be looked at, nothing can be ordered",
        "set DEXMM_EXCHANGE__API_KEY and DEXMM_EXCHANGE__SECRET in .env",
    )
    needs = "what it holds, its own fees, its modes and leverage, and what the key may do"
    yield skip("exchange account", f"{needs} need the key")
    yield from _symbols(connection, config, settings)


def _abilities(connection: Connection, *, quotes: bool) -> Iterator[Check]:
    if missing := connection.missing(quotes=quotes):
        yield fail("exchange", "; ".join(missing), "use another exchange in [exchange] id")
    elif connection.can.dead_mans_switch:
        yield ok("exchange", f"{connection.id}, with a dead-man's switch")
    else:
        yield ok(
            "exchange",
            f"{connection.id}; it has no dead-man's switch, so orders that rest outlive a crash "
            "until the next start",
        )
    yield from _orders("exchange orders", connection.can)
    if connection.perpetual_can is not None:
        yield from _orders("perpetual orders", connection.perpetual_can)


def _orders(name: str, can: Capabilities) -> Iterator[Check]:
    """What dry orders showed; nothing where they showed that it cannot be used."""
    if can.unfit:
        return
    how = [
        f"our id as {can.client_id}, {can.form.value}",
        "found by it" if can.find_by_name else "found among the account's orders",
        "cancelled by it" if can.cancel_by_name else "cancelled by the exchange's own id",
        "post-only" if can.post_only else "no post-only",
        f"prices count {can.precision.value}",
    ]
    yield ok(name, ", ".join(how))


def _clock(connection: Connection, settings: Exchange) -> Check:
    try:
        skew = connection.private.synchronise()
    except CallFailed as failed:
        raise failed.as_error("read the exchange's clock") from None
    limit = settings.max_clock_skew_ms
    if abs(skew) > limit:
        return warn(
            "exchange clock",
            f"this machine is {skew} ms ahead of the exchange; {limit} ms are allowed",
            "let NTP set the machine's clock",
        )
    return ok("exchange clock", f"{skew} ms ahead of the exchange's")


def _account(connection: Connection) -> Check:
    held = read_balances(connection.private)
    shown = ", ".join(f"{plain(b.total)} {b.coin}" for b in held) or "nothing"
    return ok("exchange account", f"the key works; it holds {shown}")


def _permissions(lane: Lane) -> Check:
    name = "exchange key"
    may = read_permissions(lane)
    if may is None:
        return warn(
            name,
            "the exchange cannot be asked what the key may do",
            "make sure on its web page that the key may trade and may NOT withdraw",
        )
    if may.withdraw:
        return warn(
            name,
            "THE KEY MAY WITHDRAW: whoever gets hold of it can take everything",
            "make a key without the right to withdraw; dexmm never needs it",
        )
    if not may.trade:
        return fail(name, "the key may not trade", "allow it spot trading on the exchange's page")
    if not may.bound_to_addresses:
        return warn(
            name, "the key works from everywhere", "restrict it to this machine's IP address"
        )
    return ok(name, "may trade, may not withdraw, and works from listed addresses only")


def _symbols(connection: Connection, config: Config, settings: Exchange) -> Iterator[Check]:
    known: Known = {}
    spot = Markets(connection.private, (), _now)
    yield from _symbol(connection.private, spot, settings.symbol, config, known)
    for leg in settings.triangle:
        yield from _symbol(connection.private, spot, leg, config, known)
    if connection.perpetual is not None and settings.perpetual_symbol is not None:
        swap = Markets(connection.perpetual, (), _now)
        yield from _symbol(connection.perpetual, swap, settings.perpetual_symbol, config, known)
        if settings.perpetual_symbol in known and settings.api_key is not None:
            private, lane = connection.private, connection.perpetual
            yield from perpetual(private, lane, swap, settings.perpetual_symbol, config)
    yield from check_sizes(config, known)


def _symbol(
    lane: Lane, markets: Markets, symbol: str, config: Config, known: Known
) -> Iterator[Check]:
    """``known`` is given the instrument and its price, for what is checked over all of them."""
    try:
        instrument = markets.instrument(symbol)
    except DexmmError as error:
        yield failed_by(symbol, error)
        return
    if not instrument.tradable:
        yield fail(symbol, "is suspended", "wait, or choose another symbol", exit_code=5)
    else:
        yield ok(symbol, _terms(instrument))
    ticker = record(lane.read(f"read the ticker of {symbol}", "fetch_ticker", symbol), "ticker")
    known[symbol] = instrument, _price(ticker)
    price = known[symbol][1]
    if config.quotes.enabled and price is not None and symbol == _spot_symbol(config):
        yield _quotes(instrument, price, config)
    if config.exchange is not None and symbol not in config.exchange.triangle:
        yield _volume(ticker, instrument, config.hedge.max_order_base)


def _spot_symbol(config: Config) -> str:
    return config.exchange.symbol if config.exchange is not None else ""


def _quotes(instrument: Instrument, price: Decimal, config: Config) -> Check:
    """Whether a round of quotes can bring more than it pays, at the account's own fees."""
    sigma = (config.strategy.sigma_annual**2 / YEAR).sqrt()
    worth = quote_worth(instrument.maker_fee, price, sigma, config.quotes)
    line = in_words(worth, instrument.base, instrument.quote)
    if not worth.loses:
        return ok("quotes", line)
    if config.quotes.accept_loss:
        return warn("quotes", f"lose with every round, as quotes.accept_loss allows: {line}")
    return fail("quotes", f"lose with every round: {line}", ADVICE)


def _price(ticker: Mapping[str, Any]) -> Decimal | None:
    """The last trade's, else the best bid; None where nobody has traded or quotes."""
    return next((p for key in ("last", "bid") if (p := maybe(ticker.get(key), key))), None)


def _terms(instrument: Instrument) -> str:
    return (
        f"price step {plain(instrument.price_step)}, amount step {plain(instrument.amount_step)}, "
        f"at least {plain(instrument.amount_min)} {instrument.base} and "
        f"{plain(instrument.cost_min)} {instrument.quote}, fees {_bp(instrument.maker_fee)} bp "
        f"maker and {_bp(instrument.taker_fee)} bp taker"
    )


def _bp(fee: Decimal) -> str:
    return plain(fee * 10_000)


def _volume(ticker: Mapping[str, Any], instrument: Instrument, slice_base: Decimal) -> Check:
    name = f"{instrument.symbol} volume"
    volume = maybe(ticker.get("baseVolume"), "volume")
    if volume is None:
        return warn(name, "the exchange does not tell it")
    told = f"{plain(volume)} {instrument.base} in 24 hours"
    if volume < THIN * slice_base:
        return warn(
            name,
            f"{told}: thin for slices of {plain(slice_base)}",
            "lower hedge.max_order_base",
        )
    return ok(name, told)


def _now() -> int:
    return int(time.time())
