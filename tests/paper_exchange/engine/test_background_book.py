"""The house's quotes and the crowd: where they stand, and who is served first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dexmm.errors import BadInput
from dexmm.paper_exchange.engine.background_book import Flow, Shape, Taker, quotes, takers
from dexmm.paper_exchange.engine.orders import Ask, Order, Side, Type
from dexmm.paper_exchange.engine.rounding import is_multiple
from dexmm.paper_exchange.engine.settings import Basis, PaperSettings
from dexmm.paper_exchange.engine.symbol_rules import SPOT
from dexmm.paper_exchange.exchange import Exchange

D = Decimal
START = 1_790_000_000_000
RULES = SPOT[0]


@pytest.fixture
def exchange(settings: PaperSettings) -> Iterator[Exchange]:
    made = Exchange(settings, start_ms=START)
    yield made
    assert made.ledger.imbalance() == {}
    made.close()


def rest(exchange: Exchange, side: Side, price: str, quantity: str, name: str = "x") -> Order:
    ask = Ask(
        symbol="PAXGUSDT",
        side=side,
        type=Type.LIMIT,
        client_order_id=name,
        price=D(price),
        quantity=D(quantity),
    )
    with exchange.visit():
        return exchange.desk(exchange.spot["PAXGUSDT"]).place("paper", ask)


def take(exchange: Exchange, side: Side, quantity: str) -> None:
    with exchange.visit():
        exchange.desk(exchange.spot["PAXGUSDT"]).take(Taker(0, side, D(quantity)))


@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.decimals(min_value="0.5", max_value="9000", places=6),
    st.sampled_from(["0.01", "0.1", "1"]),
    st.sampled_from(["0", "0.5", "1", "10"]),
    st.integers(1, 12),
)
def test_quotes_lie_on_the_tick_around_the_price(
    fair: Decimal, tick: str, half_spread: str, levels: int
) -> None:
    rules = replace(RULES, tick_size=D(tick), min_price=D(tick))
    shape = Shape(half_spread_bp=D(half_spread), levels=levels)
    wanted = quotes(fair, rules, shape)
    bids = sorted((price for side, price in wanted if side is Side.BUY), reverse=True)
    asks = sorted(price for side, price in wanted if side is Side.SELL)
    assert len(asks) == levels
    assert len(bids) <= levels
    assert all(is_multiple(price, D(tick)) and price > 0 for price in bids + asks)
    assert not bids or (bids[0] <= fair and bids[0] < asks[0])
    assert asks[0] >= fair
    assert all(is_multiple(quantity, rules.step_size) for quantity in wanted.values())


def test_the_queue_is_respected(exchange: Exchange) -> None:
    ours = rest(exchange, Side.BUY, "3999.60", "0.5")  # behind one PAXG of the house
    take(exchange, Side.SELL, "0.8")
    assert ours.executed == 0
    take(exchange, Side.SELL, "0.5")
    assert ours.executed == D("0.3")
    # What the house adds again stands behind us.
    exchange.advance(START + 1)
    take(exchange, Side.SELL, "0.3")
    assert ours.executed == D("0.5")


def test_a_quote_whose_price_stays_keeps_its_place(exchange: Exchange) -> None:
    ours = rest(exchange, Side.BUY, "3999.60", "0.5")
    exchange.set_fair_price("PAXGUSDT", D("4000.001"))
    take(exchange, Side.SELL, "1")
    assert ours.executed == 0


def test_a_better_price_is_served_first(exchange: Exchange) -> None:
    ours = rest(exchange, Side.SELL, "4000.10", "0.5")
    take(exchange, Side.BUY, "0.4")
    assert ours.executed == D("0.4")


def test_a_market_that_only_touches_fills_what_it_quotes_there(exchange: Exchange) -> None:
    ours = rest(exchange, Side.BUY, "3990", "7")
    # Its best ask is now 3990.00 exactly: one PAXG is quoted there.
    exchange.set_fair_price("PAXGUSDT", D("3989.60"))
    assert exchange.spot["PAXGUSDT"].touch()[0] == (D(3990), D(6))
    assert ours.executed == 1
    exchange.set_fair_price("PAXGUSDT", D("3989.50"))  # and now through it
    assert ours.executed == 7


def test_the_house_refills_what_was_taken(exchange: Exchange) -> None:
    take(exchange, Side.BUY, "1.5")
    market = exchange.spot["PAXGUSDT"]
    assert market.touch()[1] == (D("4000.80"), D("0.5"))
    exchange.advance(START + 1000)
    assert market.book.depth(Side.SELL, 2) == [(D("4000.40"), D(1)), (D("4000.80"), D(1))]


def test_the_perpetual_strays_around_its_basis(settings: PaperSettings) -> None:
    strays = replace(settings, basis=Basis())
    exchange = Exchange(strays, start_ms=START)
    seen = []
    for hour in range(1, 400):
        exchange.advance(START + hour * 6 * 3_600_000)
        mark = exchange.perpetuals["PAXGUSDT"].fair
        seen.append(float((mark / exchange.price_of("PAXGUSDT") - 1) * 10_000))
    exchange.close()
    mean = sum(seen) / len(seen)
    std = (sum((x - mean) ** 2 for x in seen) / len(seen)) ** 0.5
    assert mean == pytest.approx(-4.7, abs=4 * 3.0 / len(seen) ** 0.5)
    assert std == pytest.approx(3.0, rel=0.15)


def test_the_crowd_is_as_large_as_stated() -> None:
    flow = Flow(per_hour=D(120), mean_quantity=D("0.25"))
    came = list(takers(flow, RULES, "seed", START, START + 100 * 3_600_000))
    assert len(came) == pytest.approx(12_000, rel=0.04)
    assert sum(t.quantity for t in came) / len(came) == pytest.approx(D("0.25"), rel=D("0.04"))
    assert sum(t.side is Side.BUY for t in came) == pytest.approx(6000, rel=0.05)
    assert came == sorted(came, key=lambda t: t.at_ms)
    assert not list(takers(replace(flow, per_hour=D(0)), RULES, "seed", START, START + 10**9))


@pytest.mark.parametrize(
    ("symbol", "price"), [("XXX", "1"), ("PAXGUSDT", "0"), ("PAXGUSDT", "NaN")]
)
def test_a_price_that_cannot_be(exchange: Exchange, symbol: str, price: str) -> None:
    with pytest.raises(BadInput):
        exchange.set_fair_price(symbol, D(price))


def test_a_derived_price_can_be_set_directly(exchange: Exchange) -> None:
    assert exchange.price_of("PAXGBTC") == D("0.04")
    exchange.set_fair_price("PAXGBTC", D("0.041"))
    exchange.set_fair_price("PAXGUSDT", D(4400))
    assert exchange.price_of("PAXGBTC") == D("0.041")
    assert exchange.price_of("PAXGUSDC") == D(4400)


def test_time_only_goes_forward(exchange: Exchange) -> None:
    exchange.advance(START + 5000)
    exchange.advance(START)
    assert exchange.clock.now_ms() == START + 5000


def test_candles_cover_the_hours(exchange: Exchange) -> None:
    for minute, price in enumerate([4000, 4010, 3990, 4005]):
        exchange.set_fair_price("PAXGUSDT", D(price), START + minute * 60_000)
    tape = exchange.spot["PAXGUSDT"].tape
    (hour,) = tape.bars(3_600_000, 0, 1 << 60, 10)
    assert (hour.open, hour.high, hour.low, hour.close) == (4000, 4010, 3990, 4005)
    assert [bar.close for bar in tape.bars(60_000, 0, 1 << 60, 2)] == [3990, 4005]
    day = tape.day(START + 180_000)
    assert day is not None
    assert (day.high, day.low) == (4010, 3990)
