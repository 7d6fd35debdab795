"""Whole turns with the perpetual: ccxt's binanceusdm over loopback beside a small exact chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from cex.cex_world import NOBODY_TAKES, PERPETUAL, Hand, Trader
from strategy.builders import World

from dexmm.cli.status import show
from dexmm.config.schema import Config
from dexmm.engine.turn import execute
from dexmm.health.status import Sight, facts
from dexmm.model.decision import Decision
from dexmm.model.entry import Entry
from dexmm.model.memory import Memory, evolve
from dexmm.model.snapshot import Snapshot
from dexmm.model.steps import Outcome, PlaceOrder, SetLeverage, Step
from dexmm.model.venue import Side, VenueView
from dexmm.paper_exchange.api.fault_injection import Effect, FaultRule
from dexmm.paper_exchange.engine.settings import Opening
from dexmm.paper_exchange.paper_exchange import PaperExchange
from dexmm.performance.entry_text import headline
from dexmm.performance.track.entry_facts import Sketcher
from dexmm.store.codec import dump, load
from dexmm.strategy.decide import decide
from dexmm.strategy.plan import plan
from dexmm.strategy.remember import remember
from dexmm.strategy.risk.liquidation import liquidation_distance
from dexmm.telemetry.metrics import Metrics

D = Decimal
NEW_SHORT = "POST /fapi/v1/order"


class NotHalted:
    def halted(self) -> str:
        return ""


@dataclass
class Turns:
    """The real client of a paper exchange, and gold in a wallet that only a short can hedge."""

    trader: Trader
    config: Config
    world: World
    memory: Memory = field(default_factory=Memory)
    outcomes: tuple[Outcome, ...] = ()
    snapshot: Snapshot | None = None

    @property
    def paper(self) -> PaperExchange:
        return self.trader.paper

    @property
    def venue(self) -> VenueView:
        assert self.snapshot is not None
        assert self.snapshot.venue is not None
        return self.snapshot.venue

    def price(self, price: Decimal) -> None:
        self.world.price = price
        self.paper.set_fair_price("PAXGUSDT", price)

    def turn(self) -> tuple[Decision, tuple[Step, ...]]:
        self.world.pass_time(60)
        self.snapshot = Snapshot(
            chain=self.world.view(),
            venue=self.trader.observe(),
            observed_at=self.world.now,
            memory=evolve(self.memory, peak_nav=None, peak_against_hold=None),
            halted="",
        )
        decision = decide(self.snapshot, self.config)
        steps = plan(self.snapshot, decision, self.config)
        self.outcomes = execute(
            self.world,  # type: ignore[arg-type]  # no step is ever for it: nothing is deployed
            NotHalted(),  # type: ignore[arg-type]  # of a journal only the flag is asked for
            self.snapshot,
            steps,
            self.config,
            cex=self.trader.client,
        )
        self.memory = remember(self.snapshot, decision, self.outcomes, self.config)
        return decision, steps

    def short(self) -> Decimal:
        """The exchange's own truth; positive when short."""
        with self.paper.exchange.visit():
            account = self.paper.exchange.ledger.accounts["paper"]
            return -account.futures.position("PAXGUSDT").amount

    def orders(self) -> list[str]:
        with self.paper.exchange.visit():
            found = self.paper.exchange.state.orders(
                "perpetual:PAXGUSDT", "paper", since_ms=0, until_ms=1 << 60, from_id=0, limit=1000
            )
        return [order.ask.client_order_id for order in found]


OPENING = Opening(spot={"USDT": D(1_000)}, margin=D(8_000))


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    from dataclasses import replace

    with PaperExchange(replace(NOBODY_TAKES, accounts=(OPENING,))) as exchange:
        yield exchange
        assert exchange.imbalance() == {}


@pytest.fixture
def hedge() -> dict[str, object]:
    return {}


@pytest.fixture
def turns(
    tmp_path: Path, paper: PaperExchange, clock: Hand, hedge: dict[str, object]
) -> Iterator[Turns]:
    """4 PAXG in the wallet, 1000 USDT and 8000 of margin on the exchange: a share of 0.64."""
    trader = Trader(tmp_path, paper, clock, perpetual_id="binanceusdm", perpetual_symbol=PERPETUAL)
    config = trader.config
    sections = {
        "strategy": config.strategy.model_copy(update={"min_position_quote": D(10**9)}),
        "hedge": config.hedge.model_copy(update={"style": "ioc", "to": "target", **hedge}),
    }
    config = config.model_copy(update=sections)
    made = Turns(trader, config, World(config, base=D(4), quote=D(0)))
    yield made
    trader.client.close()


def until_quiet(turns: Turns, most: int = 20) -> list[Step]:
    done: list[Step] = []
    for _ in range(most):
        _, steps = turns.turn()
        assert {outcome.status for outcome in turns.outcomes} <= {"done"}, turns.outcomes
        if not steps:
            return done
        done += steps
    raise AssertionError("it never comes to rest")


@pytest.mark.parametrize("hedge", [{"leverage": D("1.5")}, {"leverage": D(2)}])
def test_the_leverage_that_is_counted_with_is_the_one_that_is_set(
    turns: Turns, hedge: dict[str, object]
) -> None:
    """Margin for 1.3 PAXG at leverage 1 and 2.6 at 2, a gap of 1.8: nothing is ever refused."""
    with turns.paper.exchange.visit():
        turns.paper.exchange.ledger.deposit_margin(
            turns.paper.exchange.ledger.accounts["paper"], D(-2_800)
        )
    steps: list[Step] = []
    for _ in range(12):
        _, planned = turns.turn()
        steps += planned
        assert {outcome.status for outcome in turns.outcomes} <= {"done"}, turns.outcomes
    whole = D(1) if hedge["leverage"] == D("1.5") else D(2)
    assert [s for s in steps if isinstance(s, SetLeverage)] == [
        SetLeverage(symbol=PERPETUAL, leverage=whole)
    ]
    if whole == 1:
        assert D("1.28") < turns.short() < D("1.3")
    else:
        assert turns.short() > D("1.5")


def test_a_leverage_that_is_not_whole_is_refused_at_the_edge_and_not_rounded(turns: Turns) -> None:
    turns.trader.observe()
    before = turns.trader.client.connection.requests
    step = SetLeverage(symbol=PERPETUAL, leverage=D("1.5"))
    outcome = turns.trader.client.send(step)
    assert outcome.status == "refused"
    assert "not a whole number" in outcome.detail
    assert turns.trader.client.connection.requests == before


def test_a_short_is_bought_back_before_the_exchange_takes_it_over(turns: Turns) -> None:
    """The price walks from 4000 to 9000, past where the short would have been liquidated."""
    until_quiet(turns)
    opened = turns.short()
    assert opened > D("1.5")
    first = turns.venue.position
    assert first is not None
    assert first.liquidation_price is not None  # as the exchange states it
    assert first.liquidation_price < 9000
    nearest, bought, sides = D(1), D(0), set[Side]()
    for price in range(4000, 9001, 125):
        turns.price(D(price))
        _, steps = turns.turn()
        assert {outcome.status for outcome in turns.outcomes} <= {"done"}
        for step in steps:
            if isinstance(step, PlaceOrder):
                sides.add(step.side)
                assert step.reduce_only == (step.side is Side.BUY)
                assert step.amount <= turns.config.hedge.max_order_base
        bought += sum(o.order.filled for o in turns.outcomes if o.order and o.order.side == "buy")
        distance = liquidation_distance(turns.venue)
        assert distance is not None
        nearest = min(nearest, distance)
    assert nearest > D("0.3")
    assert bought > D("0.5")
    assert sides == {Side.BUY}
    assert 0 < turns.short() < opened
    liquidated = [name for name in turns.orders() if name.startswith("autoclose")]
    assert liquidated == []
    # And where the price stays, nothing goes on.
    until_quiet(turns)
    quiet = turns.short()
    for price in (8950, 9050, 9000):
        turns.price(D(price))
        turns.turn()
    assert abs(turns.short() - quiet) < D("0.02")


def test_without_that_the_same_walk_ends_in_liquidation(turns: Turns) -> None:
    """What the guard is for: the same short, left alone."""
    until_quiet(turns)
    for price in range(4000, 9001, 125):
        turns.price(D(price))
    assert turns.short() == 0
    assert any(name.startswith("autoclose") for name in turns.orders())


@pytest.mark.parametrize("fault", [Effect.TIMEOUT_AFTER, Effect.TIMEOUT_BEFORE, Effect.DROP])
def test_a_lost_answer_to_a_closing_order_is_looked_for_and_not_sent_again(
    turns: Turns, fault: Effect
) -> None:
    until_quiet(turns)
    opened, before = turns.short(), len(turns.orders())
    turns.price(D(5_000))
    turns.trader.impatient()
    turns.paper.add_fault(FaultRule(endpoint=NEW_SHORT, effect=fault, seconds=D(2)))
    decision, steps = turns.turn()
    assert [s.reduce_only for s in steps if isinstance(s, PlaceOrder)] == [True]
    arrived = fault is not Effect.TIMEOUT_BEFORE
    assert len(turns.orders()) - before == int(arrived)
    if not arrived:
        # Its fate is open until the exchange would refuse it as too late; nothing new is sent.
        decision, steps = turns.turn()
        assert "pending_order" in {r.rule for r in decision.refusals}
        assert steps == ()
        turns.trader.clock.ahead += 8
    until_quiet(turns)
    names = turns.orders()
    assert len(names) == len(set(names))
    assert turns.short() < opened
    stored = turns.trader.stored()
    assert {order.status.final for order in stored} == {True}
    mine = {order.client_id for order in stored if order.filled}
    assert mine == set(names)


def test_status_log_and_metrics_tell_how_far_the_short_is_from_its_liquidation(
    turns: Turns, capsys: pytest.CaptureFixture[str]
) -> None:
    until_quiet(turns)
    decision, _ = turns.turn()
    assert turns.snapshot is not None
    sight = Sight(snapshot=turns.snapshot, decision=decision, last=None, warnings=())
    told = facts(sight, turns.config)["perpetual"]
    assert isinstance(told, dict)
    position = turns.venue.position
    assert position is not None
    assert told["liquidation_stated"] is True
    assert told["liquidation_price"] == position.liquidation_price
    away = (position.liquidation_price or 0) / position.mark_price - 1
    assert told["liquidation_distance"] == pytest.approx(away)
    assert told["leverage_held"] < 1
    show(sight, turns.config)
    assert f"{away * 100:.1f} % from the mark" in capsys.readouterr().out
    entry = Entry(
        id=1,
        at=turns.world.now,
        config="",
        snapshot=turns.snapshot,
        decision=decision,
        steps=(),
        outcomes=(),
        memory=turns.memory,
    )
    assert f"liquidation {away * 100:.1f} % away" in headline(entry)
    point = Sketcher().point(entry, decision.share, decision.nav)
    assert point.liquidation_distance == pytest.approx(away)
    metrics = Metrics({"": "gold"})
    metrics.turned(entry)
    on_page = {family.name: family.samples for family in metrics.collect()}
    [distance] = on_page["dexmm_perpetual_liquidation_distance_ratio"]
    assert (distance.labels, distance.value) == ({"market": "gold"}, pytest.approx(float(away)))
    [base] = on_page["dexmm_perpetual_base"]
    assert base.value == float(position.base) < 0


def test_a_snapshot_from_before_liquidation_was_watched_is_still_read(turns: Turns) -> None:
    until_quiet(turns)
    turns.turn()
    stored = json.loads(dump(turns.snapshot))
    for name in ("liquidation_price", "maintenance", "isolated_margin", "shared", "hedge_mode"):
        del stored["venue"]["position"][name]
    del stored["memory"]["deleveraging"]
    read = load(Snapshot, json.dumps(stored))
    assert read.venue is not None
    assert read.venue.position is not None
    assert read.venue.position.liquidation_price is None
    assert liquidation_distance(read.venue) is not None  # computed instead
    decide(read, turns.config)


def test_funding_is_in_the_margin_and_moves_no_hedge(turns: Turns) -> None:
    until_quiet(turns)
    turns.turn()
    short, before = turns.short(), turns.venue.position
    turns.paper.exchange.set_funding("PAXGUSDT", D("0.0001"), D(0))
    turns.paper.advance(turns.paper.exchange.clock.now_ms() + 1)
    _, steps = turns.turn()
    assert before is not None
    assert turns.venue.position is not None
    paid = turns.venue.position.margin - before.margin
    assert paid == pytest.approx(short * before.mark_price * D("0.0001"))  # shorts are paid
    assert (steps, turns.short()) == ((), short)


def test_four_hours_of_turns_with_a_funding_payment_in_them(turns: Turns) -> None:
    """A turn every ten minutes on the exchange's own clock: paid once, counted once, no order."""
    turns.paper.exchange.set_funding("PAXGUSDT", D("-0.0002"), D(3 * 3600))
    until_quiet(turns)
    turns.turn()
    short, orders, before = turns.short(), turns.orders(), turns.venue.position
    assert before is not None
    margins = [before.margin]
    for _ in range(24):
        ahead_ms = 600_000
        turns.trader.clock.ahead += ahead_ms // 1000
        turns.paper.advance(turns.paper.exchange.clock.now_ms() + ahead_ms)
        _, steps = turns.turn()
        assert steps == ()
        assert turns.venue.position is not None
        margins.append(turns.venue.position.margin)
    paid = -short * before.mark_price * D("0.0002")  # a negative rate is paid by shorts
    changes = [after - earlier for earlier, after in pairwise(margins)]
    assert [n for n, change in enumerate(changes) if abs(change) > abs(paid) / 2] == [17]
    assert margins[-1] - margins[0] == pytest.approx(paid, rel=D("0.01"))
    assert (turns.short(), turns.orders()) == (short, orders)


def test_killed_before_the_answer_to_a_closing_order_it_is_found_again(turns: Turns) -> None:
    until_quiet(turns)
    opened = turns.short()
    turns.price(D(5_000))
    turns.trader.impatient()
    rule = FaultRule(endpoint=NEW_SHORT, effect=Effect.TIMEOUT_AFTER, seconds=D(2))
    turns.paper.add_fault(rule)
    turns.turn()
    turns.trader.restart()
    until_quiet(turns)
    assert turns.short() < opened
    assert len(turns.orders()) == len(set(turns.orders()))
    assert all(order.status.final for order in turns.trader.stored())
