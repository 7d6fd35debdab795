"""The vectorised baselines over a year of minutes, beside demeter over the same minutes.

    python bench/baselines.py [--demeter-python PATH] [--demeter-bars N] [--sweep N] [--json]

One backtest is everything from packed candles to figures: columns, the pool's path, the strategy.
A sweep is many configurations over one history in two processes, started and ended in the time.
demeter (zelos-demeter 1.3.0) runs a static range in an interpreter of its own, over the first
minutes of the same pool path with the swaps' inputs in them; its rate does not depend on how many.
Without ``--demeter-python`` the peer is not installed, and nothing is compared.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import csv
import json
import math
import os
import resource
import subprocess
import tempfile
from array import array
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from bench._harness import arguments, finish
from dexmm.backtest.vectorised.baselines import Baseline, Rule, baseline_figures
from dexmm.backtest.vectorised.price_path import Bars, PoolPath, pool_path
from dexmm.backtest.vectorised.ranges import LN_TICK, Grid, rungs_of
from dexmm.backtest.vectorised.sweep import sweep
from dexmm.history.packed_candles import PackedPath
from dexmm.model.market import Market, Token

YEAR = 525_600
START = 1_704_067_200
SIGMA_ANNUAL, SUBSTEPS = 0.16, 4
OTHERS = 18 * 10**16  # liquidity in the peer's pool
FASTER, YEARS_A_SECOND, WORKERS = 100.0, 50.0, 2
ROUNDS = 5
MARKET = Market(
    chain_id=1,
    pool="0x7Cb85f75e61226060453a997a7733F76707Df337",
    position_manager="0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
    swap_router="0xE592427A0AEce92De3Edee1F18E0157C05861564",
    token0=Token(address="0x45804880De22913dAFE09f4980848ECE6EcbAf78", symbol="PAXG", decimals=18),
    token1=Token(address="0xdAC17F958D2ee523a2206206994597C13D831ec7", symbol="USDT", decimals=6),
    base_is_token0=True,
    fee_pips=500,
    tick_spacing=10,
)


def minutes(seed: int, count: int) -> PackedPath:
    """Candles of a driftless price from 4000, to the cent."""
    dice = np.random.default_rng(seed)
    step = SIGMA_ANNUAL / math.sqrt(YEAR * SUBSTEPS)
    logs = np.cumsum(dice.normal(0, step, count * SUBSTEPS)).reshape(count, SUBSTEPS)
    way = np.rint(400_000 * np.exp(logs)).astype(np.int64)
    opens = np.concatenate(([400_000], way[:-1, -1]))
    columns = (
        opens,
        np.maximum(opens, way.max(axis=1)),
        np.minimum(opens, way.min(axis=1)),
        way[:, -1],
        np.zeros(count, dtype=np.int64),
    )
    packed = [array("q", column.tobytes()) for column in columns]
    return PackedPath(
        source=f"seed {seed}",
        interval_seconds=60,
        start=START,
        price_decimals=2,
        volume_decimals=0,
        open_units=packed[0],
        high_units=packed[1],
        low_units=packed[2],
        close_units=packed[3],
        volume_units=packed[4],
        filled_marks=bytes(count),
    )


def configurations(count: int) -> list[Baseline]:
    """Widths, kinds, gas and dwell, all of them different."""
    rules = (Rule.STATIC, Rule.RECENTRE, Rule.PASSIVE, Rule.FULL_RANGE)
    return [
        Baseline(
            rule=rules[number % len(rules)],
            edge_bp=Decimal(100 + 1900 * number // count),
            dwell_seconds=300 * (1 + number % 5),
            gas_gwei=Decimal(1 + number % 7),
        )
        for number in range(count)
    ]


def write_minutes(path: PoolPath, count: int, ours: float, file: Path) -> None:
    """As demeter's downloader does: what came in, and where the pool stood, each minute.

    ``ours`` is the liquidity that demeter will add to the pool's: swaps had to pass it, too.
    """
    nodes, kept = path.nodes, 1 - MARKET.fee_pips / 1_000_000
    rises = np.concatenate(([0.0], np.cumsum(np.maximum(np.diff(nodes), 0))))
    falls = np.concatenate(([0.0], np.cumsum(np.maximum(np.diff(1 / nodes), 0))))
    last = path.node_of[:count]
    before = np.concatenate(([0], last[:-1]))
    in0 = (falls[last] - falls[before]) * (OTHERS + ours) / kept
    in1 = (rises[last] - rises[before]) * (OTHERS + ours) / kept
    ticks = np.floor(2 * np.log(nodes) / LN_TICK).astype(np.int64)
    with file.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(
            (
                "timestamp", "netAmount0", "netAmount1", "closeTick", "openTick", "lowestTick",
                "highestTick", "inAmount0", "inAmount1", "currentLiquidity",
            )
        )  # fmt: skip
        for n in range(count):
            at = datetime.fromtimestamp(path.first_at + 60 * n, UTC).strftime("%Y-%m-%d %H:%M:%S")
            way = ticks[before[n] : last[n] + 1]
            amounts = (int(in0[n]), int(in1[n]))
            table.writerow((at, *amounts, way[-1], way[0], way.min(), way.max(), *amounts, OTHERS))


def demeter(python: str, path: PoolPath, bars: int, baseline: Baseline) -> dict[str, Any]:
    """The peer's own report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "minutes.csv"
        spread = Grid.of(MARKET).around(path.root(0), rungs_of(float(baseline.edge_bp)))
        base = baseline.capital * baseline.target / Decimal(4000)
        quote = baseline.capital * (1 - baseline.target)
        ours = spread.affordable(path.root(0), float(base) * 1e18, float(quote) * 1e6)
        write_minutes(path, bars, ours, file)
        script = Path(__file__).resolve().with_name("_demeter.py")
        done = subprocess.run(
            [python, script, file, str(spread.bid), str(spread.ask), str(base), str(quote)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    if done.returncode:
        raise SystemExit(f"demeter failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_single(packed: PackedPath) -> dict[str, float]:
    """Seconds of one backtest of each kind, everything included; medians."""
    found = {}
    for rule in Rule:
        baseline, times = Baseline(rule=rule), []
        for _ in range(ROUNDS):
            started = perf_counter()
            baseline_figures(packed, MARKET, baseline)
            times.append(perf_counter() - started)
        found[rule.value] = median(times)
    return found


def measure_sweep(packed: PackedPath, count: int) -> tuple[float, float]:
    """Backtests a second in ``WORKERS`` processes; and of one core's own time, without them."""
    many, times = configurations(count), []
    for _ in range(3):
        started = perf_counter()
        sweep(packed, MARKET, many, workers=WORKERS)
        times.append(perf_counter() - started)
    started = process_time()
    sweep(packed, MARKET, many, workers=1)
    return count / median(times), count / (process_time() - started)


def compare(options: Any, packed: PackedPath, rate: float, results: dict[str, Any]) -> list[str]:
    """The peer over the same minutes; what was missed."""
    if options.demeter_python is None:
        results["demeter"] = "not installed: name its interpreter with --demeter-python"
        return []
    bars, baseline = options.demeter_bars, Baseline(rule=Rule.STATIC, gas_gwei=Decimal(0))
    path = pool_path(Bars.of(packed), MARKET)
    peer = demeter(options.demeter_python, path, bars, baseline)
    peer_rate = peer["bars"] / peer["seconds"]
    ours = baseline_figures(packed.first(bars), MARKET, baseline)
    results |= {
        "demeter: bars": peer["bars"],
        "demeter: bars/s": peer_rate,
        "demeter: peak MB": peer["megabytes"],
        "demeter: fees of the static range": peer["fees"],
        "dexmm: fees of the static range": float(ours.fees) / 0.75,  # demeter has no protocol fee
        "static: times demeter": rate / peer_rate,
    }
    if rate < FASTER * peer_rate:
        return [f"{rate / peer_rate:.0f} times demeter, wanted {FASTER:.0f}"]
    return []


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--bars", type=int, default=YEAR, help="minutes (default a year)")
    parser.add_argument("--sweep", type=int, default=400, help="configurations (default 400)")
    parser.add_argument("--demeter-python", help="an interpreter with zelos-demeter 1.3.0")
    parser.add_argument("--demeter-bars", type=int, default=20_000, help="minutes for the peer")
    options = parser.parse_args()
    packed = minutes(options.seed, options.bars)
    seconds = measure_single(packed)
    results: dict[str, Any] = {"bars": options.bars}
    results |= {f"{name}: bars/s (median)": options.bars / t for name, t in seconds.items()}
    failures = compare(options, packed, options.bars / seconds["static"], results)
    together, alone = measure_sweep(packed, options.sweep)
    years = options.bars / YEAR
    results |= {
        "sweep: configurations": options.sweep,
        "sweep: backtest-years/s, 2 processes (median)": together * years,
        "sweep: backtest-years a second of one core": alone * years,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if options.bars >= YEAR and together * years < YEARS_A_SECOND:
        failures.append(
            f"{together * years:.0f} backtest-years a second, wanted {YEARS_A_SECOND:.0f}"
        )
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
