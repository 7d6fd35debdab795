"""A refusal never raises exposure: whatever bites, what is still done only reduces it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.venue_builders import (
    PERPETUAL,
    SPOT,
    Street,
    an_instrument,
    both,
    exchange_config,
    placed,
)

from dexmm.engine.turn import execute
from dexmm.model.decision import State
from dexmm.model.order import Purpose
from dexmm.model.venue import PendingOrder, Side
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember

D = Decimal
AMOUNTS = st.decimals(min_value=0, max_value=20, places=3)
QUIET_CHAIN = {"strategy": {"min_position_quote": D(10**9)}}
DOUBTS = (
    "halted",
    "stale block",
    "stale book",
    "crossed",
    "suspended",
    "pending",
    "refused",
    "far from the pool",
    "corridor",
    "reducing",
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    wallet=AMOUNTS,
    spot=AMOUNTS,
    quote=st.decimals(min_value=0, max_value=60_000, places=2),
    doubts=st.sets(st.sampled_from(DOUBTS), min_size=1, max_size=3),
    quotes=st.booleans(),
    style=st.sampled_from(["ioc", "cheapest"]),
)
def test_whatever_bites_only_reduces(wallet, spot, quote, doubts, quotes, style) -> None:
    street = Street(base=spot, quote=quote, perpetual=an_instrument(PERPETUAL), margin=D(5_000))
    market = {"price_low": D(4500), "price_high": D(5000)} if "corridor" in doubts else {}
    config = exchange_config(
        quotes={"enabled": quotes}, hedge={"style": style}, market=market, **QUIET_CHAIN
    )
    stage = both(config, street, base=wallet, quote=D(30_000))
    _doubt(stage, doubts)
    decision, steps = stage.turn(0)
    orders = placed(steps)
    if doubts - {"reducing"}:
        assert all(order.reduce_only for order in orders)
        assert decision.trades == ()
    if "reducing" in doubts and decision.state is not State.HALTED:
        assert decision.state is State.REDUCING
        assert all(order.side is Side.SELL for order in orders)


def _doubt(stage, doubts: set[str]) -> None:
    street, world = stage.street, stage.world
    if "halted" in doubts:
        world.halted = "somebody said so"
    if "stale block" in doubts:
        world.behind = 10_000
    if "stale book" in doubts:
        street.book_age = 60
    if "crossed" in doubts:
        street.half = D("-0.5")
    if "suspended" in doubts:
        street.spot = an_instrument(tradable=False)
    if "pending" in doubts:
        street.pending = (
            PendingOrder(
                client_id="a", symbol=SPOT, side=Side.BUY, amount=D(1), filled=D(0), age_seconds=1
            ),
        )
    if "refused" in doubts:
        stage.memory = replace(stage.memory, orders_refused=1, order_refused_at=world.now)
    if "far from the pool" in doubts:
        street.price = D(4100)
    if "reducing" in doubts:
        stage.memory = replace(
            stage.memory,
            reducing=True,
            reference_price=D(4500),
            seen_at=world.now,
            venue_base=street.base,
            venue_quote=street.quote,
        )


class FailingChain:
    """Every step of the chain fails."""

    def observe(self):
        raise AssertionError("nobody asked")

    def send(self, step, verdict):
        from dexmm.errors import Transient

        raise Transient("the node is away")


class Quiet:
    def halted(self) -> str:
        return ""


def test_a_chain_that_fails_does_not_keep_the_hedge_from_its_exchange() -> None:
    config = exchange_config()
    stage = both(config, Street(base=D(5), quote=D(1_000)), base=D(10), quote=D(500))
    snapshot = stage.snapshot()
    decision = decide(snapshot, config)
    steps = plan(snapshot, decision, config)
    kinds = [step.kind for step in steps]
    assert "place_order" in kinds
    assert "rerange" in kinds
    outcomes = execute(FailingChain(), Quiet(), snapshot, steps, config, cex=stage.street)
    assert [(o.step, o.status) for o in outcomes] == [
        ("place_order", "done"),
        ("approve", "failed"),
    ]
    memory = remember(snapshot, decision, outcomes, config)
    assert memory.unsettled_base == D("-0.5")
    assert memory.last_hedge_at == stage.world.now


def test_a_refused_order_does_not_keep_the_range_from_the_chain() -> None:
    config = exchange_config()
    stage = both(config, Street(base=D(5), quote=D(1_000)), base=D(10), quote=D(500))
    stage.street.refuse = True
    _, steps = stage.turn()
    assert placed(steps, Purpose.HEDGE)
    assert stage.world.ranges


def test_a_day_of_one_ounce_trades_leaves_nothing_unhedged() -> None:
    """Gold that others move in and out of the wallet is hedged to the target every time."""
    config = exchange_config(**QUIET_CHAIN)
    street = Street(base=D(8), quote=D(60_000), fee_in_base=True)
    stage = both(config, street, base=D(6), quote=D(40_000))
    for moved in (5, -8, 7, -9, 12):
        stage.world.idle[0] = max(stage.world.idle[0] + moved * 10**18, 0)
        for _ in range(40):
            stage.turn()
        assert stage.decide().trades == ()
        assert D("0.2") <= stage.decide().share <= D("0.5")
        assert stage.memory.hedging is None
