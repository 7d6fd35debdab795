"""What the pool pays, measured turn by turn."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy.builders import a_market
from strategy.paying_world import PayingWorld, measured_config

from dexmm.decimal_context import DAY, HOUR
from dexmm.model.memory import Memory
from dexmm.strategy.context.context import look
from dexmm.strategy.pay.measurement import Pay, measured, protocol_share
from dexmm.units import PRICE

HALF_HOUR = 1800


def paying(ratio: str, **strategy: object) -> PayingWorld:
    world = PayingWorld(measured_config(**strategy), pool_liquidity=10**15)
    world.fees_a_day = world.fees_of_ratio(ratio)
    return world


def believed(world: PayingWorld) -> Pay:
    return look(world.snapshot(), world.config).pay


@pytest.mark.parametrize("ratio", ["0.3", "1", "1.4"])
def test_the_ratio_that_is_paid_is_the_one_that_is_measured(ratio: str) -> None:
    world = paying(ratio, pay_measure_hours=1000)
    world.live(30)
    pay = believed(world)
    assert pay.ratio == pytest.approx(Decimal(ratio), rel=Decimal("0.001"))
    assert pay.others == world.pool_liquidity
    assert (pay.fees * DAY).scaleb(-6) == pytest.approx(world.fees_a_day, rel=Decimal("0.001"))


def test_our_own_liquidity_changes_nothing_in_what_others_pay() -> None:
    world = paying("3")
    world.live(72)
    assert world.in_range() > world.pool_liquidity * Decimal("1.1")
    pay = believed(world)
    assert pay.ratio == pytest.approx(Decimal(3), rel=Decimal("0.02"))
    assert pay.others == world.pool_liquidity


def test_it_is_not_known_before_it_has_been_watched() -> None:
    world = paying("3", pay_measure_hours=5)
    for hours in range(8):
        assert believed(world).known is (hours > 5)
        world.live(1)


@pytest.mark.parametrize("every", [300, 1800, 7200, 6 * 3600])
def test_looks_far_apart_lose_nothing(every: int) -> None:
    world = paying("2", pay_measure_hours=1000)
    world.live(36, every)
    assert believed(world).ratio == pytest.approx(Decimal(2), rel=Decimal("0.01"))


def test_half_of_what_was_paid_is_forgotten_in_a_half_life() -> None:
    world = paying("2", pay_measure_hours=1000, pay_halflife_hours=24)
    world.live(400)
    world.fees_a_day = Decimal(0)
    world.live(24)
    assert believed(world).ratio == pytest.approx(Decimal(1), rel=Decimal("0.02"))


@given(paid=st.lists(st.integers(0, 10**30), min_size=1, max_size=30), base=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_mean_hands_out_no_more_than_was_paid_in(paid: list[int], base: bool) -> None:
    """Whoever pays fees to look like trade has paid what the mean believes, over all of time."""
    config = measured_config()
    world = PayingWorld(config, market=a_market(base_is_token0=base))
    pool = world.view().pool
    s = world.s if base else 1 / world.s
    memory, now, handed, total = Memory(), world.now, Decimal(0), Decimal(0)
    memory = measured(memory, pool, world.market, now, s, config.strategy)
    quote = "fee_growth_global1_x128" if base else "fee_growth_global0_x128"
    growth = getattr(pool, quote)
    for each in (*paid, *[0] * 400):
        growth, now = (growth + each) % 2**256, now + HALF_HOUR
        pool = replace(pool, **{quote: growth})
        memory = measured(memory, pool, world.market, now, s, config.strategy)
        total += Decimal(each) * pool.liquidity / 2**128
        # the mean while it lives until the next look, had there been a long history before
        handed += memory.pool_paid / (config.strategy.pay_halflife_hours * HOUR) * HALF_HOUR
    assert handed * Decimal(2).ln() <= total * Decimal("1.02")


def test_a_clock_that_went_back_begins_anew_and_forgets_nothing() -> None:
    world = paying("2")
    world.live(20)
    pool = world.view().pool
    before = world.memory
    again = measured(before, pool, world.market, world.now - 9999, world.s, world.config.strategy)
    assert (again.pool_paid, again.pool_seconds) == (before.pool_paid, before.pool_seconds)
    assert again.fee_growth_at == world.now - 9999


@pytest.mark.parametrize(
    ("byte", "share"), [(0, "0"), (68, "0.25"), (102, "0.1666666667"), (64, "0.125")]
)
def test_the_protocols_share_is_that_of_both_directions(byte: int, share: str) -> None:
    assert protocol_share(byte) == pytest.approx(Decimal(share), rel=Decimal("1e-9"))


def test_a_jump_of_flow_is_believed_within_a_day_and_one_large_trade_is_not() -> None:
    world = paying("0.7", pay_measure_hours=1000)
    world.live(400)
    world.fees_a_day = world.fees_of_ratio("3")
    world.live(24)
    assert believed(world).ratio > 2
    other = paying("0.7", pay_measure_hours=1000)
    other.live(400)
    other.fees_a_day = other.fees_of_ratio("60")
    other.live(1)
    other.fees_a_day = other.fees_of_ratio("0.7")
    other.live(2)
    assert Decimal("0.7") < believed(other).ratio < Decimal("0.95")


def test_flow_that_stops_is_believed_within_a_day() -> None:
    world = paying("2", pay_measure_hours=1000)
    world.live(400)
    world.fees_a_day = Decimal(0)
    world.live(24)
    assert believed(world).ratio < Decimal("0.6")


def test_a_spike_of_gas_is_no_reason_to_believe_another_ratio() -> None:
    world = paying("1.5", pay_measure_hours=1000)
    world.live(200)
    before = believed(world)
    world.base_fee_wei *= 100
    world.live(1)
    assert believed(world).cost == pytest.approx(before.cost, rel=Decimal("0.03"))


@given(
    ratio=st.decimals("1.01", 20, places=2),
    error=st.decimals(0, 2, places=3),
    more=st.decimals("1.1", 3, places=1),
    returned=st.decimals(0, 3, places=1),
)
def test_the_less_is_known_the_nearer_to_one_a_ratio_is_believed(
    ratio: Decimal, error: Decimal, more: Decimal, returned: Decimal
) -> None:
    with localcontext(PRICE):
        one, other = (
            Pay(fees=ratio, others=Decimal(1), cost=Decimal(1), error=each, returned=returned)
            for each in (error, error * more)
        )
        assert 1 < other.expected <= one.expected <= ratio
        assert 0 < other.best <= one.best
        told = replace(one, fees=one.measured_at(one.expected))
        assert told.expected == pytest.approx(one.expected, rel=Decimal("0.006"))
        most = one.worth
        assert most == pytest.approx(one.net(one.best), rel=Decimal("1e-20"))
        assert one.net(one.best * Decimal("1.1")) < most > one.net(one.best * Decimal("0.9"))
    nothing = Pay(fees=Decimal("0.9"), others=Decimal(1), cost=Decimal(1), error=error)
    assert nothing.best == nothing.worth == 0


@pytest.mark.parametrize("days", [7, 28])
def test_the_stated_error_is_the_scatter_of_what_is_measured(days: int) -> None:
    """Over paths whose volatility and flow move together, as a random walk's logarithm does."""
    config = measured_config(sigma_halflife_hours=12)
    world = PayingWorld(config, pool_liquidity=10**15)
    dice, found, stated = random.Random(days), [], []  # noqa: S311 - statistics
    for _ in range(80):
        memory, now, growth, price, wild = Memory(), 0, 0, Decimal(2000), 0.0
        pool = world.view().pool
        for _ in range(days * 12):
            now += 2 * HOUR
            wild = 0.97 * wild + dice.gauss(0, 0.1)
            moved = 0.002 * math.exp(wild)
            price *= Decimal(repr(math.exp(dice.gauss(0, moved))))
            growth += int(moved**2 * 2**128 * 10**6)
            pool = replace(pool, fee_growth_global1_x128=growth)
            memory = measured(
                memory, pool, world.market, now, world.s, config.strategy, there=price
            )
        found.append(float(memory.pool_variance / memory.pool_paid * memory.pool_seconds))
        stated.append(float(memory.pool_variance_error / memory.pool_variance**2 * 2 / 3))
    mean = sum(found) / len(found)
    scatter = sum((each / mean - 1) ** 2 for each in found) / len(found)
    assert 0.7 < scatter / (sum(stated) / len(stated)) < 1.6


def test_one_wild_day_counts_as_eight_usual_ones_and_its_moves_with_it() -> None:
    """A day of a hundred times the usual, in which nothing else was different, changes nothing."""
    config = measured_config()
    world = PayingWorld(config, pool_liquidity=10**15)
    memory, now, growth, price = Memory(), 0, 0, Decimal(2000)
    pool = world.view().pool
    for hour in range(24 * 60):
        times = 100 if 1200 <= hour < 1224 else 1
        now += HOUR
        growth += times * 2**100
        price *= Decimal(repr(math.exp(0.001 * math.sqrt(times) * (1 if hour % 2 else -1))))
        pool = replace(pool, fee_growth_global1_x128=growth)
        memory = measured(memory, pool, world.market, now, world.s, config.strategy, there=price)
        paid = memory.pool_paid / memory.pool_seconds if hour else Decimal(0)
        if hour == 1199:
            before = paid, memory.pool_variance
    assert before[0] < paid < before[0] * Decimal("1.3")
    ratios = [variance / each for each, variance in (before, (paid, memory.pool_variance))]
    assert ratios[0] == pytest.approx(ratios[1], rel=Decimal("0.01"))


def test_the_time_in_which_the_market_is_closed_counts_for_what_arbitrage_took() -> None:
    """The variance is over the same time as the fees: half of it calm is half of the variance."""
    config = measured_config(sigma_halflife_hours=24, pay_halflife_hours=24)
    world = PayingWorld(config)
    pool, memory, now, price = world.view().pool, Memory(), 0, Decimal(2000)
    for look_number in range(400):
        now += HOUR
        if look_number % 2:
            price *= Decimal("1.001") if look_number % 4 == 1 else 1 / Decimal("1.001")
        memory = measured(memory, pool, world.market, now, world.s, config.strategy, there=price)
    squared = Decimal("1.001").ln() ** 2
    assert memory.pool_variance == pytest.approx(squared / 2 / HOUR, rel=Decimal("0.02"))


def test_a_move_is_between_two_prices_of_one_place() -> None:
    """An exchange that comes or goes quotes another price; that is no move, and no fees are lost
    on one side only."""
    config = measured_config()
    world = PayingWorld(config)
    pool, memory, now = world.view().pool, Memory(), 0
    for there in (None, None, Decimal(9999), Decimal(9999), None, None):
        now += HOUR
        memory = measured(memory, pool, world.market, now, world.s, config.strategy, there=there)
    assert memory.pool_variance == 0
    assert memory.pool_seconds == pytest.approx(3 * HOUR, rel=Decimal("0.01"))
    assert memory.pool_variance_seconds == 3 * HOUR
