"""The made-up pool of a market that has none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from strategy.venue_builders import Street, a_book

from dexmm.config.schema import parse_config
from dexmm.errors import Transient
from dexmm.wiring.exchange_only import chain_at

D = Decimal
CONFIG = parse_config(
    {
        "network": {"name": "sandbox"},
        "market": {"price_low": 2000, "price_high": 8000},
        "exchange": {"symbol": "PAXG/USDT"},
        "quotes": {"enabled": True},
    },
    Path(),
    source="a test",
)


def test_it_stands_at_the_middle_of_the_book() -> None:
    view = chain_at(Street().view(), CONFIG)
    price = view.market.price(view.pool.sqrt_price_x96)
    assert abs(price - 4000) < D("1e-20")
    assert (view.positions, view.wallet.amount0, view.wallet.amount1) == ((), 0, 0)


@pytest.mark.parametrize("mid", ["1e60", "1e-60"])
def test_a_price_that_no_pool_could_have_skips_the_turn(mid: str) -> None:
    """An exchange's answer is not a defect of ours, however absurd it is."""
    price = D(mid)
    venue = replace(Street().view(), spot_book=a_book(price, half=price / 10))
    with pytest.raises(Transient, match=r"is no price of PAXG"):
        chain_at(venue, CONFIG)


def test_a_book_without_a_price_skips_the_turn() -> None:
    empty = replace(a_book(D(4000)), asks=())
    with pytest.raises(Transient, match="empty or crossed"):
        chain_at(replace(Street().view(), spot_book=empty), CONFIG)
