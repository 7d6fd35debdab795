"""The share near its target on every half-year of gold, with an exchange beside the pool.

Looks are eight hours apart to be cheap; an order is then as large as those of eight hours.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from bench.stop_loss import CAPITAL, FALL, histories, scenario
from dexmm.backtest.run import run_backtest
from dexmm.sim.prices import PricePath

COARSE = 8 * 3600
TARGET = Decimal("0.35")
HALVES = (
    "2021 first half",
    "2021 second half",
    "2022 first half",
    "2022 second half",
    "2023 first half",
    "2023 second half",
    "2025 second half",
)


@cache
def halves(folder: Path) -> dict[str, PricePath]:
    found = dict(histories(folder, COARSE))
    return {name: path for name, path in found.items() if not name.startswith(FALL[0])}


@pytest.mark.data
def test_every_half_year_is_here(shared_data: Path) -> None:
    assert tuple(halves(shared_data / "prices")) == HALVES


@pytest.mark.data
@pytest.mark.parametrize("half", HALVES)
def test_the_mean_share_is_within_three_points_of_its_target(half: str, shared_data: Path) -> None:
    case = scenario(halves(shared_data / "prices")[half], CAPITAL, stop_loss=True, exchange=True)
    hedge = case.config.hedge.model_copy(update={"max_order_base": Decimal(4)})
    config = case.config.model_copy(update={"hedge": hedge})
    found = run_backtest(replace(case, config=config)).figures
    assert abs(found.share_mean - TARGET) <= Decimal("0.03")
    assert found.time_in_band >= Decimal("0.99")
    assert found.exchange_fees < 0  # it did trade there
