"""The measured flow is what the file of PAXG moves says."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from dexmm.sim.agents.noise_flow import FLOWS

FILE = "paxg_pool_flows_blocks_24768676_24769672.csv.gz"
SLOT_SECONDS, BLOCKS = 12, 981


@pytest.mark.data
@pytest.mark.parametrize(("name", "pool"), [("real", "PAXG/USDT-500"), ("busy", "PAXG/USDC-500")])
def test_flows_are_those_of_the_recorded_moves(shared_data: Path, name: str, pool: str) -> None:
    with gzip.open(shared_data / "univ3" / FILE, "rt") as text:
        moves = [row for row in csv.DictReader(text) if row["pool"] == pool]
    sizes = [Decimal(row["paxg_wei"]) / 10**18 for row in moves if int(row["paxg_wei"])]
    flow = FLOWS[name]
    assert flow.swaps_per_second * BLOCKS * SLOT_SECONDS == pytest.approx(len(sizes))
    assert flow.mean == pytest.approx(float(sum(sizes) / len(sizes)), rel=0.01)
    assert flow.largest == pytest.approx(float(max(sizes)), rel=0.01)
