"""Whether every configured size is an order that the exchange takes: minimums, steps, maximums.

A size is held against each symbol that it would be ordered in, at the price there now, and the
smallest that it can become (a calendar that shrinks quotes, the low end of the price corridor).
All our orders are limit orders, so a filter for market orders alone does not concern them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.cex.parsing import plain
from dexmm.config.schema import Config
from dexmm.health.check import Check, fail, ok, warn
from dexmm.model.venue import Instrument
from dexmm.strategy.trading.lot_rules import floor_to, least_amount, minimums, most_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A setting, and what it orders in one symbol."""

    setting: str
    base: Decimal
    low: Decimal | None = None  # the lowest price that it must be enough at, where one is known
    whole: bool = False  # ordered as it is or not at all; otherwise sliced


def check_sizes(
    config: Config, instruments: dict[str, tuple[Instrument, Decimal | None]]
) -> Iterator[Check]:
    """One line for each symbol that something is configured to be ordered in.

    ``instruments`` are those that could be read, with their prices (quote per base).
    """
    for symbol, (instrument, price) in instruments.items():
        sizes = tuple(sizes_in(config, symbol, instruments))
        if sizes:
            yield _check(instrument, price, sizes)


def sizes_in(
    config: Config, symbol: str, instruments: dict[str, tuple[Instrument, Decimal | None]]
) -> Iterator[Size]:
    """The settings that order in a symbol, in its base."""
    exchange = config.exchange
    if exchange is None:
        return
    spot = symbol == exchange.symbol
    low = config.market.price_low
    if spot and config.quotes.enabled:
        quotes = config.quotes
        yield Size(setting="quotes.size_base", base=quotes.size_base, low=low, whole=True)
        if "shrink" in (quotes.closed, quotes.event):
            yield Size(
                setting="quotes.size_base x quotes.shrink_factor",
                base=quotes.size_base * quotes.shrink_factor,
                low=low,
                whole=True,
            )
    if config.hedge.enabled and (spot or symbol == exchange.perpetual_symbol):
        yield Size(setting="hedge.max_order_base", base=config.hedge.max_order_base, low=low)
    if config.triangle.enabled and exchange.triangle:
        cross, coin = exchange.triangle
        setting, most = "triangle.max_base", config.triangle.max_base
        if spot or symbol == cross:
            yield Size(setting=setting, base=most, whole=True)
        elif symbol == coin and cross in instruments:
            price = instruments[cross][1]
            if price is not None:  # of the base in the coin between
                yield Size(setting=setting, base=most * price, whole=True)


def _check(instrument: Instrument, price: Decimal | None, sizes: tuple[Size, ...]) -> Check:
    name = f"{instrument.symbol} sizes"
    problems: list[str] = []
    raised: set[str] = set()
    notes: list[str] = []
    for size in sizes:
        least, most = _bounds(instrument, price)
        here = f"{size.setting} ({_short(size.base)} {instrument.base})"
        if size.base < least:
            nothing = size.base < instrument.amount_step
            below = f"is below the minimum, {_short(least)} at this price"
            problems.append(f"{here} {'rounds to nothing' if nothing else below}")
            raised.add(size.setting.partition(" ")[0])
        elif most is not None and size.base > most:
            part = "orders are cut to that" if not size.whole else "no order of it is taken"
            notes.append(f"{here} is above the maximum of {_short(most)}: {part}")
        elif size.low and size.base < (later := _bounds(instrument, size.low)[0]):
            notes.append(
                f"{here} is below the minimum, {_short(later)}, at market.price_low "
                f"({_short(size.low)})"
            )
        elif rounded := _rounded(instrument, size):
            notes.append(f"{here} is ordered as {rounded}")
    rules = minimums(instrument)
    if problems:
        return fail(
            name, f"{'; '.join(problems)} ({rules})", f"raise {' and '.join(sorted(raised))}"
        )
    if notes:
        return warn(name, f"{'; '.join(notes)} ({rules})", "set sizes inside these bounds")
    shown = ", ".join(f"{size.setting} {_short(size.base)}" for size in sizes)
    unknown = "" if price is not None else ", as far as they can be judged without a price"
    return ok(name, f"{shown}: all can be ordered{unknown}")


def _bounds(instrument: Instrument, price: Decimal | None) -> tuple[Decimal, Decimal | None]:
    """Without a price only amounts bound an order, not what it costs."""
    if price is None:
        return max(instrument.amount_min, instrument.amount_step), instrument.amount_max
    return least_amount(instrument, price), most_amount(instrument, price)


def _rounded(instrument: Instrument, size: Size) -> str:
    """What a size becomes on the amount step; empty where it stays, or where it is sliced."""
    on_step = floor_to(size.base, instrument.amount_step)
    return "" if not size.whole or on_step == size.base else _short(on_step)


def _short(value: Decimal) -> str:
    return plain(round(value, 8))
