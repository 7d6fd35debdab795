#!/usr/bin/env python3
"""Two weeks of candles from the seeded generator: the history that the README's examples run over.

    .venv/bin/python scripts/make_sample.py docs/gold-two-weeks.csv

The same seed gives the same file, to the byte, on any machine. The prices are invented: they move
as gold does (volatility, jumps, weekends), and are nobody's record of it.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from dexmm.sim.agents.price_process import GENERATOR_START, PricePath, generate

DAYS = 14
INTERVAL_SECONDS = 900
SEED = 9


def sample() -> PricePath:
    """Monday 2024-01-01 to Monday 2024-01-15, 15 minutes a candle."""
    count = DAYS * 86_400 // INTERVAL_SECONDS
    return generate(SEED, count, start_at=GENERATOR_START, interval_seconds=INTERVAL_SECONDS)


def as_csv(path: PricePath) -> str:
    """Header ``time,open,high,low,close``; times are ISO 8601 in UTC, of a candle's opening."""
    lines = ["time,open,high,low,close"]
    for candle in path.candles:
        at = datetime.fromtimestamp(candle.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        prices = (candle.open, candle.high, candle.low, candle.close)
        lines.append(",".join((at, *(f"{price:f}" for price in prices))))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the CSV file to write")
    output: Path = parser.parse_args().output
    output.write_text(as_csv(sample()), encoding="utf-8")


if __name__ == "__main__":
    main()
