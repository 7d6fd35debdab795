"""The schedule: what each kind of ending does to the loop, and what cron is told."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dexmm.config.schema import Config, parse_config
from dexmm.engine import loop
from dexmm.engine.loop import Shutdown, World, _pause, run_forever
from dexmm.errors import BadInput, Busy, Halt, NodeError, Transient
from dexmm.model.memory import Memory
from dexmm.model.snapshot import ChainView
from dexmm.store.flags import HaltFlag, HaltNotStored

CONFIG = parse_config(
    {
        "network": {"name": "sandbox", "rpc_urls": ["http://127.0.0.1:1"]},
        "market": {
            "pool": "0x7Cb85f75e61226060453a997a7733F76707Df337",
            "base": "0x45804880De22913dAFE09f4980848ECE6EcbAf78",
            "price_low": 1000,
            "price_high": 9000,
        },
        "loop": {"interval_seconds": 1, "halt_after_errors": 3},
    },
    Path(),
    source="test",
)


@dataclass
class Unlucky:
    """A chain that cannot be seen, each time for the next reason; then someone asks to stop."""

    reasons: list[Exception]
    shutdown: Shutdown
    looks: int = 0

    def observe(self) -> ChainView:
        self.looks += 1
        reason = self.reasons.pop(0)
        if not self.reasons:
            self.shutdown.ask("the test")
        raise reason

    def send(self, step: object, verdict: object) -> object:
        pytest.fail("a turn that saw nothing sent something")


class Blank:
    def memory(self) -> Memory:
        return Memory()

    def halted(self) -> str:
        return ""

    def record(self, entry: object, config: Config) -> object:
        pytest.fail("a turn that saw nothing was recorded")


@dataclass
class Flag:
    reasons: list[str] = field(default_factory=list)

    def set(self, reason: str) -> None:
        self.reasons.append(reason)


class Free:
    @contextmanager
    def held(self, timeout_seconds: float = 0) -> Iterator[None]:
        yield


class Taken:
    @contextmanager
    def held(self, timeout_seconds: float = 0) -> Iterator[None]:
        raise Busy("another process holds the wallet")
        yield


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_pause", lambda interval, silent: 0.0)


def run(reasons: list[Exception], lease: object = None) -> tuple[int, Unlucky, Flag]:
    shutdown = Shutdown()
    chain, flag = Unlucky(reasons, shutdown), Flag()
    world = World(
        chain=chain,
        journal=Blank(),
        lease=lease or Free(),
        flag=flag,
        config=CONFIG,
        clock=lambda: 1,
    )
    code = run_forever(world, shutdown, lambda entry: pytest.fail("nothing was seen"))
    return code, chain, flag


def test_a_silent_node_is_waited_for() -> None:
    code, chain, flag = run([NodeError("no answer")] * 20)
    assert (code, chain.looks, flag.reasons) == (0, 20, [])


@dataclass
class Recovering:
    """A market that cannot take its first turns, and then takes one."""

    reasons: list[Exception]

    def __call__(self, world: World, shutdown: Shutdown) -> object:
        if self.reasons:
            raise self.reasons.pop(0)
        shutdown.ask("the test")
        return None


@pytest.mark.parametrize(
    ("reasons", "end"),
    [
        ([NodeError("no answer")] * 3, "the node answers again; 3 turns were skipped"),
        ([NodeError("no answer")], "the node answers again; 1 turn was skipped"),
        ([NodeError("no"), Transient("no book")], "turns are taken again; 2 turns were skipped"),
        ([Busy("held")], "turns are taken again; 1 turn was skipped"),
        ([], ""),
    ],
)
def test_the_end_of_a_trouble_is_told_as_loudly_as_its_beginning(
    reasons: list[Exception],
    end: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(loop, "run_once", Recovering(list(reasons)))
    monkeypatch.setattr(loop, "keep_halted", lambda world, entry: None)
    world = World(
        chain=Unlucky([], Shutdown()),
        journal=Blank(),
        lease=Free(),
        flag=Flag(),
        config=CONFIG,
        clock=lambda: 1,
    )
    assert run_forever(world, Shutdown(), lambda entry: None) == 0
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [f"turn skipped: {reason}" for reason in reasons] + ([end] if end else [])


def test_a_halt_sets_the_flag_and_ends() -> None:
    code, chain, flag = run([Transient("once"), Halt("wrong chain"), Transient("never seen")])
    assert (code, chain.looks, flag.reasons) == (4, 2, ["wrong chain"])


def test_defects_in_a_row_halt() -> None:
    code, chain, flag = run([ZeroDivisionError()] * 9)
    assert (code, chain.looks) == (4, 3)
    assert "3 turns in a row failed" in flag.reasons[0]


@pytest.mark.parametrize("reasons", [[Halt("wrong chain")], [ZeroDivisionError()] * 3])
def test_a_halt_that_no_place_takes_ends_the_loop_with_its_own_exit_code(
    tmp_path: Path, reasons: list[Exception]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    world = World(
        chain=Unlucky([*reasons, Transient("never seen")], Shutdown()),
        journal=Blank(),
        lease=Free(),
        flag=HaltFlag(tmp_path / "file" / "state", elsewhere=()),
        config=CONFIG,
        clock=lambda: 1,
    )
    with pytest.raises(HaltNotStored, match=r"wrong chain|3 turns in a row") as ended:
        run_forever(world, Shutdown(), lambda entry: pytest.fail("nothing was seen"))
    assert ended.value.exit_code == 5


def test_bad_input_is_for_the_person_who_started_it() -> None:
    with pytest.raises(BadInput, match="no journal"):
        run([BadInput("no journal"), Transient("never seen")])


def test_a_busy_wallet_skips_the_turn() -> None:
    shutdown = Shutdown()
    world = World(
        chain=Unlucky([], shutdown),
        journal=Blank(),
        lease=Taken(),
        flag=Flag(),
        config=CONFIG,
        clock=lambda: 1,
    )
    threading.Timer(0.2, shutdown.ask, ["the test"]).start()
    assert run_forever(world, shutdown, lambda entry: None) == 0
    assert world.chain.looks == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_asks_once_and_gives_the_handler_back(name: str) -> None:
    before = signal.getsignal(signal.Signals[name])
    shutdown = Shutdown()
    with shutdown.on_signals():
        assert shutdown.reason() == ""
        os.kill(os.getpid(), signal.Signals[name])
        assert shutdown.wait(5)
        assert shutdown.reason() == f"{name} was received"
    assert signal.getsignal(signal.Signals[name]) is before


@pytest.mark.parametrize(
    ("silent", "seconds"), [(0, 60), (1, 60), (2, 120), (3, 240), (4, 480), (5, 480), (999, 480)]
)
def test_silence_doubles_the_pause_up_to_a_bound(silent: int, seconds: int) -> None:
    assert _pause(60, silent) == seconds
