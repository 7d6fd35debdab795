"""Paths with other people's trades: each is the walk through every slot, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from backtest.vectorised.vectorised_exact import OTHERS, exact_pool_prices, market_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dexmm.backtest.vectorised.noise import Noise, noise_of, noisy_paths
from dexmm.backtest.vectorised.price_path import Bars, Floats, scale_of
from dexmm.model.market import Market
from dexmm.sim.agents.noise_flow import FLOWS, NoiseStream
from dexmm.sim.agents.price_process import generate
from dexmm.sim.agents.price_walk import slots_of


def one_by_one(
    bars: Bars, market: Market, noise: Noise, ours: float
) -> tuple[list[float], list[tuple[float, float]]]:
    """The root at each close, and where it went with the fair price there, slot after slot."""
    scale, kept = scale_of(market), 1 - market.fee_pips / 1_000_000
    before = float(bars.open[0]) * scale
    root, closes = math.sqrt(before), []
    way = [(root, before)]
    trades = list(zip(noise.slot.tolist(), noise.base.tolist(), strict=True))
    for slot, price in enumerate((bars.walked * scale).tolist()):
        while trades and trades[0][0] == slot:
            base = trades.pop(0)[1]
            push = abs(base) * 10.0**market.base.decimals * math.sqrt(before) * kept
            factor = min(1 + push / (noise.others + ours), math.sqrt(1.02))
            root *= factor if base > 0 else 1 / factor
            way.append((root, price))
        root = min(max(root, math.sqrt(price * kept)), math.sqrt(price / kept))
        way.append((root, price))
        before = price
        if slot % bars.slots == bars.slots - 1:
            closes.append(root)
    return closes, way


@given(
    seed=st.integers(0, 999),
    candles=st.integers(1, 60),
    interval=st.sampled_from([60, 300]),
    others=st.sampled_from([10**16, OTHERS]),
    ours=st.sampled_from([0.0, 1e15, 3e17]),
)
@settings(max_examples=40, deadline=None)
def test_what_is_left_out_changes_no_path(
    seed: int, candles: int, interval: int, others: int, ours: float
) -> None:
    bars, market = Bars.of(generate(seed, candles, interval_seconds=interval), seed), market_of()
    noise = noise_of(FLOWS["busy"], seed, bars, others)
    found = noisy_paths(bars, market, noise).path(ours)
    closes, way = one_by_one(bars, market, noise, ours)
    np.testing.assert_allclose(found.roots(0, candles), closes, rtol=1e-14)
    root, price = (np.array(column) for column in zip(*way, strict=True))
    # Where nothing was gained, rounding leaves a millionth of the smallest of the sums.
    np.testing.assert_allclose(
        sums(found.nodes, found.node_fair), sums(root, price), rtol=1e-6, atol=1e-18
    )


def sums(root: Floats, price: Floats) -> list[float]:
    """What fees and loss versus rebalancing are made of."""
    up, down = np.diff(root), np.diff(1 / root)
    lost = down * price[1:] + up
    return [float(np.maximum(part, 0).sum()) for part in (up, down, -lost, lost)]


def test_most_slots_are_left_out() -> None:
    bars = Bars.of(generate(3, 5000, interval_seconds=60))
    noise = noise_of(FLOWS["real"], 3, bars, OTHERS)
    shared = noisy_paths(bars, market_of(), noise)
    assert len(shared.when) - len(noise.slot) < len(bars.walked) / 3


def test_with_noise_the_pool_stands_where_the_exact_one_does() -> None:
    path, market = generate(6, 400), market_of()
    bars = Bars.of(path)
    found = noisy_paths(bars, market, noise_of(FLOWS["busy"], 1, bars, OTHERS)).path()
    exact = exact_pool_prices(path, market, FLOWS["busy"])
    np.testing.assert_allclose(found.roots(0, 400) ** 2 * 1e12, exact, rtol=2e-6)
    quiet = exact_pool_prices(path, market)
    assert max(abs(a / b - 1) for a, b in zip(quiet, exact, strict=True)) > 2e-4


def test_noise_is_the_street_s_own() -> None:
    bars, stream = Bars.of(generate(1, 200)), NoiseStream(FLOWS["busy"], 9)
    noise = noise_of(FLOWS["busy"], 9, bars, 1.0)
    trades = [trade for _ in range(200) for trade in stream.pass_interval(300)]
    assert len(noise.base) == len(trades) > 500
    assert noise.base.tolist() == [float(t.base) if t.buys_base else -float(t.base) for t in trades]
    assert (np.diff(noise.slot) >= 0).all()
    assert {int(s) % slots_of(300) for s in noise.slot} == set(range(slots_of(300)))
    assert noise.slot.max() < slots_of(300) * 200


def test_noise_never_pushes_beyond_what_its_traders_bear() -> None:
    bars = Bars.of(generate(1, 2))
    noise = Noise(slot=np.array([0]), base=np.array([1e9]), others=1e10)
    found = noisy_paths(bars, market_of(), noise).path()
    assert found.nodes[1] / found.nodes[0] == pytest.approx(math.sqrt(1.02))
