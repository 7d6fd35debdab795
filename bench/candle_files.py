"""Reading a year of minutes from Binance's archive beside the same rows in our own layout.

    python bench/candle_files.py [--minutes N] [--rounds N] [--json]

The rows are made from a seed and written as our own csv and csv.gz, as one csv and one zip in the
archive's layout (12 columns, microseconds, no header) and as twelve zips. ``read`` is the reading
alone; ``command`` is the whole of ``dexmm backtest --prices FILE`` over the last two days of it,
which reads all of the file. Each in a process of its own, in rounds that alternate; processor time
counts, not the clock.

Target: a command over the archive takes at most 1.2 times one over the same rows in our own layout,
plain beside plain and packed beside packed.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
import gzip
import json
import random
import resource
import subprocess
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

YEAR, ROUNDS, START, TARGET = 525_600, 5, 1_735_689_600, 1.2
ONE = """
import sys, time
from pathlib import Path
import numpy, pyarrow.compute, pyarrow.csv, pyarrow.parquet
from dexmm.history.packed_candles import read_path
began = time.process_time()
path = read_path(Path(sys.argv[1]))
print(len(path), sum(path.close_units), time.process_time() - began)
"""


def rows(minutes: int) -> list[tuple[int, str, str, str, str, str]]:
    dice, price = random.Random(1), 4000.0
    made = []
    for at in range(START, START + 60 * minutes, 60):
        close = price * (1 + dice.gauss(0, 0.0002))
        high, low = max(price, close) + dice.random(), min(price, close) - dice.random()
        told = (f"{each:.2f}" for each in (price, high, low, close))
        made.append((at, *told, f"{dice.uniform(0, 9):.4f}"))
        price = float(f"{close:.2f}")
    return made


def archive(part: list[Any]) -> str:
    return "".join(
        f"{at}000000,{o}000000,{h}000000,{low}000000,{c}000000,{v}0000,{at + 60}999999,"
        f"{float(v) * float(c):.8f},12,{float(v) / 2:.8f},{float(c):.8f},0\n"
        for at, o, h, low, c, v in part
    )


def write(folder: Path, made: list[Any]) -> dict[str, Path]:
    own = "timestamp_ms,open,high,low,close,volume\n"
    own += "".join(f"{at}000,{','.join(numbers)}\n" for at, *numbers in made)
    files = {n: folder / n for n in ("own.csv", "own.csv.gz", "archive.csv", "archive.zip")}
    files["own.csv"].write_text(own)
    files["own.csv.gz"].write_bytes(gzip.compress(own.encode(), 6))
    files["archive.csv"].write_text(archive(made))
    with zipfile.ZipFile(files["archive.zip"], "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(files["archive.csv"], "archive.csv")
    files["twelve zips"] = folder / "twelve"
    files["twelve zips"].mkdir()
    step = -(-len(made) // 12)
    for month in range(12):
        name = f"PAXGUSDT-1m-2025-{month + 1:02}"
        target = files["twelve zips"] / f"{name}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{name}.csv", archive(made[month * step : (month + 1) * step]))
    return files


def command(file: Path, since: int) -> float:
    """Processor seconds of a backtest over what comes after ``since``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    day = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = ["backtest", "--prices", str(file), "--since", day, "--json"]
    subprocess.run(
        [sys.executable, "-m", "dexmm.cli.main", *asked],
        capture_output=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=YEAR)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seen: dict[str, list[tuple[float, float]]] = {}
    sums = set()
    with tempfile.TemporaryDirectory(prefix="dexmm-candles-") as folder:
        files = write(Path(folder), rows(asked.minutes))
        for _ in range(asked.rounds):
            for name, file in files.items():
                done = subprocess.run(
                    [sys.executable, "-c", ONE, str(file)],
                    capture_output=True,
                    text=True,
                    check=True,
                    cwd=Path(__file__).resolve().parents[1],
                )
                count, total, read = done.stdout.split()
                sums.add((count, total))
                whole = command(file, START + 60 * asked.minutes - 2 * 86_400)
                seen.setdefault(name, []).append((float(read), whole))
    assert len(sums) == 1, "the files are not read alike"
    found = {
        name: {"read": median(r for r, _ in each), "command": median(w for _, w in each)}
        for name, each in seen.items()
    }
    for name, told in found.items():
        own = found["own.csv.gz" if "zip" in name else "own.csv"]
        told["times"] = told["command"] / own["command"]
    if asked.json:
        print(json.dumps({"minutes": asked.minutes, "files": found, "target": TARGET}))
    else:
        for name, told in found.items():
            print(
                f"{name:<12} read {told['read']:6.2f} s, command {told['command']:6.2f} s, "
                f"{told['times']:5.2f} times our own"
            )
    sys.exit(max(told["times"] for told in found.values()) > TARGET)


if __name__ == "__main__":
    main()
