"""What the simulated exchange assumes, what it refuses, and the book and path it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim.exchange.sim_exchange_world import (
    BUY,
    EVEN,
    PERPETUAL,
    REST,
    RICH,
    SELL,
    SPOT,
    START,
    SYMBOLS,
    Stage,
)

from dexmm.cex.orders.client_order_id import is_ours, purpose_of
from dexmm.cex.orders.order_manager import refuse as live_refuse
from dexmm.errors import BadInput, Transient
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import CancelAll, PlaceOrder, SetLeverage
from dexmm.model.venue import Side
from dexmm.sim.agents.price_process import Candle
from dexmm.sim.exchange.background_book import House
from dexmm.sim.exchange.cost_model import Depth, MarketTerms, VenueCosts
from dexmm.sim.exchange.exchange import PriceAt, SimExchange, VenueOpening, VenueSymbols
from dexmm.sim.exchange.orders import client_order_id
from dexmm.sim.exchange.rejections import refuse

D = Decimal


# Names, refusals, and what cannot be


@given(
    st.sampled_from([SPOT, PERPETUAL]),
    st.sampled_from(Side),
    st.decimals(-1, 10, places=5),
    st.decimals(-1, 5000, places=3),
    st.booleans(),
)
def test_steps_and_minimums_refuse_as_the_live_client_does(
    symbol: str, side: Side, amount: Decimal, price: Decimal, reduce_only: bool
) -> None:
    costs = VenueCosts()
    instrument = (costs.perpetual if ":" in symbol else costs.spot).instrument(symbol)
    for whole in (amount, amount.quantize(D("0.001"))):
        for tick in (price, price.quantize(D("0.01"))):
            step = PlaceOrder(
                symbol=symbol,
                side=side,
                order=OrderKind.IOC,
                purpose=Purpose.HEDGE,
                amount=whole,
                price=tick,
                reduce_only=reduce_only,
            )
            assert refuse(step, instrument) == live_refuse(step, instrument, post_only=True)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_names_are_ours_and_tell_their_purpose(purpose: Purpose) -> None:
    name = client_order_id(purpose, 17)
    assert is_ours(name)
    assert purpose_of(name) is purpose


def test_bad_input_is_told() -> None:
    stage = Stage()
    with pytest.raises(BadInput, match="does not trade DOGE/USDT"):
        stage.place(BUY, "1", "1", symbol="DOGE/USDT")
    for price in ("0", "-1", "NaN", "Infinity"):
        with pytest.raises(BadInput, match="cannot be a price"):
            stage.price(price)
    with pytest.raises(BadInput, match="in the order of their times"):
        stage.sim.pass_price(1, D(4000))
    at = stage.now * 1000 + 60_000
    with pytest.raises(BadInput, match="in the order of their times"):
        stage.sim.pass_price(at, D(4000), PriceAt(at_ms=at, fair=D(4000)))
    for opening in (VenueOpening(coins={"PAXG": D(-1)}), VenueOpening(margin=D("NaN"))):
        with pytest.raises(BadInput, match="cannot begin with"):
            SimExchange(VenueCosts(), SYMBOLS, opening, lambda: START)
    with pytest.raises(BadInput, match="is no symbol"):
        SimExchange(VenueCosts(), VenueSymbols(spot="PAXGUSDT"), RICH, lambda: START)


def test_before_the_first_price_there_is_nothing_to_see() -> None:
    sim = SimExchange(VenueCosts(), SYMBOLS, RICH, lambda: START)
    for ask in (sim.observe, sim.take_flows, lambda: sim.fair_price, lambda: sim.send(CancelAll())):
        with pytest.raises(Transient, match="no price yet"):
            ask()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: VenueCosts(latency_ms=-1),
        lambda: VenueCosts(recovery=D("1.1")),
        lambda: VenueCosts(leverage=3),
        lambda: VenueCosts(funding_hours=0),
        lambda: VenueCosts(coin_price=D(0)),
        lambda: MarketTerms(taker_fee=D(1)),
        lambda: MarketTerms(maker_fee=D("-0.001")),
        lambda: MarketTerms(amount_step=D(0)),
        lambda: MarketTerms(amount_step=D(1)),
        lambda: MarketTerms(amount_max=D("0.00001")),
        lambda: MarketTerms(cost_max=D("4.99")),
        lambda: VenueCosts(funding_rate=D("NaN")),
        lambda: VenueCosts(perpetual_basis_bp=D(-20_000)),
        lambda: Depth(levels=0),
        lambda: Depth(growth=D("Infinity")),
        lambda: Depth(half_spread_bp=D(-1)),
    ],
)
def test_costs_that_cannot_be(wrong: Callable[[], object]) -> None:
    with pytest.raises(BadInput, match="must be at least"):
        wrong()


def test_every_assumption_is_told() -> None:
    costs = VenueCosts(latency_ms=137, coin_price=D(98_765))
    told = " ".join(costs.sentences())
    facts = ("10 bp", "0.5 base", "137 ms", "4.7 bp below", "2.50 % a year", "98765", "5 bp")
    for fact in (*facts, "at most 9000 base and 9000000 quote", "at most 1000 base an order"):
        assert fact in told, fact
    short = " ".join(costs.sentences(perpetual=False, triangle=False))
    assert "perpetual" not in short.lower()
    assert "triangle" not in short


# The book and the path


@given(
    st.decimals(D("0.02"), 9000, places=4),
    st.builds(
        Depth,
        half_spread_bp=st.decimals(0, 20, places=1),
        spacing_bp=st.decimals(0, 20, places=1),
        levels=st.integers(1, 8),
    ),
)
def test_levels_never_fold_into_each_other(fair: Decimal, depth: Depth) -> None:
    house = House(depth, MarketTerms(depth=depth).instrument(SPOT))
    house.move(fair)
    bids, asks = list(house.levels(BUY)), list(house.levels(SELL))
    assert [house.best(BUY)] == (bids[:1] or [None])
    assert house.best(SELL) == asks[0]
    prices = [level.price for level in (*reversed(bids), *asks)]
    assert prices == sorted(set(prices))
    assert all(level.price <= fair for level in bids)
    assert all(level.price >= fair for level in asks)
    assert all(level.price % D("0.01") == 0 for level in (*bids, *asks))


def test_a_candle_passes_by_its_waypoints() -> None:
    candle = Candle(at=START, open=D(4000), high=D(4030), low=D(3970), close=D(4010))
    after = Candle(at=START + 60, open=D(4010), high=D(4012), low=D(3000), close=D(4011))
    stage = Stage(replace(EVEN, latency_ms=10_000))
    low = stage.place(BUY, "0.1", "3975", REST, Purpose.QUOTE)
    high = stage.place(SELL, "0.1", "4025", REST, Purpose.QUOTE)
    deep = stage.place(BUY, "0.1", "3900", REST, Purpose.QUOTE)
    stage.sim.pass_candle(candle, 60, after)
    assert [stage.order(o).filled for o in (low, high, deep)] == [D("0.1"), D("0.1"), 0]
    assert stage.sim.fair_price == 4010
    stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(1)))  # half of the way down
    assert stage.order(deep).filled == D("0.1")
