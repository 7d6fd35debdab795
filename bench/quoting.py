"""Avellaneda and Stoikov (2008), table of the inventory strategy, with the product's own functions.

    python bench/quoting.py [--paths 1000] [--seed 1] [--json]

s = 100, T = 1, sigma = 2, dt = 0.005, k = 1.5, A = 140, mid moves of +-sigma sqrt(dt), and an
order at distance d of the mid filled with probability A exp(-k d) dt. The prices come from
``reservation_price`` and ``optimal_spread``; the rest is the paper's world. Figures agree when
they are within two standard errors of the paper's: both are means of 1000 paths, so the error of
the difference is std * sqrt(1 / paths + 1 / 1000), and for a standard deviation std / sqrt(2)
times the same.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import math
import random
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean, stdev

from bench._harness import arguments, finish
from dexmm.strategy.trading.quote_prices import optimal_spread, reservation_price

START, SIGMA, DT, STEPS, KAPPA, INTENSITY = 100, Decimal(2), Decimal("0.005"), 200, "1.5", 140.0
PAPER_PATHS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    spread: float
    profit: float
    profit_std: float
    final_std: float  # of the inventory at the end


PAPER = {
    "0.1": Row(1.49, 65.0, 6.6, 2.9),
    "0.01": Row(1.35, 68.6, 8.7, 5.1),
    "1": Row(3.02, 31.4, 5.0, 1.7),
}


def simulate(gamma: Decimal, paths: int, seed: int) -> Row:
    """The inventory strategy's line for one risk aversion."""
    variance, kappa = SIGMA * SIGMA, Decimal(KAPPA)
    lefts = [1 - DT * step for step in range(STEPS)]
    spreads = [optimal_spread(gamma, kappa, variance, left) for left in lefts]
    # What one unit of inventory moves the reservation price by, at each step.
    shifts = [
        float(reservation_price(Decimal(0), Decimal(1), gamma, variance, left)) for left in lefts
    ]
    halves = [float(spread) / 2 for spread in spreads]
    ends = [path(shifts, halves, random.Random(seed * 1_000_003 + n)) for n in range(paths)]
    profits, inventories = [p for p, _ in ends], [q for _, q in ends]
    # Linear in time, so its mean over the horizon is the one at half of it.
    spread = float(optimal_spread(gamma, kappa, variance, Decimal("0.5")))
    return Row(spread, fmean(profits), stdev(profits), stdev(inventories))


def path(shifts: list[float], halves: list[float], dice: random.Random) -> tuple[float, float]:
    """Profit and inventory at the end of one path."""
    mid, cash, held = float(START), 0.0, 0
    move, dt = float(SIGMA) * math.sqrt(float(DT)), float(DT)
    for shift, half in zip(shifts, halves, strict=True):
        centre = mid + held * shift
        bid, ask = centre - half, centre + half
        bought = dice.random() < INTENSITY * math.exp(-float(KAPPA) * (mid - bid)) * dt
        sold = dice.random() < INTENSITY * math.exp(-float(KAPPA) * (ask - mid)) * dt
        if bought:
            held, cash = held + 1, cash - bid
        if sold:
            held, cash = held - 1, cash + ask
        mid += move if dice.random() < 0.5 else -move
    return cash + held * mid, float(held)


def standard_error(std: float, paths: int) -> float:
    """Of the difference between two means over independent paths."""
    return std * math.sqrt(1 / paths + 1 / PAPER_PATHS)


def errors_off(row: Row, paper: Row, paths: int) -> dict[str, float]:
    """How many standard errors each simulated figure is from the paper's."""
    mean = standard_error(paper.profit_std, paths)
    inventory = standard_error(paper.final_std, paths) / math.sqrt(2)
    return {
        "profit": (row.profit - paper.profit) / mean,
        "std profit": (row.profit_std - paper.profit_std) / (mean / math.sqrt(2)),
        "std q": (row.final_std - paper.final_std) / inventory,
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--paths", type=int, default=1000)
    options = parser.parse_args()
    results: dict[str, str] = {"paths": str(options.paths)}
    failures: list[str] = []
    for gamma, paper in PAPER.items():
        row = simulate(Decimal(gamma), options.paths, options.seed)
        for what, is_, should in (
            ("spread", row.spread, paper.spread),
            ("profit", row.profit, paper.profit),
            ("std profit", row.profit_std, paper.profit_std),
            ("std q", row.final_std, paper.final_std),
        ):
            results[f"gamma {gamma}: {what} (paper)"] = f"{is_:.2f} ({should})"
        for what, off in errors_off(row, paper, options.paths).items():
            if abs(off) > 2:
                failures.append(f"gamma {gamma}: {what} is {off:+.1f} standard errors off")
        if abs(row.spread - paper.spread) > 0.005:
            failures.append(f"gamma {gamma}: the spread is {row.spread:.4f}")
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
