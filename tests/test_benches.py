"""Every bench starts: a file here may be named like a module that others import (``math.py``)."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bench.quotes_beside_pool import CENT, row
from bench.quoting_day import MOST_CANCELLED, MOST_DISTANCE, Asking, quote, scaled
from dexmm.sim.agents.price_process import generate

PROJECT = Path(__file__).resolve().parents[1]
BENCHES = sorted(p.name for p in (PROJECT / "bench").glob("*.py") if not p.name.startswith("_"))


@pytest.mark.parametrize("name", BENCHES)
def test_it_starts_and_tells_its_options(name: str) -> None:
    if name == "pool.py":
        pytest.importorskip("pyrevm", reason="pyrevm has no build for this platform")
    done = subprocess.run(
        [sys.executable, PROJECT / "bench" / name, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout


def test_a_tree_beside_itself_takes_the_same_turns() -> None:
    """Both sides of ``turns.py`` are measured, and each turn is told alike to the last digit."""
    done = subprocess.run(
        [
            *(sys.executable, PROJECT / "bench" / "turns.py", "--base", PROJECT, "--turns", "40"),
            *("--rounds", "1", "--strategies", "measured", "--times", "0", "--json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["measured: every turn alike to the last digit"] is True
    assert told["measured: turn, microseconds, base"] > 0
    assert 0 < told["measured: part of a run outside of turns, here"] < 1


@pytest.mark.parametrize(
    ("name", "options", "result"),
    [
        ("sweeps.py", ("--sweep", "4", "--bars", "1500", "--times", "0"), "mean net, bp"),
        ("backtest.py", ("--bars", "300"), "net worth at the end"),
    ],
)
def test_a_tree_beside_itself_ends_alike(name: str, options: tuple[str, ...], result: str) -> None:
    """Both sides are run and told; which of two times so short is the longer one says nothing."""
    done = subprocess.run(
        [
            *(sys.executable, PROJECT / "bench" / name, "--base", PROJECT, "--rounds", "1"),
            *(*options, "--json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = json.loads(done.stdout)
    assert told[f"{result}, base"] == told[f"{result}, here"]
    assert told["peak MB, base"] > 0


@pytest.mark.anvil
@pytest.mark.slow
def test_quotes_beside_the_pool_cost_no_more_than_gas_and_fees() -> None:
    """The same prices, traders and takers with and without: what differs is the quotes' doing."""
    found = row(1, 9)
    assert found.quoted_base > 0
    assert found.quoted.fees > 0
    assert found.reranges == found.reranges_without == 0
    assert abs(found.pool) < CENT  # nothing else was drawn, and nothing moved the pool
    assert abs(found.hedged.total) < CENT  # and the hedges are those of the run without
    assert found.spare >= 0
    parts = found.quoted.total + found.hedged.total + found.pool
    assert abs(found.net - found.net_without - parts) < Decimal("1e-20")


@pytest.mark.parametrize("volatility", ["0.15", "0.60"])
def test_quotes_follow_the_price_and_keep_their_inventory_by_themselves(volatility: str) -> None:
    """Half an hour: both sides rest, near the price, and no hedge takes them out of the book.

    The bench's 95 % are for hours of recorded prices; so short a drawn path may be a little below.
    """
    path = scaled(generate(2, 6, interval_seconds=300), Decimal(volatility))
    found = quote(path, Asking("bands", Decimal(100_000), "0.05", 2))
    assert found["both_sides"] >= Decimal("0.93")
    assert found["distance_ratio"] <= MOST_DISTANCE
    assert found["cancel_ratio"] <= MOST_CANCELLED
    assert found["hedges"] == 0
    assert found["orders_filled"] > 20
