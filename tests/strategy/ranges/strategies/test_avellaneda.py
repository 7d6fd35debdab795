"""The 2008 paper's inventory-strategy table, reproduced with the product's own prices."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[4]
PATHS = 1000


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    # ``bench`` stands beside the tests and is not installed: a path of its own, taken back after.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT)
        yield importlib.import_module("bench.quoting")


@pytest.mark.parametrize("gamma", ["0.1", "0.01", "1"])
def test_every_figure_is_within_two_standard_errors(bench: ModuleType, gamma: str) -> None:
    paper = bench.PAPER[gamma]
    row = bench.simulate(bench.Decimal(gamma), PATHS, seed=1)
    assert row.spread == pytest.approx(paper.spread, abs=0.005)
    off = bench.errors_off(row, paper, PATHS)
    assert all(abs(errors) <= 2 for errors in off.values()), off
