from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.builders import START, World, a_config
from strategy.venue_builders import COIN, CROSS, Street, a_book, both, exchange_config

from dexmm.errors import BadInput
from dexmm.model.market import Reference
from dexmm.strategy.exposure.fair_price import Source, fair_price, price_spread, sources

D = Decimal
EXCHANGE = exchange_config().exchange


def prices(twap: str, mid: str, triangle: str) -> tuple[World, object]:
    world = World(a_config(), mean_price=D(twap))
    street = Street(price=D(mid))
    coin = D(triangle) / 40_000
    street.triangle_books = (
        a_book(coin, CROSS, half=coin / 10**6),
        a_book(D(40_000), COIN),
    )
    return world, street.view()


@pytest.mark.parametrize(
    ("three", "median"),
    [
        (("4000", "4010", "4020"), "4010"),
        (("4000", "3990", "4020"), "4000"),
        (("4000", "4010", "4005"), "4005"),
    ],
)
def test_the_median_of_pool_exchange_and_triangle(three, median) -> None:
    world, venue = prices(*three)
    assert float(fair_price(world.view(), venue, EXCHANGE)) == pytest.approx(
        float(median), rel=1e-4
    )


def test_a_feed_says_nothing_while_three_speak_and_breaks_a_tie_of_two() -> None:
    world, venue = prices("4000", "4020", "4010")
    world.references = (
        Reference(name="feed", price=D(4004), updated_at=START, heartbeat_seconds=60),
    )
    assert float(fair_price(world.view(), venue, EXCHANGE)) == pytest.approx(4010)
    two = replace(venue, triangle_books=())
    assert fair_price(world.view(), two, EXCHANGE) == 4004


def test_stale_or_broken_books_are_dropped_and_ages_are_told() -> None:
    world, venue = prices("4000", "4010", "4020")
    assert [source.name for source in sources(world.view(), venue, EXCHANGE)] == [
        "twap",
        "exchange",
        "triangle",
    ]
    cross, coin = venue.triangle_books
    old = replace(venue, triangle_books=(cross, replace(coin, at=coin.at - 29_500)))
    assert sources(world.view(), old, EXCHANGE)[2].age_seconds == D("29.5")
    stale = replace(venue, triangle_books=(cross, replace(coin, at=coin.at - 30_001)))
    assert len(sources(world.view(), stale, EXCHANGE)) == 2
    empty = replace(venue, spot_book=replace(venue.spot_book, asks=()))
    assert [s.name for s in sources(world.view(), empty, EXCHANGE)] == ["twap", "triangle"]


def test_with_one_source_left_no_order_goes_out() -> None:
    config = exchange_config(exchange={"triangle": ""})
    stage = both(config, Street(base=D(9), triangle_books=()), base=D(9), quote=D(0), oracle=False)
    decision = stage.decide()
    assert "price_sources" in {refusal.rule for refusal in decision.refusals}
    assert decision.trades == ()
    assert decision.withheld


def test_the_spread_is_a_figure_of_every_decision() -> None:
    found = tuple(Source(name=n, price=D(n), age_seconds=D(0)) for n in ("4000", "4020", "4010"))
    assert price_spread(found) == 50
    assert price_spread(()) == 0
    stage = both()
    stage.street.price = D(4020)
    assert stage.decide().spread_bp == pytest.approx(50, abs=1)


@pytest.mark.parametrize("wrong", ["PAXG/BTC", "PAXG/BTC,ETH/USDT", "BTC/USDT,PAXG/BTC"])
def test_a_triangle_leads_from_base_to_quote(wrong: str) -> None:
    with pytest.raises(BadInput, match="triangle must be a way from PAXG to USDT"):
        exchange_config(exchange={"triangle": wrong})
