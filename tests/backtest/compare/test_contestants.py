"""Those without a live strategy, on the real chain in memory: each by the mathematics it states."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.backtest.compare.compare import compare
from dexmm.backtest.compare.contestants import (
    FIELD,
    Holding,
    Live,
    Rebalanced,
    Static,
    ticks_around,
)
from dexmm.backtest.compare.play import play, play_row
from dexmm.backtest.compare.rows import Kind, row_of
from dexmm.backtest.run import PAXG, PAXG_USDT, Scenario, paxg_usdt_market, run_backtest
from dexmm.config.schema import Config, parse_config
from dexmm.errors import BadInput
from dexmm.model.market import Market
from dexmm.performance.attribution import Source, attribute
from dexmm.performance.track.track import Track
from dexmm.sim.agents.price_process import generate
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

HALF_HOUR = 1800


def configured(**strategy: object) -> Config:
    return parse_config(
        {
            "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
            "market": {"pool": PAXG_USDT, "base": PAXG, "price_low": 2000, "price_high": 8000},
            "strategy": strategy,
            "loop": {"interval_seconds": HALF_HOUR},
        },
        Path(),
        "a test",
    )


CONFIG = configured()
MARKET = paxg_usdt_market(CONFIG)
SCENARIO = Scenario(
    path=generate(3, 240, interval_seconds=HALF_HOUR),
    config=CONFIG,
    market=MARKET,
    source="generated",
    flow="busy",
)


def unwatched(_done: int, _total: int) -> None:
    """Nobody looks."""


def run(contestant: Static | Holding | Rebalanced | Live, scenario: Scenario = SCENARIO) -> Track:
    return play(scenario, contestant, unwatched)


def test_everybody_starts_with_the_same_inventory() -> None:
    others = [who for who in FIELD if not isinstance(who, Live)]
    starts = {(t.marks[0].base, t.marks[0].quote) for t in map(run, [FIELD[0], *others])}
    assert len(starts) == 1


def test_the_field_is_complete() -> None:
    names = [who.name for who in FIELD]
    assert names == [
        "measured",
        "budget",
        "avellaneda",
        "single",
        "passive",
        "recentre",
        "static ±2 %",
        "static ±5 %",
        "static ±10 %",
        "full range",
        "hold",
        "rebalanced",
    ]
    assert [who.name for who in FIELD if who.kind is Kind.HOLDING] == ["hold", "rebalanced"]
    assert Live(strategy="hold").kind is Kind.HOLDING


def test_holding_costs_and_earns_nothing() -> None:
    track = run(Holding())
    found = attribute(track.marks)
    assert found.parts == {}
    assert found.against_holding == 0
    assert track.actions == ()


@pytest.mark.parametrize("width", ["0.02", "0.05", "0.10", None])
def test_a_static_range_is_minted_once_and_left_alone(width: str | None) -> None:
    half = Decimal(width) if width else None
    track = run(Static(half_width=half))
    assert [action.kind for action in track.actions] == ["approve", "deposit"]
    assert {len(point.ranges) for point in track.points} == {0, 1}  # the first turn still has none
    held = {(shown.low, shown.high) for point in track.points for shown in point.ranges}
    assert len(held) == 1
    assert row_of(track, Kind.STATIC).figures.fees > 0
    # As much as both tokens can pay for: at a share of 35 % all of the base is in the range, but
    # for what outward edges on the grid leave of it.
    first = track.points[1]
    worth = sum(shown.value for shown in first.ranges) / first.nav
    assert Decimal("0.6") < worth < Decimal("0.8")


def test_a_static_range_surrounds_its_width_on_the_grid() -> None:
    price = Decimal(4000)
    lower, upper = ticks_around(MARKET, price, Decimal("0.05"))
    low, high = (MARKET.price(get_sqrt_ratio_at_tick(tick)) for tick in (lower, upper))
    step = Decimal("1.0001") ** MARKET.tick_spacing
    assert low <= price * Decimal("0.95") < low * step
    assert high / step <= price * Decimal("1.05") < high
    assert lower % MARKET.tick_spacing == upper % MARKET.tick_spacing == 0


def test_the_other_token_order_has_the_same_prices() -> None:
    price, half = Decimal(4000), Decimal("0.05")
    other = mirrored(MARKET)
    lower, upper = ticks_around(other, price, half)
    low, high = sorted(other.price(get_sqrt_ratio_at_tick(tick)) for tick in (lower, upper))
    assert low <= price * Decimal("0.95")
    assert high >= price * Decimal("1.05")
    assert high - low < price * Decimal("0.103")
    assert ticks_around(other, price, None) == ticks_around(MARKET, price, None)


def test_a_wider_range_earns_less_for_each_piece_of_capital() -> None:
    narrow, wide, full = (
        row_of(run(Static(half_width=half)), Kind.STATIC).figures
        for half in (Decimal("0.05"), Decimal("0.10"), None)
    )
    assert (
        narrow.capital_efficiency_bp > wide.capital_efficiency_bp > full.capital_efficiency_bp > 0
    )


def test_rebalancing_keeps_the_share_within_its_step_and_pays_its_cost() -> None:
    who = Rebalanced(step=Decimal("0.002"), cost=Decimal("0.001"))
    track = run(who)
    assert len(track.actions) > 3
    found = attribute(track.marks)
    turnover = sum(action.turnover_quote for action in track.actions)
    # The edge of its trades is their cost, and nothing else: to the rounding of each to 1e-6.
    edge = found.part(Source.SWAP).edge
    assert abs(edge + turnover * Decimal("0.001")) <= len(track.actions) * Decimal("1e-6")
    shares = [mark.base * mark.fair_price / mark.net_worth for mark in track.marks]
    assert max(abs(share - CONFIG.strategy.target) for share in shares) <= Decimal("0.0021")


def test_rebalancing_costs_the_pools_fee_and_half_a_spread_unless_said() -> None:
    assert Rebalanced().cost_in(MARKET) == Decimal("0.0006")
    assert Rebalanced().cost_in(replace(MARKET, fee_pips=3000)) == Decimal("0.0031")


def test_a_live_row_is_the_backtest_itself() -> None:
    alone = run_backtest(SCENARIO)
    row = play_row(SCENARIO, Live(strategy="budget"), unwatched)
    assert row.figures == alone.figures


def test_nobody_depends_on_the_others() -> None:
    few = (Live(strategy="recentre"), Static(half_width=Decimal("0.05")), Rebalanced())
    together = compare(SCENARIO, few, workers=2)
    alone = [compare(SCENARIO, (who,), workers=1).rows[0] for who in few]
    assert list(together.rows) == alone
    assert [row.name for row in together.rows] == [who.name for who in few]


def test_sleeping_changes_nothing_of_a_static_range() -> None:
    minutes = replace(SCENARIO, path=generate(5, 600, interval_seconds=60), flow="real")
    fast = replace(minutes, config=configured())
    looked = replace(fast, every_turn=True)
    static = Static(half_width=Decimal("0.02"))
    slept, awake = (row_of(run(static, s), Kind.STATIC).figures for s in (fast, looked))
    assert (slept.fees, slept.gas, slept.net) == (awake.fees, awake.gas, awake.net)
    assert slept.turns <= awake.turns


def test_a_capital_that_mints_nothing_is_said_so() -> None:
    poor = replace(SCENARIO, capital=Decimal("0.000001"))
    with pytest.raises(BadInput, match="could not rerange with this capital"):
        run(Static(half_width=Decimal("0.05")), poor)


def test_a_history_that_is_too_short_is_said_so() -> None:
    short = replace(SCENARIO, path=generate(1, 2, interval_seconds=60), config=configured())
    with pytest.raises(BadInput, match="shorter than the time between two turns"):
        run(Holding(), short)


def mirrored(market: Market) -> Market:
    return replace(
        market, token0=market.token1, token1=market.token0, base_is_token0=not market.base_is_token0
    )


def test_the_mirrored_market_pays_alike() -> None:
    same, other = (
        row_of(run(Static(half_width=Decimal("0.05")), replace(SCENARIO, market=m)), Kind.STATIC)
        for m in (MARKET, mirrored(MARKET))
    )
    # Others' layers reach as far in the pool's own price, which is the inverse one here.
    assert abs(same.figures.fees / other.figures.fees - 1) < Decimal("0.1")
