from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import START
from strategy.venue_builders import (
    SPOT,
    Street,
    a_book,
    an_instrument,
    both,
    exchange_config,
)

from dexmm.errors import BadInput
from dexmm.model.decision import Refusal
from dexmm.model.memory import Memory
from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import AmendOrder, CancelOrder, PlaceOrder
from dexmm.model.venue import PendingOrder, RestingOrder, Side
from dexmm.strategy.exposure.inventory import inventory
from dexmm.strategy.trading.plan_orders import plan_orders
from dexmm.strategy.trading.quote_levels import cancels_left
from dexmm.strategy.trading.quote_prices import (
    avellaneda_prices,
    band_prices,
    optimal_spread,
    reservation_price,
)
from dexmm.strategy.trading.quotes import Quoting, decide_quotes

D = Decimal
SIGMA = D("0.0000285")  # 16 % a year
NEAR = {"enabled": True, "half_spread": D("0.5")}  # nearer than fees: prices are what is asked here
WEEKEND = START - 2 * 86_400  # a Saturday, noon


def a_quoter(**quotes: object):
    return exchange_config(quotes={**NEAR, **quotes})


def quoting(street: Street, config=None, *, reference=None, now=START, **more: object) -> Quoting:
    config = config or a_quoter()
    street.now = now
    venue = street.view()
    price = street.price if reference is None else reference
    return decide_quotes(
        venue,
        inventory(None, price, venue),
        price,
        SIGMA,
        now,
        config,
        more.pop("memory", Memory()),
        **more,
    )


def refresh(street: Street, config=None, **more: object):
    """One refresh: decide, plan, send."""
    config = config or a_quoter()
    found = quoting(street, config, **more)
    steps = plan_orders(street.view(), (), found.quotes, config)
    for step in steps:
        street.send(step)
    return found, steps


def middle(**changes: object) -> Street:
    """A share of 35 %, well inside the band."""
    return Street(**{"base": D("3.5"), "quote": D(26_000), **changes})


def prices(found: Quoting) -> dict[Side, Decimal]:
    return {quote.side: quote.price for quote in found.quotes}


# The skews


@pytest.mark.parametrize(
    ("share", "bid", "ask"),
    [
        ("0.51", "3999.4", "4000.4"),  # the bid moves away
        ("0.50", "3999.5", "4000.5"),
        ("0.35", "3999.5", "4000.5"),
        ("0.20", "3999.5", "4000.5"),
        ("0.19", "3999.6", "4000.6"),  # the bid moves in
    ],
)
def test_three_bands(share: str, bid: str, ask: str) -> None:
    config = a_quoter()
    found = band_prices(D(4000), D(share), config.strategy, config.quotes)
    assert (found.bid, found.ask) == (D(bid), D(ask))


def test_the_paper_formulas_at_its_own_figures() -> None:
    four, left = D(4), D(1)
    assert reservation_price(D(100), D(3), D("0.1"), four, left) == D("98.8")
    assert optimal_spread(D("0.1"), D("1.5"), four, left) == pytest.approx(
        D("1.6908"), abs=D("0.0001")
    )


def test_avellaneda_leans_against_the_inventory() -> None:
    config = a_quoter(skew="avellaneda")
    even = avellaneda_prices(D(4000), D(0), SIGMA, config.quotes)
    long = avellaneda_prices(D(4000), D("0.5"), SIGMA, config.quotes)
    assert (even.bid + even.ask) / 2 == 4000
    assert long.bid < even.bid
    assert long.ask < even.ask
    assert long.ask - long.bid == pytest.approx(even.ask - even.bid)


def test_factors_that_would_cross_the_reference_are_refused() -> None:
    with pytest.raises(BadInput, match="bid_factor_low <= bid_factor_mid"):
        a_quoter(bid_factor_high=D(1))


# Quoting


def test_two_post_only_quotes_on_the_grid() -> None:
    street = middle()
    found, steps = refresh(street)
    assert prices(found) == {Side.BUY: D("3999.5"), Side.SELL: D("4000.5")}
    assert all(isinstance(step, PlaceOrder) for step in steps)
    assert {step.order for step in steps} == {OrderKind.POST_ONLY}
    assert {step.purpose for step in steps} == {Purpose.QUOTE}
    assert {step.amount for step in steps} == {D("0.1")}
    assert refresh(street)[1] == ()


def test_off_by_default() -> None:
    street = middle()
    refresh(street)
    found, steps = refresh(street, exchange_config())
    assert found.quotes == ()
    assert [type(step) for step in steps] == [CancelOrder, CancelOrder]


def test_an_order_within_tolerance_keeps_its_queue() -> None:
    street = middle(sent=100)
    refresh(street)
    before = list(street.resting)
    street.price += D("0.2")
    assert refresh(street)[1] == ()
    assert street.resting == before
    street.price += D("0.3")
    found, steps = refresh(street)
    # The ask is nearer than wanted, and next to be filled. The bid was left behind: it stays.
    assert [(step.kind, step.side, step.price) for step in steps] == [
        ("place_order", Side.BUY, D("4000.00"))
    ]
    assert [quote.price for quote in found.quotes] == [D("4000.00"), D("3999.50"), D("4000.50")]


def test_the_tolerance_is_below_the_wanted_distance_by_construction() -> None:
    street = middle(sent=100)
    config = a_quoter(tolerance_bp=D(100), half_spread=D("0.6"))  # 40 USDT, were it allowed
    refresh(street, config)
    street.price += D("0.4")
    placed = [step.side for step in refresh(street, config)[1] if isinstance(step, PlaceOrder)]
    assert placed == [Side.BUY]


def test_orders_left_behind_serve_again_when_the_price_comes_back() -> None:
    street = middle()
    for off in ("0", "0.4", "0.4", "0.4"):
        street.price += D(off)
        street.resting = [o for o in street.resting if o.side is Side.BUY]  # asks are filled
        refresh(street)
    bids = [order for order in street.resting if order.side is Side.BUY]
    assert len(bids) == 4
    for _ in range(3):
        street.resting.remove(max(bids, key=lambda order: order.price))  # filled on the way down
        street.price -= D("0.4")
        steps = refresh(street)[1]
        assert not [s for s in steps if isinstance(s, PlaceOrder) and s.side is Side.BUY]
        bids = [order for order in street.resting if order.side is Side.BUY]
    assert street.cancelled == 0


def test_with_all_levels_taken_the_farthest_makes_room() -> None:
    street, config = middle(), a_quoter(levels=2)
    for _ in range(3):
        street.resting = [o for o in street.resting if o.side is Side.BUY]
        refresh(street, config)
        street.price += D("0.4")
    bids = sorted(order.price for order in street.resting if order.side is Side.BUY)
    assert bids == [D("3999.90"), D("4000.30")]
    assert street.cancelled == 1


def test_levels_together_stay_within_the_band() -> None:
    street, config = middle(), a_quoter(size_base="0.5")
    for _ in range(12):
        street.resting = [o for o in street.resting if o.side is Side.BUY]
        refresh(street, config)
        street.price += D("0.4")
    bids = sum((o.amount for o in street.resting if o.side is Side.BUY), D(0))
    held = inventory(None, street.price, street.view())
    assert D("0.5") < bids
    assert held.share_after(bids) <= config.strategy.band_high + D("0.001")


def test_a_short_budget_makes_quotes_wider() -> None:
    rich = quoting(middle(sent=1000))
    short = quoting(middle(sent=1000, cancelled=300))
    assert prices(rich)[Side.BUY] == D("3999.5")
    assert prices(short)[Side.BUY] == D("3999.37")  # 1.25 times the half spread, rounded away
    assert prices(short)[Side.SELL] == D("4000.63")


def test_quotes_are_as_wide_as_the_price_moves_between_two_refreshes() -> None:
    fast = quoting(middle(), a_quoter(refresh_seconds=80))
    assert D("1.7") < D(4000) - prices(fast)[Side.BUY] < D("1.9")


def test_the_budget_has_credit_at_the_start() -> None:
    config = exchange_config(quotes=NEAR, exchange={"cancel_minimum_orders": 40})
    assert cancels_left(middle(sent=2).view(), config) == 12
    assert cancels_left(middle(sent=2, cancelled=5).view(), config) == 7
    assert cancels_left(middle(sent=200, cancelled=5).view(), config) == 55


def test_a_side_may_have_a_second_order_behind_the_first() -> None:
    found = quoting(middle(), a_quoter(least_levels=2))
    assert [quote.price for quote in found.quotes] == [D("3999.5"), 3999, D("4000.5"), 4001]


def test_a_part_that_is_left_of_an_order_stays() -> None:
    street = middle()
    refresh(street)
    street.resting[0] = replace(street.resting[0], filled=D("0.07"))
    assert refresh(street)[1] == ()


def test_the_cancel_budget_holds_an_order_back_and_says_so() -> None:
    config = exchange_config(
        quotes={**NEAR, "levels": 1, "budget_widen_factor": 1},
        exchange={"cancel_minimum_orders": 0},
    )
    street = middle(sent=10, cancelled=3)
    refresh(street, config)
    street.price += D(2)
    street.cancelled, street.sent = 3, 12
    found, steps = refresh(street, config, reference=D("4000.2"))
    assert steps == ()
    street.half = D("2")
    found, steps = refresh(street, config, reference=D("4003"))
    # The ask is on the wrong side of the reference: risk does not ask. The bid does.
    assert [step.kind for step in steps] == ["cancel_order", "place_order"]
    assert "cancel_budget" in {refusal.rule for refusal in found.refusals}


def test_two_orders_on_one_side_are_one_too_many() -> None:
    street = middle()
    refresh(street)
    bid = next(order for order in street.resting if order.side is Side.BUY)
    street.resting.append(replace(bid, client_id="twin", at=bid.at + 1))
    _, steps = refresh(street)
    assert [step.client_id for step in steps if isinstance(step, CancelOrder)] == ["twin"]


def test_orders_of_others_are_left_alone_and_never_met() -> None:
    street = middle()
    street.resting.append(
        RestingOrder(
            client_id="by hand",
            exchange_id="1",
            symbol=SPOT,
            side=Side.SELL,
            price=D("3999.20"),
            amount=D("0.1"),
            filled=D(0),
            at=START * 1000,
            ours=False,
        )
    )
    found, steps = refresh(street)
    assert prices(found)[Side.BUY] == D("3999.19")
    assert not [step for step in steps if isinstance(step, CancelOrder)]


def test_a_resting_hedge_is_not_a_quote() -> None:
    street = middle()
    refresh(street)
    hedge = street.resting[0]
    config = a_quoter()
    memory = Memory(hedge_order=hedge.client_id)
    found = quoting(street, config, memory=memory)
    steps = plan_orders(street.view(), (), found.quotes, config, leave={hedge.client_id})
    assert not [step for step in steps if isinstance(step, CancelOrder)]


@pytest.mark.parametrize("reference", [D(3999), D(4001)])
def test_the_corridor_stops_everything_and_raises_an_alarm(reference: Decimal) -> None:
    street = middle()
    refresh(street)
    config = exchange_config(
        quotes=NEAR, market={"price_low": D("3999.5"), "price_high": D("4000.5")}
    )
    found, steps = refresh(street, config, reference=reference)
    assert found.stopped
    assert {refusal.rule for refusal in found.refusals} == {"quote_corridor"}
    assert [type(step) for step in steps] == [CancelOrder, CancelOrder]


def test_doubt_about_the_price_takes_quotes_out_and_doubt_about_an_order_holds_them() -> None:
    street = middle()
    refresh(street)
    stale = Refusal(rule="stale_ticker", detail="")
    assert quoting(street, holds=(stale,)).quotes == ()
    street.resting.pop()
    pending = Refusal(rule="pending_order", detail="")
    held = quoting(street, holds=(pending,))
    assert [quote.side for quote in held.quotes] == [Side.BUY]
    assert plan_orders(street.view(), (), held.quotes, a_quoter()) == ()


def test_a_side_stops_beyond_its_margin_outside_the_band() -> None:
    heavy, light = Street(base=D(6), quote=D(19_000)), Street(base=D(1), quote=D(40_000))
    found = quoting(heavy)
    assert list(prices(found)) == [Side.SELL]
    assert {refusal.rule for refusal in found.refusals} == {"quote_inventory"}
    assert list(prices(quoting(light))) == [Side.BUY]
    # A fill does not carry the share out of its band.
    assert list(prices(quoting(Street(base=D("4.95"), quote=D(20_000))))) == [Side.SELL]
    # Where it is just outside already, both are quoted, the bid moved away.
    over = quoting(Street(base=D("5.2"), quote=D(20_000)))
    assert prices(over) == {Side.BUY: D("3999.4"), Side.SELL: D("4000.4")}


def test_orders_of_unknown_fate_count_against_the_limit() -> None:
    street = Street(base=D("5.2"), quote=D(20_000))
    assert Side.BUY in prices(quoting(street))
    street.pending = (
        PendingOrder(
            client_id="a", symbol=SPOT, side=Side.BUY, amount=D(1), filled=D(0), age_seconds=1
        ),
    )
    assert Side.BUY not in prices(quoting(street))


def test_the_stop_loss_quotes_no_bid() -> None:
    assert list(prices(quoting(middle(), reducing=True))) == [Side.SELL]
    # It ends half-way between the target and the band's low edge, as the stop-loss does.
    assert prices(quoting(Street(base=D("2.75"), quote=D(29_000)), reducing=True)) == {}


def test_what_is_not_there_is_not_quoted() -> None:
    wide = {"band_low": D(0), "band_high": D(1)}
    config = exchange_config(quotes=NEAR, strategy=wide)
    found = quoting(Street(base=D("0.05"), quote=D(300)), config)
    assert {quote.side: quote.amount for quote in found.quotes} == {
        Side.SELL: D("0.05"),
        Side.BUY: D("0.0750"),
    }
    assert "quote_balance" in {r.rule for r in quoting(Street(base=D(1), quote=D(1))).refusals}


@pytest.mark.parametrize(
    ("size", "rule", "words"),
    [
        ("0.001", "quote_size", "is below the minimum of binance, 0.0013 at this price"),
        ("0.00005", "quote_size", "rounds to nothing on the step of binance"),
        ("0.0013", None, None),  # 5.2 USDT: just enough
    ],
)
def test_a_size_below_the_minimum_is_told_from_too_little_that_is_free(size, rule, words) -> None:
    found = quoting(middle(), a_quoter(size_base=size))
    if rule is None:
        assert list(prices(found)) == [Side.BUY, Side.SELL]
        return
    assert found.quotes == ()
    assert [refusal.rule for refusal in found.refusals] == [rule] * 2
    for refusal in found.refusals:
        assert f"quotes.size_base of {size} PAXG {words}" in refusal.detail
        assert "at least 0.0001 PAXG and 5 USDT, in steps of 0.0001 PAXG" in refusal.detail
        assert "free" not in refusal.detail


@pytest.mark.parametrize(("size", "told"), [("0.001", True), ("0.0013", False)])
def test_a_size_that_can_never_be_quoted_is_told_while_a_hedge_trades(size, told) -> None:
    config = exchange_config(quotes={**NEAR, "enabled": True, "size_base": size})
    decision = both(config, Street(base=D(30), quote=D(1_000))).decide()
    assert any(trade.purpose is Purpose.HEDGE for trade in decision.trades)
    assert decision.quotes == ()
    details = [r.detail for r in decision.refusals if r.rule == "quote_size"]
    assert len(details) == int(told)
    if told:
        assert "0.0013 at this price" in details[0]
        assert details[0].endswith("nothing can be quoted")
        assert decision.below_minimum


def test_too_little_that_is_free_says_how_much_is_missing() -> None:
    wide = {"band_low": D(0), "band_high": D(1)}
    config = exchange_config(quotes=NEAR, strategy=wide)
    (told,) = quoting(Street(base=D(5), quote=D(4)), config).refusals
    assert told.rule == "quote_balance"
    assert told.detail == (
        "too little USDT is free on binance for a buy: it is enough for 0.001000 PAXG, and the "
        "minimum is 0.0013"
    )


def test_a_size_that_the_calendar_has_made_too_small_says_so() -> None:
    config = a_quoter(size_base="0.002", closed="shrink", shrink_factor="0.5")
    found = quoting(middle(), config, now=WEEKEND)
    assert {refusal.rule for refusal in found.refusals} == {"quote_size"}
    assert "0.001 PAXG (made smaller by the calendar)" in found.refusals[0].detail


@pytest.mark.parametrize(
    ("how", "bid", "amount"),
    [
        ("keep", "3999.50", "0.1"),
        ("widen", "3999.00", "0.1"),
        ("shrink", "3999.50", "0.05"),
        ("stop", None, None),
    ],
)
def test_the_calendar_widens_shrinks_or_stops(how, bid, amount) -> None:
    found = quoting(middle(), a_quoter(closed=how), now=WEEKEND)
    if bid is None:
        assert found.quotes == ()
        assert {refusal.rule for refusal in found.refusals} == {"quote_calendar"}
    else:
        assert prices(found)[Side.BUY] == D(bid)
        assert found.quotes[0].amount == D(amount)


def test_an_event_stops_quotes() -> None:
    config = exchange_config(
        quotes=NEAR,
        guards={"closed_events": "2025-06-16T11:00/2025-06-16T13:00"},
    )
    assert quoting(middle(), config).stopped
    assert not quoting(middle(), config, now=START + 3600).stopped


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    mid=st.decimals(min_value=3900, max_value=4100, places=2),
    reference=st.decimals(min_value=3900, max_value=4100, places=3),
    step=st.sampled_from([D("0.01"), D("0.1"), D(1), D("0.25")]),
    base=st.decimals(min_value=0, max_value=10, places=4),
    skew=st.sampled_from(["bands", "avellaneda"]),
    half=st.decimals(min_value="0.01", max_value=5, places=2),
    rests=st.lists(
        st.tuples(st.booleans(), st.decimals(min_value=-3, max_value=3, places=0)), max_size=4
    ),
)
def test_quotes_never_cross_the_book_or_each_other_and_sit_on_the_grid(
    mid, reference, step, base, skew, half, rests
) -> None:
    spot = an_instrument(price_step=step)
    centre = mid // step * step
    street = Street(
        price=centre, base=base, quote=D(40_000) - base * 4000, spot=spot, half=step * 2, sent=10
    )
    for number, (buys, off) in enumerate(rests):
        street.resting.append(
            RestingOrder(
                client_id=f"r{number}",
                exchange_id="",
                symbol=SPOT,
                side=Side.BUY if buys else Side.SELL,
                price=centre + (off - 5 if buys else off + 5) * step,
                amount=D("0.1"),
                filled=D(0),
                at=START * 1000,
                ours=True,
            )
        )
    config = a_quoter(skew=skew, half_spread=half)
    found = quoting(street, config, reference=reference)
    book = a_book(centre, half=step * 2)
    steps = plan_orders(street.view(), (), found.quotes, config)
    cancelled = {step.client_id for step in steps if isinstance(step, CancelOrder)}
    resting = [order for order in street.resting if order.client_id not in cancelled]
    for order in (step for step in steps if isinstance(step, PlaceOrder)):
        assert order.price % step == 0
        assert order.price > 0
        if order.side is Side.BUY:
            assert order.price < book.asks[0].price
            assert all(order.price < r.price for r in resting if r.side is Side.SELL)
        else:
            assert order.price > book.bids[0].price
            assert all(order.price > r.price for r in resting if r.side is Side.BUY)
    at = prices(found)
    if len(at) == 2:
        assert at[Side.BUY] < at[Side.SELL]
    # The decision is a target: once it rests, there is nothing to do.
    for change in steps:
        street.send(change)
    assert plan_orders(street.view(), (), found.quotes, config) == ()


@pytest.mark.parametrize("seed", range(8))
def test_the_cancel_ratio_holds_over_a_random_walk(seed: int) -> None:
    """Only orders that risk demands out may go beyond the budget."""
    dice = random.Random(seed)  # noqa: S311 - a walk, not a secret
    street, config = middle(), a_quoter()
    forced = 0
    for step in range(600):
        street.price += D(dice.randrange(-60, 61)) / 100
        # The market meets what stands within the book's spread of it, four times out of five.
        street.resting = [
            order
            for order in street.resting
            if (order.price - street.price) * (1 if order.side is Side.SELL else -1) > D("0.5")
            or dice.random() >= 0.8
        ]
        found = quoting(street, config, now=START + 5 * step)
        steps = plan_orders(street.view(), (), found.quotes, config)
        cancels = {s.client_id for s in steps if isinstance(s, CancelOrder)}
        risky = {
            order.client_id
            for order in street.resting
            if (order.price >= street.price) is (order.side is Side.BUY)
            or order.side not in prices(found)
        }
        forced += len(cancels & risky)
        for change in steps:
            street.send(change)
        assert street.cancelled - forced <= D("0.30") * street.sent
    assert street.sent > 50


def test_where_orders_are_amended_a_quote_follows_the_price_without_a_cancel() -> None:
    street = middle(amends=True)
    refresh(street)
    names = {order.client_id for order in street.resting}
    for off in (D(3), D("-5"), D("0.6"), D(9)):  # also past both of them at once
        street.price += off
        steps = refresh(street)[1]
        assert {type(step) for step in steps} <= {AmendOrder}
        assert {order.client_id for order in street.resting} == names
        for order in street.resting:
            assert abs(order.price - street.price) <= D("0.75")
        assert refresh(street)[1] == ()
    assert (street.sent, street.cancelled) == (2, 0)
    assert street.amended >= 6


def test_the_order_that_makes_room_is_amended_first() -> None:
    street = middle(amends=True)
    refresh(street)
    sides = {order.client_id: order.side for order in street.resting}
    street.price += D(3)
    steps = refresh(street)[1]
    assert [sides[step.client_id] for step in steps] == [Side.SELL, Side.BUY]
    street.price -= D(3)
    steps = refresh(street)[1]
    assert [sides[step.client_id] for step in steps] == [Side.BUY, Side.SELL]


def test_no_budget_is_asked_for_an_amendment() -> None:
    street = middle(amends=True, sent=10, cancelled=10)
    refresh(street)
    street.price += D(2)
    found, steps = refresh(street)
    assert [step.kind for step in steps] == ["amend_order", "amend_order"]
    assert "cancel_budget" not in {refusal.rule for refusal in found.refusals}


def test_a_small_rest_of_an_order_is_not_moved() -> None:
    street = middle(amends=True)
    refresh(street)
    bid = next(order for order in street.resting if order.side is Side.BUY)
    street.resting[street.resting.index(bid)] = replace(bid, filled=D("0.08"))
    street.price += D("0.4")
    steps = refresh(street)[1]
    assert [(s.kind, s.side, s.amount) for s in steps if isinstance(s, PlaceOrder)] == [
        ("place_order", Side.BUY, D("0.1"))
    ]


def test_a_side_that_is_not_wanted_is_cancelled_and_not_moved() -> None:
    street = middle(amends=True)
    refresh(street)
    steps = refresh(street, exchange_config())[1]
    assert [type(step) for step in steps] == [CancelOrder, CancelOrder]


def test_a_hedge_that_rests_never_becomes_a_quote() -> None:
    street = middle(amends=True)
    refresh(street)
    hedge = street.resting[0].client_id
    street.price += D(3)
    found = quoting(street)
    steps = plan_orders(street.view(), (), found.quotes, a_quoter(), hedge=hedge)
    assert hedge not in {step.client_id for step in steps if isinstance(step, AmendOrder)}


@pytest.mark.parametrize("seed", range(4))
def test_amended_quotes_stay_near_over_a_random_walk(seed: int) -> None:
    """Both sides rest near after every refresh, and nothing is cancelled but what risk demands."""
    dice = random.Random(seed)  # noqa: S311 - a walk, not a secret
    street, config = middle(amends=True), a_quoter()
    for step in range(200):
        street.price += D(dice.randrange(-300, 301)) / 100
        if dice.random() < 0.2 and street.resting:  # one is filled whole
            street.resting.pop(dice.randrange(len(street.resting)))
        found = quoting(street, config, now=START + 5 * step)
        for change in plan_orders(street.view(), (), found.quotes, config):
            street.send(change)
        assert {order.side for order in street.resting} == set(Side)
        for side in Side:
            away = min(abs(o.price - street.price) for o in street.resting if o.side is side)
            assert away <= D("0.75")
    assert street.cancelled == 0
    assert street.amended > 100


def test_a_holiday_is_a_closed_session() -> None:
    holiday = "2025-06-16T11:00/2025-06-16T13:00"
    config = exchange_config(
        quotes={"enabled": True, "closed": "stop"}, guards={"closed_sessions": holiday}
    )
    found = quoting(middle(), config)
    assert found.stopped
    assert holiday in found.refusals[0].detail
    assert not quoting(middle(), config, now=START + 3600).stopped
