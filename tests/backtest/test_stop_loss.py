"""What the stop-loss saves in a fall of real prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.stop_loss import CAPITAL, merged, run
from dexmm.sim.prices import PricePath, read_candles

HOURS = "prices/PAXGUSDT_spot_1h_2021-04_2023-12.csv.gz"
COARSE = 4 * 3600


def since(path: PricePath, first: str, last: str) -> PricePath:
    a, b = (int(datetime.fromisoformat(d).replace(tzinfo=UTC).timestamp()) for d in (first, last))
    return replace(path, candles=tuple(c for c in path.candles if a <= c.at < b))


@pytest.mark.data
def test_it_cuts_the_loss_of_the_fall_of_2022_on_the_exchange(shared_data: Path) -> None:
    path = since(merged(read_candles(shared_data / HOURS), COARSE), "2022-03-08", "2022-11-04")
    kept, lost = (run(path, CAPITAL, stop_loss=on, exchange=True).figures for on in (True, False))
    assert kept.end > lost.end
    assert kept.net > 0  # it ends above holding too
