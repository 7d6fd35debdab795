"""What a turn costs beside another version of the product; every turn taken, none slept through.

    python bench/turns.py --base TREE [--turns N] [--interval SECONDS] [--prices FILE]
                          [--strategies budget,measured] [--rounds N] [--json]

TREE is another checkout (with its own ``.venv``, or this interpreter is used). Each side runs the
same backtest in a process of its own, in pairs that alternate in order; processor time counts, not
the clock, and the median of the rounds. ``turn`` is what a turn decides, plans and remembers;
``run`` is the whole backtest: other people's trades, the pool and the accounts are in it. Whether
both sides saw, decided and remembered the same to the last digit is told by a hash of all of their
turns; where one of them simulates otherwise they do not, and only the times compare.

Target: a turn takes at most a fifth of the other tree's time (``--times``).
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and "--one" in sys.argv:  # a side: the tree that it is about comes first
    sys.path[0] = sys.argv[sys.argv.index("--one") + 1]
elif sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import argparse
import hashlib
import json
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

HERE = Path(__file__).resolve().parent.parent
ROUNDS, TURNS, INTERVAL, TIMES = 5, 4000, 300, 5.0
VERBS = ("decide", "plan", "remember")


def scenario(options: argparse.Namespace, strategy: str) -> Any:
    from dexmm.backtest.run import PAXG, PAXG_USDT, Scenario, paxg_usdt_market
    from dexmm.config.schema import parse_config
    from dexmm.history.packed_candles import read_path
    from dexmm.sim.agents.price_process import generate

    settings: dict[str, Any] = {
        "network": {"name": "sandbox", "rpc_urls": "http://127.0.0.1:1"},
        "market": {
            "pool": PAXG_USDT,
            "base": PAXG,
            "price_low": Decimal(100),
            "price_high": Decimal(100_000),
        },
        "loop": {"interval_seconds": options.interval},
        "strategy": {"name": strategy},
    }
    config = parse_config(settings, Path(), "the bench")
    if options.prices is None:
        path: Any = generate(options.seed, options.turns, interval_seconds=options.interval)
    else:
        path = read_path(Path(options.prices)).first(options.turns)
    return Scenario(
        path=path,
        config=config,
        market=paxg_usdt_market(config),
        flow="real",
        seed=options.seed,
        every_turn=True,
    )


def one(options: argparse.Namespace) -> int:
    """This tree's side of a pair: what it took, as one line of JSON."""
    import dexmm.backtest.run as backtest
    import dexmm.engine.turn

    world = scenario(options, options.strategies)
    started = process_time()
    found = backtest.run_backtest(world)
    whole = process_time() - started
    spent = [0.0]

    def timed(verb: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            begun = process_time()
            try:
                return verb(*args, **kwargs)
            finally:
                spent[0] += process_time() - begun

        return run

    plain = {name: getattr(dexmm.engine.turn, name) for name in VERBS}
    for name, verb in plain.items():
        setattr(dexmm.engine.turn, name, timed(verb))
    backtest.run_backtest(world)
    for name, verb in plain.items():
        setattr(dexmm.engine.turn, name, verb)
    print(
        json.dumps(
            {
                "turns": found.turns,
                "run": whole / found.turns,
                "turn": spent[0] / found.turns,
                "digest": digest(world) if options.digest else "",
            }
        )
    )
    return 0


def digest(world: Any) -> str:
    """Of everything that every turn saw, decided, did and remembered."""
    import dexmm.backtest.run as backtest

    told, plain = hashlib.sha256(), backtest.turn

    def heard(*args: Any, **kwargs: Any) -> Any:
        entry = plain(*args, **kwargs)
        told.update(repr(entry).encode())
        return entry

    backtest.turn = heard
    backtest.run_backtest(world)
    backtest.turn = plain
    return told.hexdigest()


def side(tree: Path, strategy: str, options: argparse.Namespace, *, with_digest: bool) -> Any:
    """One process's answer; None where that tree has no such strategy."""
    python = tree / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), __file__]
    command += ["--one", str(tree), "--strategies", strategy, "--turns", str(options.turns)]
    command += ["--interval", str(options.interval), "--seed", str(options.seed)]
    command += ["--prices", options.prices] if options.prices else []
    command += ["--digest"] if with_digest else []
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        print(found.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None
    return json.loads(found.stdout)


def pairs(strategy: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both sides of one strategy, alternating; the medians."""
    trees = {"base": Path(options.base).resolve(), "here": HERE}
    told: dict[str, list[Any]] = {name: [] for name in trees}
    for number in range(options.rounds):
        for name in sorted(trees, reverse=bool(number % 2)):
            found = side(trees[name], strategy, options, with_digest=not number)
            if found is not None:
                told[name].append(found)
    results: dict[str, Any] = {}
    for name, rows in told.items():
        if rows:
            for what in ("turn", "run"):
                microseconds = median(row[what] for row in rows) * 1e6
                results[f"{strategy}: {what}, microseconds, {name}"] = microseconds
            results[f"{strategy}: turns/s of a run, {name}"] = 1e6 / microseconds
            results[f"{strategy}: part of a run outside of turns, {name}"] = 1 - median(
                row["turn"] / row["run"] for row in rows
            )
    if told["base"] and told["here"]:
        for what in ("turn", "run"):
            ratios = [a[what] / b[what] for a, b in zip(told["base"], told["here"], strict=True)]
            results[f"{strategy}: times base, {what}"] = median(ratios)
        alike = told["base"][0]["digest"] == told["here"][0]["digest"]
        results[f"{strategy}: every turn alike to the last digit"] = alike
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default 1)")
    parser.add_argument("--base", help="the other tree")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"default {TURNS}")
    parser.add_argument("--interval", type=int, default=INTERVAL, help="seconds between turns")
    parser.add_argument("--prices", help="candles of that interval, instead of generated ones")
    parser.add_argument("--strategies", default="budget,measured")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs (default {ROUNDS})")
    parser.add_argument("--times", type=float, default=TIMES, help=f"wanted (default {TIMES:g})")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(options)
    if not options.base:
        parser.error("name the other tree with --base")
    from bench._harness import finish

    results: dict[str, Any] = {"turns": options.turns, "pairs": options.rounds}
    for strategy in options.strategies.split(","):
        results |= pairs(strategy, options)
    failures = [
        f"{name}: {value:.2f}, wanted {options.times:g}"
        for name, value in results.items()
        if name.endswith("times base, turn") and value < options.times
    ]
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
