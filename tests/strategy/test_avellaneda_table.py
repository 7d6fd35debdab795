"""The 2008 paper's inventory-strategy table, reproduced with the product's own prices."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
PATHS = 1000


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location("bench_quoting", BENCH / "quoting.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCH))


@pytest.mark.parametrize("gamma", ["0.1", "0.01", "1"])
def test_every_figure_is_within_two_standard_errors(bench: ModuleType, gamma: str) -> None:
    paper = bench.PAPER[gamma]
    row = bench.simulate(bench.Decimal(gamma), PATHS, seed=1)
    assert row.spread == pytest.approx(paper.spread, abs=0.005)
    off = bench.errors_off(row, paper, PATHS)
    assert all(abs(errors) <= 2 for errors in off.values()), off
