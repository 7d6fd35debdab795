"""A real Dask cluster on this machine: the same results, whatever happens to its workers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from backtest.scenes import a_scenario
from tune.tune_scene import Landscape, Quiet, search_for, sqlite, what

from dexmm.backtest.cluster import DaskCluster
from dexmm.backtest.compare.compare import compare
from dexmm.backtest.compare.contestants import Holding, Live, Static
from dexmm.backtest.workers import Watch, run_jobs
from dexmm.cli import main
from dexmm.errors import BadInput, Transient
from dexmm.sim.agents.price_process import generate
from dexmm.tune.tune import tune

pytest.importorskip("distributed")

D = Decimal
PATIENCE = 240  # seconds, on however busy a machine
TESTS = Path(__file__).resolve().parent.parent
ALL = '[space]\n"strategy.edge_sigmas" = [1, 2, 3, 4]\n'
Worker = Callable[..., subprocess.Popen[bytes]]


@contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Ended by its id when the test is over."""
    path = os.pathsep.join(filter(None, (environment.pop("first", ""), str(TESTS))))
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", *command],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dexmm.backtest.cluster.CONNECT_SECONDS", PATIENCE)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one without workers."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    command = "-m", "distributed.cli.dask_scheduler", *options, "--scheduler-file", str(file)
    with running(*command) as process:
        deadline = time.monotonic() + PATIENCE
        while not file.exists() or not file.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield str(json.loads(file.read_text())["address"])


@pytest.fixture
def worker(scheduler: str, tmp_path: Path) -> Iterator[Worker]:
    """Starts one, and waits until the scheduler knows it."""
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    place = ("--local-directory", str(tmp_path / "dask"))
    with ExitStack() as stack:
        begun: list[subprocess.Popen[bytes]] = []

        def begin(before: str = "pass", first: str = "") -> subprocess.Popen[bytes]:
            source = f"{before}; from distributed.cli.dask_worker import main; main()"
            command = ("-c", source, scheduler, *options, *place)
            begun.append(stack.enter_context(running(*command, first=first)))
            _known(scheduler, sum(process.poll() is None for process in begun))
            return begun[-1]

        yield begin
    _known(scheduler, 0)


def _known(scheduler: str, count: int) -> None:
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        deadline = time.monotonic() + PATIENCE
        while len(client.nthreads()) != count:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def squared(shared: int, job: int, watch: Watch) -> int:
    if job == 13:
        raise BadInput("thirteen is no job", job=job)
    watch(1, 1)
    return shared + job * job


def test_a_worker_that_is_killed_in_the_middle_changes_no_result(
    scheduler: str, worker: Worker, tmp_path: Path
) -> None:
    both = [worker(), worker()]
    cluster = DaskCluster(scheduler)
    assert run_jobs(squared, 1, range(5), workers=cluster) == (1, 2, 5, 10, 17)
    with pytest.raises(BadInput, match="thirteen is no job") as error:
        run_jobs(squared, 1, (12, 13), workers=cluster)
    assert error.value.facts == {"job": 13}

    scenario = a_scenario(generate(2, 120, interval_seconds=1800))
    field = (Live(strategy="budget"), Static(half_width=D("0.05")), Holding())
    there = compare(scenario, field, ratios=(D("0.7"), D(1)), workers=cluster)
    assert there == compare(scenario, field, ratios=(D("0.7"), D(1)), workers=1)

    def search_with(evaluate: Landscape, name: str) -> object:
        search = search_for(sqlite(tmp_path), evaluate, trials=4, folds=2, name=name, text=ALL)
        return tune(search, what(search), cluster if evaluate.kills else 2, Quiet())

    steady = Landscape(best=(D(3),))
    killed = search_with(replace(steady, kills=tmp_path / "killed"), "on the cluster")
    assert sum(process.poll() is not None for process in both) == 1
    assert killed == search_with(steady, "in processes")


def test_a_worker_without_dexmm_or_with_another_one_is_refused(
    scheduler: str, worker: Worker, tmp_path: Path
) -> None:
    cluster = DaskCluster(scheduler)
    there = worker(before="import sys; sys.modules['dexmm'] = None")
    with pytest.raises(BadInput, match="has no dexmm that can run this") as error:
        run_jobs(squared, 1, (1, 2), workers=cluster)
    assert "\n" not in error.value.message
    there.kill()
    there.wait()
    _known(scheduler, 0)

    shutil.copytree(TESTS.parent / "dexmm", tmp_path / "other" / "dexmm")
    with (tmp_path / "other" / "dexmm" / "units.py").open("a") as file:
        file.write("# another version\n")
    worker(first=str(tmp_path / "other"))
    with pytest.raises(BadInput, match="has another version of dexmm"):
        run_jobs(squared, 1, (1, 2), workers=cluster)


def test_a_cluster_without_workers_and_an_address_without_a_cluster(
    scheduler: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dexmm.backtest.cluster.WORKER_SECONDS", 0.1)
    with pytest.raises(Transient, match="has no workers: start some with `dask worker tcp://"):
        run_jobs(squared, 1, (1, 2), workers=DaskCluster(scheduler))
    monkeypatch.setattr("dexmm.backtest.cluster.CONNECT_SECONDS", 0.1)
    compare_at = ["backtest", "--generate", "--turns", "48", "--compare", "--dask"]
    assert main.run([*compare_at, "tcp://127.0.0.1:1"]) == 5
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err
    assert main.run([*compare_at, "nowhere://x"]) == 2
    assert "is no address of a Dask scheduler" in capsys.readouterr().err
    assert main.run(["backtest", "--generate", "--turns", "48", "--dask", scheduler]) == 2
    assert "one run needs no cluster" in capsys.readouterr().err
