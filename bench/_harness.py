"""What every bench shares: sides run in turn in one process, medians, one way to print them."""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the flags that every bench has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default 1)")
    return parser


def side_by_side(
    sides: Mapping[str, Callable[[], object]], operations: int, rounds: int
) -> dict[str, float]:
    """Seconds per operation of each side: the median of ``rounds``, the sides taking turns.

    Taking turns lets a busy machine slow every side alike. The collector rests while a side runs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            gc.disable()
            started = perf_counter()
            side()
            seconds[name].append((perf_counter() - started) / operations)
            gc.enable()
    return {name: median(times) for name, times in seconds.items()}


def finish(results: Mapping[str, Any], failures: list[str], as_json: bool) -> int:
    """Print the results; the exit code is 1 when a target was missed."""
    shown = {
        **results,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "missed": failures,
    }
    if as_json:
        print(json.dumps(shown, indent=1))
    else:
        for name, value in shown.items():
            print(f"{name:<44} {value:.4g}" if isinstance(value, float) else f"{name:<44} {value}")
    for failure in failures:
        print(f"missed: {failure}", file=sys.stderr)
    return 1 if failures else 0
