"""What can be said without a node: the plan for an inventory, what gas costs, and the ether for it.

The plan is what the strategy itself would place with the inventory idle in the wallet, at the
volatility of the settings. Gas is told at three prices, a quiet one, a busy one and one of a bad
day, each with the ether that a wallet needs: the reserve that an exit is paid from stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dexmm.config.schema import Config
from dexmm.decimal_context import BP, PIPS, YEAR, precise
from dexmm.errors import DexmmError
from dexmm.health.check import Check, ok, skip, warn
from dexmm.health.known_markets import known_market
from dexmm.model.gas import LIMIT_PERCENT, limit
from dexmm.model.market import Market
from dexmm.model.snapshot import ChainView
from dexmm.model.starting_inventory import Start
from dexmm.performance.entry_text import digits, price_digits, sum_digits
from dexmm.strategy.ranges.range_input import Range, Situation
from dexmm.strategy.ranges.strategies import STRATEGIES
from dexmm.strategy.rebalance.feasibility import distances, hits_per_day, placed, situation_of
from dexmm.strategy.rebalance.gas_economics import (
    GAS_APPROVAL,
    GAS_BASE,
    GAS_BURN,
    GAS_MINT,
    TYPICAL_GAS,
)
from dexmm.units import ETHER_DECIMALS, to_decimal
from dexmm.wiring.journal_access import open_journal

GWEI = 10**9
GAS_PRICES = (Decimal("0.2"), Decimal(1), Decimal(30))  # gwei, tip included
EXAMPLE = Decimal(50_000)  # quote, where no inventory is told
GAS_EXIT = 300_000  # of a position, needed; 240,000 of it is used, the rest comes back
EXIT_USED = Decimal("0.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a plan is made with, and where that comes from in words."""

    market: Market | None
    price: Decimal  # quote per base
    price_from: str
    eth_price: Decimal
    start: Start | None


def without_a_node(config: Config, start: Start | None, price: Decimal | None) -> Known:
    """The price asked for, else as the last turn saw it, else the middle of the corridor."""
    found, source = price, "as you say"
    if found is None:
        found, source = _recorded(config), "as the last turn on record saw it"
    if found is None:
        section = config.market
        found = (section.price_low * section.price_high).sqrt()
        source = "the middle of the corridor; --price says another"
    return Known(
        market=known_market(config),
        price=found,
        price_from=source,
        eth_price=config.market.eth_price,
        start=start,
    )


def with_a_node(
    view: ChainView,
    fair_price: Decimal,
    start: Start | None,
    price: Decimal | None,
) -> Known:
    """What the node knows of the market, at its fair price or the one asked for."""
    return Known(
        market=view.market,
        price=fair_price if price is None else price,
        price_from="the fair price now" if price is None else "as you say",
        eth_price=view.eth_price,
        start=start,
    )


def plan(config: Config, known: Known, *, held: bool = False) -> Iterator[Check]:
    """What the strategy would place of the inventory, and what gas and ether that takes.

    ``held``: the wallet has an inventory, whose plan is what a turn decides; only gas is told.
    """
    worth = None
    if known.market is None:
        yield skip("plan", "only a node can tell what this pool trades")
    elif not held:
        base, quote = _amounts(config, known)
        worth = Start(base=base, quote=quote).worth(known.price)
        yield _inventory(config, known, known.market, Start(base=base, quote=quote))
        yield from _ranges(config, known, known.market, base, quote)
    yield from _gas(config, known, worth)


def _recorded(config: Config) -> Decimal | None:
    try:
        journal = open_journal(config)
        last = journal.last() if journal is not None else None
    except DexmmError:
        return None
    return last.decision.fair_price if last is not None and last.decision.fair_price else None


@precise
def _amounts(config: Config, known: Known) -> tuple[Decimal, Decimal]:
    if known.start is not None:
        return known.start.base, known.start.quote
    worth, target = _example(config), config.strategy.target
    return worth * target / known.price, worth * (1 - target)


def _example(config: Config) -> Decimal:
    return config.market.budget or config.wallet.capital_limit or EXAMPLE


def _inventory(config: Config, known: Known, market: Market, held: Start) -> Check:
    settings, symbols = config.strategy, (market.base.symbol, market.quote.symbol)
    worth = held.worth(known.price)
    share = _share(held.base, known.price, worth)
    line = (
        f"{_amount(held.base)} {symbols[0]} and {sum_digits(held.quote)} {symbols[1]} are "
        f"{sum_digits(worth)} {symbols[1]} at {price_digits(known.price)} ({known.price_from}), "
        f"{share * 100:.1f} % of it {symbols[0]}"
    )
    if known.start is None:
        what = "an example" if _example(config) == EXAMPLE else "the budget at the target share"
        line = f'{what} (--start "5 {symbols[0]} + 20000 {symbols[1]}" says your own): {line}'
    band = f"{settings.band_low * 100:.0f} to {settings.band_high * 100:.0f} %"
    if share > settings.band_high:
        advice = f"ranges will only sell {symbols[0]} until it is inside; sell some to begin there"
        return warn("plan", f"{line}, above its band of {band}", advice)
    if share < settings.band_low:
        advice = f"ranges will only buy {symbols[0]} until it is inside; buy some to begin there"
        return warn("plan", f"{line}, below its band of {band}", advice)
    return ok("plan", f"{line}, inside its band of {band}")


@precise
def _share(base: Decimal, price: Decimal, worth: Decimal) -> Decimal:
    return base * price / worth


def _ranges(
    config: Config, known: Known, market: Market, base: Decimal, quote: Decimal
) -> Iterator[Check]:
    definition = STRATEGIES[config.strategy.name]
    if not definition.most_ranges:
        yield ok("ranges", f"none: {config.strategy.name} provides no liquidity")
        return
    here = _situation(config, known, market, base, quote)
    found = placed(here)
    first = ""
    if definition.needs_pay:
        hours = config.strategy.pay_measure_hours
        first = (
            f"{config.strategy.name} first watches the pool for {hours:f} hours, and provides only "
            "while others pay more than arbitrage takes; at most it would place "
        )
    if not found:
        yield warn("ranges", f"{first}nothing: no range fits this inventory")
        return
    shown = [_range(here, each, market) for each in found]
    whole = Start(base=base, quote=quote).worth(known.price)
    part = _deployed(here, found, market) / whole
    yield ok(
        "ranges",
        f"{first}{' and '.join(shown)}: {part * 100:.0f} % of it, the rest stays in the wallet; an "
        f"edge is expected to be reached {_often(_hits(here, found))} at "
        f"{config.strategy.sigma_annual * 100:.0f} % a year of volatility",
    )


@precise
def _situation(
    config: Config, known: Known, market: Market, base: Decimal, quote: Decimal
) -> Situation:
    """As if the whole inventory lay in the wallet; of ``measured`` what it could place at most."""
    settings = config.strategy
    if STRATEGIES[settings.name].needs_pay:
        settings = settings.model_copy(update={"name": "budget"})
    return situation_of(
        settings,
        market,
        market.sqrt_price_x96(known.price),
        (base.scaleb(market.base.decimals), quote.scaleb(market.quote.decimals)),
        sigma=(settings.sigma_annual**2 / YEAR).sqrt(),
        fee=market.fee_pips / PIPS,
    )


@precise
def _range(here: Situation, each: Range, market: Market) -> str:
    base, quote = here.cost(each.bid, each.ask, Decimal(each.liquidity))
    scale = market.base.decimals - market.quote.decimals
    low, high = ((here.ladder.root_at(rung) ** 2).scaleb(scale) for rung in (each.bid, each.ask))
    amounts = [
        f"{_amount(base.scaleb(-market.base.decimals))} {market.base.symbol}" if base else "",
        f"{sum_digits(quote.scaleb(-market.quote.decimals))} {market.quote.symbol}"
        if quote
        else "",
    ]
    held = " and ".join(filter(None, amounts))
    return f"{price_digits(low)} to {price_digits(high)} with {held}"


@precise
def _deployed(here: Situation, found: tuple[Range, ...], market: Market) -> Decimal:
    values = (here.value(r.bid, r.ask, Decimal(r.liquidity)) for r in found)
    return sum(values, Decimal(0)).scaleb(-market.quote.decimals)


@precise
def _hits(here: Situation, found: tuple[Range, ...]) -> Decimal:
    """A day; of edges as far away as the widest of the ranges has them."""

    return hits_per_day(here.sigma, *distances(here, found))


def _gas(config: Config, known: Known, worth: Decimal | None) -> Iterator[Check]:
    count = STRATEGIES[config.strategy.name].most_ranges
    if not count:
        yield ok("gas", f"none: {config.strategy.name} sends no transactions to the pool")
        return
    symbol = known.market.quote.symbol if known.market is not None else "of quote"
    enter = 2 * GAS_APPROVAL + GAS_BASE + count * GAS_MINT
    move = GAS_BASE + count * (GAS_BURN + GAS_MINT)
    leave = int(count * GAS_EXIT * EXIT_USED)
    for gwei in GAS_PRICES:
        line = ", ".join(
            f"{what} {_ether(_at(gas, gwei))} "
            f"({sum_digits(_at(gas, gwei) * known.eth_price)} {symbol})"
            for what, gas in (("enter", enter), ("re-range", move), ("exit", leave))
        )
        held_back = _held_back(config, gwei, _at(move, gwei) * known.eth_price, worth)
        name = f"gas at {gwei.normalize():f} gwei"
        yield warn(name, line, held_back) if held_back else ok(name, line)
    yield _needed(config, count)


def _held_back(config: Config, gwei: Decimal, cost: Decimal, worth: Decimal | None) -> str:
    """Why nothing would be moved at this price; empty where it would."""
    gas = config.gas
    if gwei > gas.max_gwei:
        return f"above gas.max_gwei ({gas.max_gwei:f}): ranges would wait, an exit would not"
    budget = gas.daily_budget_eth
    if _at(TYPICAL_GAS, gwei) > budget:
        return f"above gas.daily_budget_eth ({budget:f}): ranges would wait, an exit would not"
    if worth and cost * BP > config.strategy.max_gas_bp * worth:
        return (
            f"a re-range would cost more than strategy.max_gas_bp ({config.strategy.max_gas_bp:f} "
            "bp) of the inventory: ranges would wait, an exit would not"
        )
    return ""


def _needed(config: Config, count: int) -> Check:
    """The least with which ranges are placed, at each price, and how far the reserve goes."""
    reserve = config.gas.reserve_eth
    least = ", ".join(
        f"{_ether(reserve + _at(TYPICAL_GAS, gwei))} at {gwei.normalize():f}" for gwei in GAS_PRICES
    )
    exit_gas = limit(count * GAS_EXIT, LIMIT_PERCENT)
    reach = reserve.scaleb(ETHER_DECIMALS) / exit_gas / GWEI
    return ok(
        "ether needed",
        f"in the wallet {least} gwei: {reserve:f} of it is gas.reserve_eth, which stays for the "
        f"exit and pays it up to {digits(reach, 0)} gwei",
    )


def _at(gas: int, gwei: Decimal) -> Decimal:
    """In ether."""
    return to_decimal(int(gas * gwei * GWEI), ETHER_DECIMALS)


def _ether(amount: Decimal) -> str:
    return f"{amount:.6f} ETH"


def _amount(base: Decimal) -> str:
    return f"{base:.6f}".rstrip("0").rstrip(".")


def _often(number: Decimal) -> str:
    if number >= 1:
        return f"{digits(number, 1)} times a day"
    return f"once in {digits(1 / number, 1)} days" if number else "never"
