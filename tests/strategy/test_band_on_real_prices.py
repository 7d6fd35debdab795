"""The design's claim on real prices of gold, with the real ``decide`` and ``plan``.

Arbitrage alone: the pool's price is the candle's close, ranges hold what the pool's integers say,
and a turn follows every candle. Then the share never leaves its band, edges near or far.
"""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from strategy.builders import World, a_config

HOURS = "PAXGUSDT_spot_1h_2021-04_2023-12.csv.gz"
MINUTES = "PAXGUSDT_perp_5m_2025-07_2025-12.csv.gz"
LOW, HIGH = Decimal("0.20"), Decimal("0.50")


def candles(folder: Path, name: str, most: int) -> list[tuple[int, Decimal]]:
    with gzip.open(folder / "prices" / name, "rt") as file:
        rows = csv.DictReader(file)
        return [
            (int(row["timestamp_ms"]) // 1000, Decimal(row["close"]))
            for row, _ in zip(rows, range(most), strict=False)
        ]


def follow(world: World, prices: list[tuple[int, Decimal]]) -> list[Decimal]:
    """The share after every candle, the whole inventory at its target at the first one."""
    world.base = Decimal(10)
    world.quote = 10 * prices[0][1] * (1 - Decimal("0.35")) / Decimal("0.35")
    world.__post_init__()
    shares = []
    for now, price in prices:
        world.now, world.block, world.price = now, now // 12, price
        world.turn()
        shares.append(world.share())
    return shares


def pure_strategy(edge_bp: int) -> World:
    """Re-range whenever the price leaves the edges, and nothing else in the way."""
    return World(
        a_config(
            strategy={
                "edge_min_bp": edge_bp,
                "edge_max_bp": edge_bp + 1,
                "economic_gate": False,
                "dwell_seconds": 0,
                "min_interval_seconds": 0,
                "max_age_hours": 100_000,
            },
            guards={
                "closed_weekly": [],
                "stop_loss_bp": 10_000,
                "stop_loss_release_bp": 9_999,
                "max_drawdown_bp": 10_000,
                "max_drawdown_hold_bp": 10_000,
            },
        )
    )


@pytest.mark.data
@pytest.mark.parametrize("edge_bp", [100, 200, 400, 800])
def test_the_share_never_leaves_its_band(shared_data: Path, edge_bp: int) -> None:
    world = pure_strategy(edge_bp)
    shares = follow(world, candles(shared_data, HOURS, 5000))
    assert all(LOW <= share <= HIGH for share in shares)
    assert max(shares) - min(shares) > Decimal("0.2")  # it did trade
    assert not any(decision.withheld for decision in world.decisions)


@pytest.mark.data
@pytest.mark.slow
def test_nor_in_half_a_year_of_five_minutes(shared_data: Path) -> None:
    shares = follow(pure_strategy(200), candles(shared_data, MINUTES, 51_840))
    assert all(LOW <= share <= HIGH for share in shares)


@pytest.mark.data
def test_the_defaults_keep_the_band_through_a_fall_of_a_tenth(shared_data: Path) -> None:
    """October 2025: stop-loss, slices, weekends and all; only the income is missing."""
    prices = candles(shared_data, MINUTES, 40_000)[26_000:]
    world = World(a_config(strategy={"economic_gate": False}))
    shares = follow(world, prices)
    assert all(LOW <= share <= HIGH for share in shares)
    rules = {refusal.rule for decision in world.decisions for refusal in decision.refusals}
    assert "stop_loss" in rules
    assert all(decision.refusals for decision in world.decisions if decision.withheld)


@pytest.mark.data
def test_recentre_drains_to_one_side_where_budget_does_not(shared_data: Path) -> None:
    world = pure_strategy(200)
    settings = world.config.strategy.model_copy(update={"name": "recentre"})
    world.config = world.config.model_copy(update={"strategy": settings})
    shares = follow(world, candles(shared_data, HOURS, 5000))
    inside = sum(LOW <= share <= HIGH for share in shares) / len(shares)
    assert inside < 0.5
