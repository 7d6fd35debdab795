"""Whatever is sent to the simulated exchange, in whatever order: what must hold of it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from sim.exchange.sim_exchange_world import BUY, FLAT, PERPETUAL, REST, RICH, SIGN, Stage

from dexmm.model.order import OrderKind, Purpose
from dexmm.model.steps import CancelAll, CancelOrder, PlaceOrder, SetLeverage
from dexmm.model.venue import Side
from dexmm.sim.exchange.cost_model import SPOT as SPOT_TERMS
from dexmm.sim.exchange.cost_model import MarketTerms, VenueCosts
from dexmm.sim.exchange.exchange import VenueOpening

D = Decimal


def _price(stage: Stage, dice: random.Random) -> None:
    fair, far = stage.sim.fair_price, dice.random() < 0.15
    bp = dice.randint(-6000, 12_000) if far else dice.randint(-30, 30)
    to = max((fair * (10_000 + bp) / 10_000).quantize(D("0.01")), D(100))
    then = (to * (10_000 + dice.randint(-40, 40)) / 10_000).quantize(D("0.01"))
    seconds = dice.choice([60, 60, 60, 3600 * 5, 3600 * 50])
    stage.price(to, seconds, dice.choice(["", str(then)]))


def _order(stage: Stage, dice: random.Random) -> None:
    view = stage.sim.observe()
    assert view.perpetual is not None
    assert view.perpetual_book is not None
    instrument, book = dice.choice(
        [(view.spot, view.spot_book), (view.perpetual, view.perpetual_book)] * 3
        + list(zip(view.triangle, view.triangle_books, strict=True))
    )
    side, kind = dice.choice(list(Side)), dice.choice(list(OrderKind))
    facing = book.asks if side is BUY else book.bids
    start = facing[0].price if facing else stage.sim.fair_price
    steps = dice.randint(-400, 400) if kind is REST else dice.randint(-20, 600)
    small = dice.choice([3, 10, 30, 100])
    outcome = stage.sim.send(
        PlaceOrder(
            symbol=instrument.symbol,
            side=side,
            order=kind,
            purpose=dice.choice(list(Purpose)),
            amount=dice.randint(1, 5000) // small * instrument.amount_step,
            price=start + SIGN[side] * steps * instrument.price_step,
            reduce_only=instrument.contract and dice.random() < 0.2,
        )
    )
    if outcome.order is not None:
        assert outcome.order.kind is OrderKind.IOC or outcome.order.filled == 0  # it never takes
        assert outcome.order.kind is REST or outcome.order.status.final


def _cancel(stage: Stage, dice: random.Random) -> None:
    if resting := stage.sim.observe().resting:
        chosen = dice.choice(resting)
        stage.sim.send(CancelOrder(symbol=chosen.symbol, client_id=chosen.client_id))


def _cancel_all(stage: Stage, _: random.Random) -> None:
    assert stage.sim.send(CancelAll()).status == "done"
    assert stage.sim.observe().resting == ()


def _leverage(stage: Stage, dice: random.Random) -> None:
    stage.sim.send(SetLeverage(symbol=PERPETUAL, leverage=D(dice.randint(0, 3))))


ACTS = [*[_order] * 12, *[_price] * 6, _cancel, _cancel_all, _leverage]


def act(stage: Stage, dice: random.Random, times: int) -> Iterator[None]:
    for _ in range(times):
        dice.choice(ACTS)(stage, dice)
        yield


def dice_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - what is done, no secret


SEEDS = st.integers(0, 1 << 32)
COSTS = st.builds(
    VenueCosts,
    latency_ms=st.sampled_from([0, 250, 90_000]),
    recovery=st.sampled_from([D(0), D("0.5"), D(1)]),
    perpetual_basis_bp=st.sampled_from([D(0), D("-4.7"), D(80)]),
    funding_rate=st.sampled_from([D("0.0000114"), D("-0.0006"), D("0.003")]),
    leverage=st.sampled_from([1, 2]),
    spot=st.sampled_from([SPOT_TERMS, MarketTerms(depth=FLAT, maker_fee=D(0))]),
)
OPENINGS = st.sampled_from(
    [
        RICH,
        VenueOpening(coins={"PAXG": D(1), "USDT": D(900)}, margin=D(700)),
        VenueOpening(margin=D(900)),
    ]
)


@settings(max_examples=40, deadline=None)
@given(COSTS, OPENINGS, SEEDS.map(dice_of), st.integers(1, 60))
def test_whatever_is_done_the_books_close(
    costs: VenueCosts, opening: VenueOpening, dice: random.Random, times: int
) -> None:
    stage = Stage(costs=costs, opening=opening)
    for _ in act(stage, dice, times):
        stage.be_solvent()
        stage.close_the_books()
        stage.show_sound_books()
    stage.attribute()
    stage.keep_limits()
    stage.conserve()


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_same_orders_have_the_same_end(seed: int) -> None:
    one, other = Stage(), Stage()
    for stage in (one, other):
        deque(act(stage, dice_of(seed), 40), 0)
    assert one.sim.orders == other.sim.orders
    assert one.sim.observe() == other.sim.observe()
    assert one.sim.take_flows() == other.sim.take_flows()


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(-500, 500))
def test_nothing_that_is_seen_depends_on_what_comes(seed: int, then: int) -> None:
    """Up to the next step sent, the next price can be anything."""
    one, other = Stage(VenueCosts(latency_ms=500)), Stage(VenueCosts(latency_ms=500))
    for stage in (one, other):
        deque(act(stage, dice_of(seed), 20), 0)
    fair = one.sim.fair_price
    one.price(fair)
    other.price(fair, then=str(max(fair + then, D(1))))
    assert one.sim.observe() == other.sim.observe()
    assert one.sim.take_flows() == other.sim.take_flows()
