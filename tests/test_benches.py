"""Every bench starts: a file here may be named like a module that others import (``math.py``)."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bench.quotes_beside_pool import CENT, row

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


@pytest.mark.anvil
@pytest.mark.slow
def test_quotes_beside_the_pool_cost_no_more_than_gas_and_fees() -> None:
    """The same prices, traders and takers with and without: what differs is the quotes' doing."""
    found = row(3, 9)
    assert found.quoted_base > 0
    assert found.quoted.fees > 0
    assert found.reranges == found.reranges_without == 0
    assert abs(found.pool) < CENT  # nothing else was drawn, and nothing moved the pool
    assert abs(found.hedged.total) < CENT  # and the hedges are those of the run without
    assert found.spare >= 0
    parts = found.quoted.total + found.hedged.total + found.pool
    assert abs(found.net - found.net_without - parts) < Decimal("1e-20")
