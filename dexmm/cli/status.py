"""``dexmm status``: where everything stands."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dexmm.cli.common import answer, common_options, console, json_option, load_all

if TYPE_CHECKING:
    from rich.console import Console

    from dexmm.config.schema import Config
    from dexmm.health.status import Sight
    from dexmm.model.snapshot import ChainView
    from dexmm.model.venue import VenueView

BASE_PLACES, QUOTE_PLACES, ETH_PLACES = 6, 2, 4


@click.command()
@common_options
@json_option
def status(config_path: Path, as_json: bool) -> None:
    """Show the pool, the positions, the inventory, and what is refused and why.

    Reads only: needs neither the key nor the lock, and works beside a running loop.
    """
    from dexmm.health.status import facts, look

    configs = load_all(config_path)
    sights = look(configs)
    if as_json:
        told = [facts(sight, config) for sight, config in zip(sights, configs, strict=True)]
        answer(told[0] if len(told) == 1 else {"markets": told})
        return
    for sight, config in zip(sights, configs, strict=True):
        if len(configs) > 1:
            console().print(config.market.name, style="bold", markup=False)
        show(sight, config)


def show(sight: Sight, config: Config) -> None:
    from rich.markup import escape

    out = console()
    _headline(out, sight, config)
    if config.market.has_pool:
        _holdings(out, sight.snapshot.chain)
    _exchange(out, sight, config)
    for refusal in sight.decision.refusals:
        out.print(f"[yellow]refuses[/]  {refusal.rule}: {escape(refusal.detail)}")
    for flight in sight.snapshot.chain.in_flight:
        where = "mined" if flight.mined else f"waiting for {flight.blocks_waiting} blocks"
        out.print(f"in flight  {flight.step} at nonce {flight.nonce}, {where}")
    for line in _last(sight):
        out.print(escape(line))
    for warning in sight.warnings:
        out.print(f"[yellow]missing[/]  {escape(warning)}")


def _headline(out: Console, sight: Sight, config: Config) -> None:
    from rich.markup import escape

    from dexmm.performance.entry_text import price_digits, sum_digits

    view, decision = sight.snapshot.chain, sight.decision
    market, strategy = view.market, config.strategy
    pair = f"{market.base.symbol}/{market.quote.symbol}"
    fee = f"{Decimal(market.fee_pips).scaleb(-4).normalize():f} %"
    where = f"{config.network.name}, block {view.block.number}"
    if not config.market.has_pool:
        fee, where = "without a pool", str(getattr(sight.snapshot.venue, "exchange", "no exchange"))
    colour = {"ACTIVE": "green", "REDUCING": "yellow"}.get(decision.state, "red")
    price = market.price(view.pool.sqrt_price_x96)
    out.print(f"[bold]{escape(pair)} {fee}[/] on {escape(where)} ({_moment(view.block.timestamp)})")
    out.print(f"state      [{colour}]{decision.state}[/]  {escape(decision.reason)}")
    if reason := sight.snapshot.halted or sight.snapshot.memory.halted:
        out.print(f"halted     [red]{escape(reason)}[/]; `dexmm resume` lifts it")
        if view.positions:
            out.print("           what is in the pool stays there; `dexmm withdraw` gets it out")
    out.print(
        f"price      {price_digits(price)} {market.quote.symbol} per "
        f"{market.base.symbol}, fair {price_digits(decision.fair_price)}"
    )
    out.print(
        f"inventory  {sum_digits(decision.nav)} {market.quote.symbol}, "
        f"{decision.share * 100:.1f} % of it {market.base.symbol} (band "
        f"{strategy.band_low * 100:.0f} to {strategy.band_high * 100:.0f} %)"
    )


def _holdings(out: Console, view: ChainView) -> None:
    from rich.table import Table

    from dexmm.performance.entry_text import digits, price_digits, price_range
    from dexmm.strategy.context.own_positions import worth
    from dexmm.terminal.table_fitting import fitted
    from dexmm.units import to_decimal

    market = view.market
    table = Table(box=None, pad_edge=False)
    table.add_column("where")
    table.add_column("range")
    symbols = (market.base.symbol, market.quote.symbol)
    for heading in ("", *symbols, "ETH", *(f"fees {symbol}" for symbol in symbols)):
        table.add_column(heading, justify="right")
    base, quote = market.base_quote(view.wallet.amount0, view.wallet.amount1)
    eth = to_decimal(view.wallet.eth, 18)
    table.add_row(
        "wallet",
        "",
        "",
        digits(base, BASE_PLACES),
        digits(quote, QUOTE_PLACES),
        digits(eth, ETH_PLACES),
    )
    for position in view.positions:
        base, quote = market.base_quote(position.amount0, position.amount1)
        fees_base, fees_quote = market.base_quote(position.fees0, position.fees1)
        low, high = price_range(market, position.tick_lower, position.tick_upper)
        inside = position.in_range(view.pool.tick)
        table.add_row(
            f"NFT {position.token_id}",
            f"{price_digits(low)} to {price_digits(high)}",
            "in range" if inside else "out",
            digits(base, BASE_PLACES),
            digits(quote, QUOTE_PLACES),
            "",
            digits(fees_base, BASE_PLACES),
            digits(fees_quote, QUOTE_PLACES),
        )
    out.print(fitted(table, out))
    for position in view.strangers:
        value = f"{digits(worth(position, view), QUOTE_PLACES)} {market.quote.symbol}"
        out.print(
            f"left alone NFT {position.token_id}, worth {value}: somebody else's doing; "
            "`dexmm withdraw --all` takes it out"
        )
    if view.other_positions:
        out.print(f"({view.other_positions} NFTs of other pools or empty ones are left alone)")


def _exchange(out: Console, sight: Sight, config: Config) -> None:
    from dexmm.performance.entry_text import digits

    venue = sight.snapshot.venue
    if venue is None:
        return
    base, quote = venue.balance(venue.spot.base), venue.balance(venue.spot.quote)
    perpetual = ""
    if venue.position is not None:
        margin = f"{digits(venue.position.margin, QUOTE_PLACES)} of margin"
        if venue.position.shared:
            margin = "the same account"
        perpetual = f", perpetual {digits(venue.position.base, BASE_PLACES)} on {margin}"
    out.print(
        f"{venue.exchange:<11}{digits(base.total, BASE_PLACES)} {base.coin}, "
        f"{digits(quote.total, QUOTE_PLACES)} {quote.coin}{perpetual}"
    )
    _liquidation(out, venue, config)
    for order in venue.resting:
        out.print(
            f"resting    {order.side} {order.amount - order.filled:f} at {order.price:f} "
            f"{order.symbol}{'' if order.ours else ' (not ours, left alone)'}"
        )
    for pending in venue.pending:
        out.print(
            f"[yellow]unknown[/]    {pending.side} {pending.amount:f} {pending.symbol} since "
            f"{pending.age_seconds} s"
        )
    for trade in sight.decision.trades:
        out.print(
            f"wants      to {trade.side} {trade.amount:f} {trade.symbol} at {trade.limit:f} "
            f"({trade.purpose})"
        )


def _liquidation(out: Console, venue: VenueView, config: Config) -> None:
    """How far the perpetual is from being taken over; red where it is being closed for it."""
    from dexmm.performance.entry_text import digits, price_digits
    from dexmm.strategy.risk.liquidation import (
        leverage_held,
        liquidation_distance,
        liquidation_price,
    )

    position, price = venue.position, liquidation_price(venue)
    distance, held = liquidation_distance(venue), leverage_held(venue)
    if position is None or price is None or distance is None:
        return
    colour = "green"
    if distance < config.hedge.liquidation_distance_entry:
        colour = "red" if distance < config.hedge.liquidation_distance_min else "yellow"
    worth = f", {digits(held, 2)} times its margin" if held is not None else ""
    out.print(
        f"liquidated [{colour}]at {price_digits(price)}, {distance * 100:.1f} % from the "
        f"mark {price_digits(position.mark_price)}[/]{worth}"
    )


def _last(sight: Sight) -> list[str]:
    from dexmm.performance.entry_text import events

    if sight.last is None:
        return ["last turn  none on record"]
    lines = events(sight.last) or ["nothing to do"]
    return [
        f"last turn  {sight.last.id}, {_moment(sight.last.at)}",
        *(f"           {line}" for line in lines),
    ]


def _moment(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"
