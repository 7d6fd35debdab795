"""The simulated exchange and the paper exchange, through the real client, told to do the same."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from cex.cex_world import NOBODY_TAKES, PAXG, PERPETUAL, Hand, Trader

from dexmm.errors import Transient
from dexmm.model.order import OrderIntent, OrderKind, Purpose
from dexmm.model.steps import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    CexStep,
    Outcome,
    PlaceOrder,
    SetLeverage,
)
from dexmm.model.venue import Perpetual, Side, VenueView
from dexmm.paper_exchange.engine.background_book import Shape
from dexmm.paper_exchange.engine.margin import LIQUIDATION_FEE
from dexmm.paper_exchange.engine.settings import PaperSettings
from dexmm.paper_exchange.engine.symbol_rules import PERPETUALS
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.sim.exchange.cost_model import COIN, CROSS, Depth, MarketTerms, VenueCosts
from dexmm.sim.exchange.exchange import SimExchange, VenueOpening, VenueSymbols

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
CROSS_SYMBOL, COIN_SYMBOL = "PAXG/BTC", "BTC/USDT"
FLAT = Depth(half_spread_bp=D(1), spacing_bp=D(1), levels=5, first=D(1), growth=D(0))
COSTS = VenueCosts(
    spot=MarketTerms(depth=FLAT),
    perpetual=replace(VenueCosts().perpetual, depth=FLAT),
    cross=replace(CROSS, depth=FLAT),
    coin=replace(COIN, depth=FLAT),
    perpetual_basis_bp=D(-5),
    leverage=1,
)
LEGS = {"triangle": f"{CROSS_SYMBOL},{COIN_SYMBOL}"}
SWAP = {"perpetual_id": "binanceusdm", "perpetual_symbol": PERPETUAL}


@dataclass
class Twins:
    """Every step goes to both; what each made of it must be the same."""

    trader: Trader
    sim: SimExchange
    at_ms: int
    pairs: list[tuple[str, str]] = field(default_factory=list)  # client ids, ours and theirs

    def do(self, step: CexStep) -> Outcome:
        live, simulated = self.trader.client.send(step), self.sim.send(self.named(step))
        assert _told(simulated) == _told(live)
        if isinstance(step, PlaceOrder) and live.order and simulated.order:
            self.pairs.append((simulated.order.client_id, live.order.client_id))
        return live

    def named(self, step: CexStep) -> CexStep:
        """A cancel or another price is of the simulated order that is the other one's twin."""
        if not isinstance(step, CancelOrder | AmendOrder):
            return step
        return replace(step, client_id=next(s for s, t in self.pairs if t == step.client_id))

    def price(self, fair: str) -> None:
        self.at_ms += 1000
        self.trader.paper.set_fair_price("PAXGUSDT", D(fair), self.at_ms)
        self.sim.pass_price(self.at_ms, D(fair))

    def agree(self) -> tuple[VenueView, VenueView]:
        """One look at each: the same account, the same books, the same orders."""
        seen, simulated = self.trader.observe(), self.sim.observe()
        for name in ("exchange", "spot", "perpetual", "triangle", "recent_sent"):
            assert getattr(simulated, name) == getattr(seen, name), name
        assert simulated.recent_cancelled == seen.recent_cancelled
        assert simulated.balances == seen.balances
        for ours, theirs in zip(
            (simulated.spot_book, *simulated.triangle_books),
            (seen.spot_book, *seen.triangle_books),
            strict=True,
        ):
            assert (ours.symbol, ours.bids, ours.asks) == (theirs.symbol, theirs.bids, theirs.asks)
        if seen.perpetual_book is not None:
            assert simulated.perpetual_book is not None
            assert simulated.perpetual_book.bids == seen.perpetual_book.bids
            assert simulated.perpetual_book.asks == seen.perpetual_book.asks
            assert _position(simulated.position) == _position(seen.position)
        assert sorted(_rests(simulated)) == sorted(_rests(seen))
        stored = {order.client_id: order for order in self.trader.stored()}
        mine = {order.client_id: order for order in self.sim.orders}
        for ours, theirs in self.pairs:
            assert _facts(mine[ours]) == _facts(stored[theirs])
        return seen, simulated


def _told(outcome: Outcome) -> tuple[object, ...]:
    facts = _facts(outcome.order) if outcome.order else None
    return outcome.step, outcome.status, _words(outcome.detail), outcome.refusal, facts


def _facts(order: OrderIntent) -> OrderIntent:
    """Without what names it."""
    detail = _words(order.detail)
    return replace(order, client_id="", exchange_id="", account="", created_at=0, detail=detail)


def _words(detail: str) -> str:
    """The exchange's own, without the status that carried them."""
    return detail.removesuffix(" [HTTP 400]")


def _position(position: Perpetual | None) -> tuple[object, ...]:
    """Binance tells unrealised profit with eight decimals: margin and profit add up to as much."""
    assert position is not None
    unit = D("0.00000001")
    return (
        position.base,
        position.entry_price,
        position.mark_price,
        position.unrealised.quantize(unit),
        position.margin.quantize(unit),
        position.leverage,
        position.funding_rate,
        position.maintenance,
        position.isolated_margin,
        position.shared,
        position.hedge_mode,
        position.liquidation_price,
    )


def _rests(view: VenueView) -> list[tuple[object, ...]]:
    return [(o.symbol, o.side, o.price, o.amount, o.filled, o.ours) for o in view.resting if o.ours]


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    """Time stands still between two prices: nobody refills a book meanwhile."""
    with PaperExchange(NOBODY_TAKES, start_ms=time.time_ns() // 1_000_000) as exchange:
        yield exchange
        assert exchange.imbalance() == {}


def twins_of(root: Path, paper: PaperExchange, **exchange: object) -> Twins:
    trader = Trader(root, paper, Hand(), **exchange)
    opening = paper.settings.accounts[0]
    symbols = VenueSymbols(
        perpetual=PERPETUAL if "perpetual_symbol" in exchange else None,
        triangle=(CROSS_SYMBOL, COIN_SYMBOL) if "triangle" in exchange else (),
        amends=True,  # of what is traded here, the perpetual
    )
    sim = SimExchange(
        COSTS,
        symbols,
        VenueOpening(coins=opening.spot, margin=opening.margin),
        trader.clock,
        market=trader.config.market.name,
    )
    twins = Twins(trader, sim, paper.exchange.clock.now_ms())
    twins.price("4000")
    trader.observe()
    return twins


@pytest.fixture
def twins(tmp_path: Path, paper: PaperExchange) -> Iterator[Twins]:
    found = twins_of(tmp_path, paper, **SWAP, **LEGS)
    found.do(SetLeverage(symbol=PERPETUAL, leverage=D(1)))
    yield found
    found.trader.client.close()


def take(side: Side, amount: str, price: str, symbol: str = PAXG, **more: object) -> PlaceOrder:
    facts: dict[str, object] = {"order": OrderKind.IOC, "purpose": Purpose.HEDGE, **more}
    return PlaceOrder(symbol=symbol, side=side, amount=D(amount), price=D(price), **facts)


def rest(side: Side, amount: str, price: str, symbol: str = PAXG, **more: object) -> PlaceOrder:
    return take(
        side, amount, price, symbol, order=OrderKind.POST_ONLY, purpose=Purpose.QUOTE, **more
    )


def test_takers_walk_the_book_and_pay_alike(twins: Twins) -> None:
    twins.agree()
    walked = twins.do(take(BUY, "2.5", "4001.20"))
    assert walked.order is not None
    assert walked.order.cost == D("4000.40") + D("4000.80") + D("0.5") * D("4001.20")
    assert twins.do(take(BUY, "3", "4001.20")).detail == "expired"  # half a level is left
    assert twins.do(take(BUY, "1", "4000.40")).detail == "expired"  # nothing is
    twins.do(take(SELL, "0.7", "3999.60"))
    twins.agree()
    twins.price("4000")  # the holes close
    assert twins.do(take(BUY, "1", "4000.40")).detail == ""
    twins.agree()


def test_what_rests_is_filled_by_the_price_alike(twins: Twins) -> None:
    for step in (
        rest(BUY, "0.4", "3999"),
        rest(BUY, "1.5", "3998"),
        rest(SELL, "0.3", "4001.50"),
        rest(BUY, "0.1", "4000.40"),  # would take
        rest(SELL, "0.1", "3999"),  # would take our own bid
    ):
        twins.do(step)
    twins.agree()
    twins.price("3997.60")  # the best ask is 3998.00: one order through, one at its very price
    twins.agree()
    twins.price("3997.60")
    seen, _ = twins.agree()
    assert [order.side for order in seen.resting] == [SELL]
    twins.price("4010")
    assert twins.agree()[0].resting == ()


def test_cancels_are_told_alike(twins: Twins) -> None:
    first = twins.do(rest(BUY, "0.4", "3990")).order
    second = twins.do(rest(SELL, "0.4", "4010")).order
    assert first is not None
    assert second is not None
    twins.do(CancelOrder(symbol=PAXG, client_id=first.client_id))
    live = twins.trader.client.send(CancelOrder(symbol=PAXG, client_id=first.client_id))
    assert live.detail == f"order {first.client_id} has ended already"
    name = twins.pairs[0][0]
    again = twins.sim.send(CancelOrder(symbol=PAXG, client_id=name))
    assert (again.status, again.detail) == (live.status, f"order {name} has ended already")
    twins.do(CancelAll())
    twins.agree()


def test_amendments_are_told_alike(twins: Twins) -> None:
    """Of the perpetual: this exchange amends none of its spot orders."""

    def move(order: OrderIntent | None, price: str) -> Outcome:
        assert order is not None
        step = AmendOrder(symbol=PERPETUAL, client_id=order.client_id, price=D(price))
        return twins.do(step)

    sale = twins.do(rest(SELL, "2.4", "4010", PERPETUAL)).order
    assert move(sale, "4020").status == "done"
    assert move(sale, "4020").status == "done"  # where it is already
    twins.agree()
    assert move(sale, "4015.001").status == "refused"
    failed = move(sale, "4190")  # its margin is more than there is
    assert (failed.status, failed.detail) == (
        "failed",
        "Margin is insufficient. (-2019) [HTTP 400]",
    )
    twins.agree()
    bid = twins.do(rest(BUY, "0.5", "3900", PERPETUAL)).order
    assert move(bid, "3990").status == "done"
    assert move(sale, "3980").status == "done"  # would take: that ends it
    assert [order.side for order in twins.agree()[0].resting] == [BUY]
    twins.price("3989")
    assert twins.agree()[0].resting == ()


def test_refusals_are_told_alike(twins: Twins) -> None:
    for step in (
        take(BUY, "9", "4001"),  # more than there is
        take(SELL, "5.1", "3999"),
        take(BUY, "0.12345", "4000"),
        take(BUY, "0.1", "4000.001"),
        take(BUY, "0.001", "4000"),
        take(BUY, "0.0012", "4000"),
        take(SELL, "3", "3990", PERPETUAL),  # margin for two and a half
        take(BUY, "0.1", "4000", PERPETUAL, reduce_only=True),
        rest(BUY, "0.1", "3999", PERPETUAL),  # would take: the perpetual is five points lower
        take(BUY, "9000.1", "1000"),
        take(BUY, "8999", "1001"),
        take(SELL, "1000.1", "3990", PERPETUAL),
        take(SELL, "9000.1", "0.01", CROSS_SYMBOL),
        take(SELL, "8999", "0.04", CROSS_SYMBOL),
        SetLeverage(symbol=PERPETUAL, leverage=D("1.5")),
        SetLeverage(symbol=PERPETUAL, leverage=D(100)),
    ):
        assert twins.do(step).status in {"refused", "failed"}
    twins.agree()


def test_the_perpetual_is_margined_alike(twins: Twins) -> None:
    twins.do(take(SELL, "1.5", "3990", PERPETUAL))
    twins.agree()
    twins.price("4100")
    twins.do(take(SELL, "0.9", "4000", PERPETUAL))  # the loss has used up the margin for it
    twins.do(take(SELL, "0.8", "4000", PERPETUAL))
    twins.do(SetLeverage(symbol=PERPETUAL, leverage=D(2)))
    twins.do(take(SELL, "1.1", "4000", PERPETUAL))
    twins.agree()
    twins.price("3950")
    twins.do(SetLeverage(symbol=PERPETUAL, leverage=D(1)))  # the orders at twice it stand
    twins.do(rest(BUY, "0.5", "3900", PERPETUAL, reduce_only=True))
    twins.price("3890")
    twins.agree()
    twins.do(rest(BUY, "0.2", "3700", PERPETUAL, reduce_only=True))
    twins.do(take(BUY, "9", "4000", PERPETUAL, reduce_only=True))  # nothing is left to reduce
    assert twins.agree()[0].resting == ()
    twins.do(take(BUY, "0.6", "4000", PERPETUAL))  # and long
    twins.do(take(SELL, "1", "3800", PERPETUAL))  # and through zero to short
    twins.agree()


def test_funding_and_liquidation_come_alike(twins: Twins) -> None:
    twins.do(SetLeverage(symbol=PERPETUAL, leverage=D(2)))
    twins.do(take(SELL, "4.5", "3990", PERPETUAL))
    twins.at_ms += 9 * 3_600_000
    twins.price("4001")
    twins.agree()
    assert [flow.kind for flow in twins.sim.take_flows()].count("funding") == 1
    twins.price("6400")
    with pytest.raises(Transient, match="tells no position"):  # believed the second time
        twins.trader.observe()
    twins.agree()
    assert twins.sim.liquidations == [twins.at_ms]


def test_a_triangle_goes_round_alike(twins: Twins) -> None:
    for step in (
        take(BUY, "0.02", "100100", COIN_SYMBOL, purpose=Purpose.TRIANGLE),
        take(BUY, "0.4", "0.0401", CROSS_SYMBOL, purpose=Purpose.TRIANGLE),
        take(SELL, "0.4", "3990", PAXG, purpose=Purpose.TRIANGLE),
    ):
        assert twins.do(step).status == "done"
    twins.agree()


@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_comes_out_alike(tmp_path: Path, paper: PaperExchange, seed: int) -> None:
    twins = twins_of(tmp_path, paper, **SWAP)
    dice = random.Random(seed)  # noqa: S311 - orders, no secret
    twins.do(SetLeverage(symbol=PERPETUAL, leverage=D(2)))
    for _ in range(60):
        twins.do(_any_order(dice, twins.sim.fair_price))
        if dice.random() < 0.4:
            twins.price(str(4000 + dice.randrange(-40, 41)))
        if dice.random() < 0.3 and (resting := twins.agree()[0].resting):
            chosen = dice.choice(resting)
            twins.do(CancelOrder(symbol=chosen.symbol, client_id=chosen.client_id))
    twins.agree()
    twins.trader.client.close()


def _any_order(dice: random.Random, fair: Decimal) -> PlaceOrder:
    symbol = dice.choice([PAXG, PAXG, PERPETUAL])
    away = D(dice.randrange(-300, 301)) / 100
    return PlaceOrder(
        symbol=symbol,
        side=dice.choice([BUY, SELL]),
        order=dice.choice([OrderKind.IOC, OrderKind.POST_ONLY]),
        purpose=Purpose.HEDGE,
        amount=D(dice.randrange(2, 2500)) / 1000,
        price=fair + away,
        reduce_only=symbol == PERPETUAL and dice.random() < 0.3,
    )


def test_the_defaults_are_the_paper_exchange_s() -> None:
    costs, paper = VenueCosts(), PaperSettings()
    rules = {f"spot:{r.symbol}": r for r in paper.spot} | {
        f"perpetual:{r.symbol}": r for r in paper.perpetuals
    }
    for key, terms in (
        ("spot:PAXGUSDT", costs.spot),
        ("perpetual:PAXGUSDT", costs.perpetual),
        ("spot:PAXGBTC", costs.cross),
        ("spot:BTCUSDT", costs.coin),
    ):
        rule = rules[key]
        assert (terms.maker_fee, terms.taker_fee) == (rule.maker_fee, rule.taker_fee)
        assert (terms.price_step, terms.amount_step) == (rule.tick_size, rule.step_size)
        assert (terms.amount_min, terms.cost_min) == (rule.min_quantity, rule.min_notional)
        assert terms.amount_max == rule.max_quantity
        stated = rule.max_notional if key.startswith("spot:") else None  # a perpetual states none
        assert terms.cost_max == stated
        depth = terms.depth
        assert paper.shapes.get(key, paper.shape) == Shape(
            half_spread_bp=depth.half_spread_bp,
            step_bp=depth.spacing_bp,
            levels=depth.levels,
            depth=depth.first,
            growth=depth.growth,
        )
    assert costs.coin_price == paper.prices["BTCUSDT"]
    assert costs.perpetual_basis_bp == paper.basis.mean_bp
    assert costs.funding_rate == paper.funding_rate
    assert costs.funding_hours == PERPETUALS[0].funding_hours
    assert costs.maintenance == PERPETUALS[0].maintenance_rate
    assert costs.liquidation_fee == LIQUIDATION_FEE
