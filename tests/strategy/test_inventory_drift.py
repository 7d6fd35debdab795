"""One inventory, one decision: what the exchange moved, the exchange brings back.

Ranges worth 100,000 in the pool, 20,000 more on the exchange, placed at 4000 with the share at its
target. Then orders fill on the exchange.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from strategy.trading.test_quotes import SIGMA, middle, prices, refresh
from strategy.venue_builders import Both, Street, both, exchange_config

from dexmm.model.decision import Refusal, Trigger
from dexmm.model.memory import Memory
from dexmm.model.order import Purpose
from dexmm.model.steps import Rerange
from dexmm.model.venue import Side
from dexmm.strategy.context.context import look
from dexmm.strategy.exposure.inventory import inventory
from dexmm.strategy.trading.quote_prices import band_prices
from dexmm.strategy.trading.quotes import Quoting, decide_quotes

D = Decimal
PLENTY = D("0.30")  # of NAV: as if quotes had no limit of their own


def settled(**sections: dict[str, object]) -> Both:
    """Ranges placed, nothing moved since."""
    street = Street(base=D("1.75"), quote=D(13_000))
    config = exchange_config(
        quotes={"enabled": True, "max_drift": PLENTY},
        strategy={"regime_ratio": 1000, **sections.pop("strategy", {})},
        **sections,
    )
    world = both(config, street)
    first, _ = world.turn()
    assert first.trigger is Trigger.START
    assert world.turn(1800)[0].trigger is None
    return world


def fill(world: Both, base: Decimal) -> None:
    """Quotes bought (sold, negative) so much at the price."""
    world.street.resting.clear()
    world.street.base += base
    world.street.quote -= base * world.street.price


def moves(world: Both, seconds: int = 1800) -> tuple[Trigger | None, bool]:
    decision, steps = world.turn(seconds)
    return decision.trigger, any(isinstance(step, Rerange) for step in steps)


@pytest.mark.parametrize("bought", [D("2.5"), D("-1.7")])
def test_fills_on_the_exchange_are_no_reason_to_move_the_pool(bought: Decimal) -> None:
    world = settled()
    fill(world, bought)
    for _ in range(12):
        assert moves(world) == (None, False)
    assert world.memory.promise_since is not None
    assert world.memory.traded_base == bought


def test_the_doubt_ends_when_the_exchange_has_brought_it_back() -> None:
    world = settled()
    fill(world, D("2.5"))
    moves(world)
    assert world.memory.promise_since is not None
    fill(world, D("-2.5"))
    assert moves(world) == (None, False)
    assert (world.memory.promise_since, world.memory.traded_base) == (None, 0)


@pytest.mark.parametrize(
    ("price", "dwell", "expected"),
    [
        (3970, 900, None),  # less than half of the way down to the bid edge
        (3930, 9000, None),  # near it, and not for long enough
        (3930, 900, Trigger.INVENTORY),
    ],
)
def test_the_pool_follows_with_a_dwell_and_near_the_edge_only(
    price: int, dwell: int, expected: Trigger | None
) -> None:
    # The hedge is off, so that what the pool does shows.
    world = settled(
        strategy={"dwell_seconds": dwell, "economic_gate": False}, hedge={"enabled": False}
    )
    fill(world, D("1.5"))
    moves(world)
    world.price(D(price))
    trigger, moved = moves(world)
    assert (trigger, moved) == (expected, expected is not None)
    if moved:
        assert (world.memory.traded_base, world.memory.promise_since) == (0, None)


def test_the_pool_follows_only_where_it_is_worth_its_gas() -> None:
    world = settled(hedge={"enabled": False})
    fill(world, D("1.5"))
    moves(world)
    world.world.base_fee_wei = 100 * 10**9
    world.price(D(3930))
    decision, steps = world.turn(1800)
    assert decision.trigger is Trigger.INVENTORY
    assert decision.withheld
    assert not any(isinstance(step, Rerange) for step in steps)
    assert "economic_gate" in {refusal.rule for refusal in decision.refusals}


def test_a_deposit_on_the_exchange_still_moves_the_pool() -> None:
    world = settled()
    world.street.resting.clear()
    world.street.base += D("0.4")
    assert moves(world) == (Trigger.CAPITAL, True)


def test_a_position_added_by_hand_still_counts_at_once() -> None:
    world = settled(strategy={"economic_gate": False})
    fill(world, D("0.5"))
    world.world.ranges[77] = (-193_780, -192_980, 10**13)
    world.turn()
    assert moves(world) == (Trigger.STRATEGY, True)


def test_without_an_exchange_to_answer_the_pool_acts_at_once() -> None:
    world = settled(strategy={"economic_gate": False}, hedge={"enabled": False})
    fill(world, D("2.5"))
    world.street.spot = replace(world.street.spot, tradable=False)
    assert moves(world) == (Trigger.STRATEGY, True)


def test_a_share_outside_its_band_is_still_hedged() -> None:
    world = settled()
    fill(world, D("3.2"))
    world.price(D(3890))
    decision, _ = world.turn()
    assert decision.share > world.config.strategy.band_high
    assert decision.trades


def drifted(street: Street, drift: Decimal | None) -> Quoting:
    config = exchange_config(
        quotes={"enabled": True, "half_spread": D("0.5"), "max_drift": D("0.02")}
    )
    venue = street.view()
    held = inventory(None, street.price, venue)
    return decide_quotes(
        venue, held, street.price, SIGMA, street.now, config, Memory(), drift=drift
    )


def test_quotes_lean_against_what_they_have_moved() -> None:
    # 0.02 of a NAV of 40,000 at 4000 is 0.2 base: two orders of 0.1.
    even, half = drifted(middle(), D(0)), drifted(middle(), D("0.15"))
    assert prices(even) == {Side.BUY: D("3999.5"), Side.SELL: D("4000.5")}
    assert {quote.amount for quote in even.quotes} == {D("0.1")}
    assert prices(half)[Side.BUY] < D("3999.5")
    assert prices(half)[Side.SELL] < D("4000.5")
    assert {quote.side: quote.amount for quote in half.quotes} == {
        Side.BUY: D("0.025"),  # three quarters of the way there: a quarter of the size
        Side.SELL: D("0.1"),
    }


@pytest.mark.parametrize(("drift", "left"), [("0.2", Side.SELL), ("-0.2", Side.BUY)])
def test_the_side_that_drifted_waits_for_the_other(drift: str, left: Side) -> None:
    found = drifted(middle(), D(drift))
    assert set(prices(found)) == {left}
    assert [refusal.rule for refusal in found.refusals] == ["quote_drift"]
    assert isinstance(found.refusals[0], Refusal)
    assert "quotes.max_drift" in found.refusals[0].detail


def test_no_order_takes_the_inventory_from_one_end_to_the_other() -> None:
    """At an end of the drift the way back is one order to the middle, not to the other end."""
    config = exchange_config(
        quotes={"enabled": True, "size_base": D(1), "max_drift": D("0.02"), "half_spread": D("0.5")}
    )
    street = middle()
    venue = street.view()
    held = inventory(None, street.price, venue)
    for drift, expected in (
        (D(0), {Side.BUY: D("0.2"), Side.SELL: D("0.2")}),
        (D("-0.2"), {Side.BUY: D("0.2")}),
        (D("-0.1"), {Side.BUY: D("0.2"), Side.SELL: D("0.1")}),
    ):
        found = decide_quotes(
            venue, held, street.price, SIGMA, street.now, config, Memory(), drift=drift
        )
        assert {quote.side: quote.amount for quote in found.quotes} == expected


def test_an_order_that_would_carry_the_drift_too_far_by_now_is_taken_out() -> None:
    """It was placed when nothing had drifted, or before there were ranges at all."""
    street = middle()
    refresh(street)
    assert {order.amount for order in street.resting} == {D("0.1")}
    stays = {"0.10": True, "0.14": True, "0.16": False}  # of 0.2, and a quarter of slack
    for drift, stay in stays.items():
        found = drifted(street, D(drift))
        bids = [quote for quote in found.quotes if quote.side is Side.BUY]
        assert [bid.amount == D("0.1") for bid in bids] == [stay], drift
        assert any(quote.amount == D("0.1") for quote in found.quotes if quote.side is Side.SELL)


def test_an_account_too_small_for_its_drift_quotes_the_exchange_s_smallest_orders() -> None:
    street = Street(base=D("0.0875"), quote=D(650))  # 0.25 % of 1,000 is half of the smallest order
    config = exchange_config(quotes={"enabled": True, "max_drift": D("0.0025")})
    venue = street.view()
    held = inventory(None, street.price, venue)
    found = decide_quotes(
        venue, held, street.price, SIGMA, street.now, config, Memory(), drift=D(0)
    )
    assert set(prices(found)) == {Side.BUY, Side.SELL}
    assert found.refusals == ()
    assert all(quote.amount * quote.price < 11 for quote in found.quotes)


def test_a_hedge_leaves_what_quotes_have_moved_to_the_quotes() -> None:
    """The same share by the quotes' doing and by the pool's: only the latter is hedged."""
    moved: dict[str, bool] = {}
    for whose in ("quotes", "pool"):
        world = settled(hedge={"to": "zone", "zone": D("0.01")})
        world.street.resting.clear()
        world.street.base += D("0.5")
        world.street.quote -= D("0.5") * world.street.price
        if whose == "pool":  # as if the ranges had been placed after it
            world.turn()
            world.memory = replace(world.memory, traded_base=D(0), traded_quote=D(0))
        decision, _ = world.turn()
        assert decision.share > D("0.36")
        moved[whose] = any(trade.purpose is Purpose.HEDGE for trade in decision.trades)
        if whose == "quotes":
            assert {quote.side for quote in decision.quotes} == {Side.BUY, Side.SELL}
    assert moved == {"quotes": False, "pool": True}


@pytest.mark.parametrize("whose", ["quotes", "somebody else"])
def test_without_ranges_quotes_have_the_band_to_themselves(whose: str) -> None:
    config = exchange_config(
        quotes={"enabled": True, "half_spread": D("0.5")},
        hedge={"to": "zone", "zone": D("0.01")},
        strategy={"min_position_quote": D(10**9)},
    )
    for bought in (D(0), D(1), D("1.7")):
        world = both(config, Street(base=D("3.5"), quote=D(26_000)), base=D(0), quote=D(0))
        world.turn()
        fill(world, bought)
        if whose != "quotes":
            world.turn()
            world.street.resting.clear()
            world.memory = replace(world.memory, traded_base=D(0), traded_quote=D(0))
        decision, _ = world.turn()
        hedged = any(trade.purpose is Purpose.HEDGE for trade in decision.trades)
        beyond = D("0.5") if whose == "quotes" else D("0.37")
        assert hedged == (decision.share > beyond), bought
        if bought == 1 and not hedged:  # two thirds of the way to the band's edge
            sizes = {quote.side: quote.amount for quote in decision.quotes}
            assert sizes[Side.SELL] == D("0.1")
            assert D("0.03") < sizes[Side.BUY] < D("0.035")


@pytest.mark.parametrize("counted", [True, False])
def test_what_quotes_fill_while_a_hedge_goes_on_is_theirs(counted: bool) -> None:
    """The exchange's own count tells the two apart; without it all of it is the hedge's."""
    world = settled(hedge={"to": "zone"})
    world.memory = replace(world.memory, hedging=Side.BUY, quoted_epoch=7 if counted else 0)
    street = world.street
    street.resting.clear()
    street.base += D("0.3")  # 0.4 by the hedge, less 0.1 that a quote has sold
    street.quote -= D("0.3") * street.price
    snapshot = world.snapshot()
    assert snapshot.venue is not None
    venue = replace(
        snapshot.venue,
        quoted_base=D("-0.1"),
        quoted_quote=D(400),
        quoted_epoch=7 if counted else 0,
    )
    known = look(replace(snapshot, venue=venue), world.config).known
    assert known.traded_base == D("0.3")
    assert known.hedged_base == (D("0.4") if counted else D("0.3"))
    assert (known.quoted_base, known.quoted_epoch) == (venue.quoted_base, venue.quoted_epoch)


def test_without_ranges_there_is_nothing_to_drift_from() -> None:
    assert set(prices(drifted(middle(), None))) == {Side.BUY, Side.SELL}


def test_within_the_band_the_factor_goes_from_the_middle_to_its_ends() -> None:
    config = exchange_config(quotes={"enabled": True, "half_spread": D("0.5")})
    found = [
        band_prices(D(4000), D("0.35"), config.strategy, config.quotes, D(lean)).bid
        for lean in (-1, 0, 1)
    ]
    assert found == [D("3999.6"), D("3999.5"), D("3999.4")]
