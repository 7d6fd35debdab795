"""A pool's price that follows the fair one with play moves less, by what the formula says."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from dexmm.strategy.pay.price_lag import RHO, fair_variance, offset_moved, pool_variance

D = Decimal
BAND = 0.0006


def followed(sigma: float, noise: float, span: int, spans: int, seed: int) -> tuple[float, float]:
    """Mean squares of the fair price's and the pool's moves over ``span`` steps.

    ``sigma`` and ``noise`` are of one step.
    """
    dice = random.Random(seed)  # noqa: S311 - statistics
    fair, pool = 0.0, dice.uniform(-BAND, BAND)
    moves = [0.0, 0.0]
    for _ in range(spans):
        begun = fair, pool
        for _ in range(span):
            fair += dice.gauss(0.0, sigma)
            pool += dice.gauss(0.0, noise)
            pool = min(max(pool, fair - BAND), fair + BAND)
        moves[0] += (fair - begun[0]) ** 2
        moves[1] += (pool - begun[1]) ** 2
    return moves[0] / spans, moves[1] / spans


@pytest.mark.parametrize("wide", [1.0, 2.0, 4.0])
def test_the_formula_is_what_a_simulation_shows(wide: float) -> None:
    """``wide``: the deviation of the fair price over a span, in bands."""
    span, rho = 200, float(RHO)
    sigma = wide * BAND / math.sqrt(span)
    noise = sigma * math.sqrt(1 / rho - 1)
    fair, pool = followed(sigma, noise, span, 1500, seed=int(wide))
    found = pool_variance(D(repr(sigma**2 * span)), D(1), D(repr(BAND)))
    assert pool / fair == pytest.approx(float(found) / (sigma**2 * span), rel=0.08)


def test_long_spans_hide_a_third_of_the_squared_band_and_short_ones_all_but_the_kicks() -> None:
    assert offset_moved(D(1000)) == pytest.approx(D(1) / 3, rel=D("0.001"))
    assert offset_moved(D("0.1")) == pytest.approx(D("0.0416"), rel=D("0.01"))
    hidden = D(100) - pool_variance(D(100), D(1), D(1))
    assert hidden == pytest.approx(D(1) / 3, rel=D("0.001"))


@pytest.mark.parametrize("sigma", ["0.02", "0.08", "0.16", "0.4", "1.5"])
@pytest.mark.parametrize("seconds", [300, 900, 3600, 6 * 3600])
def test_what_is_shown_is_solved_for_what_it_is_of(sigma: str, seconds: int) -> None:
    variance, band = D(sigma) ** 2 / (365 * 86400), D("0.0008")
    shown = pool_variance(variance, D(seconds), band)
    assert shown <= variance
    assert fair_variance(shown, D(seconds), band) == pytest.approx(variance, rel=D("0.02"))


def test_a_price_without_a_band_is_the_fair_one() -> None:
    assert fair_variance(D("0.5"), D(300), D(0)) == D("0.5")
    assert fair_variance(D(0), D(300), D("0.001")) == 0
    assert pool_variance(D(0), D(300), D("0.001")) == 0
