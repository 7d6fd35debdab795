"""The walk within candles: through their corners, blind to what comes, as far as prices go.

What arbitrage takes from a pool that follows the walk is held against a simulation of its own:
a Brownian path in steps of 12 s and constant-product arithmetic in floats, nothing of the product.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.history.packed_candles import PackedPath, packed, read_path
from dexmm.model.market import Block, Market, Token
from dexmm.sim.agents.candle_walk import Draws, draws_of, walk
from dexmm.sim.agents.market_simulator import Street
from dexmm.sim.agents.price_process import Candle, PricePath, generate
from dexmm.sim.agents.price_walk import SLOT_SECONDS, slots_of, walk_of
from dexmm.sim.agents.traders import PoolSwap
from dexmm.sim.candle_world import CandleWorld
from dexmm.sim.chain.chain import SimChain, Terms
from dexmm.sim.chain.dry_run import Purse
from dexmm.sim.chain.position_manager import PositionManager
from dexmm.uniswap.pool import Pool
from dexmm.uniswap.tick_math import max_usable_tick

YEAR = 365 * 86_400
START = 1_704_067_200
LIQUIDITY = 10**17
UNITS = 10**6  # of a whole price
SPACING = {100: 1, 500: 10, 3000: 60, 10_000: 200}


def dice_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a repeatable walk


def drawn(seed: int, slots: int) -> Draws:
    return draws_of(dice_of(seed), slots)[0]


@lru_cache(maxsize=2)
def brownian(sigma: float, days: int, seed: int = 5) -> tuple[float, ...]:
    """Log prices, a slot apart, from 0."""
    dice, size = dice_of(seed), sigma * math.sqrt(SLOT_SECONDS / YEAR)
    steps = (dice.gauss(0, size) for _ in range(days * 86_400 // SLOT_SECONDS))
    return tuple(accumulate(steps, initial=0.0))


def candles_of(path: tuple[float, ...], minutes: int) -> PricePath:
    """The path as an exchange would sample it, 4000 at its start."""
    each = minutes * 60 // SLOT_SECONDS
    prices = [round(4000 * UNITS * math.exp(x)) for x in path]
    candles = []
    for first in range(0, len(prices) - each, each):
        seen = prices[first : first + each + 1]
        opened, high, low, close = (
            Decimal(units) / UNITS for units in (seen[0], max(seen), min(seen), seen[-1])
        )
        at = START + first * SLOT_SECONDS
        candles.append(Candle(at=at, open=opened, high=high, low=low, close=close))
    return PricePath(source="made", interval_seconds=minutes * 60, candles=tuple(candles))


@dataclass(frozen=True, slots=True)
class Taken:
    """Of what arbitrage costs who rebalances for free, sigma^2 / 4 sqrt(P) L and time."""

    lvr: float  # before fees
    fees: float

    @property
    def kept(self) -> float:
        """What arbitrage keeps."""
        return self.lvr - self.fees


def independent(path: tuple[float, ...], sigma: float, fee: float, every: int = 1) -> Taken:
    """Constant-product arithmetic, of nothing in the product."""
    root, lvr, fees = 1.0, 0.0, 0.0
    seen = path[every::every]
    for x in seen:
        fair = math.exp(x / 2)
        root_low, root_high = fair * math.sqrt(1 - fee), fair / math.sqrt(1 - fee)
        after = min(max(root, root_low), root_high)
        if after == root:
            continue
        paid_quote, paid_base = after - root, 1 / after - 1 / root
        lvr -= (paid_base * fair * fair + paid_quote) / fair
        incoming = max(paid_quote, 0) + max(paid_base, 0) * fair * fair
        fees += incoming * fee / (1 - fee) / fair
        root = after
    most = sigma**2 / 4 * len(seen) * every * SLOT_SECONDS / YEAR
    return Taken(lvr / most, fees / most)


class Watched(SimChain):
    """Adds up what arbitrage takes, at the fair price, which its limits tell."""

    lost = fees = 0.0

    def swap(self, swap: PoolSwap) -> tuple[int, int]:
        received = super().swap(swap)
        pips = self.market.fee_pips
        limit = (swap.sqrt_price_limit_x96 / 2**96) ** 2 * 1e12
        price = limit * (1 - pips / 1e6) ** (1 if swap.zero_for_one else -1)
        base, quote = received[0] / 1e18, received[1] / 1e6
        fee = (max(base, 0) * price + max(quote, 0)) * pips / 1e6
        root = math.sqrt(price)
        self.fees += fee / root
        self.lost -= (base * price + quote - fee) / root
        return received


def in_the_pool(path: PricePath, sigma: float, fee_pips: int) -> Taken:
    """The exact pool, one full range in it, along the walk of these candles."""
    market = Market(
        chain_id=1,
        pool="0x" + "11" * 20,
        position_manager="0x" + "22" * 20,
        swap_router="0x" + "33" * 20,
        token0=Token(address="0x" + "44" * 20, symbol="PAXG", decimals=18),
        token1=Token(address="0x" + "55" * 20, symbol="USDT", decimals=6),
        base_is_token0=True,
        fee_pips=fee_pips,
        tick_spacing=SPACING[fee_pips],
    )
    first, seed = path.candles[0], 1
    pool = Pool(fee_pips, market.tick_spacing, timestamp=first.at)
    pool.initialize(market.sqrt_price_x96(first.open))
    top = max_usable_tick(market.tick_spacing)
    pool.mint("others", -top, top, LIQUIDITY)
    chain = Watched(
        Terms(
            market=market,
            wallet="0x" + "66" * 20,
            gas_of=lambda _step: 0,
            tip_wei=0,
            twap_seconds=1800,
            eth_price=Decimal(3000),
        ),
        PositionManager(pool, market.position_manager),
        Purse(amount0=0, amount1=0, eth=0),
        Block(number=0, timestamp=first.at, base_fee_wei=0),
    )
    steps = walk_of(path, seed)
    street = Street(market, None, path.interval_seconds, seed, first.open, (), walk=steps)
    world = CandleWorld(chain, street, steps, packed(path))
    while world.advance():
        pass
    seconds = len(path.candles) * path.interval_seconds
    most = sigma**2 / 4 * seconds / YEAR * LIQUIDITY / 10 ** ((18 + 6) / 2)
    return Taken(chain.lost / most, chain.fees / most)


def test_the_independent_simulation_keeps_what_the_paper_says() -> None:
    """Milionis, Moallemi and Roughgarden: p = 1 / (1 + sqrt(2) fee / (sigma sqrt(dt))), an upper
    bound of sorts: exact for Poisson blocks, a little less is kept where blocks come regularly."""
    path, kept = brownian(0.2, 60), []
    for seconds in (12, 60, 300, 900, 3600):
        found = independent(path, 0.2, 0.0005, seconds // SLOT_SECONDS).kept
        paper = 1 / (1 + math.sqrt(2) * 0.0005 / (0.2 * math.sqrt(seconds / YEAR)))
        assert paper - 0.07 < found < paper + 0.02
        kept.append(found)
    assert kept == pytest.approx([0.13, 0.24, 0.42, 0.56, 0.72], abs=0.02)


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
def test_the_length_of_candles_does_not_change_what_arbitrage_takes(minutes: int) -> None:
    path = brownian(0.2, 60)
    truth = independent(path, 0.2, 0.0005)
    found = in_the_pool(candles_of(path, minutes), 0.2, 500)
    assert truth.kept == pytest.approx(0.13, abs=0.01)
    assert found.kept == pytest.approx(truth.kept, rel=0.05)
    assert found.lvr == pytest.approx(truth.lvr, rel=0.05)
    assert found.fees == pytest.approx(truth.fees, rel=0.05)


def test_candles_of_four_hours_do_not_either() -> None:
    """360 candles say the variance of one path to 2 %, and what is kept to 4 %: here are six."""
    of_paths = []
    for seed in range(1, 7):
        path = brownian(0.2, 60, seed)
        steps = walk_of(candles_of(path, 240), 1)
        prices = (price for n in range(len(steps.candles.own)) for price in steps.prices(n))
        walked = (0.0, *(math.log(price / 4000 / 10**steps.decimals) for price in prices))
        truth, found = independent(path, 0.2, 0.0005), independent(walked, 0.2, 0.0005)
        of_paths.append((found.kept / truth.kept, found.lvr / truth.lvr, found.fees / truth.fees))
        assert of_paths[-1] == pytest.approx((1, 1, 1), rel=0.15)
    for ratios in zip(*of_paths, strict=True):
        assert sum(ratios) / len(ratios) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("fee_pips", [100, 500, 3000, 10_000])
@pytest.mark.parametrize(("sigma", "minutes"), [(0.1, 60), (0.3, 15), (0.8, 5)])
def test_other_fees_and_volatilities(fee_pips: int, sigma: float, minutes: int) -> None:
    path = brownian(sigma, 25)
    truth = independent(path, sigma, fee_pips / 1e6)
    found = in_the_pool(candles_of(path, minutes), sigma, fee_pips)
    assert found.kept == pytest.approx(truth.kept, abs=0.02)
    assert found.lvr == pytest.approx(truth.lvr, abs=0.06)


corners = st.tuples(*[st.integers(10**7, 10**7 + 10**5)] * 4).map(sorted)


@given(prices=corners, rises=st.booleans(), slots=st.integers(1, 60), seed=st.integers(0, 999))
@settings(max_examples=200, deadline=None)
def test_a_walk_goes_through_the_corners_and_never_leaves_them(
    prices: list[int], rises: bool, slots: int, seed: int
) -> None:
    low, one, other, high = prices
    opened, close = (one, other) if rises else (other, one)
    variance = (high - low) ** 2 / 3
    found = walk(opened, high, low, close, variance, slots, drawn(seed, slots))
    assert len(found) == slots
    assert found[-1] == close
    assert low <= min(found)
    assert max(found) <= high
    if slots >= 3:
        assert min(opened, *found) == low
        assert max(opened, *found) == high
    assert found == walk(opened, high, low, close, variance, slots, drawn(seed, slots))


@given(prices=corners, scale=st.sampled_from([0.0, 1e-9, 1e9]), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_a_variance_that_cannot_be_is_brought_into_what_can(
    prices: list[int], scale: float, seed: int
) -> None:
    low, opened, close, high = prices
    found = walk(opened, high, low, close, (high - low) ** 2 * scale, 25, drawn(seed, 25))
    assert low <= min(found) <= max(found) <= high
    assert found[-1] == close


def test_a_still_candle_stands_still() -> None:
    assert walk(7, 7, 7, 7, 0.0, 5, drawn(1, 5)) == [7] * 5


@given(seed=st.integers(0, 999), cut=st.integers(2, 30))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_does_not_change_the_walk(seed: int, cut: int) -> None:
    path = generate(seed, 60)
    whole = walk_of(path, seed)
    part = walk_of(replace(path, candles=path.candles[:cut]), seed)
    assert [whole.prices(i) for i in range(cut)] == [part.prices(i) for i in range(cut)]
    other = walk_of(path, seed + 1)
    assert [whole.prices(i) for i in range(60)] != [other.prices(i) for i in range(60)]


@pytest.mark.parametrize("minutes", [1, 5, 60, 240])
def test_a_brownian_price_goes_through_every_corner(minutes: int) -> None:
    steps = walk_of(candles_of(brownian(0.2, 60), minutes), 1)
    assert len(steps.candles.nearer) <= len(steps.candles.own) / 1000


def row_of(at: int, *prices: float) -> Candle:
    names = ("open", "high", "low", "close")
    return Candle(at=at, **dict(zip(names, (Decimal(str(p)) for p in prices), strict=True)))


def test_a_book_that_ran_empty_is_not_followed_and_a_fall_that_lasts_is() -> None:
    """As PAXG's perpetual on 2025-10-10, between candles of usual ranges."""
    calm = candles_of(brownian(0.2, 3), 5)
    at, last = calm.candles[-1].at + 300, float(calm.candles[-1].close)
    wick = row_of(at, last, last * 1.15, last * 0.82, last * 1.001)
    usual = sum(float(c.high - c.low) for c in calm.candles) / len(calm.candles)
    steps = walk_of(replace(calm, candles=(*calm.candles, wick)), 1)
    prices = [price / 10**steps.decimals for price in steps.prices(len(calm.candles))]
    assert last + 2 * usual < max(prices) < last + 8 * usual
    assert last - 8 * usual < min(prices) < last - 2 * usual
    assert prices[-1] == pytest.approx(float(wick.close))
    fall = row_of(at, last, last * 1.001, last * 0.82, last * 0.83)
    steps = walk_of(replace(calm, candles=(*calm.candles, fall)), 1)
    assert steps.prices(len(calm.candles))[-1] == int(fall.close * 10**steps.decimals)


def test_ranges_that_closes_do_not_bear_out_count_less() -> None:
    """The last price of a thin book is at its bid or its ask, 20 bp apart."""
    path, dice = brownian(0.15, 90), dice_of(3)
    fair = candles_of(path, 60)
    bounced = tuple(x + dice.choice((-0.001, 0.001)) for x in path)
    closes = iter(fair.candles)
    rows = []
    for candle in candles_of(bounced, 60).candles:
        mid = next(closes)
        high, low = max(candle.high, mid.open, mid.close), min(candle.low, mid.open, mid.close)
        rows.append(replace(candle, open=mid.open, high=high, low=low, close=mid.close))
    seen = walk_of(replace(fair, candles=tuple(rows)), 1).candles
    truth = 0.15**2 * len(rows) / 24 / 365
    ranges = sum(math.log(c.high / c.low) ** 2 / 2 for c in rows) - 0.386 * truth
    assert ranges > 1.5 * truth
    assert seen.total == pytest.approx(truth, rel=0.2)


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["PAXGUSDT_spot_1h_2021-04_2023-12", "PAXGUSDT_perp_5m_2025-07_2025-12"]
)
def test_gold_moves_in_its_walk_as_far_as_in_its_closes(shared_data: Path, name: str) -> None:
    path = read_path(shared_data / "prices" / f"{name}.csv.gz")
    steps = walk_of(path, 1)
    opens, closes = path.open_units, path.close_units
    changes = [math.log(c / o) ** 2 for o, c in zip(opens, closes, strict=True)]
    assert steps.candles.total == pytest.approx(sum(changes), rel=0.15)
    walked = sum(
        (after / before - 1) ** 2
        for index in range(0, len(path), 7)
        for before, after in pairwise([opens[index] * steps.finer, *steps.prices(index)])
    )
    assert walked == pytest.approx(sum(changes[::7]), rel=0.2)


def test_coarse_prices_are_walked_finely() -> None:
    """Where an exchange quotes in whole units, the price between them is not in whole units."""
    rows = [(1800, 1803, 1799, 1801), (1801, 1801, 1798, 1799)]
    candles = tuple(
        Candle(
            at=START + n * 3600,
            **dict(zip(("open", "high", "low", "close"), map(Decimal, r), strict=True)),
        )
        for n, r in enumerate(rows)
    )
    path = PackedPath.of(PricePath(source="made", interval_seconds=3600, candles=candles))
    steps = walk_of(path, 1)
    assert path.price_decimals == 0
    assert steps.decimals == 3
    assert len(set(steps.prices(0))) > 100
    assert steps.prices(1)[-1] == 1799 * 10**steps.decimals


@pytest.mark.parametrize(("seconds", "slots"), [(1, 1), (12, 1), (60, 5), (300, 25), (3600, 300)])
def test_a_candle_has_as_many_slots_as_blocks(seconds: int, slots: int) -> None:
    assert slots_of(seconds) == slots
