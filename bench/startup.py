"""What a command costs before it does anything, and what a turn costs beside waiting.

`dexmm --help` against `python -c "import web3"`, fresh processes in turn: at most a quarter.

A turn that does nothing, with its journal and its lock, on a local mainnet: the share of its time
that is not spent waiting for the node's answer. At most 10 % with the node behind a delay (50 ms
unless said, a usual distance). Without any delay there is hardly anything to wait for, so that
share is printed and not judged.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import multiprocessing
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

from bench._harness import arguments, finish, side_by_side
from bench._node import Proxy, configuration, local_mainnet
from dexmm.config.schema import Config
from dexmm.engine.loop import Shutdown, World, run_once
from dexmm.sandbox.node.anvil import Anvil
from dexmm.wiring.live import open_world

MOST_OF_WEB3 = 0.25
MOST_OF_A_TURN = 0.10


def start(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True, capture_output=True)


def start_up(rounds: int) -> dict[str, float]:
    """Milliseconds of fresh processes."""
    sides = {
        "help": lambda: start("-m", "dexmm.cli.main", "--help"),
        "web3": lambda: start("-c", "import web3"),
        "python": lambda: start("-c", "pass"),
    }
    for side in sides.values():
        side()  # compiled files and the disk's cache are warm for all
    return {name: 1000 * t for name, t in side_by_side(sides, 1, rounds).items()}


class Waiting:
    """Adds up the time spent in sending to and reading from sockets: all of them are the node's.

    Sending counts as well: a node on this machine may answer before the system comes back to us.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        with (
            patch.object(socket.socket, "sendall", self._timed(socket.socket.sendall)),
            patch.object(socket.SocketIO, "readinto", self._timed(socket.SocketIO.readinto)),
        ):
            yield

    def _timed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = perf_counter()
            try:
                return original(*arguments)
            finally:
                self.seconds += perf_counter() - started

        return timed


def measure(world: World, anvil: Anvil, turns: int) -> tuple[float, float]:
    """Median milliseconds of a turn without action, and the median share outside waiting."""
    times, shares = [], []
    for _ in range(turns):
        anvil.mine(1, 12)
        waiting = Waiting()
        with waiting.watched():
            started = perf_counter()
            entry = run_once(world, Shutdown())
            whole = perf_counter() - started
        assert not entry.outcomes
        times.append(1000 * whole)
        shares.append(1 - waiting.seconds / whole)
    return median(times), median(shares)


def prepared(config: Config, folder: Path, anvil: Anvil) -> World:
    """A wallet whose first deposit is made and final."""
    world = open_world(config.model_copy(update={"root": folder}))
    run_once(world, Shutdown())
    anvil.mine(5, 12)
    run_once(world, Shutdown())
    return world


def _serve(upstream: str, delay_seconds: float, tell: Connection) -> None:
    with Proxy(upstream, delay_seconds) as proxy:
        tell.send(proxy.url)
        tell.poll(None)  # until the bench hangs up


@contextmanager
def behind_a_delay(upstream: str, delay_seconds: float) -> Iterator[str]:
    """The proxy in a process of its own, so that its work is not taken for the turn's."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(upstream, delay_seconds, there))
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join()


def idle_turns(turns: int, delay_ms: float) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with local_mainnet() as mainnet, tempfile.TemporaryDirectory() as folder:
        anvil = mainnet.anvil
        direct = prepared(configuration(mainnet, anvil.url), Path(folder), anvil)
        took, share = measure(direct, anvil, turns)
        results |= {"turn without delay, ms": took, "outside waiting, without delay": share}
        with behind_a_delay(anvil.url, delay_ms / 1000) as url:
            behind = prepared(configuration(mainnet, url), Path(folder), anvil)
            took, share = measure(behind, anvil, turns)
    results |= {
        "delay, ms": delay_ms,
        "turn behind the delay, ms": took,
        "outside waiting, behind the delay": share,
    }
    return results


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="processes of each kind (default 9)")
    parser.add_argument("--turns", type=int, default=25, help="turns of each kind (default 25)")
    parser.add_argument("--delay-ms", type=float, default=50, help="of the node (default 50)")
    options = parser.parse_args()
    starts = start_up(options.rounds)
    ratio = starts["help"] / starts["web3"]
    results: dict[str, Any] = {
        "dexmm --help, ms": starts["help"],
        "import web3, ms": starts["web3"],
        "python alone, ms": starts["python"],
        "ratio of --help to web3": ratio,
        **idle_turns(options.turns, options.delay_ms),
    }
    failures = []
    if ratio > MOST_OF_WEB3:
        failures.append(f"--help takes {ratio:.2f} of import web3, more than {MOST_OF_WEB3}")
    outside = results["outside waiting, behind the delay"]
    if outside >= MOST_OF_A_TURN:
        failures.append(f"{outside:.1%} of a turn is not waiting, {MOST_OF_A_TURN:.0%} or more")
    return finish(results, failures, options.json)


if __name__ == "__main__":
    sys.exit(main())
