"""A backtest that a guard halts: what stays in the pool goes on losing, what is out does not."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from itertools import pairwise

from backtest.scenes import a_config

from dexmm.backtest.exit_world import NODE, SimExitChain
from dexmm.backtest.run import Backtest, Scenario, open_world, paxg_usdt_market, run_backtest
from dexmm.sim.agents.price_process import Candle, PricePath
from dexmm.units import EXACT

HALF_AN_HOUR = 1800
START = 1_704_067_200
STEPS = 240
GWEI = Decimal(1)

# One wide range that is never moved: a fall turns it into gold all the way down.
WIDE = {"edge_min_bp": 4000, "edge_max_bp": 5000, "max_age_hours": 10**5, "regime_ratio": 1000}


def a_fall(back_to: Decimal | None = None) -> PricePath:
    """From 4000 to half of it in five days; ``back_to``: and back up to this price."""
    prices = [Decimal(repr(4000 * 0.997**n)).quantize(Decimal("0.01")) for n in range(STEPS)]
    if back_to is not None:
        prices += [price for price in reversed(prices) if price <= back_to]
        prices += [back_to] * 10
    return PricePath(
        source="a fall",
        interval_seconds=HALF_AN_HOUR,
        candles=tuple(
            Candle(at=START + n * HALF_AN_HOUR, open=a, high=max(a, b), low=min(a, b), close=b)
            for n, (a, b) in enumerate(pairwise(prices))
        ),
    )


def a_scenario(on_halt: str, path: PricePath, **changes: object) -> Scenario:
    guards = {"max_drawdown_bp": 9999, "stop_loss_bp": 9000, "closed_weekly": ()}
    config = a_config(HALF_AN_HOUR, "passive", guards={**guards, "on_halt": on_halt}, strategy=WIDE)
    market = paxg_usdt_market(config)
    fixed = {"flow": "none", "gas_gwei": GWEI, **changes}
    return Scenario(path=path, config=config, market=market, **fixed)  # type: ignore[arg-type]


@cache
def played(on_halt: str, back_to: Decimal | None = None, *, every_turn: bool = False) -> Backtest:
    return run_backtest(a_scenario(on_halt, a_fall(back_to), every_turn=every_turn))


def when_halted(found: Backtest) -> int:
    """The first turn that was halted."""
    return next(n for n, point in enumerate(found.track.points) if point.state == "HALTED")


def against_holding(found: Backtest, at: int) -> Decimal:
    """Net worth after gas less that of the inventory of the start, both at one price."""
    first, mark = found.track.marks[0], found.track.marks[at]
    held = EXACT.add(EXACT.multiply(first.base, mark.fair_price), first.quote)
    return EXACT.subtract(mark.net_worth, held)


def test_what_is_out_keeps_its_inventory_to_the_last_unit_less_the_exit() -> None:
    found = played("withdraw")
    halted = when_halted(found)
    before, after = found.track.marks[halted], found.track.marks[halted + 1]
    assert abs(after.base - before.base) <= Decimal("2e-18")  # collected, rounded down
    gas = before.quote - after.quote
    assert 0 < gas < 5
    for mark in found.track.marks[halted + 1 :]:
        assert (mark.base, mark.quote) == (after.base, after.quote)
    assert not any(point.ranges for point in found.track.points[halted + 1 :])


def test_a_run_that_halts_at_eight_per_cent_ends_there_where_the_price_does() -> None:
    stayed = played("stay")
    halted = when_halted(stayed)
    at = stayed.track.marks[halted].fair_price
    found = played("withdraw", at)
    assert found.track.marks[-1].fair_price == at
    halted = when_halted(found)
    lost = against_holding(found, halted) / found.track.marks[halted].net_worth
    assert Decimal("-0.09") < lost < Decimal("-0.08")
    gas = found.track.marks[halted].quote - found.track.marks[-1].quote
    left = against_holding(found, -1)
    assert abs(left - (against_holding(found, halted) - gas)) < Decimal("1e-12")


def test_what_stays_goes_on_losing_as_the_price_goes_on() -> None:
    """-8 % against holding when halted; -26 % of the capital at the end of the fall, -22 % out."""
    stayed, out = played("stay"), played("withdraw")
    assert when_halted(stayed) == when_halted(out)
    assert stayed.figures.net_bp < -2500
    assert out.figures.net_bp > stayed.figures.net_bp + 300
    halted = when_halted(out)
    # What is left is what the price did to an inventory that is not the holder's any more.
    first, mark, end = out.track.marks[0], out.track.marks[halted + 1], out.track.marks[-1]
    drift = (mark.base - first.base) * (end.fair_price - mark.fair_price)
    assert abs(out.figures.net - (against_holding(out, halted + 1) + drift)) < Decimal("1e-9")


def test_the_run_says_what_became_of_it() -> None:
    assert "below its best" in played("stay").track.halted
    assert "taken out" not in played("stay").track.halted
    assert played("withdraw").track.halted.endswith(
        "; everything was taken out of the pool (guards.on_halt)"
    )


def test_every_turn_taken_ends_alike() -> None:
    asleep, awake = played("withdraw"), played("withdraw", every_turn=True)
    assert awake.turns >= asleep.turns
    assert abs(awake.figures.net - asleep.figures.net) < 100  # a turn sooner or later


def test_the_simulation_answers_what_an_exit_asks() -> None:
    world = open_world(a_scenario("stay", a_fall()))
    chain = SimExitChain(world.chain)
    (seen,) = chain.survey(None).seen
    assert (seen.name, seen.view) == (NODE, world.chain.observe())
    assert chain.survey(seen.view).seen[0].view is seen.view
    assert chain.holds("anybody") == (world.chain.purse.amount0, world.chain.purse.amount1)
