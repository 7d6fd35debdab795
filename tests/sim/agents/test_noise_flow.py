"""Noise is seeded, Poisson in time, and of the sizes measured on mainnet."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dexmm.sim.agents.noise_flow import FLOWS, NoiseStream

MEASURED = {  # swaps, mean and largest base of 981 mainnet blocks
    "real": (34, 0.071, 0.148),
    "busy": (134, 0.356, 1.377),
}


def test_one_seed_is_one_market() -> None:
    first, second, other = (
        NoiseStream(FLOWS["busy"], seed).pass_interval(86_400) for seed in (1, 1, 2)
    )
    assert first == second != other


@pytest.mark.parametrize("name", MEASURED)
def test_sizes_and_frequency_are_the_measured_ones(name: str) -> None:
    swaps, mean, largest = MEASURED[name]
    seconds = 981 * 12
    stream = NoiseStream(FLOWS[name], 11)
    samples = [stream.pass_interval(seconds) for _ in range(60)]
    trades = [trade for sample in samples for trade in sample]
    assert len(trades) / len(samples) == pytest.approx(swaps, rel=0.1)
    assert float(sum(t.base for t in trades)) / len(trades) == pytest.approx(mean, rel=0.05)
    assert Decimal(0) < min(t.base for t in trades)
    assert max(t.base for t in trades) <= Decimal(str(largest))
    assert sum(t.buys_base for t in trades) / len(trades) == pytest.approx(0.5, abs=0.05)
    assert FLOWS[name].mean == pytest.approx(mean, rel=0.01)


def test_trades_come_in_order_within_the_interval() -> None:
    stream = NoiseStream(FLOWS["busy"], 5)
    for _ in range(50):
        times = [trade.at for trade in stream.pass_interval(300)]
        assert times == sorted(times)
        assert all(0 <= at < 300 for at in times)


@pytest.mark.parametrize("seconds", [60, 300, 7200])
def test_how_time_is_cut_changes_nothing(seconds: int) -> None:
    whole = NoiseStream(FLOWS["real"], 4).pass_interval(86_400)
    stream, parts = NoiseStream(FLOWS["real"], 4), []
    for start in range(0, 86_400, seconds):
        parts += [(start + t.at, t.base, t.buys_base) for t in stream.pass_interval(seconds)]
    assert [(t.base, t.buys_base) for t in whole] == [part[1:] for part in parts]
    assert [t.at for t in whole] == pytest.approx([part[0] for part in parts])


@pytest.mark.parametrize("activity", [0.25, 2.0, 60.0])
def test_people_who_trade_more_make_the_same_trades_sooner(activity: float) -> None:
    usual = NoiseStream(FLOWS["real"], 4).pass_interval(86_400)
    seconds = int(86_400 / activity)
    busy = NoiseStream(FLOWS["real"], 4).pass_interval(seconds, activity)
    assert [(t.base, t.buys_base) for t in busy] == [(t.base, t.buys_base) for t in usual]
    assert [t.at * activity for t in busy] == pytest.approx([t.at for t in usual])


def test_nobody_trades_where_nothing_moves() -> None:
    stream = NoiseStream(FLOWS["real"], 4)
    assert stream.pass_interval(10**6, 0.0) == ()
    assert stream.pass_interval(86_400) == NoiseStream(FLOWS["real"], 4).pass_interval(86_400)


def test_many_intervals_are_each_of_them() -> None:
    one, many = NoiseStream(FLOWS["real"], 5), NoiseStream(FLOWS["real"], 5)
    each = [(number, one.pass_interval(60)) for number in range(3000)]
    assert list(many.pass_many(60, 3000)) == [(number, seen) for number, seen in each if seen]
    assert one.pass_interval(86_400) == many.pass_interval(86_400)


def test_a_quiet_time_is_passed_as_an_interval_is() -> None:
    one, other = NoiseStream(FLOWS["busy"], 5), NoiseStream(FLOWS["busy"], 5)
    for _ in range(500):
        quiet = other.pass_quiet(30.0)
        seen = one.pass_interval(30)
        assert quiet is not bool(seen) or not seen  # what is dust is no trade, and no quiet either
        if not quiet:
            assert other.pass_interval(30) == seen
