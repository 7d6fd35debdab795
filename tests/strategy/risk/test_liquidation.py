"""How far a short is from its liquidation, what bounds it, and that it is bought back in time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.venue_builders import (
    PERPETUAL,
    Both,
    Street,
    an_instrument,
    both,
    exchange_config,
    placed,
)

from dexmm.model.decision import State
from dexmm.model.order import Purpose
from dexmm.model.venue import Balance, PendingOrder, Perpetual, Side
from dexmm.strategy.decide import decide
from dexmm.strategy.risk.liquidation import (
    excess,
    leverage_held,
    liquidation_distance,
    liquidation_price,
    short_room,
)

D = Decimal
AWAY = {"strategy": {"min_position_quote": D(10**9)}}


def a_perpetual(**changes: object):
    return an_instrument(PERPETUAL, amount_step=D("0.001"), amount_min=D("0.001"), **changes)


def short_stage(
    *,
    short: Decimal = Decimal(2),
    margin: Decimal = Decimal(8_000),
    wallet: Decimal = Decimal(10),
    **hedge: object,
) -> Both:
    """A short that was opened at 4000, against gold in the wallet that keeps the share in place."""
    street = Street(quote=D(20_000), perpetual=a_perpetual(), margin=margin, short=short)
    config = exchange_config(hedge=hedge, **AWAY)
    return both(config, street, base=wallet, quote=D(40_000))


def view_of(**changes: object):
    facts = {
        "base": D(-2),
        "entry_price": D(4000),
        "mark_price": D(4000),
        "unrealised": D(0),
        "margin": D(8_000),
        "leverage": D(1),
        "funding_rate": D(0),
        "funding_at": 0,
        **changes,
    }
    return replace(short_stage().snapshot().venue, position=Perpetual(**facts))


def test_the_price_at_which_a_short_is_liquidated_is_computed_where_nobody_states_it() -> None:
    # 8000 + 2 (4000 - p) = 0.01 * 2 p, solved for p.
    venue = view_of(maintenance=D("0.01"))
    price = liquidation_price(venue)
    assert price == pytest.approx(D(16_000) / D("2.02"))
    left = D(8_000) + 2 * (D(4000) - price)
    assert left == pytest.approx(D("0.01") * 2 * price)
    assert liquidation_distance(venue) == pytest.approx(price / 4000 - 1)
    assert leverage_held(venue) == 1
    # A long of the same size, the other way round.
    long = view_of(base=D(2), margin=D(2_000), maintenance=D("0.01"))
    price = liquidation_price(long)
    assert D(2_000) + 2 * (price - 4000) == pytest.approx(D("0.01") * 2 * price)
    assert liquidation_distance(long) == pytest.approx(1 - price / 4000)


def test_what_the_exchange_states_wins() -> None:
    venue = view_of(mark_price=D(5797), liquidation_price=D(5917), maintenance=D("0.01"))
    assert liquidation_price(venue) == 5917
    assert liquidation_distance(venue) == pytest.approx(D("0.0207"), abs=D("0.0001"))


@pytest.mark.parametrize(
    ("changes", "none"),
    [
        ({"base": D(0)}, True),
        ({"base": D("0.1"), "margin": D(50_000)}, True),  # no price above zero takes it
        ({"isolated_margin": D(400)}, False),
    ],
)
def test_positions_that_no_price_liquidates_have_no_distance(changes, none) -> None:
    assert (liquidation_distance(view_of(**changes)) is None) is none


def test_an_isolated_position_answers_with_its_own_margin_only() -> None:
    cross, isolated = view_of(), view_of(isolated_margin=D(800))
    assert liquidation_distance(isolated) < D("0.06") < D("0.9") < liquidation_distance(cross)


def test_a_shared_account_is_margin_with_its_quote() -> None:
    shared = view_of(base=D(0), margin=D(0), shared=True)
    shared = replace(shared, balances=(Balance(coin="USDT", free=D(9_000), total=D(9_000)),))
    room = short_room(shared, D(4000), exchange_config().hedge)
    assert room.base == pytest.approx(D("2.25"), abs=D("0.01"))


def test_a_leverage_that_is_not_whole_counts_as_the_one_below_it() -> None:
    venue = view_of(base=D(0))
    one = exchange_config(hedge={"leverage": D(1)}).hedge
    half = exchange_config(hedge={"leverage": D("1.5")}).hedge
    assert half.whole_leverage == 1
    assert short_room(venue, D(4000), half) == short_room(venue, D(4000), one)
    assert short_room(venue, D(4000), exchange_config(hedge={"leverage": D(2)}).hedge).base > 3


def test_no_short_is_opened_that_would_be_liquidated_nearer_than_the_distance_of_entry() -> None:
    config = exchange_config(hedge={"leverage": D(2), "liquidation_distance_entry": D("0.6")})
    room = short_room(view_of(base=D(0), maintenance=D("0.01")), D(4000), config.hedge)
    opened = view_of(base=-room.base, maintenance=D("0.01"))
    assert liquidation_distance(opened) == pytest.approx(D("0.6"), abs=D("0.001"))
    assert "liquidation_distance_entry" in room.by


def test_a_price_that_runs_up_is_met_by_buying_back_in_slices_before_liquidation() -> None:
    """From 4000 to 12000 and back: reduced on the way up, in slices, and left alone after that."""
    stage = short_stage()
    stage.turn()
    assert stage.street.short == 2
    nearest, slices, sides = D(1), [], []
    for price in [*range(4000, 12_001, 100), *range(12_000, 3_999, -400)]:
        stage.price(D(price))
        stage.memory = replace(stage.memory, peak_nav=None)
        before = stage.street.short
        decision, steps = stage.turn()
        orders = [o for o in placed(steps) if o.symbol == PERPETUAL]
        assert len(orders) <= 1
        for order in orders:
            sides.append(order.side)
            if order.side is Side.BUY:
                assert order.reduce_only
                assert order.amount <= stage.config.hedge.max_order_base
                assert order.purpose is Purpose.HEDGE
                slices.append(before - stage.street.short)
                assert "liquidation_distance" in {r.rule for r in decision.refusals}
        distance = liquidation_distance(stage.street.view())
        if distance is not None:
            nearest = min(nearest, distance)
    assert nearest > D("0.5")
    assert len(slices) >= 3
    assert all(part > 0 for part in slices)


def stage_at(price: Decimal, **options: object) -> Both:
    """The market has run away since the last turn, in one jump."""
    stage = short_stage(**options)
    stage.price(price)
    stage.memory = replace(stage.memory, peak_nav=None)
    return stage


def test_once_reduced_nothing_oscillates() -> None:
    stage = stage_at(D(5000))
    orders = []
    for _ in range(30):
        _, steps = stage.turn()
        orders.append([o.side for o in placed(steps) if o.symbol == PERPETUAL])
    bought = [o for o in orders if o]
    assert all(o == [Side.BUY] for o in bought)
    assert orders[len(bought) :] == [[]] * (30 - len(bought))  # all of them at once, then quiet
    assert not stage.memory.deleveraging
    held = leverage_held(stage.street.view())
    assert D("0.9") < held <= D("1.03")
    # A move of the price within the bounds wakes nothing.
    for price in (5050, 4960, 5080, 5000):
        stage.price(D(price))
        _, steps = stage.turn()
        assert not [o for o in placed(steps) if o.symbol == PERPETUAL and o.side is Side.BUY]


def test_the_setting_is_the_distance_at_which_it_begins_and_ends() -> None:
    settings_ = exchange_config(
        hedge={"liquidation_distance_min": D("0.2"), "liquidation_distance_entry": D("0.4")}
    ).hedge
    # An isolated margin, so that the distance alone decides.
    near = view_of(isolated_margin=D(1_500), maintenance=D("0.01"))
    assert liquidation_distance(near) < D("0.2")
    found = excess(near, settings_, under_way=False)
    assert found is not None
    assert "liquidation_distance_min" in found.why
    between = view_of(isolated_margin=D(2_500), maintenance=D("0.01"))
    assert D("0.2") < liquidation_distance(between) < D("0.4")
    assert excess(between, settings_, under_way=False) is None
    again = excess(between, settings_, under_way=True)
    assert again is not None
    assert "liquidation_distance_entry" in again.why
    left = view_of(base=-2 + again.base, isolated_margin=D(2_500), maintenance=D("0.01"))
    assert liquidation_distance(left) == pytest.approx(D("0.4"))
    assert excess(view_of(), settings_, under_way=True) is None


def test_a_leverage_that_the_price_has_raised_is_brought_back_to_the_one_configured() -> None:
    """At the door the short was worth its margin; a run of an eighth later it is worth 1.29."""
    stage = stage_at(D(4500))
    before = leverage_held(stage.street.view())
    assert before > D("1.25")
    for _ in range(10):
        stage.turn()
    assert leverage_held(stage.street.view()) < D("1.03")


def test_the_stop_loss_does_not_keep_it_from_buying_back() -> None:
    stage = stage_at(D(5000))
    stage.memory = replace(
        stage.memory, reducing=True, reference_price=D(6000), seen_at=stage.world.now
    )
    decision, steps = stage.turn(0)
    assert decision.state is State.REDUCING
    (order,) = [o for o in placed(steps) if o.symbol == PERPETUAL]
    assert (order.side, order.reduce_only, order.amount) == (Side.BUY, True, D("0.5"))


def test_quotes_and_doubts_of_other_markets_do_not_keep_it_from_buying_back() -> None:
    stage = stage_at(D(5000))
    stage.config = exchange_config(quotes={"enabled": True}, **AWAY)
    stage.world.price = D(5300)  # the pool says something else: no quotes, no hedges
    decision, steps = stage.turn(0)
    assert "pool_vs_exchange" in {r.rule for r in decision.refusals}
    assert [o.reduce_only for o in placed(steps)] == [True]


@pytest.mark.parametrize("doubt", ["pending", "stale", "hedge mode", "suspended", "disabled"])
def test_when_it_cannot_be_closed_it_says_so_and_why(doubt: str) -> None:
    stage = stage_at(D(5000))
    words = doubt
    if doubt == "pending":
        words = "is worth"
        stage.street.pending = (
            PendingOrder(
                client_id="a",
                symbol=PERPETUAL,
                side=Side.BUY,
                amount=D("0.5"),
                filled=D(0),
                age_seconds=1,
            ),
        )
    if doubt == "stale":
        words = "s old"
        stage.street.book_age = 60
    if doubt == "suspended":
        stage.street.perpetual = a_perpetual(tradable=False)
    if doubt == "disabled":
        words = "hedge.enabled"
        stage.config = exchange_config(hedge={"enabled": False}, **AWAY)
    snapshot = stage.snapshot()
    if doubt == "hedge mode":
        position = replace(snapshot.venue.position, hedge_mode=True)
        snapshot = replace(snapshot, venue=replace(snapshot.venue, position=position))
    decision = decide(snapshot, stage.config)
    told = [r.detail for r in decision.refusals if r.rule == "liquidation_distance"]
    assert told
    assert words in told[0]
    assert decision.trades == ()


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    short=st.decimals(min_value=D("0.01"), max_value=20, places=3),
    margin=st.decimals(min_value=0, max_value=60_000, places=2),
    price=st.decimals(min_value=2_000, max_value=9_000, places=2),
    leverage=st.sampled_from([D(1), D("1.5"), D(2)]),
)
def test_what_is_closed_brings_it_inside_its_bounds_and_never_past_flat(
    short: Decimal, margin: Decimal, price: Decimal, leverage: Decimal
) -> None:
    config = exchange_config(hedge={"leverage": leverage}).hedge
    unrealised = -short * (price - 4000)
    venue = view_of(base=-short, margin=margin, mark_price=price, unrealised=unrealised)
    found = excess(venue, config, under_way=False)
    if found is None:
        held, distance = leverage_held(venue), liquidation_distance(venue)
        assert held is None or held <= config.whole_leverage * D("1.25")
        assert distance is None or distance >= config.liquidation_distance_min
        return
    assert 0 < found.base <= short
    left = short - found.base
    if not left:
        return
    after = view_of(
        base=-left,
        margin=margin + found.base * (4000 - price),
        mark_price=price,
        unrealised=-left * (price - 4000),
    )
    assert leverage_held(after) <= config.whole_leverage * D("1.000001")
    assert liquidation_distance(after) >= config.liquidation_distance_entry - D("0.000001")
    assert excess(after, config, under_way=True) is None
