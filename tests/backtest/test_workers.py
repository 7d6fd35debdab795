"""Jobs in processes: results in order, progress seen, errors told, nothing left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dexmm.backtest.workers import Watch, run_jobs, undisturbed
from dexmm.errors import BadInput, Transient
from dexmm.uniswap.errors import Locked


def add(shared: int, job: int, watch: Watch) -> tuple[int, int]:
    for step in range(job):
        watch(step + 1, job)
    return shared + job, os.getpid()


def refuse(_shared: int, job: int, _watch: Watch) -> int:
    if job == 2:
        raise BadInput("the second job is wrong", job=job)
    return job


def revert(_shared: int, _job: int, _watch: Watch) -> int:
    raise Locked(block=7)


def endless(_shared: float, job: int, watch: Watch) -> int:
    if job == 0:
        time.sleep(0.3)
        raise BadInput("enough")
    while True:
        watch(0, 1)
        time.sleep(0.01)


def die(_shared: int, _job: int, _watch: Watch) -> int:
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    seen: list[Sequence[tuple[int, int]]] = []
    found = run_jobs(
        add, 100, (3, 1, 2), workers=workers, progress=lambda board: seen.append(tuple(board))
    )
    assert [value for value, _ in found] == [103, 101, 102]
    assert (os.getpid() in {pid for _, pid in found}) == (workers == 1)
    assert seen[-1] == ((3, 3), (1, 1), (2, 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_whole(workers: int) -> None:
    with pytest.raises(BadInput, match="the second job is wrong") as caught:
        run_jobs(refuse, 0, (1, 2, 3), workers=workers)
    assert caught.value.facts == {"job": 2}


def test_an_error_of_any_shape_arrives() -> None:
    with pytest.raises(Locked, match="LOK: the pool is locked") as caught:
        run_jobs(revert, 0, (1, 2), workers=2)
    assert caught.value.facts == {"block": 7}


def test_one_error_ends_all() -> None:
    began = time.monotonic()
    with pytest.raises(BadInput, match="enough"):
        run_jobs(endless, 0.0, (0, 1), workers=2)
    assert time.monotonic() - began < 30


def test_a_process_that_dies_each_time_is_said_so() -> None:
    with pytest.raises(Transient, match="worker process was killed 3 times over the same work"):
        run_jobs(die, 0, (1, 2), workers=2)


def die_once(shared: Path, job: int, _watch: Watch) -> int:
    if job == 3 and not shared.exists():
        shared.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


def test_what_a_killed_process_had_in_hand_is_done_again(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    assert run_jobs(die_once, killed, range(1, 7), workers=2) == (1, 4, 9, 16, 25, 36)
    assert killed.exists()


def test_ctrl_c_waits_for_what_must_not_be_interrupted() -> None:
    done: list[str] = []

    def interrupted() -> None:
        with undisturbed(), undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")
        done.append("nothing more")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def idle(_shared: int, _job: int, watch: Watch) -> int:
    print(os.getpid(), flush=True)
    while True:
        watch(0, 1)
        time.sleep(0.01)


def test_a_killed_process_leaves_no_worker_behind() -> None:
    source = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from backtest.test_workers import idle\n"
        "from dexmm.backtest.workers import run_jobs\n"
        "if __name__ == '__main__':\n"
        "    run_jobs(idle, 0, (1, 2), workers=2)\n"
    )
    tests = str(Path(__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", source, tests], stdout=subprocess.PIPE, text=True
    ) as asked:
        assert asked.stdout is not None
        workers = [int(asked.stdout.readline()) for _ in range(2)]
        asked.kill()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended may wait for somebody to take note."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc/self").exists() is False
    return not state.startswith("Z")
