"""measured: nothing where the pool does not pay, L* where it does, as wide as that allows."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.paying_world import PayingWorld, measured_config

from dexmm.decimal_context import DAY
from dexmm.strategy.context.context import Look, look, situation
from dexmm.strategy.decide import fresh_targets
from dexmm.strategy.pay.measurement import Pay
from dexmm.strategy.pay.trigger import rerange_gas
from dexmm.strategy.ranges.range_edges import place
from dexmm.strategy.ranges.range_input import Situation
from dexmm.strategy.ranges.strategies.budget import fill
from dexmm.strategy.ranges.strategies.measured import around, distances, measured, moving, sized

D = Decimal


def paying(ratio: str, liquidity: int = 10**17, **strategy: object) -> PayingWorld:
    world = PayingWorld(measured_config(**strategy), pool_liquidity=liquidity)
    world.fees_a_day = world.fees_of_ratio(ratio)
    return world


def looked(world: PayingWorld) -> Look:
    return look(world.snapshot(), world.config)


def here(world: PayingWorld) -> Situation:
    seen = looked(world)
    return replace(situation(seen, near=0), gas_quote=rerange_gas(seen))


def test_nothing_is_placed_before_the_pool_has_been_watched() -> None:
    world = paying("5", pay_measure_hours=12)
    assert world.live(11) == []
    assert world.live(9) == ["start"]  # and dwelt upon


@pytest.mark.parametrize("ratio", ["0", "0.5", "0.95"])
def test_where_the_pool_does_not_pay_it_stands_aside_and_says_so(ratio: str) -> None:
    world = paying(ratio)
    assert world.live(48) == []
    decision = world.decide()
    assert decision.targets == ()
    assert not decision.withheld
    assert decision.reason.startswith("standing aside: other people pay liquidity")
    assert f"{Decimal(ratio):.2f} of the" in decision.reason
    assert "it would provide from" in decision.reason


def test_from_what_it_says_on_it_provides_and_not_before() -> None:
    world = paying("0.5")
    world.base_fee_wei = 10**9
    world.live(24)
    told = re.search(r"would provide from ([\d.]+) a day on, ([\d.]+) of it", world.decide().reason)
    assert told is not None
    needed = Decimal(told[2])
    assert needed > 1
    for times, acts in (("0.97", False), ("1.3", True)):
        other = paying(str(needed * Decimal(times)))
        other.base_fee_wei = 10**9
        other.fees_a_day = other.fees_of_ratio(str(needed * Decimal(times)))
        assert bool(other.live(24)) is acts


def test_where_it_pays_the_liquidity_is_what_is_believed_of_the_best() -> None:
    world = paying("1.5")
    assert world.live(24) == ["start"]
    held = sum(liquidity for _, _, liquidity in world.ranges.values())
    pay = looked(world).pay
    best = pay.best
    assert held == pytest.approx(float(best), rel=0.15)  # some hours ago it was believed less
    believed = pay.expected / pay.cost / pay.others
    assert 1 < believed < pay.ratio == pytest.approx(D("1.5"), rel=D("0.01"))
    assert best == pytest.approx((believed.sqrt() - 1) * world.pool_liquidity, rel=D("0.01"))


def test_where_more_would_pay_than_the_band_allows_it_takes_what_the_band_allows() -> None:
    world = paying("20", liquidity=10**18)
    world.live(24)
    held = sum(liquidity for _, _, liquidity in world.ranges.values())
    assert 0 < held < looked(world).pay.best / 4


def test_when_it_pays_no_more_everything_is_taken_out() -> None:
    world = paying("2")
    assert world.live(24) == ["start"]
    world.fees_a_day = D(0)
    assert "pay" in world.live(72)
    assert world.ranges == {}
    assert world.live(72) == []


def test_a_jump_of_flow_is_answered_within_a_day() -> None:
    world = paying("0.7")
    assert world.live(96) == []
    world.fees_a_day = world.fees_of_ratio("2.5")
    assert world.live(24)[0] == "start"


def test_gas_that_the_change_does_not_earn_holds_it_back() -> None:
    world = paying("1.5")
    world.base_fee_wei = 20 * 10**9
    assert world.live(48) == []
    world.base_fee_wei = 10**7
    # what arbitrage's own gas was is forgotten slowly: the size may follow
    assert world.live(48)[:1] == ["start"]


def test_an_estimate_that_wavers_does_not_churn() -> None:
    """A day of less, a day of more: what is placed may be resized, and not at every turn."""
    world = paying("1.6")
    acted = world.live(24)
    for day in range(14):
        world.fees_a_day = world.fees_of_ratio("1.3" if day % 2 else "1.9")
        acted += world.live(24)
    assert len(acted) <= 12


@given(
    fees=st.decimals(1, 500, places=2),
    liquidity=st.integers(10**13, 10**17),
    more=st.decimals("1.05", 3, places=2),
)
@settings(max_examples=25, deadline=None)
def test_more_flow_is_never_answered_with_less_liquidity(
    fees: Decimal, liquidity: int, more: Decimal
) -> None:
    world = paying("1", liquidity)
    stage = here(world)
    one, other = (
        measured(replace(stage, pay=Pay(fees=rate, others=D(liquidity), cost=world.cost)))
        for rate in (fees.scaleb(6) / DAY, (fees * more).scaleb(6) / DAY)
    )
    assert around(other) >= around(one) * D("0.999")


@given(
    ratio=st.decimals("1.02", 6, places=2),
    liquidity=st.integers(10**13, 10**17),
    more=st.decimals("1.05", 5, places=2),
)
@settings(max_examples=25, deadline=None)
def test_more_volatility_or_dearer_gas_is_never_answered_with_more_liquidity(
    ratio: Decimal, liquidity: int, more: Decimal
) -> None:
    world = paying("1", liquidity)
    stage, cost = here(world), world.cost
    pay = Pay(fees=ratio * cost * liquidity, others=D(liquidity), cost=cost)
    least = around(measured(replace(stage, pay=pay)))
    dearer = replace(stage, pay=pay, gas_quote=stage.gas_quote * more)
    assert around(measured(dearer)) <= least * D("1.001")
    livelier = Pay(fees=pay.fees, others=pay.others, cost=cost * more)
    wilder = replace(stage, pay=livelier, sigma=stage.sigma * more.sqrt())
    assert around(measured(wilder)) <= least * D("1.001")


@pytest.mark.parametrize(("ratio", "liquidity"), [("1.5", 10**17), ("2", 10**16), ("4", 10**18)])
def test_no_other_size_and_width_nets_more(ratio: str, liquidity: int) -> None:
    """Against every size and many more widths than it looks at: within a few per cent."""
    world = paying(ratio, liquidity)
    pay = Pay(fees=world.fees_of_ratio(ratio).scaleb(6) / DAY, others=D(liquidity), cost=world.cost)
    stage = replace(here(world), pay=pay)
    found = measured(stage)
    assert found
    base = max(found, key=lambda r: r.liquidity)
    away = D(base.ask - base.bid) / 2 * D("1.0001").ln()
    ours = pay.net(around(found)) - moving(stage, away)
    least, most = distances(stage)[-1], distances(stage)[0]
    for width in range(40):
        other = least * ((most / least).ln() * width / 39).exp()
        placed = fill(stage, *place(stage, other, other))
        for part in range(1, 21):
            size = sized(placed, around(placed) * part / 20)
            assert pay.net(around(size)) - moving(stage, other) <= ours + abs(ours) * D("0.1")


def test_other_strategies_do_not_ask_what_the_pool_pays() -> None:
    world = paying("0.1")
    world.config = measured_config(name="budget")
    assert world.live(1)[:1] == ["start"]
    assert fresh_targets(looked(world))


def off_band(share: str, **strategy: object) -> PayingWorld:
    """An unpaid pool, and an inventory of 50,000 with this share of base."""
    world = paying("0.1", **strategy)
    part = D(share)
    base = int(part * 50_000 / world.price * 10**18)
    world.idle = [base, int((1 - part) * 50_000 * 10**6)]
    return world


@pytest.mark.parametrize(("share", "goal", "way"), [("0.6", "0.47", 1), ("0.1", "0.23", -1)])
def test_a_share_outside_its_band_is_brought_back_where_nothing_pays(
    share: str, goal: str, way: int
) -> None:
    world = off_band(share)
    assert world.live(6) == ["band"]
    assert "trades back" in next(d for d in world.decisions if d.trigger == "band").reason
    ((lower, upper, _),) = world.ranges.values()
    assert upper - lower == world.market.tick_spacing
    assert world.share() == pytest.approx(D(share), rel=D("0.001"))
    world.price *= 1 + way * D("0.003")
    assert world.live(2) == ["filled"]
    assert world.ranges == {}
    assert world.share() == pytest.approx(D(goal), abs=D("0.002"))
    assert world.live(72) == []


def test_the_price_is_not_chased_by_what_brings_the_share_back() -> None:
    world = off_band("0.6")
    assert world.live(6) == ["band"]
    before = dict(world.ranges)
    for _ in range(20):
        world.price *= D("0.9995")
        assert world.live(1) == []
    assert world.ranges == before
    assert world.live(6) == ["edge"]
    assert world.ranges != before


def test_it_goes_when_the_share_has_come_back_by_itself() -> None:
    world = off_band("0.51")
    assert world.live(6) == ["band"]
    world.price *= D("0.9")
    assert world.share() < D("0.49")
    assert world.live(30) == ["edge"]
    assert world.ranges == {}


def test_inside_of_the_band_nothing_is_placed_to_bring_it_back() -> None:
    world = off_band("0.49")
    assert world.live(48) == []
