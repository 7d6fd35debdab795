"""The band holds by construction: the property the product stands on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategy.builders import World, a_config, a_market

from dexmm.decimal_context import LN_TICK
from dexmm.model.decision import Role, State
from dexmm.strategy.context.context import look, situation
from dexmm.strategy.ranges.strategies.budget import budget
from dexmm.strategy.ranges.strategies.single import lower_root
from dexmm.uniswap.tick_math import get_sqrt_ratio_at_tick

TICK = Decimal("0.0001")
MARKETS = st.builds(
    a_market,
    base_is_token0=st.booleans(),
    base_decimals=st.sampled_from([18, 8, 6]),
    quote_decimals=st.sampled_from([6, 18]),
    fee_pips=st.sampled_from([0, 100, 500, 3000]),
    tick_spacing=st.sampled_from([1, 10, 60, 200]),
)
PRICES = st.decimals("0.05", "90000", places=6)
SHARES = st.decimals("0.02", "0.98", places=4)
BANDS = st.tuples(st.decimals("0.05", "0.45", places=3), st.decimals("0.5", "0.95", places=3))
EDGES = st.integers(50, 1500)


def a_world(
    market, price: Decimal, share: Decimal, band=("0.2", "0.5"), edge: int = 300, **strategy
) -> World:
    """One million in quote at this share, all of it idle, edges at ``edge`` bp."""
    low, high = (Decimal(part) for part in band)
    config = a_config(
        strategy={
            "band_low": low,
            "band_high": high,
            "target": (low + high) / 2,
            "edge_min_bp": edge,
            "edge_max_bp": edge + 1,
            **strategy,
        }
    )
    nav = Decimal(1_000_000)
    return World(
        config, market=market, price=price, base=nav * share / price, quote=nav * (1 - share)
    )


def edge_prices(world: World) -> tuple[Decimal, Decimal]:
    """The prices at the ends of what is held, low first."""
    prices = [
        world.market.price(get_sqrt_ratio_at_tick(tick))
        for lower, upper, _ in world.ranges.values()
        for tick in (lower, upper)
    ]
    return min(prices), max(prices)


def share_at(world: World, pool: Decimal, fair: Decimal) -> Decimal:
    """The share when the pool stands at one price and the base is worth another."""
    world.price = pool
    at_pool = world.share()
    return at_pool * fair / (at_pool * fair + (1 - at_pool) * pool)


def one_tick(share: Decimal) -> Decimal:
    """What one tick of price changes a share by, with the pool's roundings on top."""
    return share * (1 - share) * TICK + Decimal("0.000001")


@given(MARKETS, PRICES, SHARES, BANDS, EDGES)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_converting_a_whole_budget_leaves_the_share_at_the_bands_edge(
    market, price: Decimal, share: Decimal, band: tuple[Decimal, Decimal], edge: int
) -> None:
    assume(edge > 2 * market.tick_spacing)
    world = a_world(market, price, share, band, edge)
    world.turn()
    roles = {target.role for target in world.decisions[0].targets}
    assume(Role.BASE in roles)  # both sides have a budget
    lowest, highest = edge_prices(world)
    # Arbitrage lets the fair price stray by the fee, and converting earns the fee once more.
    strayed = 1 + 2 * Decimal(market.fee_pips) / 1_000_000
    assert abs(share_at(world, lowest, lowest * strayed) - band[1]) <= one_tick(band[1])
    assert abs(share_at(world, highest, highest / strayed) - band[0]) <= one_tick(band[0])


def test_a_conversion_keeps_to_the_band_with_the_fees_that_it_earns() -> None:
    """Sitting beyond an edge, wholly converted, is no place to be a hundredth of a percent out."""
    world = a_world(a_market(), Decimal(4000), Decimal("0.45"))
    world.turn()
    lowest, _ = edge_prices(world)
    before = sum(position.amount0 for position in world.positions())
    world.price = lowest
    bought = sum(position.amount0 for position in world.positions()) - before
    world.idle[0] += bought * 500 // 1_000_000
    assert Decimal("0.499") < share_at(world, lowest, lowest * Decimal("1.0005")) <= Decimal("0.5")


@given(MARKETS, PRICES, SHARES, EDGES)
@settings(max_examples=100, derandomize=True, deadline=None)
def test_no_price_takes_a_share_out_of_its_band(
    market, price: Decimal, share: Decimal, edge: int
) -> None:
    """From inside, whatever the price does; from outside, never further."""
    assume(edge > 2 * market.tick_spacing)
    world = a_world(market, price, share, edge=edge)
    world.turn()
    assume(world.ranges)
    lowest, highest = edge_prices(world)
    for step in range(11):
        world.price = lowest + (highest - lowest) * step / 10
        top, bottom = max(Decimal("0.5"), share), min(Decimal("0.2"), share)
        drift = Decimal("0.001") * edge / 100 if share > Decimal("0.5") else one_tick(top)
        assert world.share() <= top + drift
        drift = Decimal("0.001") * edge / 100 if share < Decimal("0.2") else one_tick(bottom)
        assert world.share() >= bottom - drift


@given(MARKETS, PRICES, SHARES, EDGES, st.sampled_from(["budget", "avellaneda"]))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_budgets_leave_most_of_the_capital_free_and_never_exceed_the_wallet(
    market, price: Decimal, share: Decimal, edge: int, name: str
) -> None:
    world = a_world(market, price, share, edge=edge, name=name)
    before = list(world.idle)
    world.turn()  # the world's mint asserts that desired amounts are there
    assert all(0 <= now <= then for now, then in zip(world.idle, before, strict=True))


def deployed_quote(share: str) -> Decimal:
    """What the bid side holds at the start, in quote."""
    world = a_world(a_market(), Decimal(4000), Decimal(share))
    world.turn()
    return Decimal(sum(p.amount1 for p in world.positions())).scaleb(-6)


def deployed_base(share: str) -> Decimal:
    world = a_world(a_market(), Decimal(4000), Decimal(share))
    world.turn()
    return Decimal(sum(p.amount0 for p in world.positions())).scaleb(-18)


def test_as_the_share_nears_an_edge_that_sides_budget_goes_to_zero() -> None:
    bids = [deployed_quote(share) for share in ("0.35", "0.45", "0.49", "0.5", "0.507", "0.52")]
    assert bids == sorted(bids, reverse=True)
    assert bids[0] > 100_000
    assert 0 < bids[3] < 10_000  # at the band's edge only a fall makes room
    assert bids[-1] == 0
    asks = [deployed_base(share) for share in ("0.35", "0.25", "0.21", "0.2", "0.196", "0.18")]
    assert asks == sorted(asks, reverse=True)
    assert asks[-1] == 0
    assert 0 < asks[3] < Decimal("2.5")


def test_a_third_of_the_capital_is_deployed_at_the_target() -> None:
    world = a_world(a_market(), Decimal(4000), Decimal("0.35"))
    world.turn()
    used = sum(p.amount0 for p in world.positions()) * 4000 // 10**12 + sum(
        p.amount1 for p in world.positions()
    )
    assert 0.28 < used / 10**12 < 0.34


def test_the_larger_budget_gets_a_limit_position_on_its_own_side() -> None:
    for share, side in (("0.25", "below"), ("0.45", "above")):
        world = a_world(a_market(), Decimal(4000), Decimal(share))
        decision = world.decide()
        (base,) = [t for t in decision.targets if t.role is Role.BASE]
        (limit,) = [t for t in decision.targets if t.role is Role.LIMIT]
        tick = world.view().pool.tick
        assert base.tick_lower < tick < base.tick_upper
        if side == "below":
            assert limit.tick_lower == base.tick_lower
            assert tick - 10 < limit.tick_upper <= tick
        else:
            assert limit.tick_upper == base.tick_upper
            assert tick < limit.tick_lower <= tick + 10


@pytest.mark.parametrize("part", [0, 1, 5, 50])
def test_what_cannot_be_paid_for_on_chain_is_not_wanted(part: int) -> None:
    """As when most of the inventory is on an exchange: in the budget, but not deployable."""
    world = a_world(a_market(), Decimal(4000), Decimal("0.35"))
    here = situation(look(world.snapshot(), world.config), near=0)
    poor = replace(here, wallet_base=here.base * part / 100)
    spent = sum(here.cost(r.bid, r.ask, Decimal(r.liquidity))[0] for r in budget(poor))
    assert spent <= poor.wallet_base + Decimal("1e-20")
    assert spent >= poor.wallet_base * Decimal("0.999") or part == 50


STRATEGIES = st.sampled_from(["budget", "avellaneda", "single", "passive", "recentre"])


@given(MARKETS, PRICES, SHARES, EDGES, STRATEGIES)
@settings(max_examples=250, derandomize=True, deadline=None)
def test_ranges_are_never_inverted_or_off_the_grid(
    market, price: Decimal, share: Decimal, edge: int, name: str
) -> None:
    decision = a_world(market, price, share, edge=edge, name=name).decide()
    assert decision.state is State.ACTIVE
    for target in decision.targets:
        assert target.tick_lower < target.tick_upper
        assert target.tick_lower % market.tick_spacing == 0
        assert target.tick_upper % market.tick_spacing == 0
        assert target.liquidity > 0


@given(MARKETS, PRICES, SHARES, EDGES, STRATEGIES)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_planning_after_reaching_the_decision_is_empty(
    market, price: Decimal, share: Decimal, edge: int, name: str
) -> None:
    world = a_world(market, price, share, edge=edge, name=name)
    world.turn()
    decision, steps = world.turn(60)
    assert decision.trigger is None, decision.reason
    assert steps == ()


@given(PRICES, SHARES, EDGES, STRATEGIES, st.sampled_from([1, 10, 60, 200]))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_mirrored_markets_give_mirrored_decisions(
    price: Decimal, share: Decimal, edge: int, name: str, spacing: int
) -> None:
    one, other = (
        a_world(
            a_market(base_is_token0=first, tick_spacing=spacing), price, share, edge=edge, name=name
        ).decide()
        for first in (True, False)
    )
    mirrored = sorted(
        ((-t.tick_upper, -t.tick_lower, t.role, t.liquidity) for t in other.targets),
        key=lambda t: t[:2],
    )
    straight = [(t.tick_lower, t.tick_upper, t.role, t.liquidity) for t in one.targets]
    assert [t[:3] for t in straight] == [t[:3] for t in mirrored]
    for ours, theirs in zip(straight, mirrored, strict=True):
        assert abs(ours[3] - theirs[3]) * 10**9 <= ours[3] + 10**12
    assert abs(one.share - other.share) < TICK
    assert (one.trigger, one.withheld) == (other.trigger, other.withheld)


def test_avellaneda_is_nearer_on_the_side_that_must_trade() -> None:
    def distances(share: str) -> tuple[int, int]:
        world = a_world(
            a_market(),
            Decimal(4000),
            Decimal(share),
            name="avellaneda",
            edge_max_bp=1500,
            edge_min_bp=20,
        )
        tick = world.view().pool.tick
        targets = world.decide().targets
        return tick - min(t.tick_lower for t in targets), max(t.tick_upper for t in targets) - tick

    at_target, heavy, light = distances("0.35"), distances("0.47"), distances("0.23")
    assert abs(at_target[0] - at_target[1]) <= 20
    assert heavy[1] < at_target[1] < heavy[0]
    assert light[0] < at_target[0] < light[1]


def test_the_range_for_a_share_is_the_published_one() -> None:
    root = lower_root(Decimal(4000).sqrt(), Decimal("0.35"), 2400)
    lowest, highest = root**2, root**2 * (LN_TICK * 2400).exp()
    assert (round(lowest, 1), round(highest, 1)) == (Decimal("3418.9"), Decimal("4346.2"))


@pytest.mark.parametrize("share", ["0.1", "0.35", "0.6", "0.9"])
def test_single_deploys_all_of_the_capital_in_one_range(share: str) -> None:
    world = a_world(a_market(tick_spacing=1), Decimal(4000), Decimal(share), name="single")
    world.turn()
    assert len(world.ranges) == 1
    idle = world.idle[0] * 4000 // 10**12 + world.idle[1]
    assert idle < 0.02 * 10**12


def test_passive_leaves_nothing_idle() -> None:
    world = a_world(a_market(), Decimal(4000), Decimal("0.35"), name="passive")
    world.turn()
    assert len(world.ranges) == 2
    assert world.idle[0] * 4000 // 10**12 + world.idle[1] < 10**6


def test_recentre_is_symmetric_and_alone() -> None:
    world = a_world(a_market(tick_spacing=1), Decimal(4000), Decimal("0.35"), name="recentre")
    (target,) = world.decide().targets
    assert abs(target.tick_lower + target.tick_upper - 2 * world.view().pool.tick) <= 2


def test_hold_takes_everything_out_and_puts_nothing_in() -> None:
    world = a_world(a_market(), Decimal(4000), Decimal("0.35"), name="hold")
    decision, steps = world.turn()
    assert (decision.trigger, steps) == (None, ())
    world.ranges[9] = (-193_680, -193_080, 10**15)
    world.turn(60)
    world.turn(1800)  # an NFT that appears is an action: the next one keeps its distance
    assert world.ranges == {}
