"""Ranges are made for what the exchange can still answer."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.venue_builders import Both, Street, both, exchange_config

from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

D = Decimal
NAV = 100_000
TARGET = D("0.35")


def split(base_there: Decimal, quote_there: Decimal, **hedge: object) -> Both:
    """A share of 0.35 at 4000, parts of NAV on the exchange and the rest in the wallet."""
    config = exchange_config(hedge={"to": "zone", **hedge})
    street = Street(base=base_there * NAV / 4000, quote=quote_there * NAV)
    return both(
        config,
        street,
        base=(TARGET - base_there) * NAV / 4000,
        quote=(1 - TARGET - quote_there) * NAV,
    )


def placed(stage: Both) -> Both:
    stage.turn()
    stage.turn()
    return stage


def converted(stage: Both, up: bool) -> Decimal:
    """The share when the ranges held have been gone through, at the price of their edge."""
    positions = stage.world.positions()
    if not positions:
        return TARGET
    edge = max(p.tick_upper for p in positions) if up else min(p.tick_lower for p in positions)
    pips = D(get_sqrt_ratio_at_tick(edge)) / 2**96
    price = (pips * pips).scaleb(12)
    if (price > 4000) is not up:  # nothing on that side
        return TARGET
    stage.price(price)
    return stage.decide().share


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    base=st.decimals(min_value=0, max_value="0.15", places=3),
    quote=st.decimals(min_value=0, max_value="0.30", places=3),
)
def test_what_a_full_conversion_takes_is_what_the_exchange_can_trade_back(
    base: Decimal, quote: Decimal
) -> None:
    if base + quote < D("0.06"):
        return  # less than the zone: as without an exchange
    for up in (True, False):
        share = converted(placed(split(base, quote)), up)
        slack = D("0.004")  # the grid, the fee and the cost of buying back
        if up:
            assert share >= max(TARGET - quote, D("0.20")) - slack
        else:
            assert share <= min(TARGET + base, D("0.50")) + slack


def test_an_exchange_without_quote_leaves_ranges_that_sell_only_what_a_rise_adds() -> None:
    """What they sold below the target could not be bought back."""
    bounded, alone = placed(split(D("0.2"), D(0))), placed(split(D("0.2"), D(0), to="bound"))
    assert bounded.world.positions()
    assert TARGET - D("0.002") < converted(bounded, up=True) < TARGET + D("0.01")
    assert converted(alone, up=True) < D("0.21")


def test_an_exchange_with_enough_on_both_sides_changes_nothing() -> None:
    full, alone = placed(split(D("0.15"), D("0.2"))), placed(split(D("0.15"), D("0.2"), to="bound"))
    assert full.world.ranges == alone.world.ranges


def test_one_with_less_than_the_zone_is_wide_and_one_that_does_not_hedge_are_as_none() -> None:
    for base, quote, hedge in ((D("0.02"), D("0.02"), {}), (D("0.2"), D(0), {"enabled": False})):
        bounded, alone = split(base, quote, **hedge), split(base, quote, to="bound")
        assert placed(bounded).world.ranges == placed(alone).world.ranges


def test_hedges_and_new_ranges_take_the_share_through_a_rise_of_a_third() -> None:
    """A tenth of the capital as quote there, one range after another sold through: the share
    stays within the zone and half a point of its target, and is not left at the band's edge."""
    stage = placed(split(D("0.07"), D("0.13")))
    shares = []
    for step in range(1, 61):
        stage.price(D(4000) * (1 + D(step) / 180))
        for _ in range(6):
            stage.turn(1200)
        shares.append(stage.decide().share)
    assert stage.street.quote < 6_000  # of 13,000: it has bought what the ranges sold
    assert sum(shares) / len(shares) > TARGET - D("0.03")
    assert min(shares[20:]) > TARGET - D("0.04")
