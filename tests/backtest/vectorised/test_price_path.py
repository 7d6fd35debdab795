"""The walk of the pool's price: exact, whatever is cut where, and blind to the future."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from backtest.vectorised.vectorised_exact import OTHERS, exact_pool_prices, market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.vectorised.noise import noise_of, noisy_paths
from dexmm.backtest.vectorised.price_path import Bars, Floats, clipped_walk, pool_path
from dexmm.history.packed_candles import PackedPath
from dexmm.sim.agents.noise_flow import FLOWS
from dexmm.sim.agents.price_process import Candle, PricePath, generate
from dexmm.sim.agents.price_walk import slots_of, walk_of


def one_by_one(start: float, lower: Floats, upper: Floats, by: Floats) -> list[float]:
    walked = []
    for low, high, factor in zip(lower.tolist(), upper.tolist(), by.tolist(), strict=True):
        start = min(max(start * factor, low), high)
        walked.append(start)
    return walked


@given(seed=st.integers(0, 2**32), count=st.integers(1, 400), wide=st.floats(0, 0.01))
@settings(max_examples=40, deadline=None)
def test_the_blocks_walk_as_one_by_one_to_the_last_bit(seed: int, count: int, wide: float) -> None:
    dice = np.random.default_rng(seed)
    fair = 4000 * np.exp(np.cumsum(dice.normal(0, 0.002, count)))
    lower, upper = fair * (1 - wide), fair / (1 - wide)
    walked = clipped_walk(4000.0, lower, upper)
    assert walked.tolist() == one_by_one(4000.0, lower, upper, np.ones(count))


@given(seed=st.integers(0, 2**32), count=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_with_pushes_between_the_clips_it_is_the_same_walk(seed: int, count: int) -> None:
    dice = np.random.default_rng(seed)
    fair = 4000 * np.exp(np.cumsum(dice.normal(0, 0.002, count)))
    free = dice.random(count) < 0.3
    lower, upper = np.where(free, 0, fair * 0.9995), np.where(free, np.inf, fair / 0.9995)
    by = np.where(free, np.exp(dice.normal(0, 0.0005, count)), 1)
    found = clipped_walk(4000.0, lower, upper, by)
    np.testing.assert_allclose(found, one_by_one(4000.0, lower, upper, by), rtol=1e-13)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_pool_stands_where_the_exact_one_does(mirrored: bool) -> None:
    path, market = generate(6, 400), market_of(mirrored=mirrored)
    found = pool_path(Bars.of(path), market)
    prices = found.roots(0, len(found)) ** 2 * 1e12
    np.testing.assert_allclose(prices, exact_pool_prices(path, market), rtol=1e-13)
    assert len(found.nodes) < slots_of(300) * len(path.candles)
    assert (np.diff(found.nodes) != 0).all()


@given(
    seed=st.integers(0, 10**6),
    cut=st.integers(1, 59),
    by=st.sampled_from([Decimal("0.5"), Decimal("1.02"), Decimal(3)]),
)
@settings(max_examples=20, deadline=None)
def test_nothing_depends_on_what_comes_later(seed: int, cut: int, by: Decimal) -> None:
    path = generate(seed, 60)
    cent = Decimal("0.01")
    later = tuple(
        Candle(
            at=c.at,
            open=(c.open * by).quantize(cent),
            high=(c.high * by).quantize(cent),
            low=(c.low * by).quantize(cent),
            close=(c.close * by).quantize(cent),
        )
        for c in path.candles[cut:]
    )
    other = replace(path, candles=(*path.candles[:cut], *later))
    paths = [pool_path(Bars.of(one), market_of()) for one in (path, other)]
    one, two = (found.roots(0, cut).tolist() for found in paths)
    assert one == two
    assert paths[0].roots(cut, 60).tolist() != paths[1].roots(cut, 60).tolist()


def test_packed_candles_are_the_same_columns() -> None:
    path: PricePath = generate(2, 50)
    one, other = Bars.of(path), Bars.of(PackedPath.of(path))
    assert (one.start, one.interval_seconds, len(one)) == (path.candles[0].at, 300, 50)
    for name in ("open", "high", "low", "close"):
        expected = [float(getattr(candle, name)) for candle in path.candles]
        assert getattr(one, name).tolist() == getattr(other, name).tolist() == expected


def test_candles_are_walked_as_they_say() -> None:
    path = generate(8, 40)
    walk = walk_of(path, 3)
    ways = [units / 10**walk.decimals for index in range(40) for units in walk.prices(index)]
    assert Bars.of(path, 3).walked.tolist() == ways


def test_a_history_is_walked_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bars, market = Bars.of(generate(9, 300)), market_of()
    noise = noise_of(FLOWS["real"], 9, bars, OTHERS)
    whole, noisy = pool_path(bars, market), noisy_paths(bars, market, noise)
    for module in ("price_path", "noise"):
        monkeypatch.setattr(f"dexmm.backtest.vectorised.{module}.PIECE", 1000)
    pieces = pool_path(bars, market)
    for name in ("fair", "nodes", "node_fair", "node_of"):
        assert getattr(pieces, name).tolist() == getattr(whole, name).tolist()
    one, other = noisy.path(1e16), noisy_paths(bars, market, noise).path(1e16)
    np.testing.assert_allclose(one.roots(0, 300), other.roots(0, 300), rtol=1e-14)
