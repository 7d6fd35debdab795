from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import World, a_config
from strategy.venue_builders import PERPETUAL, SPOT, Street, an_instrument, both, exchange_config

from dexmm.model.venue import PendingOrder, Side
from dexmm.strategy.context.context import look, situation
from dexmm.strategy.exposure.exchange_inventory import venue_flow
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import PRICE

D = Decimal
AMOUNT = st.decimals(min_value=0, max_value=1000, places=6)
SIGNED = st.decimals(min_value=-100, max_value=100, places=6)


def short_of(amount: Decimal) -> Street:
    return Street(
        base=D(3),
        quote=D(20_000),
        perpetual=an_instrument(PERPETUAL),
        short=amount,
        entry=D(4100),
        margin=D(9_000),
    )


def test_one_exposure_over_every_place() -> None:
    world = World(a_config(), base=D(10), quote=D(50_000))
    held = inventory(world.view(), D(4000), short_of(D(2)).view())
    assert held.base_total == 10 + 3 - 2
    # 9000 of margin and 200 of profit on 2 PAXG sold at 4100.
    assert held.nav == (10 + 3) * 4000 + 50_000 + 20_000 + 9_000 + 200
    assert held.share == PRICE.divide(11 * D(4000), held.nav)
    assert held.nav == held.base_total * 4000 + held.quote_total


@settings(max_examples=100, deadline=None, derandomize=True)
@given(base=AMOUNT, quote=AMOUNT, short=AMOUNT, margin=AMOUNT, price=st.integers(1, 9000))
def test_a_fall_costs_exactly_the_exposure(base, quote, short, margin, price) -> None:
    street = Street(
        price=D(price),
        base=base,
        quote=quote,
        perpetual=an_instrument(PERPETUAL),
        short=short,
        margin=margin,
    )
    before = inventory(None, D(price), street.view())
    street.price += 1
    after = inventory(None, D(price + 1), street.view())
    assert after.nav - before.nav == pytest.approx(before.base_total, abs=D("1e-20"))
    assert after.quote_total == pytest.approx(before.quote_total, abs=D("1e-20"))


def test_without_a_pool_the_exchange_is_the_whole_inventory() -> None:
    held = inventory(None, D(4000), Street(base=D(1), quote=D(4000)).view())
    assert held.share == D("0.5")


def test_orders_of_unknown_fate_count_as_their_worst_case() -> None:
    pending = PendingOrder(
        client_id="a", symbol=SPOT, side=Side.BUY, amount=D(1), filled=D("0.4"), age_seconds=9
    )
    legs = replace(pending, symbol="BTC/USDT", amount=D(5))
    street = Street(base=D(1), quote=D(4000), pending=(pending, legs))
    held = inventory(None, D(4000), street.view())
    assert held.base_total == 1
    assert held.share_between == (D("0.5"), (D("1.6") * 4000) / 8000)


def test_what_is_on_the_exchange_counts_for_the_ranges_and_is_not_deployed() -> None:
    config = exchange_config()
    stage = both(config, Street(base=D(5), quote=D(7_000)), base=D(2), quote=D(40_000))
    here = situation(look(stage.snapshot(), config), near=0)
    assert here.base == 7 * 10**18
    assert here.quote == 47_000 * 10**6
    assert (here.wallet_base, here.wallet_quote) == (2 * 10**18, 40_000 * 10**6)


def test_the_ranges_keep_the_whole_share_in_its_band() -> None:
    """All the gold is on the exchange: a pool that fills every bid leaves the share at the edge."""
    config = exchange_config(hedge={"enabled": False})
    stage = both(config, Street(base=D(10), quote=D(10_000)), base=D(0), quote=D(80_000))
    stage.turn()
    stage.turn()
    assert stage.world.ranges
    lowest = min(lower for lower, _, _ in stage.world.ranges.values())
    fallen = D("1.0001") ** (lowest) * D(10) ** 12
    stage.price(fallen)
    stage.street.base, stage.street.quote = D(10), D(10_000)
    assert stage.decide().share == pytest.approx(D("0.5"), abs=D("0.004"))


# What came and what went


@pytest.mark.parametrize("base", [D(3), D(-2)])
def test_a_deposit_on_the_exchange_moves_the_peaks(base: Decimal) -> None:
    stage = both(exchange_config(hedge={"enabled": False}), Street(base=D(5), quote=D(40_000)))
    stage.turn()
    before = stage.memory
    stage.street.base += base
    stage.turn()
    after = stage.memory
    assert after.peak_nav - before.peak_nav == pytest.approx(base * 4000, rel=D("0.03"))
    assert "drawdown" not in {r.rule for r in stage.decide().refusals}
    assert after.peak_against_hold == pytest.approx(1, abs=D("0.01"))


def test_a_trade_is_no_deposit() -> None:
    street = short_of(D(0))
    stage = both(exchange_config(hedge={"enabled": False}), street)
    stage.turn()
    memory = stage.memory
    street.base -= 1
    street.quote += D("3990")
    assert venue_flow(street.view(), memory, D(4000), D(100_000)) == (0, 0)
    street.base += 1
    street.quote -= D("3990")
    street.short, street.entry = D(1), D(4001)
    assert venue_flow(street.view(), memory, D(4000), D(100_000)) == (0, 0)
    street.price = D(3000)
    assert venue_flow(street.view(), memory, D(3000), D(100_000)) == (0, 0)
    street.short = D(0)
    street.margin += D(5_000)
    assert venue_flow(street.view(), memory, D(3000), D(100_000)) == (0, 5_000)


def test_an_exchange_that_comes_or_goes_is_a_deposit_or_a_withdrawal() -> None:
    street = Street(base=D(1), quote=D(2_000))
    stage = both(exchange_config(), street)
    stage.turn()
    assert venue_flow(None, stage.memory, D(4000), D(100_000)) == (-1, -2_000)
    alone = replace(stage.memory, venue_base=None, venue_quote=None)
    assert venue_flow(street.view(), alone, D(4000), D(100_000)) == (1, 2_000)
    first = replace(alone, seen_at=None)
    assert venue_flow(street.view(), first, D(4000), D(100_000)) == (0, 0)
