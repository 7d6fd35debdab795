"""The two weeks of prices that the README's examples run over are made again, to the byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dexmm.sim.agents.price_process import read_candles

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = PROJECT / "docs" / "gold-two-weeks.csv"
LINE = ".venv/bin/python scripts/make_sample.py docs/gold-two-weeks.csv"


def test_the_documented_command_makes_the_same_file(tmp_path: Path) -> None:
    assert LINE in (PROJECT / "README.md").read_text("utf-8")
    made = tmp_path / "made.csv"
    script = PROJECT / "scripts" / "make_sample.py"
    subprocess.run([sys.executable, str(script), str(made)], check=True, timeout=60)
    assert made.read_bytes() == SAMPLE.read_bytes()


def test_it_is_two_weeks_and_small() -> None:
    path = read_candles(SAMPLE)
    assert len(path.candles) * path.interval_seconds == 14 * 86_400
    assert not path.filled
    assert SAMPLE.stat().st_size < 100_000
