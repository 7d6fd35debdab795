"""Many baselines over one history, in several processes that read one copy of it.

The pool's path is walked once and written as columns into a temporary folder; each process maps
the files into its memory, so that the machine holds them once however many processes there are.
With trades of other people every baseline has a path of its own (its liquidity dampens them), and
what is shared is all that does not depend on it (``vectorised_noise``).
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dexmm.backtest.vectorised.baselines import Baseline, noisy_run, prepared, run
from dexmm.backtest.vectorised.noise import NoisyPaths
from dexmm.backtest.vectorised.price_path import PoolPath
from dexmm.backtest.workers import Watch, run_jobs
from dexmm.errors import BadInput
from dexmm.history.packed_candles import PackedPath
from dexmm.model.market import Market
from dexmm.performance.metrics import Figures
from dexmm.sim.agents.price_process import PricePath

BATCHES_A_WORKER = 8  # so that none waits long for the last one
_PLAIN = "plain.pickle"

Shared = TypeVar("Shared", PoolPath, NoisyPaths)
Batch = tuple[Baseline, ...]


def sweep(
    path: PricePath | PackedPath,
    market: Market,
    baselines: Sequence[Baseline],
    *,
    flow: str = "none",
    seed: int = 1,
    pool_liquidity: int | None = None,
    workers: int = 2,
    watch: Watch | None = None,
) -> tuple[Figures, ...]:
    """The figures of each, in their order; the same as ``baseline_figures`` one by one.

    ``watch`` is told how many are done, and of how many. Raises ``BadInput`` as
    ``baseline_figures`` does, ``Transient`` when a process dies.
    """
    if not baselines or workers < 1:
        raise BadInput("a sweep needs at least one baseline and one worker")
    shared = prepared(path, market, flow, seed, pool_liquidity)
    with tempfile.TemporaryDirectory(prefix="dexmm-sweep-") as name:
        if isinstance(shared, PoolPath):
            _write(shared, Path(name) / "path")
        else:
            _write(shared, Path(name) / "noisy")
        del shared
        found = run_jobs(
            _play,
            name,
            _batches(baselines, workers),
            workers=workers,
            progress=_counted(watch, len(baselines)),
        )
    return tuple(figures for batch in found for figures in batch)


def _batches(baselines: Sequence[Baseline], workers: int) -> list[Batch]:
    size = -(-len(baselines) // (workers * BATCHES_A_WORKER))
    return [tuple(baselines[i : i + size]) for i in range(0, len(baselines), size)]


def _counted(watch: Watch | None, total: int) -> Callable[[Sequence[tuple[int, int]]], None] | None:
    if watch is None:
        return None
    return lambda board: watch(sum(done for done, _ in board), total)


def _play(name: str, batch: Batch, watch: Watch) -> tuple[Figures, ...]:
    """One batch, in whichever process."""
    play = _player(name)
    found = []
    for baseline in batch:
        found.append(play(baseline))
        watch(len(found), len(batch))
    return tuple(found)


@cache
def _player(name: str) -> Callable[[Baseline], Figures]:
    """What plays a baseline over the history in a folder; opened once in each process."""
    folder = Path(name)
    if (folder / "path").is_dir():
        path = _read(PoolPath, folder / "path")
        return lambda baseline: run(path, baseline)
    paths = _read(NoisyPaths, folder / "noisy")
    return lambda baseline: noisy_run(paths, baseline)


def _write(shared: PoolPath | NoisyPaths, folder: Path) -> None:
    """Columns as files of their own, the rest as one."""
    folder.mkdir()
    plain: dict[str, Any] = {}
    for field in fields(shared):
        value = getattr(shared, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{field.name}.npy", value)
        else:
            plain[field.name] = value
    (folder / _PLAIN).write_bytes(pickle.dumps(plain))


def _read(kind: type[Shared], folder: Path) -> Shared:
    """Columns mapped, not read: pages that several processes use are in memory once."""
    plain = pickle.loads((folder / _PLAIN).read_bytes())  # noqa: S301 - written by ``_write``
    columns = {
        file.stem: np.load(file, mmap_mode="r").view(np.ndarray) for file in folder.glob("*.npy")
    }
    return kind(**plain, **columns)
