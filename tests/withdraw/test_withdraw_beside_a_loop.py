"""Withdraw while a loop runs, hangs, or has left a transaction that nobody mines."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.sandbox.node.pools import POSITION_MANAGER, approve
from dexmm.sandbox.node.token_admin import PAXG, USDT

if TYPE_CHECKING:
    from tests.withdraw.conftest import Ran, Scene
else:
    Ran = Scene = Any

pytestmark = [pytest.mark.anvil]

WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"


def test_a_loop_running_at_the_same_time(scene: Scene) -> None:
    """A real loop, turn after turn: it yields, and does nothing more until it is told to."""
    loop = scene.start("run", loop__interval_seconds="1")
    scene.until(lambda: len(scene.ranges()) > 0)
    ran = scene.beside(scene.withdraw)
    assert ran.code == 0, ran.err
    assert ran.answer["proved"]
    nonce = scene.nonce("pending")
    scene.until(lambda: "HALTED" in loop.err.read_text())
    assert scene.all_out()
    assert scene.nonce("pending") == nonce, "a halted loop sends nothing"
    os.kill(loop.pid, signal.SIGTERM)
    assert loop.wait().code == 0


def test_a_loop_that_waits_for_a_receipt_yields_at_once(scene: Scene) -> None:
    """Its first deposit is in the mempool and nobody mines: withdraw cancels it and gets out."""
    scene.mint(-600, 600)
    scene.anvil.rpc("evm_setAutomine", [False])
    loop = scene.start("run", loop__interval_seconds="1")
    scene.until(lambda: scene.nonce("pending") > scene.nonce())
    exit_ = scene.beside(lambda: scene.start("withdraw", "--json"))
    scene.until(scene.halted)
    scene.anvil.rpc("evm_setIntervalMining", [1])
    ran = exit_.wait()
    scene.anvil.rpc("evm_setIntervalMining", [0])
    assert ran.code == 0, ran.err
    assert ran.answer["warnings"] == [], "the loop gave the lease up in time"
    assert scene.all_out()
    os.kill(loop.pid, signal.SIGTERM)
    assert loop.wait().code == 0


def test_one_turn_that_is_halted_while_it_waits_says_so(scene: Scene) -> None:
    """Cron is told that nothing acts before resume, not to try again."""
    scene.anvil.rpc("evm_setAutomine", [False])
    turn = scene.start("run", "--once")
    scene.until(lambda: scene.nonce("pending") > scene.nonce())
    assert scene.beside(lambda: scene.run("halt", "stop", "now")).code == 0
    ran = turn.wait()
    scene.anvil.rpc("evm_setAutomine", [True])
    assert "stopped while it waited for its receipt: stop now" in ran.out
    assert "HALT was set while it ran: stop now" in ran.err
    assert ran.code == 4


@pytest.mark.parametrize("journal", ["kept", "lost"])
def test_a_stuck_transaction_of_the_loop(scene: Scene, journal: str) -> None:
    """The exit takes its nonce, whatever it offers.

    With the journal lost, what waits there is unknown, and so is its price.
    """
    scene.mint(-600, 600)
    ran = _withdraw_past(scene, _stick(scene), journal)
    assert ran.code == 0, ran.err + ran.out
    assert ran.answer["proved"]
    assert scene.all_out()
    assert scene.nonce("pending") == scene.nonce(), "nothing waits any more"


@pytest.mark.parametrize("journal", ["kept", "lost"])
def test_a_stuck_first_deposit_is_taken_back(scene: Scene, journal: str) -> None:
    """Nothing is in the pool yet, and what waits would put it there after all."""
    for token in (PAXG, USDT):
        approve(scene.anvil, WALLET, token, POSITION_MANAGER, 10**30)
    before = scene.balances()
    stuck = _stick(scene)
    assert len(stuck) == 1, "with the allowances set, what waits is the mint itself"
    ran = _withdraw_past(scene, stuck, journal)
    assert ran.code == 0, ran.err + ran.out
    assert ran.answer["proved"]
    assert scene.anvil.rpc("eth_getTransactionReceipt", [stuck[0]]) is None
    assert scene.nonce("pending") == scene.nonce()
    assert scene.token_ids() == []
    assert scene.balances() == before


def test_killed_while_its_own_exit_waits(scene: Scene) -> None:
    """The next withdraw offers more for the same nonce: one of the two is mined, never both."""
    scene.mint(-600, 600)
    scene.anvil.rpc("evm_setAutomine", [False])
    first = scene.start("withdraw", "--json")
    scene.until(lambda: scene.nonce("pending") > scene.nonce())
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    stuck, nonce = _waiting(scene), scene.nonce()
    ran = _withdraw_past(scene, stuck, "kept")
    assert ran.code == 0, ran.err + ran.out
    assert scene.all_out()
    assert scene.nonce() == nonce + 1


def test_a_terminal_that_is_closed_does_not_end_it(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.anvil.rpc("evm_setAutomine", [False])
    exit_ = scene.start("withdraw", "--json")
    scene.until(lambda: scene.nonce("pending") > scene.nonce())
    os.kill(exit_.pid, signal.SIGHUP)
    scene.anvil.rpc("evm_setAutomine", [True])
    scene.anvil.mine()
    ran = exit_.wait()
    assert ran.code == 0, ran.err
    assert ran.answer["proved"]
    assert scene.all_out()


def test_interrupted_it_says_how_to_go_on(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.anvil.rpc("evm_setAutomine", [False])
    exit_ = scene.start("withdraw", "--json")
    scene.until(lambda: scene.nonce("pending") > scene.nonce())
    os.kill(exit_.pid, signal.SIGINT)
    ran = exit_.wait()
    assert ran.code == 130
    assert "not finished: what was sent may still be mined, and HALT is not lifted" in ran.err
    assert scene.halted()
    again = _withdraw_past(scene, _waiting(scene), "kept")
    assert again.code == 0, again.err
    assert scene.all_out()


def test_a_holder_that_hangs_is_passed_by_loudly(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.state_dir.mkdir()
    lock = scene.state_dir / f"wallet-1-{WALLET.lower()}.lock"
    with Path(lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = scene.withdraw(network__timeout_seconds="1")
    assert ran.code == 0, ran.err
    (warning,) = ran.answer["warnings"]
    assert "without the lease" in warning
    assert scene.all_out()


def test_a_dry_run_leaves_a_stuck_transaction_alone(scene: Scene) -> None:
    scene.mint(-600, 600)
    stuck = _stick(scene)
    pending = scene.anvil.rpc("txpool_content")
    ran = scene.withdraw("--dry-run")
    assert ran.code == 0, ran.err
    assert scene.anvil.rpc("txpool_content") == pending
    assert len(ran.answer["in_flight"]) == len(stuck)


def _stick(scene: Scene) -> list[str]:
    """A turn sends its first transactions, and nobody mines them: their hashes by nonce."""
    scene.anvil.rpc("evm_setAutomine", [False])
    ran = scene.run("run", "--once", loop__receipt_timeout_seconds="0")
    assert ran.code in {0, 5}, ran.err
    assert scene.nonce("pending") > scene.nonce()
    return _waiting(scene)


def _withdraw_past(scene: Scene, stuck: list[str], journal: str) -> Ran:
    """Withdraw; blocks are made again as soon as something better paid is in the first's place."""
    if journal == "lost":
        for file in scene.state_dir.glob("journal.sqlite*"):
            file.unlink()
    running = scene.start("withdraw", "--json")
    scene.until(lambda: _waiting(scene)[0] != stuck[0])
    scene.anvil.rpc("evm_setIntervalMining", [1])
    ran = running.wait()
    scene.anvil.rpc("evm_setIntervalMining", [0])
    return ran


def _waiting(scene: Scene) -> list[str]:
    """The hashes of the wallet's transactions that wait to be mined, lowest nonce first."""
    pending = scene.anvil.rpc("txpool_content")["pending"]
    mine = next(each for owner, each in pending.items() if owner.lower() == WALLET.lower())
    return [mine[nonce]["hash"] for nonce in sorted(mine, key=int)]
