"""A sweep of baselines beside another version of the product; with other people's trades or not.

    python bench/sweeps.py --base TREE [--flow real|busy|none] [--sweep N] [--bars N] [--rounds N]

TREE is another checkout (with its own ``.venv``, or this interpreter is used). Each side does the
whole sweep, from packed candles to figures, in one process of its own; the sides take turns, and
processor time counts, not the clock. Peak memory is that of the process. Both sweep the same
candles, configurations and trades through the same liquidity of others.

Target: with other people's trades at least five times the other tree's rate (``--times``).
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and "--one" in sys.argv:  # a side: the tree that it is about comes first
    sys.path[0] = sys.argv[sys.argv.index("--one") + 1]
elif sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
import json
import resource
import subprocess
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

HERE = Path(__file__).resolve().parent.parent
YEAR, CONFIGURATIONS, ROUNDS, TIMES = 525_600, 400, 3, 5.0


def one(options: argparse.Namespace) -> int:
    """This tree's side: one sweep, as a line of JSON."""
    from bench.baselines import MARKET, OTHERS, configurations, minutes
    from dexmm.backtest.vectorised.sweep import sweep

    packed, many = minutes(options.seed, options.bars), configurations(options.sweep)
    started = process_time()
    found = sweep(
        packed, MARKET, many, flow=options.flow, seed=options.seed, pool_liquidity=OTHERS, workers=1
    )
    seconds = process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    nets = [float(figures.net_bp) for figures in found]
    print(json.dumps({"seconds": seconds, "megabytes": peak, "net": sum(nets) / len(nets)}))
    return 0


def side(tree: Path, options: argparse.Namespace) -> dict[str, float]:
    """One process's answer."""
    python = tree / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), __file__, "--one", str(tree)]
    command += ["--flow", options.flow, "--sweep", str(options.sweep)]
    command += ["--bars", str(options.bars), "--seed", str(options.seed)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.stderr.strip().splitlines()[-1])
    answer: dict[str, float] = json.loads(found.stdout)
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default 1)")
    parser.add_argument("--base", help="the other tree")
    parser.add_argument("--flow", default="real", help="other people's trades (default real)")
    parser.add_argument("--sweep", type=int, default=CONFIGURATIONS, help="configurations")
    parser.add_argument("--bars", type=int, default=YEAR, help="minutes (default a year)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs (default {ROUNDS})")
    parser.add_argument("--times", type=float, default=TIMES, help=f"wanted (default {TIMES:g})")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options)
    if not options.base:
        parser.error("name the other tree with --base")
    from bench._harness import finish

    trees = {"base": Path(options.base).resolve(), "here": HERE}
    told: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for number in range(options.rounds):
        for name in sorted(trees, reverse=bool(number % 2)):
            told[name].append(side(trees[name], options))
    years = options.sweep * options.bars / YEAR
    results: dict[str, Any] = {"flow": options.flow, "configurations": options.sweep}
    for name, rows in told.items():
        seconds = median(row["seconds"] for row in rows)
        results[f"backtest-years a second of one core, {name}"] = years / seconds
        results[f"peak MB, {name}"] = median(row["megabytes"] for row in rows)
        results[f"mean net, bp, {name}"] = rows[0]["net"]
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(told["base"], told["here"], strict=True)]
    results["times base"] = times = median(ratios)
    failures = [] if times >= options.times else [f"{times:.2f} times base, not {options.times:g}"]
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
