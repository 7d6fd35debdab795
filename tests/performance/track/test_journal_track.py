"""A journal told as a track: every unit has its source, and what has none is shown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from report.report_scene import Recorder, total
from strategy.builders import a_config
from strategy.venue_builders import EXCHANGE, Street, both, exchange_config

from dexmm.errors import BadInput
from dexmm.model.steps import Outcome
from dexmm.performance.attribution import Source, attribute, legs
from dexmm.performance.track.journal_track import from_journal
from dexmm.strategy.exposure.inventory import inventory
from dexmm.units import to_decimal

D = Decimal
GWEI = 10**9
DUST = D("0.00001")  # quote


def pool_alone(**world: object) -> Recorder:
    return Recorder(both(a_config(), Street(), **world))


@pytest.fixture
def recorder() -> Recorder:
    """A pool, no exchange; liquidity is in its ranges."""
    found = pool_alone()
    found.turn()
    found.turn()
    return found


def unexplained(recorder: Recorder) -> tuple[Decimal, Decimal]:
    return total(recorder.track(), Source.UNEXPLAINED)


def test_fees_and_price_moves_are_told_apart(recorder: Recorder) -> None:
    recorder.earn(10**15, 7_000_000)
    recorder.scene.price(D(4010))
    recorder.turn(600)
    track = recorder.track()
    count = len(recorder.entries[-1].snapshot.chain.positions)
    assert total(track, Source.FEES) == (D("0.001") * count, D(7) * count)
    base, quote = total(track, Source.LIQUIDITY)
    assert base < 0 < quote  # the price rose through our asks
    assert {flow.source for mark in track.marks for flow in mark.flows} == {
        Source.FEES,
        Source.LIQUIDITY,
    }


def test_a_re_range_keeps_fees_and_principal_apart(recorder: Recorder) -> None:
    """Fees that it collected were earned; what it moved was not."""
    count = len(recorder.entries[-1].snapshot.chain.positions)
    recorder.earn(10**15, 7_000_000)
    recorder.scene.price(D(4400))
    while not any(o.collected1 for o in recorder.entries[-1].outcomes):
        recorder.turn(1800)
    recorder.turn()
    track = recorder.track()
    assert total(track, Source.FEES) == (D("0.001") * count, D(7) * count)
    assert unexplained(recorder) == (0, 0)
    assert [leg.number for leg in legs(track.marks)] == [1, 2]
    assert [a.kind for a in track.actions if a.kind in {"deposit", "rerange"}] == [
        "deposit",
        "rerange",
    ]


@pytest.mark.parametrize(
    ("looked", "mined"), [(3600, "3599.7"), (4400, "4400.3"), (4400, "4399.9")]
)
def test_mined_at_another_price_the_split_is_right_to_a_few_units(
    recorder: Recorder, looked: int, mined: str
) -> None:
    count = len(recorder.entries[-1].snapshot.chain.positions)
    recorder.earn(10**15 + 7, 7_000_001)
    recorder.scene.price(D(looked))
    moved = False
    while not moved:
        recorder.turn(1800, mined_at=D(mined))
        moved = any(o.collected0 or o.collected1 for o in recorder.entries[-1].outcomes)
        recorder.scene.price(D(looked))
    recorder.turn()
    track = recorder.track()
    base, quote = total(track, Source.FEES)
    assert abs(base - to_decimal((10**15 + 7) * count, 18)) <= D("1e-9")
    assert abs(quote - to_decimal(7_000_001 * count, 6)) <= D("2e-6")
    assert total(track, Source.UNEXPLAINED) == (0, 0)


def test_a_deposit_is_capital_and_no_gain(recorder: Recorder) -> None:
    recorder.scene.world.idle[1] += 5_000 * 10**6
    recorder.turn()
    track = recorder.track()
    assert total(track, Source.CAPITAL) == (0, 5_000)
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    # A mint rounds a unit away.
    assert abs(attribute(track.marks).against_holding) < DUST


def test_a_withdrawal_is_capital_and_no_loss(recorder: Recorder) -> None:
    recorder.scene.world.idle[1] -= 5_000 * 10**6
    recorder.turn()
    assert abs(attribute(recorder.track().marks).against_holding) < DUST


def test_an_exit_by_hand_changes_nothing(recorder: Recorder) -> None:
    """A withdraw that no turn knows of: the positions are gone, the wallet has it all."""
    world = recorder.scene.world
    for token_id, (_, _, liquidity) in list(world.ranges.items()):
        world._remove(token_id, liquidity, True)
    recorder.turn()
    track = recorder.track()
    assert total(track, Source.UNEXPLAINED) == total(track, Source.CAPITAL) == (0, 0)


def test_what_leaves_with_an_exit_by_hand_is_unexplained(recorder: Recorder) -> None:
    world = recorder.scene.world
    for token_id, (_, _, liquidity) in list(world.ranges.items()):
        world._remove(token_id, liquidity, True)
    world.idle[1] -= 9_000 * 10**6
    recorder.turn()
    track = recorder.track()
    base, quote = total(track, Source.UNEXPLAINED)
    assert quote == pytest.approx(-9_000, abs=1)
    assert abs(base) < D("1e-9")
    assert attribute(track.marks).against_holding == pytest.approx(-9_000, abs=1)


def test_a_re_range_that_was_mined_late_explains_itself(recorder: Recorder) -> None:
    """Its turn saw no receipt; by the next one its positions are there, at another price."""
    recorder.scene.price(D(4400))
    while not any(o.collected1 for o in recorder.entries[-1].outcomes):
        recorder.turn(1800)
    late = recorder.entries[-1]
    pending = tuple(
        replace(o, status="pending", collected0=0, collected1=0, minted=())
        if o.step == "rerange"
        else o
        for o in late.outcomes
    )
    recorder.entries[-1] = replace(late, outcomes=pending)
    recorder.scene.price(D(4402))
    recorder.turn()
    track = recorder.track()
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    assert total(track, Source.CAPITAL) == (0, 0)
    attribute(track.marks)


def test_gas_belongs_to_the_stretch_it_begins(recorder: Recorder) -> None:
    first = recorder.entries[0]
    burned = tuple(
        replace(o, gas_used=500_000, gas_price=GWEI) if o.step == "rerange" else o
        for o in first.outcomes
    )
    recorder.entries[0] = replace(first, outcomes=burned)
    track = recorder.track()
    assert total(track, Source.GAS) == (0, D("-0.0005") * 4000)
    assert [leg.attribution.part(Source.GAS).total for leg in legs(track.marks)] == [-2]
    assert [a.gas_quote for a in track.actions if a.kind == "deposit"] == [2]


def test_points_are_what_was_decided_with() -> None:
    recorder = Recorder(both(street=Street(base=D(2), quote=D(9_000))))
    for price in (4000, 4003, 3990):
        recorder.scene.price(D(price))
        recorder.turn()
    track = recorder.track()
    for entry, point, mark in zip(recorder.entries, track.points, track.marks, strict=True):
        held = inventory(entry.snapshot.chain, entry.decision.fair_price, entry.snapshot.venue)
        assert (point.share, point.nav) == (entry.decision.share, entry.decision.nav)
        assert (mark.base, mark.quote) == (held.base_total, held.quote_total)
    roles = {shown.role for shown in track.points[-1].ranges}
    assert "base" in roles
    assert "" not in roles


def test_a_hedge_is_told_from_its_fee() -> None:
    """A deposit on the exchange puts the share out of its band; the hedge sells it off."""
    recorder = Recorder(both(street=Street(base=D(2), quote=D(9_000))))
    recorder.turn()
    recorder.turn()
    recorder.scene.street.base += 20
    for _ in range(6):
        recorder.turn()
    track = recorder.track()
    # What the last turn sold is in no balance that was looked at yet.
    unseen = {o.order.client_id for o in recorder.entries[-1].outcomes if o.order}
    sold = [o for o in recorder.orders() if o.filled and o.client_id not in unseen]
    assert sold
    assert total(track, Source.HEDGE) == (
        -sum(order.filled for order in sold),
        sum(order.cost for order in sold),
    )
    assert total(track, Source.EXCHANGE_FEE) == (0, -sum(order.fee_quote for order in sold))
    assert total(track, Source.CAPITAL) == (20, 0)
    assert total(track, Source.UNEXPLAINED) == (0, 0)
    assert sum(a.kind == "hedge" for a in track.actions) == len(sold) + len(unseen)


def test_balances_that_lag_are_waited_for() -> None:
    recorder = Recorder(both(street=Street(base=D(22), quote=D(9_000))))
    recorder.turn()
    recorder.scene.street.lag = True
    recorder.turn()
    recorder.turn()
    recorder.scene.street.lag = False
    recorder.turn()
    recorder.turn()
    track = recorder.track()
    assert any(order.filled for order in recorder.orders())
    assert all(flow.source is not Source.UNEXPLAINED for mark in track.marks for flow in mark.flows)


def test_an_exchange_that_was_added_is_a_deposit() -> None:
    recorder = pool_alone()
    recorder.turn()
    recorder.turn()
    recorder.scene.config = exchange_config(exchange=EXCHANGE)
    recorder.scene.street.base, recorder.scene.street.quote = D(1), D(7_000)
    # The scene shows its exchange to every turn; the first two had none configured.
    bare = [replace(e, snapshot=replace(e.snapshot, venue=None)) for e in recorder.entries]
    forgotten = replace(recorder.scene.memory, venue_base=None, venue_quote=None)
    recorder.scene.memory = forgotten
    recorder.entries = bare
    recorder.turn()
    track = recorder.track()
    assert total(track, Source.CAPITAL) == (1, 7_000)
    assert total(track, Source.UNEXPLAINED) == (0, 0)


def test_a_step_that_never_began_has_no_outcome(recorder: Recorder) -> None:
    """A refused re-range ends the chain's steps; the order after them is still the order's."""
    entry = recorder.entries[0]
    kinds = [step.kind for step in entry.steps]
    refused = Outcome(step=kinds[0], status="refused", detail="too much")
    recorder.entries[0] = replace(entry, outcomes=(refused,))
    found = from_journal(recorder.entries[:1], (), recorder.scene.config)
    assert [(a.kind, a.status) for a in found.actions] == [(kinds[0], "refused")]


def test_nothing_on_record_says_so() -> None:
    with pytest.raises(BadInput, match="no turn is on record"):
        from_journal([], (), a_config())
