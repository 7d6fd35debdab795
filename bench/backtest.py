"""The full live strategy over a year of minutes, beside demeter over the same minutes.

    python bench/backtest.py [--demeter-python PATH] [--demeter-bars N] [--every-turn N] [--json]
    python bench/backtest.py --base TREE [--bars N] [--rounds N] [--json]

Ours is everything from packed candles to figures, accounts closed: the live ``decide``, ``plan``,
``turn`` and guards of the default strategy, through the exact pool with other people's liquidity in
it, arbitrage at every waypoint and noise trades as measured in the thin pool. Turns that can decide
nothing are slept through; over the first ``--every-turn`` bars the run that takes every turn must
end with the same actions and the same net worth. demeter (zelos-demeter 1.3.0) runs a static range
in an interpreter of its own; without ``--demeter-python`` nothing is compared.

With ``--base`` only the year is run, beside another checkout of the product (with its own
``.venv``, or this interpreter is used): each in processes of its own that take turns, by processor
time and peak memory; it must take no longer and hold no more than a tenth more.
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
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from bench._harness import arguments, finish
from bench.baselines import MARKET, YEAR, demeter, minutes
from dexmm.backtest.run import Backtest, Scenario, run_backtest
from dexmm.backtest.vectorised.baselines import Baseline, Rule
from dexmm.backtest.vectorised.price_path import Bars, pool_path
from dexmm.config.schema import parse_config

FASTER, SMALLER = 10, 8
ROUNDS = 3
DEMETER_YEAR_MB = 2900  # measured once over a year; what fewer bars take is measured here
MEMORY = 1.1  # times the other tree's
HERE = Path(__file__).resolve().parent.parent


def scenario(seed: int, bars: int) -> Scenario:
    settings: dict[str, Any] = {
        "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:1"},
        "market": {
            "pool": MARKET.pool,
            "base": MARKET.base.address,
            "price_low": Decimal(1000),
            "price_high": Decimal(20_000),
            "reference_feed": "0x9944D86CEB9160aF5C5feB251FD671923323f8C3",
        },
        "loop": {"interval_seconds": 60},
    }
    return Scenario(
        path=minutes(seed, bars),
        config=parse_config(settings, Path(), "the bench"),
        market=MARKET,
        flow="real",
        seed=seed,
    )


def measure(world: Scenario, rounds: int) -> tuple[float, Backtest]:
    """Seconds of one backtest, the median; and its result."""
    times = []
    for _ in range(rounds):
        started = perf_counter()
        found = run_backtest(world)
        times.append(perf_counter() - started)
    return median(times), found


def same_as_awake(seed: int, bars: int) -> tuple[dict[str, Any], list[str]]:
    """Sleeping against taking every turn, over the same bars."""
    world = scenario(seed, bars)
    asleep_seconds, asleep = measure(world, 1)
    awake_seconds, awake = measure(replace(world, every_turn=True), 1)
    acts = [(a.at, a.kind, a.status, a.trigger) for a in asleep.track.actions]
    same = acts == [(a.at, a.kind, a.status, a.trigger) for a in awake.track.actions]
    same = same and asleep.figures.end == awake.figures.end
    results = {
        "every turn: bars": bars,
        "every turn: turns/s": awake.turns / awake_seconds,
        "every turn: times slower": awake_seconds / asleep_seconds,
        "asleep and awake end alike": same,
    }
    return results, [] if same else ["sleeping through turns changed what was done"]


def compare(options: Any, rate: float, megabytes: float, results: dict[str, Any]) -> list[str]:
    """demeter over the same minutes; what was missed."""
    if options.demeter_python is None:
        results["demeter"] = "not installed: name its interpreter with --demeter-python"
        return []
    packed, bars = minutes(options.seed, options.demeter_bars), options.demeter_bars
    path = pool_path(Bars.of(packed), MARKET)
    baseline = Baseline(rule=Rule.STATIC, gas_gwei=Decimal(0))
    peer = demeter(options.demeter_python, path, bars, baseline)
    peer_rate = peer["bars"] / peer["seconds"]
    peer_mb = peer["megabytes"] if bars >= options.bars else float(DEMETER_YEAR_MB)
    results |= {
        "demeter: bars": peer["bars"],
        "demeter: bars/s": peer_rate,
        "demeter: peak MB over these bars": peer["megabytes"],
        "times demeter's rate": rate / peer_rate,
        "part of demeter's memory over a year": megabytes / peer_mb,
    }
    failures = []
    if rate < FASTER * peer_rate:
        failures.append(f"{rate / peer_rate:.1f} times demeter's rate, wanted {FASTER}")
    if megabytes * SMALLER > peer_mb:
        failures.append(f"{megabytes:.0f} MB, wanted an eighth of demeter's {peer_mb:.0f}")
    return failures


def one(options: Any) -> int:
    """A tree's side: its own scenario of these bars, as a line of JSON."""
    import bench.backtest as there

    world = there.scenario(options.seed, options.bars)
    started = process_time()
    found = there.run_backtest(world)
    seconds = process_time() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    end = str(found.figures.end)
    told = {"seconds": seconds, "megabytes": megabytes, "turns": found.turns, "end": end}
    print(json.dumps(told))
    return 0


def beside(options: Any) -> int:
    """Two trees over the same bars, taking turns."""
    trees = {"base": Path(options.base).resolve(), "here": HERE}
    told: dict[str, list[Any]] = {name: [] for name in trees}
    for number in range(options.rounds):
        for name in sorted(trees, reverse=bool(number % 2)):
            python = trees[name] / ".venv" / "bin" / "python"
            command = [str(python if python.exists() else sys.executable), __file__]
            command += ["--one", str(trees[name]), "--bars", str(options.bars)]
            command += ["--seed", str(options.seed)]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            if found.returncode:
                raise SystemExit(found.stderr.strip().splitlines()[-1])
            told[name].append(json.loads(found.stdout))
    results: dict[str, Any] = {"bars": options.bars, "pairs": options.rounds}
    for name, rows in told.items():
        results[f"seconds (median), {name}"] = median(row["seconds"] for row in rows)
        results[f"peak MB, {name}"] = median(row["megabytes"] for row in rows)
        results[f"turns taken, {name}"] = rows[0]["turns"]
        results[f"net worth at the end, {name}"] = rows[0]["end"]
    both = list(zip(told["base"], told["here"], strict=True))
    failures = []
    for what, most in (("seconds", 1.0), ("megabytes", MEMORY)):
        results[f"part of base, {what}"] = part = median(b[what] / a[what] for a, b in both)
        if part > most:
            failures.append(f"{part:.3f} of base's {what}, at most {most:g}")
    return finish(results, failures, options.json)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--base", help="another tree, to run the bars beside")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--bars", type=int, default=YEAR, help="minutes (default a year)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--every-turn", type=int, default=20_000, help="bars taken turn by turn")
    parser.add_argument("--demeter-python", help="an interpreter with zelos-demeter 1.3.0")
    parser.add_argument("--demeter-bars", type=int, default=20_000, help="minutes for the peer")
    options = parser.parse_args()
    if options.one:
        return one(options)
    if options.base:
        return beside(options)
    world = scenario(options.seed, options.bars)
    seconds, found = measure(world, options.rounds)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = options.bars / seconds
    results: dict[str, Any] = {
        "bars": options.bars,
        "bars/s (median)": rate,
        "seconds (median)": seconds,
        "turns taken": found.turns,
        "re-ranges": found.figures.reranges,
        "peak MB": megabytes,
    }
    awake, failures = same_as_awake(options.seed, min(options.every_turn, options.bars))
    results |= awake
    failures += compare(options, rate, megabytes, results)
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
