"""Killed at every instant at which a process that talks to a node can die, then started again.

Each case cuts the process down with SIGKILL at one of its requests - before the node hears it, or
after the node has answered and before the answer arrives - or before one of its database commits,
for every request and every commit that a whole run makes. Then it is simply run again, and what
must be true is true: nothing is minted twice, no NFT is lost, nothing that is owed is forgotten.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.sandbox.node import token_admin
from dexmm.sandbox.node.pools import POSITION_MANAGER, approve
from dexmm.sandbox.node.token_admin import PAXG, USDT

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = [pytest.mark.anvil, pytest.mark.kill, pytest.mark.slow]

WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
SAFE = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
KILLED = -9
MOST = 60  # commits in one run, before the test itself is wrong
FINAL = {"mined", "confirmed"}

EAGER = {
    "STRATEGY__ECONOMIC_GATE": "false",
    "STRATEGY__MIN_INTERVAL_SECONDS": "0",
    "STRATEGY__DWELL_SECONDS": "60",
    "NETWORK__CONFIRMATIONS": "2",
}


@dataclass(frozen=True)
class Instant:
    """When the process dies: ``before`` or ``after`` a request, or before a ``commit``."""

    kind: str
    number: int


def test_a_first_deposit(scene: Scene) -> None:
    scene.settings |= EAGER
    scene.mark()
    _prove_a_run(scene)
    assert scene.ranges()


def test_a_rerange(scene: Scene) -> None:
    """The price has left the range: one turn moves everything, in one transaction."""
    scene.settings |= EAGER
    assert scene.run("run", "--once").code == 0
    old = scene.token_ids()
    _stop_before_a_rerange(scene)
    assert scene.token_ids() == old
    _prove_a_run(scene)
    assert scene.ranges()
    assert set(old) - set(scene.token_ids()), "something was taken out"
    assert set(scene.token_ids()) - set(old), "and something put in"


@pytest.mark.parametrize("mempool", ["keeps it", "forgets it"])
def test_a_deposit_that_nobody_mines(scene: Scene, mempool: str) -> None:
    """Killed with its mint in the mempool; turns go by; then blocks are made again."""
    for token in (PAXG, USDT):
        approve(scene.anvil, WALLET, token, POSITION_MANAGER, 10**30)
    scene.settings |= EAGER
    scene.mark()
    assert _turns_until_done(scene) == 2
    ranges = scene.ranges()

    scene.rewind()
    scene.anvil.rpc("evm_setAutomine", [False])
    running = scene.start("run", "--once")
    nonce = scene.nonce()
    scene.until(lambda: scene.nonce("pending") == nonce + 1)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait().code == KILLED
    if mempool == "forgets it":
        scene.anvil.rpc("anvil_dropAllTransactions")
    for _ in range(3):
        assert scene.run("run", "--once", loop__receipt_timeout_seconds="0").code in {0, 5}
        assert scene.nonce("pending") == nonce + 1, "the same nonce, whatever is offered for it"
    scene.anvil.rpc("evm_setAutomine", [True])
    scene.anvil.mine()
    _turns_until_done(scene)
    assert scene.ranges() == ranges
    assert scene.nonce() == nonce + 1


def test_a_withdraw(scene: Scene) -> None:
    """Batch, approval, sale and transfer, cut between every two."""
    scene.give_away_all_but(paxg="1", usdt="4000")
    scene.mint(-600, 600, paxg="0.5", usdt="2000")
    scene.mint(-300, 900, paxg="0.5", usdt="2000")
    arguments = ("withdraw", "--json", "--convert", "--to", "safe")
    scene.mark()
    assert scene.run(*arguments).code == 0
    received = scene.balances(SAFE)
    for instant in _cuts(scene, *arguments):
        ran = scene.run(*arguments)
        assert ran.code == 0, (instant, ran.err)
        assert ran.answer["proved"], instant
        assert scene.all_out(), instant
        assert scene.balances() == (0, 0), instant
        assert scene.balances(SAFE) == received, instant


def test_a_withdraw_position_by_position(scene: Scene) -> None:
    """PAXG is paused: the batch reverts, and an NFT is left with what it is owed in PAXG."""
    trapped = scene.mint(-600, 600)
    scene.mint(-2000, -1000)
    token_admin.pause_paxg(scene.anvil)
    scene.mark()
    assert scene.withdraw().code == 3
    owed, held = scene.position(trapped), scene.balances()
    for instant in _cuts(scene, "withdraw", "--json"):
        ran = scene.withdraw()
        assert ran.code == 3, (instant, ran.err)
        assert scene.token_ids() == [trapped], instant
        assert scene.position(trapped) == owed, instant
        assert scene.balances() == held, instant


def _prove_a_run(scene: Scene) -> None:
    """The whole work undisturbed, then cut at every instant and begun again."""
    assert _turns_until_done(scene) > 1, "there is something to do"
    ranges, held = scene.ranges(), scene.balances()
    for instant in _cuts(scene, "run", "--once"):
        _turns_until_done(scene)
        # The same NFTs with the same liquidity: a second mint would be one more, or another id.
        assert scene.ranges() == ranges, instant
        assert scene.balances() == held, instant
        # Every transaction of the wallet is an intent that knows it was mined.
        statuses = [status for status, _ in scene.intents()]
        assert set(statuses) <= FINAL, (instant, statuses)
        assert len(statuses) == scene.nonce(), instant


def _turns_until_done(scene: Scene) -> int:
    """Turns, as cron would run them, until one finds nothing to do; how many there were."""
    for turns in range(1, 6):
        ran = scene.run("run", "--once", "--json")
        assert ran.code == 0, ran.err
        if not ran.answer["outcomes"]:
            return turns
    raise AssertionError("it never comes to rest")


def _cuts(scene: Scene, *arguments: str) -> Iterator[Instant]:
    """From the marked state, kill the command at each instant in turn.

    Between two requests that only read, nothing outside the process changes but by a commit: to
    die before such a request is to die after the one before it.
    """
    scene.rewind()
    scene.run(*arguments)
    methods = list(enumerate(scene.proxy.methods, start=1))
    broadcasts = [number for number, method in methods if "sendRaw" in method]
    assert broadcasts, "there is something that must not happen twice"
    instants = [Instant("after", number) for number, _ in methods]
    instants += [Instant("before", number) for number in (1, *broadcasts)]
    for instant in instants:
        scene.rewind()
        ran = scene.run(*arguments, cut=(instant.number, instant.kind))
        # How often a receipt is asked for depends on the node: a later run may end sooner.
        assert ran.code == KILLED or len(scene.proxy.methods) < instant.number, (instant, ran.err)
        if ran.code == KILLED:
            yield instant
    for number in range(1, MOST):
        scene.rewind()
        if scene.run(*arguments, kill_commit=number).code != KILLED:
            assert number > 2 * len(broadcasts), "every broadcast has an intent before it"
            return
        yield Instant("commit", number)
    raise AssertionError(f"more than {MOST} commits")


def _stop_before_a_rerange(scene: Scene) -> None:
    """The price rises in small steps, beyond the edge; marked just before the turn that answers."""
    top = max(tick_upper for _, _, tick_upper, _ in scene.ranges())
    for _ in range(20):
        if scene.tick() <= top:
            scene.push_price(70)
        scene.pass_time(7200)
        scene.mark()
        ran = scene.run("run", "--once", "--json")
        assert ran.code == 0, ran.err
        if any(outcome["step"] == "rerange" for outcome in ran.answer["outcomes"]):
            scene.rewind()
            return
    raise AssertionError("no turn ever answers")
