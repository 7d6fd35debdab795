"""Whole turns on the simulated exchange: the live decisions, from its books, with its fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from sim.exchange.sim_exchange_world import PERPETUAL, SPOT, Stage
from strategy.builders import World
from strategy.venue_builders import exchange_config

from dexmm.config.schema import Config
from dexmm.engine.turn import turn
from dexmm.model.entry import Entry
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.snapshot import ChainView
from dexmm.model.steps import ChainStep, Outcome
from dexmm.protocols import Verdict
from dexmm.sim.exchange.cost_model import VenueCosts
from dexmm.sim.exchange.exchange import VenueOpening, VenueSymbols
from dexmm.store.database import open_database
from dexmm.store.flags import HaltFlag
from dexmm.store.journal import SqlJournal
from dexmm.strategy.exposure.inventory import inventory

D = Decimal
SYMBOLS = VenueSymbols(spot=SPOT, perpetual=PERPETUAL)
WITH_PERPETUAL = {"perpetual_id": "binanceusdm", "perpetual_symbol": PERPETUAL, "triangle": ""}


@dataclass
class Wallet:
    """A small exact pool and the wallet in it, as a chain that mines what it is sent."""

    world: World

    def observe(self) -> ChainView:
        return self.world.view()

    def send(self, step: ChainStep, verdict: Verdict) -> Outcome:
        return self.world.apply(step)


class Both:
    """One wallet and one account, turned together every minute."""

    def __init__(self, folder: Path, config: Config, stage: Stage, **world: object) -> None:
        self.config, self.stage = config, stage
        self.world = World(config, **world)
        engine = open_database(f"sqlite:///{folder / 'journal.sqlite'}", durable=False)
        self.journal = SqlJournal(engine, "a market", HaltFlag(folder))

    def turn(self, fair: Decimal | int, then: str = "") -> Entry:
        self.world.pass_time(60)
        self.world.price = D(fair)
        self.stage.price(fair, 60, then)
        entry = turn(
            Wallet(self.world),
            self.journal,
            self.config,
            lambda: self.stage.now,
            cex=self.stage.sim,
        )
        self.stage.close_the_books()
        assert all(o.status in {"done", "mined"} for o in entry.outcomes), entry.outcomes
        return entry

    def share(self) -> Decimal:
        view = self.stage.sim.observe()
        return inventory(self.world.view(), self.stage.sim.fair_price, view).share


@pytest.mark.parametrize("style", ["ioc", "cheapest"])
def test_a_hedge_brings_the_share_back_to_its_target(tmp_path: Path, style: str) -> None:
    """Spot first, as far as it goes; a short for the rest."""
    opening = VenueOpening(coins={"PAXG": D(3), "USDT": D(20_000)}, margin=D(15_000))
    stage = Stage(VenueCosts(latency_ms=200), SYMBOLS, opening)
    config = exchange_config(exchange=WITH_PERPETUAL, hedge={"style": style})
    both = Both(tmp_path, config, stage, base=D(9), quote=D(1000))
    assert both.share() > D("0.55")
    prices = [4000 + step % 3 for step in range(40)]
    for price, following in zip(prices, [*prices[1:], 4000], strict=True):
        both.turn(price, str(following))
    target = config.strategy.target
    nav = inventory(both.world.view(), D(4000), stage.sim.observe()).nav
    assert abs(both.share() - target) * nav <= 10  # one least order of 5, from either side
    placed = [order for order in stage.sim.orders if order.filled]
    assert {order.symbol for order in placed} == {SPOT, PERPETUAL}
    assert {order.purpose for order in placed} == {Purpose.HEDGE}
    position = stage.sim.observe().position
    assert position is not None
    assert position.base < 0
    assert stage.flows["hedge"][0] < -4
    stage.keep_limits()
    stage.conserve()


def test_quotes_rest_and_are_filled_by_a_price_that_comes_and_goes(tmp_path: Path) -> None:
    opening = VenueOpening(coins={"PAXG": D(3), "USDT": D(20_000)})
    stage = Stage(VenueCosts(latency_ms=200), VenueSymbols(), opening)
    config = exchange_config(
        exchange={"triangle": ""}, quotes={"enabled": True, "half_spread": D(2), "size_base": D(1)}
    )
    both = Both(tmp_path, config, stage, base=D(3), quote=D(25_000))
    for price in [4000, 3996, 3992, 3996, 4000, 4004, 4008, 4004] * 6:
        both.turn(price)
    view = stage.be_solvent()
    filled = [order for order in stage.sim.orders if order.filled]
    assert {order.side.value for order in filled} == {"buy", "sell"}
    assert all(order.kind is OrderKind.POST_ONLY for order in filled)
    assert set(stage.flows) == {"quote", "exchange_fee"}
    signs = [(1 if order.side.value == "buy" else -1) for order in filled]
    assert view.quoted_base == sum(
        sign * order.filled - order.fee_base for sign, order in zip(signs, filled, strict=True)
    )
    assert view.quoted_quote == sum(
        -sign * order.cost - order.fee_quote for sign, order in zip(signs, filled, strict=True)
    )
    counted = max(view.recent_sent, config.exchange.cancel_minimum_orders)  # a start on credit
    assert view.recent_cancelled <= config.exchange.cancel_ratio * counted
    assert len(filled) > 10
    stage.keep_limits()
    stage.conserve()
